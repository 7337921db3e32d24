/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch.h"

#include "k8s/metrics.h"
#include "k8s/watch_internal.h"
#include "tests/lib/bench.h"
#include "tests/lib/standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PODS "/api/v1/pods"

static int restarted(const char *reason)
{
	return (int)metric_value(&metric_restarts, M_LABELS(reason));
}

/* The stand-in API server with the pods a and b on node n, and a watch of that node's pods. */
struct world {
	struct standin s;
	struct bench b;
	struct diary d;
	int64_t heard_ms; /* when the watch had its last byte, as a test noted it */
};

static void put(struct world *w, const char *name, const char *value, const char *node)
{
	char text[512];

	snprintf(
	    text, sizeof(text),
	    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"annotations\":{\"k\":\"%s\"}},"
	    "\"spec\":{\"nodeName\":\"%s\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
	    name, value, node);
	standin_put(&w->s, text);
}

static void watch(struct world *w)
{
	struct err e;

	diary_init(&w->d);
	if (k8s_watch_list(w->b.client, PODS, "spec.nodeName=n", &diary_callbacks, &w->d,
			   &w->d.watch, &e) < 0)
		fail_msg("%s", e.message);
}

static void world_prepare(struct world *w)
{
	metrics_reset();
	standin_start(&w->s, NULL);
	bench_start(&w->b, w->s.kubeconfig, NULL);
	put(w, "a", "1", "n");
	put(w, "b", "1", "n");
	put(w, "c", "1", "other");
}

static void world_start(struct world *w)
{
	world_prepare(w);
	watch(w);
	diary_expect(&w->d, &w->b, "up", 1);
}

static void world_stop(struct world *w)
{
	diary_done(&w->d);
	bench_stop(&w->b);
	standin_stop(&w->s);
}

static size_t lists(struct world *w, const char *part)
{
	return standin_count(&w->s, "list", part);
}

static void what_is_there_is_told_and_then_what_changes(void **state _unused_)
{
	struct world w;

	world_start(&w);
	put(&w, "c", "2", "other");
	put(&w, "d", "1", "n");
	put(&w, "a", "2", "n");
	standin_delete(&w.s, "pods", "default", "b");
	diary_expect(&w.d, &w.b, "gone b", 1);
	assert_string_equal(buf_str(&w.d.text), "object a=1\nobject b=1\nsynced\nup\n"
						"object d=1\nobject a=2\ngone b\n");
	assert_int_equal(lists(&w, "fieldSelector=spec.nodeName%3Dn&limit=500&resourceVersion=0"),
			 1);
	assert_int_equal(lists(&w, ""), 1);
	assert_int_equal(standin_count(&w.s, "watch", "allowWatchBookmarks=true"), 1);
	world_stop(&w);
}

/* Pages are asked for from the store only: from "0" the server gives all. */
static void a_list_comes_in_pages(void **state _unused_)
{
	struct world w;

	world_prepare(&w);
	for (int i = 0; i < 1003; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%04d", i);
		put(&w, name, "1", "n");
	}
	/* The first list is refused as too old, so that the next is from the store. */
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"list\",\"status\":410}");
	watch(&w);
	diary_expect(&w.d, &w.b, "up", 1);
	assert_int_equal(diary_count(&w.d, "object p1002=1"), 1);
	assert_int_equal(w.d.lines, 1005 + 2);
	assert_int_equal(lists(&w, "limit=500&resourceVersion=0"), 1);
	assert_int_equal(lists(&w, "limit=500&continue="), 2);
	assert_int_equal(lists(&w, ""), 4);
	put(&w, "a", "2", "n");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	world_stop(&w);
}

static void B1_a_page_that_expired_is_asked_for_as_a_whole(void **state _unused_)
{
	struct world w;

	world_prepare(&w);
	for (int i = 0; i < 503; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%04d", i);
		put(&w, name, "1", "n");
	}
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"list\",\"status\":410}");
	standin_tell(&w.s,
		     "{\"do\":\"fault\",\"verb\":\"list\",\"path\":\"continue=\",\"status\":410}");
	watch(&w);
	diary_expect(&w.d, &w.b, "up", 1);
	assert_int_equal(diary_count(&w.d, "synced"), 1);
	assert_int_equal(diary_count(&w.d, "object p0502=1"), 1);
	assert_int_equal(lists(&w, "limit="), 3);
	assert_int_equal(lists(&w, ""), 4);
	world_stop(&w);
}

