/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/multi.h"

#include "base/limits.h"

struct multi {
	CURLM *curl;
	struct loop *loop;
	struct loop_timer *timer;
	TAILQ_HEAD(, multi_job) ready;
	bool is_running; /* callbacks are ... */
	bool is_doomed;  /* ... and one of them freed it */
};

/* A descriptor that libcurl wants to hear of. */
struct multi_socket {
	struct multi *multi;
	struct loop_io *io;
	curl_socket_t fd;
};

static void run_ready(struct multi *m)
{
	struct multi_job *job;

	m->is_running = true;
	while ((job = TAILQ_FIRST(&m->ready))) {
		TAILQ_REMOVE(&m->ready, job, next);
		job->is_queued = false;
		job->run(job);
	}
	m->is_running = false;
	if (m->is_doomed)
		multi_free(m);
}

/* Lets libcurl work, then does what became due. */
static void act(struct multi *m, curl_socket_t fd, int what)
{
	struct multi_job *job;
	CURLMsg *message;
	int running;
	int left;

	curl_multi_socket_action(m->curl, fd, what, &running);
	while ((message = curl_multi_info_read(m->curl, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job);
		job->ended = true;
		job->result = message->data.result;
		multi_ready(m, job);
	}
	run_ready(m);
}

static void socket_ready(void *arg, int events)
{
	struct multi_socket *s = arg;

	act(s->multi, s->fd,
	    (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
		(events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static void timer_due(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void socket_free(struct multi *m, struct multi_socket *s)
{
	if (!s)
		return;
	curl_multi_assign(m->curl, s->fd, NULL);
	loop_io_free(s->io);
	free(s);
}

static int on_socket(CURL *easy _unused_, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	int events =
	    (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);
	struct multi_socket *s = socket_arg;
	struct multi *m = arg;
	struct err e;

	if (what == CURL_POLL_REMOVE) {
		socket_free(m, s);
		return 0;
	}
	if (s)
		return loop_io_set(s->io, events, &e);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -1;
	s->multi = m;
	s->fd = fd;
	if (loop_io_new(m->loop, fd, events, socket_ready, s, &s->io, &e) < 0) {
		free(s);
		return -1;
	}
	curl_multi_assign(m->curl, fd, s);
	return 0;
}

static int on_timer(CURLM *curl _unused_, long after_ms, void *arg)
{
	struct multi *m = arg;

	if (after_ms < 0)
		loop_timer_stop(m->timer);
	else
		loop_timer_set(m->timer, after_ms);
	return 0;
}

int multi_new(struct loop *loop, long max_connections, struct multi **ret, struct err *e)
{
	struct multi *m = calloc(1, sizeof(*m));

	if (!m)
		return err_sys(e, "make a libcurl multi handle");
	m->loop = loop;
	TAILQ_INIT(&m->ready);
	m->curl = curl_multi_init();
	if (!m->curl) {
		multi_free(m);
		return err_set(e, ERR_EXHAUSTED, "make a libcurl multi handle");
	}
	if (loop_timer_new(loop, timer_due, m, &m->timer, e) < 0) {
		multi_free(m);
		return -1;
	}
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_MAX_HOST_CONNECTIONS, max_connections);
	if (max_connections)
		curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, max_connections);
	*ret = m;
	return 0;
}

struct multi *multi_free(struct multi *m)
{
	if (m && m->is_running) {
		m->is_doomed = true;
	} else if (m) {
		if (m->curl)
			curl_multi_cleanup(m->curl);
		loop_timer_free(m->timer);
		free(m);
	}
	return NULL;
}

int multi_add(struct multi *m, struct multi_job *job, struct err *e)
{
	CURLMcode r;

	curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job);
	r = curl_multi_add_handle(m->curl, job->easy);
	if (r != CURLM_OK)
		return err_set(e, ERR_INTERNAL, "start a transfer: %s", curl_multi_strerror(r));
	job->is_added = true;
	return 0;
}

void multi_remove(struct multi *m, struct multi_job *job)
{
	if (job->is_queued)
		TAILQ_REMOVE(&m->ready, job, next);
	job->is_queued = false;
	if (job->is_added)
		curl_multi_remove_handle(m->curl, job->easy);
	job->is_added = false;
}

void multi_ready(struct multi *m, struct multi_job *job)
{
	if (!job->is_queued)
		TAILQ_INSERT_TAIL(&m->ready, job, next);
	job->is_queued = true;
}
