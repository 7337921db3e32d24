/* SPDX-License-Identifier: Apache-2.0 */
#include "command/status.h"

#include "base/limits.h"
#include "base/text.h"
#include "command/http_get.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WHO_IS_ANSWERED                                                                            \
	"only root and the uid of certhup node are answered: ask as root, as by sudo certhup "     \
	"status"

static int dial(const char *path, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (fd < 0)
		return err_sys(e, "socket");
	if (text_copy(to.sun_path, sizeof(to.sun_path), path) < 0)
		return err_set(e, ERR_INVALID, "%s: the path is too long for a socket", path);
	if (http_set_deadline(fd, e) < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		err_sys(e, "%s", path);
		if (e->sys == EACCES)
			err_tail(e, WHO_IS_ANSWERED);
		if (e->sys == ENOENT || e->sys == ECONNREFUSED)
			err_tail(e, "is certhup node running on this machine?");
		return -1;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int status_fetch(const char *socket_path, struct json **ret_json, struct err *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf answer;
	const char *body;
	size_t len;

	buf_init(&answer, LIMIT_BODY);
	if (dial(socket_path, &fd, e) < 0)
		return -1;
	if (http_get(fd, "/status", &answer, &body, &len, e) < 0) {
		if (e->kind == ERR_DENIED)
			err_tail(e, WHO_IS_ANSWERED);
		return err_add(e, "%s", socket_path);
	}
	return json_parse(body, len, ret_json, e) < 0 ? err_add(e, "%s", socket_path) : 0;
}
