/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* The hand while it serves: what the files of the loop share. */

#include "hand/server.h"
#include "hand/table.h"
#include "volume/watch.h"

enum child_kind {
	CHILD_JOB,  /* one operation of one volume */
	CHILD_LIST, /* reads all records */
	CHILD_SYNC  /* makes the records outlive the machine */
};

struct child {
	enum child_kind kind;
	pid_t pid;
	int pidfd;
	int sock;            /* -1: it has said all */
	struct job *job;     /* owned; NULL: answered already, or not a job */
	struct entry *entry; /* borrowed; busy until the child has ended */
	int64_t start_ms, deadline_ms;
	uint64_t connection; /* CHILD_LIST: which head asked */
	bool killed;
	bool got; /* the reply has come */
	struct hand_reply reply;
	int reply_fd;
};

struct outgoing {
	STAILQ_ENTRY(outgoing) link;
	struct hand_reply reply;
	int fd; /* owned */
};
STAILQ_HEAD(outgoing_queue, outgoing);

/* The head's ADOPT: list, then one job per record. */
struct adoption {
	uint64_t id; /* of the request; 0: none is under way */
	uint64_t connection;
	bool listing;
	size_t left; /* jobs that are not done */
	bool once;   /* the records were read since the start */
};

struct server {
	const struct hand_options *options;
	struct table table;
	struct child children[LIMIT_HAND_PROCESSES];
	size_t child_count;
	struct volume_watch *watch; /* NULL: inotify is not to be had */
	int signal_fd;
	int head_fd;         /* -1: no head */
	uint64_t connection; /* counts heads */
	bool greeted;
	bool failed; /* a reply could not be queued: the connection is dropped at the next turn */
	struct outgoing_queue replies;
	size_t reply_count;
	struct adoption adoption;
	int64_t sync_due_ms; /* 0: nothing to sync */
	bool syncing;
	int64_t rearm_due_ms; /* 0, or when the first watch is put on again */
	bool stopping;
	int64_t stop_due_ms;
};

int64_t server_now(void);

/* child.c */
int child_start(struct server *s, enum child_kind kind, struct job *job, struct entry *entry,
		struct err *e) _must_check_; /* takes the job only on success */
void child_readable(struct server *s, struct child *c);
/* Has ended: finishes and removes it; another child may stand in its place then. */
void child_ended(struct server *s, struct child *c);
/* Kills what is over its time. */
void child_check_deadlines(struct server *s, int64_t now_ms);
void child_kill_all(struct server *s);
bool child_has_place(const struct server *s, int64_t now_ms);

/* head.c: the connection */
void head_take(struct server *s, int fd); /* owned; refused when there is one already */
void head_readable(struct server *s);
void head_writable(struct server *s);
void head_drop(struct server *s, const struct err *why);
/* fd is owned; connection: replies to a former head are dropped. */
void head_reply(struct server *s, uint64_t connection, const struct hand_reply *reply, int fd);
void head_reply_error(struct server *s, uint64_t connection, const struct hand_request *request,
		      const struct err *e);

/* dispatch.c: requests to children, and what came of them */
void dispatch_request(struct server *s, const struct hand_request *request, int memfd);
void dispatch_run(struct server *s, int64_t now_ms);
/* reply NULL: the child ended without one, or was killed; e says so then. fd is owned. */
void dispatch_finished(struct server *s, struct entry *entry, struct job *job,
		       const struct hand_reply *reply, int fd, const struct err *e);
/* The child of this volume was killed for its time; what waits behind it is answered as well. */
void dispatch_stuck(struct server *s, struct entry *entry, const struct err *e);
void dispatch_cancel_all(struct server *s);

/* adopt.c */
void adopt_start(struct server *s, const struct hand_request *request);
void adopt_listed(struct server *s, const struct hand_reply *reply);
void adopt_list_ended(struct server *s, const struct err *e); /* e NULL: it was complete */
void adopt_job_done(struct server *s, uint64_t connection);
void adopt_forget(struct server *s); /* the head that asked is gone */

/* watching.c */
void watching_take(struct server *s, int64_t now_ms);
/* fd is owned. */
int watching_add(struct server *s, struct entry *entry, int fd, struct err *e) _must_check_;
void watching_remove(struct server *s, struct entry *entry);
void watching_stop(struct server *s); /* all of them */
void watching_rearm(struct server *s, int64_t now_ms);
void watching_rearmed(struct server *s, struct entry *entry, const struct err *e);
/* Any other operation on the volume is done; fd: it was changed, and this is its root, owned. */
void watching_job_done(struct server *s, struct entry *entry, int fd);
void watching_notice(struct server *s, struct entry *entry, int64_t now_ms);
