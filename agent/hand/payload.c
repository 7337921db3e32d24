/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/payload.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAYLOAD_MAGIC 0x6370616cu
#define PAYLOAD_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct payload_header {
	uint32_t magic;
	uint32_t count;
	struct {
		uint32_t name_len; /* without a NUL */
		uint32_t bytes_len;
	} files
	    [LIMIT_FILES]; /* those from count on are zero; names and bytes follow in this order */
};

static int make_memfd(int *ret_fd, struct err *e)
{
	/* Older kernels do not know NOEXEC_SEAL; there the seals below are all there is. */
	int fd = memfd_create("certhup", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x0008u);

	if (fd < 0)
		fd = memfd_create("certhup", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_sys(e, "make a memfd");
	*ret_fd = fd;
	return 0;
}

static int put(int fd, const void *data, size_t len, off_t *at, struct err *e)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, *at);

		if (n < 0)
			return err_sys(e, "write a payload");
		p += n;
		*at += n;
		len -= (size_t)n;
	}
	return 0;
}

int payload_write(const struct content *c, int *ret_fd, struct err *e)
{
	struct payload_header h = {.magic = PAYLOAD_MAGIC, .count = (uint32_t)c->count};
	_cleanup_close_ int fd = -1;
	off_t at = 0;

	for (size_t i = 0; i < c->count; i++) {
		h.files[i].name_len = (uint32_t)strlen(c->files[i].name);
		h.files[i].bytes_len = (uint32_t)c->files[i].bytes.len;
	}
	if (make_memfd(&fd, e) < 0 || put(fd, &h, sizeof(h), &at, e) < 0)
		return -1;
	for (size_t i = 0; i < c->count; i++) {
		const struct content_file *f = &c->files[i];

		if (put(fd, f->name, strlen(f->name), &at, e) < 0 ||
		    put(fd, f->bytes.data, f->bytes.len, &at, e) < 0)
			return -1;
	}
	if (fcntl(fd, F_ADD_SEALS, PAYLOAD_SEALS) < 0)
		return err_sys(e, "seal a payload");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The header, when its claims add up to the size of the file. */
static int read_header(int fd, struct payload_header *ret, size_t *ret_size, struct err *e)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	uint64_t sum = sizeof(*ret);

	if (seals < 0 || (seals & PAYLOAD_SEALS) != PAYLOAD_SEALS)
		return err_set(e, ERR_INVALID, "a payload is not a sealed memfd");
	if (fstat(fd, &st) < 0)
		return err_sys(e, "payload");
	if (pread(fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret) ||
	    ret->magic != PAYLOAD_MAGIC || ret->count > LIMIT_FILES)
		return err_set(e, ERR_INVALID, "a payload has no header");
	for (size_t i = 0; i < LIMIT_FILES; i++) {
		uint32_t name = ret->files[i].name_len;
		uint32_t bytes = ret->files[i].bytes_len;

		if (i < ret->count ? name == 0 || name > LIMIT_FILE_NAME || bytes > LIMIT_CONTENT
				   : name != 0 || bytes != 0)
			return err_set(e, ERR_INVALID, "a payload's header has a wrong length");
		sum += name + (uint64_t)bytes;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size != sum)
		return err_set(e, ERR_INVALID, "a payload is not as long as its header says");
	*ret_size = (size_t)sum;
	return 0;
}

int payload_measure(int fd, uint64_t *ret_bytes, struct err *e)
{
	struct payload_header h = {0};
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t size = 0;

	if (read_header(fd, &h, &size, e) < 0)
		return -1;
	*ret_bytes = 0;
	for (size_t i = 0; i < h.count; i++)
		*ret_bytes += (h.files[i].bytes_len + page - 1) / page * page;
	return 0;
}

static int take_files(const struct payload_header *h, const uint8_t *at, struct content *c,
		      struct err *e)
{
	for (size_t i = 0; i < h->count; i++) {
		char name[LIMIT_FILE_NAME + 1] = "";
		size_t name_len = h->files[i].name_len;

		memcpy(name, at, name_len);
		if (strlen(name) != name_len)
			return err_set(e, ERR_INVALID, "a payload has a NUL in a name");
		at += name_len;
		if (content_add(c, name, at, h->files[i].bytes_len, e) < 0)
			return -1;
		at += h->files[i].bytes_len;
	}
	return 0;
}

int payload_read(int fd, struct content *ret, struct err *e)
{
	_cleanup_content_ struct content c = {0};
	struct payload_header h = {0};
	size_t size = 0;
	void *map;
	int r;

	if (read_header(fd, &h, &size, e) < 0)
		return -1;
	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "map a payload");
	(void)mlock(map, size);
	(void)madvise(map, size, MADV_DONTDUMP);
	r = take_files(&h, (const uint8_t *)map + sizeof(h), &c, e);
	munmap(map, size);
	if (r < 0)
		return -1;
	*ret = c;
	c.count = 0; /* moved */
	return 0;
}
