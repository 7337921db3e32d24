/* SPDX-License-Identifier: Apache-2.0 */
#include "command/pod_options.h"

#include "base/file.h"
#include "base/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* kubelet makes it as a file of the container; anything else is left alone. */
static int open_termination_log(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? TAKE_FD(fd) : -1;
}

void pod_begin(struct pod_settings *s)
{
	log_setup((enum log_level)s->log_level, (enum log_format)s->log_format);
	s->termination_fd = open_termination_log(s->termination_log);
}

int pod_attribute(struct attributes *a, const char *key, const char *value, struct err *e)
{
	char flag[OPTION_ENV];

	snprintf(flag, sizeof(flag), "--%s", key);
	return attributes_set_as(a, key, flag, value, e);
}

int pod_attributes(const struct pod_settings *s, struct attributes *ret, struct err *e)
{
	const char *const values[][2] = {{"secret", s->secret},
					 {"items", s->items},
					 {"bundle", s->bundle},
					 {"combined", s->combined}};

	attributes_init(ret);
	if (!s->secret || !s->dir)
		return err_set(e, ERR_INVALID, "--%s is required", s->secret ? "dir" : "secret");
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (values[i][1] && pod_attribute(ret, values[i][0], values[i][1], e) < 0)
			return -1;
	return 0;
}

int pod_deliver(const struct pod_settings *s, const struct attributes *attributes,
		struct loop *loop, const struct delivery_events *events, struct delivery **ret,
		struct err *e)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	struct target target;
	const struct delivery_options options = {
	    .kubeconfig = s->kubeconfig,
	    .context = s->context,
	    .namespace_ = s->namespace_,
	    .hand = s->hand,
	    .log_level = s->log_level == LOG_LEVEL_INFO ? "warn" : levels[s->log_level],
	    .log_format = s->log_format == LOG_FORMAT_TEXT ? "text" : "json",
	    .pod_processes = s->pod_processes,
	    .target = &target,
	    .attributes = attributes,
	};

	if (target_prepare(s->dir, s->subdir, s->file_mode, &target, e) < 0)
		return -1;
	return delivery_new(loop, &options, events, ret, e);
}

int pod_end(const struct pod_settings *s, const struct err *e, int code)
{
	struct err ignored;

	log_error("delivery.failed", L_ERR(e), L_INT(LOG_CODE, code));
	if (s->termination_fd >= 0)
		(void)!file_write_all(s->termination_fd, e->message, strlen(e->message), &ignored);
	return code;
}
