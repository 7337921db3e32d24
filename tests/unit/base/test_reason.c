/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Users match on these: a code may be added here, never changed or removed. */
static const char *const stable[] = {
    "none",         "missing",       "bad_pem",          "bad_key",
    "key_mismatch", "chain_order",   "expired",          "not_yet_valid",
    "temporary",    "next_key",      "ca_leaf",          "too_large",
    "too_complex",  "bad_name",      "policy_key",       "policy_lifetime",
    "policy_san",   "policy_issuer", "policy_signature",
};

static void codes_stay_as_they_are(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_LEN(stable); i++) {
		int found = 0;

		for (int r = 0; r < REASONS_COUNT; r++)
			found += strcmp(reason_code((enum reason)r), stable[i]) == 0;
		assert_int_equal(found, 1);
	}
}

static void each_code_is_a_label_and_has_a_sentence(void **state _unused_)
{
	for (int r = 0; r < REASONS_COUNT; r++) {
		const char *code = reason_code((enum reason)r);
		const char *advice = reason_advice((enum reason)r);

		assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_"), strlen(code));
		assert_true(strlen(advice) > 10);
		assert_int_equal(advice[strlen(advice) - 1], '.');
	}
}

static void a_number_from_outside_is_none(void **state _unused_)
{
	assert_string_equal(reason_code((enum reason)REASONS_COUNT), "none");
	assert_string_equal(reason_code((enum reason) - 1), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(codes_stay_as_they_are),
	    cmocka_unit_test(each_code_is_a_label_and_has_a_sentence),
	    cmocka_unit_test(a_number_from_outside_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
