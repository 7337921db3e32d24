/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/bench.h"

#include "event/internal.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#define TIMERS 256

static int64_t mono_ms(void *arg)
{
	return clock_mono_ms(clock_system()) + ((const struct bench *)arg)->ahead_ms;
}

static int64_t wall_ms(void *arg)
{
	return clock_wall_ms(clock_system()) + ((const struct bench *)arg)->ahead_ms;
}

static void look(void *arg)
{
	struct bench *b = arg;

	if (b->is(b->arg) || loop_now(b->loop) >= b->until_ms)
		loop_stop(b->loop);
	else
		loop_timer_set(b->tick, 2);
}

void bench_start(struct bench *b, const char *kubeconfig, const char *context)
{
	const struct k8s_config_options options = {.kubeconfig = kubeconfig, .context = context};
	struct err e;

	memset(b, 0, sizeof(*b));
	b->clock = (struct clock){.mono_ms = mono_ms, .wall_ms = wall_ms, .arg = b};
	if (loop_new(&b->clock, &b->loop, &e) < 0 ||
	    loop_timer_new(b->loop, look, b, &b->tick, &e) < 0 ||
	    k8s_config_load(&options, &b->config, &e) < 0 ||
	    k8s_client_new(b->loop, b->config, "certhup-test/0", &b->client, &e) < 0)
		fail_msg("%s", e.message);
	b->client->times.backoff_ms = 1;
	b->client->times.backoff_max_ms = 200;
}

void bench_stop(struct bench *b)
{
	k8s_client_free(b->client);
	k8s_config_free(b->config);
	loop_timer_free(b->tick);
	loop_free(b->loop);
}

bool bench_wait(struct bench *b, bool (*is)(const void *arg), const void *arg, int timeout_ms)
{
	struct err e;

	b->is = is;
	b->arg = arg;
	b->until_ms = loop_now(b->loop) + timeout_ms;
	loop_timer_set(b->tick, 0);
	if (loop_run(b->loop, &e) < 0)
		fail_msg("%s", e.message);
	loop_timer_stop(b->tick);
	return is(arg);
}

static bool never(const void *arg _unused_)
{
	return false;
}

void bench_pass(struct bench *b, int ms)
{
	(void)bench_wait(b, never, NULL, ms);
}

/* The timers that are set, and how long each still has. */
struct timers {
	struct event *event[TIMERS];
	int64_t left_us[TIMERS];
	size_t count;
};

static int note_timer(const struct event_base *base _unused_, const struct event *event, void *arg)
{
	struct timers *t = arg;
	struct timeval now;
	struct timeval due;

	if (!event_pending(event, EV_TIMEOUT, &due))
		return 0;
	assert_true(t->count < TIMERS);
	gettimeofday(&now, NULL);
	t->event[t->count] = (struct event *)(uintptr_t)event;
	t->left_us[t->count] =
	    (int64_t)(due.tv_sec - now.tv_sec) * 1000000 + (due.tv_usec - now.tv_usec);
	t->count++;
	return 0;
}

/* All of them together, so that their order stays. Returns how far that was. */
static int64_t shorten_timers(struct bench *b, int64_t most_ms)
{
	int64_t step_us = most_ms * 1000;
	struct timers t = {0};

	event_base_foreach_event(loop_base(b->loop), note_timer, &t);
	for (size_t i = 0; i < t.count; i++)
		if (t.left_us[i] < step_us)
			step_us = t.left_us[i] < 1000 ? 1000 : t.left_us[i] / 1000 * 1000;
	for (size_t i = 0; i < t.count; i++) {
		int64_t left_us = t.left_us[i] > step_us ? t.left_us[i] - step_us : 0;
		const struct timeval left = {left_us / 1000000, left_us % 1000000};

		event_add(t.event[i], &left);
	}
	return step_us / 1000;
}

void bench_turn(struct bench *b, int64_t ms)
{
	while (ms > 0) {
		int64_t step_ms = shorten_timers(b, ms);

		b->ahead_ms += step_ms;
		ms -= step_ms;
		bench_pass(b, 1);
	}
}

struct pending {
	struct bench_answer *answer;
	bool done;
};

static void on_done(void *arg, const struct k8s_answer *answer, const struct err *e)
{
	struct pending *p = arg;
	_cleanup_buf_ struct buf b = {.max = LIMIT_BODY};
	struct err ignored;

	struct bench_answer *a = p->answer;

	*a = (struct bench_answer){.code = answer->code, .retry_after_ms = answer->retry_after_ms};
	if (e)
		a->e = *e;
	if (answer->object && json_write(answer->object, false, &b, &ignored) == 0)
		a->text = TAKE(b.data);
	p->done = true;
}

static bool is_done(const void *arg)
{
	return ((const struct pending *)arg)->done;
}

