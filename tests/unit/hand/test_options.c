/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/options.h"

#include "hand/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct hand_flags f;
static struct err e;

/* Parses a line of words. The flags point into it until the next call. */
static int parse(const char *line)
{
	static char words[512];
	char *argv[32];
	char *rest = words;
	int argc = 0;

	snprintf(words, sizeof(words), "certhup-hand %s", line);
	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	return flags_parse(argc, argv, &f, &e);
}

static void defaults_are_those_of_a_node(void **state)
{
	(void)state;
	assert_int_equal(parse("--socket-fd 3"), 0);
	assert_int_equal(f.socket_fd, 3);
	assert_string_equal(f.kubelet_root, "/var/lib/kubelet");
	assert_string_equal(f.driver, "csi.certhup.io");
	assert_null(f.state_dir);
	assert_int_equal(f.ops, UINT32_MAX);
	assert_int_equal(f.budget_namespace, LIMIT_BUDGET_NAMESPACE);
	assert_int_equal(f.head_uid, UINT32_MAX);
}

static void every_flag_is_taken(void **state)
{
	(void)state;
	assert_int_equal(parse("--socket=/run/s --head-uid=271 --kubelet-root=/k --driver=d "
			       "--state-dir=/s --cgroup-root=/c --proc=/p "
			       "--ops=adopt,publish,roll-back --budget-namespace=1 "
			       "--budget-node=2 --log-level=debug --log-format=text"),
			 0);
	assert_string_equal(f.socket, "/run/s");
	assert_int_equal(f.head_uid, 271);
	assert_string_equal(f.kubelet_root, "/k");
	assert_string_equal(f.driver, "d");
	assert_string_equal(f.state_dir, "/s");
	assert_string_equal(f.cgroup_root, "/c");
	assert_string_equal(f.proc, "/p");
	assert_int_equal(f.ops, 1 << HAND_ADOPT | 1 << HAND_PUBLISH | 1 << HAND_ROLL_BACK);
	assert_int_equal(f.budget_namespace, 1);
	assert_int_equal(f.budget_node, 2);
	assert_int_equal(f.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(f.log_format, LOG_FORMAT_TEXT);
}

static void refused(const char *part, const char *line)
{
	assert_int_equal(parse(line), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	if (!strstr(e.message, part))
		fail_msg("'%s' does not speak of '%s'", e.message, part);
}

static void mistakes_are_named(void **state)
{
	(void)state;
	refused("--nonsense", "--socket-fd 3 --nonsense");
	refused("--proc", "--socket-fd 3 --proc");
	refused("word", "--socket-fd 3 word");
	refused("--log-level", "--socket-fd 3 --log-level=loud");
	refused("debug", "--socket-fd 3 --log-level=loud");
	refused("hello", "--socket-fd 3 --ops=hello");
	refused("chmod", "--socket-fd 3 --ops=publish,chmod");
	refused("--budget-node", "--socket-fd 3 --budget-node=-1");
	refused("--driver", "--socket-fd 3 --driver=../x");
	refused("--driver", "--socket-fd 3 --driver=..");
	refused("--socket", "--socket-fd 3 --socket=/s --head-uid=1");
	refused("--head-uid", "--socket=/s");
	refused("--socket", "--log-level=info");
}

static void help_and_version_need_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), 0);
	assert_true(f.help);
	assert_int_equal(parse("--version"), 0);
	assert_true(f.version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_those_of_a_node),
	    cmocka_unit_test(every_flag_is_taken),
	    cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(help_and_version_need_nothing_else),
	};

	return cmocka_run_group_tests_name("hand/options", tests, NULL, NULL);
}
