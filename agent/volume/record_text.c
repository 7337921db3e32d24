/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/record_text.h"

#include "base/text.h"
#include "volume/fingerprint.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <string.h>

#define FIRST_LINE "certhup-record 1\n"

enum type {
	STRING,
	GENERATION,
	FINGERPRINT,
	I64,
	U64,
	I32,
	U32
};

struct field {
	const char *name;
	enum type type;
	size_t offset;
	size_t size;
};

#define FIELD(member, type)                                                                        \
	{                                                                                          \
#member, type, offsetof(struct record, member),                                    \
		    sizeof(((struct record *)NULL)->member)                                        \
	}

static const struct field fields[] = {
    FIELD(ref.pod_uid, STRING),
    FIELD(ref.name, STRING),
    FIELD(pod_namespace, STRING),
    FIELD(pod_name, STRING),
    FIELD(secret, STRING),
    FIELD(secret_uid, STRING),
    FIELD(resource_version, STRING),
    FIELD(content, FINGERPRINT),
    FIELD(leaf, FINGERPRINT),
    FIELD(not_after_s, I64),
    FIELD(generation, GENERATION),
    FIELD(previous, GENERATION),
    FIELD(previous_content, FINGERPRINT),
    FIELD(previous_leaf, FINGERPRINT),
    FIELD(previous_not_after_s, I64),
    FIELD(owner.uid, U32),
    FIELD(owner.gid, U32),
    FIELD(owner.mode, U32),
    FIELD(bytes, U64),
    FIELD(signalled_wall_ms, I64),
    FIELD(owed_signal, I32),
    FIELD(quarantine_rv, STRING),
    FIELD(quarantine_content, FINGERPRINT),
};

/* A string of a record is a name or a number: graphic ASCII. */
static bool string_ok(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	if (len == size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return true;
}

static int put(const struct field *f, const struct record *r, struct buf *to, struct err *e)
{
	const char *at = (const char *)r + f->offset;
	char hex[FINGERPRINT_HEX];

	switch (f->type) {
	case STRING:
	case GENERATION:
		if (!string_ok(at, f->size))
			return err_set(e, ERR_INVALID, "record: %s is not a plain string", f->name);
		return buf_printf(to, e, "%s %s\n", f->name, at);
	case FINGERPRINT:
		fingerprint_hex((const struct fingerprint *)(const void *)at, hex);
		return buf_printf(to, e, "%s %s\n", f->name, hex);
	case I64:
		return buf_printf(to, e, "%s %" PRId64 "\n", f->name,
				  *(const int64_t *)(const void *)at);
	case U64:
		return buf_printf(to, e, "%s %" PRIu64 "\n", f->name,
				  *(const uint64_t *)(const void *)at);
	case I32:
		return buf_printf(to, e, "%s %" PRId32 "\n", f->name,
				  *(const int32_t *)(const void *)at);
	case U32:
	default:
		return buf_printf(to, e, "%s %" PRIu32 "\n", f->name,
				  *(const uint32_t *)(const void *)at);
	}
}

static void checksum(const char *text, size_t len, char ret_hex[static FINGERPRINT_HEX])
{
	struct fingerprint f;

	volume_hash(text, len, &f);
	fingerprint_hex(&f, ret_hex);
}

int record_to_text(const struct record *r, struct buf *to, struct err *e)
{
	char hex[FINGERPRINT_HEX];

	if (buf_add_str(to, FIRST_LINE, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (put(&fields[i], r, to, e) < 0)
			return -1;
	checksum(buf_str(to), to->len, hex);
	return buf_printf(to, e, "sha256 %s\n", hex);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_fingerprint(const char *s, struct fingerprint *ret)
{
	if (strlen(s) != FINGERPRINT_HEX - 1)
		return false;
	for (size_t i = 0; i < FINGERPRINT_SIZE; i++) {
		int high = hex_digit(s[2 * i]);
		int low = hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool get_signed(const char *s, uint64_t max, int64_t *ret)
{
	bool negative = s[0] == '-';
	uint64_t number;

	if (text_parse_u64(s + negative, 0, max, &number) < 0)
		return false;
	*ret = negative ? -(int64_t)number : (int64_t)number;
	return true;
}

static bool get(const struct field *f, const char *value, struct record *to)
{
	char *at = (char *)to + f->offset;
	uint64_t number;
	int64_t sign;

	switch (f->type) {
	case STRING:
	case GENERATION:
		return (f->type == STRING || !value[0] || volume_generation_ok(value)) &&
		       text_copy(at, f->size, value) == 0 && string_ok(at, f->size);
	case FINGERPRINT:
		return get_fingerprint(value, (struct fingerprint *)(void *)at);
	case I64:
		return get_signed(value, INT64_MAX, (int64_t *)(void *)at);
	case I32:
		if (!get_signed(value, INT32_MAX, &sign))
			return false;
		*(int32_t *)(void *)at = (int32_t)sign;
		return true;
	case U64:
		return text_parse_u64(value, 0, UINT64_MAX, (uint64_t *)(void *)at) == 0;
	case U32:
	default:
		if (text_parse_u64(value, 0, UINT32_MAX, &number) < 0)
			return false;
		*(uint32_t *)(void *)at = (uint32_t)number;
		return true;
	}
}

/* Cuts the next line off; NULL when there is no whole one. */
static char *next_line(char **rest)
{
	char *line = *rest;
	char *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*rest = end + 1;
	return line;
}

/* The value of the line that has to have this name. */
static const char *next_value(char **rest, const char *name)
{
	size_t len = strlen(name);
	const char *line = next_line(rest);

	return line && strncmp(line, name, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

static int damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "damaged record: %s", what);
}

int record_from_text(const char *text, size_t len, struct record *ret, struct err *e)
{
	static const char sum_name[] = "\nsha256 ";
	char copy[LIMIT_RECORD + 1];
	char hex[FINGERPRINT_HEX];
	const char *value, *sum;
	char *rest = copy;
	struct record r = {0};

	if (len > LIMIT_RECORD || memchr(text, '\0', len))
		return damaged(e, "not text");
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strncmp(copy, FIRST_LINE, strlen(FIRST_LINE)) != 0)
		return damaged(e, "not a record of this version");
	sum = strstr(copy, sum_name);
	if (!sum)
		return damaged(e, "it is cut off");
	checksum(copy, (size_t)(sum - copy) + 1, hex);
	(void)next_line(&rest);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		value = next_value(&rest, fields[i].name);
		if (!value || !get(&fields[i], value, &r))
			return damaged(e, fields[i].name);
	}
	value = next_value(&rest, "sha256");
	if (!value || strcmp(value, hex) != 0 || *rest)
		return damaged(e, "its checksum is wrong");
	if (!volume_ref_ok(&r.ref) || r.owner.mode > 0777)
		return damaged(e, "values that cannot be");
	*ret = r;
	return 0;
}
