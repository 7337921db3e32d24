/* SPDX-License-Identifier: Apache-2.0 */
#include "command/words.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void texts(bool (*accepts)(const char *text), bool wanted, const char *const *words)
{
	for (; *words; words++)
		if (accepts(*words) != wanted)
			fail_msg("\"%s\" is %s", *words, wanted ? "refused" : "taken");
}
#define TAKES(rule, ...) texts((rule), true, (const char *const[]){__VA_ARGS__, NULL})
#define REFUSES(rule, ...) texts((rule), false, (const char *const[]){__VA_ARGS__, NULL})

static void names_are_those_of_the_api(void **state _unused_)
{
	char longest[LIMIT_OBJECT_NAME + 2] = "";

	memset(longest, 'a', sizeof(longest) - 1);
	REFUSES(word_is_name, "", "A", "a b", "-a", "a-", ".a", "a.", "a_b", "a/b", longest);
	longest[LIMIT_OBJECT_NAME] = '\0';
	TAKES(word_is_name, "a", "0", "worker-1", "ip-10-0-0-1.ec2.internal", longest);
}

static void listening_takes_numbers_or_nothing(void **state _unused_)
{
	TAKES(word_is_listen, "", ":9402", ":0", "127.0.0.1:9402", "[::1]:9402");
	REFUSES(word_is_listen, "foo", "9402", "localhost:9402", ":65536", "127.0.0.1:", "::1:1",
		"unix:/x");
}

static void subdirectory_is_one_plain_name_or_none(void **state _unused_)
{
	TAKES(word_is_subdir, "", ".", "certhup", "web_tls-1.d");
	REFUSES(word_is_subdir, "..", "../x", "/x", "a/b", "..data", "a b");
}

static void driver_stays_below_plugins(void **state _unused_)
{
	TAKES(word_is_driver, "csi.certhup.io");
	REFUSES(word_is_driver, "", ".", "..", "../x", "a/b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_those_of_the_api),
	    cmocka_unit_test(listening_takes_numbers_or_nothing),
	    cmocka_unit_test(subdirectory_is_one_plain_name_or_none),
	    cmocka_unit_test(driver_stays_below_plugins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
