/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many bindings on one node: 500 volumes of 500 Secrets, and 50 pods that share one.
 */

#include "base/clock.h"
#include "tests/lib/node.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MANY 500
#define SHARING 50
#define SOON_MS 60000
#define IDLE_S 10
#define REST_S 5

struct crowd {
	struct node_scene node;
	struct node_pod pods[MANY];
	struct pki_pair pairs[MANY];
};

static int set_up(void **state)
{
	struct crowd *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	*state = c;
	if (geteuid() == 0)
		node_scene_start(&c->node);
	return 0;
}

static int tear_down(void **state)
{
	struct crowd *c = *state;

	if (geteuid() == 0)
		node_scene_stop(&c->node);
	for (size_t i = 0; i < MANY; i++)
		pki_pair_done(&c->pairs[i]);
	free(c);
	return 0;
}

static void needs_root(void)
{
	if (geteuid() == 0)
		return;
	fprintf(stderr, "SKIP: needs root\n");
	skip();
}

/* How often the process went to sleep by itself: each wake-up ends in one. */
static unsigned long sleeps_of(pid_t pid)
{
	char path[64];
	char line[256];
	unsigned long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
			n = strtoul(line + 24, NULL, 10);
	fclose(f);
	return n;
}

/* Waits until the head has nothing to do: some seconds in a row with hardly a wake-up. */
static void wait_for_rest(pid_t pid)
{
	const struct timespec second = {.tv_sec = 1};
	int quiet = 0;

	for (int i = 0; i < 120 && quiet < REST_S; i++) {
		unsigned long before = sleeps_of(pid);

		nanosleep(&second, NULL);
		quiet = sleeps_of(pid) - before <= 1 ? quiet + 1 : 0;
	}
	if (quiet < REST_S)
		fail_msg("the head does not come to rest");
}

static void idle_agent_with_500_secrets_hardly_wakes(void **state)
{
	const struct timespec idle = {.tv_sec = IDLE_S};
	struct crowd *c = *state;
	char wishes[128];
	char secret[32];
	unsigned long before;

	needs_root();
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(secret, sizeof(secret), "web-tls-%u", i);
		snprintf(wishes, sizeof(wishes), "{\"tls\":{\"secret\":\"%s\"}}", secret);
		node_put_secret(&c->node, secret, &c->pairs[i]);
		node_pod_make(&c->node, i, wishes, &c->pods[i]);
	}
	node_head_start(&c->node, NULL);
	for (unsigned i = 0; i < MANY; i++)
		assert_true(node_pod_has(&c->pods[i], &c->pairs[i], SOON_MS));
	wait_for_rest(c->node.head.pid);
	before = sleeps_of(c->node.head.pid);
	nanosleep(&idle, NULL);
	assert_in_range(sleeps_of(c->node.head.pid) - before, 0, IDLE_S);
	/* And none of them was forgotten. */
	pki_pair_done(&c->pairs[MANY - 1]);
	node_put_secret(&c->node, secret, &c->pairs[MANY - 1]);
	assert_true(node_pod_has(&c->pods[MANY - 1], &c->pairs[MANY - 1], SOON_MS));
	for (unsigned i = 0; i < MANY; i++)
		node_pod_delete(&c->pods[i]);
}

static void fifty_pods_follow_one_secret(void **state)
{
	struct crowd *c = *state;

	needs_root();
	node_put_secret(&c->node, "web-tls", &c->pairs[0]);
	for (unsigned i = 0; i < SHARING; i++)
		node_pod_make(&c->node, i, "{\"tls\":{\"secret\":\"web-tls\"}}", &c->pods[i]);
	node_head_start(&c->node, NULL);
	for (unsigned i = 0; i < SHARING; i++)
		assert_true(node_pod_has(&c->pods[i], &c->pairs[0], SOON_MS));
	node_put_secret(&c->node, "web-tls", &c->pairs[1]);
	for (unsigned i = 0; i < SHARING; i++)
		assert_true(node_pod_has(&c->pods[i], &c->pairs[1], SOON_MS));
	assert_int_equal(standin_count(&c->node.api, "watch", "/secrets"), 1);
	assert_int_equal(standin_count(&c->node.api, "list", "/secrets"), 0);
	for (unsigned i = 0; i < SHARING; i++)
		node_pod_delete(&c->pods[i]);
}

/* Another pod of the same name is another pod: it gets its own volume, and the old one's record goes. */
static void pod_that_comes_again_under_its_name_is_served(void **state)
{
	struct crowd *c = *state;

	needs_root();
	node_put_secret(&c->node, "web-tls", &c->pairs[0]);
	node_pod_make(&c->node, 7, "{\"tls\":{\"secret\":\"web-tls\"}}", &c->pods[0]);
	node_head_start(&c->node, NULL);
	assert_true(node_pod_has(&c->pods[0], &c->pairs[0], SOON_MS));
	node_pod_delete(&c->pods[0]);
	node_pod_make(&c->node, 7, "{\"tls\":{\"secret\":\"web-tls\"}}", &c->pods[1]);
	assert_string_not_equal(c->pods[0].uid, c->pods[1].uid);
	assert_true(node_pod_has(&c->pods[1], &c->pairs[0], SOON_MS));
	node_pod_delete(&c->pods[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(idle_agent_with_500_secrets_hardly_wakes, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(fifty_pods_follow_one_secret, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pod_that_comes_again_under_its_name_is_served, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
