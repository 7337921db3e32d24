/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/corpus.h"
#include "tests/lib/fuzz_watch_stream.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The inputs that the fuzzer kept, and those that were found to be worth it. */
static void B5_the_corpus_is_read_the_same_in_whole_and_in_pieces(void **state _unused_)
{
	assert_true(corpus_replay("watch_stream", fuzz_watch_stream) >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(B5_the_corpus_is_read_the_same_in_whole_and_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
