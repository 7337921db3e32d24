/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libcurl's multi handle on the loop; for the files of k8s/ alone. libcurl calls back while it is at
 * work, where nothing of it may be freed; so its callbacks only note what is due (multi_ready), and
 * it is done when libcurl has returned, one thing at a time: a callback may then free anything.
 */

#include "event/loop.h"

#include <sys/queue.h>

#include <curl/curl.h>

struct multi;

/* One transfer; embedded in its owner. */
struct multi_job {
	CURL *easy;      /* owned by the owner of the job */
	bool ended;      /* libcurl is done with it ... */
	CURLcode result; /* ... like this */
	bool is_queued;  /* private, as all below */
	bool is_added;
	TAILQ_ENTRY(multi_job) next;
	/* Does one thing that is due, and calls multi_ready before it when more is. */
	void (*run)(struct multi_job *job);
};

/* max_connections: 0 for as many as there are transfers. */
int multi_new(struct loop *loop, long max_connections, struct multi **ret,
	      struct err *e) _must_check_;
struct multi *multi_free(struct multi *m); /* its jobs must be removed before */

int multi_add(struct multi *m, struct multi_job *job, struct err *e) _must_check_;
void multi_remove(struct multi *m, struct multi_job *job); /* run is not called any more */
void multi_ready(struct multi *m, struct multi_job *job);  /* run is called soon */
