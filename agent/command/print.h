/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What people read. Names come from pods and certificates: no control character and nothing that
 * turns the direction of text reaches a terminal raw.
 */

#include "base/buf.h"
#include "command/exits.h"

/* Appends text with such characters written as \xNN. */
int print_clean(struct buf *b, const char *text, struct err *e) _must_check_;

/* Writes to standard output. Returns code, or CODE_FAILURE when not all could be written. */
int print_out(const struct buf *b, int code);

/* How a command ends that has filled b: r as functions return it, e of it. Returns the exit code: code, or CODE_FAILURE. */
int print_end(int r, const struct buf *b, int code, const struct err *e);

/* "error: MESSAGE" on standard error, cleaned. Returns code. */
int complain(const struct err *e, int code);

/*
 * Appends rows in columns that are as wide as their widest cell, three spaces apart.
 *
 * cells  rows * columns strings, the titles first; borrowed; NULL is written as <none>
 */
int print_table(struct buf *b, const char *const *cells, size_t columns, size_t rows,
		struct err *e) _must_check_;

/* "  Subject:       CN=a\n" */
int print_field(struct buf *b, const char *name, const char *text, struct err *e) _must_check_;

/* A time for people: "2026-01-02T03:04:05Z (in 29d)". */
#define PRINT_WHEN 64
void print_when(int64_t at_s, int64_t now_s, char ret_text[static PRINT_WHEN]);
