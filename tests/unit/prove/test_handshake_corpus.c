/* SPDX-License-Identifier: Apache-2.0 */
/* Replays what the fuzzer has found of the handshake. */
#include "tests/lib/corpus.h"

#include "tests/fuzz/fuzz_handshake.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_input_of_the_corpus_is_survived(void **state _unused_)
{
	assert_true(corpus_replay("handshake", LLVMFuzzerTestOneInput) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_input_of_the_corpus_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
