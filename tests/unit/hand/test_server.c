/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/server.h"

#include "base/clock.h"
#include "hand/connect.h"
#include "hand/packet.h"
#include "hand/payload.h"
#include "tests/lib/hands.h"
#include "tests/lib/old_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct hands h;

static int set_up(void **state)
{
	(void)state;
	hands_make(&h);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hands_remove(&h);
	return 0;
}

static void expect(enum err_kind got, enum err_kind want)
{
	if (got != want)
		fail_msg("%s instead of %s: %s", err_meaning(got)->label, err_meaning(want)->label,
			 h.reply.err.message);
}

static int64_t now_ms(void)
{
	return clock_mono_ms(clock_system());
}

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

/* ---- start, adoption, order of the conversation ---- */

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

/* ---- lives that end ---- */

static void hands_end_is_told_at_once(void **state)
{
	int64_t before;

	(void)state;
	hands_start(&h, NULL);
	before = now_ms();
	kill(h.pid, SIGKILL);
	assert_true(hands_wait(&h, &h.lost, SECOND_MS));
	assert_true(now_ms() - before < SECOND_MS);
}

static void heads_end_ends_the_hand(void **state)
{
	struct hand_child child;
	int64_t before;
	int pipes[2];
	int status;
	pid_t head;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	head = fork();
	if (head == 0) {
		const char *const args[] = {"--kubelet-root", h.root, "--log-level", "error", NULL};
		struct err e;

		if (hand_spawn(hands_program(), args, &child, &e) < 0 ||
		    write(pipes[1], &child.pid, sizeof(child.pid)) != sizeof(child.pid))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &child.pid, sizeof(child.pid)), sizeof(child.pid));
	before = now_ms();
	kill(head, SIGKILL);
	assert_int_equal(waitpid(head, NULL, 0), head);
	{
		struct err e;

		assert_int_equal(hand_child_wait(child.pid, 10 * SECOND_MS, &status, &e), 0);
	}
	assert_true(now_ms() - before < 3 * SECOND_MS);
	close(pipes[0]);
	close(pipes[1]);
}

static void F1_term_finishes_what_is_under_way(void **state)
{
	unsigned old = 0, new = 0;

	(void)state;
	hands_start(&h, NULL);
	for (unsigned i = 0; i < 64; i++) {
		struct volume_ref ref = hands_volume(&h, i, NULL);

		expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	}
	for (unsigned i = 0; i < 64; i++) {
		struct volume_ref ref = hands_ref(i);
		int memfd;
		struct hand_request r = hands_publish_request(&ref, 2, 11, &memfd);
		struct err e;

		assert_int_equal(hand_client_send(h.client, &r, memfd, on_adopted,
						  &(struct adopted){0}, NULL, &e),
				 0);
	}
	hand_client_ready(h.client);
	/* Stop when some are done and others wait. */
	for (;;) {
		struct volume_ref first = hands_ref(0);

		if (hands_seen(&h, &first) == 2)
			break;
	}
	kill(h.pid, SIGTERM);
	assert_int_equal(hands_stop(&h), 0);
	for (unsigned i = 0; i < 64; i++) {
		struct volume_ref ref = hands_ref(i);
		char path[PODS_PATH];
		int seen = hands_seen(&h, &ref);

		pods_path(&h.pods, &ref, path);
		assert_true(seen == 1 || seen == 2);
		old += seen == 1;
		new += seen == 2;
		assert_false(has_temporary(path));
		/* Nothing half written is left, also without a repair. */
		assert_int_equal(count_generations(path), seen);
	}
	assert_true(new > 0);
	print_message("%u stayed, %u were finished\n", old, new);
}

/* A child of the hand; 0: none now. */
static pid_t child_of(pid_t pid)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

/* Publishes until an operation is caught under way and stopped. Returns its process, and the number
 * of the pair that it writes. */
static pid_t stop_one(const struct volume_ref *ref, int *ret_n)
{
	for (int n = 2; n < 500; n++) {
		struct adopted answered = {0};
		int memfd;
		struct hand_request r = hands_publish_request(ref, n, 10 + (unsigned)n, &memfd);
		pid_t pid = 0;
		struct err e;

		assert_int_equal(
		    hand_client_send(h.client, &r, memfd, on_adopted, &answered, NULL, &e), 0);
		for (int64_t end_ms = now_ms() + SECOND_MS; pid == 0 && now_ms() < end_ms;)
			pid = child_of(h.pid);
		if (pid > 0 && kill(pid, SIGSTOP) == 0 && hands_seen(&h, ref) != n) {
			*ret_n = n;
			return pid;
		}
		if (pid > 0)
			kill(pid, SIGCONT);
		hands_wait_count(&h, &answered.records, 1, 10 * SECOND_MS);
	}
	fail_msg("no operation could be stopped");
	return 0;
}

