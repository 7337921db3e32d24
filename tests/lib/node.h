/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A node for integration tests: a stand-in API server, kubelet's directory on a tmpfs, pods with their cgroups, a real
 * nginx as the workload, and our own programs as processes. Needs root. What goes wrong here fails the test.
 */

#include "tests/lib/cgroups.h"
#include "tests/lib/pki.h"
#include "tests/lib/program.h"
#include "tests/lib/standin.h"

#define NODE_PATH 256
#define NODE_HEAD_UID 64402 /* the default of certhup node --uid */

struct node_scene {
	struct standin api;
	struct pki pki;
	struct test_cgroups cgroups;
	bool has_cgroups;
	struct program head;
	struct program hand; /* where it is a process of its own; else the head's child */
	char root[64];       /* kubelet's root directory */
	char status_socket[128];
	char hand_socket[128];
	char metrics[32]; /* "127.0.0.1:40002" */
};

/* One pod with the memory volume "tls", mounted by its one container. */
struct node_pod {
	struct node_scene *node;
	char name[32];
	char uid[64];
	char container_id[80];
	char volume[NODE_PATH]; /* the path of the volume's directory */
	char cgroup[512];
	struct program nginx;
	uint16_t port;
};

void node_scene_start(struct node_scene *n);
void node_scene_stop(struct node_scene *n);

/* Starts the head, and its hand as its child. more: flags, NULL at the end; or NULL. */
void node_head_start(struct node_scene *n, const char *const *more);
/* The hand as a process of its own, and a head that connects to it. */
void node_hand_start(struct node_scene *n);
void node_head_start_beside(struct node_scene *n, const char *const *more);
void node_head_stop(struct node_scene *n);

/* Issues a pair and puts it into Secret NAME of namespace "default". */
void node_put_secret(struct node_scene *n, const char *name, struct pki_pair *ret);

/* Makes the pod's directories and its object; wishes is the JSON of certhup.io/volumes. It runs only after node_pod_run. */
void node_pod_make(struct node_scene *n, unsigned number, const char *wishes, struct node_pod *ret);
/* Starts an nginx with mutual TLS from the volume in the pod's cgroup, and says so in the pod's status. */
void node_pod_run(struct node_pod *p);
/* The same with a server that takes 1.5 s to read its pair when it is signalled, and says so when it is a mixed one. */
void node_pod_run_slow(struct node_pod *p);
/* The pod's status as it is now: phase and whether its container runs. */
void node_pod_tell(struct node_pod *p, const char *phase, bool running);
void node_pod_delete(struct node_pod *p);

/* Waits until the volume's tls.crt holds this leaf and its key belongs to it; false after timeout_ms. */
bool node_pod_has(const struct node_pod *p, const struct pki_pair *pair, int timeout_ms);
/* Waits until the binding's status has this state, and its fingerprint where pair is not NULL. */
bool node_pod_is(const struct node_pod *p, const char *state, const struct pki_pair *pair,
		 int timeout_ms);
/* Waits until an Event with this reason about the pod was posted. */
bool node_pod_event(const struct node_pod *p, const char *reason, int timeout_ms);
/* The leaf that the pod's nginx serves now. False when the handshake fails. */
bool node_pod_serves(const struct node_pod *p, const struct pki_pair *client,
		     struct fingerprint *ret);

/* What certhup status -o json prints; free it. NULL when it fails. */
char *node_status(const struct node_scene *n);
