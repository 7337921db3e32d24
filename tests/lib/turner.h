/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Turns a loop in a thread, so that a test can be the other side of a socket. What lives on the
 * loop is made before turner_start and freed after turner_stop. Only for tests that link the head.
 */

#include "base/err.h"

#include <pthread.h>

struct loop;
struct loop_io;

struct turner {
	struct loop *loop; /* the test's */
	struct loop_io *on_stop;
	pthread_t thread;
	int stop[2];
};

void turner_start(struct turner *t, struct loop *loop);
void turner_stop(struct turner *t);
