/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The road: every binding of this node, from its Secret to the proof. The only place that knows the order of the stations:
 * source -> gate -> volume -> notify -> prove -> report.
 */

#include "road/attributes.h"
#include "road/ops.h"

struct road;

enum binding_state {
	BINDING_WAITING,     /* nothing was delivered yet */
	BINDING_DELIVERED,   /* the files are there */
	BINDING_NOTIFIED,    /* and the process was signalled */
	BINDING_ADOPTED,     /* and the server was seen to serve the new leaf */
	BINDING_STALE,       /* the server was seen to serve another leaf after its time */
	BINDING_BROKEN,      /* the server took connections and proved no leaf */
	BINDING_UNCONFIRMED, /* nobody answered at the port */
	BINDING_STATES
};
const char *binding_state_label(enum binding_state s);

/* One volume of one pod, as the pod's spec and status say. */
struct binding_spec {
	struct volume_ref ref;
	char pod_namespace[LIMIT_NAMESPACE + 1];
	char pod_name[LIMIT_OBJECT_NAME + 1];
	char account[LIMIT_OBJECT_NAME + 1];
	char address[64];       /* the pod's IP; "" not yet */
	char other_address[64]; /* its second one, of the other family; "" none */
	struct attributes attributes;
	uint64_t wish; /* text_hash of what the annotation says of this volume */
	struct volume_owner owner;
	bool world_readable;                       /* nobody could be named as owner: 0444 */
	char container[LIMIT_CONTAINER_NAME + 1];  /* who is signalled; "" nobody */
	char container_id[LIMIT_CONTAINER_ID + 1]; /* "" while it does not run */
	bool running; /* that container runs; where nobody is signalled: any container does */
};

struct road_options {
	const struct road_ops *ops; /* borrowed, as all here */
	void *ops_arg;
	const struct clock *clock;
	struct gate *gate;
};

int road_new(const struct road_options *options, struct road **ret, struct err *e) _must_check_;
struct road *road_free(struct road *r);

/*
 * What this pod has now: all its bindings. Those that are new start their way, those that are gone end theirs (their files stay),
 * the others learn address and container. Copied.
 */
void road_set_pod(struct road *r, const char *pod_uid, const struct binding_spec *specs,
		  size_t count);
void road_pod_gone(struct road *r, const char *pod_uid);
/* Every pod of the node has been told: records of pods that are gone are given up. */
void road_pods_synced(struct road *r);

/* The hand is there: what it holds is adopted, and what waited goes on. */
void road_hand_up(struct road *r);
void road_hand_lost(struct road *r);
void road_damaged(struct road *r, const struct volume_ref *ref);

/* A binding for people: status and metrics. Borrowed during the call. */
struct binding_view {
	const struct binding_spec *spec;
	const struct record *record; /* NULL: nothing was delivered */
	enum binding_state state;
	int64_t since_wall_ms;
	const char *problem;        /* a sentence, "" none */
	const char *next;           /* what happens next, a sentence */
	int64_t next_ms;            /* in how long; -1 unknown */
	int64_t served_not_after_s; /* 0: not seen */
};
void road_each(struct road *r, void (*on_binding)(void *arg, const struct binding_view *view),
	       void *arg);
size_t road_count(const struct road *r);
