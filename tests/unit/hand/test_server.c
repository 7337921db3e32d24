/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/server.h"

#include "hand/payload.h"
#include "tests/lib/old_kernel.h"
#include "tests/lib/one_hand.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void publish_writes_the_pair_and_tells_when(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");
	int64_t before = now_ms();

	(void)state;
	hands_start(&h, NULL);
	expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	assert_int_equal(hands_seen(&h, &ref), 1);
	assert_true(h.reply.changed);
	assert_true(h.reply.renamed_mono_ms >= before && h.reply.renamed_mono_ms <= now_ms());
	assert_true(h.reply.has_record);
	assert_string_equal(h.reply.record.resource_version, "10");
	expect(hands_publish(&h, &ref, 2, 11), ERR_NONE);
	assert_int_equal(hands_seen(&h, &ref), 2);
	expect(hands_ask(&h, HAND_READ, &ref), ERR_NONE);
	{
		_cleanup_content_ struct content c = {0};
		struct err e;

		assert_int_equal(payload_read(h.memfd, &c, &e), 0);
		assert_non_null(content_find(&c, "tls.key"));
	}
	assert_int_equal(hands_stop(&h), 0);
}

static void restart_knows_what_was_published(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");

	(void)state;
	hands_start(&h, NULL);
	expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	hands_kill(&h);
	hands_start(&h, NULL);
	expect(hands_publish(&h, &ref, 2, 9), ERR_CONFLICT);
	assert_int_equal(hands_seen(&h, &ref), 1);
	expect(hands_publish(&h, &ref, 2, 11), ERR_NONE);
}

struct adopted {
	unsigned records, intact, errors;
	char said[ERR_MESSAGE_SIZE]; /* of the last error */
	bool done;
};

static void on_adopted(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct adopted *a = arg;

	a->records += reply->has_record;
	a->intact += reply->intact;
	if (reply->err.kind != ERR_NONE) {
		a->errors++;
		memcpy(a->said, reply->err.message, sizeof(a->said));
	}
	a->done = reply->last;
}

static struct adopted adopt(void)
{
	struct hand_request r = {.op = HAND_ADOPT};
	struct adopted a = {0};
	struct err e;

	assert_int_equal(hand_client_send(h.client, &r, -1, on_adopted, &a, NULL, &e), 0);
	assert_true(hands_wait(&h, &a.done, 20 * SECOND_MS));
	return a;
}

static void record_path(const struct volume_ref *ref, char *path, size_t size)
{
	snprintf(path, size, "%s/plugins/csi.certhup.io/state/%s/%s", h.root, ref->pod_uid,
		 ref->name);
}

static void A15_bad_records_are_set_aside_alone(void **state)
{
	static const char *const garbage[] = {"", "{\"garbage", "certhup-record 999\n"};
	char path[256];
	struct adopted a;

	(void)state;
	hands_start(&h, NULL);
	for (unsigned i = 1; i <= 6; i++) {
		struct volume_ref ref = hands_volume(&h, i, NULL);

		expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	}
	hands_kill(&h);
	for (unsigned i = 1; i <= 3; i++) {
		struct volume_ref ref = hands_ref(i);
		int fd;

		record_path(&ref, path, sizeof(path));
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, garbage[i - 1], strlen(garbage[i - 1])),
				 (ssize_t)strlen(garbage[i - 1]));
		close(fd);
	}
	hands_spawn(&h, (const char *const[]){"--log-level", "error", NULL});
	{
		struct hand_request r = {.op = HAND_HELLO, .protocol = HAND_PROTOCOL};

		expect(hands_call(&h, &r, -1), ERR_NONE);
	}
	a = adopt();
	assert_int_equal(a.records, 3);
	assert_int_equal(a.intact, 3);
	assert_int_equal(a.errors, 3);
	assert_non_null(strstr(a.said, "set aside"));
	a = adopt();
	assert_int_equal(a.records, 3);
	assert_int_equal(a.errors, 0);
	for (unsigned i = 1; i <= 6; i++) {
		struct volume_ref ref = hands_ref(i);

		expect(hands_publish(&h, &ref, 2, 11), ERR_NONE);
		assert_int_equal(hands_seen(&h, &ref), 2);
	}
}

static void many_records_are_adopted(void **state)
{
	struct adopted a;

	(void)state;
	hands_start(&h, NULL);
	for (unsigned i = 0; i < 300; i++) {
		struct volume_ref ref = hands_volume(&h, i, NULL);

		expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	}
	a = adopt();
	assert_int_equal(a.records, 300);
	assert_int_equal(a.intact, 300);
}

static void hello_and_adopt_come_first(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, NULL);
	struct hand_request hello = {.op = HAND_HELLO, .protocol = HAND_PROTOCOL};

	(void)state;
	hands_spawn(&h, NULL);
	expect(hands_ask(&h, HAND_VERIFY, &ref), ERR_CONFLICT);
	expect(hands_call(&h, &hello, -1), ERR_NONE);
	assert_true(h.reply.ops & 1u << HAND_PUBLISH);
	assert_true(h.reply.seccomp);
	expect(hands_publish(&h, &ref, 1, 1), ERR_CONFLICT);
	assert_int_equal(hands_seen(&h, &ref), 0);
	adopt();
	expect(hands_publish(&h, &ref, 1, 1), ERR_NONE);
}

