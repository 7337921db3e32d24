/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/corpus.h"
#include "tests/lib/fuzz_client.h"
#include "tests/lib/fuzz_hand.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void corpus_of_the_hand_is_answered_with_replies(void **state _unused_)
{
	assert_true(corpus_replay("hand", fuzz_hand) >= 3);
}

static void corpus_of_the_client_answers_each_call_once(void **state _unused_)
{
	assert_true(corpus_replay("client", fuzz_client) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(corpus_of_the_hand_is_answered_with_replies),
	    cmocka_unit_test(corpus_of_the_client_answers_each_call_once),
	};

	return cmocka_run_group_tests_name("hand/fuzz", tests, NULL, NULL);
}
