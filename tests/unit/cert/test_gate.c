/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/gate.h"

#include "base/limits.h"
#include "cert/fingerprint.h"
#include "tests/unit/cert/judge.h"

static enum reason judge_at(const struct pki_cert *what, int64_t at_s)
{
	_cleanup_free_ char *crt = issue(what, pki_key(PKI_P256, 2));

	return judge_in(crt, good_key, NULL, &(struct gate_context){.wall_ms = at_s * 1000});
}

static void C3_dates_hold_with_a_tolerance_for_skew(void **state _unused_)
{
	int64_t now = now_s();
	const struct pki_cert week = {.not_before_s = now, .not_after_s = now + 7 * DAY_S};

	assert_reason(judge_at(&week, now), REASON_NONE);
	assert_reason(judge_at(&week, now - LIMIT_SKEW_S), REASON_NONE);
	assert_reason(judge_at(&week, now - LIMIT_SKEW_S - 1), REASON_NOT_YET_VALID);
	assert_reason(judge_at(&week, now + 7 * DAY_S - 1), REASON_NONE);
	assert_reason(judge_at(&week, now + 7 * DAY_S), REASON_EXPIRED);
	assert_int_equal(verdict.leaf.not_before_s, now);
	assert_int_equal(verdict.leaf.not_after_s, now + 7 * DAY_S);
	policy.skew_s = 10;
	assert_reason(judge_at(&week, now - 11), REASON_NOT_YET_VALID);
	assert_int_equal(verdict.valid_from_s, now - 10);
	assert_reason(judge_at(&week, now - 10), REASON_NONE);
	policy.skew_s = 0;
}

static void C3_far_dates_are_dates(void **state _unused_)
{
	static const int64_t ends[] = {
	    2524607999,  /* 2049-12-31T23:59:59Z, the last UTCTime */
	    2524608000,  /* the first GeneralizedTime */
	    4102444800,  /* 2100 */
	    253402300799 /* 9999-12-31T23:59:59Z: never, by RFC 5280 */
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		assert_reason(judge_at(&(struct pki_cert){.not_after_s = ends[i]}, now_s()),
			      REASON_NONE);
		assert_int_equal(verdict.leaf.not_after_s, ends[i]);
		assert_reason(judge_at(&(struct pki_cert){.not_after_s = ends[i]}, ends[i] + 1),
			      REASON_EXPIRED);
	}
	assert_reason(
	    judge_at(&(struct pki_cert){.not_before_s = -2000000000, .not_after_s = -1000000000},
		     now_s()),
	    REASON_EXPIRED);
	assert_int_equal(verdict.leaf.not_before_s, -2000000000);
}

static void C3_policy_may_want_some_life_left(void **state _unused_)
{
	int64_t now = now_s();
	const struct pki_cert hour = {.not_before_s = now, .not_after_s = now + 3600};

	policy.min_remaining_s = 600;
	assert_reason(judge_at(&hour, now + 3000), REASON_NONE);
	assert_reason(judge_at(&hour, now + 3001), REASON_POLICY_LIFETIME);
	policy.min_remaining_s = 0;
	policy.max_lifetime_s = 3600;
	assert_reason(judge_at(&hour, now), REASON_NONE);
	policy.max_lifetime_s = 3599;
	assert_reason(judge_at(&hour, now), REASON_POLICY_LIFETIME);
	policy.max_lifetime_s = 0;
}

static void C3_issuer_must_be_valid_too_but_not_a_root(void **state _unused_)
{
	static const struct pki_cert old = {
	    .subject = "CN=Old", .ca = true, .not_before_s = 1000000000, .not_after_s = 1100000000};
	EVP_PKEY *key = pki_key(PKI_P256, 3);
	X509 *intermediate = pki_sign(&old, key, pki.root, pki.root_key);
	X509 *root = pki_sign(&old, key, NULL, key);
	_cleanup_free_ char *leaf =
	    sign_pem(&(struct pki_cert){0}, pki_key(PKI_P256, 2), root, key);
	_cleanup_free_ char *intermediate_pem = pki_cert_pem(intermediate);
	_cleanup_free_ char *root_pem = pki_cert_pem(root);
	_cleanup_free_ char *expired =
	    pki_join((const char *const[]){leaf, intermediate_pem, NULL});
	_cleanup_free_ char *rooted = pki_join((const char *const[]){leaf, root_pem, NULL});

	assert_reason(judge(expired, good_key, NULL), REASON_EXPIRED);
	assert_reason(judge(rooted, good_key, NULL), REASON_NONE);
	X509_free(intermediate);
	X509_free(root);
}

