/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Owners and modes: with any umask, with the hand's three capabilities alone, without any, in a
 * user namespace; and that another uid can read what it should.
 */
#include "tests/lib/one_subject.h"
#include "volume/writer.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

static int set_up_here(void **state)
{
	set_up(state);
	assert_int_equal(chmod(s.pods.root, 0755), 0);
	return 0;
}

static int tear_down_here(void **state)
{
	umask(022);
	return tear_down(state);
}

static void expect_owner(const char *name, uint32_t uid, uint32_t gid, uint32_t mode)
{
	struct stat st;

	assert_int_equal(stat(at(name), &st), 0);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void A14_owner_and_mode_are_exact_under_any_umask(void **state)
{
	static const mode_t masks[] = {0777, 0, 022, 077};
	static const uint32_t modes[] = {0400, 0440, 0444, 0640, 0777, 0};
	int n = 0;

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(masks); m++)
		for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
			s.owner = (struct volume_owner){.uid = 1000, .gid = 2000, .mode = modes[i]};
			umask(masks[m]);
			assert_int_equal(subject_publish(&s, ++n), 0);
			expect_owner("tls.key", 1000, 2000, modes[i]);
			expect_owner("..data/", 0, 0, 0755);
		}
}

static void A14_any_id_that_a_file_can_have(void **state)
{
	static const uint32_t ids[] = {0, 1, 65534, 2147483647, 4294967294};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		s.owner = (struct volume_owner){.uid = ids[i], .gid = ids[i], .mode = 0440};
		assert_int_equal(subject_publish(&s, (int)i + 1), 0);
		expect_owner("tls.crt", ids[i], ids[i], 0440);
		expect_owner("tls.key", ids[i], ids[i], 0440);
	}
}

static void A14_id_that_no_file_can_have_is_refused(void **state)
{
	(void)state;
	s.owner = (struct volume_owner){.uid = 0, .gid = UINT32_MAX, .mode = 0440};
	assert_int_equal(subject_publish(&s, 1), -1);
	assert_int_equal(s.err.kind, ERR_INVALID);
	s.owner = (struct volume_owner){.uid = UINT32_MAX, .gid = 0, .mode = 0440};
	assert_int_equal(subject_publish(&s, 1), -1);
	assert_int_equal(s.err.kind, ERR_INVALID);
	s.owner = (struct volume_owner){.uid = 0, .gid = 0, .mode = 04755};
	assert_int_equal(subject_publish(&s, 1), -1);
	assert_int_equal(s.err.kind, ERR_INVALID);
	assert_int_equal(pair_seen(s.path), 0);
}

static void A14_new_owner_of_the_same_content_is_applied_in_place(void **state)
{
	(void)state;
	subject_published(&s, 1);
	s.owner = (struct volume_owner){.uid = 7, .gid = 8, .mode = 0400};
	subject_published(&s, 1);
	assert_false(s.written.changed);
	assert_int_equal(s.written.mended, 3);
	expect_owner("tls.key", 7, 8, 0400);
}

static void A14_setgid_directory_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(chown(s.path, 0, 3000), 0);
	assert_int_equal(chmod(s.path, 02777), 0);
	s.owner = (struct volume_owner){.uid = 0, .gid = 0, .mode = 0444};
	subject_published(&s, 1);
	expect_owner("tls.key", 0, 0, 0444);
}

/* --- as somebody else --- */

static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int keep_capabilities(uint32_t mask)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{.effective = mask, .permitted = mask}};

	return (int)syscall(SYS_capset, &h, d);
}

static int publish_twice(void)
{
	_cleanup_content_ struct content c;
	bool intact;

	pair_content(2, &c);
	if (subject_publish(&s, 1) < 0 || subject_publish(&s, 2) < 0)
		return 1;
	if (chmod(at("tls.key"), 0777) < 0 || unlink(at("tls.crt")) < 0)
		return 2;
	if (subject_verify(&s, &c, &intact) < 0 || !intact || s.written.mended != 2)
		return 3;
	if (subject_publish(&s, 3) < 0 || writer_retire(&s.v, s.previous, &s.err) < 0)
		return 4;
	return 0;
}

static int as_the_hand(void)
{
	uint32_t mask = 1U << CAP_CHOWN | 1U << CAP_FOWNER | 1U << CAP_DAC_OVERRIDE;

	return keep_capabilities(mask) < 0 ? 9 : publish_twice();
}

