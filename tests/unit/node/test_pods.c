/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pods of a node, watched at a stand-in API server and put on a road without stations.
 */

#include "node/pods.h"

#include "base/log.h"
#include "tests/lib/bench.h"
#include "tests/lib/standin.h"
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

struct scene {
	struct standin s;
	struct bench b;
	struct world w;
	struct events *events;
	struct pods *pods;
	int log; /* what was logged since the start */
	const char *wanted;
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct pods_options options = {.node_name = "n", .defaults = {.settle_ms = -1}};
	struct err e;

	assert_non_null(s);
	standin_start(&s->s, NULL);
	bench_start(&s->b, s->s.kubeconfig, NULL);
	world_init(&s->w);
	s->log = memfd_create("log", MFD_CLOEXEC);
	assert_true(s->log >= 0);
	log_setup(LOG_LEVEL_WARN, LOG_FORMAT_JSON);
	log_to(s->log);
	options.loop = s->b.loop;
	options.client = s->b.client;
	options.road = s->w.road;
	if (events_new(s->b.loop, s->b.client, "n", &s->events, &e) < 0)
		fail_msg("%s", e.message);
	options.events = s->events;
	if (pods_new(&options, &s->pods, &e) < 0 || pods_start(s->pods, &e) < 0)
		fail_msg("%s", e.message);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	log_to(STDERR_FILENO);
	pods_free(s->pods);
	events_free(s->events);
	close(s->log);
	world_done(&s->w);
	bench_stop(&s->b);
	standin_stop(&s->s);
	free(s);
	return 0;
}

/* A pod that asks for a volume of this name, which it has not. */
static void put(struct scene *s, const char *name, const char *volume)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"annotations\":{"
		 "\"certhup.io/volumes\":\"{\\\"%s\\\":{\\\"secret\\\":\\\"web\\\"}}\"}},"
		 "\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
		 name, volume);
	standin_put(&s->s, text);
}

static size_t count_lines(const struct scene *s, const char *pod)
{
	char part[64];
	char *text = calloc(1, MIB);
	size_t count = 0;

	assert_non_null(text);
	assert_true(pread(s->log, text, MIB - 1, 0) >= 0);
	snprintf(part, sizeof(part), "\"pod\":\"%s\"", pod);
	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		count++;
	free(text);
	return count;
}

static bool is_synced(const void *arg)
{
	const struct scene *s = arg;

	return pods_synced(s->pods);
}

static bool is_told(const void *arg)
{
	const struct scene *s = arg;

	return count_lines(s, s->wanted) > 0;
}

static void pod_that_changes_all_the_time_does_not_fill_the_log(void **state)
{
	struct scene *s = *state;

	assert_true(bench_wait(&s->b, is_synced, s, PATIENCE_MS));
	for (unsigned i = 0; i < 3 * LIMIT_EVENT_BURST; i++) {
		char volume[16];

		snprintf(volume, sizeof(volume), "v%u", i);
		put(s, "noisy", volume);
	}
	/* The others' are told all the same. */
	put(s, "quiet", "v");
	s->wanted = "quiet";
	assert_true(bench_wait(&s->b, is_told, s, PATIENCE_MS));
	assert_int_equal(count_lines(s, "noisy"), LIMIT_EVENT_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(pod_that_changes_all_the_time_does_not_fill_the_log,
					    set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
