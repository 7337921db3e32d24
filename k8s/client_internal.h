/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is behind struct k8s_client; for the files of k8s/ alone. */

#include "k8s/client.h"
#include "k8s/config_internal.h"
#include "k8s/multi.h"

TAILQ_HEAD(k8s_requests, k8s_request);
TAILQ_HEAD(k8s_watches, k8s_watch);

/* How long things take; from base/limits.h, and shorter in tests. */
struct k8s_times {
	int64_t backoff_ms;     /* first delay ... */
	int64_t backoff_max_ms; /* ... and the longest, before jitter */
	int64_t first_event_ms; /* after a watch's 200 */
	int64_t silence_ms;     /* of a watch, before the liveness GET */
	int64_t liveness_ms;    /* for the answer to it */
	int64_t poll_ms;        /* between GETs in place of a watch */
	int64_t quiet_ms;       /* of a watch with bookmarks, before a new LIST */
};

struct k8s_client {
	struct loop *loop;
	struct k8s_times times;
	struct k8s_config *config; /* borrowed */
	char *user_agent;
	int64_t last_status_ms; /* when any HTTP status came; -1 none yet */

	struct multi *requests;
	struct k8s_requests queue;
	size_t queued;
	size_t running;
	struct loop_timer *pump; /* starts what waits in the queue */

	struct multi *watches;
	struct k8s_watches streams; /* watches whose stream is open or opening */
	struct k8s_watches queue_of_watches;
	size_t opening; /* streams whose headers did not come yet */
	struct loop_timer *liveness;
	struct k8s_request *liveness_request;
	int64_t liveness_at; /* when any answer was last had for it */
	int watch_min_s;
	int watch_max_s;
};

/* An answer came, of any kind. code 0: none did. */
void client_count(struct k8s_client *c, const char *verb, int code);
