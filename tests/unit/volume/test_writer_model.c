/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Sequences of everything that can happen to a volume, compared after each step with a model of
 * what should be there: all short sequences, and long random ones.
 */
#include "tests/lib/pods.h"
#include "tests/lib/trace.h"
#include "volume/fingerprint.h"
#include "volume/read.h"
#include "volume/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum step {
	UPDATE,    /* the next pair, same files */
	SAME,      /* the same pair again */
	SHRINK,    /* the next pair, with or without the third file */
	RENAME,    /* the next pair, the third file with another name */
	ROLL_BACK, /* to the previous one, where there is one */
	RETIRE,    /* the previous one is given up */
	CRASH,     /* killed somewhere in an update, then looked at again */
	DAMAGE,    /* the pod removes and rewrites things, then it is looked at again */
	STEPS
};

static const char *const step_names[STEPS] = {"update",    "same",   "shrink", "rename",
					      "roll back", "retire", "crash",  "damage"};

/* What one generation holds. */
struct holds {
	int pair;          /* 0: none */
	const char *third; /* name of the third file; NULL: none */
};

struct model {
	struct holds now, before;
	int last; /* highest number that was used */
};

static struct subject s;
static struct model m;
static uint64_t seed;
static char history[1024];

static uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static void content_of(const struct holds *h, struct content *ret)
{
	pair_content(h->pair, ret);
	content_sort(ret);
	assert_string_equal(ret->files[0].name, "bundle");
	if (h->third) {
		snprintf(ret->files[0].name, sizeof(ret->files[0].name), "%s", h->third);
		return;
	}
	secret_done(&ret->files[0].bytes);
	memmove(&ret->files[0], &ret->files[1], 2 * sizeof(ret->files[0]));
	ret->count = 2;
}

static void fingerprint_of(const struct holds *h, struct fingerprint *ret)
{
	_cleanup_content_ struct content c;

	content_of(h, &c);
	volume_fingerprint(&c, ret);
}

static void must(int r)
{
	if (r < 0)
		fail_msg("after%s: %s", history, s.err.message);
}

static void publish(const struct holds *h)
{
	_cleanup_content_ struct content c;
	bool same = m.now.pair == h->pair && m.now.third == h->third;

	content_of(h, &c);
	must(subject_publish_content(&s, &c));
	assert_int_equal(s.written.changed, !same);
	if (same)
		return;
	m.before = m.now;
	m.now = *h;
}

static struct volume_plan plan_of(const char *generation, const char *keep)
{
	return (struct volume_plan){
	    .owner = s.owner, .generation = generation, .keep = keep, .previous = ""};
}

static void roll_back(void)
{
	struct volume_plan plan = plan_of(s.previous, "");
	struct fingerprint f;

	if (!m.before.pair)
		return;
	fingerprint_of(&m.before, &f);
	must(writer_roll_back(&s.v, &plan, &f, &s.written, &s.err));
	memcpy(s.generation, s.previous, GENERATION_NAME);
	s.previous[0] = '\0';
	m.now = m.before;
	m.before = (struct holds){0};
}

static void retire(void)
{
	if (!m.before.pair)
		return;
	must(writer_retire(&s.v, s.previous, &s.err));
	s.previous[0] = '\0';
	m.before = (struct holds){0};
}

static bool look(void)
{
	struct volume_plan plan = plan_of(s.generation, s.previous);
	struct fingerprint f;
	bool intact;

	fingerprint_of(&m.now, &f);
	must(writer_verify(&s.v, &plan, &f, &intact, &s.written, &s.err));
	return intact;
}

struct killed {
	struct holds next;
	char generation[GENERATION_NAME];
};

static int publish_killed(void *arg)
{
	const struct killed *k = arg;
	_cleanup_content_ struct content c;
	struct volume_plan plan = {.owner = s.owner,
				   .generation = k->generation,
				   .keep = s.generation,
				   .previous = s.previous};

	content_of(&k->next, &c);
	return writer_publish(&s.v, &c, &plan, &s.written, &s.err) < 0 ? 1 : 0;
}

/* The record names the new generation before it is there, as the hand's does. */
static void crash(void)
{
	struct trace t = {.act = TRACE_KILL, .at = random_below(150)};
	struct holds third = {.pair = ++m.last, .third = m.now.third};
	struct killed k = {.next = third};
	struct subject before = s;
	struct model was = m;
	struct trace_result r;

	new_generation(k.generation);
	trace_run(publish_killed, &k, &t, &r);
	memcpy(s.previous, s.generation, GENERATION_NAME);
	memcpy(s.generation, k.generation, GENERATION_NAME);
	m.before = m.now;
	m.now = third;
	if (look())
		return;
	/* It never was: the record goes back, and what was kept may be gone or not. */
	s = before;
	m = was;
	m.last = third.pair;
	if (m.now.pair)
		assert_true(look());
	s.previous[0] = '\0';
	m.before = (struct holds){0};
	if (m.now.pair)
		assert_true(look());
}

