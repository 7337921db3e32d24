/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/read.h"

#include "tests/lib/one_subject.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define KUBELETS "..2026_01_02_03_04_05.123456789"

static void unreadable(enum err_kind kind)
{
	struct volume_entry list[LIMIT_FILES];
	struct content c = {0};
	size_t count;

	assert_int_equal(volume_read(&s.v, NULL, &c, NULL, &s.err), -1);
	if (s.err.kind != kind)
		fail_msg("kind %d: %s", s.err.kind, s.err.message);
	assert_int_equal(c.count, 0);
	if (volume_list(&s.v, list, &count, &s.err) < 0)
		assert_int_equal(s.err.kind, kind);
}

static void published_pair_is_read_back(void **state)
{
	_cleanup_content_ struct content c = {0};
	char name[GENERATION_NAME];

	(void)state;
	subject_published(&s, 3);
	assert_int_equal(volume_read(&s.v, NULL, &c, name, &s.err), 0);
	assert_string_equal(name, s.generation);
	assert_int_equal(c.count, 3);
	assert_memory_equal(content_find(&c, "tls.key")->bytes.data, "key 3\n", 6);
	assert_int_equal(content_find(&c, "tls.key")->bytes.len, 6);
}

static void kept_generation_is_read_by_name(void **state)
{
	_cleanup_content_ struct content c = {0};

	(void)state;
	subject_published(&s, 1);
	subject_published(&s, 2);
	assert_int_equal(volume_read(&s.v, s.previous, &c, NULL, &s.err), 0);
	assert_memory_equal(content_find(&c, "tls.key")->bytes.data, "key 1\n", 6);
}

/* As kubelet and the CSI drivers that use its writer make them. */
static void volumes_of_kubelets_writer_are_read(void **state)
{
	_cleanup_content_ struct content c = {0};
	struct volume_entry list[LIMIT_FILES];
	char name[GENERATION_NAME];
	struct volume v;
	size_t count;

	(void)state;
	assert_int_equal(mkdir(at(KUBELETS), 0755), 0);
	subject_put(&s, KUBELETS "/tls.key", "k");
	subject_put(&s, KUBELETS "/ca.crt", "");
	assert_int_equal(chmod(at(KUBELETS "/tls.key"), 0440), 0);
	assert_int_equal(chown(at(KUBELETS "/tls.key"), 5, 6), 0);
	assert_int_equal(symlink(KUBELETS, at("..data")), 0);
	assert_int_equal(volume_open_path(s.path, &v, &s.err), 0);
	assert_int_equal(volume_read(&v, NULL, &c, name, &s.err), 0);
	assert_string_equal(name, KUBELETS);
	assert_int_equal(c.count, 2);
	assert_int_equal(volume_list(&v, list, &count, &s.err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].name, "ca.crt");
	assert_int_equal(list[0].size, 0);
	assert_string_equal(list[1].name, "tls.key");
	assert_int_equal(list[1].mode, 0440);
	assert_int_equal(list[1].uid, 5);
	assert_int_equal(list[1].gid, 6);
	assert_int_equal(list[1].size, 1);
	volume_close(&v);
}

static void nothing_published_is_not_found(void **state)
{
	(void)state;
	unreadable(ERR_NOT_FOUND);
	assert_int_equal(symlink(KUBELETS, at("..data")), 0);
	unreadable(ERR_NOT_FOUND);
}

static void E1_data_that_is_no_link_to_a_generation_is_refused(void **state)
{
	static const char *const targets[] = {"/etc",   ".",   "..",         "../..",
					      "..data", "tls", KUBELETS "/", "./" KUBELETS};

	(void)state;
	assert_int_equal(mkdir(at(KUBELETS), 0755), 0);
	assert_int_equal(mkdir(at("tls"), 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		assert_int_equal(symlink(targets[i], at("..data")), 0);
		unreadable(ERR_INVALID);
		assert_int_equal(unlink(at("..data")), 0);
	}
	assert_int_equal(mkdir(at("..data"), 0755), 0);
	unreadable(ERR_INVALID);
}

static void E1_generation_that_is_a_link_is_refused(void **state)
{
	(void)state;
	assert_int_equal(symlink("/etc", at(KUBELETS)), 0);
	assert_int_equal(symlink(KUBELETS, at("..data")), 0);
	unreadable(ERR_INVALID);
	assert_int_equal(unlink(at(KUBELETS)), 0);
	assert_int_equal(mkfifo(at(KUBELETS), 0666), 0);
	unreadable(ERR_INVALID);
}

static void make_generation(void)
{
	empty_directory(s.path);
	assert_int_equal(mkdir(at(KUBELETS), 0755), 0);
	assert_int_equal(symlink(KUBELETS, at("..data")), 0);
}

static void E3_what_is_no_file_is_refused(void **state)
{
	(void)state;
	make_generation();
	assert_int_equal(symlink("/etc/hostname", at(KUBELETS "/tls.key")), 0);
	unreadable(ERR_INVALID);
	make_generation();
	assert_int_equal(mkfifo(at(KUBELETS "/tls.key"), 0666), 0);
	unreadable(ERR_INVALID);
	make_generation();
	assert_int_equal(mkdir(at(KUBELETS "/tls.key"), 0777), 0);
	unreadable(ERR_INVALID);
	make_generation();
	assert_int_equal(mknod(at(KUBELETS "/tls.key"), S_IFCHR | 0666, 0x0107), 0);
	unreadable(ERR_INVALID);
	make_generation();
	subject_put(&s, KUBELETS "/bad name", "");
	unreadable(ERR_INVALID);
}

static void E4_too_many_or_too_large_is_refused(void **state)
{
	char name[64];
	int fd;

	(void)state;
	make_generation();
	for (int i = 0; i <= LIMIT_FILES; i++) {
		snprintf(name, sizeof(name), KUBELETS "/f%d", i);
		subject_put(&s, name, "");
	}
	unreadable(ERR_EXHAUSTED);
	make_generation();
	fd = open(at(KUBELETS "/tls.key"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	unreadable(ERR_EXHAUSTED);
	assert_int_equal(ftruncate(fd, LIMIT_CONTENT), 0);
	close(fd);
	subject_put(&s, KUBELETS "/one-more-byte", "x");
	unreadable(ERR_EXHAUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(published_pair_is_read_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(kept_generation_is_read_by_name, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(volumes_of_kubelets_writer_are_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_published_is_not_found, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E1_data_that_is_no_link_to_a_generation_is_refused,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E1_generation_that_is_a_link_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E3_what_is_no_file_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(E4_too_many_or_too_large_is_refused, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
