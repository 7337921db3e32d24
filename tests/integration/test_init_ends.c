/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/in_pod.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define INIT(...) IN_POD("init", __VA_ARGS__)

static void sigterm_while_waiting_ends_with_one(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	program_start(&p, &as_container, INIT("--timeout=30s"));
	assert_true(program_says(&p, "\"secret.absent\"", 15000));
	program_signal(&p, SIGTERM);
	assert_int_equal(program_wait(&p, 10000), 1);
	assert_non_null(strstr(program_err(&p), "stopped by signal 15"));
}

/* What is there is a whole pair or nothing, and nothing is left over. */
static void assert_clean(const struct pki_pair *pair)
{
	size_t entries;
	size_t generations = in_pod_generations(&pod, &entries);

	if (generations == 0) {
		assert_int_equal(entries, 0);
		return;
	}
	assert_int_equal(generations, 1);
	assert_int_equal(entries, 5);
	assert_true(in_pod_holds(&pod, "tls.crt", pair->tls_crt, 0));
	assert_true(in_pod_holds(&pod, "tls.key", pair->tls_key, 0));
}

/* A hand that stops for half a second before each rename. */
static void write_slow_hand(char *ret_path, size_t size)
{
	char hand[PATH_MAX];
	FILE *f;

	program_path("certhup-hand", hand, sizeof(hand));
	snprintf(ret_path, size, "%s/slow-hand", pod.dir);
	f = fopen(ret_path, "we");
	assert_non_null(f);
	fprintf(f,
		"#!/bin/sh\nexec strace -f -qq -o /dev/null -e trace=renameat,renameat2 "
		"-e inject=renameat,renameat2:delay_enter=500000 %s \"$@\"\n",
		hand);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(ret_path, 0755), 0);
}

static void F1_sigterm_in_the_middle_of_a_write_waits_for_it(void **state _unused_)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	static const struct program_options with_path = {.env = env};
	const struct timespec nap = {.tv_nsec = 2000000};
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char hand[PATH_MAX];
	size_t entries = 0;

	write_slow_hand(hand, sizeof(hand));
	in_pod_rotate(&pod, NULL, &pair);
	program_start(&p, &with_path, INIT("--timeout=20s", "--hand", hand));
	for (int i = 0; i < 5000 && in_pod_generations(&pod, &entries) == 0; i++)
		nanosleep(&nap, NULL);
	assert_true(entries > 0 && entries < 5);
	program_signal(&p, SIGTERM);
	assert_int_equal(program_wait(&p, 15000), 1);
	assert_clean(&pair);
}

static void F1_sigterm_at_any_moment_leaves_a_clean_state(void **state _unused_)
{
	_cleanup_pair_ struct pki_pair pair;
	int step_ms = getenv("CERTHUP_SOAK") ? 1 : 20;
	unsigned done = 0;
	unsigned stopped = 0;

	in_pod_rotate(&pod, NULL, &pair);
	/* Until the moment lies behind the end of the work. */
	for (int ms = 0; done < 3 && ms < 10000; ms += step_ms + ms / 32) {
		const struct timespec nap = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
		_cleanup_program_ struct program p = {0};
		int code;

		in_pod_volume(&pod, 01777, 0);
		program_start(&p, &as_container, INIT("--timeout=20s"));
		nanosleep(&nap, NULL);
		kill(p.pid, SIGTERM);
		code = program_wait(&p, 15000);
		done += code == 0;
		stopped += code == 1 || code == -SIGTERM;
		assert_true(code == 0 || code == 1 || code == -SIGTERM);
		assert_clean(&pair);
	}
	/* The moments spanned the work. */
	assert_true(done > 0 && stopped > 0);
}

/* ---- --wait-for ---- */

static void wait_for_returns_when_the_pair_is_there(void **state _unused_)
{
	_cleanup_program_ struct program waits = {0};
	_cleanup_program_ struct program delivers = {0};
	_cleanup_pair_ struct pki_pair pair;

	program_start(&waits, &as_container,
		      WORDS("certhup", "init", "--wait-for", pod.tls, "--timeout=30s"));
	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&delivers, &as_container, INIT("--timeout=20s")), 0);
	assert_int_equal(program_wait(&waits, 5000), 0);
}

