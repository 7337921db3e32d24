/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/work.h"

#include "base/clock.h"
#include "hand/payload.h"
#include "tests/lib/hands.h"
#include "volume/fingerprint.h"
#include "volume/record.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Operations run here in the test's own process. */
static struct hands h;
static struct hand_options options;
static struct work w;
static struct volume_ref ref;
static struct err e;

static int set_up(void **state)
{
	char path[64];

	(void)state;
	hands_make(&h);
	ref = hands_volume(&h, 1, "size=64k");
	snprintf(path, sizeof(path), "%s/state", h.root);
	assert_int_equal(mkdir(path, 0700), 0);
	options = (struct hand_options){.tree = h.pods.tree, .state_fd = open(path, O_RDONLY)};
	assert_true(options.state_fd >= 0);
	w = (struct work){.fd = -1};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	closep(&w.fd);
	close(options.state_fd);
	hands_remove(&h);
	return 0;
}

static enum err_kind run(const struct hand_request *r, int memfd)
{
	closep(&w.fd);
	w.options = &options;
	w.request = *r;
	w.memfd = memfd;
	w.charge = 8192;
	work_run(&w);
	closep(&memfd);
	return w.reply.err.kind;
}

static enum err_kind ask(enum hand_op op)
{
	struct hand_request r = {.op = op, .volume = ref};

	return run(&r, -1);
}

static enum err_kind publish(int n, unsigned rv)
{
	int memfd;
	struct hand_request r = hands_publish_request(&ref, n, rv, &memfd);

	r.publish.owed_signal = SIGHUP;
	return run(&r, memfd);
}

static void expect(enum err_kind got, enum err_kind want)
{
	if (got != want)
		fail_msg("%s instead of %s: %s", err_meaning(got)->label, err_meaning(want)->label,
			 w.reply.err.message);
}

static int seen(void)
{
	return hands_seen(&h, &ref);
}

static struct record on_disk(void)
{
	struct record r = {0};

	if (record_read(options.state_fd, &ref, &r, &e) < 0)
		fail_msg("%s", e.message);
	return r;
}

static char *volume_path(const char *name)
{
	static char path[2 * PODS_PATH];
	char volume[PODS_PATH];

	pods_path(&h.pods, &ref, volume);
	snprintf(path, sizeof(path), "%s/%s", volume, name);
	return path;
}

/* The record of the next publish, as it is written before the swap that a kill then prevents. */
static void record_ahead(int n, unsigned rv)
{
	_cleanup_content_ struct content c;
	struct record r = {0};

	pair_content(n, &c);
	if (record_read(options.state_fd, &ref, &r, &e) == 0) {
		memcpy(r.previous, r.generation, sizeof(r.previous));
		r.previous_content = r.content;
	}
	r.ref = ref;
	volume_fingerprint(&c, &r.content);
	memcpy(r.generation, "..2026_01_02_03_04_05.0123456789abcdef0123456789abcdef", 55);
	snprintf(r.resource_version, sizeof(r.resource_version), "%u", rv);
	snprintf(r.pod_namespace, sizeof(r.pod_namespace), "default");
	snprintf(r.pod_name, sizeof(r.pod_name), "web-0");
	snprintf(r.secret, sizeof(r.secret), "web-tls");
	snprintf(r.secret_uid, sizeof(r.secret_uid), "5ec5e7");
	r.owner.mode = 0444;
	r.bytes = 8192;
	assert_int_equal(record_write(options.state_fd, &r, &e), 0);
}

static void older_state_of_the_same_secret_is_refused(void **state)
{
	int memfd;
	struct hand_request r;

	(void)state;
	expect(publish(1, 100), ERR_NONE);
	expect(publish(2, 99), ERR_CONFLICT);
	assert_int_equal(seen(), 1);
	assert_true(w.reply.has_record);
	expect(publish(2, 100), ERR_NONE); /* the same state, other items of it */
	assert_int_equal(seen(), 2);
	/* Another Secret of the same name begins anew. */
	r = hands_publish_request(&ref, 3, 5, &memfd);
	memcpy(r.publish.secret_uid, "other", 6);
	expect(run(&r, memfd), ERR_NONE);
	assert_int_equal(seen(), 3);
	/* A proven reset of the numbers. */
	r = hands_publish_request(&ref, 4, 2, &memfd);
	memcpy(r.publish.secret_uid, "other", 6);
	r.publish.allow_lower = 1;
	expect(run(&r, memfd), ERR_NONE);
	assert_int_equal(seen(), 4);
	assert_string_equal(on_disk().resource_version, "2");
}

