/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What a child of the hand does: one operation on one volume, from its request to its reply. It may
 * block on what a pod did, and may be killed anywhere; the next start repairs.
 */

#include "hand/server.h"

struct work {
	const struct hand_options *options;
	struct hand_request request;
	int memfd;                   /* PUBLISH; borrowed */
	uint64_t charge;             /* PUBLISH: what the record says of the budget */
	const struct record *memory; /* what is remembered where state_fd is -1; NULL: nothing */
	bool watched;                /* what changes the volume has to bring its root, see fd */
	struct hand_reply reply;     /* out */
	int fd;                      /* out: READ: the payload; else the volume's root; owned */
};

/* Which of the hand's capabilities an operation needs. */
bool work_needs_chown(uint32_t op);
bool work_needs_kill(uint32_t op);

/* Fills reply and fd. */
void work_run(struct work *w);

/* What follows is shared by the files work*.c alone. */

/* The volume's record. ret_found false: there is none, or it was damaged and set aside (logged). */
int work_load(const struct work *w, struct record *ret, bool *ret_found,
	      struct err *e) _must_check_;
/* As work_load; none is NOT_FOUND. */
int work_need(const struct work *w, struct record *ret, struct err *e) _must_check_;
int work_store(const struct work *w, const struct record *r, struct err *e) _must_check_;
int work_forget(const struct work *w, struct err *e) _must_check_;
void work_forget_previous(struct record *r);
/* The record that the reply carries. */
void work_tell(struct work *w, const struct record *r);

/* The volume was changed by us: whoever watches it has to do so anew. */
void work_lend(struct work *w, struct volume *v);

int work_publish(struct work *w, struct err *e) _must_check_;
int work_roll_back(struct work *w, struct err *e) _must_check_;
/* ADOPT and VERIFY. */
int work_mend(struct work *w, struct err *e) _must_check_;
