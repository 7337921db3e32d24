/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/fuzz_client.h"
#include "tests/lib/fuzz_hand.h"

#include "base/file.h"
#include "base/limits.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void replay(const char *corpus, int (*target)(const uint8_t *data, size_t len))
{
	DIR *d = opendir(corpus);
	struct dirent *entry;
	int count = 0;

	if (!d) {
		fail_msg("%s is not there: run the test at the top of the tree", corpus);
		return;
	}
	while ((entry = readdir(d))) {
		_cleanup_buf_ struct buf b = {.max = MIB};
		struct err e;

		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(file_read(dirfd(d), entry->d_name, &b, &e), 0);
		assert_int_equal(target((const uint8_t *)buf_str(&b), b.len), 0);
		count++;
	}
	closedir(d);
	assert_true(count >= 3);
}

static void corpus_of_the_hand_is_answered_with_replies(void **state _unused_)
{
	replay("tests/fuzz/corpus/hand", fuzz_hand);
}

static void corpus_of_the_client_answers_each_call_once(void **state _unused_)
{
	replay("tests/fuzz/corpus/client", fuzz_client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(corpus_of_the_hand_is_answered_with_replies),
	    cmocka_unit_test(corpus_of_the_client_answers_each_call_once),
	};

	return cmocka_run_group_tests_name("hand/fuzz", tests, NULL, NULL);
}
