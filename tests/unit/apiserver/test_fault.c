/* SPDX-License-Identifier: Apache-2.0 */
/* Each fault as a client sees it on the wire. */
#include "tests/lib/https.h"
#include "tests/lib/standin_call.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECRETS "/api/v1/namespaces/default/secrets"
#define OPEN_WATCH SECRETS "?watch=true&fieldSelector=metadata.name%3Da"
#define WATCH OPEN_WATCH "&timeoutSeconds=1"

static struct standin server;

static int start(void **state)
{
	(void)state;
	standin_start(&server, NULL);
	standin_put(&server, "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"},"
			     "\"stringData\":{\"k\":\"one\"}}");
	standin_tell(&server, "{\"do\":\"set\",\"second_ms\":100}");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	standin_stop(&server);
	return 0;
}

static void change(const char *value)
{
	char patch[128];
	snprintf(patch, sizeof(patch), "{\"stringData\":{\"k\":\"%s\"}}", value);
	standin_patch(&server, "secrets", "default", "a", patch);
}

static void get(const char *target, struct https_answer *ret)
{
	https_send(&server, &(struct https_request){.target = target}, ret);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void status_with_retry_after_and_body(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	_cleanup_https_ struct https_answer next = {0};
	standin_tell(&server,
		     "{\"do\":\"fault\",\"verb\":\"get\",\"status\":429,\"body\":\"slow\","
		     "\"content_type\":\"text/plain\",\"headers\":{\"Retry-After\":\"7\"}}");
	get(SECRETS "/a", &a);
	_cleanup_free_ char *retry = https_header(&a, "Retry-After");
	_cleanup_free_ char *type = https_header(&a, "Content-Type");
	assert_int_equal(a.code, 429);
	assert_string_equal(a.body, "slow");
	assert_string_equal(retry, "7");
	assert_string_equal(type, "text/plain");
	get(SECRETS "/a", &next);
	assert_int_equal(next.code, 200);
}

static void status_without_body_is_a_status_object(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	standin_tell(&server, "{\"do\":\"fault\",\"status\":410}");
	get(SECRETS, &a);
	assert_int_equal(a.code, 410);
	assert_non_null(strstr(a.body, "\"reason\":\"Expired\""));
	assert_non_null(strstr(a.body, "\"code\":410"));
}

static void redirect_names_another_host(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	standin_tell(&server, "{\"do\":\"fault\",\"status\":302,"
			      "\"headers\":{\"Location\":\"https://127.0.0.2:1/\"}}");
	get(SECRETS, &a);
	_cleanup_free_ char *location = https_header(&a, "Location");
	assert_int_equal(a.code, 302);
	assert_string_equal(location, "https://127.0.0.2:1/");
}

static void faults_meet_by_verb_path_user_skip_and_times(void **state)
{
	(void)state;
	static const int codes[] = {200, 503, 503, 200};
	standin_token(&server, "t", "somebody");
	standin_allow(&server, "{\"user\":\"somebody\",\"verbs\":[\"*\"],\"resources\":[\"*\"]}");
	standin_tell(&server, "{\"do\":\"fault\",\"verb\":\"get\",\"path\":\"/secrets/[ab]$\","
			      "\"user\":\"somebody\",\"skip\":1,\"times\":2,\"status\":503}");
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		_cleanup_https_ struct https_answer admin = {0};
		_cleanup_https_ struct https_answer list = {0};
		_cleanup_https_ struct https_answer a = {0};
		get(SECRETS "/a", &admin);
		assert_int_equal(admin.code, 200);
		https_send(&server,
			   &(struct https_request){.target = SECRETS "?x=/secrets/a", .token = "t"},
			   &list);
		assert_int_equal(list.code, 200);
		https_send(&server, &(struct https_request){.target = SECRETS "/a", .token = "t"},
			   &a);
		assert_int_equal(a.code, codes[i]);
	}
}