static void A14_the_hands_three_capabilities_are_enough(void **state)
{
	(void)state;
	/* The pod's own directory, to which root without capabilities has no access. */
	assert_int_equal(chown(s.path, 1000, 1000), 0);
	assert_int_equal(chmod(s.path, 0700), 0);
	s.owner = (struct volume_owner){.uid = 1000, .gid = 2000, .mode = 0400};
	assert_int_equal(in_child(as_the_hand), 0);
	expect_owner("tls.key", 1000, 2000, 0400);
	assert_int_equal(pair_seen(s.path), 3);
	assert_int_equal(count_generations(s.path), 1);
}

static int become(uint32_t uid, uint32_t gid)
{
	return setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		       setresuid(uid, uid, uid) < 0
		   ? -1
		   : 0;
}

static int as_a_sidecar(void)
{
	return become(12345, 23456) < 0 ? 9 : publish_twice();
}

static void A14_without_privilege_in_its_own_directory(void **state)
{
	(void)state;
	assert_int_equal(chown(s.path, 12345, 23456), 0);
	assert_int_equal(chmod(s.path, 0755), 0);
	s.owner = (struct volume_owner){.uid = 12345, .gid = 23456, .mode = 0440};
	assert_int_equal(in_child(as_a_sidecar), 0);
	expect_owner("tls.key", 12345, 23456, 0440);
	assert_int_equal(pair_seen(s.path), 3);
}

static int as_a_sidecar_with_fs_group(void)
{
	if (become(12345, 23456) < 0)
		return 9;
	return subject_publish(&s, 1) < 0 ? 1 : 0;
}

static void A14_without_privilege_the_group_of_a_setgid_directory_is_kept(void **state)
{
	(void)state;
	assert_int_equal(chown(s.path, 12345, 3000), 0);
	assert_int_equal(chmod(s.path, 02775), 0);
	s.owner = (struct volume_owner){.uid = 12345, .gid = 3000, .mode = 0440};
	assert_int_equal(in_child(as_a_sidecar_with_fs_group), 0);
	expect_owner("tls.key", 12345, 3000, 0440);
}

static int publish_for_another(void)
{
	if (become(12345, 23456) < 0)
		return 9;
	if (subject_publish(&s, 1) == 0)
		return 1;
	return s.err.kind == ERR_DENIED ? 0 : 2;
}

static void A14_without_privilege_another_owner_is_refused_and_nothing_left(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(chown(s.path, 12345, 23456), 0);
	s.owner = (struct volume_owner){.uid = 1, .gid = 23456, .mode = 0440};
	assert_int_equal(in_child(publish_for_another), 0);
	text = directory_text(s.path);
	assert_string_equal(text, "");
}

/* A pod with hostUsers: false sees its volume through an idmapped mount: ids are stored as inside. */
static int map_ids(const char *file, pid_t pid)
{
	static const char map[] = "0 100000 65536\n";
	char path[64];
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	r = fd >= 0 && write(fd, map, strlen(map)) == (ssize_t)strlen(map) ? 0 : -1;
	if (fd >= 0)
		close(fd);
	return r;
}

static int user_namespace(void)
{
	int ready[2], fd = -1;
	char path[64];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char c = unshare(CLONE_NEWUSER) == 0 ? '+' : '-';

		(void)!write(ready[1], &c, 1);
		for (;;)
			pause();
	}
	char c = '-';

	if (read(ready[0], &c, 1) == 1 && c == '+' && map_ids("uid_map", pid) == 0 &&
	    map_ids("gid_map", pid) == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	return fd;
}

static void A14_pod_in_a_user_namespace_gets_its_inner_ids(void **state)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	int user = user_namespace();
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, s.path, OPEN_TREE_CLONE | O_CLOEXEC);
	struct stat st;

	(void)state;
	attr.userns_fd = (__u64)(unsigned)user;
	if (user < 0 || tree < 0 ||
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		print_error("SKIP: no idmapped mounts of tmpfs here\n");
		skip();
	}
	s.owner = (struct volume_owner){.uid = 1000, .gid = 2000, .mode = 0440};
	subject_published(&s, 1);
	expect_owner("tls.key", 1000, 2000, 0440);
	/* The host sees it through the map, where the pod's uid 1000 is the host's 101000. */
	assert_int_equal(fstatat(tree, "tls.key", &st, 0), 0);
	assert_int_equal(st.st_uid, 101000);
	assert_int_equal(st.st_gid, 102000);
	close(tree);
	close(user);
}

