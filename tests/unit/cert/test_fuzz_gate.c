/* SPDX-License-Identifier: Apache-2.0 */
/* Replays what the fuzzer has found of the gate. */
#include "tests/lib/corpus.h"
#include "tests/lib/fuzz_gate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_input_of_the_corpus_is_judged(void **state _unused_)
{
	assert_true(corpus_replay("gate", fuzz_gate) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_input_of_the_corpus_is_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
