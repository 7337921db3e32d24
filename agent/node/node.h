/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The node agent: the composition root of `certhup node`. Builds every part, runs the loop, and takes it all down in order.
 */

#include "cert/gate.h"

struct node;

/* Strings are borrowed and outlive the node; NULL where the default is meant. */
struct node_options {
	const char *node_name;  /* required: whose pods these are */
	const char *kubeconfig; /* NULL: in cluster, or as kubectl finds it */
	const char *context;
	bool use_proxy_env;
	const char *const
	    *hand_args; /* of a hand that is started as our child, NULL-terminated; NULL: none */
	const char *hand_program; /* NULL: certhup-hand beside our own program */
	const char *
	    hand_socket; /* NULL: start the hand as a child; else connect to it, and again when it goes */
	uint32_t
	    hand_uid; /* the only uid of a hand on hand_socket that is spoken to; (uint32_t)-1: any */
	const char *status_socket;                    /* NULL: NODE_STATUS_SOCKET; "": none */
	bool health_only;                             /* no /metrics there */
	const char *metrics_listen;                   /* NULL: NODE_METRICS_LISTEN; "": none */
	int watch_timeout_min_s, watch_timeout_max_s; /* 0: LIMIT_WATCH_TIMEOUT_* */
	int64_t default_splay_ms;                     /* what a pod does not say */
	int64_t default_settle_ms;                    /* -1: 5 s, 30 s with a probe */
	int64_t default_min_interval_ms;              /* 0: the floor of 1 s */
	struct gate_policy policy;
};

#define NODE_STATUS_DIR "/run/certhup"
#define NODE_STATUS_SOCKET NODE_STATUS_DIR "/status.sock"
#define NODE_METRICS_LISTEN ":9402"

/*
 * Starts the hand where it is our child, loads the configuration, listens: all that needs more than the sandbox leaves. Nothing is
 * connected to yet.
 *
 * Errors:  INVALID   an option, the kubeconfig
 *          CONFLICT  an address is in use
 *          NOT_FOUND, DENIED: the hand's program, files
 */
int node_new(const struct node_options *options, struct node **ret, struct err *e) _must_check_;

/*
 * Runs until SIGTERM or SIGINT (0), or until something is wrong that no waiting mends (-1): the hand that is our child died.
 * The sandbox, if any, is put on before.
 */
int node_run(struct node *n, struct err *e) _must_check_;

/* What the head's sandbox could put on, for the status document. */
void node_set_sandbox(struct node *n, bool seccomp, bool landlock);

#define NODE_READ_DIRS 4

/* The directories that are read again later (token, CA): what the sandbox has to leave open. NULL-terminated; borrowed. */
void node_read_dirs(const struct node *n, const char *ret_dirs[NODE_READ_DIRS + 1]);

/* Takes all down; the pods' files stay. Returns NULL. */
struct node *node_free(struct node *n);
