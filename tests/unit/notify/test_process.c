/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/file.h"
#include "base/text.h"
#include "tests/unit/notify/scene.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct target_plan nginx = {.comm = "nginx", .handler = true};

static void assert_found(struct scene *s, const char *comm, pid_t pid)
{
	struct process p;

	assert_int_equal(scene_find(s, comm, &p), SIGNAL_SENT);
	assert_int_equal(p.pid, pid);
	assert_true(p.start_ticks > 0);
}

static void find_in_all_layouts(const char *controller)
{
	static const char *const layouts[] = {
	    "kubepods/pod" UID_A "/" ID_A,
	    "kubepods/besteffort/pod" UID_A "/crio-" ID_A,
	    "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_A_
	    ".slice/cri-containerd-" ID_A ".scope",
	    "kubepods.slice/kubepods-pod" UID_A_ ".slice/crio-" ID_A ".scope/container",
	    "kubepods.slice/kubepods-pod" UID_A_ ".slice/cri-containerd-" ID_A
	    ".scope/system.slice/nginx.service",
	    "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_A_
	    ".slice/cri-containerd-" ID_A ".scope",
	    "system.slice/containerd.service/kubepods-pod" UID_A_ ".slice:cri-containerd:" ID_A,
	};

	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		struct scene s;
		struct target t;

		scene_open(&s, controller);
		scene_start(&s, &t, layouts[i], nginx);
		assert_found(&s, "", t.pid);
		assert_found(&s, "nginx", t.pid);
		assert_int_equal(scene_signal(&s, "nginx", SIGHUP), SIGNAL_SENT);
		assert_int_equal(target_hits(&t, 0), 1);
		target_stop(&t);
		scene_close(&s);
	}
}

static void a_process_is_found_on_the_unified_hierarchy(void **state _unused_)
{
	find_in_all_layouts("");
}

static void a_process_is_found_on_v1(void **state _unused_)
{
	find_in_all_layouts("pids");
}

/* The machine's own /sys/fs/cgroup, whatever it is: hybrid, v1 or v2. */
static void find_below_the_machines_root(const char *controller)
{
	struct notify_host host;
	struct err e = {0};
	struct scene s;
	struct target t;

	scene_open(&s, controller);
	scene_start(&s, &t, GROUP_A, nginx);
	assert_int_equal(notify_host_open("/sys/fs/cgroup", "/proc", &host, &e), 0);
	notify_host_close(&s.host);
	s.host = host;
	assert_found(&s, "", t.pid);
	target_stop(&t);
	scene_close(&s);
}

static void a_unified_group_is_found_below_the_machines_root(void **state _unused_)
{
	find_below_the_machines_root("");
}

static void a_v1_group_is_found_below_the_machines_root(void **state _unused_)
{
	find_below_the_machines_root("memory");
}

static bool cgroup_of(pid_t pid, struct buf *text)
{
	char path[64];
	struct err e;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	return file_read(AT_FDCWD, path, text, &e) == 0;
}

/* Runs as the hand would: in its container's group, which is the root of its cgroup namespace. */
static _Noreturn void be_the_hand(struct scene *s, const char *own_group, pid_t target)
{
	const struct process_query q = query_for("nginx");
	enum signal_result result = SIGNAL_RESULTS;
	_cleanup_buf_ struct buf text;
	struct process p;
	struct err e;

	buf_init(&text, LIMIT_PROC_FILE);
	if (!test_cgroup_write(own_group, "cgroup.procs", "0") || unshare(CLONE_NEWCGROUP) < 0 ||
	    !cgroup_of(target, &text))
		_exit(2);
	if (!strstr(buf_str(&text), "0::/../"))
		_exit(3);
	if (process_signal(&s->host, &q, SIGHUP, &p, &result, &e) < 0)
		_exit(4);
	_exit(result == SIGNAL_SENT && p.pid == target ? 0 : 5);
}

static void from_a_cgroup_namespace(const char *target_group, const char *hand_group)
{
	struct target other;
	struct target t;
	struct scene s;
	int status;
	pid_t hand;

	scene_open(&s, "");
	scene_start(&s, &t, target_group, nginx);
	scene_start(&s, &other, GROUP_B, nginx);
	test_cgroup_make(&s.groups, hand_group);
	hand = fork();
	if (hand == 0)
		be_the_hand(&s, test_cgroup_make(&s.groups, hand_group), t.pid);
	assert_int_equal(waitpid(hand, &status, 0), hand);
	assert_int_equal(status, 0);
	assert_int_equal(target_hits(&t, 0), 1);
	assert_int_equal(target_hits(&other, 0), 0);
	target_stop(&t);
	target_stop(&other);
	scene_close(&s);
}

