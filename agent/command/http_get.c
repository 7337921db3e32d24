/* SPDX-License-Identifier: Apache-2.0 */
#include "command/http_get.h"

#include "base/file.h"
#include "base/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

int http_set_deadline(int fd, struct err *e)
{
	const struct timeval limit = {.tv_sec = LIMIT_HTTP_REQUEST_MS / SECOND_MS};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(e, "socket");
	return 0;
}

/* HTTP/1.0, so that the answer ends with the connection. */
static int exchange(int fd, const char *path, struct buf *ret, struct err *e)
{
	_cleanup_buf_ struct buf request;
	char part[4096];
	ssize_t n;

	buf_init(&request, sizeof(part));
	if (buf_printf(&request, e, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path) < 0 ||
	    file_write_all(fd, request.data, request.len, e) < 0)
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

int http_get(int fd, const char *path, struct buf *answer, const char **ret_body, size_t *ret_len,
	     struct err *e)
{
	const char *text;
	const char *end;

	if (exchange(fd, path, answer, e) < 0)
		return -1;
	text = buf_str(answer);
	end = memmem(text, answer->len, "\r\n\r\n", 4);
	if (answer->len == 0)
		return err_set(e, ERR_DENIED, "it hung up");
	if (!end || strncmp(text, "HTTP/1.", 7) != 0 || strncmp(text + 8, " 200", 4) != 0)
		return err_set(e, ERR_INVALID, "no %s, but: %.*s", path,
			       (int)(strcspn(text, "\r\n") % 80), text);
	*ret_body = end + 4;
	*ret_len = answer->len - (size_t)(*ret_body - text);
	return 0;
}