static void B1_410_at_the_start_of_a_watch_lists_again(void **state _unused_)
{
	struct world w;

	world_start(&w);
	/* What is missed meanwhile: b leaves, d comes, a changes. */
	standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"refuse\"}");
	standin_tell(&w.s, "{\"do\":\"drop\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "down unavailable", 1);
	standin_delete(&w.s, "pods", "default", "b");
	put(&w, "d", "1", "n");
	put(&w, "a", "2", "n");
	standin_tell(&w.s, "{\"do\":\"restart\"}");
	diary_expect(&w.d, &w.b, "synced", 2);
	diary_expect(&w.d, &w.b, "up", 2);
	assert_int_equal(diary_count(&w.d, "down expired"), 1);
	assert_int_equal(diary_count(&w.d, "gone b"), 1);
	assert_int_equal(diary_count(&w.d, "object d=1"), 1);
	assert_int_equal(diary_count(&w.d, "object a=2"), 1);
	assert_int_equal(restarted("expired"), 1);
	/* Not older than what was seen, and not in pages. */
	assert_int_equal(lists(&w, "limit="), 1);
	assert_int_equal(lists(&w, "resourceVersion="), 2);
	world_stop(&w);
}

static void B1_410_in_the_middle_of_a_watch_lists_again(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s, "{\"do\":\"send\",\"path\":\"watch=true\",\"text\":%s}",
		     "\"{\\\"type\\\":\\\"ERROR\\\",\\\"object\\\":{\\\"kind\\\":\\\"Status\\\","
		     "\\\"code\\\":410,\\\"reason\\\":\\\"Expired\\\",\\\"message\\\":\\\"too "
		     "old\\\"}}\\n\"");
	diary_expect(&w.d, &w.b, "down expired", 1);
	diary_expect(&w.d, &w.b, "up", 2);
	assert_int_equal(diary_count(&w.d, "object a=1"), 2);
	assert_int_equal(diary_count(&w.d, "synced"), 2);
	assert_int_equal(diary_count(&w.d, "gone a"), 0);
	world_stop(&w);
}

static void B1_410_on_a_list_lists_from_the_store(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"watch\",\"error_event\":410}");
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"list\",\"status\":410}");
	standin_tell(&w.s, "{\"do\":\"end\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "synced", 2);
	diary_expect(&w.d, &w.b, "up", 2);
	assert_int_equal(lists(&w, ""), 3);
	assert_int_equal(lists(&w, "resourceVersion="), 2);
	world_stop(&w);
}

static void a_restored_store_is_believed(void **state _unused_)
{
	struct world w;

	world_prepare(&w);
	standin_tell(&w.s, "{\"do\":\"set\",\"list_wait_ms\":50}");
	standin_tell(&w.s, "{\"do\":\"save\"}");
	for (int i = 0; i < 20; i++)
		put(&w, "a", "2", "n");
	put(&w, "d", "1", "n");
	watch(&w);
	diary_expect(&w.d, &w.b, "up", 1);
	/* The watch from the future is silent; the list from there is refused as too new. */
	w.b.client->times.quiet_ms = 300;
	standin_tell(&w.s, "{\"do\":\"restore\"}");
	standin_tell(&w.s, "{\"do\":\"end\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "gone d", 1);
	diary_expect(&w.d, &w.b, "object a=1", 1);
	assert_true(restarted("quiet") >= 1);
	world_stop(&w);
}

static void a_list_from_the_future_is_asked_for_from_the_store(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s, "{\"do\":\"set\",\"list_wait_ms\":50}");
	standin_tell(&w.s, "{\"do\":\"save\"}");
	for (int i = 0; i < 5; i++)
		put(&w, "a", "2", "n");
	diary_expect(&w.d, &w.b, "object a=2", 5);
	standin_tell(&w.s, "{\"do\":\"restore\"}");
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"watch\",\"error_event\":410}");
	standin_tell(&w.s, "{\"do\":\"end\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "synced", 2);
	assert_int_equal(standin_count(&w.s, "list", "resourceVersion="), 2);
	assert_int_equal(lists(&w, ""), 3);
	assert_int_equal(diary_count(&w.d, "object a=1"), 2);
	world_stop(&w);
}

static bool was_heard_of(const void *arg)
{
	const struct world *w = arg;

	return transfer_last_byte(w->d.watch->transfer) > w->heard_ms;
}

static void a_bookmark_moves_the_place_in_history(void **state _unused_)
{
	struct world w;

	world_start(&w);
	for (int i = 0; i < 10; i++)
		put(&w, "c", "2", "other");
	w.heard_ms = transfer_last_byte(w.d.watch->transfer);
	standin_tell(&w.s, "{\"do\":\"bookmark\"}");
	assert_true(bench_wait(&w.b, was_heard_of, &w, 20000));
	/* History begins at the bookmark: from before it there would be a 410. */
	standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"refuse\"}");
	standin_tell(&w.s, "{\"do\":\"drop\",\"how\":\"reset\"}");
	bench_pass(&w.b, 30);
	standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"yes\"}");
	put(&w, "a", "2", "n");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	assert_int_equal(lists(&w, ""), 1);
	world_stop(&w);
}

static bool has_ended_twice(const void *arg _unused_)
{
	return restarted("end") >= 2;
}

