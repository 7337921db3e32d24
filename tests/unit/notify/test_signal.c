/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/unit/notify/scene.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const struct target_plan nginx = {.comm = "nginx", .handler = true};

static const int allowed[] = {SIGHUP, SIGUSR1, SIGUSR2};

static void the_allowed_signals_arrive_once(void **state _unused_)
{
	struct target t;
	struct scene s;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A, nginx);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		assert_int_equal(scene_signal(&s, "nginx", allowed[i]), SIGNAL_SENT);
		assert_int_equal(target_hits(&t, 0), i + 1);
	}
	target_stop(&t);
	assert_int_equal(scene_signal(&s, "nginx", SIGHUP), SIGNAL_NO_PROCESS);
	scene_close(&s);
}

/* The same user, the same name, every place but the container's own. */
static void E8_same_name_elsewhere_is_never_signalled(void **state _unused_)
{
	static const char *const groups[] = {
	    NULL,                                                /* on the host */
	    GROUP_B,                                             /* another pod */
	    GROUP_A2,                                            /* another container of the pod */
	    "kubepods/burstable/pod" UID_A,                      /* the pod's own group */
	    "kubepods/burstable/pod" UID_A "/crio-conmon-" ID_A, /* the container's monitor */
	    "kubepods/pod" UID_B "/" ID_A, /* our container's id in another pod */
	    GROUP_B "/" GROUP_A,           /* a pod that plays ours below its own */
	    "user.slice/" ID_A,            /* no pod at all */
	};
	struct target others[ARRAY_LEN(groups)];
	struct target ours;
	struct scene s;

	scene_open(&s, "");
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		scene_start(&s, &others[i], groups[i], nginx);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		assert_int_equal(scene_signal(&s, i ? "nginx" : "", allowed[i]), SIGNAL_NO_PROCESS);
	scene_start(&s, &ours, GROUP_A, nginx);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		assert_int_equal(scene_signal(&s, i ? "nginx" : "", allowed[i]), SIGNAL_SENT);
	assert_int_equal(target_hits(&ours, 0), ARRAY_LEN(allowed));
	target_stop(&ours);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		assert_int_equal(target_hits(&others[i], 0), 0);
		target_stop(&others[i]);
	}
	scene_close(&s);
}

static void E10_process_without_handler_is_not_signalled(void **state _unused_)
{
	struct target t;
	struct scene s;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A,
		    (struct target_plan){.comm = "nginx", .workers = 1, .worker_comm = "worker"});
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		assert_int_equal(scene_signal(&s, "nginx", allowed[i]), SIGNAL_NO_HANDLER);
		assert_int_equal(scene_signal(&s, "worker", allowed[i]), SIGNAL_NO_HANDLER);
	}
	assert_int_equal(target_hits(&t, 0), 0);
	assert_int_equal(target_hits(&t, 1), 0);
	target_stop(&t);
	scene_close(&s);
}

