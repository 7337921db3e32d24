/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What init and sidecar do: the road with one binding, from a Secret that is read with our own
 * right into a directory of our own pod. The hand is an unprivileged child and keeps no record.
 */

#include "command/exits.h"
#include "command/target.h"
#include "road/road.h"

struct delivery;

struct delivery_options {
	const char *kubeconfig; /* NULL: in cluster, or as kubectl finds it */
	const char *context;    /* NULL: the current one */
	const char *namespace_; /* NULL: that of the configuration */
	const char *hand;       /* the program; NULL: certhup-hand beside our own */
	const char *log_level;  /* of the hand */
	const char *log_format;
	bool pod_processes; /* the pod's containers share a process namespace, and one is meant */
	const struct target *target;
	const struct attributes *attributes;
};

/* What keeps it from being delivered, as far as is known now. */
struct delivery_state {
	bool delivered;                 /* at least once */
	bool hand_up;                   /* the hand answers */
	enum exit_code code;            /* what it would mean if the time were over now */
	char problem[ERR_MESSAGE_SIZE]; /* a sentence */
};

struct delivery_events {
	void (*on_delivered)(void *arg);
	void (*on_lost)(void *arg,
			const struct err *e); /* the hand is gone: nothing more can come */
	void *arg;
};

/*
 * Starts, and puts the process into the sandbox of the head: from here on it opens nothing but its
 * credentials, and sees no process. Everything given is copied or borrowed only during the call, but events.
 *
 * Errors: NOT_FOUND, INVALID (configuration), DENIED, EXHAUSTED
 */
int delivery_new(struct loop *loop, const struct delivery_options *options,
		 const struct delivery_events *events, struct delivery **ret,
		 struct err *e) _must_check_;

/* Ends, and waits for the hand: what it was writing is finished, or leaves nothing behind. */
struct delivery *delivery_free(struct delivery *d);

/* Where nothing was heard of the Secret yet it is read now: a watch tells only later that it is not
 * there. */
void delivery_ask(struct delivery *d);

struct delivery_state delivery_state(const struct delivery *d);

/* For what else is asked of the API server with the same right. Borrowed. */
struct k8s_client *delivery_client(const struct delivery *d);
const char *delivery_namespace(const struct delivery *d);

/*
 * Asks the hand for the process that would be signalled, in the pod's shared process namespace.
 * done is called once, unless the delivery is freed first.
 */
int delivery_find(struct delivery *d, const char *comm,
		  void (*done)(void *arg, bool found, const struct err *e), void *arg,
		  struct err *e) _must_check_;
