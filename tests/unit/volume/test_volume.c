/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/volume.h"

#include "tests/lib/pods.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct pods pods;
static const struct volume_ref ref = {"0a1b2c3d-0000-4000-8000-000000000001", "tls"};

static int set_up(void **state)
{
	(void)state;
	pods_make(&pods);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pods_remove(&pods);
	return 0;
}

static const char *in_pod(const char *name)
{
	static char path[PODS_PATH];

	snprintf(path, sizeof(path), "%s/%s/%s", pods.root, ref.pod_uid, name);
	return path;
}

static const char *the_volume(void)
{
	return in_pod("volumes/kubernetes.io~empty-dir/tls");
}

static void opens(void)
{
	struct volume v;
	struct err e;

	if (volume_open(&pods.tree, &ref, &v, &e) < 0)
		fail_msg("%s", e.message);
	volume_close(&v);
	assert_int_equal(v.fd, -1);
}

static void refused(enum err_kind kind)
{
	struct volume v = {.fd = 99};
	struct err e;

	assert_int_equal(volume_open(&pods.tree, &ref, &v, &e), -1);
	if (e.kind != kind)
		fail_msg("kind %d: %s", e.kind, e.message);
	assert_int_equal(v.fd, -1);
}

static void volume_on_its_own_tmpfs_is_opened(void **state)
{
	struct volume v;
	struct stat st;
	struct err e;

	(void)state;
	pods_add(&pods, &ref, "size=64k");
	assert_int_equal(volume_open(&pods.tree, &ref, &v, &e), 0);
	assert_int_equal(stat(the_volume(), &st), 0);
	assert_int_equal(v.dev, st.st_dev);
	assert_false(v.sync);
	assert_true(fcntl(v.fd, F_GETFD) & FD_CLOEXEC);
	volume_close(&v);
}

static void missing_pod_or_volume_is_not_found(void **state)
{
	(void)state;
	refused(ERR_NOT_FOUND);
	pods_add(&pods, &ref, NULL);
	assert_int_equal(rmdir(the_volume()), 0);
	refused(ERR_NOT_FOUND);
}

static void volume_without_kubelets_marker_is_not_yet_there(void **state)
{
	(void)state;
	pods_add(&pods, &ref, "size=64k");
	assert_int_equal(unlink(in_pod("plugins/kubernetes.io~empty-dir/tls/ready")), 0);
	refused(ERR_UNAVAILABLE);
	assert_int_equal(rmdir(in_pod("plugins/kubernetes.io~empty-dir/tls")), 0);
	refused(ERR_UNAVAILABLE);
	assert_int_equal(mkdir(in_pod("plugins/kubernetes.io~empty-dir/tls"), 0755), 0);
	assert_int_equal(mkdir(in_pod("plugins/kubernetes.io~empty-dir/tls/ready"), 0755), 0);
	refused(ERR_INVALID);
}

static void volume_on_a_disk_is_refused(void **state)
{
	(void)state;
	pods_add(&pods, &ref, NULL);
	/* Anything that is no tmpfs. */
	assert_int_equal(mount("proc", the_volume(), "proc", 0, NULL), 0);
	refused(ERR_INVALID);
	assert_int_equal(umount(the_volume()), 0);
	opens();
}

static void E1_link_on_the_way_to_the_volume_is_refused(void **state)
{
	static const char *const parts[] = {"", "volumes", "volumes/kubernetes.io~empty-dir",
					    "volumes/kubernetes.io~empty-dir/tls"};
	char path[PODS_PATH], moved[PODS_PATH + 8];

	(void)state;
	pods_add(&pods, &ref, NULL);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(path, sizeof(path), "%s", in_pod(parts[i]));
		if (!parts[i][0])
			path[strlen(path) - 1] = '\0';
		snprintf(moved, sizeof(moved), "%s-moved", path);
		assert_int_equal(rename(path, moved), 0);
		assert_int_equal(symlink(moved, path), 0);
		refused(ERR_INVALID);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rename(moved, path), 0);
		opens();
	}
}

static void E3_things_in_place_of_the_volume_are_refused(void **state)
{
	(void)state;
	pods_add(&pods, &ref, NULL);
	assert_int_equal(rmdir(the_volume()), 0);
	assert_int_equal(mkfifo(the_volume(), 0666), 0);
	refused(ERR_INVALID);
	assert_int_equal(unlink(the_volume()), 0);
	assert_int_equal(mknod(the_volume(), S_IFREG | 0666, 0), 0);
	refused(ERR_INVALID);
}

static void names_that_are_no_volumes_are_refused(void **state)
{
	static const struct volume_ref bad[] = {
	    {"../../../../../../../../../../../etc", "tls"},
	    {"0a1b2c3d-0000-4000-8000-000000000001", ".."},
	    {"0a1b2c3d-0000-4000-8000-000000000001", "a/b"},
	    {"0a1b2c3d-0000-4000-8000-000000000001", ""},
	    {"0a1b2c3d-0000-4000-8000-000000000001", "Tls"},
	    {"", "tls"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct volume v;
		struct err e;

		assert_int_equal(volume_open(&pods.tree, &bad[i], &v, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void flat_tree_is_the_volume_itself(void **state)
{
	struct volume_tree flat = {.pods_fd = pods.fd, .flat = true, .any_fs = true};
	const struct volume_ref none = {"", ""};
	struct volume v;
	struct err e;
	int root = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(volume_open(&flat, &none, &v, &e), 0);
	assert_false(v.sync);
	volume_close(&v);
	flat.pods_fd = root;
	assert_int_equal(volume_open(&flat, &none, &v, &e), 0);
	assert_true(v.sync);
	volume_close(&v);
	flat.any_fs = false;
	assert_int_equal(volume_open(&flat, &none, &v, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	close(root);
}

static void only_our_own_grammar_is_a_generation(void **state)
{
	static const char *const bad[] = {
	    "",
	    "..",
	    "..data",
	    "..2026_01_02_03_04_05.",
	    "..2026_01_02_03_04_05.123456789",
	    "..2026_01_02_03_04_05.0123456789abcdef0123456789abcde",
	    "..2026_01_02_03_04_05.0123456789abcdef0123456789abcdef0",
	    "..2026_01_02_03_04_05.0123456789ABCDEF0123456789abcdef",
	    "..2026_01_02_03_04_05.0123456789abcdef0123456789abcde/",
	    "..2026-01-02_03_04_05.0123456789abcdef0123456789abcdef",
	    ".2026_01_02_03_04_05.0123456789abcdef0123456789abcdef",
	    "..2026_01_02_03_04_0a.0123456789abcdef0123456789abcdef",
	};
	char made[GENERATION_NAME], other[GENERATION_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(volume_generation_ok(bad[i]));
	assert_true(volume_generation_ok("..2026_01_02_03_04_05.0123456789abcdef0123456789abcdef"));
	writer_generation(1767323045678, made);
	writer_generation(1767323045678, other);
	assert_true(volume_generation_ok(made));
	assert_memory_equal(made, "..2026_01_02_03_04_05.", 22);
	assert_string_not_equal(made, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(volume_on_its_own_tmpfs_is_opened, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(missing_pod_or_volume_is_not_found, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(volume_without_kubelets_marker_is_not_yet_there, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(volume_on_a_disk_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E1_link_on_the_way_to_the_volume_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E3_things_in_place_of_the_volume_are_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(names_that_are_no_volumes_are_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(flat_tree_is_the_volume_itself, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_our_own_grammar_is_a_generation, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
