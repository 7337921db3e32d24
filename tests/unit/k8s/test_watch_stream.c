/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/watch.h"

#include "base/metrics.h"
#include "tests/lib/bench.h"
#include "tests/lib/talker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A scripted server, a client, and a watch of Secret a. */
struct world {
	struct talker t;
	struct bench b;
	struct diary d;
};

static void watch(struct world *w)
{
	struct err e;

	diary_init(&w->d);
	if (k8s_watch_object(w->b.client, "/api/v1/namespaces/ns/secrets", "a", &diary_callbacks,
			     &w->d, &w->d.watch, &e) < 0)
		fail_msg("%s", e.message);
}

static void world_start(struct world *w, talk_fn fn)
{
	metrics_reset();
	talker_start(&w->t, fn, NULL);
	bench_start(&w->b, w->t.kubeconfig, NULL);
	watch(w);
}

static void world_stop(struct world *w)
{
	diary_done(&w->d);
	bench_stop(&w->b);
	talker_stop(&w->t);
}

#define META(uid, rv, k)                                                                           \
	"\"metadata\":{\"name\":\"a\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv               \
	"\",\"annotations\":{\"k\":\"" k "\"}}"
#define OBJECT(uid, rv, k) "{\"kind\":\"Secret\"," META(uid, rv, k) "}"
#define EVENT(type, uid, rv, k) "{\"type\":\"" type "\",\"object\":" OBJECT(uid, rv, k) "}\n"

static bool is_watch(const struct talk *t)
{
	return talk_is(t, "watch=true");
}

/* A stream of these bytes that stays open. */
static bool stay(struct talk *t, const char *text, size_t len)
{
	talk_stream(t);
	talk_chunk(t, text, len);
	talk_sleep(60000);
	return false;
}

#define FIRST EVENT("ADDED", "u", "1", "first")
#define SECOND EVENT("MODIFIED", "u", "2", "second")

/* The n-th stream is cut n bytes into the second event; the last is whole. */
static bool cut_everywhere(struct talk *t, const void *arg _unused_)
{
	static const char text[] = FIRST SECOND;
	size_t len = sizeof(FIRST) - 1 + (size_t)atomic_fetch_add(&t->log->at[0], 1);

	if (!is_watch(t))
		return talk_answer(t, 500, "", "");
	talk_stream(t);
	if (len < sizeof(text) - 1) {
		talk_chunk(t, text, len);
		return false;
	}
	return stay(t, text, sizeof(text) - 1);
}

static void B5_a_watch_that_is_cut_at_any_byte_tells_whole_events_only(void **state _unused_)
{
	struct world w;

	metrics_reset();
	talker_start(&w.t, cut_everywhere, NULL);
	bench_start(&w.b, w.t.kubeconfig, NULL);
	w.b.client->times.backoff_max_ms = 1;
	watch(&w);
	diary_expect(&w.d, &w.b, "object a=second", 1);
	assert_int_equal(diary_count(&w.d, "object a=first"), 1);
	assert_int_equal(diary_count(&w.d, "object a=second"), 1);
	assert_int_equal(diary_count(&w.d, "bad invalid"), 0);
	assert_true(atomic_load(&w.t.log->at[0]) > 100);
	world_stop(&w);
}

static bool byte_by_byte(struct talk *t, const void *arg _unused_)
{
	static const char text[] = "{\"type\":\"ADDED\",\"object\":{" META(
	    "u", "1", "\xe2\x82\xac\\u20ac\\n\\\\") "}}\r\n" SECOND;

	talk_stream(t);
	for (const char *p = text; *p; p++)
		talk_chunk(t, p, 1);
	talk_sleep(60000);
	return false;
}

static void B5_chunks_of_one_byte_are_put_together(void **state _unused_)
{
	struct world w;

	world_start(&w, byte_by_byte);
	diary_expect(&w.d, &w.b, "object a=second", 1);
	assert_string_equal(buf_str(&w.d.text),
			    "up\nobject a=\xe2\x82\xac\xe2\x82\xac\n\\\nobject a=second\n");
	world_stop(&w);
}

