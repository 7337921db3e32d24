/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "base/log.h"
#include "base/text.h"
#include "cert/fingerprint.h"
#include "hand/payload.h"
#include "report/counts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Waits until then, and reads the Secret again. */
static void hold_until(struct binding *b, int64_t until_ms)
{
	b->want = true;
	b->hold_until_ms = until_ms;
	b->road->ops->timer_set(b->timer, until_ms - road_now(b->road));
}

static void retry_later(struct binding *b)
{
	int64_t now = road_now(b->road);

	hold_until(b, now + backoff_fail(&b->retry, now, b->road->ops->random(b->road->arg)));
}

void binding_go_on(struct binding *b)
{
	if (b->verify_due)
		binding_verify(b);
	if (!b->want || !b->road->hand_up || b->call || b->right || !b->supply)
		return;
	if (b->hold_until_ms > road_now(b->road)) {
		b->road->ops->timer_set(b->timer, b->hold_until_ms - road_now(b->road));
		return;
	}
	if (!supply_offer_held(b->supply, b))
		supply_read_again(b->supply);
}

/* Nothing but time mends this one, and no event will say so. */
static void wait_until_valid(struct binding *b, const struct offer *o)
{
	int64_t wait_ms = o->verdict->valid_from_s * SECOND_MS - clock_wall_ms(b->road->clock);

	b->too_early = true;
	if (wait_ms < MINUTE_MS)
		wait_ms = MINUTE_MS;
	hold_until(b, road_now(b->road) +
			  (wait_ms < LIMIT_NOT_YET_VALID_MS ? wait_ms : LIMIT_NOT_YET_VALID_MS));
}

static void reject(struct binding *b, const struct offer *o)
{
	const char *code = reason_code(o->verdict->reason);

	b->want = false;
	if (o->verdict->reason == REASON_NOT_YET_VALID)
		wait_until_valid(b, o);
	if (!binding_problem(b, "rejected (%s): %s. %s", code, o->verdict->detail,
			     reason_advice(o->verdict->reason)) &&
	    strcmp(b->told_rv, o->secret->resource_version) == 0)
		return;
	memcpy(b->told_rv, o->secret->resource_version, sizeof(b->told_rv));
	metric_add(&count_rejected, 1, M_LABELS(code));
	log_warn("certificate.rejected", L_STR(LOG_NAMESPACE, b->spec.pod_namespace),
		 L_STR(LOG_POD, b->spec.pod_name), L_STR(LOG_VOLUME, b->spec.ref.name),
		 L_STR(LOG_SECRET, b->spec.attributes.secret),
		 L_STR(LOG_RESOURCE_VERSION, o->secret->resource_version), L_STR(LOG_REASON, code));
	binding_event(
	    b, EVENT_REJECTED,
	    "Secret %s, resourceVersion %s, was not published to volume %s: %s: %s. %s %s",
	    b->spec.attributes.secret, o->secret->resource_version, b->spec.ref.name, code,
	    o->verdict->detail,
	    b->has_record ? "The last good pair stays." : "The volume stays empty.",
	    reason_advice(o->verdict->reason));
}

void binding_denied(struct binding *b, int64_t until_ms, const struct err *e)
{
	bool fresh;

	if (b->supply)
		memcpy(b->told_rv, b->supply->high_rv, sizeof(b->told_rv));
	if (e)
		fresh = binding_problem(
		    b, "could not ask whether ServiceAccount %s may get Secret %s: %.160s",
		    b->spec.account, b->spec.attributes.secret, e->message);
	else
		fresh = binding_problem(b, "ServiceAccount %s may not get Secret %s",
					b->spec.account, b->spec.attributes.secret);
	if (fresh && !e)
		binding_event(b, EVENT_SECRET_NOT_ALLOWED,
			      "ServiceAccount %s may not get Secret %s: allow it by a Role, or "
			      "name it in the Secret's "
			      "annotation certhup.io/allow-service-accounts. %s",
			      b->spec.account, b->spec.attributes.secret,
			      b->has_record ? "The files stay as they are."
					    : "The volume stays empty.");
	hold_until(b, until_ms);
	b->denied = true;
}

void binding_absent(struct binding *b)
{
	b->want = false;
	if (!binding_problem(b, "Secret %s is not there%s", b->spec.attributes.secret,
			     b->has_record ? "; the last good pair stays" : ""))
		return;
	if (b->spec.attributes.optional && !b->has_record)
		return;
	binding_event(b, EVENT_SECRET_NOT_FOUND, "Secret %s is not in namespace %s. %s",
		      b->spec.attributes.secret, b->spec.pod_namespace,
		      b->has_record ? "The last good pair stays; create the Secret again."
				    : "Volume waits for it; create the Secret, or correct the name "
				      "in certhup.io/volumes.");
}

