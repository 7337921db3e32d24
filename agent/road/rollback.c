/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back to the pair that worked, when the server breaks on the new one; and forward again when that does not heal it.
 */
#include "road/binding.h"

#include "base/log.h"
#include "report/counts.h"

/* The new pair stays, and is looked at again as before. */
static void not_rolled_back(struct binding *b, const struct err *e)
{
	log_error("volume.not_rolled_back", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(e));
	b->rollback = ROLLBACK_FORWARD;
	adoption_go_on(b);
}

static void on_rolled_back(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct binding *b = arg;

	b->call = NULL;
	if (reply->err.kind != ERR_NONE) {
		not_rolled_back(b, &reply->err);
		reload_go_on(b);
		binding_go_on(b);
		return;
	}
	b->record = reply->record;
	supply_count_volumes(b->supply);
	metric_add(&count_rotations, 1, M_LABELS("rolled_back"));
	binding_problem(b,
			"rolled back from resourceVersion %s, on which the server broke; issue a "
			"new certificate",
			b->record.quarantine_rv);
	binding_event(b, EVENT_ROLLED_BACK,
		      "The server broke on resourceVersion %s of Secret %s; volume %s is back on "
		      "the pair before it, which is "
		      "valid still. Issue a new certificate.",
		      b->record.quarantine_rv, b->record.secret, b->spec.ref.name);
	binding_set_state(b, BINDING_DELIVERED);
	adoption_swapped(b);
	reload_go_on(b);
	binding_go_on(b);
}

static void roll_back(struct binding *b)
{
	struct hand_request rq = binding_request(b, HAND_ROLL_BACK);
	struct err e;

	rq.roll_back.owed_signal = binding_owes(b);
	b->rollback = ROLLBACK_BACK;
	if (b->road->ops->hand_send(b->road->arg, &rq, -1, on_rolled_back, b, &b->call, &e) < 0)
		not_rolled_back(b, &e);
}

/* The conditions of a rollback, but for the process, which the hand is asked about. */
static bool has_ground(const struct binding *b)
{
	const struct evidence *ev = &b->before;

	return b->spec.attributes.rollback && b->rollback == ROLLBACK_NONE && b->fresh &&
	       b->record.previous[0] && b->reload && !b->call && ev->at_ms >= 0 &&
	       ev->process.pid && b->published_ms - ev->at_ms <= LIMIT_ROLLBACK_PROBE_AGE_MS &&
	       fingerprint_equal(&ev->leaf, &b->record.previous_leaf) &&
	       b->record.previous_not_after_s * 1000 > clock_wall_ms(b->road->clock);
}

/* A server that reads its files slowly must not find half of another pair (principle 5): it is a swap, too. */
int64_t rollback_after(const struct binding *b)
{
	return has_ground(b) ? siblings_rollback_after(b) : INT64_MAX;
}

static bool may_roll_back(const struct binding *b)
{
	return rollback_after(b) <= road_now(b->road);
}

static void on_alive(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct binding *b = arg;
	const struct process *was = &b->before.process;

	b->find = NULL;
	if (reply->err.kind == ERR_NONE && reply->signal_result == SIGNAL_SENT &&
	    reply->process.pid == was->pid && reply->process.start_ticks == was->start_ticks &&
	    may_roll_back(b)) {
		b->road->ops->timer_stop(b->probe_timer);
		roll_back(b);
		return;
	}
	adoption_go_on(b);
}

bool rollback_try(struct binding *b)
{
	if (!may_roll_back(b) || b->find)
		return false;
	binding_find_process(b, on_alive);
	return b->find != NULL;
}

/* Forward again: the older pair did not heal it. */
void rollback_forward(struct binding *b)
{
	b->rollback = ROLLBACK_FORWARD;
	b->given_up = b->record.quarantine_content;
	binding_mark(b, HAND_MARK_QUARANTINE_LIFT);
	binding_event(b, EVENT_BROKEN,
		      "The pair before did not heal the server on port %u either: volume %s goes "
		      "forward again. Look at the "
		      "server's log.",
		      b->spec.attributes.probe_port, b->spec.ref.name);
	b->want = true;
	b->hold_until_ms = 0;
	binding_go_on(b);
}