static bool bad_ones_between(struct talk *t, const void *arg _unused_)
{
	static const char text[] =
	    FIRST "{\"type\":\"MODIFIED\",\"object\":{\"x\":\"\xff\xfe\"," META("u", "2", "utf8") "}}\n" EVENT(
		"MODIFIED", "u", "3",
		"third") "{\"type\":\"MODIFIED\",\"object\":{\"x\":"
			 "\"a\\u0000b\"," META(
			     "u", "4",
			     "nul") "}}\n"
				    "{\"type\":\"MODIFIED\","
				    "\"object\":{\"x\":}{," META(
					"u", "5",
					"broken") "}}\n"
						  "{\"type\":"
						  "\"MODIFIED\"}\n"
						  "{\"type\":"
						  "\"MODIFIED\","
						  "\"object\":{"
						  "\"metadata\":{"
						  "\"name\":\"a\"}}}"
						  "\n" EVENT("MODIFIED", "u", "6", "sixth") EVENT(
						      "MODIFIE"
						      "D",
						      "u", "7",
						      "sevent"
						      "h") "{"
							   "\""
							   "ty"
							   "pe"
							   "\""
							   ":"
							   "\""
							   "MO"
							   "DI"
							   "FI"
							   "ED"
							   "\""
							   ","
							   "\""
							   "ob"
							   "je"
							   "ct"
							   "\""
							   ":"
							   "{" META("u", "1", "lost") "," META(
							       "u", "8", "won") "}}\n";

	return stay(t, text, sizeof(text) - 1);
}

static void B5_a_bad_event_is_refused_alone(void **state _unused_)
{
	struct world w;

	world_start(&w, bad_ones_between);
	diary_expect(&w.d, &w.b, "object a=won", 1);
	assert_string_equal(buf_str(&w.d.text),
			    "up\nobject a=first\nbad invalid\nobject a=third\nbad invalid\n"
			    "bad invalid\nbad invalid\nbad invalid\nobject a=sixth\n"
			    "object a=seventh\nobject a=won\n");
	assert_int_equal(atomic_load(&w.t.log->requests), 1);
	world_stop(&w);
}

static bool too_large(struct talk *t, const void *arg _unused_)
{
	static char part[64 * KIB];
	static const char begin[] = "{\"type\":\"MODIFIED\",\"object\":{\"x\":\"";
	static const char end[] = "\"}}\n{\"type\":\"MODIFIED\",\"object\":{\"x\":";
	static const char close[] = ",\"y\":1}}\n";

	talk_stream(t);
	talk_chunk(t, FIRST, sizeof(FIRST) - 1);
	talk_chunk(t, begin, sizeof(begin) - 1);
	memset(part, 'x', sizeof(part));
	for (int i = 0; i < 80; i++)
		talk_chunk(t, part, sizeof(part));
	talk_chunk(t, end, sizeof(end) - 1);
	memset(part, '[', sizeof(part));
	talk_chunk(t, part, sizeof(part));
	memset(part, ']', sizeof(part));
	talk_chunk(t, part, sizeof(part));
	talk_chunk(t, close, sizeof(close) - 1);
	talk_chunk(t, SECOND, sizeof(SECOND) - 1);
	talk_sleep(60000);
	return false;
}

static void B5_events_too_large_or_too_deep_are_refused_alone(void **state _unused_)
{
	struct world w;

	world_start(&w, too_large);
	diary_expect(&w.d, &w.b, "object a=second", 1);
	assert_string_equal(buf_str(&w.d.text), "up\nobject a=first\nbad exhausted\nbad exhausted\n"
						"object a=second\n");
	world_stop(&w);
}

/* Each stream says what a server may say after a reconnect. */
static bool again_and_older(struct talk *t, const void *arg _unused_)
{
	static const char *const streams[] = {
	    EVENT("ADDED", "u", "10", "ten") EVENT("ADDED", "u", "10", "ten"),
	    EVENT("ADDED", "u", "10", "ten") EVENT("MODIFIED", "u", "11", "eleven"),
	    EVENT("ADDED", "u", "11", "eleven") EVENT("MODIFIED", "u", "9", "nine"),
	    EVENT("ADDED", "u", "abc", "word") EVENT("MODIFIED", "u", "abc", "word"),
	    EVENT("ADDED", "u2", "abc", "other"),
	    EVENT("ADDED", "u2", "12345678901234567890123456789012345678901", "long"),
	};
	int n = atomic_fetch_add(&t->log->at[0], 1);

	if (n < (int)ARRAY_LEN(streams) - 1) {
		talk_stream(t);
		talk_chunk(t, streams[n], strlen(streams[n]));
		return false;
	}
	return stay(t, streams[ARRAY_LEN(streams) - 1], strlen(streams[ARRAY_LEN(streams) - 1]));
}

