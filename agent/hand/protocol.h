/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What head and hand say to each other over a SOCK_SEQPACKET socket: one fixed-size request a
 * packet, with an id and names and never a path; content as one sealed memfd (see hand/payload.h).
 * Every reply carries the id; the order is free. The hand checks every field and builds every path
 * itself.
 */

#include "base/process.h"
#include "base/record.h"

#define HAND_MAGIC 0x63687570u /* "chup" */
#define HAND_PROTOCOL 1

enum hand_op {
	HAND_NONE,
	HAND_HELLO, /* first request of a connection: protocol number; reply: what the hand can do
		       */
	HAND_ADOPT, /* one reply per record, then one with last set; needed before the first PUBLISH,
		         because the budget counts what is there */
	HAND_PUBLISH,   /* with a memfd; the newest that waits for a volume replaces the ones before
			 (CANCELLED) */
	HAND_VERIFY,    /* look and mend; reply says whether the content is intact */
	HAND_ROLL_BACK, /* to the previous generation; the newer one is quarantined */
	HAND_RETIRE,    /* the pod is gone: remove the record; or remove the previous generation */
	HAND_READ,      /* the current pair, for a mutual-TLS probe; reply has a memfd */
	HAND_WATCH,     /* on or off for one volume; then HAND_DAMAGED notices come */
	HAND_FIND,      /* the process that a signal would go to */
	HAND_SIGNAL,    /* clears what was owed, and notes when */
	HAND_MARK,      /* notes in the record what became of owed and quarantine */
	HAND_DAMAGED,   /* hand to head, id 0: the volume was changed by its pod */
	HAND_OPS
};
const char *hand_op_label(enum hand_op op);

struct hand_publish {
	char pod_namespace[LIMIT_NAMESPACE + 1];
	char pod_name[LIMIT_OBJECT_NAME + 1];
	char secret[LIMIT_OBJECT_NAME + 1];
	char secret_uid[LIMIT_UID + 1];
	char resource_version[LIMIT_RESOURCE_VERSION + 1];
	struct fingerprint content; /* checked against the memfd */
	struct fingerprint leaf;
	int64_t not_after_s;
	struct volume_owner owner;
	int32_t owed_signal; /* 0: none is owed after this swap */
	uint8_t allow_lower; /* a proven reset of resourceVersions: principle 3 */
};

enum hand_mark {
	HAND_MARK_OWED_DONE = 1,
	HAND_MARK_QUARANTINE_LIFT = 2,
	HAND_MARK_SIGNALLED = 4, /* now, by a signal that named another volume of its process */
	HAND_MARKS = 7           /* all of them */
};

struct hand_request {
	uint32_t magic;
	uint32_t op;
	uint64_t id;              /* chosen by the head, not 0 */
	struct volume_ref volume; /* all but HELLO and ADOPT */
	union {
		uint32_t protocol;           /* HELLO */
		struct hand_publish publish; /* PUBLISH */
		struct {                     /* ROLL_BACK */
			int32_t owed_signal; /* as of PUBLISH */
		} roll_back;
		struct { /* RETIRE */
			uint8_t previous_only;
		} retire;
		struct { /* WATCH */
			uint8_t on;
		} watch;
		struct {                            /* FIND, SIGNAL */
			struct process_query query; /* its pod_uid must be volume.pod_uid */
			int32_t signal;
		} process;
		uint32_t mark; /* MARK: bits of enum hand_mark */
	};
};

struct hand_reply {
	uint32_t magic;
	uint32_t op;
	uint64_t id;
	struct err err; /* kind ERR_NONE: done */
	uint8_t last;   /* ADOPT: no more follow */
	uint8_t has_record;
	uint8_t intact;  /* ADOPT, VERIFY */
	uint8_t changed; /* PUBLISH, ROLL_BACK: ..data was swapped, even if err is set */
	uint32_t swept;
	uint32_t mended;
	uint32_t signal_result;        /* FIND, SIGNAL: enum signal_result */
	struct process process;        /* FIND, SIGNAL */
	uint32_t ops;                  /* HELLO: bit per operation that is switched on */
	uint8_t seccomp, landlock_abi; /* HELLO: how far the hand could make itself small */
	int64_t renamed_mono_ms;       /* PUBLISH: CLOCK_BOOTTIME right after the rename */
	struct record
	    record; /* has_record: as it is now. Its ref is set in each reply that concerns
				    a volume, also in failures */
};

/*
 * Every field of a request that its operation uses: range, grammar, NUL at the end. A captured head
 * may send anything. has_memfd: whether one descriptor came with it.
 *
 * Errors: INVALID.
 */
int hand_request_check(const struct hand_request *r, size_t len, bool has_memfd,
		       struct err *e) _must_check_;

/* The same for a reply; the head believes the hand, but not a torn or foreign packet. */
int hand_reply_check(const struct hand_reply *r, size_t len, struct err *e) _must_check_;
