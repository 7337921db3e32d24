/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What becomes of the hand, of its head and of the work under way when one of the two ends. */

#include "hand/connect.h"
#include "hand/server.h"
#include "tests/lib/one_hand.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void count_answer(void *arg, const struct hand_reply *reply _unused_, int memfd _unused_)
{
	++*(unsigned *)arg;
}

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
	unsigned old = 0, new = 0, answers = 0;

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

		assert_int_equal(
		    hand_client_send(h.client, &r, memfd, count_answer, &answers, NULL, &e), 0);
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
		unsigned answered = 0;
		int memfd;
		struct hand_request r = hands_publish_request(ref, n, 10 + (unsigned)n, &memfd);
		pid_t pid = 0;
		struct err e;

		assert_int_equal(
		    hand_client_send(h.client, &r, memfd, count_answer, &answered, NULL, &e), 0);
		for (int64_t end_ms = now_ms() + SECOND_MS; pid == 0 && now_ms() < end_ms;)
			pid = child_of(h.pid);
		if (pid > 0 && kill(pid, SIGSTOP) == 0 && hands_seen(&h, ref) != n) {
			*ret_n = n;
			return pid;
		}
		if (pid > 0)
			kill(pid, SIGCONT);
		hands_wait_count(&h, &answered, 1, 10 * SECOND_MS);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(hands_end_is_told_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(heads_end_ends_the_hand, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(F1_term_finishes_what_is_under_way, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(F1_term_waits_for_an_operation_that_takes_long, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server", tests, NULL, NULL);
}
