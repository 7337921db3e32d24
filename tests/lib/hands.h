/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A real certhup-hand with a kubelet's root of its own, and a head that waits for each answer.
 * Needs root and pods_namespace. Every function asserts, but for what the hand answers.
 */

#include "hand/client.h"
#include "tests/lib/pods.h"

#include <sys/types.h>

#define HANDS_DAMAGES 64

struct hands {
	char root[32]; /* the kubelet's */
	struct pods pods;
	pid_t pid; /* of the hand; 0: none runs */
	struct hand_client *client;
	bool lost;
	struct err lost_err;
	unsigned damaged;        /* notices so far */
	struct hand_reply reply; /* the last one */
	int memfd;               /* that came with it; -1 */
};

/* Makes the root; the hand is not started yet. */
void hands_make(struct hands *h);
void hands_remove(struct hands *h); /* stops the hand too */

/* The certhup-hand of this build. */
const char *hands_program(void);

/* Starts the hand as a child, says hello and adopts (unless it is the flat kind). args: more flags,
 * NULL-terminated, or NULL. */
void hands_start(struct hands *h, const char *const *args);
/* The same without a word. */
void hands_spawn(struct hands *h, const char *const *args);
/* Closes the connection and waits for its end; the exit status as waitpid gives it. */
int hands_stop(struct hands *h);
/* SIGKILL. */
void hands_kill(struct hands *h);

/* A volume with a tmpfs of its own, or in the pods' tmpfs (options NULL). number: of the pod. */
struct volume_ref hands_ref(unsigned number);
struct volume_ref hands_volume(struct hands *h, unsigned number, const char *options);

/* Sends and waits for the (last) answer, which stays in h->reply; its kind is returned. memfd is
 * owned. */
enum err_kind hands_call(struct hands *h, const struct hand_request *r, int memfd);
/* The operation on a volume, without more. */
enum err_kind hands_ask(struct hands *h, enum hand_op op, const struct volume_ref *ref);

/* What a publish of the pair number n (see pair_content) with resourceVersion "<rv>" looks like. */
struct hand_request hands_publish_request(const struct volume_ref *ref, int n, unsigned rv,
					  int *ret_memfd);
struct hand_request hands_content_request(const struct volume_ref *ref, struct content *c,
					  unsigned rv, int *ret_memfd);
enum err_kind hands_publish(struct hands *h, const struct volume_ref *ref, int n, unsigned rv);

/* The number of the pair that stands in the volume; see pair_seen. */
int hands_seen(const struct hands *h, const struct volume_ref *ref);

/* Lets the client work until *done or the time is over. */
bool hands_wait(struct hands *h, const bool *done, int64_t timeout_ms);
bool hands_wait_count(struct hands *h, const unsigned *count, unsigned atleast, int64_t timeout_ms);
