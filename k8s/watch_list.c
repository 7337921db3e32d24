/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "k8s/known.h"
#include "k8s/metrics.h"
#include "k8s/request.h"
#include "k8s/status.h"
#include "k8s/watch_internal.h"

#include <string.h>

/*
 * The reflector of client-go (tools/cache/reflector.go, tools/pager/pager.go), as a state machine
 * without a cache: LIST, tell all, WATCH from the list's resourceVersion, and by what ended it WATCH
 * or LIST again.
 */
struct list_watch {
	struct k8s_watch base; /* first: the kind's functions get it */
	char *field_selector;  /* or NULL */
	struct known *known;

	char rv[LIMIT_RESOURCE_VERSION + 1]; /* "": none yet */
	enum {
		FROM_CACHE, /* the first list: whatever the server has at hand, perhaps old */
		FROM_LAST,  /* not older than what we saw */
		FROM_STORE  /* what is true now: after "too old" and "too new" */
	} from;

	/* The list under way. */
	struct k8s_request *list;
	char *page;                               /* token of the next page, NULL for the first */
	bool whole;                               /* not in pages: a page had expired */
	char list_rv[LIMIT_RESOURCE_VERSION + 1]; /* of its first page */
};

static struct list_watch *own(struct k8s_watch *w)
{
	return (struct list_watch *)w;
}

static void list(struct list_watch *l);

static void list_due(struct k8s_watch *w)
{
	list(own(w));
}

static void relist(struct list_watch *l)
{
	stream_close(&l->base);
	free(l->page);
	l->page = NULL;
	l->whole = false;
	list(l);
}

static void relist_due(struct k8s_watch *w)
{
	relist(own(w));
}

/* No event and no bookmark: a watch from a resourceVersion that the server will not reach for long
 * (etcd was restored) is accepted, and silent. */
static void quiet_due(struct k8s_watch *w)
{
	struct list_watch *l = own(w);

	metric_add(&metric_restarts, 1, M_LABELS("quiet"));
	l->from = FROM_STORE;
	relist(l);
}

static const char *requested_rv(const struct list_watch *l)
{
	switch (l->from) {
	case FROM_CACHE:
		return "0";
	case FROM_LAST:
		return l->rv;
	case FROM_STORE:
	default:
		return "";
	}
}

static int add_parameter(struct buf *b, const char *name, const char *value, struct err *e)
{
	if (buf_printf(b, e, "%s%s=", b->len ? "&" : "", name) < 0)
		return -1;
	return k8s_escape(b, value, e);
}

static int write_list_query(const struct list_watch *l, struct buf *b, struct err *e)
{
	const char *rv = requested_rv(l);
	/* From a given resourceVersion in pages would go past the server's cache. */
	bool paged = !l->whole && l->from != FROM_LAST;

	if (l->field_selector && add_parameter(b, "fieldSelector", l->field_selector, e) < 0)
		return -1;
	if (paged && buf_printf(b, e, "%slimit=%d", b->len ? "&" : "", LIMIT_LIST_PAGE) < 0)
		return -1;
	if (l->page)
		return add_parameter(b, "continue", l->page, e);
	return *rv ? add_parameter(b, "resourceVersion", rv, e) : 0;
}

static void on_item(void *arg, const struct json *item, int64_t at_ms)
{
	struct list_watch *l = arg;
	struct err e;

	if (known_see(l->known, item, &e) < 0)
		(void)!watch_tell_bad(&l->base, &e);
	else
		(void)!watch_tell_object(&l->base, item, at_ms);
}

static void on_bad_item(void *arg, const struct err *e)
{
	struct list_watch *l = arg;

	(void)!watch_tell_bad(&l->base, e);
}

/* All pages were told. */
static void listed(struct list_watch *l)
{
	struct json *gone;
	bool alive = true;

	memcpy(l->rv, l->list_rv, sizeof(l->rv));
	l->from = FROM_LAST;
	while (alive && (gone = known_take_unseen(l->known))) {
		alive = watch_tell_gone(&l->base, gone);
		json_free(gone);
	}
	if (alive && watch_tell_synced(&l->base))
		stream_open(&l->base);
}

/* A page came. Errors: INVALID. */
static int take_page(struct list_watch *l, const struct json *object, struct err *e)
{
	const char *rv = json_text(object, "metadata", "resourceVersion", NULL);
	const char *next = json_text(object, "metadata", "continue", NULL);
	bool first = !l->page;

	if (first && (!rv || text_copy(l->list_rv, sizeof(l->list_rv), rv) < 0))
		return err_set(e, ERR_INVALID, "%s: a list without a usable resourceVersion",
			       l->base.collection);
	free(l->page);
	l->page = NULL;
	if (next && *next && !(l->page = strdup(next)))
		return err_sys(e, "list %s", l->base.collection);
	return 0;
}

