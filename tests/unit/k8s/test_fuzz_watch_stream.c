/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fuzz_watch_stream.h"

#include "base/file.h"
#include "base/limits.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus/watch_stream"

/* The inputs that the fuzzer kept, and those that were found to be worth it. */
static void B5_the_corpus_is_read_the_same_in_whole_and_in_pieces(void **state _unused_)
{
	DIR *d = opendir(CORPUS);
	struct dirent *entry;
	int count = 0;

	if (!d) {
		fail_msg("%s is not there: run the test at the top of the tree", CORPUS);
		return;
	}
	while ((entry = readdir(d))) {
		_cleanup_buf_ struct buf b = {.max = MIB};
		struct err e;

		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(file_read(dirfd(d), entry->d_name, &b, &e), 0);
		assert_int_equal(fuzz_watch_stream((const uint8_t *)buf_str(&b), b.len), 0);
		count++;
	}
	closedir(d);
	assert_true(count >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(B5_the_corpus_is_read_the_same_in_whole_and_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
