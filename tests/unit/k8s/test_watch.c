/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch.h"

#include "k8s/metrics.h"
#include "tests/lib/bench.h"
#include "tests/lib/standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define SECRETS "/api/v1/namespaces/default/secrets"

static int restarted(const char *reason)
{
	return (int)metric_value(&metric_restarts, M_LABELS(reason));
}

static void watch(struct bench *b, struct diary *d, const char *name)
{
	struct err e;

	diary_init(d);
	if (k8s_watch_object(b->client, SECRETS, name, &diary_callbacks, d, &d->watch, &e) < 0)
		fail_msg("%s", e.message);
}

/* The stand-in API server, and a client of it. */
struct world {
	struct standin s;
	struct bench b;
	struct diary d;
};

static void world_start(struct world *w)
{
	metrics_reset();
	standin_start(&w->s, NULL);
	bench_start(&w->b, w->s.kubeconfig, NULL);
}

static void world_stop(struct world *w)
{
	diary_done(&w->d);
	bench_stop(&w->b);
	standin_stop(&w->s);
}

static void put(struct world *w, const char *name, const char *value)
{
	char text[512];

	snprintf(
	    text, sizeof(text),
	    "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"%s\"},\"stringData\":{\"k\":\"%s\"}}",
	    name, value);
	standin_put(&w->s, text);
}

/* What the context admin-file shows. */
static void set_token(struct world *w, const char *token)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/token", w->s.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "%s\n", token);
	fclose(f);
}

static void an_object_is_told_as_it_changes(void **state _unused_)
{
	struct world w;

	world_start(&w);
	put(&w, "a", "1");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	put(&w, "a", "2");
	put(&w, "other", "9");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	standin_delete(&w.s, "secrets", "default", "a");
	diary_expect(&w.d, &w.b, "gone a", 1);
	assert_string_equal(buf_str(&w.d.text), "up\nobject a=1\nobject a=2\ngone a\n");
	assert_int_equal(standin_count(&w.s, "list", NULL), 0);
	assert_int_equal(standin_count(&w.s, "get", NULL), 0);
	world_stop(&w);
}

static void a_name_that_is_not_there_is_asked_for_once_after_the_silence(void **state _unused_)
{
	struct world w;
	int64_t from;

	world_start(&w);
	from = loop_now(w.b.loop);
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "gone -", 1);
	assert_true(loop_now(w.b.loop) - from >= 2000);
	assert_int_equal(standin_count(&w.s, "get", "/secrets/a"), 1);
	put(&w, "a", "1");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	assert_string_equal(buf_str(&w.d.text), "up\ngone -\nobject a=1\n");
	world_stop(&w);
}

static void only_the_404_of_an_api_server_means_absent(void **state _unused_)
{
	struct world w;

	world_start(&w);
	w.b.client->times.first_event_ms = 10;
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"get\",\"status\":404,\"times\":2,"
			   "\"body\":\"<html>not here</html>\"}");
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"get\",\"status\":500,\"times\":2}");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "gone -", 1);
	assert_int_equal(standin_count(&w.s, "get", "/secrets/a"), 5);
	world_stop(&w);
}

static bool has_ended(const void *arg _unused_)
{
	return restarted("end") >= 1;
}

static void a_clean_end_is_no_news(void **state _unused_)
{
	struct world w;

	world_start(&w);
	put(&w, "a", "1");
	k8s_watch_timeout(w.b.client, 1, 2);
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	assert_true(bench_wait(&w.b, has_ended, NULL, 20000));
	put(&w, "a", "2");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	assert_string_equal(buf_str(&w.d.text), "up\nobject a=1\nobject a=2\n");
	assert_true(standin_count(&w.s, "watch", "timeoutSeconds=") >= 2);
	world_stop(&w);
}

