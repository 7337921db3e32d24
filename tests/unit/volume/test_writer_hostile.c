/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The writer in a directory that a pod can write, and did: links that lead out, and things that
 * block, at every name of ours.
 */
#include "tests/lib/one_hostile_subject.h"
#include "volume/read.h"
#include "volume/writer.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static bool verified(int n)
{
	_cleanup_content_ struct content c;
	bool intact;

	pair_content(n, &c);
	assert_int_equal(subject_verify(&s, &c, &intact), 0);
	return intact;
}

/* --- E1: ..data leads somewhere --- */

static void with_data_link(const char *target)
{
	(void)unlink(at("..data"));
	assert_int_equal(symlink(target, at("..data")), 0);
	in_time(published, 1);
	decoy_untouched(&decoy);
	(void)unlink(at("..data"));
	assert_int_equal(symlink(target, at("..data")), 0);
	assert_true(verified(1));
	assert_int_equal(pair_seen(s.path), 1);
	decoy_untouched(&decoy);
}

static void E1_data_link_out_of_the_volume_is_never_followed(void **state)
{
	char out[256];

	(void)state;
	with_data_link(decoy.path);
	snprintf(out, sizeof(out), "../../../../../../../../../..%s", decoy.path);
	with_data_link(out);
	with_data_link("/etc");
	with_data_link("../../..");
	with_data_link(".");
	with_data_link("..");
}

static void E1_data_link_in_a_loop_dangling_or_long_is_replaced(void **state)
{
	char long_target[4096];

	(void)state;
	with_data_link("..data");
	with_data_link("..nowhere");
	memset(long_target, 'a', sizeof(long_target));
	long_target[sizeof(long_target) - 1] = '\0';
	with_data_link(long_target);
	long_target[GENERATION_NAME - 1] = '\0';
	with_data_link(long_target);
}

static void E1_generation_that_is_a_link_is_never_followed(void **state)
{
	char name[GENERATION_NAME];

	(void)state;
	new_generation(name);
	assert_int_equal(symlink(decoy.path, at(name)), 0);
	with_data_link(name);
	assert_int_equal(count_generations(s.path), 1);
}

/* The exploit of CVE-2017-1002102: what the old generation held is removed from the victim. */
static void E1_exploit_of_the_old_writer_removes_nothing(void **state)
{
	(void)state;
	subject_put(&s, "etc", "");
	subject_put(&s, "tls.key", "");
	with_data_link(decoy.path);
	in_time(published, 2);
}

static void E1_kept_and_previous_generations_that_are_links_are_only_unlinked(void **state)
{
	char kept[GENERATION_NAME];

	(void)state;
	published(1);
	published(2);
	assert_int_equal(writer_retire(&s.v, s.previous, &s.err), 0);
	assert_int_equal(symlink(decoy.path, at(s.previous)), 0);
	memcpy(kept, s.previous, sizeof(kept));
	in_time(published, 3);
	decoy_untouched(&decoy);
	assert_int_equal(symlink(decoy.path, at(kept)), 0);
	assert_int_equal(writer_retire(&s.v, kept, &s.err), 0);
	assert_int_equal(unlink(at(kept)), -1);
}

static void E1_links_and_mounts_inside_a_leftover_lead_nowhere(void **state)
{
	char name[GENERATION_NAME], inner[GENERATION_NAME + 16];

	(void)state;
	new_generation(name);
	assert_int_equal(mkdir(at(name), 0700), 0);
	snprintf(inner, sizeof(inner), "%s/a", name);
	assert_int_equal(symlink(decoy.path, at(inner)), 0);
	snprintf(inner, sizeof(inner), "%s/b", name);
	assert_int_equal(mkdir(at(inner), 0700), 0);
	assert_int_equal(mount(decoy.path, at(inner), NULL, MS_BIND, NULL), 0);
	in_time(published, 1);
	decoy_untouched(&decoy);
	assert_int_equal(s.written.left, 1);
	assert_int_equal(umount(at(inner)), 0);
	in_time(published, 1);
	assert_int_equal(s.written.left, 0);
	assert_int_equal(count_generations(s.path), 1);
}

/* --- E3: things at our names --- */

enum thing {
	FIFO,
	SOCKET,
	DEVICE,
	HARD_LINK,
	DIRECTORY,
	FULL_DIRECTORY,
	LINK_OUT,
	THINGS
};

/* A file of the pod's own that everybody can see was not written through. */
#define OWN_FILE "own-file"

