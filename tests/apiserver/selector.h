/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Label and field selectors, as the query of a LIST or WATCH has them.
 */

#include "tests/apiserver/failure.h"
#include "tests/apiserver/resource.h"

#define SELECTOR_TERMS 16

enum selector_operator {
	SELECT_IN,     /* a=b, a in (b,c) */
	SELECT_NOT_IN, /* a!=b, a notin (b,c): also true without a */
	SELECT_EXISTS, /* a */
	SELECT_ABSENT  /* !a */
};

struct selector_term {
	char *key; /* owned */
	enum selector_operator how;
	char *values; /* owned: each ended by a comma, "b,c," */
};

struct selector {
	struct selector_term terms[SELECTOR_TERMS];
	size_t count;
};

void selector_done(struct selector *s);

/* text may be NULL: everything is selected. */
int selector_parse_labels(const char *text, struct selector *ret, struct failure *f);
/* Refuses members that the resource cannot be selected by. */
int selector_parse_fields(const struct resource *r, const char *text, struct selector *ret,
			  struct failure *f);

bool selector_takes_labels(const struct selector *s, struct json_object *stored);
/* shown: the object as the resource shows it, whose members the selector names. */
bool selector_takes_fields(const struct selector *s, struct json_object *shown);

/* The name that metadata.name= asks for, or NULL. Borrowed. */
const char *selector_name(const struct selector *s, char *ret, size_t size);
