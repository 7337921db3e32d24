/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A plain HTTPS client for tests that speak to the stand-in API server themselves. What goes wrong
 * in the client fails the test; what goes wrong on the wire is the answer.
 */

#include "tests/lib/standin.h"

#include <stddef.h>

#define HTTPS_HEADERS 8

struct https_request {
	const char *method;                 /* NULL: GET */
	const char *target;                 /* path and query */
	const char *token;                  /* NULL: the admin's; "": none */
	const char *headers[HTTPS_HEADERS]; /* "Name: value", NULL after the last */
	const char *body;                   /* NULL: none */
	size_t body_len;
};

struct https_answer {
	int code;      /* HTTP status; 0 when none came */
	char *headers; /* owned: all header lines of the answer */
	char *body;    /* owned; "" when there is none */
	size_t body_len;
	bool whole; /* it ended as HTTP says */
	int error;  /* libcurl's number when it did not */
};

void https_answer_done(struct https_answer *a);
#define _cleanup_https_ _cleanup_(https_answer_done)

/* Sends and waits up to 20 s for the end of the answer. */
void https_send(const struct standin *s, const struct https_request *r, struct https_answer *ret);

/* An answer that is read bit by bit. */
struct https_stream;

/* Returns at once; https_read goes on. */
struct https_stream *https_begin(const struct standin *s, const struct https_request *r);
/* Returns when the header of the answer is there. */
struct https_stream *https_open(const struct standin *s, const struct https_request *r);
/* Reads for a while, or until the body contains the text, or the end. True when it contains it. */
bool https_read(struct https_stream *s, const char *text, int timeout_ms);
/* What has come so far; borrowed. */
const struct https_answer *https_peek(const struct https_stream *s);
/* Reads to the end (at most 20 s) and gives the answer away. */
void https_close(struct https_stream *s, struct https_answer *ret);
/* Ends it now. */
void https_cancel(struct https_stream *s);

/* A header's value in an answer; NULL when it is not there. Free it. */
char *https_header(const struct https_answer *a, const char *name);
