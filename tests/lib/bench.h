/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An API client on a loop of its own, for tests of k8s/: runs until something is so, and writes down
 * what a watch says.
 */

#include "k8s/client_internal.h"
#include "k8s/watch.h"

struct bench {
	struct clock clock; /* the machine's, ahead by what was turned */
	int64_t ahead_ms;
	struct loop *loop;
	struct loop_timer *tick;
	struct k8s_config *config;
	struct k8s_client *client;
	bool (*is)(const void *arg);
	const void *arg;
	int64_t until_ms;
};

/* Fails the test when it can not; context may be NULL. Backoffs go from 1 to
 * 200 ms. */
void bench_start(struct bench *b, const char *kubeconfig, const char *context);
void bench_stop(struct bench *b);

/* Runs the loop until it is so; false when that took longer. */
bool bench_wait(struct bench *b, bool (*is)(const void *arg), const void *arg, int timeout_ms);
/* Runs the loop for a while. */
void bench_pass(struct bench *b, int ms);
/* Turns the clock by that much, timer by timer, in no time. What others answer meanwhile comes too late:
 * wait for it before. Give or take 20 ms, which pass in between. */
void bench_turn(struct bench *b, int64_t ms);

/* One request to its end. */
struct bench_answer {
	int code;
	struct err e; /* kind NONE: it went well */
	int64_t retry_after_ms;
	char *text; /* the object as JSON, NULL for none; owned */
};
void bench_call(struct bench *b, const struct k8s_call *call, struct bench_answer *ret);
void bench_answer_done(struct bench_answer *a);

/*
 * What a watch said, a line each: "up", "down denied", "object NAME=VALUE" (of the data or
 * annotation k), "gone NAME" ("gone -" without an object), "synced", "bad invalid".
 */
struct diary {
	struct buf text;
	size_t lines;
	struct k8s_watch *watch;
	struct k8s_watch **free_on; /* freed by the callback that writes the line free_at */
	const char *free_at;
	char uid[64]; /* of the last object */
	char rv[64];
};

void diary_init(struct diary *d);
void diary_done(struct diary *d); /* frees the watch too */
extern const struct k8s_watch_callbacks diary_callbacks;

/* Runs until the diary holds the line n times. Fails the test after 20 s. */
void diary_expect(struct diary *d, struct bench *b, const char *line, size_t n);
/* The same for its watch being freed, and for the first of the two. */
void diary_expect_freed(struct diary *d, struct bench *b);
void diary_expect_or_freed(struct diary *d, struct bench *b, const char *line);
size_t diary_count(const struct diary *d, const char *line);