static void B8_a_new_object_of_the_same_name_is_told(void **state _unused_)
{
	struct world w;
	char uid[64];

	world_start(&w);
	w.b.client->times.first_event_ms = 10;
	put(&w, "a", "1");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	snprintf(uid, sizeof(uid), "%s", w.d.uid);
	standin_delete(&w.s, "secrets", "default", "a");
	put(&w, "a", "1");
	diary_expect(&w.d, &w.b, "object a=1", 2);
	assert_string_not_equal(uid, w.d.uid);
	assert_string_equal(buf_str(&w.d.text), "up\nobject a=1\ngone a\nobject a=1\n");
	world_stop(&w);
}

static void B8_what_happens_while_the_watch_is_away_is_seen_after_it(void **state _unused_)
{
	struct world w;
	char uid[64];

	world_start(&w);
	w.b.client->times.first_event_ms = 10;
	put(&w, "a", "1");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	snprintf(uid, sizeof(uid), "%s", w.d.uid);
	/* Another uid under the same name. */
	standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"refuse\"}");
	standin_tell(&w.s, "{\"do\":\"drop\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "down unavailable", 1);
	standin_delete(&w.s, "secrets", "default", "a");
	put(&w, "a", "1");
	standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"yes\"}");
	diary_expect(&w.d, &w.b, "object a=1", 2);
	assert_string_not_equal(uid, w.d.uid);
	/* Deleted. */
	standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"refuse\"}");
	standin_tell(&w.s, "{\"do\":\"drop\",\"how\":\"reset\"}");
	standin_delete(&w.s, "secrets", "default", "a");
	bench_pass(&w.b, 50);
	standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"yes\"}");
	diary_expect(&w.d, &w.b, "gone -", 1);
	world_stop(&w);
}

static void B15_a_secret_of_any_shape_is_told_as_it_is(void **state _unused_)
{
	static const char *const shapes[] = {
	    "\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":\"MQ==\",\"tls.key\":\"MQ==\"}",
	    "\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":\"MQ==\"}",
	    "\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":\"\",\"tls.key\":\"\"}",
	    "\"data\":{\"tls.crt\":\"MQ==\",\"x\":\"MQ==\",\"y\":null},\"type\":\"x\"",
	    "\"type\":\"Opaque\",\"data\":{\"tls.crt\":\"MQ==\"}",
	    "\"type\":\"Opaque\",\"data\":null",
	    "\"type\":\"Opaque\"",
	    "\"type\":\"Opaque\",\"immutable\":true,\"data\":{\"tls.crt\":\"MQ==\"}",
	};
	struct world w;

	world_start(&w);
	watch(&w.b, &w.d, "a");
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		char text[512];

		snprintf(text, sizeof(text),
			 "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\",\"annotations\":{"
			 "\"k\":\"shape%zu\"}},%s}",
			 i, shapes[i]);
		standin_put(&w.s, text);
		snprintf(text, sizeof(text), "object a=shape%zu", i);
		diary_expect(&w.d, &w.b, text, 1);
	}
	assert_int_equal(diary_count(&w.d, "bad invalid"), 0);
	world_stop(&w);
}

static void B3_a_watch_goes_on_with_the_new_token(void **state _unused_)
{
	struct world w;

	metrics_reset();
	standin_start(&w.s, NULL);
	bench_start(&w.b, w.s.kubeconfig, "admin-file");
	put(&w, "a", "1");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	/* The open watch goes on; its next opening is refused until there is a new token. */
	standin_tell(&w.s, "{\"do\":\"revoke\",\"token\":\"%s\"}", w.s.token);
	put(&w, "a", "2");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	standin_tell(&w.s, "{\"do\":\"end\"}");
	diary_expect(&w.d, &w.b, "down denied", 2);
	put(&w, "a", "3");
	standin_tell(&w.s, "{\"do\":\"token\",\"token\":\"fresh\",\"user\":\"admin\","
			   "\"groups\":[\"system:masters\"]}");
	set_token(&w, "fresh");
	diary_expect(&w.d, &w.b, "object a=3", 1);
	diary_expect(&w.d, &w.b, "up", 2);
	assert_int_equal(diary_count(&w.d, "gone -"), 0);
	world_stop(&w);
}

