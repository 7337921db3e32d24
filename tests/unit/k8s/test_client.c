/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/client.h"

#include "base/limits.h"
#include "base/metrics.h"
#include "tests/lib/bench.h"
#include "tests/lib/talker.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <sys/stat.h>

#include <cmocka.h>

/* A scripted server and a client for it. */
struct pair {
	struct talker t;
	struct bench b;
};

static void pair_start(struct pair *p, talk_fn fn)
{
	metrics_reset();
	talker_start(&p->t, fn, NULL);
	bench_start(&p->b, p->t.kubeconfig, NULL);
}

static void pair_stop(struct pair *p)
{
	bench_stop(&p->b);
	talker_stop(&p->t);
}

static const struct k8s_call simple = {.verb = "GET", .path = "/api/v1/namespaces/ns/secrets/a"};
static const struct k8s_call again = {
    .verb = "GET", .path = "/api/v1/namespaces/ns/secrets/a", .retry = true};

/* One request, of which only code and kind matter. */
static struct err call(struct pair *p, const struct k8s_call *c, int code)
{
	struct bench_answer a;

	bench_call(&p->b, c, &a);
	if (a.code != code)
		fail_msg("code %d, not %d: %s", a.code, code, a.e.message);
	bench_answer_done(&a);
	return a.e;
}

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
	call(&p, &simple, 200);
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
	assert_string_equal(call(&p, &patch, 200).message, "");
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
	e = call(&p, &simple, 502);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.message, "<html>down</html>"));
	assert_int_equal(call(&p, &simple, 200).kind, ERR_INVALID);
	assert_int_equal(call(&p, &simple, 204).kind, ERR_NONE);
	/* Cut off, although what came is whole JSON. */
	assert_int_equal(call(&p, &simple, 200).kind, ERR_UNAVAILABLE);
	pair_stop(&p);
}

static bool redirect(struct talk *t, const void *arg)
{
	const struct talker *const *other = arg;
	char extra[100];

	snprintf(extra, sizeof(extra), "Location: https://127.0.0.1:%u/stolen\r\n",
		 (unsigned)(*other)->port);
	return talk_answer(t, 302, extra, "");
}

static void B13_a_redirect_is_not_followed(void **state _unused_)
{
	struct talker thief;
	const struct talker *to = &thief;
	struct pair p;
	struct err e;

	talker_start(&thief, say_object, NULL);
	talker_start(&p.t, redirect, &to);
	bench_start(&p.b, p.t.kubeconfig, NULL);
	e = call(&p, &again, 302);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.message, "redirect"));
	assert_int_equal(atomic_load(&thief.log->connections), 0);
	assert_int_equal(atomic_load(&p.t.log->requests), 1);
	pair_stop(&p);
	talker_stop(&thief);
}

/* Knows the token whose number stands in at[0]. */
static bool check_token(struct talk *t, const void *arg _unused_)
{
	char good[32];

	snprintf(good, sizeof(good), "Bearer token-%d\r\n", atomic_load(&t->log->at[0]));
	if (!strstr(t->head, good)) {
		talk_answer(t, 401, "", "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}");
		return false;
	}
	return talk_answer(t, 200, "", OBJECT);
}

static void B3_a_new_token_file_is_read(void **state _unused_)
{
	struct pair p;

	pair_start(&p, check_token);
	atomic_store(&p.t.log->at[0], 1);
	call(&p, &again, 200);
	atomic_store(&p.t.log->at[0], 2);
	talker_set_token(&p.t, "token-2");
	call(&p, &simple, 200);
	assert_int_equal(atomic_load(&p.t.log->requests), 2);
	pair_stop(&p);
}

/* The same file, size and time: only the 401 tells that it is another token. */
static void rewrite_token(const struct talker *t, char last)
{
	char path[128];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/token", t->dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, &last, 1, 6), 1);
	assert_int_equal(futimens(fd, (struct timespec[]){st.st_atim, st.st_mtim}), 0);
	close(fd);
}

static void B3_the_token_is_read_again_after_a_401(void **state _unused_)
{
	struct pair p;

	pair_start(&p, check_token);
	atomic_store(&p.t.log->at[0], 1);
	call(&p, &again, 200);
	atomic_store(&p.t.log->at[0], 2);
	rewrite_token(&p.t, '2');
	assert_int_equal(call(&p, &again, 200).kind, ERR_NONE);
	assert_int_equal(atomic_load(&p.t.log->requests), 3);
	assert_string_equal(p.t.log->request[1].authorization, "Bearer token-1");
	assert_string_equal(p.t.log->request[2].authorization, "Bearer token-2");
	pair_stop(&p);
}

