/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union control {
	char bytes[CMSG_SPACE(sizeof(int[PACKET_FDS]))];
	struct cmsghdr align;
};

void packet_done(struct packet *p)
{
	for (size_t i = 0; i < PACKET_FDS; i++)
		closep(&p->fds[i]);
}

static void take_fds(struct msghdr *m, struct packet *p)
{
	size_t have = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (have < PACKET_FDS)
				p->fds[have++] = fd;
			else
				close(fd);
		}
	}
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

	*ret = (struct packet){.fds = {-1, -1}};
	do
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		ret->waiting = true;
		return 0;
	}
	if (n < 0)
		return err_sys(e, "receive");
	take_fds(&m, ret);
	if (n == 0) {
		packet_done(ret);
		ret->ended = true;
		return 0;
	}
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		packet_done(ret);
		return 0;
	}
	ret->len = (size_t)n;
	return 0;
}

static void put_fds(struct msghdr *m, const int fds[static PACKET_FDS])
{
	struct cmsghdr *c = m->msg_control;
	size_t count = 0;

	for (size_t i = 0; i < PACKET_FDS; i++)
		if (fds[i] >= 0)
			memcpy(CMSG_DATA(c) + count++ * sizeof(int), &fds[i], sizeof(int));
	if (count == 0) {
		m->msg_control = NULL;
		m->msg_controllen = 0;
		return;
	}
	m->msg_controllen = CMSG_SPACE(count * sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
}

int packet_send(int fd, const void *data, size_t len, const int fds[static PACKET_FDS],
		bool *ret_sent, struct err *e)
{
	union control control = {0};
	struct iovec iov = {.iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes};
	ssize_t n;

	memcpy(&iov.iov_base, &data, sizeof(data));
	put_fds(&m, fds);
	do
		n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS)
		return err_sys(e, "send");
	*ret_sent = n >= 0;
	return 0;
}
