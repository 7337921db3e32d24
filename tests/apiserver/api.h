/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The server's inside, as its files share it: what there is, and one call on its way from request
 * to answer. apiserver.h is what users of the server include.
 */

#include "tests/apiserver/auth.h"
#include "tests/apiserver/authority.h"
#include "tests/apiserver/failure.h"
#include "tests/apiserver/fault.h"
#include "tests/apiserver/journal.h"
#include "tests/apiserver/route.h"
#include "tests/apiserver/store.h"
#include "tests/apiserver/wire.h"

#include <sys/queue.h>

struct watch;
struct admin;

struct api {
	struct event_base *base;
	struct wire *wire;
	struct authority *authority;
	struct auth *auth;
	struct store *store;
	struct faults *faults;
	struct journal *journal;
	struct admin *admin;
	LIST_HEAD(, watch) watches;
	size_t watch_count;
	int second_ms;    /* how long a second of timeoutSeconds lasts */
	bool silent;      /* on the way down: watches are open and say nothing */
	int list_wait_ms; /* how long a LIST waits for a resourceVersion of the future */
	int bookmark_ms;  /* between two bookmarks of a watch */
};

struct call {
	struct api *api;         /* borrowed */
	struct wire_exchange *x; /* borrowed */
	struct route route;
	struct auth_user user;
	bool pretty;
	bool partial;              /* PartialObjectMetadata was asked for */
	struct json_object *fault; /* owned; NULL: none */
	uint64_t number;           /* in the journal */
	struct watch *watch;       /* owned; NULL: none */
	struct event *timer;       /* owned; put off until then */
	void (*then)(struct call *c);
};

/* api.c: answers. After one of them the call may be gone. */
void call_answer(struct call *c, int code, struct json_object *takes_object);
void call_fail(struct call *c, const struct failure *f);
/* Notes in the journal what is answered. */
void call_status(struct call *c, int code);
/* Runs then after a while, unless the call is over before. */
void call_later(struct call *c, int after_ms, void (*then)(struct call *c));
/* An object as the call shows it, typed or as an item of a list. */
struct json_object *call_show(const struct call *c, struct json_object *stored, bool typed);
/* Parses the body as one JSON object of the resource. */
int call_body(struct call *c, struct json_object **ret, struct failure *f);

/* Who writes, for managedFields. */
#define CALL_MANAGER 128
const char *call_manager(const struct call *c, char ret[static CALL_MANAGER]);

/* read.c */
void read_get(struct call *c);
void read_list(struct call *c);

/* write.c */
void write_create(struct call *c);
void write_update(struct call *c);
void write_patch(struct call *c);
void write_delete(struct call *c);
/* Stores an object whole by its kind, status and all, valid or not: what admin commands do. */
int write_whole(struct api *a, struct json_object *object, struct failure *f);
/* A copy of an object with an RFC 7386 patch in it; the caller owns it. */
struct json_object *write_merged(struct json_object *object, struct json_object *patch);

/* watch.c */
void watch_start(struct call *c);
void watch_free(struct watch *w);
void watch_on_change(void *arg, const struct change *change); /* arg: the api */
/* To all watches whose target contains the path (NULL: all); returns how many there are. */
size_t watch_send_text(struct api *a, const char *path, const char *text);
size_t watch_send_bookmarks(struct api *a, const char *path);
size_t watch_end(struct api *a, const char *path, bool clean, enum wire_end how);

/* review.c */
void review_create(struct call *c);

/* admin.c */
void admin_poke(struct admin *a); /* a request came or was answered */
