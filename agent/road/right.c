/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>

static void tell_waiting(struct road *r, struct right *right, const struct err *e)
{
	struct binding *b;

	LIST_FOREACH (b, &r->bindings, in_road) {
		if (b->right != right)
			continue;
		b->right = NULL;
		if (right->allowed)
			binding_go_on(b);
		else
			binding_denied(b, right->until_ms, e);
		supply_release(b->supply);
	}
}

static void on_answer(void *arg, bool allowed, const struct err *e)
{
	struct right *right = arg;
	struct road *r = right->road;
	int64_t now = road_now(r);

	right->review = r->ops->review_cancel(right->review);
	right->allowed = allowed && !e;
	if (right->allowed) {
		right->until_ms = now + LIMIT_REVIEW_MS;
		backoff_init(&right->again, LIMIT_DENIED_MIN_MS, LIMIT_DENIED_MAX_MS, 0);
	} else if (e && err_meaning(e->kind)->may_retry) {
		/* It was not asked: that is no no. */
		right->until_ms = now + backoff_fail(&right->retry, now, r->ops->random(r->arg));
	} else {
		right->until_ms = now + backoff_fail(&right->again, now, 0);
	}
	if (!e)
		backoff_init(&right->retry, LIMIT_BACKOFF_MIN_MS, LIMIT_BACKOFF_MAX_MS, 0);
	if (e)
		log_warn("review.failed", L_STR(LOG_NAMESPACE, right->namespace_),
			 L_STR(LOG_SECRET, right->secret), L_ERR(e));
	tell_waiting(r, right, e);
}

static struct right *find(struct road *r, const struct binding *b)
{
	struct right *right;

	LIST_FOREACH (right, &r->rights, in_road)
		if (strcmp(right->namespace_, b->spec.pod_namespace) == 0 &&
		    strcmp(right->account, b->spec.account) == 0 &&
		    strcmp(right->secret, b->spec.attributes.secret) == 0)
			return right;
	return NULL;
}

static struct right *make(struct road *r, const struct binding *b)
{
	struct right *right = calloc(1, sizeof(*right));

	if (!right)
		return NULL;
	right->road = r;
	memcpy(right->namespace_, b->spec.pod_namespace, sizeof(right->namespace_));
	memcpy(right->account, b->spec.account, sizeof(right->account));
	memcpy(right->secret, b->spec.attributes.secret, sizeof(right->secret));
	backoff_init(&right->again, LIMIT_DENIED_MIN_MS, LIMIT_DENIED_MAX_MS, 0);
	backoff_init(&right->retry, LIMIT_BACKOFF_MIN_MS, LIMIT_BACKOFF_MAX_MS, 0);
	LIST_INSERT_HEAD(&r->rights, right, in_road);
	return right;
}

static int ask(struct right *right, struct err *e)
{
	const struct road_question question = {
	    .namespace_ = right->namespace_, .account = right->account, .secret = right->secret};

	if (right->review)
		return 0;
	return right->road->ops->review_start(right->road->arg, &question, on_answer, right,
					      &right->review, e);
}

/* A yes that is over says nothing. After a no the next question follows at once: one that was not asked belongs to nobody. */
static bool is_old(const struct right *right, int64_t now)
{
	int64_t kept_ms = right->until_ms + (right->allowed ? 0 : LIMIT_DENIED_MAX_MS);

	return !right->review && kept_ms <= now;
}

/* Old answers are dropped when a new one is made, so that their number follows the bindings'. */
static void drop_old(struct road *r)
{
	struct right *right = LIST_FIRST(&r->rights);
	int64_t now = road_now(r);

	while (right) {
		struct right *next = LIST_NEXT(right, in_road);

		if (is_old(right, now)) {
			LIST_REMOVE(right, in_road);
			free(right);
		}
		right = next;
	}
}

enum right_answer right_check(struct binding *b, const struct secret_object *secret,
			      int64_t *ret_until_ms)
{
	struct road *r = b->road;
	struct right *right = find(r, b);
	struct err e;

	if (secret_allows_account(secret->allow_accounts, b->spec.account))
		return RIGHT_YES;
	if (right && right->allowed && right->until_ms > road_now(r))
		return RIGHT_YES;
	/* A no holds until its time is over, but a Secret that changed is asked about at once. */
	if (right && !right->allowed && !right->review && right->until_ms > road_now(r) &&
	    strcmp(b->told_rv, secret->resource_version) == 0) {
		*ret_until_ms = right->until_ms;
		return RIGHT_NO;
	}
	if (!right) {
		drop_old(r);
		right = make(r, b);
	}
	if (!right || ask(right, &e) < 0)
		return RIGHT_UNKNOWN;
	b->right = right;
	return RIGHT_ASKED;
}

void right_leave(struct binding *b)
{
	if (!b->right)
		return;
	b->right = NULL;
	supply_release(b->supply);
}

void right_forget(struct road *r)
{
	while (!LIST_EMPTY(&r->rights)) {
		struct right *right = LIST_FIRST(&r->rights);

		LIST_REMOVE(right, in_road);
		if (right->review)
			r->ops->review_cancel(right->review);
		free(right);
	}
}
