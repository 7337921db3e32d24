/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/ask.h"
#include "tests/lib/in_pod.h"

#include "base/clock.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

/*
 * The pod: from the first test of a shared process namespace on, whatever this program starts lives
 * in a namespace whose first process is the sandbox, as kubelet makes it.
 */
static uint16_t port; /* of the sidecar's pages */
static char listen_at[32];
static pid_t sandbox; /* 0: the containers do not share */

static void choose_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	port = ntohs(at.sin_port);
	snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", port);
}

static int setup_pod(void **state _unused_)
{
	in_pod_start(&pod);
	choose_port();
	return 0;
}

static int teardown_pod(void **state _unused_)
{
	int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

	in_pod_stop(&pod);
	if (sandbox) {
		/* The leak checker's helper must not be born into the pod. */
		assert_int_equal(setns(own, CLONE_NEWPID), 0);
		kill(sandbox, SIGKILL);
		waitpid(sandbox, NULL, 0);
	}
	close(own);
	return 0;
}

#define SIDECAR(...) IN_POD("sidecar", "--metrics-listen", listen_at, __VA_ARGS__)

/* Waits until the page answers with the status. */
static bool page_says(const char *path, int status, int timeout_ms)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	int64_t end = clock_mono_ms(clock_system()) + timeout_ms;

	while (clock_mono_ms(clock_system()) < end) {
		_cleanup_buf_ struct buf body;

		buf_init(&body, MIB);
		if (ask_get(port, path, &body) == status)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

static void stop(struct program *p)
{
	program_signal(p, SIGTERM);
	assert_int_equal(program_wait(p, 10000), 0);
}

static void rotations_are_delivered(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	size_t entries;

	program_start(&p, &as_container, SIDECAR("--log-level=debug"));
	for (int i = 0; i < 5; i++) {
		_cleanup_pair_ struct pki_pair pair;
		char line[65];

		in_pod_rotate(&pod, NULL, &pair);
		assert_true(in_pod_holds(&pod, "tls.key", pair.tls_key, 10000));
		assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
		snprintf(line, sizeof(line), "%.64s", strchr(pair.tls_key, '\n') + 1);
		assert_null(strstr(program_err(&p), line));
	}
	stop(&p);
	assert_in_range(in_pod_generations(&pod, &entries), 1, 2);
}

static void startup_page_turns_with_the_first_delivery(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	_cleanup_buf_ struct buf metrics;

	program_start(&p, &as_container, SIDECAR("--timeout=0"));
	assert_true(page_says("/healthz", 200, 10000));
	assert_true(page_says("/startupz", 503, 1000));
	assert_true(page_says("/readyz", 503, 1000));
	in_pod_rotate(&pod, NULL, &pair);
	assert_true(page_says("/startupz", 200, 10000));
	assert_true(page_says("/readyz", 200, 1000));
	buf_init(&metrics, MIB);
	assert_int_equal(ask_get(port, "/metrics", &metrics), 200);
	assert_non_null(
	    strstr(buf_str(&metrics), "certhup_rotations_total{result=\"published\"} 1\n"));
	stop(&p);
}

static void first_pair_that_never_comes_ends_as_init_does(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(program_run(&p, &as_container, SIDECAR("--timeout=4s")), 4);
	assert_non_null(strstr(program_err(&p), "Secret web-tls is not there"));
}

static void unfit_rotation_leaves_the_last_good_pair(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair good;
	_cleanup_pair_ struct pki_pair other;

	in_pod_rotate(&pod, NULL, &good);
	program_start(&p, &as_container, SIDECAR("--timeout=0"));
	assert_true(in_pod_holds(&pod, "tls.crt", good.tls_crt, 10000));
	pki_issue(&pod.pki, NULL, PKI_P256, &other);
	standin_put_tls(&pod.api, "default", "web-tls", other.tls_crt, good.tls_key, NULL);
	assert_true(program_says(&p, "\"certificate.rejected\"", 10000));
	assert_true(in_pod_holds(&pod, "tls.crt", good.tls_crt, 0));
	assert_true(page_says("/readyz", 200, 1000));
	stop(&p);
}

static void hand_that_dies_ends_the_sidecar(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_program_ struct program killer = {0};
	_cleanup_pair_ struct pki_pair pair;
	char parent[16];

	in_pod_rotate(&pod, NULL, &pair);
	program_start(&p, &as_container, SIDECAR("--timeout=0"));
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 10000));
	snprintf(parent, sizeof(parent), "%d", p.pid);
	assert_int_equal(program_run(&killer, NULL, WORDS("/usr/bin/pkill", "-KILL", "-P", parent)),
			 0);
	assert_int_equal(program_wait(&p, 5000), 1);
	assert_non_null(strstr(program_err(&p), "certhup-hand"));
}

static void sandbox_main(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "pause");
	for (;;)
		if (wait(NULL) < 0)
			pause();
}

