/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/client.h"

#include "base/limits.h"
#include "base/metrics.h"
#include "tests/lib/talker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* One client with its loop, and what its last request said. */
struct bench {
	struct talker talker;
	struct loop *loop;
	struct loop_timer *alarm;
	struct k8s_config *config;
	struct k8s_client *client;
	struct k8s_request *request;
	int told;
	int wanted;
	int code;
	int64_t retry_after_ms;
	struct err e; /* ERR_NONE: it went well */
	char name[64];
	bool free_in_callback;
};

static void late(void *arg _unused_)
{
	fail_msg("the loop did not end in time");
}

static void bench_start(struct bench *b, talk_fn fn)
{
	struct err e;

	memset(b, 0, sizeof(*b));
	metrics_reset();
	talker_start(&b->talker, fn, NULL);
	b->config = talker_config(&b->talker);
	assert_int_equal(loop_new(clock_system(), &b->loop, &e), 0);
	assert_int_equal(loop_timer_new(b->loop, late, b, &b->alarm, &e), 0);
	assert_int_equal(k8s_client_new(b->loop, b->config, "certhup-test/0", &b->client, &e), 0);
}

static void bench_stop(struct bench *b)
{
	k8s_request_free(b->request);
	k8s_client_free(b->client);
	loop_timer_free(b->alarm);
	loop_free(b->loop);
	k8s_config_free(b->config);
	talker_stop(&b->talker);
}

static void on_done(void *arg, const struct k8s_answer *answer, const struct err *e)
{
	struct bench *b = arg;
	const char *name = json_text(answer->object, "metadata", "name", NULL);

	b->told++;
	b->code = answer->code;
	b->retry_after_ms = answer->retry_after_ms;
	b->e = e ? *e : (struct err){0};
	snprintf(b->name, sizeof(b->name), "%s", name ? name : "");
	if (b->free_in_callback)
		b->request = k8s_request_free(b->request);
	if (b->told >= b->wanted)
		loop_stop(b->loop);
}

static void run(struct bench *b)
{
	struct err e;

	loop_timer_set(b->alarm, 20 * SECOND_MS);
	assert_int_equal(loop_run(b->loop, &e), 0);
	loop_timer_stop(b->alarm);
}

static void get(struct bench *b, const struct k8s_call *call)
{
	struct err e;

	b->wanted = b->told + 1;
	b->request = k8s_request_free(b->request);
	assert_int_equal(k8s_request_start(b->client, call, on_done, b, &b->request, &e), 0);
	run(b);
}

static const struct k8s_call simple = {.verb = "GET", .path = "/api/v1/namespaces/ns/secrets/a"};

static bool say_object(struct talk *t, const void *arg _unused_)
{
	return talk_answer(t, 200, "", "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"}}");
}

static void an_object_is_read(void **state _unused_)
{
	struct bench b;

	bench_start(&b, say_object);
	assert_false(k8s_client_is_up(b.client));
	get(&b, &simple);
	assert_string_equal(b.e.message, "");
	assert_int_equal(b.code, 200);
	assert_string_equal(b.name, "a");
	assert_string_equal(b.talker.log->request[0].line,
			    "GET /api/v1/namespaces/ns/secrets/a HTTP/1.1");
	assert_string_equal(b.talker.log->request[0].authorization, "Bearer token-1");
	assert_true(k8s_client_is_up(b.client));
	get(&b, &simple);
	assert_int_equal(atomic_load(&b.talker.log->connections), 1);
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_object_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
