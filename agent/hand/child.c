/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/clock.h"
#include "base/log.h"
#include "hand/internal.h"
#include "hand/packet.h"
#include "hand/work.h"
#include "sandbox/sandbox.h"
#include "volume/record.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- in the child ---- */

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes everything but the standard descriptors and these. */
static void close_others(int *keep, size_t count)
{
	unsigned from = 3;

	qsort(keep, count, sizeof(keep[0]), by_number);
	for (size_t i = 0; i < count; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned)keep[i] > from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0u, 0);
}

static void tell(int sock, const struct hand_reply *reply, int fd)
{
	struct pollfd p = {.fd = sock, .events = POLLOUT};
	struct err e;
	bool sent = false;

	while (packet_send(sock, reply, sizeof(*reply), fd, &sent, &e) == 0 && !sent)
		poll(&p, 1, -1);
}

static void list_record(void *arg, const struct record *r)
{
	struct hand_reply reply = {
	    .magic = HAND_MAGIC, .op = HAND_ADOPT, .has_record = 1, .record = *r};

	tell(*(int *)arg, &reply, -1);
}

static void list_bad(void *arg, const char *name, const struct err *e)
{
	struct hand_reply reply = {.magic = HAND_MAGIC, .op = HAND_ADOPT, .err = *e};

	log_warn("record.set_aside", L_STR(LOG_PATH, name), L_ERR(e));
	err_add(&reply.err, "record %s was set aside", name);
	tell(*(int *)arg, &reply, -1);
}

static void run_job(const struct server *s, const struct job *job, const struct entry *entry,
		    int sock)
{
	struct work w = {.options = s->options,
			 .request = job->request,
			 .memfd = job->memfd,
			 .charge = job->charge,
			 .memory = entry->memory,
			 .watched = entry->watch_key != 0};

	work_run(&w);
	tell(sock, &w.reply, w.fd);
}

static void run(const struct server *s, const struct child *c, int sock)
{
	struct hand_reply reply = {.magic = HAND_MAGIC, .op = HAND_ADOPT, .last = 1};
	uint32_t op = c->job ? c->job->request.op : HAND_MARK;
	int state_fd = s->options->state_fd;

	if (sandbox_hand_child(work_needs_chown(op), work_needs_kill(op), &reply.err) < 0) {
		tell(sock, &reply, -1);
		return;
	}
	if (c->kind == CHILD_JOB)
		return run_job(s, c->job, c->entry, sock);
	if ((c->kind == CHILD_LIST ? record_each(state_fd, list_record, list_bad, &sock, &reply.err)
				   : record_sync(state_fd, &reply.err)) == 0)
		err_clear(&reply.err);
	tell(sock, &reply, -1);
}

_Noreturn static void child_main(const struct server *s, const struct child *c, int sock,
				 pid_t parent)
{
	const struct hand_options *o = s->options;
	int keep[] = {sock,        c->job ? c->job->memfd : -1, o->tree.pods_fd,
		      o->state_fd, o->host.cgroup_fd,           o->host.proc_fd};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(1);
	close_others(keep, ARRAY_LEN(keep));
	run(s, c, sock);
	_exit(0);
}

/* ---- in the parent ---- */

int64_t server_now(void)
{
	return clock_mono_ms(clock_system());
}

bool child_has_place(const struct server *s, int64_t now_ms)
{
	size_t quick = 0;

	for (size_t i = 0; i < s->child_count; i++)
		quick += now_ms - s->children[i].start_ms < LIMIT_HAND_SLOW_MS;
	return quick < LIMIT_HAND_CHILDREN && s->child_count < LIMIT_HAND_PROCESSES;
}

int child_start(struct server *s, enum child_kind kind, struct job *job, struct entry *entry,
		struct err *e)
{
	struct child *c = &s->children[s->child_count];
	pid_t parent = getpid();
	int pair[2];