/* Everything that is started from here on is in the pod's process namespace. */
static void share_processes(void)
{
	if (sandbox)
		return;
	assert_int_equal(unshare(CLONE_NEWPID), 0);
	sandbox = fork();
	assert_true(sandbox >= 0);
	if (sandbox == 0)
		sandbox_main();
}

static bool mount_proc(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("proc", "/proc", "proc", 0, NULL) == 0;
}

/* As kubelet starts it with readOnlyRootFilesystem: only the volume can be written. */
static bool mount_proc_and_lock_root(void)
{
	return mount_proc() && mount(pod.volume, pod.volume, NULL, MS_BIND, NULL) == 0 &&
	       mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0;
}

static const struct program_options in_shared = {.uid = IN_POD_UID, .before = mount_proc};

static int told; /* what the server's handler writes to */

static void on_hup(int signal _unused_)
{
	(void)!write(told, "h", 1);
}

/* A server: a container's process by that name, which says when it got SIGHUP. */
struct server {
	pid_t pid;
	int pipe[2];
};

static void server_main(const struct server *s, unsigned uid, bool handles)
{
	const struct sigaction action = {.sa_handler = on_hup};

	told = s->pipe[1];
	if (handles)
		sigaction(SIGHUP, &action, NULL);
	prctl(PR_SET_NAME, "server");
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)!write(told, "r", 1);
	for (;;)
		pause();
}

static bool server_hears(const struct server *s, char what, int timeout_ms)
{
	struct timeval t = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	fd_set set;
	char c = 0;

	FD_ZERO(&set);
	FD_SET(s->pipe[0], &set);
	return select(s->pipe[0] + 1, &set, NULL, NULL, &t) == 1 && read(s->pipe[0], &c, 1) == 1 &&
	       c == what;
}

static void server_start(struct server *s, unsigned uid, bool handles)
{
	assert_int_equal(pipe2(s->pipe, O_CLOEXEC), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		server_main(s, uid, handles);
	assert_true(server_hears(s, 'r', 5000));
}

static void server_stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	close(s->pipe[0]);
	close(s->pipe[1]);
}

static void F7_reload_without_a_shared_process_namespace_says_so(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(
	    program_run(&p, &as_container, SIDECAR("--reload=signal:HUP", "--process=server")), 1);
	assert_non_null(strstr(program_err(&p), "shareProcessNamespace: true"));
}

static void F7_signal_follows_each_rotation_as_uid_65532_on_a_read_only_root(void **state _unused_)
{
	const struct program_options options = {.uid = IN_POD_UID,
						.before = mount_proc_and_lock_root};
	_cleanup_program_ struct program p = {0};
	_cleanup_(server_stop) struct server s;

	share_processes();
	server_start(&s, IN_POD_UID, true);
	program_start(&p, &options,
		      SIDECAR("--reload=signal:HUP", "--process=server", "--settle=0s"));
	for (int i = 0; i < 3; i++) {
		_cleanup_pair_ struct pki_pair pair;

		in_pod_rotate(&pod, NULL, &pair);
		assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 10000));
		/* The first pair too: the server may have started before it. */
		assert_true(server_hears(&s, 'h', 10000));
	}
	stop(&p);
}

static void F7_process_of_another_uid_cannot_be_signalled_and_that_is_said(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_(server_stop) struct server s;
	_cleanup_pair_ struct pki_pair pair;

	share_processes();
	server_start(&s, IN_POD_OTHER, true);
	in_pod_rotate(&pod, NULL, &pair);
	program_start(&p, &in_shared, SIDECAR("--reload=signal:HUP", "--process=server"));
	assert_true(program_says(&p, "run the sidecar with the uid of the process", 10000));
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
	assert_false(server_hears(&s, 'h', 0));
	stop(&p);
}

static void process_without_a_handler_is_not_killed(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_(server_stop) struct server s;
	_cleanup_pair_ struct pki_pair pair;

	share_processes();
	server_start(&s, IN_POD_UID, false);
	in_pod_rotate(&pod, NULL, &pair);
	program_start(&p, &in_shared, SIDECAR("--reload=signal:HUP", "--process=server"));
	assert_true(program_says(&p, "\"reload.failed\"", 10000));
	assert_non_null(strstr(program_err(&p), "has no handler"));
	assert_int_equal(kill(s.pid, 0), 0);
	assert_int_equal(waitpid(s.pid, NULL, WNOHANG), 0);
	stop(&p);
}

/* ---- --quit-with ---- */

static void put_pod(const char *policy, const char *state)
{
	char object[512];

	snprintf(object, sizeof(object),
		 "{\"kind\": \"Pod\", \"metadata\": {\"name\": \"job-1\"}, \"spec\": "
		 "{\"restartPolicy\": \"%s\", \"containers\": [{\"name\": \"worker\"}, {\"name\": "
		 "\"certhup\"}]}, \"status\": {\"containerStatuses\": [{\"name\": \"worker\", "
		 "\"state\": {%s}}]}}",
		 policy, state);
	standin_put(&pod.api, object);
}

#define RUNNING "\"running\": {}"
#define TERMINATED(code) "\"terminated\": {\"exitCode\": " code "}"

