/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of road/ share: the binding, the Secret it takes from, and the process it reloads. Nobody else includes it.
 */

#include "base/backoff.h"
#include "road/road.h"

#include <sys/queue.h>

#define PROBLEM_SIZE 320

/* Gone back to the pair that worked, and forward again when that did not heal it. */
enum rollback_step {
	ROLLBACK_NONE,
	ROLLBACK_BACK,
	ROLLBACK_FORWARD
};

/* The evidence that a rollback needs: who was seen to serve which leaf, and when. */
struct evidence {
	int64_t at_ms; /* -1 none */
	struct fingerprint leaf;
	struct process process; /* pid 0: not known */
};

struct binding {
	LIST_ENTRY(binding) in_road;
	LIST_ENTRY(binding) in_supply;
	LIST_ENTRY(binding) in_reload;
	LIST_ENTRY(binding) in_siblings;
	LIST_ENTRY(binding) in_probing; /* while it has a probe under way */
	struct road *road;
	struct binding_spec spec;
	struct supply *supply;
	struct siblings *siblings;
	struct reload *reload; /* NULL: nothing is signalled */
	bool seen;             /* while a pod's set is compared */

	/* What is there. */
	bool adopted_record; /* the hand has said what it holds, or that it holds nothing */
	bool has_record;
	struct record record;
	enum binding_state state;
	int64_t since_ms;           /* monotonic */
	char problem[PROBLEM_SIZE]; /* of its own; its supply may have one too */
	bool trouble_told;          /* of the supply's trouble there was an Event */

	/* What is wanted. */
	bool want;          /* a newer content may wait: read again as soon as the gates are open */
	bool force;         /* publish also what is there already: it was damaged */
	bool half_done;     /* a publish failed after the swap: what follows it is still owed */
	int64_t news_ms;    /* monotonic: when the waiting version had been read; -1 none */
	bool asked_to_wait; /* splay or settle held this version back: no latency is counted */
	int64_t hold_until_ms; /* splay or retry; 0 none */
	bool
	    denied; /* held by a no of the API server: a Secret that changed is asked about at once */
	bool
	    too_early; /* held until the pair of before is valid: another one does not wait for it */
	bool splay_done;
	int64_t splay_until_ms; /* the same for all volumes of its process; 0 none */
	struct backoff retry;
	char told_rv[LIMIT_RESOURCE_VERSION + 1]; /* of the last rejection that was told */
	struct loop_timer *timer;
	struct hand_call *call;         /* publish, verify, roll back or read under way */
	struct hand_call *watching;     /* the watch for damage is being set up */
	struct loop_timer *watch_again; /* after it could not be; NULL: it always could */
	struct backoff watch_retry;
	bool verify_due; /* it may have been damaged: looked at as soon as no call is under way */
	struct right *right; /* waits for a review */

	/* Notify and prove. */
	bool signal_due;
	bool in_signal;       /* it was, when the signal under way left */
	int64_t due_ms;       /* since when */
	int64_t signalled_ms; /* the last signal about it; 0 none */
	int64_t
	    settle_until_ms; /* its process reloads until then (principle 5); 0 adopted, or none */
	struct probe *probe;
	struct probe *before_probe; /* begun right before a swap, which does not wait for it */
	struct hand_call *find;
	struct loop_timer *probe_timer;
	int64_t probe_until_ms; /* end of this adoption window */
	int64_t probe_gap_ms;
	int64_t published_ms; /* monotonic: the rename */
	bool fresh;           /* published and not seen served yet: its adoption is counted */
	unsigned broken;      /* in a row */
	unsigned again;       /* signals sent again for this generation */
	enum probe_result last_result;
	struct content client_pair; /* while a probe shows it */
	int64_t served_not_after_s;
	struct evidence evidence;
	struct evidence before; /* the evidence as it was at the swap */
	enum rollback_step rollback;
	struct fingerprint given_up; /* gone forward to again: not rolled back from twice */
	int64_t probe_at_ms;         /* the next probe; -1 none */
};

/* One Secret that bindings share. */
struct supply {
	LIST_ENTRY(supply) in_road;
	struct road *road;
	char namespace_[LIMIT_NAMESPACE + 1];
	char name[LIMIT_OBJECT_NAME + 1];
	LIST_HEAD(, binding) bindings;
	struct secret_source *source;
	struct fingerprint judged; /* of the data that the verdict is about */
	struct gate_verdict verdict;
	bool judged_ca, judged_temporary, judged_next; /* what else the verdict rests on */
	bool reading;                                  /* a reread is under way */
	bool told;                                     /* its bindings were, since it is watched */
	char trouble[PROBLEM_SIZE];                    /* why it cannot be read; "" it can */
	struct road_review *cover; /* under way: have we any right in its namespace? */
	struct err *denied;        /* meanwhile: what is told if we have; owned */
	char high_uid[LIMIT_UID + 1];
	char high_rv[LIMIT_RESOURCE_VERSION + 1]; /* the highest that was seen of this uid */
	int64_t low_ms;                           /* a lower one was read once, then; -1 none */
	bool reset;                               /* proven: lower resourceVersions are right */
	struct loop_timer *timer;
	struct secret_object *held; /* while reviews are open: what they are about; owned */
	unsigned reviews;
};