	if (s->child_count == LIMIT_HAND_PROCESSES)
		return err_set(e, ERR_EXHAUSTED, "%d operations hang", LIMIT_HAND_PROCESSES);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socket pair for an operation");
	*c = (struct child){
	    .kind = kind, .job = job, .entry = entry, .reply_fd = -1, .connection = s->connection};
	c->pid = fork();
	if (c->pid == 0)
		child_main(s, c, pair[1], parent);
	close(pair[1]);
	if (c->pid < 0) {
		close(pair[0]);
		return err_sys(e, "start the process of an operation");
	}
	c->sock = pair[0];
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0) {
		err_sys(e, "hold the process of an operation");
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		closep(&c->sock);
		return -1;
	}
	c->start_ms = server_now();
	c->deadline_ms = c->start_ms + (s->options->operation_ms ? s->options->operation_ms
								 : LIMIT_HAND_OPERATION_MS);
	s->child_count++;
	return 0;
}

static void take_reply(struct server *s, struct child *c, const struct hand_reply *reply,
		       struct packet *p)
{
	struct err e;

	if (hand_reply_check(reply, p->len, &e) < 0) {
		log_error("operation.nonsense", L_INT(LOG_PID, c->pid), L_ERR(&e));
		return;
	}
	if (c->kind == CHILD_LIST && !reply->last) {
		if (c->connection == s->adoption.connection)
			adopt_listed(s, reply);
		return;
	}
	c->got = true;
	c->reply = *reply;
	closep(&c->reply_fd);
	c->reply_fd = TAKE_FD(p->fd);
}

void child_readable(struct server *s, struct child *c)
{
	while (c->sock >= 0) {
		_cleanup_packet_ struct packet p = {.fd = -1};
		struct hand_reply reply = {0};
		struct err e;

		if (packet_receive(c->sock, &reply, sizeof(reply), &p, &e) < 0 || p.ended)
			closep(&c->sock); /* or poll would report its end again and again */
		else if (p.waiting)
			return;
		else
			take_reply(s, c, &reply, &p);
	}
}

static void finish(struct server *s, struct child *c, const struct err *e)
{
	const struct err *fault = !c->got                         ? e
				  : c->reply.err.kind != ERR_NONE ? &c->reply.err
								  : NULL;

	switch (c->kind) {
	case CHILD_JOB:
		if (c->job)
			dispatch_finished(s, c->entry, TAKE(c->job), c->got ? &c->reply : NULL,
					  TAKE_FD(c->reply_fd), e);
		break;
	case CHILD_LIST:
		if (s->adoption.listing && c->connection == s->adoption.connection)
			adopt_list_ended(s, fault);
		break;
	case CHILD_SYNC:
		s->syncing = false;
		if (fault)
			log_warn("records.not_synced", L_ERR(fault));
		break;
	}
}

void child_ended(struct server *s, struct child *c)
{
	struct child ended;
	siginfo_t info = {0};
	struct err e;

	child_readable(s, c);
	if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return;
	err_set(&e, ERR_INTERNAL, "the operation's process ended with %s %d",
		info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
	ended = *c;
	*c = s->children[--s->child_count];
	closep(&ended.pidfd);
	closep(&ended.sock);
	if (ended.entry)
		table_free_turn(&s->table, ended.entry);
	finish(s, &ended, &e);
	closep(&ended.reply_fd);
	if (ended.entry)
		table_tidy(&s->table, ended.entry);
}

/* The kill may take effect late, or never while its system call hangs; the answer does not wait. */
static void give_up(struct server *s, struct child *c)
{
	struct err e;

	syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
	c->killed = true;
	err_set(&e, ERR_TIMEOUT, "the operation took longer than %lld ms",
		(long long)(c->deadline_ms - c->start_ms));
	child_readable(s, c);
	finish(s, c, &e);
	if (c->entry)
		dispatch_stuck(s, c->entry, &e);
}

void child_check_deadlines(struct server *s, int64_t now_ms)
{
	for (size_t i = 0; i < s->child_count; i++)
		if (!s->children[i].killed && s->children[i].deadline_ms <= now_ms)
			give_up(s, &s->children[i]);
}

void child_kill_all(struct server *s)
{
	for (size_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
		c->job = job_free(c->job);
		closep(&c->pidfd);
		closep(&c->sock);
		closep(&c->reply_fd);
	}
	s->child_count = 0;
}
