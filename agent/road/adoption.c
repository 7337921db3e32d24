/* SPDX-License-Identifier: Apache-2.0 */
#include "road/binding.h"

#include "base/log.h"
#include "hand/payload.h"
#include "report/counts.h"

#include <stdarg.h>
#include <string.h>

#define GAP_FIRST_MS 50             /* nginx serves the new leaf 53 to 160 ms after its signal */
#define LATE_GAP_FIRST_MS MINUTE_MS /* after the window: looked at rarely, until it is adopted */
#define BROKEN_IN_A_ROW 3           /* principle: only then a rollback is thought of */

static void probe_now(struct binding *b);

static void on_probe_timer(void *arg)
{
	probe_now(arg);
}

static bool in_window(const struct binding *b)
{
	return road_now(b->road) < b->probe_until_ms;
}

static void look_again(struct binding *b)
{
	const struct road_ops *ops = b->road->ops;
	int64_t now = road_now(b->road);
	int64_t cap = in_window(b) ? LIMIT_PROBE_GAP_MS : LIMIT_PROBE_LATE_GAP_MS;
	int64_t gap = b->probe_gap_ms;
	int64_t left = b->probe_until_ms - now;
	int64_t back = b->broken ? rollback_after(b) - now : 0;

	b->probe_gap_ms = gap * 2 > cap ? cap : gap * 2;
	if (in_window(b) && gap > left)
		gap = left;
	/* The look that decides about a rollback is not late. */
	if (back > 0 && gap > back)
		gap = back;
	b->probe_at_ms = now + gap;
	ops->timer_set(b->probe_timer, gap);
}

static void on_evidence(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct binding *b = arg;

	b->find = NULL;
	if (reply->err.kind == ERR_NONE && reply->signal_result == SIGNAL_SENT)
		b->evidence.process = reply->process;
}

static void adopted(struct binding *b, int64_t not_after_s)
{
	bool was_late = b->state == BINDING_STALE || b->state == BINDING_BROKEN ||
			b->state == BINDING_UNCONFIRMED;

	b->served_not_after_s = not_after_s;
	b->evidence = (struct evidence){.at_ms = road_now(b->road), .leaf = b->record.leaf};
	binding_find_process(b, on_evidence);
	b->road->ops->timer_stop(b->probe_timer);
	b->probe_at_ms = -1;
	supply_count_volumes(b->supply);
	/* It was to be told once more, and min-interval kept that back: it is not needed now. */
	if (b->again && !b->record.owed_signal && !b->in_signal)
		b->signal_due = false;
	if (!b->signal_due)
		binding_owes_nothing(b);
	if (b->state == BINDING_ADOPTED)
		return;
	if (b->fresh)
		metric_observe(&count_adoption_latency,
			       (double)(road_now(b->road) - b->published_ms) / 1000, NULL);
	binding_set_state(b, BINDING_ADOPTED);
	if (b->rollback == ROLLBACK_NONE)
		binding_problem(b, "%s", "");
	b->rollback = b->rollback == ROLLBACK_BACK ? ROLLBACK_BACK : ROLLBACK_NONE;
	if (b->fresh || was_late)
		binding_event(b, EVENT_ADOPTED,
			      "The server on port %u serves the certificate of volume %s",
			      b->spec.attributes.probe_port, b->spec.ref.name);
	b->fresh = false;
	b->probe_until_ms = 0;
	siblings_adopted(b);
}

/* The problem is the Event's first sentence. */
static void tell(struct binding *b, enum event_reason reason, const char *advice, const char *fmt,
		 ...) _printf_(4, 5);