/* A Secret with what the gate said of it, as it is offered to bindings. */
struct offer {
	struct secret_object *secret;
	const struct gate_verdict *verdict;
	bool reset;
};

/* One process that volumes of a pod reload by one signal. */
struct reload {
	LIST_ENTRY(reload) in_road;
	struct road *road;
	char pod_uid[LIMIT_UID + 1];
	char container[LIMIT_CONTAINER_NAME + 1];
	char process[LIMIT_COMM + 1];
	int32_t signal;
	LIST_HEAD(, binding) bindings;
	struct loop_timer *timer;
	struct hand_call *call;
	struct binding *carrier; /* whose volume the call names */
	int64_t last_ms;         /* last signal; -1 none */
	unsigned failures;
};

/* The volumes of one pod. */
struct siblings {
	LIST_ENTRY(siblings) in_road;
	char pod_uid[LIMIT_UID + 1];
	int64_t swap_ends_ms; /* of one that left: the hand may be at it until then; 0 none */
	LIST_HEAD(, binding) bindings;
};

/* A question that was asked: may this account get this Secret? */
struct right {
	LIST_ENTRY(right) in_road;
	struct road *road;
	char namespace_[LIMIT_NAMESPACE + 1];
	char account[LIMIT_OBJECT_NAME + 1];
	char secret[LIMIT_OBJECT_NAME + 1];
	struct road_review *review; /* under way */
	bool allowed;
	int64_t until_ms;     /* how long the answer holds */
	struct backoff again; /* after a no */
	struct backoff retry; /* after no answer */
};

/* A record without a binding. */
struct orphan {
	LIST_ENTRY(orphan) in_road;
	struct record record;
	bool intact;
	/* Of a pod that is there, and no longer asks for the volume: its files stay, and so does the record. */
	bool kept;
};

struct road {
	const struct road_ops *ops;
	void *arg;
	const struct clock *clock;
	struct gate *gate;
	LIST_HEAD(, binding) bindings;
	LIST_HEAD(, supply) supplies;
	LIST_HEAD(, siblings) siblings;
	LIST_HEAD(, reload) reloads;
	LIST_HEAD(, binding) probing;
	LIST_HEAD(, right) rights;
	LIST_HEAD(, orphan) orphans; /* also records whose bindings were not told yet */
	size_t count;
	size_t supply_count;
	size_t held_bytes; /* of all supplies, at most LIMIT_HELD */
	bool hand_up;      /* and everything it holds has been adopted */
	bool pods_synced;
	struct hand_call *adopting;
	struct loop_timer *adopt_again; /* after a hand that could not list its records */
};

static inline int64_t road_now(const struct road *r)
{
	return clock_mono_ms(r->clock);
}

/* binding.c */
int binding_new(struct road *r, const struct binding_spec *spec, struct binding **ret,
		struct err *e) _must_check_;
struct binding *binding_free(struct binding *b);
void binding_update(struct binding *b, const struct binding_spec *spec);
void binding_set_state(struct binding *b, enum binding_state state);
void binding_event(const struct binding *b, enum event_reason reason, const char *fmt, ...)
    _printf_(3, 4);
/* The sentence that status shows; an empty one clears it. Returns true when it is another than before. */
bool binding_problem(struct binding *b, const char *fmt, ...) _printf_(2, 3);
struct hand_request binding_request(const struct binding *b, enum hand_op op);
/* The same, about the process that is signalled: FIND and SIGNAL. */
struct hand_request binding_process_request(const struct binding *b, enum hand_op op);
/* Asks which process that is; b->find is under way then, unless nobody can be asked about. */
void binding_find_process(struct binding *b, hand_done_fn done);
/* The signal that is owed after a swap now; 0: none, nobody runs who could be signalled. */
int32_t binding_owes(const struct binding *b);
/* Bits of enum hand_mark, here and in the hand's record. */
void binding_mark(struct binding *b, uint32_t marks);
/* The signal that was owed was sent, or is not needed. */
void binding_owes_nothing(struct binding *b);
/* For calls whose answer changes nothing. */
void binding_ignore(void *arg, const struct hand_reply *reply, int memfd);
void binding_adopt(struct binding *b, const struct record *record_or_null, bool intact);
/* What is left to do after a swap that was done before: by the record, and by what is served. */
void binding_resume(struct binding *b);