#define TEMPORARY_SUBJECT "CN=web,serialNumber=1234567890"

static void C5_temporary_certificate_is_known_by_its_looks(void **state _unused_)
{
	static const struct gate_context annotated = {.temporary = true};
	static const struct gate_context bare = {.temporary = false};
	EVP_PKEY *ca_key = pki_key(PKI_P521, 3);
	EVP_PKEY *key = pki_key(PKI_P256, 2);
	X509 *ca = pki_sign(&(struct pki_cert){.subject = "CN=cert-manager.local", .ca = true},
			    ca_key, NULL, ca_key);
	_cleanup_free_ char *marked =
	    sign_pem(&(struct pki_cert){.subject = TEMPORARY_SUBJECT}, key, ca, ca_key);
	_cleanup_free_ char *old_mark =
	    sign_pem(&(struct pki_cert){.serial = "1234567890"}, key, ca, ca_key);
	_cleanup_free_ char *unmarked = sign_pem(&(struct pki_cert){0}, key, ca, ca_key);
	_cleanup_free_ char *self = sign_pem(&(struct pki_cert){0}, key, NULL, key);
	_cleanup_free_ char *same_subject =
	    issue(&(struct pki_cert){.subject = TEMPORARY_SUBJECT}, key);

	assert_reason(judge_in(marked, good_key, NULL, &bare), REASON_TEMPORARY);
	assert_reason(judge_in(old_mark, good_key, NULL, &bare), REASON_TEMPORARY);
	assert_reason(judge_in(unmarked, good_key, NULL, &bare), REASON_NONE);
	assert_reason(judge_in(self, good_key, NULL, &bare), REASON_NONE);
	assert_reason(judge_in(same_subject, good_key, NULL, &bare), REASON_NONE);

	assert_reason(judge_in(marked, good_key, NULL, &annotated), REASON_TEMPORARY);
	assert_reason(judge_in(unmarked, good_key, NULL, &annotated), REASON_TEMPORARY);
	assert_reason(judge_in(self, good_key, NULL, &annotated), REASON_TEMPORARY);
	/* The annotation stays on the Secret when the real certificate has come. */
	assert_reason(judge_in(good_crt, good_key, NULL, &annotated), REASON_NONE);
	X509_free(ca);
}

static void C5_next_private_key_is_not_a_pair(void **state _unused_)
{
	static const struct gate_context next = {.next_key = true};
	_cleanup_free_ char *new_key = pki_key_pem(pki_key(PKI_P256, 3), PKI_PKCS8);

	assert_reason(judge_in(NULL, good_key, NULL, &next), REASON_NEXT_KEY);
	assert_reason(judge_in(good_crt, good_key, NULL, &next), REASON_NEXT_KEY);
	/* The new key beside the old certificate. */
	assert_reason(judge(good_crt, new_key, NULL), REASON_KEY_MISMATCH);
}

static void C6_names_that_lead_elsewhere_are_refused(void **state _unused_)
{
	static const char *const names[] = {
	    "",         ".",         "..",       "..data",     "..x",  "...", "a/b",
	    "/etc/x",   "../x",      "../../x",  "a/../b",     "a\\b", "a b", "a\nb",
	    "\xc3\xa4", "a\xff",     "a\x7f",    "%2e%2e/x",   "a:b",  "~",   "a*",
	    "$(x)",     "..\\..\\x", "..2026_x", "..data_tmp", "-\t",  "./a"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_content_ struct content c;
		struct err e;

		pki_content(&c, good_crt, good_key, NULL);
		assert_int_equal(content_add(&c, names[i], "x", 1, &e), -1);
		/* And if it should come in by another way. */
		assert_int_equal(content_add(&c, "x", "x", 1, &e), 0);
		snprintf(c.files[c.count - 1].name, sizeof(c.files[0].name), "%s", names[i]);
		assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_BAD_NAME);
	}
}

static void C6_long_names_are_taken_up_to_the_maximum(void **state _unused_)
{
	_cleanup_content_ struct content c;
	char name[LIMIT_FILE_NAME + 2];
	struct err e;

	pki_content(&c, good_crt, good_key, NULL);
	memset(name, 'a', sizeof(name));
	name[LIMIT_FILE_NAME + 1] = '\0';
	assert_int_equal(content_add(&c, name, "x", 1, &e), -1);
	name[LIMIT_FILE_NAME] = '\0';
	assert_int_equal(content_add(&c, name, "x", 1, &e), 0);
	assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_NONE);
}

