/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Text that leaves the program, or comes into it, in the forms that several folders need: JSON
 * strings, numbers, durations, hex. Bounded and without locale.
 */

#include "base/buf.h"

/*
 * Appends a JSON string with its quotes. Control characters (C0, DEL and C1, which some terminals
 * obey), quotes and backslashes are escaped; bytes that are not UTF-8 become U+FFFD; so a hostile name cannot break a line, a
 * terminal or a parser.
 */
int text_json_string(struct buf *b, const char *s, size_t len, struct err *e) _must_check_;

/* Length of the well-formed UTF-8 sequence at text (RFC 3629), 1 to 4; 0 when there is none. len is
 * not 0. */
size_t text_utf8_length(const char *text, size_t len);

/* True when the bytes are well-formed UTF-8 without NUL. */
bool text_is_utf8(const char *s, size_t len);

/* Decimal digits only, within min..max. Returns -1 otherwise and leaves the result alone. */
int text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret) _must_check_;

/*
 * A duration as Go writes them: "1h30m", "250ms", "0", "1.5s"; units ms, s, m, h. Milliseconds.
 * Returns -1 for anything else, for negatives and beyond max_ms.
 */
int text_parse_duration(const char *s, int64_t max_ms, int64_t *ret_ms) _must_check_;

/*
 * The mode of files that hold a key, in octal, with or without the leading 0: only the owner may write, and nobody runs it.
 * Returns -1 for what is not among them.
 */
#define TEXT_MODES "0400, 0440, 0444, 0600, 0640, 0644"
int text_parse_mode(const char *s, uint32_t *ret) _must_check_;

#define TEXT_DURATION 32
/* "1h30m", "5s", "250ms", "0s". */
void text_duration(int64_t ms, char ret_text[static TEXT_DURATION]);

/* Copies a string into an array of the given size. Returns -1 when it does not fit (nothing is
 * copied then). */
int text_copy(char *to, size_t size, const char *from) _must_check_;

/*
 * Compares two resourceVersions: decimal strings of any length, longer is larger, else bytewise.
 * Returns <0, 0, >0. text_is_rv tells whether it may be asked.
 */
int text_compare_rv(const char *a, const char *b);
bool text_is_rv(const char *s);

/* Letters as of a DNS name, RFC 1123: what a name of most objects of the API is made of. Its length is not looked at. */
bool text_is_dns(const char *s);

/* FNV-1a, going on from h (0 to begin). Tells texts apart; not for hostile collisions. */
uint64_t text_hash(uint64_t h, const char *s);
