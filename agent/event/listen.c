/* SPDX-License-Identifier: Apache-2.0 */
#include "event/listen.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG                                                                                    \
	4096 /* the kernel lowers it to its own maximum; a full one delays a probe by a second */

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static int open_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int in_use(struct err *e, const char *text)
{
	bool taken = errno == EADDRINUSE;

	err_sys(e, "listen on %s", text);
	if (!taken)
		return -1;
	e->kind = ERR_CONFLICT;
	return err_tail(e, "another program, or another certhup, listens there");
}

static int open_tcp(const char *text, const union address *a, socklen_t len, struct listening *ret,
		    struct err *e)
{
	_cleanup_close_ int fd = open_socket(a->sa.sa_family);
	union address bound = {0};
	socklen_t bound_len = sizeof(bound);
	const int on = 1;
	const int off = 0;

	if (fd < 0)
		return err_sys(e, "listen on %s", text);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (a->sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0))
		return err_sys(e, "listen on %s", text);
	if (bind(fd, &a->sa, len) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, &bound.sa, &bound_len) < 0)
		return in_use(e, text);
	ret->port = ntohs(bound.sa.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
	ret->fd = TAKE_FD(fd);
	return 0;
}

/* "[::1]", "127.0.0.1", or nothing for all. */
static bool parse_host(const char *host, size_t len, union address *ret)
{
	char text[INET6_ADDRSTRLEN + 2];

	if (!len) {
		ret->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
		return true;
	}
	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	ret->sa.sa_family = AF_INET;
	if (text[0] != '[')
		return inet_pton(AF_INET, text, &ret->in.sin_addr) == 1;
	if (text[len - 1] != ']')
		return false;
	text[len - 1] = '\0';
	ret->sa.sa_family = AF_INET6;
	return inet_pton(AF_INET6, text + 1, &ret->in6.sin6_addr) == 1;
}

static int parse(const char *text, union address *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (!colon || text_parse_u64(colon + 1, 0, UINT16_MAX, &port) < 0 ||
	    !parse_host(text, (size_t)(colon - text), ret))
		return -1;
	if (ret->sa.sa_family == AF_INET6)
		ret->in6.sin6_port = htons((uint16_t)port);
	else
		ret->in.sin_port = htons((uint16_t)port);
	*ret_len = ret->sa.sa_family == AF_INET6 ? sizeof(ret->in6) : sizeof(ret->in);
	return 0;
}

bool listening_is_address(const char *text)
{
	union address a = {0};
	socklen_t len = 0;

	return parse(text, &a, &len) == 0;
}

/* A socket file that refuses connections was left by a process that is gone. */
static bool is_left_behind(const struct sockaddr_un *un)
{
	_cleanup_close_ int fd = open_socket(AF_UNIX);
	struct stat st;

	return fd >= 0 && lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 && errno == ECONNREFUSED;
}

static int open_unix(const char *path, struct listening *ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (path[0] != '/' || strlen(path) >= sizeof(un.sun_path))
		return err_set(e, ERR_INVALID, "unix:%s is no absolute path of at most %zu bytes",
			       path, sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, path, strlen(path));
	if (is_left_behind(&un))
		unlink(path);
	fd = open_socket(AF_UNIX);
	/* Nobody can connect before listen(), so the mode is never wider than it should be. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return in_use(e, path);
	ret->path = strdup(path);
	if (!ret->path || chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0) {
		err_sys(e, "listen on %s", path);
		unlink(path);
		freep(&ret->path);
		return -1;
	}
	ret->fd = TAKE_FD(fd);
	return 0;
}

int listening_open(const char *address, struct listening *ret, struct err *e)
{
	union address a = {0};
	socklen_t len = 0;

	*ret = (struct listening){.fd = -1};
	if (strncmp(address, "unix:", 5) == 0)
		return open_unix(address + 5, ret, e);
	if (parse(address, &a, &len) < 0)
		return err_set(e, ERR_INVALID,
			       "%s is no numeric address with a port, like 127.0.0.1:9402 or :9402",
			       address);
	if (open_tcp(address, &a, len, ret, e) == 0)
		return 0;
	if (address[0] != ':' || (e->sys != EAFNOSUPPORT && e->sys != EADDRNOTAVAIL))
		return -1;
	/* No IPv6 on this machine. */
	a.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = a.in6.sin6_port};
	return open_tcp(address, &a, sizeof(a.in), ret, e);
}

void listening_close(struct listening *l)
{
	closep(&l->fd);
	if (l->path)
		unlink(l->path);
	freep(&l->path);
}