static void unknown_member_is_refused(void **state)
{
	(void)state;
	struct err e;
	struct standin_answer answer;
	int r = standin_call(server.admin, "{\"do\":\"fault\",\"stauts\":503}", &answer, &e);
	_cleanup_free_ char *text = answer.text;
	assert_int_equal(r, 0);
	assert_false(answer.ok);
	assert_non_null(strstr(text, "stauts"));
}

static void abort_resets_the_connection(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	standin_tell(&server, "{\"do\":\"fault\",\"abort\":\"reset\"}");
	get(SECRETS "/a", &a);
	assert_int_equal(a.code, 0);
	assert_int_equal(a.error, CURLE_RECV_ERROR);
}

static void cut_ends_in_the_middle_of_the_body(void **state)
{
	static const char *const ends[] = {"close", "reset"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		_cleanup_https_ struct https_answer a = {0};
		standin_tell(&server, "{\"do\":\"fault\",\"cut_at\":17,\"cut\":\"%s\"}", ends[i]);
		get(SECRETS "/a", &a);
		assert_int_equal(a.code, 200);
		assert_int_equal(a.body_len, 17);
		assert_false(a.whole);
	}
}

static void cut_meets_a_watch_inside_an_event(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	standin_tell(&server,
		     "{\"do\":\"fault\",\"verb\":\"watch\",\"cut_at\":40,\"cut\":\"close\"}");
	get(WATCH, &a);
	assert_int_equal(a.code, 200);
	assert_int_equal(a.body_len, 40);
	assert_false(a.whole);
}

static void stall_and_black_hole_keep_the_connection(void **state)
{
	(void)state;
	const struct https_request request = {.target = SECRETS "/a"};
	standin_tell(&server, "{\"do\":\"fault\",\"cut_at\":17,\"cut\":\"stall\"}");
	struct https_stream *s = https_open(&server, &request);
	assert_false(https_read(s, "\"type\":", 200));
	assert_int_equal(https_peek(s)->body_len, 17);
	assert_int_equal(https_peek(s)->error, 0);
	https_cancel(s);
	standin_tell(&server, "{\"do\":\"fault\",\"black_hole\":true}");
	s = https_begin(&server, &request);
	assert_false(https_read(s, "{", 200));
	assert_int_equal(https_peek(s)->code, 0);
	assert_int_equal(https_peek(s)->error, 0);
	https_cancel(s);
}

static void delay_comes_before_the_answer(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	int64_t before = clock_mono_ms(clock_system());
	standin_tell(&server, "{\"do\":\"fault\",\"delay_ms\":150}");
	get(SECRETS "/a", &a);
	assert_int_equal(a.code, 200);
	assert_true(clock_mono_ms(clock_system()) - before >= 150);
}

static void any_chunking_gives_the_same_body(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer plain = {0};
	get(WATCH, &plain);
	assert_true(plain.whole);
	for (size_t n = 1; n < 10; n += 3) {
		_cleanup_https_ struct https_answer a = {0};
		standin_tell(&server,
			     "{\"do\":\"fault\",\"verb\":\"watch\",\"chunk_bytes\":%zu,"
			     "\"write_bytes\":%zu}",
			     n, n);
		get(WATCH, &a);
		assert_true(a.whole);
		assert_string_equal(a.body, plain.body);
	}
}

static void slow_bytes_take_their_time(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	int64_t before = clock_mono_ms(clock_system());
	standin_tell(&server, "{\"do\":\"fault\",\"write_bytes\":100,\"write_delay_ms\":20}");
	get(SECRETS "/a", &a);
	assert_true(a.whole);
	assert_true(clock_mono_ms(clock_system()) - before >= 20 * (int64_t)(a.body_len / 100));
}

static void raw_bytes_leave_as_they_are(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	standin_tell(&server, "{\"do\":\"fault\",\"raw\":\"no HTTP\\r\\n\\r\\n\"}");
	get(SECRETS "/a", &a);
	assert_int_equal(a.error, CURLE_UNSUPPORTED_PROTOCOL);
}

