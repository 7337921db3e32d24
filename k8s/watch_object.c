/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>

#define TRY_WATCH_EACH 10 /* of the GETs that stand in for a watch that we may not have */

struct object_watch {
	struct k8s_watch base; /* first: the kind's functions get it */
	char *name;
	char *path; /* of the object itself */
	enum {
		UNKNOWN,
		PRESENT,
		ABSENT
	} known;
	char uid[LIMIT_UID + 1]; /* as last told */
	char rv[LIMIT_RESOURCE_VERSION + 1];

	/* A GET beside the stream: asked for, under way, or to be tried again. */
	struct k8s_request *get;
	struct loop_timer *get_timer;
	struct backoff get_backoff;
	bool forced;   /* its answer is told whatever it is */
	bool reopened; /* the watch is asked in its place: it may not be got */
	bool polling;  /* in place of the watch */
	bool polling_told;
	unsigned polls;
};

static struct object_watch *own(struct k8s_watch *w)
{
	return (struct object_watch *)w;
}

static void ask(struct object_watch *o);

static void stop_asking(struct object_watch *o)
{
	o->get = k8s_request_free(o->get);
	loop_timer_stop(o->get_timer);
	o->forced = false;
	o->reopened = false;
}

/* Keeps what identifies the state of the object. Errors: INVALID. */
static int identify(const struct json *object, char uid[static LIMIT_UID + 1],
		    char rv[static LIMIT_RESOURCE_VERSION + 1], struct err *e)
{
	const char *u = json_text(object, "metadata", "uid", NULL);
	const char *r = json_text(object, "metadata", "resourceVersion", NULL);

	if (!u || !r || text_copy(uid, LIMIT_UID + 1, u) < 0 ||
	    text_copy(rv, LIMIT_RESOURCE_VERSION + 1, r) < 0)
		return err_set(e, ERR_INVALID, "an object without a usable uid or resourceVersion");
	return 0;
}

/* True when the watch still exists. */
static bool take(struct object_watch *o, const struct json *object, int64_t at_ms, bool forced)
{
	char uid[LIMIT_UID + 1];
	char rv[LIMIT_RESOURCE_VERSION + 1];
	struct err e;

	if (identify(object, uid, rv, &e) < 0)
		return watch_tell_bad(&o->base, &e);
	if (!forced && o->known == PRESENT && strcmp(uid, o->uid) == 0 && strcmp(rv, o->rv) == 0)
		return true;
	memcpy(o->uid, uid, sizeof(uid));
	memcpy(o->rv, rv, sizeof(rv));
	o->known = PRESENT;
	return watch_tell_object(&o->base, object, at_ms);
}

static bool take_gone(struct object_watch *o, const struct json *object, bool forced)
{
	if (o->known == ABSENT && !forced)
		return true;
	o->known = ABSENT;
	return watch_tell_gone(&o->base, object);
}

static void poll_due(struct k8s_watch *w)
{
	struct object_watch *o = own(w);

	if (++o->polls % TRY_WATCH_EACH == 0)
		stream_open(w);
	else if (!o->get)
		ask(o);
}

/* A GET answered, and its answer was told: what a watch that polls does next. */
static void poll_goes_on(struct object_watch *o)
{
	if (!o->polling) {
		if (o->base.stream == STREAM_OPEN)
			(void)!watch_tell_up(&o->base);
		return;
	}
	if (!o->polling_told)
		log_warn("watch.denied", L_STR(LOG_VERB, "watch"), L_STR(LOG_RESOURCE, o->path),
			 L_INT(LOG_RETRY_MS, o->base.client->times.poll_ms),
			 L_STR(LOG_MESSAGE, "there is a right to get it and none to watch it: it "
					    "is read each minute; allow watch by the same Role"));
	o->polling_told = true;
	watch_after(&o->base, o->base.client->times.poll_ms, poll_due);
	(void)!watch_tell_up(&o->base);
}

static void get_again(void *arg)
{
	ask(arg);
}

static void get_failed(struct object_watch *o, int code, const struct err *e)
{
	int64_t now = loop_now(o->base.client->loop);
	int64_t pause_ms;

	/* There is neither right: the watch is tried again, and begins with what was asked for. */
	if (o->polling && (!o->forced || code == 403)) {
		o->polling = false;
		o->reopened = o->forced;
		watch_retry(&o->base, e, code, -1, stream_open);
		return;
	}
	/* Where there is a right to watch it and none to get it, a new watch begins with its state. */
	if (code == 403 && o->forced && o->known == PRESENT && !o->reopened) {
		o->reopened = true;
		stream_open(&o->base);
		return;
	}
	pause_ms = backoff_fail(&o->get_backoff, now, backoff_random());
	loop_timer_set(o->get_timer, pause_ms);
	/* Who asked for it is told, although the stream goes on: a right that is taken away does not end it. */
	if (code == 403 && (o->forced || o->known == UNKNOWN))
		(void)!watch_tell_denied(&o->base, e, pause_ms);
}

