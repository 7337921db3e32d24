/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One HTTP exchange with the API server, its answer parsed as it comes; for the files of k8s/ alone.
 * Nothing is tried again here.
 */

#include "k8s/config_internal.h"
#include "k8s/json_stream.h"
#include "k8s/multi.h"

struct transfer;

struct transfer_call {
	const char *verb;
	const char *target; /* path and query */
	const char *body;   /* or NULL */
	size_t body_len;
	const char *content_type;
	const char *accept;
	const char *user_agent;
	enum json_stream_mode mode; /* of a 2xx answer; JSON_STREAM_MANY is a watch */
	bool
	    fresh; /* on a connection of its own that is closed after it: the server is said to drop
		     * one on which a token was refused */
	int64_t timeout_ms;
};

struct transfer_end {
	int code;                    /* HTTP status, 0 when none came */
	const struct err *e;         /* what broke off the exchange, or NULL */
	bool no_connection;          /* it broke before anything was sent */
	const struct json *document; /* the answer, or NULL; a list's without its items */
	const char *text;            /* how an answer that is no 2xx begins */
	int64_t retry_after_ms;      /* -1 when the server said nothing */
};

/* Each may free the transfer. After on_end nothing more comes. */
struct transfer_callbacks {
	void (*on_status)(void *arg, int code); /* the headers are there; or NULL */
	void (*on_value)(void *arg, const struct json *value, int64_t at_ms); /* watch: an event,
									       * list: an item */
	void (*on_bad)(void *arg, const struct err *e); /* one of these was refused */
	void (*on_end)(void *arg, const struct transfer_end *end);
};

/* The call is borrowed until this returns. Errors: of the credentials; EXHAUSTED. */
int transfer_start(struct multi *m, struct loop *loop, struct k8s_config *config,
		   const struct transfer_call *call, struct transfer **ret,
		   struct err *e) _must_check_;
/* To be called right after it: nothing comes before the loop runs. */
void transfer_listen(struct transfer *t, const struct transfer_callbacks *callbacks, void *arg);
struct transfer *transfer_free(struct transfer *t);

/* Monotonic time at which a byte came last, or at which it was started. */
int64_t transfer_last_byte(const struct transfer *t);
