/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "notify/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#define UID_A "0f2b7c1a-6f0e-4a53-9d0b-3b1c5a7e9f10"
#define UID_A_ "0f2b7c1a_6f0e_4a53_9d0b_3b1c5a7e9f10"
#define UID_B "1f2b7c1a-6f0e-4a53-9d0b-3b1c5a7e9f11"
#define UID_STATIC "b9b1d4d7e8a94c0f9e1d3c5b7a902468"
#define ID_A "aaaaaaaaaaaaaaaa0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B "bbbbbbbbbbbbbbbb0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct process_query query_a = {.pod_uid = UID_A, .container_id = ID_A};

static void paths_of_all_runtimes_and_drivers_are_understood(void **state _unused_)
{
	static const struct {
		const char *path, *uid, *id;
	} cases[] = {
	    /* containerd, docker; cgroupfs */
	    {"/kubepods/pod" UID_A "/" ID_A, UID_A, ID_A},
	    {"/kubepods/burstable/pod" UID_A "/" ID_A, UID_A, ID_A},
	    {"/kubepods/besteffort/pod" UID_STATIC "/" ID_A, UID_STATIC, ID_A},
	    {"/kubepods/burstable/pod" UID_A "/crio-" ID_A, UID_A, ID_A},
	    /* systemd */
	    {"/kubepods.slice/kubepods-pod" UID_A_ ".slice/cri-containerd-" ID_A ".scope", UID_A,
	     ID_A},
	    {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_A_
	     ".slice/docker-" ID_A ".scope",
	     UID_A, ID_A},
	    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_STATIC
	     ".slice/crio-" ID_A ".scope",
	     UID_STATIC, ID_A},
	    {"/kubepods.slice/kubepods-pod" UID_A_ ".slice/libpod-" ID_A ".scope", UID_A, ID_A},
	    /* crun's sub-group, what systemd makes in a container */
	    {"/kubepods.slice/kubepods-pod" UID_A_ ".slice/crio-" ID_A ".scope/container", UID_A,
	     ID_A},
	    {"/kubepods/pod" UID_A "/" ID_A "/system.slice/nginx.service", UID_A, ID_A},
	    /* kind, and a node that is a container */
	    {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
	     "kubelet-kubepods-besteffort-pod" UID_A_ ".slice/cri-containerd-" ID_A ".scope",
	     UID_A, ID_A},
	    {"/docker/" ID_B "/kubelet/kubepods/burstable/pod" UID_A "/" ID_A, UID_A, ID_A},
	    {"/system.slice/docker-" ID_B ".scope/kubelet.slice/kubelet-kubepods-pod" UID_A_
	     ".slice/cri-containerd-" ID_A ".scope",
	     UID_A, ID_A},
	    /* kubelet with systemd, runtime without */
	    {"/system.slice/containerd.service/kubepods-burstable-pod" UID_A_
	     ".slice:cri-containerd:" ID_A,
	     UID_A, ID_A},
	    /* seen from a cgroup namespace of our own */
	    {"/../../kubepods-pod" UID_A_ ".slice/cri-containerd-" ID_A ".scope", UID_A, ID_A},
	    {"/../../../burstable/pod" UID_A "/" ID_A "/x", UID_A, ID_A},
	    /* a group that was removed */
	    {"/kubepods/pod" UID_A "/" ID_A "/x (deleted)", UID_A, ID_A},
	    /* the pod's own, CRI-O's monitor, what is no id */
	    {"/kubepods/pod" UID_A, UID_A, ""},
	    {"/kubepods.slice/kubepods-pod" UID_A_ ".slice/crio-conmon-" ID_A ".scope", UID_A, ""},
	    {"/kubepods.slice/kubepods-pod" UID_A_ ".slice:crio-conmon:" ID_A, UID_A, ""},
	    {"/kubepods/pod" UID_A "/x" ID_A, UID_A, ""},
	    {"/kubepods/pod" UID_A "/../" ID_A, UID_A, ""},
	    {"/kubepods/pod" UID_A "/abc", UID_A, ""},
	    /* no pod */
	    {"/", "", ""},
	    {"", "", ""},
	    {"/user.slice/user-1000.slice", "", ""},
	    {"/machine.slice/libpod-" ID_A ".scope", "", ""},
	    {"/docker/" ID_A, "", ""},
	    {"/kubepods/pod/" ID_A, "", ""},
	    {"/kubepods/pod../" ID_A, "", ""},
	    {"/kubepods/podABCDEF0123456789ABCDEF0123456789/" ID_A, "", ""},
	    {"/x-pod" UID_A_ "/" ID_A, "", ""},
	    /* a pod that plays another below its own group stays what it is */
	    {"/kubepods/pod" UID_B "/" ID_B "/kubepods/pod" UID_A "/" ID_A, UID_B, ID_B},
	    {"/kubepods/pod" UID_B "/kubepods/pod" UID_A "/" ID_A, UID_B, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cgroup_identity is;

		cgroup_path_identify(cases[i].path, strlen(cases[i].path), &is);
		assert_string_equal(is.pod_uid, cases[i].uid);
		assert_string_equal(is.container_id, cases[i].id);
	}
}

