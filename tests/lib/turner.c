/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/turner.h"

#include "event/loop.h"

#include <fcntl.h>
#include <unistd.h>

static void *turn(void *arg)
{
	struct turner *t = arg;
	struct err e;

	if (loop_run(t->loop, &e) < 0)
		abort();
	return NULL;
}

static void on_stop(void *arg, int events _unused_)
{
	struct turner *t = arg;

	loop_stop(t->loop);
}

void turner_start(struct turner *t, struct loop *loop)
{
	struct err e;

	t->loop = loop;
	if (pipe2(t->stop, O_CLOEXEC) < 0 ||
	    loop_io_new(loop, t->stop[0], LOOP_READ, on_stop, t, &t->on_stop, &e) < 0 ||
	    pthread_create(&t->thread, NULL, turn, t) != 0)
		abort();
}

void turner_stop(struct turner *t)
{
	if (write(t->stop[1], "x", 1) != 1)
		abort();
	pthread_join(t->thread, NULL);
	t->on_stop = loop_io_free(t->on_stop);
	close(t->stop[0]);
	close(t->stop[1]);
}
