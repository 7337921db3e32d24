/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What brings a stand-in API server to the state in which an exchange was recorded: a namespace
 * "tr", Secrets a to d, an account and its rights, and what happened while a watch was open.
 */

#include "tests/lib/recording.h"

struct scene {
	struct standin server;
	struct recording recording;
	char rv[24];          /* what takes the place of the recorded resourceVersion */
	char *page;           /* what takes the place of the recorded page token; owned */
	const char *token;    /* NULL: the admin's */
	const char *recorded; /* what is replaced in the target; NULL: nothing */
	const char *is;
	char *body; /* in place of the recorded one; owned */
	size_t body_len;
	const char *header;              /* one more that the recorded request lacks */
	int second_ms;                   /* of a watch's timeoutSeconds */
	void (*during)(struct scene *s); /* while the watch is open */
	bool endless; /* the recording ended by the patience of who recorded it */
};

void scene_add_namespace(struct scene *s);
void scene_secrets(struct scene *s);
void scene_patched_secrets(struct scene *s);
void scene_applied_secrets(struct scene *s);
void scene_later_secrets(struct scene *s);
void scene_second_page(struct scene *s);
void scene_exact_list(struct scene *s);
void scene_too_large_secret(struct scene *s);
void scene_too_large_body(struct scene *s);
void scene_watch_one(struct scene *s);
void scene_watch_http1(struct scene *s);
void scene_watch_label(struct scene *s);
void scene_watch_future(struct scene *s);
void scene_partial_watch(struct scene *s);
void scene_anonymous(struct scene *s);
void scene_bad_token(struct scene *s);
void scene_account_without_rights(struct scene *s);
void scene_account_with_one_name(struct scene *s);
void scene_without_d(struct scene *s);
void scene_watch_stops(struct scene *s);
void scene_old_page(struct scene *s);
void scene_old_list(struct scene *s);
void scene_restarted(struct scene *s);
