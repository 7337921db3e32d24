/* SPDX-License-Identifier: Apache-2.0 */
#include "report/series.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct event_object web = {"shop", "web-0", "uid-1"};
static int64_t now_ms;

static int setup(void **state)
{
	static struct series_table t;

	now_ms = 1000;
	series_table_init(&t);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	series_table_done(*state);
	return 0;
}

static struct series *happen(struct series_table *t, const struct event_object *about,
			     const char *note, bool *ret_send)
{
	return series_count(
	    t, &(struct occurrence){about, EVENT_REJECTED, note, now_ms, 1700000000000 + now_ms},
	    ret_send);
}

static void the_same_again_is_one_series(void **state)
{
	struct series *first;
	bool send;

	first = happen(*state, &web, "expired", &send);
	assert_true(send);
	assert_int_equal(first->count, 1);
	assert_int_equal(first->told, 0);
	now_ms += 5000;
	assert_ptr_equal(happen(*state, &web, "expired", &send), first);
	assert_int_equal(first->count, 2);
	assert_int_equal(first->last_wall_ms - first->first_wall_ms, 5000);
}

static void another_note_pod_or_uid_is_another_series(void **state)
{
	static const struct event_object others[] = {
	    {"shop", "web-1", "uid-1"}, {"shop", "web-0", "uid-2"}, {"bank", "web-0", "uid-1"}};
	struct series *first;
	bool send;

	first = happen(*state, &web, "expired", &send);
	assert_ptr_not_equal(happen(*state, &web, "key_mismatch", &send), first);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct series *s = happen(*state, &others[i], "expired", &send);

		assert_ptr_not_equal(s, first);
		assert_int_equal(s->count, 1);
		assert_string_not_equal(s->event, first->event);
	}
}

static void many_notes_of_one_reason_become_one_series(void **state)
{
	struct series *last = NULL;
	char note[32];
	bool send;

	for (int i = 0; i < LIMIT_EVENT_SIMILAR; i++) {
		snprintf(note, sizeof(note), "note %d", i);
		last = happen(*state, &web, note, &send);
		assert_int_equal(last->count, 1);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(note, sizeof(note), "other %d", i);
		assert_ptr_equal(happen(*state, &web, note, &send), last);
	}
	assert_int_equal(last->count, 1001);
	assert_string_equal(last->note, "note 9");
	assert_int_equal(((struct series_table *)*state)->series_count, LIMIT_EVENT_SIMILAR);
}

static void an_object_has_so_many_tokens(void **state)
{
	static const struct event_object other = {"shop", "web-1", "uid-9"};
	bool send;

	for (int i = 0; i < LIMIT_EVENT_BURST; i++) {
		assert_non_null(happen(*state, &web, "x", &send));
		assert_true(send);
	}
	happen(*state, &web, "x", &send);
	assert_false(send);
	happen(*state, &other, "x", &send); /* another's are its own */
	assert_true(send);
	now_ms += LIMIT_EVENT_REFILL_MS - 1;
	happen(*state, &web, "x", &send);
	assert_false(send);
	now_ms += 1;
	happen(*state, &web, "x", &send);
	assert_true(send);
	happen(*state, &web, "x", &send);
	assert_false(send);
	now_ms += 100 * (int64_t)LIMIT_EVENT_REFILL_MS; /* never more than the burst */
	for (int i = 0; i < LIMIT_EVENT_BURST; i++) {
		happen(*state, &web, "x", &send);
		assert_true(send);
	}
	happen(*state, &web, "x", &send);
	assert_false(send);
}

static void a_series_ends_after_silence(void **state)
{
	struct series *first;
	int64_t next;
	bool send;

	assert_null(series_ended(*state, now_ms, &next));
	assert_int_equal(next, -1);
	first = happen(*state, &web, "x", &send);
	assert_null(series_ended(*state, now_ms, &next));
	assert_int_equal(next, now_ms + LIMIT_EVENT_SILENCE_MS);
	now_ms += LIMIT_EVENT_SILENCE_MS;
	assert_ptr_equal(series_ended(*state, now_ms, &next), first);
	/* It is not continued, though it is still there. */
	assert_ptr_not_equal(happen(*state, &web, "x", &send), first);
	first->queued = true;
	assert_null(series_ended(*state, now_ms, &next));
}