static void a_clean_end_goes_on_where_it_was(void **state _unused_)
{
	struct world w;

	world_prepare(&w);
	/* A watch of less than a second is no clean end. */
	k8s_watch_timeout(w.b.client, 2, 2);
	watch(&w);
	diary_expect(&w.d, &w.b, "up", 1);
	assert_true(bench_wait(&w.b, has_ended_twice, NULL, 20000));
	put(&w, "a", "2", "n");
	diary_expect(&w.d, &w.b, "object a=2", 1);
	assert_int_equal(lists(&w, ""), 1);
	assert_int_equal(diary_count(&w.d, "up"), 1);
	world_stop(&w);
}

static void a_429_waits_and_does_not_list(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"watch\",\"status\":429,\"times\":3,"
			   "\"headers\":{\"Retry-After\":\"1\"},\"body\":\"busy\"}");
	standin_tell(&w.s, "{\"do\":\"end\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "up", 2);
	assert_int_equal(diary_count(&w.d, "down unavailable"), 4);
	assert_int_equal(lists(&w, ""), 1);
	world_stop(&w);
}

static void a_500_lists_again(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"watch\",\"status\":500}");
	standin_tell(&w.s, "{\"do\":\"end\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "up", 2);
	assert_int_equal(lists(&w, ""), 2);
	world_stop(&w);
}

static void a_watch_that_ends_at_once_lists_again(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s, "{\"do\":\"end\",\"how\":\"finish\"}");
	diary_expect(&w.d, &w.b, "down unavailable", 1);
	diary_expect(&w.d, &w.b, "up", 2);
	assert_int_equal(lists(&w, ""), 2);
	world_stop(&w);
}

static void a_truncated_list_takes_nothing_away(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s, "{\"do\":\"fault\",\"verb\":\"watch\",\"error_event\":410}");
	standin_tell(
	    &w.s,
	    "{\"do\":\"fault\",\"verb\":\"list\",\"cut_at\":700,\"cut\":\"close\",\"times\":3}");
	standin_tell(&w.s, "{\"do\":\"end\",\"how\":\"reset\"}");
	diary_expect(&w.d, &w.b, "synced", 2);
	assert_int_equal(diary_count(&w.d, "gone a"), 0);
	assert_int_equal(diary_count(&w.d, "gone b"), 0);
	assert_true(diary_count(&w.d, "down unavailable") >= 3);
	world_stop(&w);
}

static void a_bad_pod_does_not_hide_the_others(void **state _unused_)
{
	struct world w;

	world_start(&w);
	standin_tell(&w.s,
		     "{\"do\":\"put\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"bad\","
		     "\"annotations\":{\"k\":\"a\\u0000b\"}},\"spec\":{\"nodeName\":\"n\"}}}");
	put(&w, "d", "1", "n");
	diary_expect(&w.d, &w.b, "object d=1", 1);
	assert_int_equal(diary_count(&w.d, "bad invalid"), 1);
	standin_tell(&w.s, "{\"do\":\"restart\"}");
	diary_expect(&w.d, &w.b, "synced", 2);
	assert_int_equal(diary_count(&w.d, "bad invalid"), 2);
	assert_int_equal(diary_count(&w.d, "object d=1"), 2);
	world_stop(&w);
}

static void a_callback_may_free_its_own_watch(void **state _unused_)
{
	static const char *const at[] = {"object a=1", "object b=1", "synced",      "up",
					 "gone b",     "gone a",     "down expired"};

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct world w;

		world_prepare(&w);
		watch(&w);
		w.d.free_at = at[i];
		w.d.free_on = &w.d.watch;
		diary_expect_or_freed(&w.d, &w.b, "up");
		standin_tell(&w.s, "{\"do\":\"accept\",\"mode\":\"refuse\"}");
		standin_tell(&w.s, "{\"do\":\"drop\",\"how\":\"reset\"}");
		standin_delete(&w.s, "pods", "default", "a");
		standin_delete(&w.s, "pods", "default", "b");
		standin_tell(&w.s, "{\"do\":\"restart\"}");
		diary_expect_freed(&w.d, &w.b);
		world_stop(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_there_is_told_and_then_what_changes),
	    cmocka_unit_test(a_list_comes_in_pages),
	    cmocka_unit_test(B1_a_page_that_expired_is_asked_for_as_a_whole),
	    cmocka_unit_test(B1_410_at_the_start_of_a_watch_lists_again),
	    cmocka_unit_test(B1_410_in_the_middle_of_a_watch_lists_again),
	    cmocka_unit_test(B1_410_on_a_list_lists_from_the_store),
	    cmocka_unit_test(a_restored_store_is_believed),
	    cmocka_unit_test(a_list_from_the_future_is_asked_for_from_the_store),
	    cmocka_unit_test(a_bookmark_moves_the_place_in_history),
	    cmocka_unit_test(a_clean_end_goes_on_where_it_was),
	    cmocka_unit_test(a_429_waits_and_does_not_list),
	    cmocka_unit_test(a_500_lists_again),
	    cmocka_unit_test(a_watch_that_ends_at_once_lists_again),
	    cmocka_unit_test(a_truncated_list_takes_nothing_away),
	    cmocka_unit_test(a_bad_pod_does_not_hide_the_others),
	    cmocka_unit_test(a_callback_may_free_its_own_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