static void F1_term_waits_for_an_operation_that_takes_long(void **state)
{
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");
	int64_t end_ms;
	pid_t pid;
	int n = 0;

	(void)state;
	hands_start(&h, NULL);
	expect(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	pid = stop_one(&ref, &n);
	kill(h.pid, SIGTERM);
	for (end_ms = now_ms() + 300; now_ms() < end_ms; poll(NULL, 0, 10))
		assert_int_equal(waitpid(h.pid, NULL, WNOHANG), 0);
	kill(pid, SIGCONT);
	assert_int_equal(hands_stop(&h), 0);
	assert_int_equal(hands_seen(&h, &ref), n);
}

/* ---- a socket that is shared ---- */

static int hear(int fd, struct hand_reply *reply)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct packet packet;
	struct err e;

	assert_int_equal(poll(&p, 1, 10 * SECOND_MS), 1);
	if (packet_receive(fd, reply, sizeof(*reply), &packet, &e) < 0 || packet.ended)
		return -1;
	packet_done(&packet);
	return (int)packet.len;
}

static pid_t listening_hand(const char *uid, char *path, size_t size)
{
	pid_t pid;
	int fd;
	struct err e;

	snprintf(path, size, "%s/hand.sock", h.root);
	pid = fork();
	if (pid == 0) {
		execl(hands_program(), "certhup-hand", "--socket", path, "--head-uid", uid,
		      "--kubelet-root", h.root, "--log-level", "error", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && hand_connect(path, &fd, &e) < 0; i++) {
		fd = -1;
		poll(NULL, 0, 10);
	}
	assert_true(fd >= 0);
	close(fd);
	return pid;
}

static bool greets(int fd)
{
	struct hand_request r = {
	    .magic = HAND_MAGIC, .id = 1, .op = HAND_HELLO, .protocol = HAND_PROTOCOL};
	struct hand_reply reply;
	bool sent;
	struct err e;

	return packet_send(fd, &r, sizeof(r), -1, &sent, &e) == 0 && hear(fd, &reply) > 0 &&
	       reply.err.kind == ERR_NONE;
}

static int connected(const char *path)
{
	struct err e;
	int fd;

	if (hand_connect(path, &fd, &e) < 0)
		fail_msg("%s", e.message);
	return fd;
}

static void one_head_at_a_time_is_served(void **state)
{
	struct hand_reply reply;
	char path[96];
	pid_t pid = listening_hand("0", path, sizeof(path));
	int first, second;

	(void)state;
	first = connected(path);
	assert_true(greets(first));
	second = connected(path);
	assert_true(hear(second, &reply) > 0);
	assert_int_equal(reply.err.kind, ERR_CONFLICT);
	assert_int_equal(hear(second, &reply), -1);
	assert_true(greets(first)); /* it was not disturbed */
	close(second);
	close(first);
	second = connected(path);
	assert_true(greets(second));
	close(second);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void head_of_another_user_is_refused(void **state)
{
	struct hand_reply reply;
	char path[96];
	pid_t pid = listening_hand("4242", path, sizeof(path));
	int fd = connected(path);

	(void)state;
	assert_true(hear(fd, &reply) > 0);
	assert_int_equal(reply.err.kind, ERR_DENIED);
	assert_int_equal(hear(fd, &reply), -1);
	close(fd);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void nonsense_costs_the_connection_only(void **state)
{
	static const char noise[4096] = {1, 2, 3};
	char path[96];
	pid_t pid = listening_hand("0", path, sizeof(path));

	(void)state;
	for (size_t len = 1; len <= sizeof(noise); len *= 4) {
		int fd = connected(path);
		struct hand_reply reply;
		struct err e;
		bool sent;

		assert_int_equal(packet_send(fd, noise, len, -1, &sent, &e), 0);
		assert_int_equal(hear(fd, &reply), -1);
		close(fd);
	}
	{
		int fd = connected(path);

		assert_true(greets(fd));
		close(fd);
	}
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- damage ---- */

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

/* ---- what it is made of ---- */

static void running_hand_has_mapped_no_library_of_the_head(void **state)
{
	static const char *const foreign[] = {"libssl",   "libcrypto",  "libcurl", "libjson-c",
					      "libevent", "libnghttp2", "libyaml", "libprotobuf"};
	char path[32], line[512];
	bool libc = false;
	FILE *f;

	(void)state;
	hands_start(&h, NULL);
	snprintf(path, sizeof(path), "/proc/%d/maps", h.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		libc = libc || strstr(line, "libc.so");
		for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
			if (strstr(line, foreign[i]))
				fail_msg("the hand has mapped %s", line);
	}
	fclose(f);
	assert_true(libc);
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
	    cmocka_unit_test_setup_teardown(hands_end_is_told_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(heads_end_ends_the_hand, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(F1_term_finishes_what_is_under_way, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(F1_term_waits_for_an_operation_that_takes_long, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(one_head_at_a_time_is_served, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(head_of_another_user_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nonsense_costs_the_connection_only, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(own_swaps_are_no_damage_and_the_pods_are, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E5_damage_in_a_loop_is_told_at_a_bounded_rate, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(running_hand_has_mapped_no_library_of_the_head, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(F9_hand_without_seccomp_and_landlock_says_so_and_works,
					    set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server", tests, NULL, NULL);
}
