/* SPDX-License-Identifier: Apache-2.0 */
#include "command/neighbours.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char proc[64]; /* a proc of the test's making */

static void process(unsigned pid, unsigned parent, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u", proc, pid);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/%u/status", proc, pid);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "Name:\t%s\nUmask:\t0022\nPid:\t%u\nPPid:\t%u\n", name, pid, parent);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state _unused_)
{
	snprintf(proc, sizeof(proc), "/tmp/test_neighbours.XXXXXX");
	return mkdtemp(proc) ? 0 : -1;
}

static void remove_process(unsigned pid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%u/status", proc, pid);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%u", proc, pid);
	rmdir(path);
}

static int teardown(void **state _unused_)
{
	remove_process(1);
	remove_process(2);
	remove_process(7);
	remove_process((unsigned)getpid());
	return rmdir(proc);
}

static void
process_below_a_parent_that_cannot_be_seen_is_in_a_shared_namespace(void **state _unused_)
{
	struct err e;

	process(1, 0, "pause");
	process(7, 0, "nginx");
	process((unsigned)getpid(), 0, "certhup");
	assert_int_equal(neighbours_shared(proc, &e), 0);
}

static void process_of_a_shell_of_the_container_too(void **state _unused_)
{
	struct err e;

	process(1, 0, "pause");
	process(7, 0, "sh");
	process((unsigned)getpid(), 7, "certhup");
	assert_int_equal(neighbours_shared(proc, &e), 0);
}

static void descendant_of_process_one_is_alone(void **state _unused_)
{
	struct err e;

	process(1, 0, "tini");
	process(7, 1, "sh");
	process((unsigned)getpid(), 7, "certhup");
	assert_int_equal(neighbours_shared(proc, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.message, "set shareProcessNamespace: true"));
}

static void the_nodes_own_namespace_is_refused(void **state _unused_)
{
	struct err e;

	process(1, 0, "systemd");
	process(2, 0, "kthreadd");
	process((unsigned)getpid(), 0, "certhup");
	assert_int_equal(neighbours_shared(proc, &e), -1);
	assert_non_null(strstr(e.message, "hostPID: true"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		process_below_a_parent_that_cannot_be_seen_is_in_a_shared_namespace, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(process_of_a_shell_of_the_container_too, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(descendant_of_process_one_is_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_nodes_own_namespace_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
