/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Wipe on free for the whole program, the libraries it is linked with included: json-c, libcurl and
 * OpenSSL leave copies of what they read on the heap. Interposes free and realloc of a dynamically
 * linked program; in a static one they are renamed by the build and called by -Wl,--wrap. Left out
 * under sanitizers, which bring their own. What is never freed, registers and the stack are not its
 * business.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own, below the names that are interposed here. */
void __libc_free(void *ptr);
void *__libc_malloc(size_t size);

void free(void *ptr)
{
	if (!ptr)
		return;
	explicit_bzero(ptr, malloc_usable_size(ptr));
	__libc_free(ptr);
}

/* glibc's realloc may move and leave a copy behind, so moving is done by hand. */
void *realloc(void *ptr, size_t size)
{
	size_t had;
	void *moved;

	if (!ptr)
		return __libc_malloc(size);
	if (!size) {
		free(ptr);
		return NULL;
	}
	had = malloc_usable_size(ptr);
	if (size <= had && size > had / 2)
		return ptr;
	moved = __libc_malloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, ptr, had < size ? had : size);
	free(ptr);
	return moved;
}
