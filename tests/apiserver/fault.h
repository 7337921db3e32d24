/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Faults by order. A fault is a JSON object: which requests it meets, and what becomes of them. The
 * README beside this file lists its members. Faults are tried in the order in which they came; the
 * first that fits is taken, and is gone after its number of times.
 */

#include "tests/apiserver/failure.h"
#include "tests/apiserver/wire.h"

struct faults;

/* A request, as faults look at it. */
struct fault_request {
	const char *method;
	const char *verb;
	const char *target;
	const char *user;
};

struct faults *faults_new(void);
struct faults *faults_free(struct faults *f);

/* Takes a reference of its own. Errors: INVALID for an unknown member or a bad pattern. */
int faults_add(struct faults *f, struct json_object *object, struct err *e);
void faults_clear(struct faults *f);
size_t faults_count(const struct faults *f);

/* The fault that meets this request, with a reference for the caller; NULL when there is none. */
struct json_object *faults_take(struct faults *f, const struct fault_request *request);

/* How the answer leaves. */
struct wire_plan fault_plan(struct json_object *fault);
enum wire_end fault_end(struct json_object *fault, const char *key);

/* Spoils the text of one object or event in place; nothing when the fault does not say so. */
void fault_corrupt(struct json_object *fault, struct evbuffer *text);
