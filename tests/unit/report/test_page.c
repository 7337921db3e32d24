/* SPDX-License-Identifier: Apache-2.0 */
#include "report/page.h"

#include "report/counts.h"
#include "tests/lib/ask.h"
#include "tests/lib/turner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/wait.h>

struct scene {
	struct turner turner;
	struct loop *loop;
	struct page *page;
	uint16_t port;
	atomic_bool ready;
	atomic_bool started;
	atomic_int written;
};

static bool is_ready(void *arg, char why[static PAGE_WHY_SIZE])
{
	struct scene *s = arg;

	snprintf(why, PAGE_WHY_SIZE, "the hand is away");
	return s->ready;
}

static bool is_started(void *arg)
{
	return ((struct scene *)arg)->started;
}

static void before_metrics(void *arg)
{
	struct scene *s = arg;

	s->written++;
	metric_set(&count_watch_up, 0.5, M_LABELS("secrets"));
}

static void scene_open(struct scene *s, const struct page_callbacks *callbacks)
{
	struct err e = {0};

	memset(s, 0, sizeof(*s));
	metrics_reset();
	counts_init("1.2.3");
	assert_int_equal(loop_new(clock_system(), &s->loop, &e), 0);
	assert_int_equal(page_new(s->loop, "127.0.0.1:0", callbacks, s, &s->page, &e), 0);
	s->port = page_port(s->page);
	turner_start(&s->turner, s->loop);
}

static void scene_close(struct scene *s)
{
	turner_stop(&s->turner);
	page_free(s->page);
	loop_free(s->loop);
	metrics_reset();
}

static void assert_says(struct scene *s, const char *path, int status, const char *text)
{
	_cleanup_buf_ struct buf body;

	buf_init(&body, MIB);
	assert_int_equal(ask_get(s->port, path, &body), status);
	assert_string_equal(buf_str(&body), text);
}

static void health_is_well_as_long_as_the_loop_turns(void **state _unused_)
{
	const struct page_callbacks callbacks = {.is_ready = is_ready};
	struct scene s;

	scene_open(&s, &callbacks);
	assert_says(&s, "/healthz", 200, "ok\n"); /* whatever readiness says */
	scene_close(&s);
}

static void readiness_says_why_not(void **state _unused_)
{
	const struct page_callbacks callbacks = {.is_ready = is_ready};
	struct scene s;

	scene_open(&s, &callbacks);
	assert_says(&s, "/readyz", 503, "the hand is away\n");
	s.ready = true;
	assert_says(&s, "/readyz", 200, "ok\n");
	s.ready = false;
	assert_says(&s, "/readyz", 503, "the hand is away\n");
	scene_close(&s);
}

static void start_up_is_a_page_only_where_it_is_known(void **state _unused_)
{
	const struct page_callbacks none = {0};
	const struct page_callbacks callbacks = {.is_started = is_started};
	struct scene s;

	scene_open(&s, &none);
	assert_says(&s, "/readyz", 200, "ok\n");
	assert_int_equal(ask_get(s.port, "/startupz", NULL), 404);
	scene_close(&s);
	scene_open(&s, &callbacks);
	assert_says(&s, "/startupz", 503, "nothing was delivered yet\n");
	s.started = true;
	assert_says(&s, "/startupz", 200, "ok\n");
	scene_close(&s);
}

static void other_paths_are_not_found_and_say_which_are_there(void **state _unused_)
{
	static const char *const paths[] = {"/", "/metrics/", "/metricsx", "/healthz/../metrics",
					    "//metrics"};
	const struct page_callbacks none = {0};
	struct scene s;

	scene_open(&s, &none);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_says(&s, paths[i], 404, "try /metrics, /healthz or /readyz\n");
	scene_close(&s);
}

static void metrics_can_be_switched_off(void **state _unused_)
{
	const struct page_callbacks callbacks = {.health_only = true};
	struct scene s;

	scene_open(&s, &callbacks);
	assert_says(&s, "/metrics", 404, "try /healthz or /readyz: /metrics is switched off\n");
	assert_says(&s, "/healthz", 200, "ok\n");
	scene_close(&s);
}

