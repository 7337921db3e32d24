/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/protocol.h"

#include "base/text.h"

#include <signal.h>
#include <string.h>

const char *hand_op_label(enum hand_op op)
{
	static const char *const labels[HAND_OPS] = {
	    [HAND_NONE] = "none",       [HAND_HELLO] = "hello",   [HAND_ADOPT] = "adopt",
	    [HAND_PUBLISH] = "publish", [HAND_VERIFY] = "verify", [HAND_ROLL_BACK] = "roll-back",
	    [HAND_RETIRE] = "retire",   [HAND_READ] = "read",     [HAND_WATCH] = "watch",
	    [HAND_FIND] = "find",       [HAND_SIGNAL] = "signal", [HAND_MARK] = "mark",
	    [HAND_DAMAGED] = "damaged",
	};

	return (unsigned)op < HAND_OPS ? labels[op] : "unknown";
}

/* A text that ends within its array, has only these characters, and is empty only where that may
 * be. */
static bool text_ok(const char *s, size_t size, const char *allowed, bool may_be_empty)
{
	const char *end = memchr(s, '\0', size);

	return end && strspn(s, allowed) == (size_t)(end - s) && (may_be_empty || end != s);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TEXT_OK(array, allowed, may_be_empty) text_ok(array, sizeof(array), allowed, may_be_empty)

static bool signal_ok(int32_t signal)
{
	return signal == SIGHUP || signal == SIGUSR1 || signal == SIGUSR2;
}

static int check_publish(const struct hand_publish *p, struct err *e)
{
	if (!TEXT_OK(p->pod_namespace, LOWER "-", false) ||
	    !TEXT_OK(p->pod_name, LOWER "-.", false) || !TEXT_OK(p->secret, LOWER "-.", true) ||
	    !TEXT_OK(p->secret_uid, LOWER UPPER "-", true))
		return err_set(e, ERR_INVALID, "a name in the request is none");
	if (!TEXT_OK(p->resource_version, "0123456789", true) ||
	    (p->resource_version[0] && !text_is_rv(p->resource_version)))
		return err_set(e, ERR_INVALID, "the request's resourceVersion is none");
	if (!fingerprint_is_set(&p->content))
		return err_set(e, ERR_INVALID, "the request has no fingerprint");
	/* chown takes the highest number for "leave it". */
	if (p->owner.uid == UINT32_MAX || p->owner.gid == UINT32_MAX || p->owner.mode > 0777)
		return err_set(e, ERR_INVALID, "the request's owner or mode is none");
	if (p->owed_signal != 0 && !signal_ok(p->owed_signal))
		return err_set(e, ERR_INVALID, "signal %d may not be owed", p->owed_signal);
	if (p->allow_lower > 1)
		return err_set(e, ERR_INVALID, "a flag of the request is neither 0 nor 1");
	return 0;
}

static int check_process(const struct hand_request *r, struct err *e)
{
	const struct process_query *q = &r->process.query;

	if (!TEXT_OK(q->pod_uid, LOWER "-", false) ||
	    !TEXT_OK(q->container_id, "0123456789abcdef", false) ||
	    strlen(q->container_id) != LIMIT_CONTAINER_ID ||
	    !memchr(q->comm, '\0', sizeof(q->comm)))
		return err_set(e, ERR_INVALID, "the request's container or process is none");
	if (strcmp(q->pod_uid, r->volume.pod_uid) != 0)
		return err_set(e, ERR_INVALID, "the request asks for another pod's process");
	if (!signal_ok(r->process.signal) && (r->op != HAND_FIND || r->process.signal != 0))
		return err_set(e, ERR_INVALID, "signal %d may not be sent", r->process.signal);
	return 0;
}

static int check_fields(const struct hand_request *r, struct err *e)
{
	switch ((enum hand_op)r->op) {
	case HAND_PUBLISH:
		return check_publish(&r->publish, e);
	case HAND_FIND:
	case HAND_SIGNAL:
		return check_process(r, e);
	case HAND_ROLL_BACK:
		if (r->roll_back.owed_signal != 0 && !signal_ok(r->roll_back.owed_signal))
			return err_set(e, ERR_INVALID, "signal %d may not be owed",
				       r->roll_back.owed_signal);
		return 0;
	case HAND_RETIRE:
		if (r->retire.previous_only > 1)
			return err_set(e, ERR_INVALID, "a flag of the request is neither 0 nor 1");
		return 0;
	case HAND_WATCH:
		if (r->watch.on > 1)
			return err_set(e, ERR_INVALID, "a flag of the request is neither 0 nor 1");
		return 0;
	case HAND_MARK:
		if (r->mark == 0 || (r->mark & ~(uint32_t)HAND_MARKS))
			return err_set(e, ERR_INVALID, "the request's marks are none");
		return 0;
	case HAND_HELLO:
		if (r->protocol != HAND_PROTOCOL)
			return err_set(e, ERR_INVALID, "protocol %u is asked for, this is %d",
				       r->protocol, HAND_PROTOCOL);
		return 0;
	case HAND_ADOPT:
	case HAND_VERIFY:
	case HAND_READ:
		return 0;
	case HAND_NONE:
	case HAND_DAMAGED:
	case HAND_OPS:
		break;
	}
	return err_set(e, ERR_INVALID, "there is no operation %u", r->op);
}

int hand_request_check(const struct hand_request *r, size_t len, bool has_memfd, struct err *e)
{
	if (len != sizeof(*r) || r->magic != HAND_MAGIC || r->id == 0)
		return err_set(e, ERR_INVALID, "the packet is not a request");
	if (r->op != HAND_HELLO && r->op != HAND_ADOPT && !volume_ref_ok(&r->volume))
		return err_set(e, ERR_INVALID, "the request names no volume");
	if (has_memfd != (r->op == HAND_PUBLISH))
		return err_set(e, ERR_INVALID, "the request has %s descriptor",
			       has_memfd ? "a superfluous" : "no");
	return check_fields(r, e);
}

int hand_reply_check(const struct hand_reply *r, size_t len, struct err *e)
{
	const struct record *rec = &r->record;

	if (len != sizeof(*r) || r->magic != HAND_MAGIC || r->op == HAND_NONE || r->op >= HAND_OPS)
		return err_set(e, ERR_INVALID, "the packet is not a reply");
	if ((unsigned)r->err.kind >= ERR_KINDS || r->signal_result >= SIGNAL_RESULTS ||
	    !memchr(r->err.message, '\0', sizeof(r->err.message)) ||
	    !memchr(r->process.comm, '\0', sizeof(r->process.comm)))
		return err_set(e, ERR_INVALID, "a field of the reply is out of range");
	if (!r->has_record && r->op != HAND_DAMAGED)
		return 0;
	if (!volume_ref_ok(&rec->ref) || !TEXT_OK(rec->pod_namespace, LOWER "-", true) ||
	    !TEXT_OK(rec->pod_name, LOWER "-.", true) || !TEXT_OK(rec->secret, LOWER "-.", true) ||
	    !TEXT_OK(rec->secret_uid, LOWER UPPER "-", true) ||
	    !TEXT_OK(rec->resource_version, "0123456789", true) ||
	    !TEXT_OK(rec->quarantine_rv, "0123456789", true) ||
	    !TEXT_OK(rec->generation, "0123456789abcdef_.", true) ||
	    !TEXT_OK(rec->previous, "0123456789abcdef_.", true))
		return err_set(e, ERR_INVALID, "the reply's record is none");
	return 0;
}