static void list_failed(struct list_watch *l, const struct k8s_answer *answer, const struct err *e)
{
	struct stream_end end = {.how = STREAM_REFUSED, .code = answer->code};
	bool too_large = status_is_too_large_rv(answer->code, answer->object);

	if (answer->code == 410 && l->page && !l->whole) {
		free(l->page);
		l->page = NULL;
		l->whole = true;
		list(l);
		return;
	}
	free(l->page);
	l->page = NULL;
	l->whole = false;
	if ((answer->code == 410 || too_large) && l->from != FROM_STORE) {
		l->from = FROM_STORE;
		list(l);
		return;
	}
	if (answer->code == 401 && watch_may_hurry(&l->base, &end)) {
		list(l);
		return;
	}
	watch_retry(&l->base, e, answer->code, answer->retry_after_ms, list_due);
}

static void on_listed(void *arg, const struct k8s_answer *answer, const struct err *e)
{
	struct list_watch *l = arg;
	struct k8s_request *done = TAKE(l->list); /* its answer is borrowed until it is freed */
	const struct k8s_answer none = {.retry_after_ms = -1};
	struct err bad;

	if (e)
		list_failed(l, answer, e);
	else if (take_page(l, answer->object, &bad) < 0)
		list_failed(l, &none, &bad);
	else if (l->page)
		list(l);
	else
		listed(l);
	k8s_request_free(done);
}

static int start_list(struct list_watch *l, struct err *e)
{
	static const struct request_items items = {.on_item = on_item, .on_bad = on_bad_item};
	_cleanup_buf_ struct buf query = {.max = LIMIT_QUERY};
	struct k8s_call call = {
	    .verb = "GET", .path = l->base.collection, .deadline_ms = LIMIT_LIST_MS};

	if (!l->page)
		known_begin(l->known);
	l->list = k8s_request_free(l->list);
	if (write_list_query(l, &query, e) < 0)
		return -1;
	call.query = buf_str(&query);
	return request_start_list(l->base.client, &call, &items, on_listed, l, &l->list, e);
}

static void list(struct list_watch *l)
{
	struct err e;

	loop_timer_stop(l->base.timer);
	if (start_list(l, &e) < 0)
		watch_retry(&l->base, &e, 0, -1, relist_due);
}

static void on_open(struct k8s_watch *w)
{
	watch_after(w, w->client->times.quiet_ms, quiet_due);
	(void)!watch_tell_up(w);
}

static void on_event(struct k8s_watch *w, const char *type, const struct json *object,
		     int64_t at_ms)
{
	struct list_watch *l = own(w);
	const char *rv = json_text(object, "metadata", "resourceVersion", NULL);
	struct err e;

	watch_after(w, w->client->times.quiet_ms, quiet_due);
	if (!rv || text_copy(l->rv, sizeof(l->rv), rv) < 0) {
		err_set(&e, ERR_INVALID, "an event without a usable resourceVersion");
		(void)!watch_tell_bad(w, &e);
	} else if (strcmp(type, "DELETED") == 0) {
		known_forget(l->known, object);
		(void)!watch_tell_gone(w, object);
	} else if (strcmp(type, "BOOKMARK") != 0) {
		on_item(l, object, at_ms);
	}
}

/* Table 1.5 of the reflector: whether the place in history still holds. */
static bool may_go_on(const struct stream_end *end)
{
	switch (end->how) {
	case STREAM_DONE:
	case STREAM_BROKEN:
	case STREAM_SILENT:
		return true;
	case STREAM_REFUSED:
		return end->code == 0 || end->code == 401 || end->code == 429;
	case STREAM_ERROR:
		return end->code == 429;
	case STREAM_SHORT:
	default:
		return false;
	}
}

static void on_end(struct k8s_watch *w, const struct stream_end *end)
{
	struct list_watch *l = own(w);

	loop_timer_stop(w->timer);
	if (end->too_large_rv)
		l->from = FROM_STORE;
	watch_open_again(w, end, may_go_on(end) ? stream_open : relist_due);
}

static int write_query(struct k8s_watch *w, struct buf *b, struct err *e)
{
	const struct list_watch *l = own(w);

	if (buf_add_str(b, "&allowWatchBookmarks=true", e) < 0 ||
	    add_parameter(b, "resourceVersion", l->rv, e) < 0)
		return -1;
	return l->field_selector ? add_parameter(b, "fieldSelector", l->field_selector, e) : 0;
}

static void list_free(struct k8s_watch *w)
{
	struct list_watch *l = own(w);

	watch_done(w);
	k8s_request_free(l->list);
	known_free(l->known);
	free(l->field_selector);
	free(l->page);
	free(l);
}

int k8s_watch_list(struct k8s_client *c, const char *collection, const char *field_selector,
		   const struct k8s_watch_callbacks *callbacks, void *arg, struct k8s_watch **ret,
		   struct err *e)
{
	static const struct watch_kind kind = {.write_query = write_query,
					       .on_open = on_open,
					       .on_event = on_event,
					       .on_end = on_end,
					       .free = list_free};
	struct list_watch *l = calloc(1, sizeof(*l));

	if (!l)
		return err_sys(e, "watch %s", collection);
	if (field_selector && !(l->field_selector = strdup(field_selector)))
		err_sys(e, "watch %s", collection);
	else if (watch_init(&l->base, &kind, c, collection, callbacks, e) == 0 &&
		 known_new(&l->known, e) == 0 && start_list(l, e) == 0) {
		l->base.arg = arg;
		*ret = &l->base;
		return 0;
	}
	list_free(&l->base);
	return -1;
}
