/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/client.h"

#include "base/limits.h"
#include "k8s/metrics.h"
#include "tests/lib/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct k8s_call simple = {.verb = "GET", .path = "/api/v1/namespaces/ns/secrets/a"};
static const struct k8s_call again = {
    .verb = "GET", .path = "/api/v1/namespaces/ns/secrets/a", .retry = true};

#define OBJECT "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"}}"

static bool say_object(struct talk *t, const void *arg _unused_)
{
	return talk_answer(t, 200, "", OBJECT);
}

static void an_object_is_read(void **state _unused_)
{
	struct bench_answer a;
	struct pair p;

	pair_start(&p, say_object);
	assert_false(k8s_client_is_up(p.b.client));
	bench_call(&p.b, &simple, &a);
	assert_string_equal(a.e.message, "");
	assert_int_equal(a.code, 200);
	assert_string_equal(a.text, OBJECT);
	bench_answer_done(&a);
	assert_string_equal(p.t.log->request[0].line,
			    "GET /api/v1/namespaces/ns/secrets/a HTTP/1.1");
	assert_string_equal(p.t.log->request[0].authorization, "Bearer token-1");
	assert_true(k8s_client_is_up(p.b.client));
	pair_call(&p, &simple, 200);
	assert_int_equal(atomic_load(&p.t.log->connections), 1);
	pair_stop(&p);
}

/* Says back what it was sent. */
static bool echo(struct talk *t, const void *arg _unused_)
{
	static const char *const wanted[] = {"\r\nContent-Type: application/merge-patch+json\r\n",
					     "\r\nAccept: text/x\r\n", "\r\nContent-Length: 7\r\n",
					     "\r\nUser-Agent: certhup-test/0\r\n",
					     "PATCH /p?q=%20 HTTP/1.1\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!strstr(t->head, wanted[i]))
			return talk_answer(t, 400, "", wanted[i]);
	if (strstr(t->head, "Expect:") || strstr(t->head, "Accept-Encoding"))
		return talk_answer(t, 400, "", "a header too many");
	return talk_answer(t, 200, "", "{}");
}

static void a_body_goes_with_its_type(void **state _unused_)
{
	const struct k8s_call patch = {.verb = "PATCH",
				       .path = "/p",
				       .query = "q=%20",
				       .body = "{\"a\":1}",
				       .body_len = 7,
				       .content_type = "application/merge-patch+json",
				       .accept = "text/x"};
	struct pair p;

	pair_start(&p, echo);
	assert_string_equal(pair_call(&p, &patch, 200).message, "");
	pair_stop(&p);
}

static const struct {
	int code;
	enum err_kind kind;
} meanings[] = {{400, ERR_INVALID},     {401, ERR_DENIED},      {403, ERR_DENIED},
		{404, ERR_NOT_FOUND},   {405, ERR_INVALID},     {409, ERR_CONFLICT},
		{410, ERR_EXPIRED},     {413, ERR_EXHAUSTED},   {422, ERR_INVALID},
		{429, ERR_UNAVAILABLE}, {500, ERR_UNAVAILABLE}, {503, ERR_UNAVAILABLE},
		{504, ERR_TIMEOUT}};

static bool say_status(struct talk *t, const void *arg _unused_)
{
	char body[200];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"Status\",\"message\":\"words of %d\",\"code\":%d}",
		 meanings[t->nth].code, meanings[t->nth].code);
	return talk_answer(t, meanings[t->nth].code, "Retry-After: 7\r\n", body);
}

static void a_status_is_told_by_kind_and_in_its_own_words(void **state _unused_)
{
	struct pair p;

	pair_start(&p, say_status);
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		struct bench_answer a;
		char words[32];

		bench_call(&p.b, &simple, &a);
		snprintf(words, sizeof(words), "words of %d", meanings[i].code);
		assert_int_equal(a.code, meanings[i].code);
		assert_int_equal(a.e.kind, meanings[i].kind);
		assert_non_null(strstr(a.e.message, words));
		assert_non_null(strstr(a.e.message, simple.path));
		assert_non_null(strstr(a.text, "Status"));
		assert_int_equal(a.retry_after_ms, 7000);
		bench_answer_done(&a);
	}
	pair_stop(&p);
}