static void paths_seen_from_a_cgroup_namespace_of_our_own_are_understood(void **state _unused_)
{
	from_a_cgroup_namespace(GROUP_A, "kubepods/pod11111111-6f0e-4a53-9d0b-3b1c5a7e9f11/" ID_B);
	from_a_cgroup_namespace(
	    "kubepods.slice/kubepods-pod" UID_A_ ".slice/crio-" ID_A ".scope/container",
	    "kubepods.slice/kubepods-pod" UID_B_ ".slice/crio-" ID_B ".scope/container");
	from_a_cgroup_namespace("kubepods.slice/kubepods-pod" UID_A_ ".slice/cri-containerd-" ID_A
				".scope/init.scope",
				"system.slice/certhup.service");
}

static void the_master_is_chosen_among_workers_of_its_name(void **state _unused_)
{
	struct target sh;
	struct target t;
	struct scene s;

	/* The container's first process is a shell; the server below it has workers. */
	scene_open(&s, "");
	scene_start(&s, &sh, GROUP_A,
		    (struct target_plan){.comm = "sh", .workers = 1, .worker_comm = "tail"});
	scene_start(&s, &t, GROUP_A,
		    (struct target_plan){
			.comm = "nginx", .handler = true, .workers = 3, .worker_comm = "nginx"});
	assert_found(&s, "", sh.pid);
	assert_found(&s, "sh", sh.pid);
	assert_found(&s, "nginx", t.pid);
	assert_int_equal(scene_signal(&s, "nginx", SIGHUP), SIGNAL_SENT);
	assert_int_equal(target_hits(&t, 0), 1);
	for (unsigned i = 1; i < t.count; i++)
		assert_int_equal(target_hits(&t, i), 0);
	target_stop(&t);
	target_stop(&sh);
	scene_close(&s);
}

static void several_of_a_name_without_a_common_one_are_ambiguous(void **state _unused_)
{
	struct target t;
	struct scene s;
	struct process p;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A,
		    (struct target_plan){
			.comm = "sh", .handler = true, .workers = 2, .worker_comm = "nginx"});
	assert_int_equal(scene_find(&s, "nginx", &p), SIGNAL_AMBIGUOUS);
	assert_int_equal(scene_signal(&s, "nginx", SIGHUP), SIGNAL_AMBIGUOUS);
	for (unsigned i = 0; i < t.count; i++)
		assert_int_equal(target_hits(&t, i), 0);
	target_stop(&t);
	scene_close(&s);
}

/* "nginx -t" of an exec probe has the name of the container's first process. */
static void what_was_executed_in_the_container_later_does_not_confuse(void **state _unused_)
{
	struct target probe;
	struct target t;
	struct scene s;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A,
		    (struct target_plan){
			.comm = "nginx", .handler = true, .workers = 1, .worker_comm = "nginx"});
	scene_start(&s, &probe, GROUP_A, nginx);
	assert_found(&s, "", t.pid);
	assert_found(&s, "nginx", t.pid);
	target_stop(&probe);
	target_stop(&t);
	scene_close(&s);
}

static void names_are_compared_exactly(void **state _unused_)
{
	static const char *const others[] = {"nginx",          "nginx: maste",  "nginx: master p",
					     "Nginx: master ", "nginx: master", " "};
	struct process p;
	struct target t;
	struct scene s;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A, (struct target_plan){.comm = "nginx: master process"});
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(others[i], "nginx: master p") != 0)
			assert_int_equal(scene_find(&s, others[i], &p), SIGNAL_NO_PROCESS);
	assert_found(&s, "nginx: master p", t.pid);
	target_stop(&t);
	scene_close(&s);
}

static void another_pod_or_container_holds_nothing_for_us(void **state _unused_)
{
	struct process_query q = query_for("");
	enum signal_result result;
	struct process p;
	struct err e = {0};
	struct target t;
	struct scene s;

	scene_open(&s, "");
	scene_start(&s, &t, GROUP_A, nginx);
	assert_int_equal(text_copy(q.container_id, sizeof(q.container_id), ID_B), 0);
	assert_int_equal(process_find(&s.host, &q, &p, &result, &e), 0);
	assert_int_equal(result, SIGNAL_NO_PROCESS);
	assert_int_equal(p.pid, 0);
	q = query_for("");
	assert_int_equal(text_copy(q.pod_uid, sizeof(q.pod_uid), UID_B), 0);
	assert_int_equal(process_find(&s.host, &q, &p, &result, &e), 0);
	assert_int_equal(result, SIGNAL_NO_PROCESS);
	target_stop(&t);
	scene_close(&s);
}

