/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "base/log.h"
#include "base/text.h"
#include "cert/fingerprint.h"
#include "report/counts.h"

#include <string.h>

static bool depends_on_time(const struct gate_verdict *v, int64_t wall_s)
{
	return v->reason == REASON_EXPIRED || v->reason == REASON_NOT_YET_VALID ||
	       (v->reason == REASON_NONE && v->leaf.not_after_s <= wall_s);
}

/* The fingerprint comes first: what was judged already is not parsed again, unless the clock changed the verdict. */
static int judge(struct supply *s, struct secret_object *secret, struct err *e)
{
	struct gate_context context = {
	    .wall_ms = clock_wall_ms(s->road->clock),
	    .temporary = secret->temporary,
	    .next_key = secret->next_key,
	    .allow_ca = secret->allow_ca,
	};
	struct fingerprint f;

	if (secret->flaw != REASON_NONE) {
		s->judged = (struct fingerprint){0};
		s->verdict = (struct gate_verdict){.reason = secret->flaw};
		snprintf(s->verdict.detail, sizeof(s->verdict.detail), "%s", secret->detail);
		return 0;
	}
	if (cert_content_fingerprint(&secret->data, &f, e) < 0)
		return -1;
	if (fingerprint_equal(&f, &s->judged) && s->judged_ca == context.allow_ca &&
	    s->judged_temporary == context.temporary && s->judged_next == context.next_key &&
	    !depends_on_time(&s->verdict, context.wall_ms / 1000))
		return 0;
	s->judged = (struct fingerprint){0};
	if (gate_judge(s->road->gate, &secret->data, &context, &s->verdict, e) < 0)
		return -1;
	s->judged = f;
	s->judged_ca = context.allow_ca;
	s->judged_temporary = context.temporary;
	s->judged_next = context.next_key;
	return 0;
}

static void prove_reset(void *arg)
{
	supply_read_again(arg);
}

/* A lower resourceVersion of the same uid: two reads, LIMIT_RV_RESET_MS apart, must both show it. True when proven. */
static bool reset_is_proven(struct supply *s, const struct secret_object *secret, bool was_read)
{
	const struct road_ops *ops = s->road->ops;
	int64_t now = road_now(s->road);

	if (!was_read) {
		s->low_ms = -1;
		supply_read_again(s);
		return false;
	}
	if (s->low_ms < 0) {
		s->low_ms = now;
		ops->timer_set(s->timer, LIMIT_RV_RESET_MS);
		return false;
	}
	if (now - s->low_ms < LIMIT_RV_RESET_MS)
		return false;
	log_warn("secret.reset", L_STR(LOG_NAMESPACE, s->namespace_), L_STR(LOG_SECRET, s->name),
		 L_STR(LOG_RESOURCE_VERSION, secret->resource_version));
	return true;
}

/* False: this version is older than one that was seen, and may not be published (principle 3). */
static bool in_order(struct supply *s, const struct secret_object *secret, bool was_read)
{
	bool lower = strcmp(s->high_uid, secret->uid) == 0 && s->high_rv[0] &&
		     text_compare_rv(secret->resource_version, s->high_rv) < 0;

	if (lower && !reset_is_proven(s, secret, was_read))
		return false;
	s->reset = lower || (s->reset && strcmp(s->high_uid, secret->uid) == 0);
	s->low_ms = -1;
	memcpy(s->high_uid, secret->uid, sizeof(s->high_uid));
	memcpy(s->high_rv, secret->resource_version, sizeof(s->high_rv));
	return true;
}

static void count_dates(const struct supply *s)
{
	if (s->verdict.leaf.not_after_s == 0)
		return;
	metric_set(&count_not_after, (double)s->verdict.leaf.not_after_s,
		   M_LABELS(s->namespace_, s->name, "secret"));
	metric_set(&count_not_before, (double)s->verdict.leaf.not_before_s,
		   M_LABELS(s->namespace_, s->name));
}

static void count_oldest(const struct supply *s, const char *of, int64_t not_after_s)
{
	if (not_after_s == INT64_MAX)
		metric_remove(&count_not_after, M_LABELS(s->namespace_, s->name, of));
	else
		metric_set(&count_not_after, (double)not_after_s,
			   M_LABELS(s->namespace_, s->name, of));
}

void supply_count_volumes(const struct supply *s)
{
	int64_t file = INT64_MAX;
	int64_t served = INT64_MAX;
	const struct binding *b;

	LIST_FOREACH (b, &s->bindings, in_supply) {
		/* Its files may still be of the Secret that the pod named before. */
		if (b->has_record && strcmp(b->record.secret, s->name) == 0 &&
		    b->record.not_after_s < file)
			file = b->record.not_after_s;
		if (b->served_not_after_s && b->served_not_after_s < served)
			served = b->served_not_after_s;
	}
	count_oldest(s, "file", file);
	count_oldest(s, "served", served);
}

static void tell_reset(const struct supply *s, const struct secret_object *secret)
{
	const struct binding *b;

	LIST_FOREACH (b, &s->bindings, in_supply)
		binding_event(b, EVENT_RV_RESET,
			      "Secret %s has resourceVersion %s, lower than before, in two reads "
			      "10 s apart: the API server's data "
			      "was restored, and it is taken as it is now.",
			      s->name, secret->resource_version);
}