/* offer.c: from a judged Secret to the swap. */
void binding_offer(struct binding *b, const struct offer *offer);
void binding_absent(struct binding *b);
/* The pod's account may not get the Secret (e NULL), or could not be asked about; until_ms: when it is asked again. */
void binding_denied(struct binding *b, int64_t until_ms, const struct err *e);
/* Something that held it back may be over: reads again what is wanted. */
void binding_go_on(struct binding *b);

/* mend.c: looks whether the files are what the record says, and mends them. */
void binding_verify(struct binding *b);
void binding_watch_damage(struct binding *b);
void binding_unwatch_damage(struct binding *b);

/* supply.c */
int supply_get(struct road *r, const char *namespace_, const char *name, struct supply **ret,
	       struct err *e) _must_check_;
void supply_join(struct supply *s, struct binding *b);
void supply_leave(struct binding *b); /* the last one frees the supply */
void supply_read_again(struct supply *s);
/* The oldest dates among the pods: of what is in the files, and of what was seen served. */
void supply_count_volumes(const struct supply *s);
/* What a record says was published already: nothing older may be. */
void supply_note(struct supply *s, const struct record *record);

/* held.c */
void supply_hold(struct supply *s, const struct secret_object *secret); /* until supply_release */
void supply_release(struct supply *s);
/* Offers what is held to one binding; false: nothing is held. */
bool supply_offer_held(struct supply *s, struct binding *b);
void supply_drop_held(struct supply *s);

/* trouble.c: the Secret cannot be read; each binding is told once, until it is over. */
void trouble_tell(struct supply *s, const struct err *e);
void trouble_over(struct supply *s);
void trouble_forget(struct supply *s);
void trouble_count(const struct road *r);

/* right.c: true when it may now; else a review is under way, or a no holds, and binding_go_on follows when that changes. */
enum right_answer {
	RIGHT_YES,
	RIGHT_ASKED,
	RIGHT_NO,
	RIGHT_UNKNOWN
};
/* ret_until_ms: how long a no holds. */
enum right_answer right_check(struct binding *b, const struct secret_object *secret,
			      int64_t *ret_until_ms);
void right_forget(struct road *r);
void right_leave(struct binding *b);

/* orphan.c: records without a binding. kept: of a pod that is there. */
struct orphan *orphan_find(struct road *r, const struct volume_ref *ref);
void orphan_keep(struct road *r, const struct record *record, bool intact, bool kept);
void orphan_free(struct orphan *o);
void orphans_forget(struct road *r); /* but for those that are kept */

/* siblings.c: the volumes of one pod. Two are read by one process unless both say who reads them, and name others. */
int siblings_join(struct binding *b, struct err *e) _must_check_;
void siblings_leave(struct binding *b);
bool siblings_are_swapping(const struct binding *b);
/* Principle 5: when the next generation of b may be put in place; now or earlier means at once. */
int64_t siblings_swap_after(const struct binding *b);
/* The same for a rollback, which does not wait for a proof that does not come. */
int64_t siblings_rollback_after(const struct binding *b);
void siblings_signalled(struct binding *b); /* its process reloads now */
/* Whether it does, by what the record says; intact: the swap that it describes was done. */
void siblings_recall(struct binding *b, bool intact);
void siblings_adopted(struct binding *b); /* what waited for that goes on */
/* The random time that a sibling waits for already; 0 none. */
int64_t siblings_splay_until(const struct binding *b);

/* reload.c */
int reload_join(struct binding *b, struct err *e) _must_check_;
void reload_leave(struct binding *b);
void reload_due(struct binding *b); /* this binding's process is to be signalled */
/* While a signal about it is due or under way: until when the next swap waits for that; else 0. */
int64_t reload_due_at(const struct binding *b);
void reload_go_on(struct binding *b); /* what kept signals of its pod back may be over */

/* adoption.c */
void adoption_begin(struct binding *b, int64_t window_ms);
void adoption_before_swap(struct binding *b);
void adoption_swapped(struct binding *b);
void adoption_stop(struct binding *b);
void adoption_go_on(
    struct binding *b); /* the next look after the next gap, or the end of the window */

/* rollback.c */
/* When the volume may be rolled back at the earliest; INT64_MAX: there is no ground to. */
int64_t rollback_after(const struct binding *b);
/* True: it is being looked into, and adoption_go_on follows if it is not done. */
bool rollback_try(struct binding *b);
void rollback_forward(struct binding *b);