static void a_host_without_cgroups_or_with_a_foreign_proc_is_refused(void **state _unused_)
{
	struct notify_host host;
	struct err e = {0};

	assert_int_equal(notify_host_open("/tmp", "/proc", &host, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.message, "/sys/fs/cgroup"));
	assert_int_equal(notify_host_open("/nonexistent", "/proc", &host, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(notify_host_open("/sys/fs/cgroup", "/tmp", &host, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.message, "pid namespace"));
}

/* In a pid namespace of our own the host's proc shows other numbers than the host's cgroups give. */
static void a_proc_of_another_pid_namespace_is_refused(void **state _unused_)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct notify_host host;
		struct err e = {0};
		pid_t below = unshare(CLONE_NEWPID) < 0 ? -1 : fork();

		if (below == 0)
			_exit(notify_host_open("/sys/fs/cgroup", "/proc", &host, &e) == -1 &&
				      e.kind == ERR_INVALID
				  ? 0
				  : 1);
		if (waitpid(below, &status, 0) < 0 || status != 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static enum signal_result find_in_pod(const char *comm, struct process *ret)
{
	const struct process_query q = query_for(comm);
	struct notify_host host;
	enum signal_result result;
	struct err e = {0};

	if (notify_host_open(NULL, "/proc", &host, &e) < 0 ||
	    process_signal(&host, &q, SIGHUP, ret, &result, &e) < 0)
		_exit(100);
	notify_host_close(&host);
	return result;
}

static int errors;

static void expect(bool is)
{
	errors += !is;
}

/* Runs as the first process of a pid namespace, which is the pod's sandbox, named as the server. */
static _Noreturn void be_a_pod(void)
{
	struct target server;
	struct target lonely;
	struct process p;

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    !target_start(&server, &(struct target_plan){.comm = "nginx",
							 .handler = true,
							 .workers = 2,
							 .worker_comm = "nginx"}) ||
	    !target_start(&lonely, &(struct target_plan){.comm = ""}))
		_exit(101);
	prctl(PR_SET_NAME, "nginx");
	signal(SIGHUP, SIG_IGN);
	expect(find_in_pod("nginx", &p) == SIGNAL_SENT && p.pid == server.pid);
	expect(target_hits(&server, 0) == 1 && target_hits(&server, 1) == 0);
	expect(find_in_pod("", &p) == SIGNAL_NO_PROCESS);
	expect(find_in_pod("apache2", &p) == SIGNAL_NO_PROCESS);
	_exit(errors);
}

static void a_sidecar_finds_the_pods_processes_by_name(void **state _unused_)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pid_t pod = unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ? -1 : fork();

		if (pod == 0)
			be_a_pod();
		waitpid(pod, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Without a cgroup tree nothing is found, unless it was said that this is a sidecar. */
static void a_missing_cgroup_tree_is_no_sidecar(void **state _unused_)
{
	const struct process_query q = query_for("nginx");
	struct notify_host host;
	enum signal_result result;
	struct process p;
	struct err e = {0};

	assert_int_equal(notify_host_open("/sys/fs/cgroup", "/proc", &host, &e), 0);
	closep(&host.cgroup_fd);
	assert_int_equal(process_signal(&host, &q, SIGHUP, &p, &result, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	notify_host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_is_found_on_the_unified_hierarchy),
	    cmocka_unit_test(a_process_is_found_on_v1),
	    cmocka_unit_test(a_unified_group_is_found_below_the_machines_root),
	    cmocka_unit_test(a_v1_group_is_found_below_the_machines_root),
	    cmocka_unit_test(paths_seen_from_a_cgroup_namespace_of_our_own_are_understood),
	    cmocka_unit_test(the_master_is_chosen_among_workers_of_its_name),
	    cmocka_unit_test(several_of_a_name_without_a_common_one_are_ambiguous),
	    cmocka_unit_test(what_was_executed_in_the_container_later_does_not_confuse),
	    cmocka_unit_test(names_are_compared_exactly),
	    cmocka_unit_test(another_pod_or_container_holds_nothing_for_us),
	    cmocka_unit_test(a_host_without_cgroups_or_with_a_foreign_proc_is_refused),
	    cmocka_unit_test(a_sidecar_finds_the_pods_processes_by_name),
	    cmocka_unit_test(a_missing_cgroup_tree_is_no_sidecar),
	    cmocka_unit_test(a_proc_of_another_pid_namespace_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
