/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which objects a LIST + WATCH has told of, so that those that a relist no longer has can be said to
 * be gone: names only. For the files of k8s/ alone.
 */

#include "base/limits.h"
#include "k8s/json.h"

struct known;

int known_new(struct known **ret, struct err *e) _must_check_;
struct known *known_free(struct known *k);

/* A relist begins: what is not seen again until known_take_unseen is unseen. */
void known_begin(struct known *k);

/* Errors: INVALID (no usable uid or name), EXHAUSTED (more than LIMIT_WATCH_OBJECTS). */
int known_see(struct known *k, const struct json *object, struct err *e) _must_check_;
void known_forget(struct known *k, const struct json *object);

/* Forgets one that was not seen since known_begin, and gives {"metadata": {namespace, name, uid}} of
 * it, owned by the caller; NULL when there is none. */
struct json *known_take_unseen(struct known *k);
