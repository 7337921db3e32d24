/* SPDX-License-Identifier: Apache-2.0 */
/* Chains in all orders. */
#include "tests/unit/cert/judge.h"

static void C4_chain_stands_in_its_order(void **state _unused_)
{
	EVP_PKEY *other_key = pki_key(PKI_P256, 3);
	_cleanup_free_ char *leaf = sign_pem(&(struct pki_cert){0}, pki_key(PKI_P256, 2),
					     pki.intermediate, pki.intermediate_key);
	_cleanup_free_ char *other = sign_pem(
	    &(struct pki_cert){.subject = "CN=Other Root", .ca = true}, other_key, NULL, other_key);
	_cleanup_free_ char *forged =
	    sign_pem(&(struct pki_cert){.subject = "CN=Test Intermediate", .ca = true}, other_key,
		     NULL, other_key);
	const char *i = pki.intermediate_pem;
	const char *root = pki.root_pem;
	const struct {
		const char *parts[6];
		enum reason reason;
	} cases[] = {
	    {{leaf}, REASON_NONE},
	    {{leaf, i}, REASON_NONE},
	    {{leaf, i, root}, REASON_NONE},
	    {{i, leaf}, REASON_KEY_MISMATCH},
	    {{leaf, root}, REASON_CHAIN_ORDER},
	    {{leaf, root, i}, REASON_CHAIN_ORDER},
	    {{leaf, i, other}, REASON_CHAIN_ORDER},
	    {{leaf, other, i}, REASON_CHAIN_ORDER},
	    {{leaf, leaf}, REASON_CHAIN_ORDER},
	    {{leaf, leaf, i}, REASON_CHAIN_ORDER},
	    {{leaf, i, i}, REASON_CHAIN_ORDER},
	    {{leaf, i, i, root}, REASON_CHAIN_ORDER},
	    {{leaf, i, root, root}, REASON_CHAIN_ORDER},
	    {{leaf, i, leaf}, REASON_CHAIN_ORDER},
	    {{leaf, forged}, REASON_CHAIN_ORDER},
	};

	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		_cleanup_free_ char *crt = pki_join(cases[n].parts);

		assert_reason(judge(crt, good_key, root), cases[n].reason);
	}
}

/* A leaf of an issuer that may not do what it does. */
static enum reason judge_issuer(const struct pki_cert *issuer, const struct pki_cert *what)
{
	EVP_PKEY *key = pki_key(PKI_P256, 3);
	X509 *ca = pki_sign(issuer, key, pki.root, pki.root_key);
	_cleanup_free_ char *leaf = sign_pem(what, pki_key(PKI_P256, 2), ca, key);
	_cleanup_free_ char *ca_pem = pki_cert_pem(ca);
	_cleanup_free_ char *crt = pki_join((const char *const[]){leaf, ca_pem, NULL});

	X509_free(ca);
	return judge(crt, good_key, NULL);
}

static void C4_chain_that_clients_refuse_is_refused(void **state _unused_)
{
	static const struct pki_cert plain;
	static const struct pki_cert good = {.subject = "CN=I", .ca = true};
	static const struct pki_cert no_ca = {.subject = "CN=I"};
	static const struct pki_cert named = {
	    .subject = "CN=I",
	    .ca = true,
	    .extension = {"nameConstraints=permitted;DNS:b.example"}};
	static const struct pki_cert outside = {.sans = "DNS:a.example"};
	static const struct pki_cert inside = {.sans = "DNS:a.b.example"};
	static const struct pki_cert unknown = {
	    .extension = {"1.2.3.4.5.6=critical,ASN1:UTF8String:x"}};

	assert_reason(judge_issuer(&good, &plain), REASON_NONE);
	assert_reason(judge_issuer(&no_ca, &plain), REASON_BAD_CHAIN);
	assert_reason(judge_issuer(&named, &inside), REASON_NONE);
	assert_reason(judge_issuer(&named, &outside), REASON_BAD_CHAIN);
	assert_reason(judge_issuer(&good, &unknown), REASON_BAD_CHAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C4_chain_stands_in_its_order),
	    cmocka_unit_test(C4_chain_that_clients_refuse_is_refused),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
