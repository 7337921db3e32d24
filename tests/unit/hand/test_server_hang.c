/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/server.h"

#include "base/clock.h"
#include "tests/lib/one_hand.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Volumes that hold up whoever touches them: what the hand does to its other volumes meanwhile. */

#define OTHERS 200
#ifdef __SANITIZE_ADDRESS__
#define ENTRIES 50000
#else
#define ENTRIES 1000000
#endif

/* A FUSE mount on the volume whose server never answers: it does not even read what it is asked.
 * The descriptor's close ends it. -1: there is no FUSE here. */
static int hang(const struct volume_ref *ref)
{
	char path[PODS_PATH], options[96];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	pods_path(&h.pods, ref, path);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("hang", path, "fuse", 0, options) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void make_entries(const struct volume_ref *ref, unsigned count)
{
	char path[PODS_PATH];
	int dir;

	pods_path(&h.pods, ref, path);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	/* Each looks like a leftover of ours that has to be swept. */
	for (unsigned i = 0; i < count; i++) {
		char name[64];

		snprintf(name, sizeof(name), "..2026_01_02_03_04_05.%032x", i);
		assert_int_equal(symlinkat("x", dir, name), 0);
	}
	close(dir);
}

struct race {
	unsigned done, failed;
	int64_t last_ms; /* when the last one swapped */
};

static void on_published(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct race *race = arg;

	race->done++;
	if (reply->err.kind != ERR_NONE) {
		race->failed++;
		print_message("%s\n", reply->err.message);
	}
	if (reply->renamed_mono_ms > race->last_ms)
		race->last_ms = reply->renamed_mono_ms;
}

static void send_publish(const struct volume_ref *ref, int n, unsigned rv, hand_done_fn done,
			 void *arg)
{
	int memfd;
	struct hand_request r = hands_publish_request(ref, n, rv, &memfd);
	struct err e;

	assert_int_equal(hand_client_send(h.client, &r, memfd, done, arg, NULL, &e), 0);
}

struct stuck {
	bool done;
	struct err err;
};

static void on_stuck(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct stuck *s = arg;

	s->done = true;
	s->err = reply->err;
}

/* Publishes to all others, and tells how long the slowest took. */
static int64_t race_of(int n)
{
	struct race race = {0};
	int64_t start_ms = now_ms();

	for (unsigned i = 0; i < OTHERS; i++) {
		struct volume_ref ref = hands_ref(100 + i);

		send_publish(&ref, n, 10 + (unsigned)n, on_published, &race);
	}
	assert_true(hands_wait_count(&h, &race.done, OTHERS, 20 * SECOND_MS));
	assert_int_equal(race.failed, 0);
	for (unsigned i = 0; i < OTHERS; i++) {
		struct volume_ref ref = hands_ref(100 + i);

		assert_int_equal(hands_seen(&h, &ref), n);
	}
	return race.last_ms - start_ms;
}

/* Starts the hand, and takes the pace of this machine, when nothing hangs. */
static int64_t pace(void)
{
	for (unsigned i = 0; i < OTHERS; i++)
		hands_volume(&h, 100 + i, NULL);
	hands_start(&h, NULL);
	return race_of(1);
}

/* Who is held up waits for the deadline of the operation that hangs; a busy machine costs less. */
static void in_time(int64_t took_ms, int64_t alone_ms)
{
	print_message("%d volumes: alone in %lld ms, now in %lld ms\n", OTHERS, (long long)alone_ms,
		      (long long)took_ms);
	assert_true(took_ms - alone_ms < LIMIT_HAND_OPERATION_MS / 3);
}

static void A16_hung_volume_and_one_of_a_million_entries_hold_nobody_up(void **state)
{
	struct volume_ref hung = hands_volume(&h, 1, NULL);
	struct volume_ref huge = hands_volume(&h, 2, "nr_inodes=2m");
	struct stuck on_hung = {0}, on_huge = {0};
	int64_t start_ms, took_ms, alone_ms;
	int fuse = hang(&hung);

	(void)state;
	if (fuse < 0) {
		fprintf(stderr, "SKIP: no FUSE on this machine\n");
		skip();
	}
	make_entries(&huge, ENTRIES);
	alone_ms = pace();
	start_ms = now_ms();
	send_publish(&hung, 1, 10, on_stuck, &on_hung);
	send_publish(&huge, 1, 10, on_stuck, &on_huge);
	in_time(race_of(2), alone_ms);
	assert_false(on_hung.done);
	/* The huge one gets its pair in one bounded step. */
	assert_true(hands_wait(&h, &on_huge.done, 10 * SECOND_MS));
	if (on_huge.err.kind != ERR_NONE)
		fail_msg("%s", on_huge.err.message);
	assert_int_equal(hands_seen(&h, &huge), 1);
	/* The hung one is given up at its deadline, and named. */
	assert_true(hands_wait(&h, &on_hung.done, 15 * SECOND_MS));
	assert_int_equal(on_hung.err.kind, ERR_TIMEOUT);
	assert_non_null(strstr(on_hung.err.message, hung.pod_uid));
	took_ms = now_ms() - start_ms;
	assert_true(took_ms >= LIMIT_HAND_OPERATION_MS &&
		    took_ms < LIMIT_HAND_OPERATION_MS + 3 * SECOND_MS);
	close(fuse);
}

/* A FUSE server that says hello, then takes each question and keeps it: not even SIGKILL ends who
 * waits for the answer. */
static pid_t swallow(int fuse)
{
	static union {
		struct fuse_in_header header;
		char bytes[256 * KIB];
	} request;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (read(fuse, &request, sizeof(request)) > 0 || errno == EINTR) {
		struct {
			struct fuse_out_header header;
			struct fuse_init_out init;
		} answer = {.header = {.len = sizeof(answer), .unique = request.header.unique},
			    .init = {.major = FUSE_KERNEL_VERSION,
				     .minor = FUSE_KERNEL_MINOR_VERSION,
				     .max_write = 4096}};

		if (request.header.opcode == FUSE_INIT)
			(void)!write(fuse, &answer, sizeof(answer));
	}
	_exit(0);
}

static void E6_process_that_cannot_be_killed_holds_nobody_up(void **state)
{
	struct volume_ref hung = hands_volume(&h, 1, NULL);
	struct stuck first = {0}, second = {0}, third = {0};
	int fuse = hang(&hung);
	int64_t alone_ms;
	pid_t server;

	(void)state;
	if (fuse < 0) {
		fprintf(stderr, "SKIP: no FUSE on this machine\n");
		skip();
	}
	server = swallow(fuse);
	alone_ms = pace();
	send_publish(&hung, 1, 10, on_stuck, &first);
	in_time(race_of(2), alone_ms);
	send_publish(&hung, 2, 11, on_stuck, &second); /* waits behind the first */
	assert_true(hands_wait(&h, &first.done, 15 * SECOND_MS));
	assert_int_equal(first.err.kind, ERR_TIMEOUT);
	assert_true(hands_wait(&h, &second.done, 2 * SECOND_MS));
	assert_int_equal(second.err.kind, ERR_TIMEOUT);
	/* While it has not ended the volume is refused at once. */
	send_publish(&hung, 3, 12, on_stuck, &third);
	assert_true(hands_wait(&h, &third.done, 2 * SECOND_MS));
	assert_int_equal(third.err.kind, ERR_TIMEOUT);
	in_time(race_of(3), alone_ms);
	assert_int_equal(hands_stop(&h), 0); /* and the hand itself ends */
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(fuse);
}

static void E6_twenty_hung_volumes_leave_room_for_others(void **state)
{
	int fuses[20];
	struct stuck stuck[20] = {0};
	int64_t alone_ms;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(fuses); i++) {
		struct volume_ref ref = hands_volume(&h, 1 + i, NULL);

		fuses[i] = hang(&ref);
		if (fuses[i] < 0) {
			fprintf(stderr, "SKIP: no FUSE on this machine\n");
			skip();
		}
	}
	alone_ms = pace();
	for (unsigned i = 0; i < ARRAY_LEN(fuses); i++) {
		struct volume_ref ref = hands_ref(1 + i);

		send_publish(&ref, 1, 10, on_stuck, &stuck[i]);
	}
	in_time(race_of(2), alone_ms);
	for (unsigned i = 0; i < ARRAY_LEN(fuses); i++) {
		assert_false(stuck[i].done);
		close(fuses[i]);
	}
}

