/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "notify/proc.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

bool proc_is_dead(const struct proc *p)
{
	return p->state == 'Z' || p->state == 'X' || p->state == 'x';
}

bool proc_is_stopped(const struct proc *p)
{
	return p->frozen || p->state == 'T' || p->state == 't';
}

/* Reads one number, blanks before it skipped. False when there is none or it is too large. */
static bool take_number(const char **at, const char *end, unsigned base, uint64_t *ret)
{
	const char *s = *at;
	uint64_t n = 0;
	bool any = false;

	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	for (; s < end; s++, any = true) {
		unsigned digit = *s >= 'a' ? (unsigned)(*s - 'a') + 10 : (unsigned)(*s - '0');

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	if (any) {
		*at = s;
		*ret = n;
	}
	return any;
}

static bool take_pid(const char **at, const char *end, int32_t *ret)
{
	uint64_t n;

	if (!take_number(at, end, 10, &n) || n > INT32_MAX)
		return false;
	*ret = (int32_t)n;
	return true;
}

/* "17 (any bytes) S 1 ...": the name ends at the last bracket. Start time is field 22. */
bool proc_parse_stat(const char *text, size_t len, struct proc *ret)
{
	const char *end = text + len;
	const char *at = text;
	const char *close = memrchr(text, ')', len);

	if (!take_pid(&at, end, &ret->pid) || !close || end - close < 4 || close[1] != ' ' ||
	    close[3] != ' ')
		return false;
	ret->state = close[2];
	at = close + 3;
	if (!take_pid(&at, end, &ret->parent))
		return false;
	for (int field = 5; field < 22; field++) {
		at = at < end ? memchr(at + 1, ' ', (size_t)(end - at - 1)) : NULL;
		if (!at)
			return false;
	}
	return take_number(&at, end, 10, &ret->start_ticks);
}

/* What stands behind the last line that starts with key: the name, which may try to be such a line,
 * comes first. */
static const char *last_line(const char *text, const char *key)
{
	const char *found = NULL;
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, key, len) == 0)
			found = line + len;
	}
	return found;
}

bool proc_parse_status(const char *text, struct proc *ret)
{
	const char *caught = last_line(text, "SigCgt:");
	const char *pids = last_line(text, "NSpid:");
	const char *end = text + strlen(text);
	uint64_t pid = 0;
	int levels = 0;

	if (!caught || !take_number(&caught, end, 16, &ret->caught))
		return false;
	while (pids && take_number(&pids, end, 10, &pid))
		levels++;
	ret->is_init = levels > 1 && pid == 1;
	return true;
}

void proc_parse_comm(const char *text, size_t len, struct proc *ret)
{
	if (len && text[len - 1] == '\n')
		len--;
	if (len > LIMIT_COMM)
		len = LIMIT_COMM;
	memcpy(ret->comm, text, len);
	ret->comm[len] = '\0';
}

/* A process that ends while we read gives ESRCH; its directory is gone after that. */
static int read_text(int fd, const char *name, struct buf *ret, struct err *e)
{
	buf_init(ret, LIMIT_PROC_FILE);
	return file_read(fd, name, ret, e);
}

int proc_open(int proc_fd, int32_t pid, int *ret_fd, struct err *e)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	*ret_fd = openat(proc_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, "open /proc/%d", pid) : 0;
}

int proc_read(int fd, struct proc *ret, struct err *e)
{
	_cleanup_buf_ struct buf stat = {0};
	_cleanup_buf_ struct buf status = {0};
	_cleanup_buf_ struct buf comm = {0};

	*ret = (struct proc){0};
	if (read_text(fd, "stat", &stat, e) < 0 || read_text(fd, "status", &status, e) < 0 ||
	    read_text(fd, "comm", &comm, e) < 0)
		return -1;
	if (!proc_parse_stat(buf_str(&stat), stat.len, ret) ||
	    !proc_parse_status(buf_str(&status), ret))
		return err_set(e, ERR_INTERNAL, "/proc/%d is not understood", ret->pid);
	proc_parse_comm(buf_str(&comm), comm.len, ret);
	return 0;
}
