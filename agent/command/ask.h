/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Requests to the API server for commands that have nothing else to do meanwhile. */

#include "k8s/client.h"

struct asker {
	struct loop *loop;
	struct k8s_config *config;
	struct k8s_client *client;
};

/* kubeconfig: as in struct k8s_config_options. */
int asker_init(struct asker *a, const char *kubeconfig, const char *context,
	       struct err *e) _must_check_;
void asker_done(struct asker *a);
#define _cleanup_asker_ _cleanup_(asker_done)

/*
 * One call, waited for. take gets the object of a good answer, borrowed; NULL: nobody does.
 * Errors: those of k8s_done_fn.
 */
int ask(struct asker *a, const struct k8s_call *call,
	void (*take)(void *arg, const struct json *object), void *arg, struct err *e) _must_check_;