static void count_latency(const struct binding *b, int64_t renamed_ms)
{
	if (b->news_ms >= 0 && !b->asked_to_wait && renamed_ms >= b->news_ms)
		metric_observe(&count_rotation_latency, (double)(renamed_ms - b->news_ms) / 1000,
			       NULL);
}

static void tell_rotated(struct binding *b, bool first)
{
	char hex[FINGERPRINT_HEX];
	char date[CLOCK_TEXT];
	const struct record *r = &b->record;

	fingerprint_hex(&r->leaf, hex);
	clock_text_s(r->not_after_s * 1000, date);
	log_info("certificate.published", L_STR(LOG_NAMESPACE, b->spec.pod_namespace),
		 L_STR(LOG_POD, b->spec.pod_name), L_STR(LOG_VOLUME, b->spec.ref.name),
		 L_STR(LOG_SECRET, r->secret), L_STR(LOG_RESOURCE_VERSION, r->resource_version),
		 L_STR(LOG_GENERATION, r->generation), L_STR(LOG_FINGERPRINT, hex),
		 L_STR(LOG_NOT_AFTER, date));
	binding_event(b, EVENT_ROTATED,
		      "%s Secret %s, resourceVersion %s, to volume %s: leaf %.16s, valid until %s",
		      first ? "Delivered" : "Rotated", r->secret, r->resource_version,
		      b->spec.ref.name, hex, date);
}

static void published(struct binding *b, const struct hand_reply *reply)
{
	bool first = !b->has_record;
	bool changed = reply->changed || b->half_done;

	b->half_done = false;
	count_latency(b, reply->renamed_mono_ms);
	b->record = reply->record;
	b->has_record = true;
	b->force = false;
	b->news_ms = -1;
	b->asked_to_wait = false;
	b->splay_done = false;
	b->published_ms = reply->renamed_mono_ms;
	backoff_init(&b->retry, LIMIT_HAND_CONNECT_MIN_MS, LIMIT_BACKOFF_MAX_MS, 0);
	binding_problem(b, "%s", "");
	metric_add(&count_rotations, 1, M_LABELS(changed ? "published" : "unchanged"));
	supply_count_volumes(b->supply);
	if (first)
		binding_watch_damage(b);
	if (!changed && !first) {
		if (!b->signal_due && b->state == BINDING_DELIVERED)
			binding_resume(b);
		return;
	}
	b->fresh = true;
	tell_rotated(b, first);
	binding_set_state(b, BINDING_DELIVERED);
	adoption_swapped(b);
}

static void not_published(struct binding *b, const struct err *e)
{
	bool fresh = binding_problem(b, "%.300s", e->message);

	/* The volume is being made, or the hand is away: that is no failure of anybody. */
	if (e->kind == ERR_UNAVAILABLE || e->kind == ERR_NOT_FOUND || e->kind == ERR_CANCELLED) {
		log_debug("volume.waits", L_STR(LOG_POD, b->spec.pod_name),
			  L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(e));
		retry_later(b);
		return;
	}
	metric_add(&count_rotations, 1, M_LABELS("failed"));
	log_error("volume.failed", L_STR(LOG_NAMESPACE, b->spec.pod_namespace),
		  L_STR(LOG_POD, b->spec.pod_name), L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(e));
	if (fresh)
		binding_event(b,
			      e->kind == ERR_EXHAUSTED && e->sys == 0 ? EVENT_BUDGET_EXCEEDED
								      : EVENT_VOLUME_NOT_WRITABLE,
			      "%.900s", e->message);
	retry_later(b);
}

static void on_published(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct binding *b = arg;

	b->call = NULL;
	if (reply->err.kind == ERR_NONE) {
		published(b, reply);
	} else {
		b->half_done = b->half_done || reply->changed;
		not_published(b, &reply->err);
	}
	reload_go_on(b);
	binding_go_on(b);
}

