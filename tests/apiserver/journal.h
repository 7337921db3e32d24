/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What clients sent, so that a test can say what must and must not have been sent. The first
 * 100,000 are kept.
 */

#include "tests/apiserver/gojson.h"

struct journal;

/* A request. Strings are borrowed. */
struct journal_request {
	int64_t at_ms;       /* CLOCK_BOOTTIME */
	uint64_t connection; /* a number of its own */
	const char *method;
	const char *target; /* path and query */
	const char *user;   /* NULL when the token was wrong */
	const char *agent;  /* NULL: none */
	const char *verb;   /* static */
	bool token;         /* an Authorization header was there */
};

/* Which requests; NULL and 0 take all. */
struct journal_filter {
	const char *verb; /* or the HTTP method */
	const char *path; /* a substring of the target */
	const char *user;
	int status;
	uint64_t after; /* numbers above it */
};

struct journal *journal_new(void);
struct journal *journal_free(struct journal *j);

/* Returns its number, from 1. */
uint64_t journal_add(struct journal *j, const struct journal_request *request);
void journal_status(struct journal *j, uint64_t number, int status);

size_t journal_count(const struct journal *j, const struct journal_filter *filter);
/* One line a request: number, ms, connection, method, verb, target, user, status, token or -. */
void journal_write(const struct journal *j, const struct journal_filter *filter,
		   struct evbuffer *out);
uint64_t journal_last(const struct journal *j);
