/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kubernetes Events (events.k8s.io/v1) on Pods: what happened, to which object, what certhup did, what to do. One per change; repeats
 * become a series; a token bucket per object (LIMIT_EVENT_BURST). Never key bytes. Posting never blocks anything and failures are
 * only counted and logged.
 */

#include "k8s/client.h"

struct events;

/* reporting_instance: the node's name; borrowed strings are copied. */
int events_new(struct loop *loop, struct k8s_client *client, const char *reporting_instance,
	       struct events **ret, struct err *e) _must_check_;
struct events *events_free(struct events *ev); /* what was not sent is dropped */

/* The object that an Event is about: a Pod. */
struct event_object {
	const char *namespace_;
	const char *name;
	const char *uid;
};

/* The stable list of reasons (docs/reference.md). id, reason, action, warning. */
#define EVENT_REASONS(X)                                                                           \
	X(ROTATED, "CertificateRotated", "Publish", false)                                         \
	X(REJECTED, "CertificateRejected", "Keep", true)                                           \
	X(SECRET_NOT_FOUND, "SecretNotFound", "Wait", true)                                        \
	X(SECRET_NOT_ALLOWED, "SecretNotAllowed", "Keep", true)                                    \
	X(SECRET_UNREADABLE, "SecretUnreadable", "Wait", true)                                     \
	X(NAMESPACE_NOT_COVERED, "NamespaceNotCovered", "Wait", true)                              \
	X(RV_RESET, "ResourceVersionReset", "Publish", true)                                       \
	X(INVALID_ANNOTATION, "InvalidAnnotation", "Ignore", true)                                 \
	X(NOT_MEMORY_BACKED, "NotMemoryBacked", "Ignore", true)                                    \
	X(NO_START_GATE, "NoStartGate", "Publish", false)                                          \
	X(WORLD_READABLE, "WorldReadable", "Publish", false)                                       \
	X(CONTAINER_AMBIGUOUS, "ContainerAmbiguous", "Ignore", true)                               \
	X(SUBPATH_NEVER_UPDATES, "SubPathNeverUpdates", "Publish", true)                           \
	X(VOLUME_NOT_WRITABLE, "VolumeNotWritable", "Retry", true)                                 \
	X(VOLUME_DAMAGED, "VolumeDamaged", "Repair", true)                                         \
	X(BUDGET_EXCEEDED, "BudgetExceeded", "Keep", true)                                         \
	X(RELOAD_SENT, "ReloadSent", "Signal", false)                                              \
	X(RELOAD_FAILED, "ReloadFailed", "Signal", true)                                           \
	X(RELOAD_UNCONFIRMED, "ReloadUnconfirmed", "Probe", true)                                  \
	X(ADOPTED, "CertificateAdopted", "Probe", false)                                           \
	X(STALE, "CertificateStale", "Signal", true)                                               \
	X(BROKEN, "CertificateBroken", "Probe", true)                                              \
	X(ROLLED_BACK, "CertificateRolledBack", "RollBack", true)

enum event_reason {
#define EVENT_ID(id, reason, action, warning) EVENT_##id,
	EVENT_REASONS(EVENT_ID)
#undef EVENT_ID
	EVENT_REASONS_COUNT
};
const char *event_reason_text(enum event_reason r);

/*
 * Something happened. The same again (object, reason, note) within 6 minutes becomes a count of the
 * same Event; so does another note where 10 of one reason are alive. An object has
 * LIMIT_EVENT_BURST tokens, and one more each LIMIT_EVENT_REFILL_MS; without one it is only counted.
 * note: at most LIMIT_EVENT_NOTE bytes, cut with "..." beyond.
 * False: the object has no token left. What is logged of it may be bounded by that, too.
 */
bool events_post(struct events *ev, const struct event_object *about, enum event_reason reason,
		 const char *note);