static void corrupt_spoils_one_body(void **state)
{
	static const struct {
		const char *kind;
		const char *sign;
	} kinds[] = {
	    {"json", "}{"},          {"utf8", "\xff\xfe"},      {"nul", "a\\u0000b"},
	    {"nesting", "[[[[[[[["}, {"oversized", "yyyyyyyy"}, {"duplicate", "\"name\":\"first\""},
	    {"crlf", "\r\n\r\n"}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		_cleanup_https_ struct https_answer a = {0};
		standin_tell(&server, "{\"do\":\"fault\",\"corrupt\":\"%s\"}", kinds[i].kind);
		get(SECRETS "/a", &a);
		assert_int_equal(a.code, 200);
		assert_true(a.whole);
		assert_non_null(strstr(a.body, kinds[i].sign));
		assert_non_null(strstr(a.body, "\"name\":\"a\""));
		if (!strcmp(kinds[i].kind, "oversized"))
			assert_true(a.body_len > (size_t)5 * 1000 * 1000);
	}
}

static void raw_nul_is_a_byte_of_the_body(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	standin_tell(&server, "{\"do\":\"fault\",\"corrupt\":\"raw_nul\"}");
	get(SECRETS "/a", &a);
	assert_true(strlen(a.body) < a.body_len);
}

static void corrupt_spoils_one_event_of_a_watch(void **state)
{
	(void)state;
	standin_tell(&server,
		     "{\"do\":\"fault\",\"verb\":\"watch\",\"corrupt\":\"utf8\",\"after\":1}");
	struct https_stream *s = https_open(&server, &(struct https_request){.target = OPEN_WATCH});
	change("two");
	change("three");
	assert_true(https_read(s, "dGhyZWU=", 5000));
	const char *body = https_peek(s)->body;
	const char *second = strchr(body, '\n') + 1;
	const char *third = strchr(second, '\n') + 1;
	const char *sign = strstr(body, "\xff\xfe");
	assert_true(sign > second && sign < third);
	assert_null(strstr(third, "\xff\xfe"));
	https_cancel(s);
}

static void error_event_ends_a_watch_at_start_or_later(void **state)
{
	(void)state;
	for (int after = 0; after < 2; after++) {
		_cleanup_https_ struct https_answer a = {0};
		standin_tell(
		    &server,
		    "{\"do\":\"fault\",\"verb\":\"watch\",\"error_event\":410,\"after\":%d}",
		    after);
		get(SECRETS "?watch=true", &a);
		assert_int_equal(a.code, 200);
		assert_true(a.whole);
		assert_int_equal(count_lines(a.body), after + 1);
		assert_non_null(
		    strstr(a.body, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\""));
		assert_non_null(strstr(a.body, "\"reason\":\"Expired\",\"code\":410"));
	}
}

static void events_come_twice_or_in_another_order(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer twice = {0};
	standin_tell(&server, "{\"do\":\"fault\",\"verb\":\"watch\",\"twice\":true}");
	get(WATCH, &twice);
	assert_int_equal(count_lines(twice.body), 2);
	standin_tell(&server, "{\"do\":\"fault\",\"verb\":\"watch\",\"swap\":true}");
	struct https_stream *s = https_open(&server, &(struct https_request){.target = OPEN_WATCH});
	change("later");
	assert_true(https_read(s, "ADDED", 5000));
	const char *first = strstr(https_peek(s)->body, "MODIFIED");
	assert_true(first && first < strstr(https_peek(s)->body, "ADDED"));
	https_cancel(s);
}

static void given_events_come_first(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	standin_tell(&server,
		     "{\"do\":\"fault\",\"verb\":\"watch\",\"events\":[\"{}\\n\",\"x\\n\"]}");
	get(WATCH, &a);
	assert_int_equal(strncmp(a.body, "{}\nx\n{\"type\":\"ADDED\"", 20), 0);
}

static void certificates_that_no_client_takes(void **state)
{
	static const char *const kinds[] = {"expired", "not-yet", "other-ca", "wrong-name",
					    "rotate"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		_cleanup_https_ struct https_answer a = {0};
		standin_tell(&server, "{\"do\":\"certificate\",\"which\":\"%s\"}", kinds[i]);
		get(SECRETS "/a", &a);
		bool rotated = !strcmp(kinds[i], "rotate");
		assert_int_equal(a.error, rotated ? CURLE_OK : CURLE_PEER_FAILED_VERIFICATION);
		standin_tell(&server, "{\"do\":\"certificate\",\"which\":\"good\"}");
	}
	_cleanup_https_ struct https_answer a = {0};
	get(SECRETS "/a", &a);
	assert_int_equal(a.code, 200);
}

