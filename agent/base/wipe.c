/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Wipe on free for the whole program, the libraries it is linked with included: json-c, libcurl and OpenSSL leave copies of what they
 * read on the heap. Interposes free and realloc of a dynamic build; left out under sanitizers, which have their own.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void __libc_free(void *p);
void *__libc_malloc(size_t size);

void free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
}

void *realloc(void *p, size_t size)
{
	size_t had;
	void *moved;

	if (!p)
		return __libc_malloc(size);
	if (!size) {
		free(p);
		return NULL;
	}
	had = malloc_usable_size(p);
	if (size <= had && size > had / 2)
		return p;
	moved = __libc_malloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, p, had < size ? had : size);
	free(p);
	return moved;
}