static bool is_of_a(const char *text)
{
	return cgroup_file_is_of(text, strlen(text), &query_a);
}

static void one_line_of_the_container_is_enough_and_one_of_another_too_many(void **state _unused_)
{
	assert_true(is_of_a("0::/kubepods/pod" UID_A "/" ID_A "\n"));
	assert_true(is_of_a("0::/kubepods/pod" UID_A "/" ID_A));
	assert_true(is_of_a("12:cpu,cpuacct:/kubepods/pod" UID_A "/" ID_A "\n"
			    "1:name=systemd:/system.slice/containerd.service\n0::/\n"));
	assert_true(
	    is_of_a("1:name=systemd:/x/kubepods-pod" UID_A_ ".slice:cri-containerd:" ID_A "\n"));
	assert_false(is_of_a("0::/kubepods/pod" UID_A "/" ID_B "\n"));
	assert_false(is_of_a("0::/kubepods/pod" UID_B "/" ID_A "\n"));
	assert_false(is_of_a("0::/kubepods/pod" UID_A "\n"));
	assert_false(is_of_a("0::/\n"));
	assert_false(is_of_a(""));
	assert_false(is_of_a("nonsense\n0::/kubepods/pod" UID_A "/" ID_A "\n"));
	assert_false(is_of_a("9:pids:/kubepods/pod" UID_A "/" ID_A "\n"
			     "0::/kubepods/pod" UID_B "/" ID_B "\n"));
	assert_false(
	    is_of_a("9:pids:/kubepods/pod" UID_B "/" ID_B "/kubepods/pod" UID_A "/" ID_A "\n"));
}

/* A tree of plain files, as the search sees one. */
struct fake {
	char root[64];
	int fd;
};