static int send_publish(struct binding *b, const struct offer *o, struct content *content,
			const struct fingerprint *fingerprint, struct err *e)
{
	struct hand_request rq = binding_request(b, HAND_PUBLISH);
	struct hand_publish *p = &rq.publish;
	int memfd = -1;

	memcpy(p->pod_namespace, b->spec.pod_namespace, sizeof(p->pod_namespace));
	memcpy(p->pod_name, b->spec.pod_name, sizeof(p->pod_name));
	memcpy(p->secret, b->spec.attributes.secret, sizeof(p->secret));
	memcpy(p->secret_uid, o->secret->uid, sizeof(p->secret_uid));
	memcpy(p->resource_version, o->secret->resource_version, sizeof(p->resource_version));
	p->content = *fingerprint;
	p->leaf = o->verdict->leaf.leaf;
	p->not_after_s = o->verdict->leaf.not_after_s;
	p->owner = b->spec.owner;
	p->owed_signal = binding_owes(b);
	p->allow_lower = o->reset;
	if (payload_write(content, &memfd, e) < 0)
		return -1;
	return b->road->ops->hand_send(b->road->arg, &rq, memfd, on_published, b, &b->call, e);
}

/* Principle 5 and splay: true when this version has to wait; it is read again then. */
static bool must_wait(struct binding *b)
{
	int64_t now = road_now(b->road);
	int64_t open_ms = siblings_swap_after(b);
	int64_t splay = b->spec.attributes.splay_ms;

	if (open_ms > now) {
		hold_until(b, open_ms);
		b->asked_to_wait = true;
		return true;
	}
	if (!b->has_record || !splay || b->splay_done)
		return false;
	b->splay_done = true;
	b->splay_until_ms = siblings_splay_until(b);
	if (!b->splay_until_ms)
		b->splay_until_ms =
		    now + (int64_t)((uint64_t)splay * b->road->ops->random(b->road->arg) >> 32);
	hold_until(b, b->splay_until_ms);
	b->asked_to_wait = true;
	return true;
}

/* True when the pod's account may; else the answer comes later, or never. */
static bool is_allowed(struct binding *b, const struct offer *o)
{
	int64_t until_ms;

	switch (right_check(b, o->secret, &until_ms)) {
	case RIGHT_YES:
		return true;
	case RIGHT_ASKED:
		b->want = true;
		supply_hold(b->supply, o->secret);
		return false;
	case RIGHT_NO:
		hold_until(b, until_ms);
		b->denied = true;
		return false;
	case RIGHT_UNKNOWN:
		break;
	}
	retry_later(b);
	return false;
}

/* True when this content is what is there, or what was rolled back from. */
static bool is_known(struct binding *b, const struct fingerprint *f)
{
	if (b->has_record && !b->force && fingerprint_equal(f, &b->record.content)) {
		b->want = false;
		b->news_ms = -1;
		b->asked_to_wait = false;
		b->splay_done = false;
		b->hold_until_ms = 0;
		binding_problem(b, "%s", "");
		return true;
	}
	if (b->has_record && b->record.quarantine_rv[0] &&
	    fingerprint_equal(f, &b->record.quarantine_content)) {
		b->want = false;
		binding_problem(b,
				"rolled back from resourceVersion %s, on which the server broke; "
				"issue a new certificate",
				b->record.quarantine_rv);
		return true;
	}
	return false;
}

void binding_offer(struct binding *b, const struct offer *o)
{
	_cleanup_content_ struct content content = {0};
	struct fingerprint f;
	struct err e;

	if (b->news_ms < 0 || !b->want)
		b->news_ms = o->secret->read_ms;
	b->want = true;
	if (!b->road->hand_up || !b->adopted_record || b->call || b->right)
		return;
	if (b->too_early)
		b->hold_until_ms = 0;
	b->too_early = false;
	if (o->verdict->reason != REASON_NONE) {
		reject(b, o);
		return;
	}
	if (outputs_build(&b->spec.attributes.outputs, b->road->gate, &o->secret->data, &content,
			  &e) < 0 ||
	    cert_content_fingerprint(&content, &f, &e) < 0) {
		b->want = false;
		err_add(&e, "Secret %s", b->spec.attributes.secret);
		if (binding_problem(b, "%.300s", e.message))
			binding_event(b, EVENT_REJECTED, "%.900s", e.message);
		return;
	}
	if (is_known(b, &f))
		return;
	if (b->denied && strcmp(b->told_rv, o->secret->resource_version) != 0)
		b->hold_until_ms = 0;
	b->denied = b->denied && b->hold_until_ms;
	if (b->hold_until_ms > road_now(b->road)) {
		b->road->ops->timer_set(b->timer, b->hold_until_ms - road_now(b->road));
		return;
	}
	if (must_wait(b) || !is_allowed(b, o))
		return;
	adoption_before_swap(b);
	if (send_publish(b, o, &content, &f, &e) < 0) {
		err_add(&e, "publish to volume %s", b->spec.ref.name);
		not_published(b, &e);
		return;
	}
	b->want = false;
	b->hold_until_ms = 0;
}
