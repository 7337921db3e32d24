/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* read() through EINTR. */
static ssize_t read_some(int fd, void *to, size_t room)
{
	ssize_t n;

	do
		n = read(fd, to, room);
	while (n < 0 && errno == EINTR);
	return n;
}

int file_read(int dirfd, const char *path, struct buf *ret, struct err *e)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char part[4096];
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	while (r == 0 && (n = read_some(fd, part, sizeof(part))) != 0) {
		if (n < 0)
			r = err_sys(e, "read %s", path);
		else if (buf_add(ret, part, (size_t)n, e) < 0)
			r = err_add(e, "read %s", path);
	}
	explicit_bzero(part, sizeof(part));
	return r;
}

int file_read_secret(int dirfd, const char *path, size_t max, struct secret *ret, struct err *e)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_secret_ struct secret s = {0};
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (secret_alloc(&s, max + 1, e) < 0)
		return err_add(e, "read %s", path);
	while (used <= max && (n = read_some(fd, s.data + used, max + 1 - used)) != 0) {
		if (n < 0)
			return err_sys(e, "read %s", path);
		used += (size_t)n;
	}
	if (used > max)
		return err_set(e, ERR_EXHAUSTED, "%s has more than %zu bytes", path, max);
	s.len = used;
	*ret = s;
	s = (struct secret){0};
	return 0;
}

int file_write_all(int fd, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
