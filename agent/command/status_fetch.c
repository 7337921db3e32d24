/* SPDX-License-Identifier: Apache-2.0 */
#include "command/status.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static int dial(const char *path, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval limit = {.tv_sec = LIMIT_HTTP_REQUEST_MS / SECOND_MS};
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (fd < 0)
		return err_sys(e, "socket");
	if (text_copy(to.sun_path, sizeof(to.sun_path), path) < 0)
		return err_set(e, ERR_INVALID, "%s: the path is too long for a socket", path);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(e, "socket");
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		err_sys(e, "%s", path);
		if (errno == ENOENT || errno == ECONNREFUSED)
			err_tail(e, "is certhup node running on this machine?");
		return -1;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* HTTP/1.0, so that the answer ends with the connection. */
static int exchange(int fd, struct buf *ret, struct err *e)
{
	static const char request[] = "GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n";
	char part[4096];
	ssize_t n;

	if (file_write_all(fd, request, strlen(request), e) < 0)
		return -1;
	while ((n = recv(fd, part, sizeof(part), 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return err_set(e, ERR_TIMEOUT, "no answer within %d s",
				       LIMIT_HTTP_REQUEST_MS / SECOND_MS);
		if (n < 0)
			return err_sys(e, "receive");
		if (buf_add(ret, part, (size_t)n, e) < 0)
			return -1;
	}
	return 0;
}

/* The document in "HTTP/1.x 200 ...\r\n...\r\n\r\n{...}". */
static int take_body(const struct buf *answer, struct json **ret_json, struct err *e)
{
	const char *text = buf_str(answer);
	const char *end = memmem(text, answer->len, "\r\n\r\n", 4);

	if (answer->len == 0)
		return err_set(e, ERR_DENIED,
			       "it hung up; only root and the uid of certhup node are answered");
	if (!end || strncmp(text, "HTTP/1.", 7) != 0 || strncmp(text + 8, " 200", 4) != 0)
		return err_set(e, ERR_INVALID, "no status, but: %.*s",
			       (int)(strcspn(text, "\r\n") % 80), text);
	end += 4;
	return json_parse(end, answer->len - (size_t)(end - text), ret_json, e);
}

int status_fetch(const char *socket_path, struct json **ret_json, struct err *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf answer;

	buf_init(&answer, LIMIT_BODY);
	if (dial(socket_path, &fd, e) < 0)
		return -1;
	if (exchange(fd, &answer, e) < 0 || take_body(&answer, ret_json, e) < 0)
		return err_add(e, "%s", socket_path);
	return 0;
}
