/* SPDX-License-Identifier: Apache-2.0 */
/* A volume that its pod may have changed is looked at, and written again where it was. */
#include "road/binding.h"

#include "base/log.h"
#include "report/counts.h"

static void on_verified(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct binding *b = arg;

	b->call = NULL;
	if (reply->err.kind == ERR_NONE && !reply->intact) {
		metric_add(&count_repairs, 1, NULL);
		binding_event(b, EVENT_VOLUME_DAMAGED,
			      "The files of volume %s were changed in the pod; they are written "
			      "again. Mount the volume read-only.",
			      b->spec.ref.name);
		b->force = true;
		b->want = true;
	} else if (reply->err.kind == ERR_NONE && reply->mended) {
		metric_add(&count_repairs, 1, NULL);
	}
	reload_go_on(b);
	binding_go_on(b);
}

void binding_verify(struct binding *b)
{
	struct hand_request rq = binding_request(b, HAND_VERIFY);
	struct err e;

	b->verify_due = b->has_record;
	if (!b->has_record || b->call || !b->road->hand_up)
		return;
	if (b->road->ops->hand_send(b->road->arg, &rq, -1, on_verified, b, &b->call, &e) == 0)
		b->verify_due = false;
	else
		log_warn("volume.unverified", L_STR(LOG_VOLUME, b->spec.ref.name), L_ERR(&e));
}