/* A 404 of the API server, not of something that stands in its place. */
static bool says_absent(const struct k8s_answer *answer)
{
	const char *reason = json_text(answer->object, "reason", NULL);

	return answer->code == 404 && reason && strcmp(reason, "NotFound") == 0;
}

static void on_get(void *arg, const struct k8s_answer *answer, const struct err *e)
{
	struct object_watch *o = arg;
	struct k8s_request *done = TAKE(o->get); /* its answer is borrowed until it is freed */
	bool forced = o->forced;
	bool alive = true;

	if (e && !says_absent(answer)) {
		get_failed(o, answer->code, e);
	} else {
		o->forced = false;
		o->reopened = false;
		backoff_good(&o->get_backoff, loop_now(o->base.client->loop));
		if (e)
			alive = take_gone(o, NULL, forced);
		else
			alive = take(o, answer->object, loop_now(o->base.client->loop), forced);
		if (alive)
			poll_goes_on(o);
	}
	k8s_request_free(done);
}

static void ask(struct object_watch *o)
{
	const struct k8s_call call = {.verb = "GET", .path = o->path, .retry = true};
	struct err e;

	loop_timer_stop(o->get_timer);
	o->get = k8s_request_free(o->get);
	if (k8s_request_start(o->base.client, &call, on_get, o, &o->get, &e) < 0)
		get_failed(o, 0, &e);
}

/* The 200 came, and then nothing: absent, or only quiet? */
static void first_event_is_late(struct k8s_watch *w)
{
	if (!own(w)->get)
		ask(own(w));
}

static void on_open(struct k8s_watch *w)
{
	own(w)->polling = false;
	own(w)->polling_told = false;
	watch_after(w, w->client->times.first_event_ms, first_event_is_late);
	(void)!watch_tell_up(w);
}

static void on_event(struct k8s_watch *w, const char *type, const struct json *object,
		     int64_t at_ms)
{
	struct object_watch *o = own(w);
	bool forced = o->reopened;

	if (!watch_tell_up(w))
		return;
	loop_timer_stop(w->timer);
	if (strcmp(type, "BOOKMARK") == 0)
		return;
	/* What the stream says is newer than what an open GET will say. */
	if (!o->forced || forced)
		stop_asking(o);
	if (strcmp(type, "DELETED") == 0)
		(void)!take_gone(o, object, forced);
	else
		(void)!take(o, object, at_ms, forced);
}

static void on_end(struct k8s_watch *w, const struct stream_end *end)
{
	struct object_watch *o = own(w);

	loop_timer_stop(w->timer);
	if (!o->forced)
		stop_asking(o);
	if (end->how == STREAM_REFUSED && end->code == 403) {
		/* No right to watch; perhaps one to get. */
		o->polling = true;
		if (!o->get)
			ask(o);
		return;
	}
	watch_open_again(w, end, stream_open);
}

static int write_query(struct k8s_watch *w, struct buf *b, struct err *e)
{
	if (buf_add_str(b, "&fieldSelector=metadata.name%3D", e) < 0)
		return -1;
	return k8s_escape(b, own(w)->name, e);
}

static void object_free(struct k8s_watch *w)
{
	struct object_watch *o = own(w);

	watch_done(w);
	k8s_request_free(o->get);
	loop_timer_free(o->get_timer);
	free(o->name);
	free(o->path);
	free(o);
}

static int make_path(struct object_watch *o, const char *collection, const char *name,
		     struct err *e)
{
	_cleanup_buf_ struct buf b = {.max = KIB};

	if (buf_add_str(&b, collection, e) < 0 || k8s_path(&b, e, name, NULL) < 0)
		return -1;
	o->path = strdup(buf_str(&b));
	o->name = strdup(name);
	return o->path && o->name ? 0 : err_sys(e, "watch %s", name);
}

int k8s_watch_object(struct k8s_client *c, const char *collection, const char *name,
		     const struct k8s_watch_callbacks *callbacks, void *arg, struct k8s_watch **ret,
		     struct err *e)
{
	static const struct watch_kind kind = {.write_query = write_query,
					       .on_open = on_open,
					       .on_event = on_event,
					       .on_end = on_end,
					       .free = object_free};
	struct object_watch *o = calloc(1, sizeof(*o));

	if (!o)
		return err_sys(e, "watch %s", name);
	backoff_init(&o->get_backoff, c->times.backoff_ms, c->times.backoff_max_ms,
		     LIMIT_BACKOFF_RESET_MS);
	if (watch_init(&o->base, &kind, c, collection, callbacks, e) < 0 ||
	    loop_timer_new(c->loop, get_again, o, &o->get_timer, e) < 0 ||
	    make_path(o, collection, name, e) < 0) {
		object_free(&o->base);
		return -1;
	}
	o->base.arg = arg;
	*ret = &o->base;
	stream_open(&o->base);
	return 0;
}

int k8s_watch_reread(struct k8s_watch *w, struct err *e)
{
	struct object_watch *o = own(w);

	if (w->kind->free != object_free)
		return err_set(e, ERR_INTERNAL, "only the watch of one object reads again");
	ask(o);
	o->forced = true;
	o->reopened = false;
	return 0;
}
