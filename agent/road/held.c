/* SPDX-License-Identifier: Apache-2.0 */
/* A Secret that waits for the answer of a review: held, because what it was asked about is what is published. */
#include "road/binding.h"

#include <string.h>

static size_t size_of(const struct secret_object *secret)
{
	return content_size(&secret->data) + strlen(secret->allow_accounts);
}

void supply_drop_held(struct supply *s)
{
	if (!s->held)
		return;
	s->road->held_bytes -= size_of(s->held);
	content_done(&s->held->data);
	free(TAKE(s->held));
}

static int copy_files(struct content *to, const struct content *from, struct err *e)
{
	for (size_t i = 0; i < from->count; i++)
		if (content_add(to, from->files[i].name, from->files[i].bytes.data,
				from->files[i].bytes.len, e) < 0)
			return -1;
	return 0;
}

void supply_hold(struct supply *s, const struct secret_object *secret)
{
	size_t names_bytes = strlen(secret->allow_accounts) + 1;
	struct secret_object *held;
	struct err e;

	s->reviews++;
	if (secret == s->held)
		return;
	supply_drop_held(s);
	/* Without memory to hold it, it is read again. */
	if (size_of(secret) > LIMIT_HELD - s->road->held_bytes)
		return;
	/* Its names stand behind it: another account is asked about by what is held, too. */
	held = malloc(sizeof(*held) + names_bytes);
	if (!held)
		return;
	*held = *secret;
	held->data = (struct content){0};
	held->allow_accounts = memcpy(held + 1, secret->allow_accounts, names_bytes);
	if (copy_files(&held->data, &secret->data, &e) < 0) {
		content_done(&held->data);
		free(held);
		return;
	}
	s->held = held;
	s->road->held_bytes += size_of(held);
}

void supply_release(struct supply *s)
{
	if (s->reviews && --s->reviews == 0)
		supply_drop_held(s);
}

bool supply_offer_held(struct supply *s, struct binding *b)
{
	struct offer offer = {.secret = s->held, .verdict = &s->verdict, .reset = s->reset};

	/* A newer version was judged since: that one is to be read. */
	if (!s->held || strcmp(s->held->resource_version, s->high_rv) != 0)
		return false;
	binding_offer(b, &offer);
	return true;
}