static void waiting_publish_is_replaced_by_the_newest(void **state)
{
	struct volume_ref hung = hands_volume(&h, 1, NULL);
	struct volume_ref other = hands_volume(&h, 2, NULL);
	struct stuck first = {0}, second = {0}, third = {0};
	int fuse = hang(&hung);

	(void)state;
	if (fuse < 0) {
		fprintf(stderr, "SKIP: no FUSE on this machine\n");
		skip();
	}
	hands_start(&h, NULL);
	send_publish(&hung, 1, 10, on_stuck, &first);
	assert_int_equal(hands_ask(&h, HAND_VERIFY, &other),
			 ERR_NOT_FOUND); /* so it is under way */
	send_publish(&hung, 2, 11, on_stuck, &second);
	send_publish(&hung, 3, 12, on_stuck, &third);
	assert_true(hands_wait(&h, &second.done, 5 * SECOND_MS));
	assert_int_equal(second.err.kind, ERR_CANCELLED);
	if (first.done)
		fail_msg("%s", first.err.message);
	assert_false(third.done);
	close(fuse); /* who waits is woken */
	assert_true(hands_wait(&h, &third.done, 5 * SECOND_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		A16_hung_volume_and_one_of_a_million_entries_hold_nobody_up, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E6_process_that_cannot_be_killed_holds_nobody_up,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E6_twenty_hung_volumes_leave_room_for_others, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(waiting_publish_is_replaced_by_the_newest, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server_hang", tests, NULL, NULL);
}
