/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A world for the road without any station: Secrets, a hand, servers and a clock, all in memory and turned by the test.
 * What the road asks for is answered when the test lets the world run, in the order of asking.
 */

#include "road/road.h"
#include "tests/lib/pki.h"

#include <sys/queue.h>

#define WORLD_EVENTS 4096

/* How the server of a pod takes a signal. */
enum world_server {
	SERVER_GOOD,   /* reads the files, and serves them */
	SERVER_DEAF,   /* goes on serving what it had */
	SERVER_BREAKS, /* handshakes fail until a pair comes that it had before */
	SERVER_BROKEN, /* handshakes fail for good */
	SERVER_AWAY,   /* nobody listens */
	SERVER_EAGER,  /* reads the files at each handshake */
};

struct world_volume {
	LIST_ENTRY(world_volume) next;
	struct volume_ref ref;
	struct record record;
	bool has_record;
	struct fingerprint served, good; /* what its server serves now; what it last served well */
	enum world_server server;
	unsigned signals, swaps;
	int64_t swap_ms, signal_ms;
	struct err refuse; /* PUBLISH answers this while its kind is set */
	struct err trail;  /* a swap is done, and PUBLISH answers this all the same */
	enum signal_result signal_result; /* SIGNAL answers this */
	bool damaged;
	bool watched; /* for damage */
};

struct world_secret {
	LIST_ENTRY(world_secret) next;
	struct secret_source_callbacks callbacks; /* of the one who watches; arg NULL: nobody */
	void *arg;
	bool watched, there, read_again;
	char namespace_[LIMIT_NAMESPACE + 1], name[LIMIT_OBJECT_NAME + 1];
	char uid[LIMIT_UID + 1], rv[LIMIT_RESOURCE_VERSION + 1];
	const char *allow;
	bool temporary, allow_ca;
	struct content data;
	unsigned reads;
};

struct world_event {
	enum event_reason reason;
	char note[LIMIT_EVENT_NOTE + 1];
};

struct world {
	struct road *road;
	struct clock_fake clock;
	struct gate *gate;
	LIST_HEAD(, world_volume) volumes;
	LIST_HEAD(, world_secret) secrets;
	TAILQ_HEAD(, loop_timer) timers;
	TAILQ_HEAD(, world_job) jobs;
	struct world_event events[WORLD_EVENTS];
	size_t event_count;
	bool deny;                /* reviews say no */
	const char *no_container; /* the container of this volume cannot be told */
	unsigned process_starts;  /* the servers' processes are other ones after it grew */
	bool hand_away;
	struct err refuse_watch; /* WATCH answers this while its kind is set */
	unsigned watches;        /* that were asked for */
	struct err refuse_adopt; /* ADOPT answers this while its kind is set */
	unsigned reviews;
	int64_t review_ms;         /* how long one takes */
	struct err refuse_reviews; /* they fail so while its kind is set */
	uint32_t random;
	int64_t handshake_ms;           /* how long a probe takes */
	int64_t hand_ms[HAND_OPS];      /* how long the hand takes for each operation */
	int64_t adopt_last_ms;          /* how long after its records ADOPT ends */
	unsigned probing, probing_most; /* handshakes under way now, and at most so far */
	bool torn;               /* a swap came while a server was reading: principle 5 is broken */
	int64_t server_reads_ms; /* how long a server takes to read its files after a signal */
};

void world_init(struct world *w);
void world_done(struct world *w);

/* A Secret is put (made or changed); content is copied. */
struct world_secret *world_put(struct world *w, const char *name, const struct content *data,
			       const char *rv);
void world_put_pair(struct world *w, const char *name, const struct pki_pair *pair, const char *rv);
void world_delete_secret(struct world *w, const char *name);
struct world_secret *world_secret(struct world *w, const char *name);

/* A binding of a pod "p<n>" with volume "tls", attributes as "key=value" strings that end with NULL. Told to the road. */
void world_pod(struct world *w, unsigned n, const char *const *attributes);
struct binding_spec *world_spec(unsigned n, const char *const *attributes); /* malloc'ed */
/* The same with several volumes: attributes and name of each; the list of attributes ends with NULL. */
void world_pod_of(struct world *w, unsigned n, const char *const *const *attributes,
		  const char *const *names);
struct world_volume *world_volume(struct world *w, unsigned n);
/* Another volume of that pod. */
struct world_volume *world_volume_named(struct world *w, unsigned n, const char *name);
/* The API server cannot be asked about this Secret; e NULL: it can again. */
void world_trouble(struct world *w, const char *secret, const struct err *e);

/* Answers everything that is asked now, without moving the clock. */
void world_settle(struct world *w);
/* Turns the clock by that much, timer by timer. */
void world_turn(struct world *w, int64_t ms);
/* The hand comes (again), and goes. */
void world_hand_up(struct world *w);
void world_hand_lost(struct world *w);
/* The head ends and starts again: all that it held in memory is gone. */
void world_restart(struct world *w);

unsigned world_count_events(const struct world *w, enum event_reason reason);
enum binding_state world_state(struct world *w, unsigned n);
/* The problem of the binding as status shows it; borrowed until the next call. */
const char *world_problem(struct world *w, unsigned n);