static void on_secret(void *arg, struct secret_object *secret)
{
	struct supply *s = arg;
	bool was_read = s->reading;
	bool was_reset = s->reset;
	struct offer offer = {.secret = secret, .verdict = &s->verdict};
	struct binding *b;
	struct err e;

	s->reading = false;
	s->told = true;
	trouble_over(s);
	if (!in_order(s, secret, was_read))
		return;
	if (judge(s, secret, &e) < 0) {
		err_add(&e, "Secret %s/%s", s->namespace_, s->name);
		trouble_tell(s, &e);
		return;
	}
	count_dates(s);
	if (s->reset && !was_reset)
		tell_reset(s, secret);
	offer.reset = s->reset;
	LIST_FOREACH (b, &s->bindings, in_supply)
		binding_offer(b, &offer);
}

static void on_absent(void *arg)
{
	struct supply *s = arg;
	struct binding *b;

	s->reading = false;
	s->told = true;
	trouble_over(s);
	metric_remove(&count_not_after, M_LABELS(s->namespace_, s->name, "secret"));
	LIST_FOREACH (b, &s->bindings, in_supply)
		binding_absent(b);
}

static void on_trouble(void *arg, const struct err *e)
{
	struct supply *s = arg;
	struct binding *b;

	s->reading = false;
	if (e) {
		trouble_tell(s, e);
		return;
	}
	trouble_over(s);
	/* What was wanted meanwhile could not be read. */
	LIST_FOREACH (b, &s->bindings, in_supply)
		binding_go_on(b);
}

static int open_source(struct supply *s, struct err *e)
{
	static const struct secret_source_callbacks callbacks = {
	    .on_secret = on_secret,
	    .on_absent = on_absent,
	    .on_trouble = on_trouble,
	};
	const struct road_ops *ops = s->road->ops;

	if (ops->timer_new(s->road->arg, prove_reset, s, &s->timer, e) < 0)
		return -1;
	return ops->secret_open(s->road->arg, s->namespace_, s->name, &callbacks, s, &s->source, e);
}

static void supply_free(struct supply *s)
{
	const struct road_ops *ops = s->road->ops;

	if (s->source)
		ops->secret_close(s->source);
	if (s->timer)
		ops->timer_free(s->timer);
	trouble_forget(s);
	supply_drop_held(s);
	supply_count_volumes(s);
	metric_remove(&count_not_after, M_LABELS(s->namespace_, s->name, "secret"));
	metric_remove(&count_not_before, M_LABELS(s->namespace_, s->name));
	free(s);
}

int supply_get(struct road *r, const char *namespace_, const char *name, struct supply **ret,
	       struct err *e)
{
	struct supply *s;

	LIST_FOREACH (s, &r->supplies, in_road)
		if (strcmp(s->namespace_, namespace_) == 0 && strcmp(s->name, name) == 0) {
			*ret = s;
			return 0;
		}
	if (r->supply_count == LIMIT_SECRETS)
		return err_set(e, ERR_EXHAUSTED, "more than %d Secrets on one node", LIMIT_SECRETS);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_sys(e, "Secret %s/%s", namespace_, name);
	s->road = r;
	s->low_ms = -1;
	LIST_INIT(&s->bindings);
	if (text_copy(s->namespace_, sizeof(s->namespace_), namespace_) < 0 ||
	    text_copy(s->name, sizeof(s->name), name) < 0) {
		free(s);
		return err_set(e, ERR_INVALID, "the name of Secret %.64s/%.64s is too long",
			       namespace_, name);
	}
	if (open_source(s, e) < 0) {
		supply_free(s);
		return -1;
	}
	LIST_INSERT_HEAD(&r->supplies, s, in_road);
	r->supply_count++;
	*ret = s;
	return 0;
}

void supply_join(struct supply *s, struct binding *b)
{
	LIST_INSERT_HEAD(&s->bindings, b, in_supply);
	b->supply = s;
	/* What the others were told already comes once more. */
	b->want = s->told;
}

void supply_leave(struct binding *b)
{
	struct supply *s = b->supply;

	if (!s)
		return;
	LIST_REMOVE(b, in_supply);
	b->supply = NULL;
	if (!LIST_EMPTY(&s->bindings)) {
		supply_count_volumes(s);
		return;
	}
	LIST_REMOVE(s, in_road);
	s->road->supply_count--;
	trouble_count(s->road);
	supply_free(s);
}

void supply_read_again(struct supply *s)
{
	struct err e;

	if (s->reading)
		return;
	s->reading = true;
	if (s->road->ops->secret_reread(s->source, &e) < 0) {
		s->reading = false;
		err_add(&e, "read Secret %s/%s again", s->namespace_, s->name);
		trouble_tell(s, &e);
	}
}

void supply_note(struct supply *s, const struct record *record)
{
	if (strcmp(s->name, record->secret) != 0 || !text_is_rv(record->resource_version))
		return;
	if (s->high_uid[0] && strcmp(s->high_uid, record->secret_uid) != 0)
		return;
	if (s->high_rv[0] && text_compare_rv(s->high_rv, record->resource_version) >= 0)
		return;
	memcpy(s->high_uid, record->secret_uid, sizeof(s->high_uid));
	memcpy(s->high_rv, record->resource_version, sizeof(s->high_rv));
}
