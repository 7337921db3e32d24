/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the road begin with: a world, some pairs, and a pod whose first pair is there. */

#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PLAIN ((const char *const[]){"secret=web", NULL})
#define SIGNALLED ((const char *const[]){"secret=web", "reload=signal:HUP", NULL})
#define PROVEN ((const char *const[]){"secret=web", "reload=signal:HUP", "probe=tls:8443", NULL})

struct scene {
	struct world w;
	struct pki pki;
	struct pki_pair pair[6];
};

static inline int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	pki_init(&s->pki);
	for (size_t i = 0; i < ARRAY_LEN(s->pair); i++)
		pki_issue(&s->pki, NULL, PKI_P256, &s->pair[i]);
	world_init(&s->w);
	*state = s;
	return 0;
}

static inline int tear_down(void **state)
{
	struct scene *s = *state;

	world_done(&s->w);
	for (size_t i = 0; i < ARRAY_LEN(s->pair); i++)
		pki_pair_done(&s->pair[i]);
	pki_done(&s->pki);
	free(s);
	return 0;
}

/* One pod whose first pair is delivered, and adopted where it is probed. */
static inline struct world_volume *deliver_first(struct scene *s, const char *const *attributes)
{
	world_put_pair(&s->w, "web", &s->pair[0], "100");
	world_hand_up(&s->w);
	world_pod(&s->w, 1, attributes);
	world_turn(&s->w, 60000);
	assert_true(world_volume(&s->w, 1)->has_record);
	return world_volume(&s->w, 1);
}

static inline bool holds(const struct world_volume *v, const struct pki_pair *pair)
{
	return fingerprint_equal(&v->record.leaf, &pair->leaf);
}
