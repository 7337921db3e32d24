/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/standin_call.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int standin_connect(const char *path, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "make a socket");
	if (text_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
		return err_set(e, ERR_INVALID, "the path '%s' is too long for a socket", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys(e, "connect to %s", path);
	return TAKE_FD(fd);
}

static int read_exactly(int fd, char *to, size_t len, struct err *e)
{
	while (len) {
		ssize_t n = read(fd, to, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, ERR_UNAVAILABLE, "the stand-in server is gone");
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

/* "ok 12" or "error 12". */
static int read_head(int fd, struct standin_answer *ret, struct err *e)
{
	char line[64];
	uint64_t len = 0;
	size_t n = 0;
	do {
		if (n == sizeof(line) - 1)
			return err_set(e, ERR_INVALID, "no answer of a stand-in server");
		if (read_exactly(fd, line + n, 1, e) < 0)
			return -1;
	} while (line[n++] != '\n');
	line[n - 1] = '\0';
	char *number = strchr(line, ' ');
	if (!number || text_parse_u64(number + 1, 0, SIZE_MAX - 1, &len) < 0)
		return err_set(e, ERR_INVALID, "no answer of a stand-in server");
	ret->ok = !strncmp(line, "ok ", 3);
	ret->len = len;
	return 0;
}

int standin_call(int fd, const char *command, struct standin_answer *ret, struct err *e)
{
	size_t len = strlen(command);
	_cleanup_free_ char *line = malloc(len + 2);
	if (!line)
		return err_set(e, ERR_EXHAUSTED, "no memory for a command");
	for (size_t i = 0; i < len; i++)
		line[i] = command[i] == '\n' ? ' ' : command[i];
	line[len] = '\n';
	if (file_write_all(fd, line, len + 1, e) < 0 || read_head(fd, ret, e) < 0)
		return -1;
	_cleanup_free_ char *text = malloc(ret->len + 1);
	if (!text)
		return err_set(e, ERR_EXHAUSTED, "no memory for an answer");
	if (read_exactly(fd, text, ret->len, e) < 0)
		return -1;
	text[ret->len] = '\0';
	ret->text = TAKE(text);
	return 0;
}