static void damage(void)
{
	if (!m.now.pair)
		return;
	switch (random_below(4)) {
	case 0:
		assert_int_equal(unlink(subject_at(&s, "..data")), 0);
		break;
	case 1:
		assert_int_equal(unlink(subject_at(&s, "tls.key")), 0);
		subject_put(&s, "tls.key", "the pod's own");
		break;
	case 2:
		assert_int_equal(mkdir(subject_at(&s, "..data_tmp"), 0), 0);
		break;
	default:
		subject_put(&s, "tls.crt", "rewritten in place");
		assert_false(look());
		empty_directory(subject_at(&s, "..data/"));
		break;
	}
	if (look())
		return;
	/* The head reads it again and publishes it. */
	struct holds again = m.now;

	m.now = (struct holds){0};
	publish(&again);
	m.before = (struct holds){0};
	retire();
	must(writer_retire(&s.v, s.previous, &s.err));
	s.previous[0] = '\0';
}

static void do_step(enum step step)
{
	struct holds next = {.pair = m.last + 1, .third = m.now.third};

	switch (step) {
	case SAME:
		if (m.now.pair)
			publish(&m.now);
		return;
	case ROLL_BACK:
		roll_back();
		return;
	case RETIRE:
		retire();
		return;
	case CRASH:
		crash();
		return;
	case DAMAGE:
		damage();
		return;
	case SHRINK:
		next.third = m.now.third ? NULL : "bundle";
		break;
	case RENAME:
		next.third =
		    m.now.third && strcmp(m.now.third, "bundle") == 0 ? "all.pem" : "bundle";
		break;
	case UPDATE:
	case STEPS:
	default:
		break;
	}
	m.last++;
	publish(&next);
}

static void compare(void)
{
	char want[256];
	unsigned generations = (m.now.pair ? 1U : 0U) + (m.before.pair ? 1U : 0U);
	_cleanup_free_ char *text = directory_text(s.path);
	_cleanup_content_ struct content have = {0};
	struct fingerprint f, g;
	unsigned lines = 0;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	if (pair_seen(s.path) != m.now.pair || count_generations(s.path) != generations ||
	    lines != (m.now.pair ? generations + 1 + (m.now.third ? 3 : 2) : 0))
		fail_msg("after%s: pair %d and %u generations expected, in\n%s", history,
			 m.now.pair, generations, text);
	if (!m.now.pair)
		return;
	assert_int_equal(pair_seen_by_links(s.path), m.now.pair);
	snprintf(want, sizeof(want), "-> ..data/%s\n", m.now.third ? m.now.third : "tls.key");
	assert_non_null(strstr(text, want));
	fingerprint_of(&m.now, &f);
	must(volume_read(&s.v, NULL, &have, NULL, &s.err));
	volume_fingerprint(&have, &g);
	assert_true(fingerprint_equal(&f, &g));
}

static void begin(void)
{
	empty_directory(s.path);
	s.generation[0] = s.previous[0] = '\0';
	m = (struct model){0};
	history[0] = '\0';
}

static void step_and_compare(enum step step)
{
	size_t used = strlen(history);

	snprintf(history + used, sizeof(history) - used, " %s,", step_names[step]);
	do_step(step);
	compare();
}

static int set_up(void **state)
{
	(void)state;
	if (!trace_possible()) {
		print_error("SKIP: system calls are interfered with on x86-64 only\n");
		skip();
	}
	subject_make(&s, "size=4m,mode=0777");
	seed = 0x9e3779b97f4a7c15;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	subject_remove(&s);
	return 0;
}

static void every_short_sequence_agrees_with_the_model(void **state)
{
	int length = getenv("CERTHUP_SOAK") ? 4 : 2;
	int sequences = 1;

	(void)state;
	for (int i = 0; i < length; i++)
		sequences *= STEPS;
	for (int sequence = 0; sequence < sequences; sequence++) {
		int rest = sequence;

		begin();
		step_and_compare(UPDATE);
		step_and_compare(SHRINK);
		for (int i = 0; i < length; i++, rest /= STEPS)
			step_and_compare((enum step)(rest % STEPS));
	}
}

static void random_sequences_agree_with_the_model(void **state)
{
	int sequences = getenv("CERTHUP_SOAK") ? 2000 : 60;

	(void)state;
	for (int sequence = 0; sequence < sequences; sequence++) {
		begin();
		for (int i = 0; i < 25; i++)
			step_and_compare((enum step)random_below(STEPS));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_short_sequence_agrees_with_the_model, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(random_sequences_agree_with_the_model, set_up,
					    tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
