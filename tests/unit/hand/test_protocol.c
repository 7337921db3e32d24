/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/protocol.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define UID "0a1b2c3d-0000-4000-8000-000000000001"
#define OTHER_UID "0a1b2c3d-0000-4000-8000-000000000002"
#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct err e;

static struct hand_request request(enum hand_op op)
{
	struct hand_request r = {
	    .magic = HAND_MAGIC, .op = op, .id = 1, .volume = {.pod_uid = UID, .name = "tls"}};

	if (op == HAND_PUBLISH)
		r.publish = (struct hand_publish){.pod_namespace = "default",
						  .pod_name = "web-0",
						  .secret = "web-tls",
						  .secret_uid = "5Ec",
						  .resource_version = "10",
						  .content.bytes = {1},
						  .owner.mode = 0440,
						  .owed_signal = SIGHUP};
	if (op == HAND_FIND || op == HAND_SIGNAL) {
		r.process.query = (struct process_query){
		    .pod_uid = UID, .container_id = CONTAINER, .comm = "nginx"};
		r.process.signal = SIGHUP;
	}
	if (op == HAND_HELLO)
		r.protocol = HAND_PROTOCOL;
	if (op == HAND_MARK)
		r.mark = HAND_MARK_OWED_DONE;
	return r;
}

static bool ok(const struct hand_request *r)
{
	return hand_request_check(r, sizeof(*r), r->op == HAND_PUBLISH, &e) == 0;
}

static void each_operation_has_a_good_request(void **state)
{
	(void)state;
	for (uint32_t op = HAND_HELLO; op < HAND_DAMAGED; op++) {
		struct hand_request r = request(op);

		if (!ok(&r))
			fail_msg("%s: %s", hand_op_label(op), e.message);
	}
}

static void unknown_operations_are_refused(void **state)
{
	static const uint32_t ops[] = {HAND_NONE, HAND_DAMAGED, HAND_OPS, 1000, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct hand_request r = request(HAND_VERIFY);

		r.op = ops[i];
		assert_false(ok(&r));
		assert_int_equal(e.kind, ERR_INVALID);
	}
	assert_string_equal(hand_op_label(HAND_OPS), "unknown");
}

static void torn_and_foreign_packets_are_refused(void **state)
{
	struct hand_request r = request(HAND_VERIFY);

	(void)state;
	assert_int_equal(hand_request_check(&r, sizeof(r) - 1, false, &e), -1);
	assert_int_equal(hand_request_check(&r, 0, false, &e), -1);
	assert_int_equal(hand_request_check(&r, sizeof(r), true, &e), -1);
	r = request(HAND_PUBLISH);
	assert_int_equal(hand_request_check(&r, sizeof(r), false, &e), -1);
	r = request(HAND_VERIFY);
	r.magic = 0;
	assert_false(ok(&r));
	r = request(HAND_VERIFY);
	r.id = 0;
	assert_false(ok(&r));
}

/* Texts that no field of a name takes. */
static const char *const bad[] = {"/", "..", "a/b", "../x", "a\nb", "a b", "A/", "\x80", "$(x)"};

static void volumes_outside_the_grammar_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct hand_request r = request(HAND_VERIFY);

		memset(r.volume.name, 0, sizeof(r.volume.name));
		memcpy(r.volume.name, bad[i], strlen(bad[i]));
		assert_false(ok(&r));
		r = request(HAND_VERIFY);
		memcpy(r.volume.pod_uid, bad[i], strlen(bad[i]));
		assert_false(ok(&r));
	}
}

/* Fills a text of a request with letters up to its last byte. */
#define UNENDED(operation, field)                                                                  \
	do {                                                                                       \
		struct hand_request r_ = request(operation);                                       \
		memset(r_.field, '1', sizeof(r_.field));                                           \
		assert_false(ok(&r_));                                                             \
		assert_int_equal(e.kind, ERR_INVALID);                                             \
	} while (0)

static void texts_without_an_end_are_refused(void **state)
{
	(void)state;
	UNENDED(HAND_VERIFY, volume.pod_uid);
	UNENDED(HAND_VERIFY, volume.name);
	UNENDED(HAND_PUBLISH, publish.pod_namespace);
	UNENDED(HAND_PUBLISH, publish.pod_name);
	UNENDED(HAND_PUBLISH, publish.secret);
	UNENDED(HAND_PUBLISH, publish.secret_uid);
	UNENDED(HAND_PUBLISH, publish.resource_version);
	UNENDED(HAND_SIGNAL, process.query.pod_uid);
	UNENDED(HAND_SIGNAL, process.query.container_id);
	UNENDED(HAND_SIGNAL, process.query.comm);
}

#define BAD_TEXT(field, text)                                                                      \
	do {                                                                                       \
		struct hand_request r_ = request(HAND_PUBLISH);                                    \
		memset(r_.publish.field, 0, sizeof(r_.publish.field));                             \
		memcpy(r_.publish.field, text, strlen(text));                                      \
		assert_false(ok(&r_));                                                             \
	} while (0)

