/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a request failed with, and the Status object that says so. Functions of the stand-in return
 * 0, or -1 with a failure filled.
 * Source: metav1.Status.
 */

#include "tests/apiserver/gojson.h"

struct resource;

struct failure {
	int code;                   /* HTTP status */
	const char *reason;         /* static; NULL: none */
	char *message;              /* owned */
	struct json_object *object; /* owned: details, or NULL */
	const char *header_name;    /* one more header, static; NULL: none */
	char header_value[64];
	char *continue_token; /* owned; of a 410 on a page */
};

void failure_done(struct failure *f);
#define _cleanup_failure_ _cleanup_(failure_done)

/* Fills f and returns -1. */
int failure_set(struct failure *f, int code, const char *reason, const char *fmt, ...)
    _printf_(4, 5);

/* Adds details: each may be NULL. With all NULL the details are an empty object. Returns -1. */
int failure_details(struct failure *f, const char *name, const char *group, const char *kind);

/* Adds one cause to the details (an empty message or field is left out). Returns -1. */
int failure_cause(struct failure *f, const char *reason, const char *message, const char *field);

/* Adds details.retryAfterSeconds and the header Retry-After. Returns -1. */
int failure_retry_after(struct failure *f, int seconds);

/* Well-known ones. */
int failure_not_found(struct failure *f, const struct resource *r, const char *name);
int failure_bad_request(struct failure *f, const char *fmt, ...) _printf_(2, 3);
int failure_no_resource(struct failure *f); /* the group is known, its resource is not */
int failure_not_allowed(struct failure *f);
int failure_media_type(struct failure *f);
/* 410: what it was asked for is no longer there. */
int failure_expired(struct failure *f, const char *message);

/* The Status; the caller owns it. */
struct json_object *failure_status(const struct failure *f);
/* A Status without details, whose reason follows from the code. */
struct json_object *failure_plain_status(int code, const char *message);
