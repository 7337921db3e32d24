/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/record.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define UID "0f3a2b1c-1111-2222-3333-444455556666"

static bool ok(const char *uid, const char *name)
{
	struct volume_ref ref;

	assert_int_equal(text_copy(ref.pod_uid, sizeof(ref.pod_uid), uid), 0);
	assert_int_equal(text_copy(ref.name, sizeof(ref.name), name), 0);
	return volume_ref_ok(&ref);
}

static void pods_and_static_pods_are_named(void **state _unused_)
{
	assert_true(ok(UID, "tls"));
	assert_true(ok("0123456789abcdef0123456789abcdef", "a"));
	assert_true(ok(UID, "a-1"));
	assert_true(ok(UID, "012345678901234567890123456789012345678901234567890123456789012"));
}

static void what_could_leave_the_pod_is_refused(void **state _unused_)
{
	static const char *const uids[] = {"",
					   "..",
					   "0f3a2b1c",
					   "0F3A2B1C-1111-2222-3333-444455556666",
					   "../../../../../../../../../etc/passwd",
					   "0f3a2b1c-1111-2222-3333-44445555666/",
					   "0f3a2b1c-1111-2222-3333-4444555566667",
					   "0f3a2b1c-1111-2222-3333-44445555\n666"};
	static const char *const names[] = {"",   ".",  "..",  "a/b", "a.b",        "A",
					    "-a", "a-", "a b", "a\n", "tls\xc3\xa4"};

	for (size_t i = 0; i < ARRAY_LEN(uids); i++)
		assert_false(ok(uids[i], "tls"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_false(ok(UID, names[i]));
}

static void arrays_without_an_end_are_refused(void **state _unused_)
{
	struct volume_ref ref;

	memset(&ref, 'a', sizeof(ref));
	assert_false(volume_ref_ok(&ref));
	assert_int_equal(text_copy(ref.pod_uid, sizeof(ref.pod_uid), UID), 0);
	assert_false(volume_ref_ok(&ref));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pods_and_static_pods_are_named),
	    cmocka_unit_test(what_could_leave_the_pod_is_refused),
	    cmocka_unit_test(arrays_without_an_end_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