static void metrics_are_those_of_now(void **state _unused_)
{
	const struct page_callbacks callbacks = {.before_metrics = before_metrics};
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	_cleanup_buf_ struct buf a;
	struct scene s;

	buf_init(&a, MIB);
	scene_open(&s, &callbacks);
	assert_int_equal(ask_raw(s.port, request, strlen(request), &a), 200);
	assert_int_equal(s.written, 1);
	assert_non_null(strstr(buf_str(&a), "Content-Type: text/plain; version=0.0.4; "
					    "charset=utf-8\r\n"));
	assert_non_null(strstr(buf_str(&a), "\ncerthup_watch_up{resource=\"secrets\"} 0.5\n"));
	assert_non_null(strstr(buf_str(&a), "\nprocess_open_fds "));
	scene_close(&s);
}

/* Everything that is counted, with names that a tenant may choose to harm us. */
static void count_everything(void)
{
	static const char *const hostile[] = {
	    "a\"} 1\nevil 2", "\\", "\xff\xfe", "", "\n", "{}", "#"};

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		metric_set(&count_not_after, 1767323045, M_LABELS("shop", hostile[i], "file"));
		metric_set(&count_not_before, 1767323045, M_LABELS(hostile[i], "web-tls"));
		metric_set(&count_unadopted, 1, M_LABELS("shop", hostile[i], "tls", "stale"));
	}
	metric_observe(&count_rotation_latency, 0.0012, NULL);
	metric_observe(&count_adoption_latency, 2, NULL);
	metric_add(&count_rejected, 1, M_LABELS("key_mismatch"));
}

static bool is_installed(const char *program)
{
	char command[128];
	const char *path = getenv("PATH");
	_cleanup_free_ char *copy = strdup(path ? path : "");
	char *rest = copy;
	const char *dir;

	while ((dir = strsep(&rest, ":"))) {
		snprintf(command, sizeof(command), "%s/%s", dir, program);
		if (access(command, X_OK) == 0)
			return true;
	}
	return false;
}

static void promtool_has_nothing_to_say(void **state _unused_)
{
	const struct page_callbacks none = {0};
	_cleanup_buf_ struct buf body;
	int in[2];
	struct scene s;
	int status;
	pid_t pid;

	if (!is_installed("promtool")) {
		fprintf(stderr, "SKIP: promtool (Debian package prometheus) is not installed\n");
		skip();
	}
	buf_init(&body, MIB);
	scene_open(&s, &none);
	count_everything();
	assert_int_equal(ask_get(s.port, "/metrics", &body), 200);
	scene_close(&s);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_true(fcntl(in[1], F_SETPIPE_SZ, MIB) >= (int)body.len);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(2, 1);
		execlp("promtool", "promtool", "check", "metrics", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	assert_int_equal(write(in[1], body.data, body.len), body.len);
	close(in[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void G7_hostile_names_make_no_line_of_their_own(void **state _unused_)
{
	const struct page_callbacks none = {0};
	_cleanup_buf_ struct buf body;
	struct scene s;
	char *rest;
	char *line;

	buf_init(&body, MIB);
	scene_open(&s, &none);
	count_everything();
	assert_int_equal(ask_get(s.port, "/metrics", &body), 200);
	rest = body.data;
	while ((line = strsep(&rest, "\n")))
		assert_true(*line == '\0' || *line == '#' || strncmp(line, "certhup_", 8) == 0 ||
			    strncmp(line, "process_", 8) == 0);
	scene_close(&s);
}

static void an_address_that_cannot_be_is_said(void **state _unused_)
{
	const struct page_callbacks none = {0};
	struct page *page;
	struct loop *loop;
	struct err e = {0};

	assert_int_equal(loop_new(clock_system(), &loop, &e), 0);
	assert_int_equal(page_new(loop, "somewhere", &none, NULL, &page, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.message, "somewhere"));
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(health_is_well_as_long_as_the_loop_turns),
	    cmocka_unit_test(readiness_says_why_not),
	    cmocka_unit_test(start_up_is_a_page_only_where_it_is_known),
	    cmocka_unit_test(other_paths_are_not_found_and_say_which_are_there),
	    cmocka_unit_test(metrics_can_be_switched_off),
	    cmocka_unit_test(metrics_are_those_of_now),
	    cmocka_unit_test(promtool_has_nothing_to_say),
	    cmocka_unit_test(G7_hostile_names_make_no_line_of_their_own),
	    cmocka_unit_test(an_address_that_cannot_be_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