static void wait_for_nothing_ends_with_124(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(
	    program_run(&p, &as_container,
			WORDS("certhup", "init", "--wait-for", pod.volume, "--timeout=500ms")),
	    124);
	assert_non_null(strstr(program_err(&p), "certhup.io/volumes"));
}

static void wait_for_above_what_init_writes_names_the_directory_below(void **state _unused_)
{
	_cleanup_program_ struct program delivers = {0};
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char hint[200];

	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&delivers, &as_container, INIT("--timeout=20s")), 0);
	assert_int_equal(
	    program_run(&p, &as_container,
			WORDS("certhup", "init", "--wait-for", pod.volume, "--timeout=500ms")),
	    124);
	snprintf(hint, sizeof(hint), "did you mean %s, where init and sidecar write?", pod.tls);
	assert_non_null(strstr(program_err(&p), hint));
}

static void wait_for_and_a_secret_do_not_go_together(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(
	    program_run(&p, &as_container,
			WORDS("certhup", "init", "--wait-for", pod.volume, "--secret=a")),
	    2);
	assert_non_null(strstr(program_err(&p), "leave out --secret and --dir"));
}

static void wait_for_an_unfit_pair_ends_with_six(void **state _unused_)
{
	static const char generation[] = "..2026_01_02_03_04_05.0123456789abcdef0123456789abcdef";
	const struct pki_cert past = {.not_before_s = time(NULL) - 7200,
				      .not_after_s = time(NULL) - 60};
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char path[PATH_MAX];
	const char *const files[][2] = {{"tls.crt", NULL}, {"tls.key", NULL}};

	pki_issue(&pod.pki, &past, PKI_P256, &pair);
	snprintf(path, sizeof(path), "%s/%s", pod.volume, generation);
	assert_int_equal(mkdir(path, 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s/%s", pod.volume, generation, files[i][0]);
		f = fopen(path, "we");
		assert_non_null(f);
		fputs(i ? pair.tls_key : pair.tls_crt, f);
		fclose(f);
	}
	snprintf(path, sizeof(path), "%s/..data", pod.volume);
	assert_int_equal(symlink(generation, path), 0);
	assert_int_equal(
	    program_run(&p, &as_container,
			WORDS("certhup", "init", "--wait-for", pod.volume, "--timeout=500ms")),
	    6);
	assert_non_null(strstr(program_err(&p), "unfit (expired)"));
}

static void wait_for_ends_on_sigterm(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	const struct timespec nap = {.tv_nsec = 300000000};

	program_start(&p, &as_container,
		      WORDS("certhup", "init", "--wait-for", pod.volume, "--timeout=0"));
	nanosleep(&nap, NULL);
	program_signal(&p, SIGTERM);
	assert_in_range(program_wait(&p, 5000) + 100, 85, 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(sigterm_while_waiting_ends_with_one, in_pod_setup),
	    cmocka_unit_test_setup(F1_sigterm_in_the_middle_of_a_write_waits_for_it, in_pod_setup),
	    cmocka_unit_test_setup(F1_sigterm_at_any_moment_leaves_a_clean_state, in_pod_setup),
	    cmocka_unit_test_setup(wait_for_returns_when_the_pair_is_there, in_pod_setup),
	    cmocka_unit_test_setup(wait_for_nothing_ends_with_124, in_pod_setup),
	    cmocka_unit_test_setup(wait_for_above_what_init_writes_names_the_directory_below,
				   in_pod_setup),
	    cmocka_unit_test_setup(wait_for_and_a_secret_do_not_go_together, in_pod_setup),
	    cmocka_unit_test_setup(wait_for_an_unfit_pair_ends_with_six, in_pod_setup),
	    cmocka_unit_test_setup(wait_for_ends_on_sigterm, in_pod_setup),
	};

	return cmocka_run_group_tests(tests, in_pod_setup_group, in_pod_teardown_group);
}