static void operations_are_switched_off(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, NULL);

	(void)state;
	hands_start(&h, (const char *const[]){"--ops", "adopt,verify", NULL});
	for (uint32_t op = HAND_PUBLISH; op < HAND_DAMAGED; op++) {
		struct hand_request r = {.op = op, .volume = ref, .mark = 1};
		int memfd = -1;

		if (op == HAND_VERIFY)
			continue;
		if (op == HAND_PUBLISH)
			r = hands_publish_request(&ref, 1, 1, &memfd);
		if (op == HAND_FIND || op == HAND_SIGNAL) {
			r.process.signal = SIGHUP;
			memcpy(r.process.query.pod_uid, ref.pod_uid, sizeof(ref.pod_uid));
			memset(r.process.query.container_id, 'a', LIMIT_CONTAINER_ID);
		}
		expect(hands_call(&h, &r, memfd), ERR_DENIED);
	}
	expect(hands_ask(&h, HAND_VERIFY, &ref), ERR_NOT_FOUND);
	assert_int_equal(hands_seen(&h, &ref), 0);
}

static void own_swaps_are_no_damage_and_the_pods_are(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");
	char path[PODS_PATH + 16];
	char volume[PODS_PATH];

	(void)state;
	hands_start(&h, NULL);
	expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	expect(hands_ask(&h, HAND_WATCH, &ref), ERR_NONE);
	for (int i = 2; i < 8; i++)
		expect(hands_publish(&h, &ref, i, 10 + (unsigned)i), ERR_NONE);
	expect(hands_ask(&h, HAND_VERIFY, &ref), ERR_NONE);
	assert_int_equal(h.damaged, 0);
	pods_path(&h.pods, &ref, volume);
	snprintf(path, sizeof(path), "%s/tls.key", volume);
	assert_int_equal(unlink(path), 0);
	assert_true(hands_wait_count(&h, &h.damaged, 1, 5 * SECOND_MS));
	expect(hands_ask(&h, HAND_VERIFY, &ref), ERR_NONE);
	assert_int_equal(h.reply.mended, 1);
	assert_true(h.reply.intact);
	assert_int_equal(access(path, F_OK), 0);
}

/* Clock ticks of CPU that a process and its dead children took. */
static long cpu_ticks(pid_t pid)
{
	char path[32], text[1024];
	const char *p;
	long sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	p = strrchr(text, ')');
	for (int field = 3; field <= 17 && p; field++) {
		p = strchr(p + 1, ' ');
		if (p && field >= 14)
			sum += strtol(p, NULL, 10);
	}
	return sum;
}

static void E5_damage_in_a_loop_is_told_at_a_bounded_rate(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");
	char path[PODS_PATH + 16], volume[PODS_PATH];
	int64_t end_ms;
	long before;

	(void)state;
	hands_start(&h, NULL);
	expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	expect(hands_ask(&h, HAND_WATCH, &ref), ERR_NONE);
	pods_path(&h.pods, &ref, volume);
	snprintf(path, sizeof(path), "%s/tls.key", volume);
	before = cpu_ticks(h.pid);
	end_ms = now_ms() + 2 * SECOND_MS;
	while (now_ms() < end_ms) {
		for (int i = 0; i < 200; i++) {
			(void)!unlink(path);
			(void)!symlink("..data/tls.key", path);
		}
		hand_client_ready(h.client);
	}
	hands_wait_count(&h, &h.damaged, UINT32_MAX, 200);
	assert_true(h.damaged >= 1);
	assert_true(h.damaged <= LIMIT_REPAIRS_PER_MINUTE + 1);
	/* The loop took all of a core for 2 s; the hand a tenth of that at most. */
	assert_true(cpu_ticks(h.pid) - before < sysconf(_SC_CLK_TCK) / 5);
}

static void on_an_old_kernel(void)
{
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");
	struct hand_request hello = {.op = HAND_HELLO, .protocol = HAND_PROTOCOL};

	assert_int_equal(old_kernel_become(), 0);
	hands_start(&h, NULL);
	expect(hands_call(&h, &hello, -1), ERR_NONE);
	assert_false(h.reply.seccomp);
	assert_int_equal(h.reply.landlock_abi, 0);
	expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	assert_int_equal(hands_seen(&h, &ref), 1);
	assert_int_equal(hands_stop(&h), 0);
}

static void F9_hand_without_seccomp_and_landlock_says_so_and_works(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		on_an_old_kernel();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(publish_writes_the_pair_and_tells_when, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(restart_knows_what_was_published, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A15_bad_records_are_set_aside_alone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(many_records_are_adopted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(hello_and_adopt_come_first, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(operations_are_switched_off, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(own_swaps_are_no_damage_and_the_pods_are, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E5_damage_in_a_loop_is_told_at_a_bounded_rate, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(F9_hand_without_seccomp_and_landlock_says_so_and_works,
					    set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server", tests, NULL, NULL);
}