static void publish_fields_out_of_range_are_refused(void **state)
{
	static const int signals[] = {-1, SIGKILL, SIGTERM, SIGSTOP, SIGINT, 64, INT32_MAX};
	struct hand_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		BAD_TEXT(pod_namespace, bad[i]);
		BAD_TEXT(secret_uid, bad[i]);
		BAD_TEXT(resource_version, bad[i]);
		if (strcmp(bad[i], "..") == 0)
			continue; /* dots are letters of these, and no path is made of them */
		BAD_TEXT(pod_name, bad[i]);
		BAD_TEXT(secret, bad[i]);
	}
	BAD_TEXT(resource_version, "010");
	BAD_TEXT(resource_version, "-1");
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		r = request(HAND_PUBLISH);
		r.publish.owed_signal = signals[i];
		assert_false(ok(&r));
		r = request(HAND_ROLL_BACK);
		r.roll_back.owed_signal = signals[i];
		assert_false(ok(&r));
		r = request(HAND_SIGNAL);
		r.process.signal = signals[i];
		assert_false(ok(&r));
	}
	r = request(HAND_PUBLISH);
	r.publish.owner.uid = UINT32_MAX; /* chown would leave it as it is */
	assert_false(ok(&r));
	r = request(HAND_PUBLISH);
	r.publish.owner.gid = UINT32_MAX;
	assert_false(ok(&r));
	r = request(HAND_PUBLISH);
	r.publish.owner.mode = 04755;
	assert_false(ok(&r));
	r = request(HAND_PUBLISH);
	r.publish.content = (struct fingerprint){0};
	assert_false(ok(&r));
	r = request(HAND_PUBLISH);
	r.publish.allow_lower = 2;
	assert_false(ok(&r));
}

static void other_fields_out_of_range_are_refused(void **state)
{
	struct hand_request r = request(HAND_RETIRE);

	(void)state;
	r.retire.previous_only = 2;
	assert_false(ok(&r));
	r = request(HAND_WATCH);
	r.watch.on = 255;
	assert_false(ok(&r));
	r = request(HAND_MARK);
	r.mark = 0;
	assert_false(ok(&r));
	r.mark = HAND_MARKS + 1;
	assert_false(ok(&r));
	r = request(HAND_HELLO);
	r.protocol = HAND_PROTOCOL + 1;
	assert_false(ok(&r));
	r = request(HAND_SIGNAL);
	r.process.signal = 0;
	assert_false(ok(&r));
	r = request(HAND_SIGNAL);
	memcpy(r.process.query.pod_uid, OTHER_UID, sizeof(OTHER_UID));
	assert_false(ok(&r));
	r = request(HAND_SIGNAL);
	r.process.query.container_id[63] = '\0';
	assert_false(ok(&r));
	r = request(HAND_SIGNAL);
	r.process.query.container_id[0] = '/';
	assert_false(ok(&r));
}

static struct hand_reply reply(void)
{
	return (struct hand_reply){.magic = HAND_MAGIC,
				   .op = HAND_ADOPT,
				   .id = 1,
				   .has_record = 1,
				   .record.ref = {.pod_uid = UID, .name = "tls"}};
}

static bool reply_ok(const struct hand_reply *r)
{
	return hand_reply_check(r, sizeof(*r), &e) == 0;
}

static void torn_replies_are_refused(void **state)
{
	struct hand_reply r = reply();

	(void)state;
	assert_true(reply_ok(&r));
	assert_int_equal(hand_reply_check(&r, sizeof(r) - 1, &e), -1);
	r.magic++;
	assert_false(reply_ok(&r));
	r = reply();
	r.op = HAND_OPS;
	assert_false(reply_ok(&r));
	r = reply();
	r.err.kind = ERR_KINDS;
	assert_false(reply_ok(&r));
	r = reply();
	memset(r.err.message, 'x', sizeof(r.err.message));
	assert_false(reply_ok(&r));
	r = reply();
	r.signal_result = SIGNAL_RESULTS;
	assert_false(reply_ok(&r));
	r = reply();
	r.record.ref.name[0] = '/';
	assert_false(reply_ok(&r));
	r = reply();
	memset(r.record.generation, '1', sizeof(r.record.generation));
	assert_false(reply_ok(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_operation_has_a_good_request),
	    cmocka_unit_test(unknown_operations_are_refused),
	    cmocka_unit_test(torn_and_foreign_packets_are_refused),
	    cmocka_unit_test(volumes_outside_the_grammar_are_refused),
	    cmocka_unit_test(texts_without_an_end_are_refused),
	    cmocka_unit_test(publish_fields_out_of_range_are_refused),
	    cmocka_unit_test(other_fields_out_of_range_are_refused),
	    cmocka_unit_test(torn_replies_are_refused),
	};

	return cmocka_run_group_tests_name("hand/protocol", tests, NULL, NULL);
}
