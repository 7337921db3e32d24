/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the road needs of the world: node/ fills this table with the real stations, a test with its own. So months of
 * renewals run in a second, and the order of the stations can be tested without any of them.
 */

#include "base/clock.h"
#include "event/loop.h"
#include "hand/client.h"
#include "prove/probe.h"
#include "report/events.h"
#include "source/secret.h"

struct road_review;

/* Whether a pod's ServiceAccount may get a Secret. Borrowed strings. */
struct road_question {
	const char *namespace_;
	const char *account;
	const char *secret;
};

struct road_ops {
	int (*hand_send)(void *arg, const struct hand_request *request, int memfd,
			 hand_done_fn done, void *done_arg, struct hand_call **ret, struct err *e);
	struct hand_call *(*hand_cancel)(struct hand_call *call);

	int (*secret_open)(void *arg, const char *namespace_, const char *name,
			   const struct secret_source_callbacks *callbacks, void *callback_arg,
			   struct secret_source **ret, struct err *e);
	struct secret_source *(*secret_close)(struct secret_source *s);
	int (*secret_reread)(struct secret_source *s, struct err *e);

	/* done is called once, later, unless cancelled; e is NULL when the API server answered. */
	int (*review_start)(void *arg, const struct road_question *question,
			    void (*done)(void *done_arg, bool allowed, const struct err *e),
			    void *done_arg, struct road_review **ret, struct err *e);
	struct road_review *(*review_cancel)(struct road_review *r);

	int (*probe_start)(void *arg, const struct probe_target *target, probe_done_fn done,
			   void *done_arg, struct probe **ret, struct err *e);
	/* Once for each probe that was started, in its callback or before. */
	struct probe *(*probe_cancel)(void *arg, struct probe *p);

	int (*timer_new)(void *arg, void (*on_due)(void *due_arg), void *due_arg,
			 struct loop_timer **ret, struct err *e);
	void (*timer_set)(struct loop_timer *t, int64_t after_ms);
	void (*timer_stop)(struct loop_timer *t);
	struct loop_timer *(*timer_free)(struct loop_timer *t);

	void (*event)(void *arg, const struct event_object *about, enum event_reason reason,
		      const char *note);
	uint32_t (*random)(void *arg);
};
