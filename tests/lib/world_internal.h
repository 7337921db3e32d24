/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the world share. */

#include "tests/lib/world.h"

/* Something that was asked and is answered later. One type for all, so that their order is kept. */
struct world_job {
	TAILQ_ENTRY(world_job) next;
	struct world *world;
	enum {
		JOB_HAND,
		JOB_REVIEW,
		JOB_PROBE
	} kind;
	int64_t due_ms;
	struct hand_request request;
	bool more; /* the hand has said a part, and says the rest when it is due again */
	hand_done_fn hand_done;
	void (*review_done)(void *arg, bool allowed, const struct err *e);
	probe_done_fn probe_done;
	struct probe_target target;
	struct probe_report seen;
	void *arg;
	bool running; /* its callback is being called: cancelling must not free it */
	bool cancelled;
};

void world_must(bool ok, const char *what);
void world_pod_uid(unsigned n, char ret[static LIMIT_UID + 1]);

/* world_clock.c: due now, until the asker says otherwise; cancelling returns NULL. */
struct world_job *world_job_new(struct world *w, void *arg);
void *world_job_cancel(struct world_job *j);
int world_timer_new(void *arg, void (*on_due)(void *due_arg), void *due_arg,
		    struct loop_timer **ret, struct err *e);
void world_timer_set(struct loop_timer *t, int64_t after_ms);
void world_timer_stop(struct loop_timer *t);
struct loop_timer *world_timer_free(struct loop_timer *t);

/* world_hand.c */
int world_hand_send(void *arg, const struct hand_request *request, int memfd, hand_done_fn done,
		    void *done_arg, struct hand_call **ret, struct err *e);
struct hand_call *world_hand_cancel(struct hand_call *call);
void world_hand_answer(struct world *w, struct world_job *j);

/* world_servers.c: a server is told, or looks by itself. */
void world_server_reads(struct world_volume *v);
int world_probe_start(void *arg, const struct probe_target *target, probe_done_fn done,
		      void *done_arg, struct probe **ret, struct err *e);
struct probe *world_probe_cancel(void *arg, struct probe *p);

/* world_secrets.c */
int world_secret_open(void *arg, const char *namespace_, const char *name,
		      const struct secret_source_callbacks *callbacks, void *callback_arg,
		      struct secret_source **ret, struct err *e);
struct secret_source *world_secret_close(struct secret_source *source);
int world_secret_reread(struct secret_source *source, struct err *e);
void world_secret_tell(struct world *w, struct world_secret *s);
int world_review_start(void *arg, const struct road_question *question,
		       void (*done)(void *done_arg, bool allowed, const struct err *e),
		       void *done_arg, struct road_review **ret, struct err *e);
struct road_review *world_review_cancel(struct road_review *r);
