/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/metrics.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#define FFFD "\xef\xbf\xbd"

static const double bounds[] = {0.001, 0.5, 10};

static const struct metric plain = {
    .name = "test_plain_total", .help = "Plain.", .type = METRIC_COUNTER, .max_series = 1};
static const struct metric labelled = {.name = "test_labelled",
				       .help = "Labelled.",
				       .type = METRIC_GAUGE,
				       .labels = {"namespace", "secret"},
				       .max_series = 3};
static const struct metric timed = {.name = "test_timed_seconds",
				    .help = "Timed.",
				    .type = METRIC_HISTOGRAM,
				    .labels = {"of"},
				    .buckets = bounds,
				    .bucket_count = ARRAY_LEN(bounds),
				    .max_series = 2};
static const struct metric large = {.name = "test_large",
				    .help = "Large.",
				    .type = METRIC_GAUGE,
				    .labels = {"namespace", "pod", "volume", "state"},
				    .max_series = 4 * LIMIT_SECRETS};

static int setup(void **state _unused_)
{
	metrics_reset();
	return 0;
}

static void assert_page(const char *expected)
{
	_cleanup_buf_ struct buf page;
	struct err e;

	buf_init(&page, MIB);
	assert_int_equal(metrics_write(&page, &e), 0);
	assert_string_equal(buf_str(&page), expected);
}

static void an_empty_registry_is_an_empty_page(void **state _unused_)
{
	assert_page("");
	assert_true(metric_value(&plain, NULL) == 0);
	metric_remove(&plain, NULL);
	assert_page("");
}

static void values_add_up_and_are_set(void **state _unused_)
{
	metric_add(&plain, 1, NULL);
	metric_add(&plain, 2.5, NULL);
	assert_true(metric_value(&plain, NULL) == 3.5);
	metric_set(&labelled, 7, M_LABELS("a", "b"));
	metric_set(&labelled, -3, M_LABELS("a", "b"));
	metric_add(&labelled, 1, M_LABELS("a", "b"));
	assert_true(metric_value(&labelled, M_LABELS("a", "b")) == -2);
	assert_true(metric_value(&labelled, M_LABELS("b", "a")) == 0);
	assert_page("# HELP test_labelled Labelled.\n"
		    "# TYPE test_labelled gauge\n"
		    "test_labelled{namespace=\"a\",secret=\"b\"} -2\n"
		    "# HELP test_plain_total Plain.\n"
		    "# TYPE test_plain_total counter\n"
		    "test_plain_total 3.5\n");
}

static void a_known_label_set_is_there_with_0_from_the_start(void **state _unused_)
{
	metric_init(&labelled, M_LABELS("a", "b"));
	metric_add(&labelled, 4, M_LABELS("a", "b"));
	metric_init(&labelled, M_LABELS("a", "b")); /* takes nothing away */
	metric_init(&plain, NULL);
	assert_page("# HELP test_labelled Labelled.\n"
		    "# TYPE test_labelled gauge\n"
		    "test_labelled{namespace=\"a\",secret=\"b\"} 4\n"
		    "# HELP test_plain_total Plain.\n"
		    "# TYPE test_plain_total counter\n"
		    "test_plain_total 0\n");
}

static void a_removed_series_is_gone_and_makes_room(void **state _unused_)
{
	metric_set(&labelled, 1, M_LABELS("a", "1"));
	metric_set(&labelled, 2, M_LABELS("a", "2"));
	metric_set(&labelled, 3, M_LABELS("a", "3"));
	metric_remove(&labelled, M_LABELS("a", "2"));
	metric_remove(&labelled, M_LABELS("a", "2"));
	metric_remove(&labelled, M_LABELS("a", "9"));
	assert_page("# HELP test_labelled Labelled.\n"
		    "# TYPE test_labelled gauge\n"
		    "test_labelled{namespace=\"a\",secret=\"1\"} 1\n"
		    "test_labelled{namespace=\"a\",secret=\"3\"} 3\n");
	metric_set(&labelled, 4, M_LABELS("a", "4"));
	assert_true(metric_value(&labelled, M_LABELS("a", "4")) == 4);
	metric_remove(&labelled, M_LABELS("a", "1"));
	metric_remove(&labelled, M_LABELS("a", "3"));
	metric_remove(&labelled, M_LABELS("a", "4"));
	assert_page("");
}

static void series_beyond_the_maximum_are_counted_not_made(void **state _unused_)
{
	_cleanup_buf_ struct buf page;
	struct err e;

	buf_init(&page, MIB);
	metric_set(&labelled, 1, M_LABELS("a", "1"));
	metric_set(&labelled, 1, M_LABELS("a", "2"));
	metric_set(&labelled, 1, M_LABELS("a", "3"));
	metric_set(&labelled, 1, M_LABELS("a", "4"));
	metric_add(&labelled, 1, M_LABELS("a", "5"));
	metric_set(&labelled, 2, M_LABELS("a", "3")); /* those that are there go on */
	assert_int_equal(metrics_write(&page, &e), 0);
	assert_null(strstr(buf_str(&page), "secret=\"4\""));
	assert_non_null(strstr(buf_str(&page), "secret=\"3\"} 2\n"));
	assert_non_null(strstr(buf_str(&page), "\ncerthup_metrics_dropped_total 2\n"));
}

