/* SPDX-License-Identifier: Apache-2.0 */
#include "report/events.h"

#include "report/counts.h"
#include "tests/lib/standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>

#define PATIENCE_MS (30 * SECOND_MS)
#define EVENTS "/apis/events.k8s.io/v1/namespaces/default/events"

static const struct event_object web = {"default", "web-0", "11111111-2222-3333-4444-555555555555"};

/* A stand-in API server, and the Events of an agent whose clock the test turns. */
struct scene {
	struct standin standin;
	struct clock_fake clock;
	struct loop *loop;
	struct loop_timer *tick;
	struct k8s_config *config;
	struct k8s_client *client;
	struct events *events;
	bool (*is)(const struct scene *s);
	int64_t until_ms;
	double wanted;
};

static double counted(const char *result)
{
	return metric_value(&count_events, M_LABELS(result));
}

static void tick(void *arg)
{
	struct scene *s = arg;

	if (s->is(s) || clock_mono_ms(clock_system()) > s->until_ms)
		loop_stop(s->loop);
	else
		loop_timer_set(s->tick, 2);
}

static void scene_open(struct scene *s)
{
	struct k8s_config_options options = {0};
	struct err e;

	metrics_reset();
	standin_start(&s->standin, NULL);
	options.kubeconfig = s->standin.kubeconfig;
	clock_fake_init(&s->clock, 1000000, 1767323045678);
	if (loop_new(&s->clock.clock, &s->loop, &e) < 0 ||
	    loop_timer_new(s->loop, tick, s, &s->tick, &e) < 0 ||
	    k8s_config_load(&options, &s->config, &e) < 0 ||
	    k8s_client_new(s->loop, s->config, "certhup-test/0", &s->client, &e) < 0 ||
	    events_new(s->loop, s->client, "node-1", &s->events, &e) < 0)
		fail_msg("%s", e.message);
}

static void scene_close(struct scene *s)
{
	events_free(s->events);
	k8s_client_free(s->client);
	k8s_config_free(s->config);
	loop_timer_free(s->tick);
	loop_free(s->loop);
	standin_stop(&s->standin);
}

static void run_until(struct scene *s, bool (*is)(const struct scene *s), double wanted)
{
	struct err e;

	s->is = is;
	s->wanted = wanted;
	s->until_ms = clock_mono_ms(clock_system()) + PATIENCE_MS;
	loop_timer_set(s->tick, 0);
	assert_int_equal(loop_run(s->loop, &e), 0);
	assert_true(is(s));
}

static bool sent_enough(const struct scene *s)
{
	return counted("sent") >= s->wanted;
}

static bool failed_enough(const struct scene *s)
{
	return counted("failed") >= s->wanted;
}

/* The Events that the server holds, as JSON lines. */
static size_t list(struct scene *s, struct json *ret[], size_t max)
{
	_cleanup_free_ char *text =
	    standin_do(&s->standin, "{\"do\":\"list\",\"resource\":\"events\"}");
	char *rest = text;
	size_t count = 0;
	char *line;
	struct err e;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		assert_true(count < max);
		assert_int_equal(json_parse(line, strlen(line), &ret[count++], &e), 0);
	}
	return count;
}

static void assert_member(const struct json *event, const char *key, const char *value)
{
	const char *is = json_text(event, key, NULL);

	assert_non_null(is);
	assert_string_equal(is, value);
}

static void an_event_has_all_that_the_api_wants(void **state _unused_)
{
	struct json *found[2] = {NULL};
	const struct json *about;
	struct scene s;

	scene_open(&s);
	events_post(s.events, &web, EVENT_REJECTED, "Secret web-tls was not published: expired.");
	run_until(&s, sent_enough, 1);
	assert_int_equal(list(&s, found, 2), 1);
	assert_member(found[0], "type", "Warning");
	assert_member(found[0], "reason", "CertificateRejected");
	assert_member(found[0], "action", "Keep");
	assert_member(found[0], "message", "Secret web-tls was not published: expired.");
	assert_member(found[0], "reportingComponent", "certhup.io/agent");
	assert_member(found[0], "reportingInstance", "node-1");
	assert_member(found[0], "eventTime", "2026-01-02T03:04:05.678000Z");
	about = json_at(found[0], "involvedObject", NULL);
	assert_member(about, "apiVersion", "v1");
	assert_member(about, "kind", "Pod");
	assert_member(about, "namespace", "default");
	assert_member(about, "name", "web-0");
	assert_member(about, "uid", web.uid);
	assert_null(json_at(found[0], "series", NULL));
	json_free(found[0]);
	scene_close(&s);
}

