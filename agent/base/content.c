/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/content.h"

#include <string.h>

void content_done(struct content *c)
{
	for (size_t i = 0; i < c->count; i++)
		secret_done(&c->files[i].bytes);
	c->count = 0;
}

bool content_name_ok(const char *name)
{
	size_t len = strnlen(name, LIMIT_FILE_NAME + 1);

	if (len == 0 || len > LIMIT_FILE_NAME || strcmp(name, ".") == 0 ||
	    strncmp(name, "..", 2) == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '.' || c == '_'))
			return false;
	}
	return true;
}

const struct content_file *content_find(const struct content *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->files[i].name, name) == 0)
			return &c->files[i];
	return NULL;
}

size_t content_size(const struct content *c)
{
	size_t sum = 0;

	for (size_t i = 0; i < c->count; i++)
		sum += c->files[i].bytes.len;
	return sum;
}

int content_add(struct content *c, const char *name, const void *bytes, size_t len, struct err *e)
{
	struct content_file *f = &c->files[c->count];

	if (!content_name_ok(name))
		return err_set(e, ERR_INVALID, "'%.64s' is not a file name that a volume may have",
			       name);
	if (content_find(c, name))
		return err_set(e, ERR_INVALID, "two files are named '%s'", name);
	if (c->count == LIMIT_FILES)
		return err_set(e, ERR_EXHAUSTED, "more than %d files", LIMIT_FILES);
	if (len > LIMIT_CONTENT || content_size(c) > LIMIT_CONTENT - len)
		return err_set(e, ERR_EXHAUSTED, "more than %d bytes in all", LIMIT_CONTENT);
	*f = (struct content_file){0};
	if (secret_copy(&f->bytes, bytes, len, e) < 0)
		return -1;
	memcpy(f->name, name, strlen(name) + 1);
	c->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct content_file *)a)->name,
		      ((const struct content_file *)b)->name);
}

void content_sort(struct content *c)
{
	qsort(c->files, c->count, sizeof(c->files[0]), by_name);
}

void content_digest(struct content *c, void (*update)(void *hash, const void *bytes, size_t len),
		    void *hash)
{
	content_sort(c);
	for (size_t i = 0; i < c->count; i++) {
		const struct content_file *f = &c->files[i];
		uint8_t length[8];

		for (int b = 0; b < 8; b++)
			length[b] = (uint8_t)((uint64_t)f->bytes.len >> (56 - 8 * b));
		update(hash, f->name, strlen(f->name) + 1);
		update(hash, length, sizeof(length));
		if (f->bytes.len)
			update(hash, f->bytes.data, f->bytes.len);
	}
}

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
	return memcmp(a->bytes, b->bytes, FINGERPRINT_SIZE) == 0;
}

bool fingerprint_is_set(const struct fingerprint *f)
{
	static const struct fingerprint none;

	return !fingerprint_equal(f, &none);
}

void fingerprint_hex(const struct fingerprint *f, char ret_hex[static FINGERPRINT_HEX])
{
	for (int i = 0; i < FINGERPRINT_SIZE; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", f->bytes[i]);
}