static void the_table_is_bounded_and_forgets_the_oldest(void **state)
{
	struct series_table *t = *state;
	struct event_object about = {"shop", NULL, "uid"};
	struct series *kept;
	char name[32];
	bool send;

	about.name = "kept";
	kept = happen(t, &about, "x", &send);
	kept->queued = true;
	for (int i = 0; i < LIMIT_EVENT_SERIES + 10; i++) {
		snprintf(name, sizeof(name), "pod-%d", i);
		about.name = name;
		assert_non_null(happen(t, &about, "x", &send));
	}
	assert_int_equal(t->series_count, LIMIT_EVENT_SERIES);
	assert_int_equal(t->bucket_count, LIMIT_EVENT_OBJECTS);
	about.name = "kept";
	assert_ptr_equal(happen(t, &about, "x", &send), kept);
	about.name = "pod-0";
	assert_int_equal(happen(t, &about, "x", &send)->count, 1);
}

static void nothing_is_counted_when_all_are_queued(void **state)
{
	struct series_table *t = *state;
	struct event_object about = {"shop", NULL, "uid"};
	char name[32];
	bool send;

	for (int i = 0; i < LIMIT_EVENT_SERIES; i++) {
		snprintf(name, sizeof(name), "pod-%d", i);
		about.name = name;
		happen(t, &about, "x", &send)->queued = true;
	}
	about.name = "one-more";
	assert_null(happen(t, &about, "x", &send));
	assert_false(send);
}

static void names_are_dns_names_of_bounded_length(void **state)
{
	static const size_t lengths[] = {1, 235, 236, 237, 253};
	bool send;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		char pod[LIMIT_OBJECT_NAME + 1] = "";
		struct event_object about = {"shop", pod, "uid"};
		const struct series *s;
		size_t len;

		for (size_t at = 0; at < lengths[i]; at++) /* a cut must not end with these */
			pod[at] = lengths[i] > 236 && at >= 233 && at < 236 ? ".-."[at - 233] : 'a';
		s = happen(*state, &about, "x", &send);
		len = strlen(s->event);
		assert_true(len <= LIMIT_OBJECT_NAME);
		assert_int_equal(s->event[len - 17], '.');
		assert_int_equal(s->event[len - 18], 'a');
		assert_int_equal(strspn(s->event + len - 16, "0123456789abcdef"), 16);
	}
}

static void assert_note(const char *text, const char *expected)
{
	_cleanup_free_ char *note = series_note(text);

	assert_non_null(note);
	assert_string_equal(note, expected);
}

static void G7_notes_are_text_whatever_comes(void **state _unused_)
{
	assert_note("", "");
	assert_note("plain", "plain");
	assert_note("a\nb\tc\x1b[2J\x7f", "a b c [2J ");
	assert_note("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	assert_note("x\xff\xc3y\xed\xa0\x80z", "x??y???z");
}

static void notes_are_cut_between_characters(void **state _unused_)
{
	char text[3 * LIMIT_EVENT_NOTE + 1] = "";

	for (size_t shift = 0; shift < 4; shift++) {
		_cleanup_free_ char *note = NULL;
		size_t len;

		memset(text, 0, sizeof(text));
		memset(text, 'a', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3); /* the Euro sign */
		note = series_note(text);
		len = strlen(note);
		assert_in_range(len, LIMIT_EVENT_NOTE - 3, LIMIT_EVENT_NOTE);
		assert_string_equal(note + len - 3, "...");
		assert_true(text_is_utf8(note, len));
		assert_memory_equal(note, text, len - 3);
	}
	memset(text, 'a', LIMIT_EVENT_NOTE);
	text[LIMIT_EVENT_NOTE] = '\0';
	assert_note(text, text); /* what fits is not cut */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_same_again_is_one_series, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_note_pod_or_uid_is_another_series, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(many_notes_of_one_reason_become_one_series, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(an_object_has_so_many_tokens, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_series_ends_after_silence, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_table_is_bounded_and_forgets_the_oldest, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(nothing_is_counted_when_all_are_queued, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(names_are_dns_names_of_bounded_length, setup, teardown),
	    cmocka_unit_test(G7_notes_are_text_whatever_comes),
	    cmocka_unit_test(notes_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