static void tell(struct binding *b, enum event_reason reason, const char *advice, const char *fmt,
		 ...)
{
	char what[PROBLEM_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (binding_problem(b, "%s", what))
		binding_event(b, reason, "%s. %s", what, advice);
}

static void tell_outcome(struct binding *b)
{
	unsigned port = b->spec.attributes.probe_port;

	switch (b->last_result) {
	case PROBE_SEEN:
		tell(b, EVENT_STALE, "Does the server reload on this signal, and read these files?",
		     "Port %u still serves another certificate than volume %s has", port,
		     b->spec.ref.name);
		binding_set_state(b, BINDING_STALE);
		break;
	case PROBE_BROKEN:
		tell(b, EVENT_BROKEN, "Look at the server's log.",
		     "Port %u takes connections, but no TLS handshake succeeds", port);
		binding_set_state(b, BINDING_BROKEN);
		break;
	case PROBE_NO_CONNECTION:
		tell(b, EVENT_RELOAD_UNCONFIRMED,
		     "Is the port right, and does a NetworkPolicy keep certhup's probes out? "
		     "docs/rights.md has the policy certhup-probes that lets them in.",
		     "Nobody answers at port %u, so it is not known whether volume %s is served",
		     port, b->spec.ref.name);
		binding_set_state(b, BINDING_UNCONFIRMED);
		break;
	}
}

/* The window is over and the new leaf was not seen. */
static void window_over(struct binding *b)
{
	b->probe_gap_ms = LATE_GAP_FIRST_MS;
	if (b->rollback == ROLLBACK_BACK) {
		rollback_forward(b);
		look_again(b);
		return;
	}
	tell_outcome(b);
	/* A newer pair that waits goes first; else the server is told again. */
	if (!b->want && b->reload && b->again < LIMIT_SIGNALS_AGAIN &&
	    b->last_result != PROBE_NO_CONNECTION) {
		b->again++;
		reload_due(b);
	}
	look_again(b);
	binding_go_on(b);
}

void adoption_go_on(struct binding *b)
{
	if (!b->probe_until_ms || in_window(b)) {
		look_again(b);
		return;
	}
	b->probe_until_ms = 0;
	window_over(b);
}

static void not_adopted(struct binding *b, enum probe_result result)
{
	b->last_result = result;
	b->broken = result == PROBE_BROKEN ? b->broken + 1 : 0;
	if (b->broken < BROKEN_IN_A_ROW || !rollback_try(b))
		adoption_go_on(b);
}

static const char *const result_labels[] = {
    [PROBE_SEEN] = "seen", [PROBE_NO_CONNECTION] = "no_connection", [PROBE_BROKEN] = "broken"};

static bool is_probing(const struct binding *b)
{
	return b->probe || b->before_probe;
}

static void end_probe(struct binding *b, struct probe **probe)
{
	if (!*probe)
		return;
	*probe = b->road->ops->probe_cancel(b->road->arg, *probe);
	if (!is_probing(b))
		LIST_REMOVE(b, in_probing);
}

/* A slow server holds its place: those of one namespace leave some to the others. */
static bool has_place(const struct binding *b)
{
	const struct binding *other;
	size_t count = 0;

	LIST_FOREACH (other, &b->road->probing, in_probing)
		if (strcmp(other->spec.pod_namespace, b->spec.pod_namespace) == 0)
			count += other->probe && other->before_probe ? 2 : 1;
	return count < LIMIT_PROBES_NAMESPACE;
}

static void on_probe(void *arg, const struct probe_report *report)
{
	struct binding *b = arg;

	end_probe(b, &b->probe);
	content_done(&b->client_pair);
	metric_add(&count_probes, 1, M_LABELS(result_labels[report->result]));
	if (report->result == PROBE_SEEN && fingerprint_equal(&report->leaf, &b->record.leaf)) {
		adopted(b, report->not_after_s);
		return;
	}
	if (report->result == PROBE_SEEN) {
		b->served_not_after_s = report->not_after_s;
		supply_count_volumes(b->supply);
	}
	/* A signal that a restart left owed, and the new leaf is not served: now it is sent. */
	if (b->record.owed_signal && b->reload && !b->signal_due && b->state == BINDING_DELIVERED) {
		reload_due(b);
		return;
	}
	not_adopted(b, report->result);
}

/* Under which name a key of the Secret stands in the volume; NULL: not there. */
static const struct content_file *file_of(const struct binding *b, const char *key)
{
	const struct outputs *o = &b->spec.attributes.outputs;

	if (!o->item_count)
		return content_find(&b->client_pair, key);
	for (size_t i = 0; i < o->item_count; i++)
		if (strcmp(o->items[i].key, key) == 0)
			return content_find(&b->client_pair, o->items[i].path);
	return NULL;
}

static int start_probe(struct binding *b, probe_done_fn done, struct probe **ret)
{
	const struct attributes *a = &b->spec.attributes;
	struct probe_target target = {.port = a->probe_port,
				      .sni = a->probe_sni[0] ? a->probe_sni : NULL,
				      .alpn = a->probe_alpn[0] ? a->probe_alpn : NULL};
	const struct content_file *cert = file_of(b, "tls.crt");
	const struct content_file *key = file_of(b, "tls.key");
	bool was_probing = is_probing(b);
	struct err e;

	if (!has_place(b))
		return -1;
	memcpy(target.address, b->spec.address, sizeof(target.address));
	memcpy(target.other, b->spec.other_address, sizeof(target.other));
	if (cert && key) {
		target.client_cert = &cert->bytes;
		target.client_key = &key->bytes;
	}
	if (b->road->ops->probe_start(b->road->arg, &target, done, b, ret, &e) < 0) {
		log_warn("probe.failed", L_STR(LOG_POD, b->spec.pod_name),
			 L_INT(LOG_PORT, a->probe_port), L_ERR(&e));
		return -1;
	}
	if (!was_probing)
		LIST_INSERT_HEAD(&b->road->probing, b, in_probing);
	return 0;
}

static void begin_probe(struct binding *b)
{
	if (start_probe(b, on_probe, &b->probe) == 0)
		return;
	content_done(&b->client_pair);
	look_again(b);
}

static void on_pair(void *arg, const struct hand_reply *reply, int memfd)
{
	struct binding *b = arg;
	struct err e;

	b->find = NULL;
	if (reply->err.kind == ERR_NONE && payload_read(memfd, &b->client_pair, &e) < 0)
		log_warn("probe.unpaired", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(&e));
	begin_probe(b);
}

static void probe_now(struct binding *b)
{
	struct hand_request rq = binding_request(b, HAND_READ);
	struct err e;

	b->probe_at_ms = -1;
	if (b->probe)
		return;
	if (b->find) {
		/* The hand has yet to answer another question. */
		look_again(b);
		return;
	}
	if (!b->spec.address[0]) {
		not_adopted(b, PROBE_NO_CONNECTION);
		return;
	}
	if (b->spec.attributes.probe_client && has_place(b) &&
	    b->road->ops->hand_send(b->road->arg, &rq, -1, on_pair, b, &b->find, &e) == 0)
		return;
	begin_probe(b);
}

/* What was served right before the swap, without making it wait: only the old leaf says something. */
static void on_probe_before(void *arg, const struct probe_report *report)
{
	struct binding *b = arg;

	end_probe(b, &b->before_probe);
	if (report->result != PROBE_SEEN)
		return;
	if (fingerprint_equal(&report->leaf, &b->evidence.leaf))
		b->evidence.at_ms = road_now(b->road);
	if (fingerprint_equal(&report->leaf, &b->before.leaf) && b->before.at_ms >= 0)
		b->before.at_ms = b->published_ms;
}

void adoption_before_swap(struct binding *b)
{
	const struct evidence *ev = &b->evidence;

	if (!b->spec.attributes.probe_port || !b->spec.attributes.rollback || !b->spec.address[0] ||
	    is_probing(b) || ev->at_ms < 0 || !fingerprint_equal(&ev->leaf, &b->record.leaf))
		return;
	(void)!start_probe(b, on_probe_before, &b->before_probe);
}

void adoption_swapped(struct binding *b)
{
	bool newer = b->rollback == ROLLBACK_BACK
			 ? !b->record.quarantine_rv[0]
			 : !fingerprint_equal(&b->record.content, &b->given_up);

	if (newer)
		b->rollback = ROLLBACK_NONE;
	if (b->rollback != ROLLBACK_BACK)
		b->before = b->evidence;
	b->again = 0;
	b->evidence.at_ms = -1;
	reload_due(b);
}

void adoption_begin(struct binding *b, int64_t window_ms)
{
	const struct road_ops *ops = b->road->ops;
	struct err e;

	if (!b->spec.attributes.probe_port || !b->spec.running)
		return;
	if (!b->probe_timer &&
	    ops->timer_new(b->road->arg, on_probe_timer, b, &b->probe_timer, &e) < 0) {
		log_error("probe.failed", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(&e));
		return;
	}
	end_probe(b, &b->probe);
	content_done(&b->client_pair);
	b->broken = 0;
	b->last_result = PROBE_NO_CONNECTION;
	b->probe_until_ms = road_now(b->road) + window_ms;
	b->probe_gap_ms = GAP_FIRST_MS;
	look_again(b);
}

void adoption_stop(struct binding *b)
{
	const struct road_ops *ops = b->road->ops;

	end_probe(b, &b->probe);
	end_probe(b, &b->before_probe);
	if (b->find)
		b->find = ops->hand_cancel(b->find);
	if (b->probe_timer)
		b->probe_timer = ops->timer_free(b->probe_timer);
	content_done(&b->client_pair);
}