static void each_reason_is_taken_by_the_server(void **state _unused_)
{
	struct scene s;

	scene_open(&s);
	for (unsigned r = 0; r < EVENT_REASONS_COUNT; r++)
		events_post(s.events, &web, (enum event_reason)r, "x");
	run_until(&s, sent_enough, EVENT_REASONS_COUNT);
	assert_true(counted("failed") == 0);
	assert_int_equal(standin_count(&s.standin, "POST", EVENTS), EVENT_REASONS_COUNT);
	scene_close(&s);
}

static void a_repeat_counts_up_the_same_event(void **state _unused_)
{
	struct json *found[2] = {NULL};
	struct scene s;

	scene_open(&s);
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 1);
	clock_fake_turn(&s.clock, 5000);
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 2);
	clock_fake_turn(&s.clock, 2000);
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 3);
	assert_int_equal(list(&s, found, 2), 1);
	assert_int_equal(json_int(json_at(found[0], "series", "count", NULL), 0), 3);
	assert_string_equal(json_text(found[0], "series", "lastObservedTime", NULL),
			    "2026-01-02T03:04:12.678000Z");
	assert_member(found[0], "eventTime", "2026-01-02T03:04:05.678000Z");
	json_free(found[0]);
	scene_close(&s);
}

/* What comes while a request is under way is told by the next, as one. */
static void a_burst_is_told_by_two_requests(void **state _unused_)
{
	struct json *found[2] = {NULL};
	struct scene s;

	scene_open(&s);
	for (int i = 0; i < 10; i++)
		events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 2);
	assert_int_equal(standin_count(&s.standin, NULL, EVENTS), 2);
	assert_int_equal(list(&s, found, 2), 1);
	assert_int_equal(json_int(json_at(found[0], "series", "count", NULL), 0), 10);
	json_free(found[0]);
	scene_close(&s);
}

static void beyond_its_tokens_an_object_is_only_counted_until_the_end(void **state _unused_)
{
	struct json *found[2] = {NULL};
	struct scene s;

	scene_open(&s);
	for (int i = 0; i < LIMIT_EVENT_BURST; i++) {
		assert_true(events_post(s.events, &web, EVENT_STALE, "not served"));
		run_until(&s, sent_enough, i + 1);
	}
	for (int i = 0; i < 15; i++)
		assert_false(events_post(s.events, &web, EVENT_STALE, "not served"));
	assert_true(counted("dropped") == 15);
	assert_int_equal(standin_count(&s.standin, NULL, EVENTS), LIMIT_EVENT_BURST);
	/* After its end, the whole count; and then it is another Event. */
	clock_fake_turn(&s.clock, LIMIT_EVENT_SILENCE_MS);
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, LIMIT_EVENT_BURST + 2);
	assert_int_equal(list(&s, found, 2), 2);
	assert_int_equal(json_int(json_at(found[0], "series", "count", NULL), 0) +
			     json_int(json_at(found[1], "series", "count", NULL), 0),
			 LIMIT_EVENT_BURST + 15);
	json_free(found[0]);
	json_free(found[1]);
	scene_close(&s);
}

static void an_event_that_the_server_forgot_is_made_again(void **state _unused_)
{
	struct json *found[2] = {NULL};
	struct scene s;

	scene_open(&s);
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 1);
	assert_int_equal(list(&s, found, 2), 1);
	standin_delete(&s.standin, "events", "default",
		       json_text(found[0], "metadata", "name", NULL));
	json_free(found[0]);
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 2);
	assert_int_equal(list(&s, found, 2), 1);
	assert_int_equal(json_int(json_at(found[0], "series", "count", NULL), 0), 2);
	json_free(found[0]);
	assert_true(counted("failed") == 0);
	scene_close(&s);
}

static void a_refusal_is_counted_and_not_repeated(void **state _unused_)
{
	struct scene s;

	scene_open(&s);
	standin_tell(&s.standin,
		     "{\"do\":\"fault\",\"verb\":\"create\",\"status\":403,\"times\":1}");
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, failed_enough, 1);
	assert_int_equal(standin_count(&s.standin, NULL, EVENTS), 1);
	/* The next one is tried as new. */
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 1);
	assert_int_equal(standin_count(&s.standin, "POST", EVENTS), 2);
	scene_close(&s);
}

static void an_answer_that_was_lost_makes_no_second_event(void **state _unused_)
{
	struct json *found[2] = {NULL};
	struct scene s;

	scene_open(&s);
	events_post(s.events, &web, EVENT_STALE, "not served");
	run_until(&s, sent_enough, 1);
	/* 409: it is there already, by our own name for it. */
	standin_tell(&s.standin,
		     "{\"do\":\"fault\",\"verb\":\"create\",\"status\":409,\"times\":1}");
	events_post(s.events, &web, EVENT_BROKEN, "broken");
	run_until(&s, sent_enough, 2);
	assert_true(counted("failed") == 0);
	assert_int_equal(list(&s, found, 2), 1);
	json_free(found[0]);
	scene_close(&s);
}

