/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Requests as watches use them; for the files of k8s/ alone. */

#include "k8s/client.h"

/* What a LIST is told on the way; each may free the request. */
struct request_items {
	void (*on_item)(void *arg, const struct json *item, int64_t at_ms);
	void (*on_bad)(void *arg, const struct err *e);
};

/* As k8s_request_start; with items the answer's "items" are told one by one, and are not in the
 * object that done gets. */
int request_start_list(struct k8s_client *c, const struct k8s_call *call,
		       const struct request_items *items, k8s_done_fn done, void *arg,
		       struct k8s_request **ret, struct err *e) _must_check_;

/* As k8s_request_start; waits behind no other request, neither in the queue nor for a connection. */
int request_start_urgent(struct k8s_client *c, const struct k8s_call *call, k8s_done_fn done,
			 void *arg, struct k8s_request **ret, struct err *e) _must_check_;

void request_pump(void *client);
