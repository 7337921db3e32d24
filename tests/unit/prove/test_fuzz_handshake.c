/* SPDX-License-Identifier: Apache-2.0 */
/* Replays what the fuzzer has found of the handshake. */
#include "tests/lib/corpus.h"
#include "tests/lib/fuzz_handshake.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_input_of_the_corpus_is_survived(void **state _unused_)
{
	assert_true(corpus_replay("handshake", fuzz_handshake) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_input_of_the_corpus_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
