/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/ask.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int ask_connect(uint16_t port, const char *path)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (path) {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
		r = connect(fd, (const struct sockaddr *)&un, sizeof(un));
	} else {
		r = connect(fd, (const struct sockaddr *)&in, sizeof(in));
	}
	return fd >= 0 && r == 0 ? TAKE_FD(fd) : -1;
}

int ask_read(int fd, struct buf *answer)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char head[13] = "";
	size_t have = 0;
	char part[4096];
	struct err ignored;
	ssize_t n;

	while (poll(&p, 1, ASK_WAIT_MS) == 1 && (n = recv(fd, part, sizeof(part), 0)) > 0) {
		if (answer && buf_add(answer, part, (size_t)n, &ignored) < 0)
			return 0;
		for (ssize_t i = 0; i < n && have < sizeof(head) - 1; i++)
			head[have++] = part[i];
	}
	return have == 12 && strncmp(head, "HTTP/1.", 7) == 0 ? (int)strtol(head + 9, NULL, 10) : 0;
}

int ask_raw(uint16_t port, const char *bytes, size_t len, struct buf *answer)
{
	_cleanup_close_ int fd = ask_connect(port, NULL);

	while (fd >= 0 && len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			break; /* it closed early, perhaps after an answer */
		bytes += n;
		len -= (size_t)n;
	}
	return fd < 0 ? 0 : ask_read(fd, answer);
}

const char *ask_body(const struct buf *answer)
{
	const char *end = strstr(buf_str(answer), "\r\n\r\n");

	return end ? end + 4 : "";
}

int ask_get(uint16_t port, const char *path, struct buf *body)
{
	_cleanup_buf_ struct buf answer;
	char request[512];
	struct err ignored;
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	int status;

	buf_init(&answer, SIZE_MAX / 2);
	status = ask_raw(port, request, (size_t)n, &answer);
	if (body && buf_add_str(body, ask_body(&answer), &ignored) < 0)
		return 0;
	return status;
}
