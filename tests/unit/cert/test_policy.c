/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cert/judge.h"

static int no_policy(void **state _unused_)
{
	policy = (struct gate_policy){0};
	return 0;
}

static enum reason judge_leaf(const struct pki_cert *what, enum pki_type type)
{
	_cleanup_free_ char *crt = issue(what, pki_key(type, 0));
	_cleanup_free_ char *key = pki_key_pem(pki_key(type, 0), PKI_PKCS8);

	return judge(crt, key, NULL);
}

static enum reason judge_type(enum pki_type type)
{
	return judge_leaf(&(struct pki_cert){0}, type);
}

static void key_types_can_be_denied(void **state _unused_)
{
	policy.deny_rsa = true;
	assert_reason(judge_type(PKI_RSA2048), REASON_POLICY_KEY);
	assert_reason(judge_type(PKI_P384), REASON_NONE);
	policy = (struct gate_policy){.deny_ecdsa = true};
	assert_reason(judge_type(PKI_P384), REASON_POLICY_KEY);
	assert_reason(judge_type(PKI_ED25519), REASON_NONE);
	policy = (struct gate_policy){.deny_ed25519 = true};
	assert_reason(judge_type(PKI_ED25519), REASON_POLICY_KEY);
	assert_reason(judge_type(PKI_RSA2048), REASON_NONE);
}

static void rsa_keys_have_a_least_size(void **state _unused_)
{
	assert_reason(judge_type(PKI_RSA1024), REASON_NONE);
	policy.min_rsa_bits = 2048;
	assert_reason(judge_type(PKI_RSA1024), REASON_POLICY_KEY);
	assert_reason(judge_type(PKI_RSA2048), REASON_NONE);
	policy.min_rsa_bits = 2049;
	assert_reason(judge_type(PKI_RSA2048), REASON_POLICY_KEY);
	assert_reason(judge_type(PKI_P256), REASON_NONE);
}

static enum reason judge_names(const char *sans)
{
	return judge_leaf(&(struct pki_cert){.sans = sans}, PKI_P256);
}

static void every_name_needs_an_allowed_suffix(void **state _unused_)
{
	static const char *const suffixes[] = {"corp.example", ".svc", "10.0.0.1", "spiffe://t/ns",
					       NULL};

	policy.san_suffixes = suffixes;
	assert_reason(judge_names("DNS:corp.example"), REASON_NONE);
	assert_reason(judge_names("DNS:a.b.CORP.example,DNS:*.corp.example"), REASON_NONE);
	assert_reason(judge_names("DNS:evilcorp.example"), REASON_POLICY_SAN);
	assert_reason(judge_names("DNS:corp.example.evil"), REASON_POLICY_SAN);
	assert_reason(judge_names("DNS:corp.example,DNS:other"), REASON_POLICY_SAN);
	assert_reason(judge_names("DNS:a.svc"), REASON_NONE);
	assert_reason(judge_names("DNS:svc"), REASON_POLICY_SAN);
	assert_reason(judge_names("IP:10.0.0.1"), REASON_NONE);
	assert_reason(judge_names("IP:110.0.0.1"), REASON_POLICY_SAN);
	assert_reason(judge_names("email:x@corp.example"), REASON_NONE);
	assert_reason(judge_names("URI:spiffe://t/ns"), REASON_NONE);
	assert_reason(judge_names("URI:spiffe://u/ns"), REASON_POLICY_SAN);
	assert_reason(judge_names("RID:1.2.3"), REASON_POLICY_SAN);
	assert_reason(judge_names(""), REASON_POLICY_SAN);
}

static void hidden_names_do_not_pass(void **state _unused_)
{
	static const char *const suffixes[] = {"corp.example", NULL};
	/* DNS:evil<NUL>.corp.example, as some readers would cut it. */
	struct pki_cert nul = {.sans = "",
			       .extension = {"subjectAltName=DER:30:14:82:12:65:76:69:6c:00:2e:63:"
					     "6f:72:70:2e:65:78:61:6d:70:6c:65"}};
	char sans[512] = "DNS:";

	policy.san_suffixes = suffixes;
	assert_reason(judge_leaf(&nul, PKI_P256), REASON_POLICY_SAN);
	/* Longer than any name: cut where it is shown, so not compared. */
	memset(sans + 4, 'a', 400);
	memcpy(sans + 404, ".corp.example", sizeof(".corp.example"));
	assert_reason(judge_names(sans), REASON_POLICY_SAN);
}

static void issuer_can_be_named(void **state _unused_)
{
	policy.issuer = "CN=Test Intermediate";
	assert_reason(judge_type(PKI_P256), REASON_NONE);
	policy.issuer = "CN=Test";
	assert_reason(judge_type(PKI_P256), REASON_POLICY_ISSUER);
	policy.issuer = "CN=Test Intermediate,O=x";
	assert_reason(judge_type(PKI_P256), REASON_POLICY_ISSUER);
}

static void weak_hashes_can_be_denied(void **state _unused_)
{
	static const struct pki_cert sha1 = {.digest = "SHA1"};
	EVP_PKEY *root_key = pki_key(PKI_RSA2048, 1);
	X509 *root = pki_sign(&(struct pki_cert){.subject = "CN=R", .ca = true, .digest = "SHA1"},
			      root_key, NULL, root_key);
	_cleanup_free_ char *root_pem = pki_cert_pem(root);
	_cleanup_free_ char *leaf =
	    sign_pem(&(struct pki_cert){0}, pki_key(PKI_P256, 0), root, root_key);
	_cleanup_free_ char *crt = pki_join((const char *const[]){leaf, root_pem, NULL});
	_cleanup_free_ char *key = pki_key_pem(pki_key(PKI_P256, 0), PKI_PKCS8);

	assert_reason(judge_leaf(&sha1, PKI_P256), REASON_NONE);
	policy.deny_sha1 = true;
	assert_reason(judge_leaf(&sha1, PKI_P256), REASON_POLICY_SIGNATURE);
	assert_reason(judge_type(PKI_P256), REASON_NONE);
	assert_reason(judge_type(PKI_ED25519), REASON_NONE);
	/* Nobody verifies a root's own signature. */
	assert_reason(judge(crt, key, NULL), REASON_NONE);
	X509_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(key_types_can_be_denied, no_policy),
	    cmocka_unit_test_setup(rsa_keys_have_a_least_size, no_policy),
	    cmocka_unit_test_setup(every_name_needs_an_allowed_suffix, no_policy),
	    cmocka_unit_test_setup(hidden_names_do_not_pass, no_policy),
	    cmocka_unit_test_setup(issuer_can_be_named, no_policy),
	    cmocka_unit_test_setup(weak_hashes_can_be_denied, no_policy),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
