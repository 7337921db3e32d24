/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>

static size_t whole_pages(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page;
}

int secret_alloc(struct secret *s, size_t len, struct err *e)
{
	size_t room;
	void *p;

	if (len > SIZE_MAX / 2)
		return err_set(e, ERR_EXHAUSTED, "secret memory of %zu bytes", len);
	room = whole_pages(len ? len : 1);
	p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "secret memory of %zu bytes", len);
	/* Best effort: an unprivileged process has a small RLIMIT_MEMLOCK, and no swap is the usual
	 * node. */
	(void)mlock(p, room);
	(void)madvise(p, room, MADV_DONTDUMP);
	s->data = p;
	s->len = len;
	s->room = room;
	return 0;
}

int secret_copy(struct secret *s, const void *from, size_t len, struct err *e)
{
	if (secret_alloc(s, len, e) < 0)
		return -1;
	if (len)
		memcpy(s->data, from, len);
	return 0;
}

void secret_done(struct secret *s)
{
	if (s->data) {
		explicit_bzero(s->data, s->room);
		munmap(s->data, s->room);
	}
	s->data = NULL;
	s->len = 0;
	s->room = 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	uint8_t diff = 0;

	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		diff = (uint8_t)(diff | (a->data[i] ^ b->data[i]));
	return diff == 0;
}
