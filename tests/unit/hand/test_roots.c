/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/roots.h"

#include "hand/connect.h"
#include "tests/lib/hands.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct hands h;
static struct hand_flags flags;
static struct roots roots;
static struct err e;

static int set_up(void **state)
{
	(void)state;
	hands_make(&h);
	flags = (struct hand_flags){.socket_fd = -1,
				    .kubelet_root = h.root,
				    .driver = "csi.certhup.io",
				    .cgroup_root = "/sys/fs/cgroup",
				    .proc = "/proc",
				    .ops = 1u << HAND_PUBLISH};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hands_remove(&h);
	return 0;
}

static void expect_refused(const char *part)
{
	assert_int_equal(roots_open(&flags, &roots, &e), -1);
	if (!strstr(e.message, part))
		fail_msg("'%s' does not say '%s'", e.message, part);
	roots_done(&roots);
}

static void E15_wrong_kubelet_root_is_named_with_what_to_set(void **state)
{
	char path[96], want[256];

	(void)state;
	flags.kubelet_root = "/nowhere/kubelet";
	expect_refused("there is no kubelet root /nowhere/kubelet: set --kubelet-root to the "
		       "kubelet's --root-dir");
	flags.kubelet_root = "/proc";
	expect_refused("/proc has no directory pods, so it is not a kubelet's: set --kubelet-root");
	flags.kubelet_root = "/proc/version";
	expect_refused("is not a directory");
	flags.kubelet_root = "var/lib/kubelet";
	expect_refused("absolute");
	snprintf(path, sizeof(path), "%s/link", h.root);
	assert_int_equal(symlink(h.root, path), 0);
	flags.kubelet_root = path;
	snprintf(want, sizeof(want),
		 "the kubelet root %s lies behind a symbolic link: set --kubelet-root=%s", path,
		 h.root);
	expect_refused(want);
}

static void E15_symlink_above_the_root_is_refused_too(void **state)
{
	char link[48], path[128], want[64];

	(void)state;
	snprintf(link, sizeof(link), "%s/lib", h.root);
	assert_int_equal(symlink("/tmp", link), 0);
	snprintf(path, sizeof(path), "%s%.32s", link, h.root + strlen("/tmp"));
	flags.kubelet_root = path;
	snprintf(want, sizeof(want), "set --kubelet-root=%s", h.root);
	expect_refused(want);
}

static void E15_symlinked_pods_directory_is_refused(void **state)
{
	char root[96], path[128];

	(void)state;
	snprintf(root, sizeof(root), "%s/other", h.root);
	snprintf(path, sizeof(path), "%s/pods", root);
	assert_int_equal(mkdir(root, 0755), 0);
	assert_int_equal(symlink(h.pods.root, path), 0);
	flags.kubelet_root = root;
	expect_refused("has no directory pods");
}

static void state_directory_is_made_private(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	assert_int_equal(roots_open(&flags, &roots, &e), 0);
	snprintf(path, sizeof(path), "%s/plugins/csi.certhup.io/state", h.root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	roots_done(&roots);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(roots_open(&flags, &roots, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	roots_done(&roots);
	assert_int_equal(chown(path, 1234, 0), 0);
	expect_refused("belongs to uid 1234");
}

static void symlink_on_the_way_to_the_state_is_refused(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/plugins", h.root);
	assert_int_equal(symlink("/etc", path), 0);
	expect_refused("open plugins");
	assert_int_not_equal(access("/etc/csi.certhup.io", F_OK), 0);
}

static void F3_second_hand_on_the_same_state_is_refused(void **state)
{
	struct roots second;

	(void)state;
	assert_int_equal(roots_open(&flags, &roots, &e), 0);
	assert_int_equal(roots_open(&flags, &second, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.message, "another certhup-hand"));
	roots_done(&second);
	roots_done(&roots);
	assert_int_equal(roots_open(&flags, &roots, &e), 0);
	roots_done(&roots);
}

static void socket_takes_the_place_of_a_stale_one(void **state)
{
	char path[96];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/hand.sock", h.root);
	flags.socket = path;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(roots_open(&flags, &roots, &e), 0);
		assert_int_equal(hand_connect(path, &fd, &e), 0);
		close(fd);
		roots_done(&roots);
	}
	assert_int_equal(hand_connect(path, &fd, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
}

static void descriptor_that_is_no_socket_is_refused(void **state)
{
	(void)state;
	flags.socket_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(roots_open(&flags, &roots, &e), -1);
	assert_non_null(strstr(e.message, "SOCK_SEQPACKET"));
	close(flags.socket_fd);
}

static void flat_directory_needs_no_kubelet_and_no_state(void **state)
{
	(void)state;
	flags.dir = h.root;
	flags.kubelet_root = "/nowhere";
	assert_int_equal(roots_open(&flags, &roots, &e), 0);
	assert_true(roots.options.tree.flat);
	assert_int_equal(roots.options.state_fd, -1);
	roots_done(&roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(E15_wrong_kubelet_root_is_named_with_what_to_set,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E15_symlink_above_the_root_is_refused_too, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E15_symlinked_pods_directory_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(state_directory_is_made_private, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(symlink_on_the_way_to_the_state_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(F3_second_hand_on_the_same_state_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(socket_takes_the_place_of_a_stale_one, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(descriptor_that_is_no_socket_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(flat_directory_needs_no_kubelet_and_no_state, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/roots", tests, NULL, NULL);
}