/* --- readers of another uid, as fs.protected_* of a real node let them --- */

static bool protected(const char *name, const char *value)
{
	char path[64];
	char is[2] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, is, 1) != 1)
		is[0] = '\0';
	if (fd >= 0)
		close(fd);
	return strcmp(is, value) == 0;
}

static void needs_protection(void)
{
	if (protected("protected_symlinks", "1") && protected("protected_regular", "2") &&
	    protected("protected_fifos", "1"))
		return;
	print_error("SKIP: fs.protected_* are not as on a node; tests/run sets them\n");
	skip();
}

static int read_as_another(void)
{
	return become(54321, 54321) < 0 ? 99 : pair_seen_by_links(s.path) + 1;
}

static void A14_reader_of_another_uid_follows_the_links_of_the_hand(void **state)
{
	(void)state;
	needs_protection();
	assert_int_equal(chmod(s.path, 01777), 0);
	subject_published(&s, 1);
	subject_published(&s, 2);
	assert_int_equal(in_child(read_as_another), 2 + 1);
	s.owner.mode = 0400;
	subject_published(&s, 2);
	assert_int_equal(in_child(read_as_another), -1 + 1);
}

static void A14_things_of_another_uid_in_a_sticky_directory_are_replaced(void **state)
{
	static const char *const names[] = {"..data_tmp", "..data", "tls.crt"};

	(void)state;
	needs_protection();
	assert_int_equal(chmod(s.path, 01777), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)unlink(at(names[i]));
		assert_int_equal(mkfifo(at(names[i]), 0666), 0);
		assert_int_equal(chown(at(names[i]), 54321, 54321), 0);
		subject_published(&s, 2 * (int)i + 1);
		assert_int_equal(unlink(at(names[i])) & ~1, i == 0 ? -2 : 0);
		subject_put(&s, names[i], "x");
		assert_int_equal(chown(at(names[i]), 54321, 54321), 0);
		subject_published(&s, 2 * (int)i + 2);
	}
}

/* Why init and sidecar have a subdirectory of their own: in a sticky directory of somebody else the
 * links of another uid are not followed. */
static int publish_as_init(void)
{
	if (become(12345, 23456) < 0)
		return 9;
	return subject_publish(&s, 1) < 0 ? 1 : 0;
}

static void A14_subdirectory_of_an_unprivileged_writer_is_readable_by_others(void **state)
{
	struct subject flat;
	struct subject whole = s;

	(void)state;
	needs_protection();
	assert_int_equal(chmod(s.path, 01777), 0);
	s.owner = (struct volume_owner){.uid = 12345, .gid = 23456, .mode = 0444};
	assert_int_equal(in_child(publish_as_init), 0);
	assert_int_equal(in_child(read_as_another), -1 + 1);

	assert_int_equal(mkdir(at("certhup"), 0755), 0);
	assert_int_equal(chown(at("certhup"), 12345, 23456), 0);
	subject_make_flat(&flat, at("certhup"));
	flat.owner = s.owner;
	s = flat;
	assert_int_equal(in_child(publish_as_init), 0);
	assert_int_equal(in_child(read_as_another), 1 + 1);
	volume_close(&flat.v);
	close(flat.pods.fd);
	s = whole;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(A14_owner_and_mode_are_exact_under_any_umask,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_any_id_that_a_file_can_have, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_id_that_no_file_can_have_is_refused, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_new_owner_of_the_same_content_is_applied_in_place,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_setgid_directory_changes_nothing, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_the_hands_three_capabilities_are_enough,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_without_privilege_in_its_own_directory, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(
		A14_without_privilege_the_group_of_a_setgid_directory_is_kept, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(
		A14_without_privilege_another_owner_is_refused_and_nothing_left, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_pod_in_a_user_namespace_gets_its_inner_ids,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(A14_reader_of_another_uid_follows_the_links_of_the_hand,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(
		A14_things_of_another_uid_in_a_sticky_directory_are_replaced, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(
		A14_subdirectory_of_an_unprivileged_writer_is_readable_by_others, set_up_here,
		tear_down_here),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