static bool say_plain(struct talk *t, const void *arg _unused_)
{
	if (t->nth == 0)
		return talk_printf(t, "HTTP/1.1 502 Bad\r\nContent-Type: text/html\r\n"
				      "Content-Length: 20\r\n\r\n<html>down</html>\r\n\n");
	if (t->nth == 1)
		return talk_answer(t, 200, "", "<html>log in</html>");
	if (t->nth == 2)
		return talk_printf(t, "HTTP/1.1 204 No Content\r\n\r\n");
	talk_printf(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" OBJECT);
	return false;
}

static void what_is_no_whole_json_is_no_answer(void **state _unused_)
{
	struct pair p;
	struct err e;

	pair_start(&p, say_plain);
	e = pair_call(&p, &simple, 502);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.message, "<html>down</html>"));
	assert_int_equal(pair_call(&p, &simple, 200).kind, ERR_INVALID);
	assert_int_equal(pair_call(&p, &simple, 204).kind, ERR_NONE);
	/* Cut off, although what came is whole JSON. */
	assert_int_equal(pair_call(&p, &simple, 200).kind, ERR_UNAVAILABLE);
	pair_stop(&p);
}

static bool busy_once(struct talk *t, const void *arg _unused_)
{
	if (t->nth == 0)
		return talk_answer(t, 429, "Retry-After: 1\r\n", "too many");
	if (t->nth == 2)
		return talk_answer(t, 503, "", "no hint");
	if (t->nth == 3)
		return talk_answer(t, 503, "Retry-After: 1000000\r\n", "for ever");
	if (t->nth == 4)
		return talk_answer(t, 500, "Retry-After: 60\r\n", "beyond the deadline");
	return talk_answer(t, 200, "", OBJECT);
}

static void retry_after_is_obeyed_within_the_deadline(void **state _unused_)
{
	struct pair p;

	pair_start(&p, busy_once);
	pair_call(&p, &again, 200);
	assert_true(p.t.log->request[1].at_ms - p.t.log->request[0].at_ms >= 1000);
	pair_call(&p, &again, 503);
	pair_call(&p, &again, 503);
	pair_call(&p, &again, 500);
	assert_int_equal(atomic_load(&p.t.log->requests), 5);
	pair_stop(&p);
}

static bool drip(struct talk *t, const void *arg _unused_)
{
	talk_printf(t, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 1000; i++) {
		if (!talk_printf(t, "X-%d: y\r\n", i))
			return false;
		talk_sleep(20);
	}
	return false;
}

static void the_deadline_holds_against_a_slow_server(void **state _unused_)
{
	const struct k8s_call hurried = {.verb = "GET", .path = "/x", .deadline_ms = 200};
	struct pair p;
	int64_t from;

	pair_start(&p, drip);
	from = clock_mono_ms(clock_system());
	assert_int_equal(pair_call(&p, &hurried, 0).kind, ERR_TIMEOUT);
	assert_in_range(clock_mono_ms(clock_system()) - from, 200, 5000);
	pair_stop(&p);
}

static bool too_much(struct talk *t, const void *arg _unused_)
{
	char part[16 * KIB];

	memset(part, ' ', sizeof(part));
	talk_printf(t, "HTTP/1.1 200 OK\r\n");
	if (talk_is(t, "headers")) {
		for (int i = 0; i < 2000; i++)
			if (!talk_printf(t, "X-%d: %0100d\r\n", i, i))
				return false;
		return false;
	}
	talk_printf(t, "Content-Type: application/json\r\n\r\n");
	for (int i = 0; i < 2000 && talk_write(t, part, sizeof(part)); i++)
		;
	return false;
}

static void headers_and_body_are_bounded(void **state _unused_)
{
	const struct k8s_call headers = {.verb = "GET", .path = "/headers"};
	const struct k8s_call body = {.verb = "GET", .path = "/body"};
	struct pair p;

	pair_start(&p, too_much);
	assert_int_equal(pair_call(&p, &headers, 0).kind, ERR_EXHAUSTED);
	assert_int_equal(pair_call(&p, &body, 200).kind, ERR_EXHAUSTED);
	pair_stop(&p);
}

#define CROWD 60

struct crowd {
	struct pair p;
	struct k8s_request *all[CROWD];
	int done;
	bool first_frees_all;
};

static void crowd_done(void *arg, const struct k8s_answer *answer, const struct err *e _unused_)
{
	struct crowd *c = arg;

	assert_int_equal(answer->code, 200);
	c->done++;
	for (size_t i = 0; i < CROWD && c->first_frees_all; i++)
		c->all[i] = k8s_request_free(c->all[i]);
}

static bool crowd_is_done(const void *arg)
{
	return ((const struct crowd *)arg)->done == CROWD;
}

