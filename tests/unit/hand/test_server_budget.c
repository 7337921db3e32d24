/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/server.h"

#include "tests/lib/cgroups.h"
#include "tests/lib/one_hand.h"

#include <fcntl.h>
#include <string.h>

static enum err_kind publish_big(unsigned number, const char *namespace, uint8_t fill, unsigned rv)
{
	_cleanup_content_ struct content c = {0};
	struct volume_ref ref = hands_ref(number);
	static char big[MIB - 4096];
	struct hand_request r;
	struct err e;
	int memfd;

	memset(big, fill, sizeof(big));
	assert_int_equal(content_add(&c, "tls.key", big, sizeof(big), &e), 0);
	r = hands_content_request(&ref, &c, rv, &memfd);
	snprintf(r.publish.pod_namespace, sizeof(r.publish.pod_namespace), "%s", namespace);
	return hands_call(&h, &r, memfd);
}

static long oom_kills(const char *group, bool unified)
{
	char path[PATH_MAX + 64], text[4096] = "";
	const char *at;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group,
		 unified ? "memory.events" : "memory.oom_control");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	at = strstr(text, "oom_kill ");
	assert_non_null(at);
	return strtol(at + strlen("oom_kill "), NULL, 10);
}

/*
 * A tmpfs page is charged to who wrote it. With one namespace that publishes 110 MiB and a memory
 * limit that is far below it, the hand lives on, and the others have what they asked for.
 */
static void budget_keeps_the_hand_alive_in_a_memory_limit(void **state)
{
	struct test_cgroups cgroups;
	char group[PATH_MAX], pid[32];
	unsigned refused = 0;
	bool unified = false;

	(void)state;
	if (!test_cgroups_init(&cgroups, "memory")) {
		unified = true;
		if (!test_cgroups_init(&cgroups, "")) {
			fprintf(stderr, "SKIP: no memory cgroup here\n");
			skip();
		}
	}
	snprintf(group, sizeof(group), "%s", test_cgroup_make(&cgroups, "hand"));
	if (!test_cgroup_write(group, unified ? "memory.max" : "memory.limit_in_bytes",
			       "100663296")) {
		test_cgroups_done(&cgroups);
		fprintf(stderr, "SKIP: the memory cgroup takes no limit\n");
		skip();
	}
	for (unsigned i = 0; i < 116; i++)
		hands_volume(&h, i, "size=4m");
	hands_start(&h, NULL);
	snprintf(pid, sizeof(pid), "%d", h.pid);
	assert_true(test_cgroup_write(group, "cgroup.procs", pid));
	for (unsigned round = 0; round < 2; round++) {
		refused = 0;
		for (unsigned i = 0; i < 110; i++) {
			enum err_kind kind =
			    publish_big(i, "greedy", (uint8_t)(round + 1), 10 + round);

			if (kind == ERR_EXHAUSTED)
				refused++;
			else if (kind != ERR_NONE)
				fail_msg("%s", h.reply.err.message);
		}
		/* 32 MiB: 16 volumes with room for a rotation each; and these do rotate. */
		assert_int_equal(refused, 110 - 16);
	}
	for (unsigned i = 110; i < 116; i++)
		if (publish_big(i, "modest", 1, 10) != ERR_NONE)
			fail_msg("%s", h.reply.err.message);
	assert_int_equal(oom_kills(group, unified), 0);
	/* A restart knows what is taken. */
	hands_kill(&h);
	hands_start(&h, NULL);
	assert_int_equal(publish_big(109, "greedy", 1, 12), ERR_EXHAUSTED);
	assert_non_null(strstr(h.reply.err.message, "budget of the namespace"));
	assert_int_equal(publish_big(3, "greedy", 9, 12), ERR_NONE);
	assert_int_equal(hands_ask(&h, HAND_RETIRE, &(struct volume_ref){0}), ERR_INVALID);
	{
		struct volume_ref gone = hands_ref(4);

		assert_int_equal(hands_ask(&h, HAND_RETIRE, &gone), ERR_NONE);
	}
	assert_int_equal(publish_big(109, "greedy", 1, 12), ERR_NONE);
	hands_kill(&h);
	test_cgroups_done(&cgroups);
}

static void budget_by_option_is_obeyed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		hands_volume(&h, i, "size=4m");
	hands_start(&h, (const char *const[]){"--budget-namespace", "100000", NULL});
	assert_int_equal(publish_big(0, "a", 1, 10), ERR_EXHAUSTED);
	{
		struct volume_ref ref = hands_ref(1);

		assert_int_equal(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(budget_keeps_the_hand_alive_in_a_memory_limit, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(budget_by_option_is_obeyed, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server_budget", tests, NULL, NULL);
}
