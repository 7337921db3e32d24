/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

void packet_done(struct packet *p)
{
	closep(&p->fd);
}

/* Takes the only descriptor; closes all when there are more. Alignment leaves room for two. */
static bool take_fd(struct msghdr *m, struct packet *p)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			closep(&p->fd);
			memcpy(&p->fd, (const char *)c + at, sizeof(int));
			count++;
		}
	}
	return count <= 1;
}

int packet_receive(int fd, void *data, size_t size, struct packet *ret, struct err *e)
{
	union control control = {0};
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	*ret = (struct packet){.fd = -1};
	do
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		ret->waiting = true;
		return 0;
	}
	if (n < 0)
		return err_sys(e, "receive");
	if (!take_fd(&m, ret) || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || n == 0) {
		packet_done(ret);
		ret->ended = n == 0;
		return 0;
	}
	ret->len = (size_t)n;
	return 0;
}

static void put_fd(struct msghdr *m, int fd)
{
	struct cmsghdr *c = m->msg_control;

	m->msg_controllen = CMSG_SPACE(sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int packet_send(int fd, const void *data, size_t len, int attached, bool *ret_sent, struct err *e)
{
	union control control = {0};
	struct iovec iov = {.iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	memcpy(&iov.iov_base, &data, sizeof(data)); /* sendmsg changes nothing, but says not so */
	if (attached >= 0) {
		m.msg_control = control.bytes;
		put_fd(&m, attached);
	}
	do
		n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS)
		return err_sys(e, "send");
	*ret_sent = n >= 0;
	return 0;
}