static bool asked_once(const struct scene *s)
{
	struct standin same = s->standin;

	return standin_count(&same, "POST", EVENTS) > 0;
}

/* A server that does not answer: posting costs nothing, and what waits is bounded. */
static void posting_never_waits_and_what_waits_is_bounded(void **state _unused_)
{
	int64_t start;
	struct scene s;

	scene_open(&s);
	standin_tell(&s.standin,
		     "{\"do\":\"fault\",\"verb\":\"create\",\"black_hole\":true,\"times\":1000}");
	start = clock_mono_ms(clock_system());
	for (int i = 0; i < 3 * LIMIT_EVENT_QUEUE; i++) {
		char name[32];
		const struct event_object about = {"default", name, web.uid};

		snprintf(name, sizeof(name), "pod-%d", i);
		events_post(s.events, &about, EVENT_STALE, "not served");
	}
	assert_true(clock_mono_ms(clock_system()) - start < 5 * SECOND_MS);
	assert_true(counted("dropped") == 2 * LIMIT_EVENT_QUEUE - LIMIT_EVENT_REQUESTS);
	run_until(&s, asked_once, 1);
	assert_in_range(standin_count(&s.standin, "POST", EVENTS), 1, LIMIT_EVENT_REQUESTS);
	scene_close(&s); /* with all of that under way */
}

/* Longer than the client tries by itself. */
static void an_event_outlives_an_outage(void **state _unused_)
{
	struct json *found[2] = {NULL};
	int64_t until;
	struct scene s;

	if (!getenv("CERTHUP_SOAK")) {
		fprintf(stderr, "SKIP: takes a minute; CERTHUP_SOAK=1 runs it\n");
		skip();
	}
	scene_open(&s);
	events_post(s.events, &web, EVENT_STALE, "first");
	run_until(&s, sent_enough, 1);
	standin_kill(&s.standin, SIGKILL);
	events_post(s.events, &web, EVENT_BROKEN, "second");
	until = clock_mono_ms(clock_system()) + LIMIT_REQUEST_MS + 5 * SECOND_MS;
	while (clock_mono_ms(clock_system()) < until)
		run_until(&s, sent_enough, 1);
	assert_true(counted("failed") == 0);
	standin_again(&s.standin);
	run_until(&s, sent_enough, 2);
	assert_int_equal(list(&s, found, 2), 1);
	json_free(found[0]);
	scene_close(&s);
}

static void hostile_names_and_notes_reach_the_server_as_text(void **state _unused_)
{
	struct json *found[2] = {NULL};
	struct scene s;
	char note[2 * LIMIT_EVENT_NOTE + 1];

	memset(note, 'n', sizeof(note) - 1);
	note[sizeof(note) - 1] = '\0';
	memcpy(note, "\"},\"x\":\"\n\x1b[2J\xff", 13);
	scene_open(&s);
	events_post(s.events, &web, EVENT_REJECTED, note);
	run_until(&s, sent_enough, 1);
	assert_int_equal(list(&s, found, 2), 1);
	assert_int_equal(json_string_length(json_at(found[0], "message", NULL)), LIMIT_EVENT_NOTE);
	assert_null(json_at(found[0], "x", NULL));
	json_free(found[0]);
	/* What can be no path sends nothing. */
	events_post(s.events, &(struct event_object){"..", "web-0", "u"}, EVENT_REJECTED, "x");
	events_post(s.events, &(struct event_object){"", "web-0", "u"}, EVENT_REJECTED, "x");
	run_until(&s, failed_enough, 2);
	assert_int_equal(standin_count(&s.standin, "POST", NULL), 1);
	scene_close(&s);
}

static void reasons_have_names(void **state _unused_)
{
	assert_string_equal(event_reason_text(EVENT_ROTATED), "CertificateRotated");
	assert_string_equal(event_reason_text(EVENT_ROLLED_BACK), "CertificateRolledBack");
	assert_string_equal(event_reason_text(EVENT_REASONS_COUNT), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_event_has_all_that_the_api_wants),
	    cmocka_unit_test(each_reason_is_taken_by_the_server),
	    cmocka_unit_test(a_repeat_counts_up_the_same_event),
	    cmocka_unit_test(a_burst_is_told_by_two_requests),
	    cmocka_unit_test(beyond_its_tokens_an_object_is_only_counted_until_the_end),
	    cmocka_unit_test(an_event_that_the_server_forgot_is_made_again),
	    cmocka_unit_test(a_refusal_is_counted_and_not_repeated),
	    cmocka_unit_test(an_answer_that_was_lost_makes_no_second_event),
	    cmocka_unit_test(posting_never_waits_and_what_waits_is_bounded),
	    cmocka_unit_test(an_event_outlives_an_outage),
	    cmocka_unit_test(hostile_names_and_notes_reach_the_server_as_text),
	    cmocka_unit_test(reasons_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