static void server_refuses_or_swallows_connections_and_comes_back(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer refused = {0};
	_cleanup_https_ struct https_answer back = {0};
	standin_tell(&server, "{\"do\":\"accept\",\"mode\":\"refuse\"}");
	get(SECRETS "/a", &refused);
	assert_int_equal(refused.error, CURLE_COULDNT_CONNECT);
	standin_tell(&server, "{\"do\":\"accept\",\"mode\":\"black-hole\"}");
	struct https_stream *s =
	    https_begin(&server, &(struct https_request){.target = SECRETS "/a"});
	assert_false(https_read(s, "{", 200));
	assert_int_equal(https_peek(s)->error, 0);
	https_cancel(s);
	standin_tell(&server, "{\"do\":\"accept\"}");
	get(SECRETS "/a", &back);
	assert_int_equal(back.code, 200);
}

static void open_watches_are_ended_and_written_into(void **state)
{
	static const struct {
		const char *how;
		bool whole;
	} ends[] = {{"finish", true}, {"close", false}, {"reset", false}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		_cleanup_https_ struct https_answer a = {0};
		struct https_stream *s =
		    https_open(&server, &(struct https_request){.target = SECRETS "?watch=true"});
		_cleanup_free_ char *sent =
		    standin_do(&server, "{\"do\":\"send\",\"text\":\"garbage\\n\"}");
		assert_string_equal(sent, "1");
		assert_true(https_read(s, "garbage\n", 5000));
		_cleanup_free_ char *ended =
		    standin_do(&server, "{\"do\":\"end\",\"how\":\"%s\"}", ends[i].how);
		assert_string_equal(ended, "1");
		https_close(s, &a);
		assert_int_equal(a.whole, ends[i].whole);
	}
}

static void killed_server_comes_back_with_its_ca_and_token(void **state)
{
	(void)state;
	_cleanup_https_ struct https_answer a = {0};
	uint16_t port = server.port;
	standin_kill(&server, SIGKILL);
	standin_again(&server);
	assert_int_equal(server.port, port);
	get(SECRETS, &a);
	assert_int_equal(a.code, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_with_retry_after_and_body),
	    cmocka_unit_test(status_without_body_is_a_status_object),
	    cmocka_unit_test(redirect_names_another_host),
	    cmocka_unit_test(faults_meet_by_verb_path_user_skip_and_times),
	    cmocka_unit_test(unknown_member_is_refused),
	    cmocka_unit_test(abort_resets_the_connection),
	    cmocka_unit_test(cut_ends_in_the_middle_of_the_body),
	    cmocka_unit_test(cut_meets_a_watch_inside_an_event),
	    cmocka_unit_test(stall_and_black_hole_keep_the_connection),
	    cmocka_unit_test(delay_comes_before_the_answer),
	    cmocka_unit_test(any_chunking_gives_the_same_body),
	    cmocka_unit_test(slow_bytes_take_their_time),
	    cmocka_unit_test(raw_bytes_leave_as_they_are),
	    cmocka_unit_test(corrupt_spoils_one_body),
	    cmocka_unit_test(raw_nul_is_a_byte_of_the_body),
	    cmocka_unit_test(corrupt_spoils_one_event_of_a_watch),
	    cmocka_unit_test(error_event_ends_a_watch_at_start_or_later),
	    cmocka_unit_test(events_come_twice_or_in_another_order),
	    cmocka_unit_test(given_events_come_first),
	    cmocka_unit_test(certificates_that_no_client_takes),
	    cmocka_unit_test(server_refuses_or_swallows_connections_and_comes_back),
	    cmocka_unit_test(open_watches_are_ended_and_written_into),
	    cmocka_unit_test(killed_server_comes_back_with_its_ca_and_token),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
