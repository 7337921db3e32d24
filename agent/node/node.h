/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The node agent: the composition root of `certhup node`. Builds every part, runs the loop, and takes it all down in order.
 */

#include "cert/gate.h"

/* Strings are borrowed and outlive the call; NULL where the default is meant. */
struct node_options {
	const char *node_name;  /* required: whose pods these are */
	const char *kubeconfig; /* NULL: in cluster, or as kubectl finds it */
	const char *context;
	bool use_proxy_env;
	const char
	    *kubelet_root;       /* NULL: /var/lib/kubelet; for a hand that is started as a child */
	const char *driver;      /* NULL: csi.certhup.io; names the state directory */
	const char *cgroup_root; /* NULL: /sys/fs/cgroup; for a hand that is started as a child */
	const char *hand_program; /* NULL: certhup-hand beside our own program */
	const char *
	    hand_socket; /* NULL: start the hand as a child; else connect to it, and again when it goes */
	uint32_t
	    hand_uid; /* the only uid of a hand on hand_socket that is spoken to; (uint32_t)-1: any */
	const char *status_socket;                    /* NULL: /run/certhup/status.sock; "": none */
	const char *metrics_listen;                   /* NULL: ":9402"; "": none */
	int watch_timeout_min_s, watch_timeout_max_s; /* 0: LIMIT_WATCH_TIMEOUT_* */
	int64_t default_splay_ms;                     /* what a pod does not say */
	int64_t default_settle_ms;                    /* -1: 5 s, 30 s with a probe */
	int64_t default_min_interval_ms;              /* 0: the floor of 1 s */
	int64_t uid, gid; /* to change to when started as root; -1: stay */
	bool no_sandbox;  /* tests under a debugger only */
	struct gate_policy policy;
};

/*
 * Runs until SIGTERM or SIGINT (0), or until something is wrong that no waiting mends (-1): the hand that is our child died, an address is in
 * use, the configuration is none.
 */
int node_run(const struct node_options *options, struct err *e) _must_check_;