/* An account that may also read pods. */
static const char *kubeconfig_of_pods(void)
{
	static char path[128];

	standin_token(&pod.api, "pods-token", "system:serviceaccount:default:job");
	standin_allow(&pod.api,
		      "{\"user\": \"system:serviceaccount:default:job\", \"verbs\": [\"get\", "
		      "\"watch\"], \"resources\": [\"secrets\", \"pods\"], \"namespace\": "
		      "\"default\"}");
	in_pod_kubeconfig(&pod, "pods-token", path);
	return path;
}

static void quits_with_the_container_by_the_pods_status(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;

	in_pod_rotate(&pod, NULL, &pair);
	put_pod("OnFailure", RUNNING);
	program_start(
	    &p, &as_container,
	    SIDECAR("--kubeconfig", kubeconfig_of_pods(), "--quit-with=worker", "--pod=job-1"));
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 10000));
	/* It failed and is started again: that is no end. */
	put_pod("OnFailure", TERMINATED("1"));
	assert_true(page_says("/readyz", 200, 1000));
	put_pod("OnFailure", TERMINATED("0"));
	assert_int_equal(program_wait(&p, 10000), 0);
}

static void quitting_with_a_container_that_is_not_there_fails(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	put_pod("Never", RUNNING);
	assert_int_equal(program_run(&p, &as_container,
				     SIDECAR("--kubeconfig", kubeconfig_of_pods(),
					     "--quit-with=wroker", "--pod=job-1")),
			 1);
	assert_non_null(
	    strstr(program_err(&p), "--quit-with wroker: the pod has no such container"));
}

static void quitting_without_any_way_to_notice_says_what_to_change(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(
	    program_run(&p, &as_container, SIDECAR("--quit-with=worker", "--pod=job-1")), 1);
	assert_non_null(strstr(program_err(&p), "the pod's status cannot be had"));
	assert_non_null(strstr(program_err(&p), "no --process says what to look for"));
}

static void quits_with_the_process_where_the_status_may_not_be_read(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	struct server s;

	share_processes();
	server_start(&s, IN_POD_OTHER, true);
	program_start(&p, &in_shared,
		      SIDECAR("--quit-with=worker", "--pod=job-1", "--process=server"));
	assert_true(program_says(&p, "\"quit.by_process\"", 10000));
	assert_true(program_says(&p, "\"quit.process_seen\"", 10000));
	server_stop(&s);
	server_start(&s, IN_POD_OTHER, true); /* started again at once: that is no end */
	assert_true(page_says("/healthz", 200, 1000));
	server_stop(&s);
	assert_int_equal(program_wait(&p, 15000), 0);
}

static void usage_is_checked(void **state _unused_)
{
	static const struct {
		const char *flag;
		const char *message;
	} rows[] = {
	    {"--reload=signal:TERM", "--reload: 'signal:TERM' is not none, signal:HUP"},
	    {"--reload=signal:HUP", "--reload needs --process"},
	    {"--settle=soon", "--settle: 'soon' is not a duration"},
	    {"--quit-with=worker", "--quit-with needs --pod"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_program_ struct program p = {0};

		assert_int_equal(program_run(&p, &as_container, SIDECAR(rows[i].flag)), 2);
		if (!strstr(program_err(&p), rows[i].message))
			fail_msg("no \"%s\" in %s", rows[i].message, program_err(&p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(rotations_are_delivered, in_pod_setup),
	    cmocka_unit_test_setup(startup_page_turns_with_the_first_delivery, in_pod_setup),
	    cmocka_unit_test_setup(first_pair_that_never_comes_ends_as_init_does, in_pod_setup),
	    cmocka_unit_test_setup(unfit_rotation_leaves_the_last_good_pair, in_pod_setup),
	    cmocka_unit_test_setup(hand_that_dies_ends_the_sidecar, in_pod_setup),
	    cmocka_unit_test_setup(F7_reload_without_a_shared_process_namespace_says_so,
				   in_pod_setup),
	    cmocka_unit_test_setup(quits_with_the_container_by_the_pods_status, in_pod_setup),
	    cmocka_unit_test_setup(quitting_with_a_container_that_is_not_there_fails, in_pod_setup),
	    cmocka_unit_test_setup(quitting_without_any_way_to_notice_says_what_to_change,
				   in_pod_setup),
	    cmocka_unit_test_setup(usage_is_checked, in_pod_setup),
	    cmocka_unit_test_setup(F7_signal_follows_each_rotation_as_uid_65532_on_a_read_only_root,
				   in_pod_setup),
	    cmocka_unit_test_setup(F7_process_of_another_uid_cannot_be_signalled_and_that_is_said,
				   in_pod_setup),
	    cmocka_unit_test_setup(process_without_a_handler_is_not_killed, in_pod_setup),
	    cmocka_unit_test_setup(quits_with_the_process_where_the_status_may_not_be_read,
				   in_pod_setup),
	};

	return cmocka_run_group_tests(tests, setup_pod, teardown_pod);
}
