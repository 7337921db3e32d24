/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/make.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int64_t now_s(void)
{
	return clock_wall_ms(clock_system()) / 1000;
}

static void judge(const struct content *pair, struct gate_verdict *ret)
{
	_cleanup_(gate_freep) struct gate *gate = NULL;
	static const struct gate_policy any;
	const struct gate_context context = {.wall_ms = now_s() * 1000};
	struct err e;

	assert_int_equal(gate_new(&any, &gate, &e), 0);
	assert_int_equal(gate_judge(gate, pair, &context, ret, &e), 0);
}

static void pair_of_each_key_is_fit(void **state _unused_)
{
	static const char *const keys[] = {[MAKE_P256] = "ECDSA P-256", [MAKE_ED25519] = "Ed25519"};

	for (int i = 0; i < (int)ARRAY_LEN(keys); i++) {
		_cleanup_content_ struct content pair = {0};
		const struct make_leaf leaf = {.key = (enum make_key)i,
					       .name = "web.example",
					       .not_before_s = now_s() - 60,
					       .not_after_s = now_s() + 600};
		struct gate_verdict v;
		struct err e;

		assert_int_equal(make_pair(&leaf, &pair, &e), 0);
		judge(&pair, &v);
		assert_int_equal(v.reason, REASON_NONE);
		assert_string_equal(v.leaf.key, keys[i]);
		assert_string_equal(v.leaf.subject, "CN=web.example");
		assert_string_equal(v.leaf.sans, "DNS:web.example");
		assert_int_equal(v.leaf.not_before_s, leaf.not_before_s);
		assert_int_equal(v.leaf.not_after_s, leaf.not_after_s);
	}
}

static void two_pairs_share_nothing(void **state _unused_)
{
	_cleanup_content_ struct content one = {0};
	_cleanup_content_ struct content two = {0};
	const struct make_leaf leaf = {
	    .name = "a", .not_before_s = now_s(), .not_after_s = now_s() + 60};
	struct gate_verdict first;
	struct gate_verdict second;
	struct err e;

	assert_int_equal(make_pair(&leaf, &one, &e), 0);
	assert_int_equal(make_pair(&leaf, &two, &e), 0);
	judge(&one, &first);
	judge(&two, &second);
	assert_string_not_equal(first.leaf.serial, second.leaf.serial);
	assert_false(fingerprint_equal(&first.leaf.leaf, &second.leaf.leaf));
	assert_false(secret_equal(&content_find(&one, "tls.key")->bytes,
				  &content_find(&two, "tls.key")->bytes));
}

static void name_that_no_certificate_can_have_is_refused(void **state _unused_)
{
	char name[80];
	const char *names[] = {name, "a,DNS:b", "a\nb"};

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_content_ struct content pair = {0};
		const struct make_leaf leaf = {.name = names[i]};
		struct err e;

		assert_int_equal(make_pair(&leaf, &pair, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_int_equal(pair.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pair_of_each_key_is_fit),
	    cmocka_unit_test(two_pairs_share_nothing),
	    cmocka_unit_test(name_that_no_certificate_can_have_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