static void fake_init(struct fake *f)
{
	snprintf(f->root, sizeof(f->root), "/tmp/certhup-cgroup-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

static void fake_done(struct fake *f)
{
	close(f->fd);
	nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void fake_file(struct fake *f, const char *path, const char *name, const char *text)
{
	char at[PATH_MAX];
	size_t i;
	int fd;

	snprintf(at, sizeof(at), "%s/%s/%s", f->root, path, name);
	for (i = strlen(f->root) + 1; at[i]; i++)
		if (at[i] == '/') {
			at[i] = '\0';
			mkdir(at, 0755);
			at[i] = '/';
		}
	fd = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void fake_procs(struct fake *f, const char *path, const char *pids)
{
	fake_file(f, path, "cgroup.procs", pids);
}

static int fake_find(struct fake *f, struct cgroup_members *ret, struct err *e)
{
	return cgroup_tree_find(&(struct cgroup_tree){f->fd, f->fd, -1}, &query_a, ret, e);
}

static int by_number(const void *a, const void *b)
{
	return ((const struct cgroup_member *)a)->pid - ((const struct cgroup_member *)b)->pid;
}

static void assert_members(struct fake *f, const int *pids, size_t count)
{
	struct cgroup_members m;
	struct err e = {0};

	assert_int_equal(fake_find(f, &m, &e), 0);
	assert_int_equal(m.count, count);
	qsort(m.members, m.count, sizeof(m.members[0]), by_number);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(m.members[i].pid, pids[i]);
}

static void groups_below_the_container_belong_to_it(void **state _unused_)
{
	struct fake f;

	fake_init(&f);
	fake_procs(&f, "kubepods.slice/kubepods-pod" UID_A_ ".slice/crio-" ID_A ".scope", "");
	fake_procs(&f, "kubepods.slice/kubepods-pod" UID_A_ ".slice/crio-" ID_A ".scope/container",
		   "20\n21\n");
	fake_procs(&f,
		   "kubepods.slice/kubepods-pod" UID_A_ ".slice/crio-" ID_A
		   ".scope/container/kube.slice/x.service",
		   "22\n");
	assert_members(&f, (const int[]){20, 21, 22}, 3);
	fake_done(&f);
}

static void others_are_not_looked_at(void **state _unused_)
{
	struct fake f;

	fake_init(&f);
	fake_procs(&f, "", "1\n");
	fake_procs(&f, "kubepods", "2\n");
	fake_procs(&f, "kubepods/pod" UID_A, "3\n");
	fake_procs(&f, "kubepods/pod" UID_A "/" ID_B, "4\n");
	fake_procs(&f, "kubepods/pod" UID_A "/crio-conmon-" ID_A, "5\n");
	fake_procs(&f, "kubepods/pod" UID_A "/x/" ID_A, "6\n");
	fake_procs(&f, "kubepods/pod" UID_B "/" ID_A, "7\n");
	fake_procs(&f, "kubepods/pod" UID_B "/" ID_B "/pod" UID_A "/" ID_A, "8\n");
	assert_members(&f, NULL, 0);
	fake_procs(&f, "kubepods/pod" UID_A "/" ID_A, "9\n");
	assert_members(&f, (const int[]){9}, 1);
	fake_done(&f);
}

static void the_groups_of_a_mixed_set_up_are_found_beside_an_empty_pod(void **state _unused_)
{
	struct fake f;

	fake_init(&f);
	fake_procs(&f, "kubepods.slice/kubepods-burstable-pod" UID_A_ ".slice", "");
	fake_procs(&f,
		   "system.slice/containerd.service/kubepods-burstable-pod" UID_A_
		   ".slice:cri-containerd:" ID_B,
		   "6\n");
	fake_procs(&f,
		   "system.slice/containerd.service/kubepods-burstable-pod" UID_A_
		   ".slice:cri-containerd:" ID_A,
		   "7\n");
	assert_members(&f, (const int[]){7}, 1);
	fake_done(&f);
}

static void what_is_no_pid_is_passed_over(void **state _unused_)
{
	struct fake f;

	fake_init(&f);
	fake_procs(&f, "pod" UID_A "/" ID_A, "0\n-1\nx\n\n 7\n99999999999\n8\n9");
	assert_members(&f, (const int[]){8, 9}, 2);
	fake_done(&f);
}

static void a_link_is_not_followed(void **state _unused_)
{
	struct fake f;

	fake_init(&f);
	fake_procs(&f, "elsewhere/" ID_A, "5\n");
	fake_procs(&f, "pod" UID_A, "");
	assert_int_equal(symlinkat("../elsewhere/" ID_A, f.fd, "pod" UID_A "/" ID_A), 0);
	assert_members(&f, NULL, 0);
	fake_done(&f);
}

static void a_frozen_group_is_said_to_be(void **state _unused_)
{
	struct cgroup_members m;
	struct err e = {0};
	struct fake f;

	fake_init(&f);
	fake_procs(&f, "pod" UID_A "/" ID_A, "5\n");
	fake_procs(&f, "pod" UID_A "/" ID_A "/sub", "6\n");
	fake_file(&f, "pod" UID_A "/" ID_A "/sub", "cgroup.events", "populated 1\nfrozen 1\n");
	assert_int_equal(fake_find(&f, &m, &e), 0);
	assert_int_equal(m.count, 2);
	qsort(m.members, m.count, sizeof(m.members[0]), by_number);
	assert_false(m.members[0].frozen);
	assert_true(m.members[1].frozen);
	fake_done(&f);
}

static void too_many_processes_are_refused(void **state _unused_)
{
	static char pids[LIMIT_PROCESSES * 8];
	struct cgroup_members m;
	struct err e = {0};
	struct fake f;
	size_t n = 0;

	for (int i = 0; i < LIMIT_PROCESSES; i++)
		n += (size_t)snprintf(pids + n, sizeof(pids) - n, "%d\n", 10 + i);
	fake_init(&f);
	fake_procs(&f, "pod" UID_A "/" ID_A, pids);
	assert_int_equal(fake_find(&f, &m, &e), 0);
	assert_int_equal(m.count, LIMIT_PROCESSES);
	fake_procs(&f, "pod" UID_A "/" ID_A "/sub", "5\n");
	assert_int_equal(fake_find(&f, &m, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	fake_done(&f);
}

static void groups_without_end_do_not_hide_those_of_kubelet(void **state _unused_)
{
	struct fake f;
	char path[64];

	fake_init(&f);
	for (int i = 0; i < LIMIT_CGROUPS / 64; i++) {
		snprintf(path, sizeof(path), "a%d", i);
		assert_int_equal(mkdirat(f.fd, path, 0755), 0);
	}
	fake_procs(&f, "kubepods/pod" UID_A "/" ID_A, "5\n");
	assert_members(&f, (const int[]){5}, 1);
	fake_done(&f);
}

/* A container's own groups may be nested deeper than anybody looks: the search ends. */
static void depth_is_bounded(void **state _unused_)
{
	char path[PATH_MAX];
	struct fake f;

	fake_init(&f);
	fake_procs(&f, "pod" UID_A "/" ID_A, "5\n");
	for (int depth = LIMIT_CGROUP_DEPTH; depth <= LIMIT_CGROUP_DEPTH + 1; depth++) {
		size_t n = (size_t)snprintf(path, sizeof(path), "pod" UID_A "/" ID_A);

		for (int i = 2; i < depth; i++)
			n += (size_t)snprintf(path + n, sizeof(path) - n, "/d");
		fake_procs(&f, path, depth == LIMIT_CGROUP_DEPTH ? "6\n" : "7\n");
	}
	assert_members(&f, (const int[]){5, 6}, 2);
	fake_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_of_all_runtimes_and_drivers_are_understood),
	    cmocka_unit_test(one_line_of_the_container_is_enough_and_one_of_another_too_many),
	    cmocka_unit_test(groups_below_the_container_belong_to_it),
	    cmocka_unit_test(others_are_not_looked_at),
	    cmocka_unit_test(the_groups_of_a_mixed_set_up_are_found_beside_an_empty_pod),
	    cmocka_unit_test(what_is_no_pid_is_passed_over),
	    cmocka_unit_test(a_link_is_not_followed),
	    cmocka_unit_test(a_frozen_group_is_said_to_be),
	    cmocka_unit_test(too_many_processes_are_refused),
	    cmocka_unit_test(groups_without_end_do_not_hide_those_of_kubelet),
	    cmocka_unit_test(depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