static void without_states(const struct diary *d, char *ret, size_t size)
{
	const char *text = buf_str(&d->text);

	*ret = '\0';
	for (size_t len; *text; text += len) {
		len = strcspn(text, "\n") + 1;
		if (strncmp(text, "up", 2) != 0 && strncmp(text, "down", 4) != 0)
			snprintf(ret + strlen(ret), size - strlen(ret), "%.*s", (int)len, text);
	}
}

/* What is older is told with its resourceVersion: whoever publishes decides (principle 3). */
static void B7_what_was_told_is_not_told_again_and_nothing_is_made_up(void **state _unused_)
{
	char said[500];
	struct world w;

	world_start(&w, again_and_older);
	diary_expect(&w.d, &w.b, "bad invalid", 1);
	without_states(&w.d, said, sizeof(said));
	assert_string_equal(said, "object a=ten\nobject a=eleven\nobject a=nine\nobject a=word\n"
				  "object a=other\nbad invalid\n");
	assert_string_equal(w.d.rv, "abc");
	assert_string_equal(w.d.uid, "u2");
	world_stop(&w);
}

/* The GET of the 2 s rule is answered after the event came. */
static bool late_get(struct talk *t, const void *arg _unused_)
{
	if (!is_watch(t)) {
		atomic_store(&t->log->at[0], 1);
		talk_until(t, 1, 1);
		return talk_answer(t, 200, "", OBJECT("u", "1", "old"));
	}
	talk_stream(t);
	talk_until(t, 0, 1);
	talk_chunk(t, EVENT("ADDED", "u", "2", "new"), sizeof(EVENT("ADDED", "u", "2", "new")) - 1);
	talk_sleep(60000);
	return false;
}

static void B7_a_get_that_the_stream_has_overtaken_is_dropped(void **state _unused_)
{
	struct world w;

	world_start(&w, late_get);
	w.b.client->times.first_event_ms = 10;
	diary_expect(&w.d, &w.b, "object a=new", 1);
	atomic_store(&w.t.log->at[1], 1);
	bench_pass(&w.b, 300);
	assert_string_equal(buf_str(&w.d.text), "up\nobject a=new\n");
	world_stop(&w);
}

/* 401 until at[0] is set; the rest is quiet. */
static bool refuse_then_stay(struct talk *t, const void *arg _unused_)
{
	if (!atomic_load(&t->log->at[0]))
		return talk_answer(t, 401, "",
				   "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}");
	return stay(t, FIRST, sizeof(FIRST) - 1);
}

static void B3_a_refused_token_is_tried_on_connections_of_its_own(void **state _unused_)
{
	struct world w;

	world_start(&w, refuse_then_stay);
	diary_expect(&w.d, &w.b, "down denied", 3);
	assert_true(atomic_load(&w.t.log->connections) >= 3);
	atomic_store(&w.t.log->at[0], 1);
	diary_expect(&w.d, &w.b, "object a=first", 1);
	assert_int_equal(diary_count(&w.d, "gone -"), 0);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(B5_a_watch_that_is_cut_at_any_byte_tells_whole_events_only),
	    cmocka_unit_test(B5_chunks_of_one_byte_are_put_together),
	    cmocka_unit_test(B5_a_bad_event_is_refused_alone),
	    cmocka_unit_test(B5_events_too_large_or_too_deep_are_refused_alone),
	    cmocka_unit_test(B7_what_was_told_is_not_told_again_and_nothing_is_made_up),
	    cmocka_unit_test(B7_a_get_that_the_stream_has_overtaken_is_dropped),
	    cmocka_unit_test(B3_a_refused_token_is_tried_on_connections_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