static void content_that_is_not_the_fingerprints_is_refused(void **state)
{
	int memfd;
	struct hand_request r = hands_publish_request(&ref, 2, 10, &memfd);

	(void)state;
	expect(publish(1, 9), ERR_NONE);
	r.publish.content.bytes[0] ^= 1;
	expect(run(&r, memfd), ERR_INVALID);
	assert_int_equal(seen(), 1);
	assert_string_equal(on_disk().resource_version, "9");
}

static void same_content_is_not_written_again(void **state)
{
	struct record before;
	struct stat a, b;

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	before = on_disk();
	assert_int_equal(stat(volume_path("..data/tls.key"), &a), 0);
	expect(publish(1, 11), ERR_NONE);
	assert_false(w.reply.changed);
	assert_int_equal(stat(volume_path("..data/tls.key"), &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_string_equal(on_disk().generation, before.generation);
	assert_string_equal(on_disk().resource_version, "11");
	assert_int_equal(on_disk().owed_signal, SIGHUP); /* still */
}

static void what_the_pod_damaged_is_published_again(void **state)
{
	(void)state;
	expect(publish(1, 10), ERR_NONE);
	assert_int_equal(truncate(volume_path("..data/tls.key"), 0), 0);
	expect(publish(1, 10), ERR_NONE);
	assert_true(w.reply.changed);
	assert_int_equal(seen(), 1);
	assert_int_equal(count_generations(volume_path(".")), 1);
	expect(publish(2, 11), ERR_NONE);
	assert_int_equal(seen(), 2);
}

static void no_space_leaves_pair_and_record(void **state)
{
	_cleanup_content_ struct content c = {0};
	char *big = calloc(1, 80 * KIB);
	struct hand_request r;
	struct record before;
	int memfd;

	(void)state;
	assert_non_null(big);
	expect(publish(1, 10), ERR_NONE);
	before = on_disk();
	assert_int_equal(content_add(&c, "tls.crt", big, 80 * KIB, &e), 0);
	r = hands_content_request(&ref, &c, 11, &memfd);
	expect(run(&r, memfd), ERR_EXHAUSTED);
	assert_int_equal(seen(), 1);
	assert_string_equal(on_disk().resource_version, "10");
	assert_string_equal(on_disk().generation, before.generation);
	expect(publish(2, 12), ERR_NONE);
	free(big);
}

static void swap_that_never_came_is_known_by_what_is_there(void **state)
{
	(void)state;
	expect(publish(1, 10), ERR_NONE);
	record_ahead(2, 11);
	expect(ask(HAND_ADOPT), ERR_NONE);
	assert_true(w.reply.intact);
	assert_int_equal(seen(), 1);
	{
		_cleanup_content_ struct content c;
		struct fingerprint f;

		pair_content(1, &c);
		volume_fingerprint(&c, &f);
		assert_true(fingerprint_equal(&w.reply.record.content, &f));
	}
	assert_string_equal(w.reply.record.resource_version, "11"); /* seen: nothing older comes */
	assert_string_equal(w.reply.record.previous, "");
	expect(publish(2, 11), ERR_NONE);
	assert_int_equal(seen(), 2);
}

static void first_publish_that_never_came_is_not_intact(void **state)
{
	(void)state;
	record_ahead(1, 10);
	expect(ask(HAND_ADOPT), ERR_NONE);
	assert_false(w.reply.intact);
	expect(publish(1, 10), ERR_NONE);
	assert_true(w.reply.changed);
	assert_int_equal(seen(), 1);
	expect(ask(HAND_ADOPT), ERR_NONE);
	assert_true(w.reply.intact);
}

static void lost_record_is_made_again(void **state)
{
	struct record before;

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	before = on_disk();
	assert_int_equal(record_remove(options.state_fd, &ref, &e), 0);
	expect(publish(1, 10), ERR_NONE);
	assert_false(w.reply.changed);
	assert_string_equal(on_disk().generation, before.generation);
	expect(ask(HAND_VERIFY), ERR_NONE);
	assert_true(w.reply.intact);
}

static void roll_back_quarantines_the_newer(void **state)
{
	(void)state;
	expect(publish(1, 10), ERR_NONE);
	expect(publish(2, 11), ERR_NONE);
	expect(ask(HAND_ROLL_BACK), ERR_NONE);
	assert_true(w.reply.changed);
	assert_int_equal(seen(), 1);
	assert_string_equal(on_disk().quarantine_rv, "11");
	assert_int_equal(count_generations(volume_path(".")), 1);
	expect(publish(2, 11), ERR_CONFLICT);
	expect(publish(2, 12), ERR_CONFLICT); /* the same content under another number */
	expect(publish(1, 10), ERR_CONFLICT); /* and nothing older than what was seen */
	assert_int_equal(seen(), 1);
	expect(publish(3, 12), ERR_NONE);
	assert_int_equal(seen(), 3);
	assert_string_equal(on_disk().quarantine_rv, "");
}

static void lifted_quarantine_lets_the_newer_come_back(void **state)
{
	struct hand_request r = {.op = HAND_MARK,
				 .volume = ref,
				 .mark = HAND_MARK_QUARANTINE_LIFT | HAND_MARK_OWED_DONE};

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	expect(publish(2, 11), ERR_NONE);
	expect(ask(HAND_ROLL_BACK), ERR_NONE);
	expect(run(&r, -1), ERR_NONE);
	assert_int_equal(on_disk().owed_signal, 0);
	expect(publish(2, 11), ERR_NONE);
	assert_int_equal(seen(), 2);
}

static void signal_that_named_another_volume_is_noted_with_its_time(void **state)
{
	struct hand_request r = {.op = HAND_MARK, .volume = ref, .mark = HAND_MARK_SIGNALLED};
	int64_t start_ms = clock_wall_ms(clock_system());

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	assert_int_equal(on_disk().signalled_wall_ms, 0);
	expect(run(&r, -1), ERR_NONE);
	assert_in_range(on_disk().signalled_wall_ms, start_ms, clock_wall_ms(clock_system()));
	assert_int_equal(on_disk().owed_signal, SIGHUP);
	/* The next swap does not forget it: its process may be reading still. */
	expect(publish(2, 11), ERR_NONE);
	assert_true(on_disk().signalled_wall_ms >= start_ms);
}

static void roll_back_that_was_killed_is_completed(void **state)
{
	struct record r;

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	expect(publish(2, 11), ERR_NONE);
	/* What roll back writes before it swaps. */
	r = on_disk();
	r.quarantine_content = r.content;
	memcpy(r.quarantine_rv, "11", 3);
	memcpy(r.generation, r.previous, sizeof(r.generation));
	r.content = r.previous_content;
	memset(r.previous, 0, sizeof(r.previous));
	assert_int_equal(record_write(options.state_fd, &r, &e), 0);
	expect(ask(HAND_ADOPT), ERR_NONE);
	assert_true(w.reply.intact);
	assert_int_equal(seen(), 1);
	expect(publish(2, 11), ERR_CONFLICT);
}

static void roll_back_needs_an_intact_previous(void **state)
{
	char key[PODS_PATH];

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	expect(ask(HAND_ROLL_BACK), ERR_NOT_FOUND);
	expect(publish(2, 11), ERR_NONE);
	snprintf(key, sizeof(key), "%s/tls.key", on_disk().previous);
	assert_int_equal(truncate(volume_path(key), 3), 0);
	expect(ask(HAND_ROLL_BACK), ERR_INVALID);
	assert_int_equal(seen(), 2);
	assert_string_equal(on_disk().resource_version, "11");
	assert_string_equal(on_disk().quarantine_rv, "");
}

static void read_gives_what_was_published_and_nothing_else(void **state)
{
	_cleanup_content_ struct content c = {0};
	int fd;

	(void)state;
	expect(ask(HAND_READ), ERR_NOT_FOUND);
	expect(publish(1, 10), ERR_NONE);
	expect(ask(HAND_READ), ERR_NONE);
	assert_int_equal(payload_read(w.fd, &c, &e), 0);
	assert_non_null(content_find(&c, "tls.key"));
	fd = open(volume_path("..data/tls.crt"), O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "other", 5), 5);
	close(fd);
	expect(ask(HAND_READ), ERR_CONFLICT);
	assert_int_equal(w.fd, -1);
}

static void retire_removes_previous_or_record(void **state)
{
	struct hand_request r = {.op = HAND_RETIRE, .volume = ref, .retire.previous_only = 1};

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	expect(publish(2, 11), ERR_NONE);
	assert_int_equal(count_generations(volume_path(".")), 2);
	expect(run(&r, -1), ERR_NONE);
	assert_int_equal(count_generations(volume_path(".")), 1);
	assert_string_equal(on_disk().previous, "");
	assert_int_equal(seen(), 2);
	expect(ask(HAND_RETIRE), ERR_NONE);
	assert_int_equal(seen(), 2); /* the files are the pod's */
	assert_int_equal(record_read(options.state_fd, &ref, &(struct record){0}, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void record_of_a_pod_that_is_gone_is_removed(void **state)
{
	struct volume_ref gone = hands_ref(9);
	struct hand_request r = {.op = HAND_ADOPT, .volume = gone};
	struct record record;

	(void)state;
	expect(publish(1, 10), ERR_NONE);
	record = on_disk();
	record.ref = gone;
	assert_int_equal(record_write(options.state_fd, &record, &e), 0);
	expect(run(&r, -1), ERR_NOT_FOUND);
	assert_false(w.reply.has_record);
	assert_int_equal(record_read(options.state_fd, &gone, &record, &e), -1);
	/* The pod is there, but its volume is not mounted yet: after a reboot. */
	assert_int_equal(umount2(volume_path("."), MNT_DETACH), 0);
	expect(ask(HAND_ADOPT), ERR_NONE);
	assert_true(w.reply.has_record);
	assert_false(w.reply.intact);
	assert_string_equal(on_disk().resource_version, "10");
}

static void flat_directory_remembers_in_memory(void **state)
{
	struct record remembered;

	(void)state;
	options.tree.flat = options.tree.any_fs = true;
	options.tree.pods_fd = open(volume_path("."), O_PATH | O_DIRECTORY);
	close(options.state_fd);
	options.state_fd = -1;
	expect(publish(1, 10), ERR_NONE);
	remembered = w.reply.record;
	w.memory = &remembered;
	expect(publish(2, 9), ERR_CONFLICT);
	expect(publish(2, 11), ERR_NONE);
	remembered = w.reply.record;
	expect(ask(HAND_ROLL_BACK), ERR_NONE);
	assert_int_equal(seen(), 1);
	w.memory = NULL;
	expect(ask(HAND_VERIFY), ERR_NOT_FOUND);
	close(options.tree.pods_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(older_state_of_the_same_secret_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(content_that_is_not_the_fingerprints_is_refused, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(same_content_is_not_written_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_the_pod_damaged_is_published_again, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(no_space_leaves_pair_and_record, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(swap_that_never_came_is_known_by_what_is_there, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(first_publish_that_never_came_is_not_intact, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(lost_record_is_made_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(roll_back_quarantines_the_newer, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lifted_quarantine_lets_the_newer_come_back, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(signal_that_named_another_volume_is_noted_with_its_time,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(roll_back_that_was_killed_is_completed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(roll_back_needs_an_intact_previous, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(read_gives_what_was_published_and_nothing_else, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(retire_removes_previous_or_record, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(record_of_a_pod_that_is_gone_is_removed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(flat_directory_remembers_in_memory, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/work", tests, NULL, NULL);
}