static bool half_are_done(const void *arg)
{
	return ((const struct crowd *)arg)->done >= CROWD / 2;
}

static bool some_are_done(const void *arg)
{
	return ((const struct crowd *)arg)->done > 0;
}

static void crowd_start(struct crowd *c)
{
	struct err e;

	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(
		    k8s_request_start(c->p.b.client, &simple, crowd_done, c, &c->all[i], &e), 0);
}

static void many_requests_share_two_connections(void **state _unused_)
{
	struct crowd c = {0};

	pair_start(&c.p, say_object);
	crowd_start(&c);
	assert_true(bench_wait(&c.p.b, crowd_is_done, &c, 20000));
	assert_in_range(atomic_load(&c.p.t.log->connections), 1, 2);
	assert_int_equal((int)metric_value(&metric_requests, M_LABELS("GET", "200")), CROWD);
	for (size_t i = 0; i < CROWD; i++)
		k8s_request_free(c.all[i]);
	pair_stop(&c.p);
}

static void a_callback_may_free_its_own_and_all_other_requests(void **state _unused_)
{
	struct crowd c = {.first_frees_all = true};

	pair_start(&c.p, say_object);
	crowd_start(&c);
	assert_true(bench_wait(&c.p.b, some_are_done, &c, 20000));
	bench_pass(&c.p.b, 300);
	assert_int_equal(c.done, 1);
	pair_stop(&c.p);
}

static void freeing_a_request_cancels_it(void **state _unused_)
{
	struct crowd c = {0};

	pair_start(&c.p, say_object);
	crowd_start(&c);
	for (size_t i = 0; i < CROWD; i += 2)
		c.all[i] = k8s_request_free(c.all[i]);
	assert_true(bench_wait(&c.p.b, half_are_done, &c, 20000));
	bench_pass(&c.p.b, 200);
	assert_int_equal(c.done, CROWD / 2);
	for (size_t i = 0; i < CROWD; i++)
		k8s_request_free(c.all[i]);
	pair_stop(&c.p);
}

static void a_server_that_is_away_is_tried_until_the_deadline(void **state _unused_)
{
	const struct k8s_call hurried = {
	    .verb = "GET", .path = "/x", .deadline_ms = 300, .retry = true};
	struct bench_answer a;
	struct bench b;
	struct talker t;

	metrics_reset();
	talker_start(&t, say_object, NULL);
	bench_start(&b, t.kubeconfig, NULL);
	talker_kill(&t);
	bench_call(&b, &simple, &a);
	assert_int_equal(a.e.kind, ERR_UNAVAILABLE);
	assert_int_equal(a.code, 0);
	assert_non_null(strstr(a.e.message, "is the API server up"));
	bench_call(&b, &hurried, &a);
	assert_int_not_equal(a.e.kind, ERR_NONE);
	assert_true(metric_value(&metric_requests, M_LABELS("GET", "none")) > 3);
	assert_false(k8s_client_is_up(b.client));
	bench_stop(&b);
	talker_stop(&t);
}

static void paths_are_percent_encoded(void **state _unused_)
{
	_cleanup_buf_ struct buf b = {.max = 200};
	struct err e;

	assert_int_equal(k8s_path(&b, &e, "api", "v1", "a b/../c?d#e%", "x.y-z_~", NULL), 0);
	assert_string_equal(buf_str(&b), "/api/v1/a%20b%2F..%2Fc%3Fd%23e%25/x.y-z_~");
	assert_int_equal(k8s_path(&b, &e, "api", "..", NULL), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(k8s_path(&b, &e, ".", NULL), -1);
	assert_int_equal(k8s_path(&b, &e, "a", "", NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_object_is_read),
	    cmocka_unit_test(a_body_goes_with_its_type),
	    cmocka_unit_test(a_status_is_told_by_kind_and_in_its_own_words),
	    cmocka_unit_test(what_is_no_whole_json_is_no_answer),
	    cmocka_unit_test(retry_after_is_obeyed_within_the_deadline),
	    cmocka_unit_test(the_deadline_holds_against_a_slow_server),
	    cmocka_unit_test(headers_and_body_are_bounded),
	    cmocka_unit_test(many_requests_share_two_connections),
	    cmocka_unit_test(a_callback_may_free_its_own_and_all_other_requests),
	    cmocka_unit_test(freeing_a_request_cancels_it),
	    cmocka_unit_test(a_server_that_is_away_is_tried_until_the_deadline),
	    cmocka_unit_test(paths_are_percent_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