static void a_histogram_has_cumulative_buckets_sum_and_count(void **state _unused_)
{
	metric_observe(&timed, 0.001, M_LABELS("x")); /* a bound belongs to its bucket */
	metric_observe(&timed, 0.25, M_LABELS("x"));
	metric_observe(&timed, 11, M_LABELS("x"));
	assert_true(metric_value(&timed, M_LABELS("x")) == 3);
	assert_page("# HELP test_timed_seconds Timed.\n"
		    "# TYPE test_timed_seconds histogram\n"
		    "test_timed_seconds_bucket{of=\"x\",le=\"0.001\"} 1\n"
		    "test_timed_seconds_bucket{of=\"x\",le=\"0.5\"} 2\n"
		    "test_timed_seconds_bucket{of=\"x\",le=\"10\"} 2\n"
		    "test_timed_seconds_bucket{of=\"x\",le=\"+Inf\"} 3\n"
		    "test_timed_seconds_sum{of=\"x\"} 11.250999999999999\n"
		    "test_timed_seconds_count{of=\"x\"} 3\n");
}

static void G7_hostile_label_values_stay_inside_their_quotes(void **state _unused_)
{
	metric_set(&labelled, 1, M_LABELS("a\"} 9\nevil 1", "b\\"));
	metric_set(&labelled, 2, M_LABELS("\xff\xc3(", "gr\xc3\xbc\xc3\x9f"));
	metric_set(&labelled, 3, M_LABELS("c\r\x01\x1b[2J\x7f\xc2\x9b", ""));
	assert_page("# HELP test_labelled Labelled.\n"
		    "# TYPE test_labelled gauge\n"
		    "test_labelled{namespace=\"a\\\"} 9\\nevil 1\",secret=\"b\\\\\"} 1\n"
		    "test_labelled{namespace=\"c" FFFD FFFD FFFD "[2J" FFFD FFFD
		    "\",secret=\"\"} 3\n"
		    "test_labelled{namespace=\"" FFFD FFFD "(\",secret="
		    "\"gr\xc3\xbc\xc3\x9f\"} 2\n");
}

static void a_page_that_is_too_large_is_an_error(void **state _unused_)
{
	_cleanup_buf_ struct buf page;
	struct err e;

	buf_init(&page, 40);
	metric_set(&labelled, 1, M_LABELS("a", "b"));
	assert_int_equal(metrics_write(&page, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
}

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void touch(int i, void (*change)(const struct metric *, const char *const *))
{
	char volume[16];
	char pod[16];

	snprintf(pod, sizeof(pod), "pod-%d", i / 8);
	snprintf(volume, sizeof(volume), "volume-%d", i % 8);
	change(&large, M_LABELS("team", pod, volume, "stale"));
}

static void count_up(const struct metric *m, const char *const *values)
{
	metric_add(m, 1, values);
}

/* Nanoseconds that one touch of one of so many series takes. */
static int64_t cost(int series)
{
	int64_t start;

	metrics_reset();
	for (int i = 0; i < series; i++)
		touch(i, count_up);
	start = cpu_us();
	for (int i = 0; i < 4 * LIMIT_SECRETS; i++)
		touch(i % series, count_up);
	return (cpu_us() - start) * 1000 / (4 * LIMIT_SECRETS);
}

/* As many series as the largest node may have. A list that each touch walks would cost 64 times as
 * much as with a 64th of them. */
static void thousands_of_series_cost_little(void **state _unused_)
{
	int64_t few = cost(LIMIT_SECRETS / 16);
	int64_t many = cost(4 * LIMIT_SECRETS);

	fprintf(stderr, "a touch of one of %d series: %d ns, of %d: %d ns\n", LIMIT_SECRETS / 16,
		(int)few, 4 * LIMIT_SECRETS, (int)many);
	assert_true(many < 16 * few);
}

static void all_series_of_a_large_node_come_and_go(void **state _unused_)
{
	_cleanup_buf_ struct buf page;
	struct err e;

	buf_init(&page, 16 * (size_t)MIB);
	for (int i = 0; i < 4 * LIMIT_SECRETS; i++)
		touch(i, count_up);
	assert_true(metric_value(&large, M_LABELS("team", "pod-9", "volume-3", "stale")) == 1);
	assert_int_equal(metrics_write(&page, &e), 0);
	for (int i = 0; i < 4 * LIMIT_SECRETS; i++)
		touch(i, metric_remove);
	assert_page("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(an_empty_registry_is_an_empty_page, setup),
	    cmocka_unit_test_setup(values_add_up_and_are_set, setup),
	    cmocka_unit_test_setup(a_known_label_set_is_there_with_0_from_the_start, setup),
	    cmocka_unit_test_setup(a_removed_series_is_gone_and_makes_room, setup),
	    cmocka_unit_test_setup(series_beyond_the_maximum_are_counted_not_made, setup),
	    cmocka_unit_test_setup(a_histogram_has_cumulative_buckets_sum_and_count, setup),
	    cmocka_unit_test_setup(G7_hostile_label_values_stay_inside_their_quotes, setup),
	    cmocka_unit_test_setup(a_page_that_is_too_large_is_an_error, setup),
	    cmocka_unit_test_setup(thousands_of_series_cost_little, setup),
	    cmocka_unit_test_setup(all_series_of_a_large_node_come_and_go, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	metrics_reset();
	return failed;
}