static void without_the_right_to_watch_it_is_got_again_and_again(void **state _unused_)
{
	struct world w;

	metrics_reset();
	standin_start(&w.s, NULL);
	put(&w, "a", "1");
	standin_token(&w.s, "t", "u");
	standin_allow(&w.s, "{\"user\":\"u\",\"verbs\":[\"get\"],\"resources\":[\"secrets\"]}");
	set_token(&w, "t");
	bench_start(&w.b, w.s.kubeconfig, "admin-file");
	w.b.client->times.poll_ms = 20;
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	put(&w, "a", "2");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	standin_delete(&w.s, "secrets", "default", "a");
	diary_expect(&w.d, &w.b, "gone -", 1);
	assert_string_equal(buf_str(&w.d.text), "object a=1\nup\nobject a=2\ngone -\n");
	/* The right comes: the next watch that is tried stays open. */
	standin_allow(&w.s, "{\"user\":\"u\",\"verbs\":[\"watch\"],\"resources\":[\"secrets\"]}");
	bench_pass(&w.b, 400);
	put(&w, "a", "3");
	diary_expect(&w.d, &w.b, "object a=3", 1);
	/* Both go: it says so, and comes back. */
	standin_tell(&w.s, "{\"do\":\"forbid\",\"subject\":\"u\"}");
	standin_tell(&w.s, "{\"do\":\"end\"}");
	diary_expect(&w.d, &w.b, "down denied", 2);
	standin_allow(&w.s, "{\"user\":\"u\",\"verbs\":[\"*\"],\"resources\":[\"secrets\"]}");
	diary_expect(&w.d, &w.b, "up", 2);
	world_stop(&w);
}

static void an_object_is_read_again_when_asked(void **state _unused_)
{
	struct world w;
	struct err e;

	world_start(&w);
	put(&w, "a", "1");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	assert_int_equal(k8s_watch_reread(w.d.watch, &e), 0);
	diary_expect(&w.d, &w.b, "object a=1", 2);
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"get\",\"status\":500,\"times\":3}");
	assert_int_equal(k8s_watch_reread(w.d.watch, &e), 0);
	diary_expect(&w.d, &w.b, "object a=1", 3);
	standin_delete(&w.s, "secrets", "default", "a");
	diary_expect(&w.d, &w.b, "gone a", 1);
	assert_int_equal(k8s_watch_reread(w.d.watch, &e), 0);
	diary_expect(&w.d, &w.b, "gone -", 1);
	world_stop(&w);
}

static void a_reread_without_the_right_to_get_comes_by_a_new_watch(void **state _unused_)
{
	struct world w;
	struct err e;

	world_start(&w);
	put(&w, "a", "1");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"get\",\"status\":403,\"times\":9}");
	assert_int_equal(k8s_watch_reread(w.d.watch, &e), 0);
	diary_expect(&w.d, &w.b, "object a=1", 2);
	put(&w, "a", "2");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	assert_int_equal(diary_count(&w.d, "down denied"), 0);
	world_stop(&w);
}

static void a_reread_without_any_right_is_told_although_the_watch_was_open(void **state _unused_)
{
	struct world w;
	struct err e;

	world_start(&w);
	put(&w, "a", "1");
	watch(&w.b, &w.d, "a");
	diary_expect(&w.d, &w.b, "object a=1", 1);
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"watch\",\"status\":403,\"times\":1}");
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"get\",\"status\":403,\"times\":9}");
	assert_int_equal(k8s_watch_reread(w.d.watch, &e), 0);
	diary_expect(&w.d, &w.b, "down denied", 1);
	diary_expect(&w.d, &w.b, "object a=1", 2);
	put(&w, "a", "2");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	world_stop(&w);
}

