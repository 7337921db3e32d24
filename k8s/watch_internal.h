/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What both kinds of watches are made of; for the files of k8s/ alone. watch_stream.c opens one
 * stream and says how it ended; watch_object.c and watch_list.c decide what then.
 */

#include "base/backoff.h"
#include "k8s/client_internal.h"
#include "k8s/transfer.h"
#include "k8s/watch.h"

enum stream_how {
	STREAM_DONE,    /* the server's time was over: a clean end */
	STREAM_SHORT,   /* a clean end within a second, and nothing came */
	STREAM_BROKEN,  /* it broke after the 200 */
	STREAM_REFUSED, /* no 200: HTTP status code, or 0 when no connection came about */
	STREAM_ERROR,   /* an ERROR event: code of its Status */
	STREAM_SILENT   /* the liveness GET had no answer */
};

struct stream_end {
	enum stream_how how;
	int code;
	bool too_large_rv;
	int64_t retry_after_ms; /* -1 when the server said nothing */
	struct err e;           /* kind NONE for STREAM_DONE */
};

/* Each may free the watch. */
struct watch_kind {
	/* Appends what comes behind "watch=true&timeoutSeconds=N". */
	int (*write_query)(struct k8s_watch *w, struct buf *b, struct err *e);
	void (*on_open)(struct k8s_watch *w); /* the 200 */
	void (*on_event)(struct k8s_watch *w, const char *type, const struct json *object,
			 int64_t at_ms);
	void (*on_end)(struct k8s_watch *w, const struct stream_end *end);
	void (*free)(struct k8s_watch *w); /* what the kind owns, and the watch itself */
};

struct k8s_watch {
	const struct watch_kind *kind;
	struct k8s_client *client;
	struct k8s_watch_callbacks callbacks;
	void *arg;
	char *collection;
	bool *freed; /* where a callback that runs wants to be told; see watch.c */
	bool up;

	struct loop_timer *timer;         /* one thing at a time ... */
	void (*due)(struct k8s_watch *w); /* ... this */
	struct backoff backoff;

	/* The stream. */
	TAILQ_ENTRY(k8s_watch) next; /* in the client's streams or queue_of_watches */
	enum {
		STREAM_NONE,
		STREAM_QUEUED,
		STREAM_OPENING,
		STREAM_OPEN
	} stream;
	struct transfer *transfer;
	bool fresh; /* the last opening got 401 */
	int64_t opened_ms;
	size_t events;
};

/* Fills the fields above. w is freed by its kind when this fails. */
int watch_init(struct k8s_watch *w, const struct watch_kind *kind, struct k8s_client *c,
	       const char *collection, const struct k8s_watch_callbacks *callbacks,
	       struct err *e) _must_check_;
void watch_done(struct k8s_watch *w);

void watch_after(struct k8s_watch *w, int64_t after_ms, void (*due)(struct k8s_watch *w));

/* Tell the user. False when the watch was freed meanwhile. */
bool watch_tell_object(struct k8s_watch *w, const struct json *object, int64_t at_ms) _must_check_;
bool watch_tell_gone(struct k8s_watch *w, const struct json *object) _must_check_;
bool watch_tell_synced(struct k8s_watch *w) _must_check_;
bool watch_tell_bad(struct k8s_watch *w, const struct err *e) _must_check_;
/* A GET beside the stream may not be made: nothing more can be known. */
bool watch_tell_denied(struct k8s_watch *w, const struct err *e, int64_t retry_ms) _must_check_;
bool watch_tell_up(struct k8s_watch *w) _must_check_; /* nothing when it was up already */

/* Says that it is not up, and calls due after the backoff's delay, not before retry_after_ms. */
void watch_retry(struct k8s_watch *w, const struct err *e, int code, int64_t retry_after_ms,
		 void (*due)(struct k8s_watch *w));

/* Whether the opening that follows such an end comes at once, not by the backoff. Reads the token again
 * after a 401. */
bool watch_may_hurry(struct k8s_watch *w, const struct stream_end *end);

/* Opens the stream at once where it may; else says that it is not up, and calls `later` by the backoff. */
void watch_open_again(struct k8s_watch *w, const struct stream_end *end,
		      void (*later)(struct k8s_watch *w));

/* Opens the stream: at once, or when fewer others are opening. */
void stream_open(struct k8s_watch *w);
void stream_close(struct k8s_watch *w);

/* Closes it as STREAM_SILENT. */
void stream_drop_silent(struct k8s_watch *w);
