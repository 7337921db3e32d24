/* SPDX-License-Identifier: Apache-2.0 */
#include "command/wait_for.h"

#include "base/clock.h"
#include "command/directory.h"
#include "command/exits.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

/*
 * It looks four times a second instead of watching: inotify is the hand's, and a container that
 * holds its pod for a moment is not worth a second process.
 */
#define LOOK_MS 250

struct wait {
	const char *dir;
	const struct fingerprint *leaf; /* NULL: any */
	struct gate *gate;
	int64_t end_ms;
};

/* CODE_DONE, CODE_NEVER (nothing there yet) or CODE_UNFIT, with a sentence in e. */
static int look(const struct wait *w, struct err *e)
{
	_cleanup_volume_ struct volume v = {.fd = -1};
	_cleanup_content_ struct content files = {0};
	_cleanup_content_ struct content pair = {0};
	const struct gate_context context = {.wall_ms = clock_wall_ms(clock_system()),
					     .allow_ca = true};
	char generation[GENERATION_NAME];
	struct gate_verdict verdict;

	if (volume_open_path(w->dir, &v, e) < 0 ||
	    volume_read(&v, NULL, &files, generation, e) < 0 || pair_find(&files, &pair, e) < 0)
		return CODE_NEVER;
	if (gate_judge(w->gate, &pair, &context, &verdict, e) < 0)
		return CODE_NEVER;
	if (verdict.reason == REASON_NONE && w->leaf &&
	    !fingerprint_equal(w->leaf, &verdict.leaf.leaf)) {
		err_set(e, ERR_NOT_FOUND, "the pair that is there is another one");
		return CODE_NEVER;
	}
	if (verdict.reason == REASON_NONE)
		return CODE_DONE;
	err_set(e, ERR_INVALID, "the pair is unfit (%s): %s. %s", reason_code(verdict.reason),
		verdict.detail, reason_advice(verdict.reason));
	return CODE_UNFIT;
}

/* Sleeps; returns the number of the signal that came, or 0. */
static int nap(const sigset_t *signals, int64_t ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int r = sigtimedwait(signals, NULL, &time);

	return r > 0 ? r : 0;
}

static int wait_until(const struct wait *w, const sigset_t *signals, struct err *e)
{
	int signal;

	for (;;) {
		int code = look(w, e);
		int64_t left = w->end_ms - clock_mono_ms(clock_system());

		if (code == CODE_DONE)
			return code;
		if (left <= 0) {
			err_add(e, "the time is over, and %s has no%s pair", w->dir,
				w->leaf ? " new" : "");
			if (code == CODE_NEVER) {
				err_tail(e,
					 "does certhup node run on this node, and does the pod's "
					 "annotation certhup.io/volumes name the volume?");
				directory_hint(w->dir, e);
			}
			return code;
		}
		signal = nap(signals, left < LOOK_MS ? left : LOOK_MS);
		if (signal) {
			err_set(e, ERR_CANCELLED, "stopped by signal %d before a pair came to %s",
				signal, w->dir);
			return CODE_FAILURE;
		}
	}
}

int wait_for(const char *dir, const struct fingerprint *leaf, int64_t timeout_ms, struct err *e)
{
	_cleanup_(gate_freep) struct gate *gate = NULL;
	static const struct gate_policy any;
	struct wait w = {
	    .dir = dir,
	    .leaf = leaf,
	    .end_ms = timeout_ms ? clock_mono_ms(clock_system()) + timeout_ms : INT64_MAX,
	};
	sigset_t signals;
	sigset_t before;
	int code;

	if (gate_new(&any, &gate, e) < 0)
		return CODE_FAILURE;
	w.gate = gate;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &before);
	code = wait_until(&w, &signals, e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}