static void C7_older_serial_is_allowed_and_can_be_told(void **state _unused_)
{
	int64_t now = now_s();
	const struct pki_cert newer = {.serial = "0200", .not_before_s = now - 60};
	const struct pki_cert older = {.serial = "01ff", .not_before_s = now - 3600};
	int64_t newer_since;

	assert_reason(judge_at(&newer, now), REASON_NONE);
	assert_string_equal(verdict.leaf.serial, "0200");
	newer_since = verdict.leaf.not_before_s;
	assert_reason(judge_at(&older, now), REASON_NONE);
	assert_string_equal(verdict.leaf.serial, "01ff");
	assert_true(verdict.leaf.not_before_s < newer_since);
}

static void C8_new_bundle_is_new_content_with_the_same_leaf(void **state _unused_)
{
	_cleanup_content_ struct content before;
	_cleanup_content_ struct content after;
	_cleanup_free_ char *ca = pki_join((const char *const[]){pki.root_pem, pki.root_pem, NULL});
	struct fingerprint content[2];
	struct fingerprint leaf;
	struct err e;

	pki_content(&before, good_crt, good_key, pki.root_pem);
	pki_content(&after, good_crt, good_key, ca);
	assert_int_equal(cert_content_fingerprint(&before, &content[0], &e), 0);
	assert_int_equal(cert_content_fingerprint(&after, &content[1], &e), 0);
	assert_false(fingerprint_equal(&content[0], &content[1]));
	assert_reason(judge_content(&before, &(struct gate_context){0}), REASON_NONE);
	leaf = verdict.leaf.leaf;
	assert_reason(judge_content(&after, &(struct gate_context){0}), REASON_NONE);
	assert_true(fingerprint_equal(&leaf, &verdict.leaf.leaf));
	assert_true(fingerprint_is_set(&leaf));
}

static void ca_pair_is_delivered_only_if_allowed(void **state _unused_)
{
	static const struct gate_context allowed = {.allow_ca = true};
	_cleanup_free_ char *key = pki_key_pem(pki.intermediate_key, PKI_PKCS8);

	assert_reason(judge(pki.intermediate_pem, key, NULL), REASON_CA_LEAF);
	assert_reason(judge_in(pki.intermediate_pem, key, NULL, &allowed), REASON_NONE);
}

static void size_of_the_secret_is_bounded(void **state _unused_)
{
	_cleanup_content_ struct content c;
	size_t len;

	pki_content(&c, good_crt, good_key, NULL);
	len = c.files[0].bytes.len;
	c.files[0].bytes.len = LIMIT_CONTENT + 1;
	assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_TOO_LARGE);
	c.files[0].bytes.len = len;
}

static void unchanged_content_need_not_be_parsed(void **state _unused_)
{
	_cleanup_content_ struct content c;
	struct fingerprint known = {0};
	uint64_t before = gate_parsed(gate);
	struct err e;

	pki_content(&c, good_crt, good_key, pki.root_pem);
	for (int i = 0; i < 100; i++) {
		struct fingerprint now;

		assert_int_equal(cert_content_fingerprint(&c, &now, &e), 0);
		if (fingerprint_equal(&now, &known))
			continue;
		assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_NONE);
		known = now;
	}
	assert_int_equal(gate_parsed(gate) - before, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C3_dates_hold_with_a_tolerance_for_skew),
	    cmocka_unit_test(C3_far_dates_are_dates),
	    cmocka_unit_test(C3_policy_may_want_some_life_left),
	    cmocka_unit_test(C3_issuer_must_be_valid_too_but_not_a_root),
	    cmocka_unit_test(C5_temporary_certificate_is_known_by_its_looks),
	    cmocka_unit_test(C5_next_private_key_is_not_a_pair),
	    cmocka_unit_test(C6_names_that_lead_elsewhere_are_refused),
	    cmocka_unit_test(C6_long_names_are_taken_up_to_the_maximum),
	    cmocka_unit_test(C7_older_serial_is_allowed_and_can_be_told),
	    cmocka_unit_test(C8_new_bundle_is_new_content_with_the_same_leaf),
	    cmocka_unit_test(ca_pair_is_delivered_only_if_allowed),
	    cmocka_unit_test(size_of_the_secret_is_bounded),
	    cmocka_unit_test(unchanged_content_need_not_be_parsed),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