static void B3_a_token_that_stays_bad_is_tried_once(void **state _unused_)
{
	struct pair p;
	struct err e;

	pair_start(&p, check_token);
	e = call(&p, &again, 401);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_int_equal(atomic_load(&p.t.log->requests), 1);
	rewrite_token(&p.t, '3');
	assert_int_equal(call(&p, &again, 401).kind, ERR_DENIED);
	assert_int_equal(atomic_load(&p.t.log->requests), 3);
	pair_stop(&p);
}

static void B3_a_token_file_that_is_gone_or_empty_leaves_the_old_token(void **state _unused_)
{
	char path[128];
	struct pair p;

	pair_start(&p, check_token);
	atomic_store(&p.t.log->at[0], 1);
	call(&p, &again, 200);
	talker_set_token(&p.t, "  ");
	call(&p, &again, 200);
	snprintf(path, sizeof(path), "%s/token", p.t.dir);
	assert_int_equal(unlink(path), 0);
	call(&p, &again, 200);
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
	call(&p, &again, 200);
	assert_true(p.t.log->request[1].at_ms - p.t.log->request[0].at_ms >= 1000);
	call(&p, &again, 503);
	call(&p, &again, 503);
	call(&p, &again, 500);
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
	assert_int_equal(call(&p, &hurried, 0).kind, ERR_TIMEOUT);
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
	assert_int_equal(call(&p, &headers, 0).kind, ERR_EXHAUSTED);
	assert_int_equal(call(&p, &body, 200).kind, ERR_EXHAUSTED);
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
	assert_int_equal(
	    (int)metric_value(&(const struct metric){.name = "certhup_api_requests_total",
						     .labels = {"verb", "code"}},
			      M_LABELS("GET", "200")),
	    CROWD);
	for (size_t i = 0; i < CROWD; i++)
		k8s_request_free(c.all[i]);
	pair_stop(&c.p);
}

static void a_callback_may_free_its_own_and_all_other_requests(void **state _unused_)
{
	struct crowd c = {.first_frees_all = true};

	pair_start(&c.p, say_object);
	crowd_start(&c);
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
	bench_pass(&c.p.b, 500);
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
	assert_true(metric_value(&(const struct metric){.name = "certhup_api_requests_total",
							.labels = {"verb", "code"}},
				 M_LABELS("GET", "none")) > 3);
	assert_false(k8s_client_is_up(b.client));
	bench_stop(&b);
	talker_stop(&t);
}

static void a_ca_that_changes_is_read_again(void **state _unused_)
{
	char ca[128];
	char kept[128];
	struct pair p;
	struct err e;

	pair_start(&p, say_object);
	snprintf(ca, sizeof(ca), "%s/ca.crt", p.t.dir);
	snprintf(kept, sizeof(kept), "%s/tls.key", p.t.dir);
	assert_int_equal(rename(ca, kept), 0);
	talker_write_other_ca(&p.t);
	e = call(&p, &simple, 0);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.message, "check the CA"));
	assert_int_equal(atomic_load(&p.t.log->requests), 0);
	assert_int_equal(rename(kept, ca), 0);
	call(&p, &simple, 200);
	pair_stop(&p);
}

static void the_proxies_of_the_environment_are_left_alone(void **state _unused_)
{
	struct pair p;

	setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	pair_start(&p, say_object);
	call(&p, &simple, 200);
	unsetenv("HTTPS_PROXY");
	unsetenv("ALL_PROXY");
	pair_stop(&p);
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
	    cmocka_unit_test(B13_a_redirect_is_not_followed),
	    cmocka_unit_test(B3_a_new_token_file_is_read),
	    cmocka_unit_test(B3_the_token_is_read_again_after_a_401),
	    cmocka_unit_test(B3_a_token_that_stays_bad_is_tried_once),
	    cmocka_unit_test(B3_a_token_file_that_is_gone_or_empty_leaves_the_old_token),
	    cmocka_unit_test(retry_after_is_obeyed_within_the_deadline),
	    cmocka_unit_test(the_deadline_holds_against_a_slow_server),
	    cmocka_unit_test(headers_and_body_are_bounded),
	    cmocka_unit_test(many_requests_share_two_connections),
	    cmocka_unit_test(a_callback_may_free_its_own_and_all_other_requests),
	    cmocka_unit_test(freeing_a_request_cancels_it),
	    cmocka_unit_test(a_server_that_is_away_is_tried_until_the_deadline),
	    cmocka_unit_test(a_ca_that_changes_is_read_again),
	    cmocka_unit_test(the_proxies_of_the_environment_are_left_alone),
	    cmocka_unit_test(paths_are_percent_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