/* A program in the container's group, started and waiting for the end of its input. */
static pid_t start_program(const char *group, char *const *argv, int *ret_input)
{
	int ready[2];
	int in[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(ready[1], 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!test_cgroup_write(group, "cgroup.procs", "0"))
			_exit(1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(ready[1]);
	*ret_input = in[1];
	if (read(ready[0], &byte, 1) != 1) {
		close(ready[0]);
		close(in[1]);
		waitpid(pid, NULL, 0);
		return -1;
	}
	close(ready[0]);
	return pid;
}

static void not_signalled_program(char *const *argv)
{
	struct scene s;
	int status;
	int input;
	pid_t pid;

	scene_open(&s, "");
	pid = start_program(test_cgroup_make(&s.groups, GROUP_A), argv, &input);
	if (pid < 0) {
		scene_close(&s);
		fprintf(stderr, "SKIP: %s cannot be run here\n", argv[0]);
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		assert_int_equal(scene_signal(&s, "", allowed[i]), SIGNAL_NO_HANDLER);
	close(input); /* it ends by itself, so nothing had killed it */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	scene_close(&s);
}

static void E10_shell_without_trap_is_not_signalled(void **state _unused_)
{
	char name[] = "sh";
	char option[] = "-c";
	char script[] = "echo; read line; exit 0";

	not_signalled_program((char *const[]){name, option, script, NULL});
}

static void E10_python_without_handler_is_not_signalled(void **state _unused_)
{
	char name[] = "python3";
	char option[] = "-c";
	char script[] = "import sys; print(flush=True); sys.stdin.read()";

	not_signalled_program((char *const[]){name, option, script, NULL});
}

static void E11_first_process_without_handler_is_named(void **state _unused_)
{
	struct process p;
	struct target t;
	struct scene s;

	/* The kernel would drop the signal, so that it seems to have worked. */
	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A,
		    (struct target_plan){.comm = "server", .own_pid_namespace = true});
	assert_int_equal(scene_find(&s, "", &p), SIGNAL_SENT);
	assert_int_equal(p.pid, t.pid);
	assert_int_equal(scene_signal(&s, "", SIGHUP), SIGNAL_NO_HANDLER);
	assert_int_equal(target_hits(&t, 0), 0);
	target_stop(&t);
	scene_start(
	    &s, &t, GROUP_A,
	    (struct target_plan){.comm = "server", .own_pid_namespace = true, .handler = true});
	assert_int_equal(scene_signal(&s, "", SIGHUP), SIGNAL_SENT);
	assert_int_equal(target_hits(&t, 0), 1);
	target_stop(&t);
	scene_close(&s);
}

static int64_t now_ms(void)
{
	return clock_mono_ms(clock_system());
}

static void E12_stopped_process_is_named_and_handles_it_later(void **state _unused_)
{
	int64_t start = now_ms();
	struct target t;
	struct scene s;
	int status;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A, nginx);
	kill(t.pid, SIGSTOP);
	assert_int_equal(waitpid(t.pid, &status, WUNTRACED), t.pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(scene_signal(&s, "nginx", SIGHUP), SIGNAL_STOPPED);
	kill(t.pid, SIGCONT);
	assert_int_equal(target_hits(&t, 0), 1);
	target_stop(&t);
	scene_close(&s);
	assert_true(now_ms() - start < 5000);
}

static void E12_zombie_is_not_signalled(void **state _unused_)
{
	static const char *const hierarchies[] = {"", "pids"};

	for (size_t i = 0; i < ARRAY_LEN(hierarchies); i++) {
		siginfo_t info;
		struct target t;
		struct scene s;

		scene_open(&s, hierarchies[i]);
		scene_start(&s, &t, GROUP_A, nginx);
		kill(t.pid, SIGKILL);
		assert_int_equal(waitid(P_PID, (id_t)t.pid, &info, WEXITED | WNOWAIT), 0);
		/* v2 does not list it any more, v1 does. */
		assert_in_set(scene_signal(&s, "nginx", SIGHUP),
			      ((unsigned long[]){SIGNAL_NO_PROCESS, SIGNAL_GONE}), 2);
		target_stop(&t);
		scene_close(&s);
	}
}

static void frozen(const char *controller, const char *file, const char *freeze, const char *thaw,
		   const char *state_file, const char *word)
{
	char group[2 * PATH_MAX];
	struct target t;
	struct scene s;

	scene_open(&s, controller);
	snprintf(group, sizeof(group), "%s", test_cgroup_make(&s.groups, GROUP_A));
	scene_start(&s, &t, GROUP_A "/container", nginx);
	assert_true(test_cgroup_write(group, file, freeze));
	assert_true(test_cgroup_wait(group, state_file, word));
	if (*controller) { /* v1 tells it in a hierarchy of its own, beside the others */
		struct err e = {0};

		notify_host_close(&s.host);
		assert_int_equal(notify_host_open("/sys/fs/cgroup", "/proc", &s.host, &e), 0);
	}
	assert_int_equal(scene_signal(&s, "nginx", SIGHUP), SIGNAL_STOPPED);
	assert_true(test_cgroup_write(group, file, thaw));
	assert_int_equal(target_hits(&t, 0), 1);
	target_stop(&t);
	scene_close(&s);
}

static void E12_frozen_cgroup_is_named_and_handles_it_later(void **state _unused_)
{
	int64_t start = now_ms();

	frozen("", "cgroup.freeze", "1", "0", "cgroup.events", "frozen 1");
	assert_true(now_ms() - start < 10000);
}

static void E12_frozen_cgroup_of_v1_is_named_and_handles_it_later(void **state _unused_)
{
	int64_t start = now_ms();

	frozen("freezer", "freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN");
	assert_true(now_ms() - start < 10000);
}

static void E13_other_signals_are_refused(void **state _unused_)
{
	const struct process_query q = query_for("nginx");
	struct target t;
	struct scene s;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A, nginx);
	for (int signal = -1; signal <= SIGRTMAX + 1; signal++) {
		enum signal_result result;
		struct process p;
		struct err e = {0};

		if (signal == SIGHUP || signal == SIGUSR1 || signal == SIGUSR2)
			continue;
		assert_int_equal(process_signal(&s.host, &q, signal, &p, &result, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	assert_int_equal(target_hits(&t, 0), 0);
	target_stop(&t);
	scene_close(&s);
}

static void assert_refused(struct scene *s, const struct process_query *q)
{
	enum signal_result result;
	struct process p;
	struct err e = {0};

	assert_int_equal(process_signal(&s->host, q, SIGHUP, &p, &result, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	err_clear(&e);
	assert_int_equal(process_find(&s->host, q, &p, &result, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void E13_hostile_fields_are_refused(void **state _unused_)
{
	static const char *const uids[] = {"",
					   "..",
					   "../../proc/1",
					   "0f2b7c1a",
					   (UID_A "/.."),
					   "0f2b7c1a\n6f0e-4a53-9d0b-3b1c5a7e9f10",
					   "$(reboot)-6f0e-4a53-9d0b-3b1c5a7e9f"};
	static const char *const ids[] = {"", "..", "../../proc/1", "abc", "a;b"};
	struct process_query q;
	struct scene s;

	scene_open(&s, "");
	for (size_t i = 0; i < ARRAY_LEN(uids); i++) {
		q = query_for("");
		memset(q.pod_uid, 0, sizeof(q.pod_uid));
		memcpy(q.pod_uid, uids[i], strlen(uids[i]));
		assert_refused(&s, &q);
	}
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		q = query_for("");
		snprintf(q.container_id, sizeof(q.container_id), "%s", ids[i]);
		assert_refused(&s, &q);
	}
	q = query_for("");
	q.container_id[5] = '/';
	assert_refused(&s, &q);
	/* Fields that do not end. */
	memset(&q, 'a', sizeof(q));
	assert_refused(&s, &q);
	q = query_for("");
	memset(q.comm, 'a', sizeof(q.comm));
	assert_refused(&s, &q);
	scene_close(&s);
}

static void E13_hostile_names_of_processes_do_no_harm(void **state _unused_)
{
	static const char *const names[] = {") S 1 1 1 1 (",  "a\nSigCgt:\tffff", "(((", ")))",
					    "%s%n$(id);`id`", "\x1b[2J\xff\xfe",  " ",   "\n"};
	struct target ours;
	struct target t;
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		scene_open(&s, "");
		scene_start(&s, &t, GROUP_A, (struct target_plan){.comm = names[i]});
		scene_start(&s, &ours, GROUP_A, nginx);
		assert_int_equal(scene_signal(&s, "nginx", SIGHUP), SIGNAL_SENT);
		assert_int_equal(scene_signal(&s, "", SIGHUP), SIGNAL_NO_HANDLER);
		assert_int_equal(scene_signal(&s, names[i], SIGHUP), SIGNAL_NO_HANDLER);
		assert_int_equal(target_hits(&ours, 0), 1);
		assert_int_equal(target_hits(&t, 0), 0);
		target_stop(&t);
		target_stop(&ours);
		scene_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_allowed_signals_arrive_once),
	    cmocka_unit_test(E8_same_name_elsewhere_is_never_signalled),
	    cmocka_unit_test(E10_process_without_handler_is_not_signalled),
	    cmocka_unit_test(E10_shell_without_trap_is_not_signalled),
	    cmocka_unit_test(E10_python_without_handler_is_not_signalled),
	    cmocka_unit_test(E11_first_process_without_handler_is_named),
	    cmocka_unit_test(E12_stopped_process_is_named_and_handles_it_later),
	    cmocka_unit_test(E12_zombie_is_not_signalled),
	    cmocka_unit_test(E12_frozen_cgroup_is_named_and_handles_it_later),
	    cmocka_unit_test(E12_frozen_cgroup_of_v1_is_named_and_handles_it_later),
	    cmocka_unit_test(E13_other_signals_are_refused),
	    cmocka_unit_test(E13_hostile_fields_are_refused),
	    cmocka_unit_test(E13_hostile_names_of_processes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
