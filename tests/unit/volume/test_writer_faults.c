/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The writer and the record, killed at every system call and failing at every system call, as the
 * hand uses them: the record first, then the volume.
 */
#include "tests/lib/pods.h"
#include "tests/lib/trace.h"
#include "volume/fingerprint.h"
#include "volume/read.h"
#include "volume/record.h"
#include "volume/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

static struct subject s;
static char state_path[PODS_PATH];
static int state_fd;

/* One operation of the hand, and what it told. Shared with the child that does it. */
struct operation {
	int pair; /* to publish; 0: none */
	bool without_bundle;
	char generation[GENERATION_NAME];
	struct volume_written written;
	struct err err;
};
static struct operation *op;

static int set_up(void **state)
{
	(void)state;
	if (!trace_possible()) {
		print_error("SKIP: system calls are interfered with on x86-64 only\n");
		skip();
	}
	subject_make(&s, "size=4m,mode=0777");
	snprintf(state_path, sizeof(state_path), "%s/state", s.pods.root);
	assert_int_equal(mkdir(state_path, 0700), 0);
	state_fd = open(state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(state_fd >= 0);
	op = mmap(NULL, sizeof(*op), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(op != MAP_FAILED);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	munmap(op, sizeof(*op));
	close(state_fd);
	subject_remove(&s);
	return 0;
}

static void content_of(int pair, bool without_bundle, struct content *ret)
{
	pair_content(pair, ret);
	content_sort(ret);
	if (!without_bundle)
		return;
	assert_string_equal(ret->files[0].name, "bundle");
	secret_done(&ret->files[0].bytes);
	memmove(&ret->files[0], &ret->files[1], 2 * sizeof(ret->files[0]));
	ret->count = 2;
}

/* The record as it is, or an empty one. */
static struct record record_now(void)
{
	struct record r = {.ref = s.ref};
	struct err e;

	if (record_read(state_fd, &s.ref, &r, &e) < 0) {
		assert_int_equal(e.kind, ERR_NOT_FOUND);
		r = (struct record){.ref = s.ref};
	}
	return r;
}

/* Publishes as the hand does: the record says what comes before it comes. */
static int publish(void *arg)
{
	_cleanup_content_ struct content c;
	struct record before, r = {0};
	struct volume_plan plan = {
	    .owner = s.owner, .generation = op->generation, .keep = "", .previous = ""};

	(void)arg;
	content_of(op->pair, op->without_bundle, &c);
	if (record_read(state_fd, &s.ref, &r, &op->err) < 0) {
		if (op->err.kind != ERR_NOT_FOUND)
			return 1;
		r = (struct record){.ref = s.ref};
	}
	before = r;
	plan.keep = before.generation;
	plan.previous = before.previous;
	memcpy(r.previous, before.generation, GENERATION_NAME);
	r.previous_content = before.content;
	memcpy(r.generation, op->generation, GENERATION_NAME);
	volume_fingerprint(&c, &r.content);
	r.owner = s.owner;
	if (record_write(state_fd, &r, &op->err) < 0)
		return 2;
	if (writer_publish(&s.v, &c, &plan, &op->written, &op->err) < 0)
		return op->written.changed ? 4 : 3;
	if (!op->written.changed && record_write(state_fd, &before, &op->err) < 0)
		return 5;
	return 0;
}

/* The pod is gone, or its kept pair is given up: the record of the volume goes as well. */
static int retire(void *arg)
{
	struct record r;

	(void)arg;
	if (record_read(state_fd, &s.ref, &r, &op->err) < 0)
		return op->err.kind == ERR_NOT_FOUND ? 0 : 1;
	if (writer_retire(&s.v, r.previous, &op->err) < 0)
		return 2;
	return record_remove(state_fd, &s.ref, &op->err) < 0 ? 3 : 0;
}

static void prepare(int pair, bool without_bundle)
{
	*op = (struct operation){.pair = pair, .without_bundle = without_bundle};
	new_generation(op->generation);
}

static void published(int pair, bool without_bundle)
{
	prepare(pair, without_bundle);
	if (publish(NULL) != 0)
		fail_msg("publish of %d: %s", pair, op->err.message);
}

/* What the hand does at its start, and the head then: look, and publish anew where it is not there. */
static void start_again(int pair, bool without_bundle)
{
	struct record r = record_now();
	struct volume_plan plan = {
	    .owner = s.owner, .generation = r.generation, .keep = r.previous, .previous = ""};
	struct volume_written w;
	bool intact = false;

	if (r.generation[0])
		assert_int_equal(writer_verify(&s.v, &plan, &r.content, &intact, &w, &s.err), 0);
	if (r.generation[0] && !intact) {
		/* The new one never was: the record goes back to what is served. */
		memcpy(r.generation, r.previous, GENERATION_NAME);
		r.content = r.previous_content;
		r.previous[0] = '\0';
		assert_int_equal(record_write(state_fd, &r, &s.err), 0);
	}
	published(pair, without_bundle);
}

static void expect_clean(int pair, bool without_bundle, unsigned generations)
{
	_cleanup_free_ char *text = directory_text(s.path);
	struct stat st;

	assert_int_equal(pair_seen(s.path), pair);
	assert_int_equal(pair_seen_by_links(s.path), pair);
	if (has_temporary(s.path) || count_generations(s.path) != generations)
		fail_msg("%u generations expected in\n%s", generations, text);
	assert_int_equal(lstat(subject_at(&s, "bundle"), &st), without_bundle ? -1 : 0);
}

struct scene {
	int before, first; /* pairs published before; 0: none */
	int pair;
	bool without_bundle;
	int (*operation)(void *arg);
};

static void stage(const struct scene *scene)
{
	empty_directory(s.path);
	empty_directory(state_path);
	if (scene->first)
		published(scene->first, false);
	if (scene->before)
		published(scene->before, false);
	prepare(scene->pair, scene->without_bundle);
}

/* Kills at each call in turn, until none is left to kill at. */
static void kill_everywhere(const struct scene *scene, void (*check)(const struct scene *scene))
{
	struct trace t = {.act = TRACE_KILL};
	struct trace_result r;

	do {
		stage(scene);
		trace_run(scene->operation, NULL, &t, &r);
		check(scene);
		t.at++;
	} while (r.killed);
	assert_int_equal(r.code, 0);
	assert_true(t.at > 20);
	print_message("killed at %u system calls\n", t.at - 1);
}

static void check_publish(const struct scene *scene)
{
	int seen = pair_seen(s.path);

	if (seen != scene->before && seen != scene->pair)
		fail_msg("a reader sees %d", seen);
	/* The links of a first publish come one after the other. */
	seen = pair_seen_by_links(s.path);
	if (scene->before && seen != scene->before && seen != scene->pair)
		fail_msg("a reader of the links sees %d", seen);
	start_again(scene->pair, scene->without_bundle);
	expect_clean(scene->pair, scene->without_bundle, scene->before ? 2 : 1);
}

static void A1_killed_anywhere_while_creating(void **state)
{
	const struct scene scene = {.pair = 1, .operation = publish};

	(void)state;
	kill_everywhere(&scene, check_publish);
}

static void A1_killed_anywhere_while_updating(void **state)
{
	const struct scene scene = {.first = 1, .before = 2, .pair = 3, .operation = publish};

	(void)state;
	kill_everywhere(&scene, check_publish);
}

static void A1_killed_anywhere_while_removing_a_file(void **state)
{
	const struct scene scene = {
	    .first = 1, .before = 2, .pair = 3, .without_bundle = true, .operation = publish};

	(void)state;
	kill_everywhere(&scene, check_publish);
}

static void check_retire(const struct scene *scene)
{
	assert_int_equal(pair_seen_by_links(s.path), scene->before);
	assert_int_equal(retire(NULL), 0);
	expect_clean(scene->before, false, 1);
	assert_string_equal(record_now().generation, "");
}

static void A1_killed_anywhere_while_retiring(void **state)
{
	const struct scene scene = {.first = 1, .before = 2, .operation = retire};

	(void)state;
	kill_everywhere(&scene, check_retire);
}

/* Without a record, as init and sidecar: the next publish alone has to put all right. */
static int publish_alone(void *arg)
{
	_cleanup_content_ struct content c;
	struct volume_plan plan = {
	    .owner = s.owner, .generation = op->generation, .keep = "", .previous = ""};

	(void)arg;
	content_of(op->pair, op->without_bundle, &c);
	return writer_publish(&s.v, &c, &plan, &op->written, &op->err) < 0 ? 1 : 0;
}

static void check_alone(const struct scene *scene)
{
	int seen = pair_seen(s.path);

	if (seen != scene->before && seen != scene->pair)
		fail_msg("a reader sees %d", seen);
	prepare(scene->pair, scene->without_bundle);
	assert_int_equal(publish_alone(NULL), 0);
	expect_clean(scene->pair, scene->without_bundle, 1);
}

static void A1_killed_anywhere_without_a_record(void **state)
{
	const struct scene scene = {
	    .first = 1, .before = 2, .pair = 3, .without_bundle = true, .operation = publish_alone};

	(void)state;
	kill_everywhere(&scene, check_alone);
}

/* --- calls that fail --- */

static const struct scene update = {
    .first = 1, .before = 2, .pair = 3, .without_bundle = true, .operation = publish};

static void fail_everywhere(int error, bool lasting, unsigned step,
			    void (*check)(const struct trace_result *r))
{
	struct trace t = {
	    .act = TRACE_ERROR, .error = error, .lasting = lasting, .wanted = trace_is_file_call};
	struct trace_result r;

	do {
		stage(&update);
		trace_run(update.operation, NULL, &t, &r);
		check(&r);
		t.at += r.nr >= 0 ? step : 0;
	} while (r.nr >= 0);
	assert_int_equal(r.code, 0);
	assert_true(t.at > 20);
}

/* Errors that take the same way as one that is tried at every call. */
static unsigned some_calls(void)
{
	return getenv("CERTHUP_SOAK") ? 1 : 5;
}

/* One call failed: the old pair or the new one is there, whole, and nothing else of it. */
static void check_one_failure(const struct trace_result *r)
{
	int seen = pair_seen(s.path);

	if (seen != (op->written.changed ? 3 : 2))
		fail_msg("a reader sees %d after call %ld failed: %s", seen, r->nr,
			 op->err.message);
	if (r->code == 0)
		assert_int_equal(seen, 3);
	else
		assert_true(op->err.message[0] != '\0');
	/* A failing removal leaves what it did not remove; nothing else does. */
	if (r->nr != SYS_unlinkat && r->nr != SYS_openat2 && r->nr != SYS_getdents64 &&
	    r->nr != SYS_fcntl && r->nr >= 0 && !op->written.changed) {
		assert_false(has_temporary(s.path));
		assert_true(count_generations(s.path) <= 2);
	}
	start_again(3, true);
	expect_clean(3, true, 2);
}

static void A3_no_space_once_at_any_call(void **state)
{
	(void)state;
	fail_everywhere(ENOSPC, false, 1, check_one_failure);
}

static void A3_quota_once_at_any_call(void **state)
{
	(void)state;
	fail_everywhere(EDQUOT, false, some_calls(), check_one_failure);
}

static void A5_io_error_at_any_call(void **state)
{
	(void)state;
	fail_everywhere(EIO, false, 1, check_one_failure);
}

static void A5_read_only_at_any_call(void **state)
{
	(void)state;
	fail_everywhere(EROFS, false, some_calls(), check_one_failure);
}

static void A5_stale_at_any_call(void **state)
{
	(void)state;
	fail_everywhere(ESTALE, false, some_calls(), check_one_failure);
}

static void A5_no_access_at_any_call(void **state)
{
	(void)state;
	fail_everywhere(EACCES, false, some_calls(), check_one_failure);
}

/* From some call on all fail: nothing can be cleaned up then, but the next run does. */
static void check_lasting_failure(const struct trace_result *r)
{
	int seen = pair_seen(s.path);

	if (seen != 2 && seen != 3)
		fail_msg("a reader sees %d after call %ld failed", seen, r->nr);
	if (op->written.changed || r->code == 0)
		assert_int_equal(seen, 3);
	start_again(3, true);
	expect_clean(3, true, 2);
}

static void A5_io_errors_from_any_call_on(void **state)
{
	(void)state;
	fail_everywhere(EIO, true, some_calls(), check_lasting_failure);
}

static void A7_no_descriptors_at_any_call(void **state)
{
	(void)state;
	fail_everywhere(EMFILE, false, 1, check_one_failure);
}

static void A7_no_descriptors_from_any_call_on(void **state)
{
	(void)state;
	fail_everywhere(ENFILE, true, some_calls(), check_lasting_failure);
}

static void A6_interrupted_and_short_reads_and_writes(void **state)
{
	const struct trace t = {.act = TRACE_SHORT};
	_cleanup_content_ struct content want, have = {0};
	struct fingerprint w, h;
	struct trace_result r;

	(void)state;
	stage(&update);
	trace_run(publish, NULL, &t, &r);
	if (r.code != 0)
		fail_msg("%s", op->err.message);
	assert_true(op->written.changed);
	expect_clean(3, true, 2);
	content_of(3, true, &want);
	assert_int_equal(volume_read(&s.v, NULL, &have, NULL, &s.err), 0);
	volume_fingerprint(&want, &w);
	volume_fingerprint(&have, &h);
	assert_true(fingerprint_equal(&w, &h));
	assert_string_equal(record_now().generation, op->generation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(A1_killed_anywhere_while_creating, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A1_killed_anywhere_while_updating, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A1_killed_anywhere_while_removing_a_file, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A1_killed_anywhere_while_retiring, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A1_killed_anywhere_without_a_record, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A3_no_space_once_at_any_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A3_quota_once_at_any_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A5_io_error_at_any_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A5_read_only_at_any_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A5_stale_at_any_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A5_no_access_at_any_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A5_io_errors_from_any_call_on, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A6_interrupted_and_short_reads_and_writes, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(A7_no_descriptors_at_any_call, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(A7_no_descriptors_from_any_call_on, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