static void a_callback_may_free_its_own_watch(void **state _unused_)
{
	static const char *const at[] = {"up", "object a=1", "object a=2", "gone a",
					 "down unavailable"};

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct world w;

		world_start(&w);
		put(&w, "a", "1");
		watch(&w.b, &w.d, "a");
		w.d.free_at = at[i];
		w.d.free_on = &w.d.watch;
		diary_expect(&w.d, &w.b, i ? "object a=1" : "up", 1);
		put(&w, "a", "2");
		standin_delete(&w.s, "secrets", "default", "a");
		diary_expect_or_freed(&w.d, &w.b, "gone a");
		standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"refuse\"}");
		standin_tell(&w.s, "{\"do\":\"drop\",\"how\":\"reset\"}");
		diary_expect_freed(&w.d, &w.b);
		world_stop(&w);
	}
}

static void openings_queue_up(void **state _unused_)
{
	enum {
		MANY = 60
	};
	static struct diary d[MANY];
	struct world w;

	world_start(&w);
	for (int i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		put(&w, name, "1");
		watch(&w.b, &d[i], name);
	}
	assert_in_range(w.b.client->opening, 1, LIMIT_REQUESTS);
	for (int i = 0; i < MANY; i++) {
		char line[32];

		snprintf(line, sizeof(line), "object s%d=1", i);
		diary_expect(&d[i], &w.b, line, 1);
	}
	assert_int_equal(w.b.client->opening, 0);
	for (int i = 0; i < MANY; i++)
		diary_done(&d[i]);
	diary_init(&w.d);
	world_stop(&w);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void open_watches_at_rest_wake_nobody(void **state _unused_)
{
	enum {
		MANY = 40
	};
	static struct diary d[MANY];
	struct loop_timer *end;
	struct rusage before;
	struct rusage after;
	struct world w;
	struct err e;

	world_start(&w);
	put(&w, "a", "1");
	for (int i = 0; i < MANY; i++)
		watch(&w.b, &d[i], "a");
	for (int i = 0; i < MANY; i++)
		diary_expect(&d[i], &w.b, "object a=1", 1);
	bench_pass(&w.b, 300);
	assert_int_equal(loop_timer_new(w.b.loop, stop_loop, w.b.loop, &end, &e), 0);
	loop_timer_set(end, 3000);
	getrusage(RUSAGE_SELF, &before);
	assert_int_equal(loop_run(w.b.loop, &e), 0);
	getrusage(RUSAGE_SELF, &after);
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 3);
	loop_timer_free(end);
	for (int i = 0; i < MANY; i++)
		diary_done(&d[i]);
	diary_init(&w.d);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_object_is_told_as_it_changes),
	    cmocka_unit_test(a_name_that_is_not_there_is_asked_for_once_after_the_silence),
	    cmocka_unit_test(only_the_404_of_an_api_server_means_absent),
	    cmocka_unit_test(a_clean_end_is_no_news),
	    cmocka_unit_test(B8_a_new_object_of_the_same_name_is_told),
	    cmocka_unit_test(B8_what_happens_while_the_watch_is_away_is_seen_after_it),
	    cmocka_unit_test(B15_a_secret_of_any_shape_is_told_as_it_is),
	    cmocka_unit_test(B3_a_watch_goes_on_with_the_new_token),
	    cmocka_unit_test(without_the_right_to_watch_it_is_got_again_and_again),
	    cmocka_unit_test(an_object_is_read_again_when_asked),
	    cmocka_unit_test(a_reread_without_the_right_to_get_comes_by_a_new_watch),
	    cmocka_unit_test(a_reread_without_any_right_is_told_although_the_watch_was_open),
	    cmocka_unit_test(a_callback_may_free_its_own_watch),
	    cmocka_unit_test(openings_queue_up),
	    cmocka_unit_test(open_watches_at_rest_wake_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
