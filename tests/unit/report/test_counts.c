/* SPDX-License-Identifier: Apache-2.0 */
#include "report/counts.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>

static int setup(void **state _unused_)
{
	metrics_reset();
	counts_init("1.2.3");
	return 0;
}

static void page(struct buf *b)
{
	struct err e;

	buf_init(b, MIB);
	assert_int_equal(metrics_write(b, &e), 0);
}

static void known_label_sets_are_there_from_the_start(void **state _unused_)
{
	static const char *const lines[] = {
	    "certhup_build_info{version=\"1.2.3\"} 1\n",
	    "certhup_rotations_total{result=\"published\"} 0\n",
	    "certhup_rotations_total{result=\"unchanged\"} 0\n",
	    "certhup_rotations_total{result=\"failed\"} 0\n",
	    "certhup_rotations_total{result=\"rolled_back\"} 0\n",
	    "certhup_reloads_total{action=\"signal:HUP\",result=\"sent\"} 0\n",
	    "certhup_reloads_total{action=\"signal:USR1\",result=\"no_handler\"} 0\n",
	    "certhup_reloads_total{action=\"signal:USR2\",result=\"failed\"} 0\n",
	    "certhup_probes_total{result=\"seen\"} 0\n",
	    "certhup_events_total{result=\"dropped\"} 0\n",
	    "certhup_watch_up{resource=\"secrets\"} 0\n",
	    "certhup_hand_up 0\n",
	    "certhup_repairs_total 0\n",
	    "certhup_rotation_latency_seconds_count 0\n",
	    "certhup_adoption_latency_seconds_bucket{le=\"+Inf\"} 0\n",
	};
	_cleanup_buf_ struct buf b;

	page(&b);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_non_null(strstr(buf_str(&b), lines[i]));
}

static void each_reason_code_has_its_series(void **state _unused_)
{
	_cleanup_buf_ struct buf b;
	char line[128];

	page(&b);
	for (unsigned r = REASON_NONE + 1; r < REASONS_COUNT; r++) {
		snprintf(line, sizeof(line), "certhup_rejected_total{reason=\"%s\"} 0\n",
			 reason_code((enum reason)r));
		assert_non_null(strstr(buf_str(&b), line));
	}
	assert_null(strstr(buf_str(&b), "reason=\"none\""));
}

/* What is only there while something is so, and what nobody has seen yet. */
static void others_are_not_there_before_they_are_known(void **state _unused_)
{
	_cleanup_buf_ struct buf b;

	page(&b);
	assert_null(strstr(buf_str(&b), "certhup_binding_unadopted"));
	assert_null(strstr(buf_str(&b), "certhup_certificate_not_after"));
}

static void latencies_have_buckets_from_a_quarter_millisecond_to_a_minute(void **state _unused_)
{
	_cleanup_buf_ struct buf b;

	metric_observe(&count_rotation_latency, 0.0009, NULL);
	metric_observe(&count_rotation_latency, 59, NULL);
	metric_observe(&count_rotation_latency, 61, NULL);
	page(&b);
	assert_non_null(strstr(buf_str(&b), "latency_seconds_bucket{le=\"0.00025\"} 0\n"));
	assert_non_null(strstr(buf_str(&b), "latency_seconds_bucket{le=\"0.001\"} 1\n"));
	assert_non_null(strstr(buf_str(&b), "latency_seconds_bucket{le=\"60\"} 2\n"));
	assert_non_null(strstr(buf_str(&b), "latency_seconds_bucket{le=\"+Inf\"} 3\n"));
}

static double value_of(const char *name)
{
	_cleanup_buf_ struct buf b;
	const char *line;
	char start[64];

	page(&b);
	snprintf(start, sizeof(start), "\n%s ", name);
	line = strstr(buf_str(&b), start);
	assert_non_null(line);
	return strtod(line + strlen(start), NULL);
}

static void the_process_is_measured_when_asked(void **state _unused_)
{
	int64_t now = clock_wall_ms(clock_system()) / 1000;
	double descriptors;
	int fd;

	counts_process();
	assert_true(value_of("process_resident_memory_bytes") > 100 * KIB);
	assert_true(value_of("process_virtual_memory_bytes") >=
		    value_of("process_resident_memory_bytes"));
	assert_true(value_of("process_cpu_seconds_total") >= 0);
	assert_true(value_of("process_max_fds") >= 3);
	assert_true(value_of("process_start_time_seconds") > (double)now - 3600);
	assert_true(value_of("process_start_time_seconds") < (double)now + 2);
	descriptors = value_of("process_open_fds");
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	counts_process();
	assert_true(value_of("process_open_fds") == descriptors + 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(known_label_sets_are_there_from_the_start, setup),
	    cmocka_unit_test_setup(each_reason_code_has_its_series, setup),
	    cmocka_unit_test_setup(others_are_not_there_before_they_are_known, setup),
	    cmocka_unit_test_setup(latencies_have_buckets_from_a_quarter_millisecond_to_a_minute,
				   setup),
	    cmocka_unit_test_setup(the_process_is_measured_when_asked, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	metrics_reset();
	return failed;
}