void bench_call(struct bench *b, const struct k8s_call *call, struct bench_answer *ret)
{
	struct pending p = {.answer = ret};
	struct k8s_request *r = NULL;
	struct err e;

	if (k8s_request_start(b->client, call, on_done, &p, &r, &e) < 0)
		fail_msg("%s", e.message);
	if (!bench_wait(b, is_done, &p, 60000))
		fail_msg("%s %s had no answer", call->verb, call->path);
	k8s_request_free(r);
}

void bench_answer_done(struct bench_answer *a)
{
	free(a->text);
	a->text = NULL;
}

void diary_init(struct diary *d)
{
	*d = (struct diary){0};
	buf_init(&d->text, MIB);
}

void diary_done(struct diary *d)
{
	d->watch = k8s_watch_free(d->watch);
	buf_done(&d->text);
}

static void diary_write(struct diary *d, const char *fmt, ...) _printf_(2, 3);

static void diary_write(struct diary *d, const char *fmt, ...)
{
	char line[512];
	struct err e;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (buf_printf(&d->text, &e, "%s\n", line) < 0)
		fail_msg("%s", e.message);
	d->lines++;
	if (d->free_at && strcmp(line, d->free_at) == 0) {
		d->free_at = NULL;
		*d->free_on = k8s_watch_free(*d->free_on);
	}
}

static void on_object(void *arg, const struct json *object, int64_t at_ms)
{
	struct diary *d = arg;
	const char *name = json_text(object, "metadata", "name", NULL);
	const char *note = json_text(object, "metadata", "annotations", "k", NULL);
	const char *uid = json_text(object, "metadata", "uid", NULL);
	const char *rv = json_text(object, "metadata", "resourceVersion", NULL);
	_cleanup_secret_ struct secret data = {0};
	struct err e;

	assert_true(at_ms > 0);
	snprintf(d->uid, sizeof(d->uid), "%s", uid ? uid : "");
	snprintf(d->rv, sizeof(d->rv), "%s", rv ? rv : "");
	if (json_base64(json_at(object, "data", "k", NULL), LIMIT_CONTENT, &data, &e) == 0)
		diary_write(d, "object %s=%.*s", name ? name : "-", (int)data.len,
			    (const char *)data.data);
	else
		diary_write(d, "object %s=%s", name ? name : "-", note ? note : "");
}

static void on_gone(void *arg, const struct json *object)
{
	const char *name = json_text(object, "metadata", "name", NULL);

	diary_write(arg, "gone %s", name ? name : "-");
}

static void on_synced(void *arg)
{
	diary_write(arg, "synced");
}

static void on_bad_object(void *arg, const struct err *e)
{
	diary_write(arg, "bad %s", err_meaning(e->kind)->label);
}

static void on_state(void *arg, const struct k8s_watch_state *state)
{
	assert_true(state->up == !state->e);
	if (!state->e)
		diary_write(arg, "up");
	else
		diary_write(arg, "down %s",
			    state->denied ? "denied" : err_meaning(state->e->kind)->label);
}

const struct k8s_watch_callbacks diary_callbacks = {.on_object = on_object,
						    .on_gone = on_gone,
						    .on_synced = on_synced,
						    .on_bad_object = on_bad_object,
						    .on_state = on_state};

size_t diary_count(const struct diary *d, const char *line)
{
	const char *text = buf_str(&d->text);
	size_t len = strlen(line);
	size_t n = 0;

	for (; *text; text += strcspn(text, "\n") + 1)
		n += strncmp(text, line, len) == 0 && text[len] == '\n';
	return n;
}

struct expected {
	const struct diary *diary;
	const char *line;
	size_t n;
};

static bool is_written(const void *arg)
{
	const struct expected *x = arg;

	return diary_count(x->diary, x->line) >= x->n;
}

void diary_expect(struct diary *d, struct bench *b, const char *line, size_t n)
{
	const struct expected x = {d, line, n};

	if (!bench_wait(b, is_written, &x, 20000))
		fail_msg("'%s' was not said %zu times, but:\n%s", line, n, buf_str(&d->text));
}

static bool is_freed(const void *arg)
{
	return !((const struct diary *)arg)->watch;
}

void diary_expect_freed(struct diary *d, struct bench *b)
{
	if (!bench_wait(b, is_freed, d, 20000))
		fail_msg("the watch was not freed:\n%s", buf_str(&d->text));
}

static bool is_written_or_freed(const void *arg)
{
	return is_freed(((const struct expected *)arg)->diary) || is_written(arg);
}

void diary_expect_or_freed(struct diary *d, struct bench *b, const char *line)
{
	const struct expected x = {d, line, 1};

	if (!bench_wait(b, is_written_or_freed, &x, 20000))
		fail_msg("'%s' was not said, but:\n%s", line, buf_str(&d->text));
}
