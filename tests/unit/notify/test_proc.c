/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "notify/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>

#define FIELDS "0 0 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0"

static bool stat_of(const char *text, struct proc *p)
{
	*p = (struct proc){0};
	return proc_parse_stat(text, strlen(text), p);
}

static void E13_a_name_in_stat_cannot_pass_for_fields(void **state _unused_)
{
	static const char *const names[] = {"nginx",     "",    ")",        ") R 1 1 1",
					    "a) Z 1 (b", "(((", "\x80\xff)"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char text[256];
		struct proc p;

		snprintf(text, sizeof(text), "17 (%s) S 5 " FIELDS " 4242 1000 1\n", names[i]);
		assert_true(stat_of(text, &p));
		assert_int_equal(p.pid, 17);
		assert_int_equal(p.parent, 5);
		assert_int_equal(p.state, 'S');
		assert_int_equal(p.start_ticks, 4242);
	}
}

static void stat_that_no_kernel_writes_is_refused(void **state _unused_)
{
	static const char *const texts[] = {
	    "",
	    "\n",
	    "17",
	    "17 (x)",
	    "17 (x) ",
	    "17 (x) S",
	    "17 (x) S ",
	    "17 (x) S 5",
	    "17 (x) S 5 0 0",
	    "17 x S 5 " FIELDS " 4242",
	    "x (x) S 5 " FIELDS " 4242",
	    "17 (x) S -5 " FIELDS " 4242",
	    "99999999999 (x) S 5 " FIELDS " 4242",
	    "17 (x) S 5 " FIELDS " x",
	    "17 (x) S 5 " FIELDS " 99999999999999999999999999",
	};
	struct proc p;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(stat_of(texts[i], &p));
	assert_true(stat_of("17 (x) S 5 " FIELDS " 4242", &p));
}

static void E13_a_name_in_status_cannot_pass_for_a_line(void **state _unused_)
{
	struct proc p = {0};

	assert_true(
	    proc_parse_status("Name:\tx\nSigCgt:\tfffff\nState:\tS (sleeping)\nNSpid:\t17\t1\n"
			      "SigCgt:\t0000000000000000\n",
			      &p));
	assert_int_equal(p.caught, 0);
	assert_true(p.is_init);
	assert_true(proc_parse_status(
	    "Name:\tNSpid:\t9\t1\nNSpid:\t17\t3\nSigCgt:\t0000000000000a01\n", &p));
	assert_int_equal(p.caught, 0xa01);
	assert_false(p.is_init);
	assert_false(proc_parse_status("Name:\tSigCgt:\t1\n", &p));
	assert_false(proc_parse_status("SigCgt:\n", &p));
	assert_false(proc_parse_status("SigCgt:\tfffffffffffffffff\n", &p));
	assert_false(proc_parse_status("", &p));
}

static void the_first_process_of_a_namespace_below_ours_is_known(void **state _unused_)
{
	static const struct {
		const char *pids;
		bool init;
	} cases[] = {{"17\t1", true},   {"17\t5\t1", true}, {"17", false},  {"1", false},
		     {"17\t11", false}, {"", false},        {"1\t2", false}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proc p = {0};
		char text[128];

		snprintf(text, sizeof(text), "Name:\tx\nNSpid:\t%s\nSigCgt:\t0\n", cases[i].pids);
		assert_true(proc_parse_status(text, &p));
		assert_int_equal(p.is_init, cases[i].init);
	}
}

static void a_name_is_taken_as_it_is(void **state _unused_)
{
	static const struct {
		const char *text, *comm;
	} cases[] = {{"nginx\n", "nginx"}, {"a\nb\n", "a\nb"},
		     {"\n", ""},           {"", ""},
		     {"\n\n", "\n"},       {"kworker/u8:1-events_unbound\n", "kworker/u8:1-ev"}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proc p = {0};

		proc_parse_comm(cases[i].text, strlen(cases[i].text), &p);
		assert_string_equal(p.comm, cases[i].comm);
	}
}

static void a_living_process_is_read(void **state _unused_)
{
	_cleanup_close_ int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	struct err e = {0};
	struct proc p;

	signal(SIGUSR2, SIG_IGN);
	assert_int_equal(proc_open(proc_fd, getpid(), &fd, &e), 0);
	assert_int_equal(proc_read(fd, &p, &e), 0);
	assert_int_equal(p.pid, getpid());
	assert_int_equal(p.parent, getppid());
	assert_true(p.start_ticks > 0);
	assert_string_equal(p.comm, "test_proc");
	assert_int_equal(p.caught & (1U << (SIGUSR2 - 1)), 0);
	assert_false(proc_is_dead(&p));
	assert_false(proc_is_stopped(&p));
	signal(SIGUSR2, SIG_DFL);
}

static void a_process_that_is_not_there_is_not_found(void **state _unused_)
{
	_cleanup_close_ int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = {0};
	int fd;

	assert_int_equal(proc_open(proc_fd, INT32_MAX, &fd, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(E13_a_name_in_stat_cannot_pass_for_fields),
	    cmocka_unit_test(stat_that_no_kernel_writes_is_refused),
	    cmocka_unit_test(E13_a_name_in_status_cannot_pass_for_a_line),
	    cmocka_unit_test(the_first_process_of_a_namespace_below_ours_is_known),
	    cmocka_unit_test(a_name_is_taken_as_it_is),
	    cmocka_unit_test(a_living_process_is_read),
	    cmocka_unit_test(a_process_that_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