static void put_thing(enum thing thing, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char inner[PODS_PATH];
	int fd;

	(void)unlink(at(name));
	switch (thing) {
	case FIFO:
		assert_int_equal(mkfifo(at(name), 0666), 0);
		break;
	case SOCKET:
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%.60s", s.v.fd, name);
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		close(fd);
		break;
	case DEVICE:
		assert_int_equal(mknod(at(name), S_IFCHR | 0666, makedev(1, 7)), 0);
		break;
	case HARD_LINK:
		subject_put(&s, OWN_FILE, "own");
		assert_int_equal(link(at(OWN_FILE), at(name)), 0);
		break;
	case DIRECTORY:
	case FULL_DIRECTORY:
		assert_int_equal(mkdir(at(name), 0), 0);
		snprintf(inner, sizeof(inner), "%s/inner", name);
		if (thing == FULL_DIRECTORY)
			subject_put(&s, inner, "own");
		break;
	case LINK_OUT:
	case THINGS:
	default:
		assert_int_equal(symlink(decoy.shadow, at(name)), 0);
		break;
	}
}

static void expect_own_file_unchanged(void)
{
	struct stat st;

	if (stat(at(OWN_FILE), &st) < 0)
		return;
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void E3_things_at_our_fixed_names_are_replaced(void **state)
{
	static const char *const names[] = {"..data", "..data_tmp", "tls.crt", "bundle"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (enum thing thing = FIFO; thing < THINGS; thing++) {
			if (thing == FULL_DIRECTORY && names[i][0] != '.')
				continue;
			put_thing(thing, names[i]);
			in_time(published, (int)thing + 1);
			expect_own_file_unchanged();
			decoy_untouched(&decoy);
		}
}

static void E3_directory_with_entries_at_a_files_name_is_refused_by_name(void **state)
{
	struct stat st;

	(void)state;
	published(1);
	assert_int_equal(unlink(at("tls.crt")), 0);
	put_thing(FULL_DIRECTORY, "tls.crt");
	assert_int_equal(subject_publish(&s, 2), -1);
	assert_int_equal(s.err.kind, ERR_CONFLICT);
	assert_non_null(strstr(s.err.message, "tls.crt is a directory"));
	assert_int_equal(pair_seen(s.path), 1);
	assert_int_equal(count_generations(s.path), 1);
	assert_int_equal(stat(at("tls.crt/inner"), &st), 0);
	assert_int_equal(unlink(at("tls.crt/inner")), 0);
	in_time(published, 2);
}

/* In the generation that is read to see whether the content is the same. */
static void E3_things_in_the_served_generation_are_neither_opened_nor_changed(void **state)
{
	(void)state;
	published(1);
	for (enum thing thing = FIFO; thing < THINGS; thing++) {
		char name[GENERATION_NAME + 16];
		struct content none = {0};
		int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		char event[512];

		snprintf(name, sizeof(name), "%s/tls.key", s.generation);
		if (thing == SOCKET) {
			close(fd);
			continue; /* the path of a socket is too short for it */
		}
		put_thing(thing, name);
		if (thing == FIFO || thing == DEVICE)
			assert_true(inotify_add_watch(fd, at(name), IN_OPEN) > 0);
		assert_int_equal(volume_read(&s.v, NULL, &none, NULL, &s.err),
				 thing == HARD_LINK ? 0 : -1);
		content_done(&none);
		assert_false(verified(1));
		in_time(published, 1);
		assert_true(s.written.changed);
		assert_int_equal(read(fd, event, sizeof(event)), -1);
		close(fd);
		expect_own_file_unchanged();
		decoy_untouched(&decoy);
	}
}

static void E3_hard_link_with_the_right_bytes_keeps_its_owner_and_mode(void **state)
{
	char name[GENERATION_NAME + 16];
	struct stat st;

	(void)state;
	published(1);
	snprintf(name, sizeof(name), "%s/tls.key", s.generation);
	assert_int_equal(unlink(at(name)), 0);
	subject_put(&s, OWN_FILE, "key 1\n");
	assert_int_equal(chmod(at(OWN_FILE), 0604), 0);
	assert_int_equal(chown(at(OWN_FILE), 5, 6), 0);
	assert_int_equal(link(at(OWN_FILE), at(name)), 0);
	assert_false(verified(1));
	in_time(published, 1);
	assert_true(s.written.changed);
	assert_int_equal(stat(at(OWN_FILE), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(st.st_uid, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(E1_data_link_out_of_the_volume_is_never_followed,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E1_data_link_in_a_loop_dangling_or_long_is_replaced,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E1_generation_that_is_a_link_is_never_followed,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E1_exploit_of_the_old_writer_removes_nothing,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(
		E1_kept_and_previous_generations_that_are_links_are_only_unlinked, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(E1_links_and_mounts_inside_a_leftover_lead_nowhere,
					    set_up_here, tear_down_here),
	    cmocka_unit_test_setup_teardown(E3_things_at_our_fixed_names_are_replaced, set_up_here,
					    tear_down_here),
	    cmocka_unit_test_setup_teardown(
		E3_directory_with_entries_at_a_files_name_is_refused_by_name, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(
		E3_things_in_the_served_generation_are_neither_opened_nor_changed, set_up_here,
		tear_down_here),
	    cmocka_unit_test_setup_teardown(
		E3_hard_link_with_the_right_bytes_keeps_its_owner_and_mode, set_up_here,
		tear_down_here),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
