/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "report/counts.h"

/*
 * A Secret that cannot be read. Where the API server forbids it, one question more tells whether it is this Secret alone, or
 * whether nobody gave us any right in its namespace: then we may not ask about accounts there either.
 */

void trouble_count(const struct road *r)
{
	const struct supply *s;
	size_t up = 0;

	LIST_FOREACH (s, &r->supplies, in_road)
		up += !s->trouble[0];
	metric_set(&count_watch_up, r->supply_count ? (double)up / (double)r->supply_count : 1,
		   M_LABELS("secrets"));
}

/* e: what the API server said; NULL: we have no right at all in the namespace. */
static void tell(struct supply *s, const struct err *e)
{
	struct binding *b;

	LIST_FOREACH (b, &s->bindings, in_supply) {
		if (b->trouble_told)
			continue;
		b->trouble_told = true;
		if (e)
			binding_event(b, EVENT_SECRET_UNREADABLE, "%.900s", e->message);
		else
			binding_event(
			    b, EVENT_NAMESPACE_NOT_COVERED,
			    "certhup has no right in namespace %s, so Secret %s is not "
			    "delivered to volume %s: add the namespace to rbac.namespaces "
			    "of the chart, or bind a Role with get and watch on secrets "
			    "and create on localsubjectaccessreviews to certhup's "
			    "account.",
			    s->namespace_, s->name, b->spec.ref.name);
	}
}

static void on_covered(void *arg, bool allowed _unused_, const struct err *e)
{
	struct supply *s = arg;
	struct err *denied = TAKE(s->denied);

	s->cover = s->road->ops->review_cancel(s->cover);
	tell(s, e && e->kind == ERR_DENIED ? NULL : denied);
	free(denied);
}

/* Returns -1 when nobody can be asked. */
static int ask_cover(struct supply *s, const struct binding *b, const struct err *denied)
{
	const struct road_question question = {
	    .namespace_ = s->namespace_, .account = b->spec.account, .secret = s->name};
	struct err e;

	s->denied = malloc(sizeof(*s->denied));
	if (!s->denied)
		return -1;
	*s->denied = *denied;
	if (s->road->ops->review_start(s->road->arg, &question, on_covered, s, &s->cover, &e) == 0)
		return 0;
	free(TAKE(s->denied));
	return -1;
}

static struct binding *first_untold(struct supply *s)
{
	struct binding *b;

	LIST_FOREACH (b, &s->bindings, in_supply)
		if (!b->trouble_told)
			return b;
	return NULL;
}

void trouble_tell(struct supply *s, const struct err *e)
{
	struct binding *b = first_untold(s);

	snprintf(s->trouble, sizeof(s->trouble), "%.300s", e->message);
	trouble_count(s->road);
	if (!b || s->cover ||
	    (e->kind != ERR_DENIED && e->kind != ERR_INVALID && e->kind != ERR_EXHAUSTED))
		return;
	/* With an errno it is a file of ours, and no word of the server. */
	if (e->kind == ERR_DENIED && !e->sys && ask_cover(s, b, e) == 0)
		return;
	tell(s, e);
}

void trouble_forget(struct supply *s)
{
	if (s->cover)
		s->cover = s->road->ops->review_cancel(s->cover);
	free(TAKE(s->denied));
}

void trouble_over(struct supply *s)
{
	struct binding *b;

	s->trouble[0] = '\0';
	trouble_forget(s);
	trouble_count(s->road);
	LIST_FOREACH (b, &s->bindings, in_supply)
		b->trouble_told = false;
}
