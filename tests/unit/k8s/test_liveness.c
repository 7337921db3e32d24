/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/liveness.h"

#include "k8s/metrics.h"
#include "tests/lib/bench.h"
#include "tests/lib/talker.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SAID "up\nobject a=first\n"

/* A server that goes quiet after a first event, and a watch of Secret a. The times are the real ones. */
struct world {
	struct talker t;
	struct bench b;
	struct diary d;
};

static bool quiet(struct talk *t, const void *arg _unused_)
{
	static const char first[] =
	    "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\","
	    "\"uid\":\"u\",\"resourceVersion\":\"1\",\"annotations\":{\"k\":\"first\"}}}}\n";

	if (talk_is(t, "/slow"))
		talk_sleep(60000);
	/* Any status is an answer. */
	if (!talk_is(t, "watch=true"))
		return talk_answer(t, 403, "", "{}");
	talk_stream(t);
	talk_chunk(t, first, strlen(first));
	talk_sleep(60000);
	return false;
}

static int set_up(void **state)
{
	static struct world w;
	struct err e;

	metrics_reset();
	talker_start(&w.t, quiet, NULL);
	bench_start(&w.b, w.t.kubeconfig, NULL);
	diary_init(&w.d);
	if (k8s_watch_object(w.b.client, "/api/v1/namespaces/ns/secrets", "a", &diary_callbacks,
			     &w.d, &w.d.watch, &e) < 0)
		fail_msg("%s", e.message);
	diary_expect(&w.d, &w.b, "object a=first", 1);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	diary_done(&w->d);
	bench_stop(&w->b);
	talker_stop(&w->t);
	return 0;
}

static bool get_is_over(const void *arg)
{
	return !((const struct bench *)arg)->client->liveness_request;
}

static void a_silent_server_is_given_up_30_and_15_seconds_after_its_last_byte(void **state)
{
	struct world *w = *state;

	talker_freeze(&w->t, true);
	bench_turn(&w->b, 28000);
	assert_true(get_is_over(&w->b));
	bench_turn(&w->b, 3000);
	assert_false(get_is_over(&w->b));
	bench_turn(&w->b, 12000);
	assert_string_equal(buf_str(&w->d.text), SAID);
	bench_turn(&w->b, 3000);
	assert_int_equal(diary_count(&w->d, "down timeout"), 1);
	talker_freeze(&w->t, false);
	diary_expect(&w->d, &w->b, "up", 2);
	assert_int_equal(diary_count(&w->d, "object a=first"), 1);
	assert_int_equal((int)metric_value(&metric_restarts, M_LABELS("silent")), 1);
}

/* Sends the GET, and waits for its answer. */
static void pass_a_silence(struct world *w)
{
	bench_turn(&w->b, 28000);
	assert_true(get_is_over(&w->b));
	bench_turn(&w->b, 2100);
	assert_true(bench_wait(&w->b, get_is_over, &w->b, 10000));
}

static void a_quiet_watch_is_kept_while_a_get_is_answered(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 10; i++)
		pass_a_silence(w);
	assert_string_equal(buf_str(&w->d.text), SAID);
	assert_int_equal(atomic_load(&w->t.log->requests), 11);
	/* One connection for the watch, one for the GETs. */
	assert_int_equal(atomic_load(&w->t.log->connections), 2);
	assert_string_equal(w->t.log->request[1].line, "GET /version HTTP/1.1");
}

static void not_wanted(void *arg _unused_, const struct k8s_answer *answer _unused_,
		       const struct err *e _unused_)
{
	fail();
}

static bool two_are_slow(const void *arg)
{
	return atomic_load(&((const struct world *)arg)->t.log->requests) == 3;
}

static void the_get_waits_behind_no_other_request(void **state)
{
	const struct k8s_call slow = {.path = "/slow", .deadline_ms = 10 * MINUTE_MS};
	struct k8s_request *requests[LIMIT_REQUESTS + 1];
	struct world *w = *state;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		assert_int_equal(
		    k8s_request_start(w->b.client, &slow, not_wanted, NULL, &requests[i], &e), 0);
	assert_true(bench_wait(&w->b, two_are_slow, w, 20000));
	pass_a_silence(w);
	pass_a_silence(w);
	assert_string_equal(buf_str(&w->d.text), SAID);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		k8s_request_free(requests[i]);
}

/* The socket's own word, for each connection that we have to this port. Returns how many. */
static int expect_keepalive(uint16_t port)
{
	static const struct {
		int level, option, value;
	} wanted[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
		      {IPPROTO_TCP, TCP_KEEPIDLE, 30},
		      {IPPROTO_TCP, TCP_KEEPINTVL, 5},
		      {IPPROTO_TCP, TCP_KEEPCNT, 3},
		      {IPPROTO_TCP, TCP_USER_TIMEOUT, 45000}};
	int found = 0;

	for (int fd = 0; fd < 256; fd++) {
		struct sockaddr_in peer = {0};
		socklen_t len = sizeof(peer);

		if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
		    peer.sin_family != AF_INET || ntohs(peer.sin_port) != port)
			continue;
		found++;
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
			int value = -1;

			len = sizeof(value);
			assert_int_equal(
			    getsockopt(fd, wanted[i].level, wanted[i].option, &value, &len), 0);
			assert_int_equal(value, wanted[i].value);
		}
	}
	return found;
}

static void the_kernel_too_looks_after_each_connection(void **state)
{
	const struct k8s_call call = {.path = "/api"};
	struct world *w = *state;
	struct bench_answer a;

	bench_call(&w->b, &call, &a);
	bench_answer_done(&a);
	pass_a_silence(w);
	/* Of the watch, of the requests, and of the liveness GET. */
	assert_int_equal(expect_keepalive(w->t.port), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_silent_server_is_given_up_30_and_15_seconds_after_its_last_byte, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(a_quiet_watch_is_kept_while_a_get_is_answered, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_get_waits_behind_no_other_request, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_kernel_too_looks_after_each_connection, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
