/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate beside the openssl program, over generated pairs: openssl.h says what "takes" means
 * there. What the gate takes, openssl takes. What openssl takes, the gate takes, unless the row
 * names the reason for which the gate is stricter:
 *
 *   bad_pem      a byte order mark, DER, old block names, bytes behind a block's DER, indefinite
 *                lengths: some programs read what others do not
 *   bad_key      types and curves that servers do not take
 *   too_complex  beyond the limits
 *   ca_leaf, temporary, policy_*: not questions of form
 *
 * The other way about the gate alone tolerates a clock that is behind (not_yet_valid), and an
 * expired root at the end of the chain.
 */
#include "base/limits.h"
#include "tests/unit/cert/judge.h"
#include "tests/unit/cert/openssl.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>

static struct openssl reference;
static size_t pairs, taken, stricter;

static int setup(void **state)
{
	openssl_init(&reference);
	return judge_setup(state);
}

static int teardown(void **state)
{
	openssl_done(&reference);
	return judge_teardown(state);
}

/* Both say the same; with a reason, the gate alone refuses, for that. */
static void compare_with(const char *what, const char *crt, const char *key, const char *ca,
			 enum reason why)
{
	enum reason r = judge(crt, key, ca);
	bool theirs = openssl_takes(&reference, crt, key, ca);

	pairs++;
	taken += r == REASON_NONE;
	stricter += why != REASON_NONE;
	if (why != REASON_NONE && (r != why || !theirs))
		fail_msg("%s: the gate says %s (%s) instead of %s, openssl %s", what,
			 reason_code(r), verdict.detail, reason_code(why),
			 theirs ? "takes it" : "refuses it too");
	if (why == REASON_NONE && (r == REASON_NONE) != theirs)
		fail_msg("%s: the gate says %s (%s), openssl %s", what, reason_code(r),
			 verdict.detail, theirs ? "takes it" : "refuses it");
}

static void compare(const char *what, const char *crt, const char *key, const char *ca)
{
	compare_with(what, crt, key, ca, REASON_NONE);
}

static const enum pki_type supported[] = {PKI_P256,    PKI_P384,    PKI_P521,
					  PKI_ED25519, PKI_RSA2048, PKI_RSA1024};
static const enum pki_type other_types[] = {PKI_SECP256K1, PKI_BRAINPOOL256, PKI_ED448,
					    PKI_RSA_PSS};

/* A leaf and its issuer, of any two types. */
static char *chain_of(enum pki_type type, EVP_PKEY *ca_key)
{
	X509 *ca = pki_sign(&(struct pki_cert){.subject = "CN=Issuer", .ca = true}, ca_key,
			    pki.root, pki.root_key);
	_cleanup_free_ char *ca_pem = pki_cert_pem(ca);
	_cleanup_free_ char *leaf = sign_pem(&(struct pki_cert){0}, pki_key(type, 0), ca, ca_key);

	X509_free(ca);
	return pki_join((const char *const[]){leaf, ca_pem, pki.root_pem, NULL});
}

static void every_leaf_with_every_issuer(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_LEN(supported); i++) {
		_cleanup_free_ char *key = pki_key_pem(pki_key(supported[i], 0), PKI_PKCS8);

		for (size_t j = 0; j < ARRAY_LEN(supported); j++) {
			_cleanup_free_ char *crt = chain_of(supported[i], pki_key(supported[j], 1));

			compare(pki_type_name(supported[j]), crt, key, pki.root_pem);
		}
		for (size_t j = 0; j < ARRAY_LEN(other_types); j++) {
			_cleanup_free_ char *crt =
			    chain_of(supported[i], pki_key(other_types[j], 1));

			compare(pki_type_name(other_types[j]), crt, key, pki.root_pem);
		}
	}
}

static void every_key_with_every_leaf(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_LEN(supported); i++) {
		_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(supported[i], 0));

		for (size_t j = 0; j < ARRAY_LEN(supported); j++) {
			_cleanup_free_ char *key =
			    pki_key_pem(pki_key(supported[j], i == j), PKI_PKCS8);

			compare(pki_type_name(supported[j]), crt, key, NULL);
		}
		for (int form = PKI_TRADITIONAL; form < PKI_FORMS; form++) {
			_cleanup_free_ char *key = NULL;

			if (supported[i] == PKI_ED25519 && form != PKI_PKCS8_ENCRYPTED)
				continue;
			key = pki_key_pem(pki_key(supported[i], 0), (enum pki_form)form);
			compare(pki_type_name(supported[i]), crt, key, NULL);
		}
	}
}

static void stolen_keys(void **state _unused_)
{
	static const enum pki_type types[] = {PKI_P256, PKI_RSA2048};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		EVP_PKEY *stolen = pki_stolen_key(pki_key(types[i], 0), pki_key(types[i], 1));
		_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(types[i], 0));

		for (int form = PKI_PKCS8; form <= PKI_TRADITIONAL; form++) {
			_cleanup_free_ char *key = pki_key_pem(stolen, (enum pki_form)form);

			compare("stolen", crt, key, NULL);
		}
		EVP_PKEY_free(stolen);
	}
}

static void chains_of_all_shapes(void **state _unused_)
{
	EVP_PKEY *other_key = pki_key(PKI_P256, 3);
	_cleanup_free_ char *key = pki_key_pem(pki_key(PKI_P256, 2), PKI_PKCS8);
	_cleanup_free_ char *leaf = sign_pem(&(struct pki_cert){0}, pki_key(PKI_P256, 2),
					     pki.intermediate, pki.intermediate_key);
	_cleanup_free_ char *other = sign_pem(
	    &(struct pki_cert){.subject = "CN=Other Root", .ca = true}, other_key, NULL, other_key);
	_cleanup_free_ char *forged =
	    sign_pem(&(struct pki_cert){.subject = "CN=Test Intermediate", .ca = true}, other_key,
		     NULL, other_key);
	const char *parts[] = {leaf, pki.intermediate_pem, pki.root_pem, other, forged};
	char what[64];

	/* Every sequence of up to three behind the leaf or another first one. */
	for (size_t i = 0; i < 5 + 25 + 125; i++) {
		size_t n = i < 5 ? i : i < 30 ? i - 5 : i - 30;
		const char *chain[] = {parts[n % 5], i >= 5 ? parts[n / 5 % 5] : NULL,
				       i >= 30 ? parts[n / 25] : NULL, NULL};
		_cleanup_free_ char *crt = pki_join(chain);

		/* All with the leaf first; of the others, a few. */
		if (chain[0] != leaf && i >= 10)
			continue;
		snprintf(what, sizeof(what), "chain %zu", i);
		compare(what, crt, key, NULL);
	}
}

static void compare_issuer(const char *what, const struct pki_cert *issuer,
			   const struct pki_cert *leaf)
{
	EVP_PKEY *key = pki_key(PKI_P256, 3);
	X509 *ca = pki_sign(issuer, key, pki.root, pki.root_key);
	_cleanup_free_ char *pem = sign_pem(leaf, pki_key(PKI_P256, 2), ca, key);
	_cleanup_free_ char *ca_pem = pki_cert_pem(ca);
	_cleanup_free_ char *crt = pki_join((const char *const[]){pem, ca_pem, NULL});
	_cleanup_free_ char *key_pem = pki_key_pem(pki_key(PKI_P256, 2), PKI_PKCS8);

	X509_free(ca);
	compare(what, crt, key_pem, NULL);
}

static void issuers_and_leaves_of_all_kinds(void **state _unused_)
{
	static const struct pki_cert ca = {.subject = "CN=I", .ca = true};
	static const struct pki_cert plain;
	static const struct {
		const char *what;
		struct pki_cert issuer;
		struct pki_cert leaf;
	} rows[] = {
	    {"no CA", {.subject = "CN=I"}, {0}},
	    {"no constraints", {.subject = "CN=I", .ca = true, .no_constraints = true}, {0}},
	    {"pathlen", {.subject = "CN=I", .ca = true, .pathlen = "0"}, {0}},
	    {"inside",
	     {.subject = "CN=I", .ca = true, .extension = {"nameConstraints=permitted;DNS:b.x"}},
	     {.sans = "DNS:a.b.x"}},
	    {"outside",
	     {.subject = "CN=I", .ca = true, .extension = {"nameConstraints=permitted;DNS:b.x"}},
	     {.sans = "DNS:a.x"}},
	    {"excluded",
	     {.subject = "CN=I",
	      .ca = true,
	      .extension = {"nameConstraints=excluded;IP:10.0.0.0/255.0.0.0"}},
	     {.sans = "IP:10.1.1.1"}},
	    {"expired issuer",
	     {.subject = "CN=I", .ca = true, .not_before_s = 1000000000, .not_after_s = 1100000000},
	     {0}},
	    {"future issuer",
	     {.subject = "CN=I", .ca = true, .not_before_s = 4000000000, .not_after_s = 4100000000},
	     {0}},
	};
	static const struct pki_cert leaves[] = {
	    {.not_before_s = 1000000000, .not_after_s = 1100000000},
	    {.not_before_s = 4000000000, .not_after_s = 4100000000},
	    {.not_after_s = 2524607999},
	    {.not_after_s = 2524608000},
	    {.not_after_s = 253402300799},
	    {.digest = "SHA1"},
	    {.digest = "SHA512"},
	    {.sans = ""},
	    {.sans = "DNS:*.example,URI:spiffe://a/b,email:x@y.z,IP:::1"},
	    {.no_constraints = true},
	    {.serial = "00"},
	    {.serial = "7f"},
	    {.extension = {"1.2.3.4.5=critical,ASN1:UTF8String:x"}},
	    {.extension = {"1.2.3.4.5=ASN1:UTF8String:x"}},
	    {.extension = {"basicConstraints=DER:31:00"}, .no_constraints = true},
	    {.extension = {"extendedKeyUsage=serverAuth,clientAuth"}},
	    {.extension = {"extendedKeyUsage=critical,codeSigning"}},
	    {.subject = "CN=a,CN=b,O=\xc3\xa4"},
	};
	char what[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		compare_issuer(rows[i].what, &rows[i].issuer, &rows[i].leaf);
	compare_issuer("plain", &ca, &plain);
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		snprintf(what, sizeof(what), "leaf %zu", i);
		compare_issuer(what, &ca, &leaves[i]);
	}
}

static void texts_that_are_cut_or_decorated(void **state _unused_)
{
	_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(PKI_P256, 2));
	_cleanup_free_ char *key = pki_key_pem(pki_key(PKI_P256, 2), PKI_TRADITIONAL);
	const struct {
		const char *parts[5];
		const char *key_parts[5];
	} rows[] = {
	    {{"subject=x\n\n", crt}, {"Bag Attributes\n", key}},
	    {{crt, "junk\n", pki.root_pem}, {key, "junk\n"}},
	    {{crt, "\n\n\n"}, {crt, key, crt}},
	    {{key, crt, key},
	     {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
	      "-----END EC PARAMETERS-----\n",
	      key}},
	    {{crt, "-----BEGIN CERTIFICATE-----\n"}, {key}},
	    {{crt, "-----BEGIN CERTIFICATE-----\n$$\n-----END CERTIFICATE-----\n"}, {key}},
	    {{"junk"}, {key}},
	    {{""}, {key}},
	    {{crt}, {""}},
	    {{crt}, {crt}},
	};
	char what[64];

	for (size_t i = 0; i < 20; i++) {
		_cleanup_free_ char *cut_crt = strndup(crt, strlen(crt) * i / 20);
		_cleanup_free_ char *cut_key = strndup(key, (strlen(key) - 2) * i / 20);

		snprintf(what, sizeof(what), "cut %zu", i);
		compare(what, cut_crt, key, NULL);
		compare(what, crt, cut_key, NULL);
		compare(what, crt, key, cut_crt);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *some_crt = pki_join(rows[i].parts);
		_cleanup_free_ char *some_key = pki_join(rows[i].key_parts);

		snprintf(what, sizeof(what), "text %zu", i);
		compare(what, some_crt, some_key, NULL);
	}
}

/* One certificate as a block, with other names and a byte behind it. */
static void compare_blocks(EVP_PKEY *own, const char *key)
{
	X509 *self = pki_sign(&(struct pki_cert){0}, own, NULL, own);
	uint8_t der[2048] = {0};
	uint8_t *p = der;
	size_t len = (size_t)i2d_X509(self, &p);
	_cleanup_free_ char *plain = pki_block("CERTIFICATE", der, len);
	_cleanup_free_ char *old = pki_block("X509 CERTIFICATE", der, len);
	_cleanup_free_ char *trusted = pki_block("TRUSTED CERTIFICATE", der, len);
	_cleanup_free_ char *tail = pki_block("CERTIFICATE", der, len + 1);

	compare("block", plain, key, NULL);
	compare_with("old name", old, key, NULL, REASON_BAD_PEM);
	compare_with("trusted", trusted, key, NULL, REASON_BAD_PEM);
	compare_with("tail", tail, key, NULL, REASON_BAD_PEM);
	X509_free(self);
}

static void compare_explicit(EVP_PKEY *own, const char *crt)
{
	EVP_PKEY *key = EVP_PKEY_dup(own);
	_cleanup_free_ char *pem = NULL;

	assert_true(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING,
						   OSSL_PKEY_EC_ENCODING_EXPLICIT));
	pem = pki_key_pem(key, PKI_PKCS8);
	compare("explicit parameters", crt, pem, NULL);
	EVP_PKEY_free(key);
}

static void the_gate_is_stricter_for_these_reasons_alone(void **state _unused_)
{
	EVP_PKEY *local_key = pki_key(PKI_P521, 3);
	EVP_PKEY *own = pki_key(PKI_P256, 2);
	X509 *local = pki_sign(&(struct pki_cert){.subject = "CN=cert-manager.local", .ca = true},
			       local_key, NULL, local_key);
	_cleanup_free_ char *key = pki_key_pem(own, PKI_PKCS8);
	_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, own);
	_cleanup_free_ char *crt_bom = pki_join((const char *const[]){"\xef\xbb\xbf", crt, NULL});
	_cleanup_free_ char *key_bom = pki_join((const char *const[]){"\xef\xbb\xbf", key, NULL});
	_cleanup_free_ char *ca = sign_pem(&(struct pki_cert){.ca = true}, own, NULL, own);
	_cleanup_free_ char *temporary = sign_pem(
	    &(struct pki_cert){.subject = "CN=x,serialNumber=1234567890"}, own, local, local_key);
	char sans[16 * 1024] = "DNS:a";
	_cleanup_free_ char *many_names = NULL;

	for (int i = 0; i < LIMIT_SANS; i++)
		snprintf(sans + strlen(sans), sizeof(sans) - strlen(sans), ",DNS:n%d", i);
	many_names = issue(&(struct pki_cert){.sans = sans}, own);
	compare_with("byte order mark", crt_bom, key, NULL, REASON_BAD_PEM);
	compare_with("byte order mark", crt, key_bom, NULL, REASON_BAD_PEM);
	compare_with("CA", ca, key, NULL, REASON_CA_LEAF);
	compare_with("temporary", temporary, key, NULL, REASON_TEMPORARY);
	compare_with("names", many_names, key, NULL, REASON_TOO_COMPLEX);
	for (size_t i = 0; i < ARRAY_LEN(other_types); i++) {
		_cleanup_free_ char *other =
		    issue(&(struct pki_cert){0}, pki_key(other_types[i], 0));
		_cleanup_free_ char *other_key = pki_key_pem(pki_key(other_types[i], 0), PKI_PKCS8);

		compare_with(pki_type_name(other_types[i]), other, other_key, NULL, REASON_BAD_KEY);
	}
	compare_blocks(own, key);
	compare_explicit(own, crt);
	policy.deny_ecdsa = true;
	compare_with("policy", crt, key, NULL, REASON_POLICY_KEY);
	policy.deny_ecdsa = false;
	X509_free(local);
}

/* Sets one character of the base64 to another one. */
static char *corrupt(const char *text, uint64_t *seed)
{
	static const char base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *copy = strdup(text);
	size_t at;

	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	at = (size_t)(*seed >> 33) % (strlen(copy) - 80) + 30;
	if (copy[at] != '\n' && copy[at] != '-')
		copy[at] = base64[(*seed >> 20) % 64];
	return copy;
}

static void what_the_gate_takes_of_damaged_pairs_openssl_takes(void **state _unused_)
{
	static const enum pki_type types[] = {PKI_P256, PKI_ED25519, PKI_RSA1024};
	uint64_t seed = (uint64_t)now_s();
	int rounds = getenv("CERTHUP_SOAK") ? 3000 : 100;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < rounds; i++) {
		EVP_PKEY *own = pki_key(types[i % 3], 0);
		_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, own);
		_cleanup_free_ char *key = pki_key_pem(
		    own, i % 2 || types[i % 3] == PKI_ED25519 ? PKI_PKCS8 : PKI_TRADITIONAL);
		_cleanup_free_ char *bad_crt = corrupt(crt, &seed);
		_cleanup_free_ char *bad_key = corrupt(key, &seed);

		if (judge(bad_crt, key, bad_crt) == REASON_NONE)
			assert_true(openssl_takes(&reference, bad_crt, key, bad_crt));
		if (judge(crt, bad_key, NULL) == REASON_NONE)
			assert_true(openssl_takes(&reference, crt, bad_key, NULL));
	}
}

static void at_least_200_pairs_were_compared(void **state _unused_)
{
	print_message("%zu pairs, %zu taken, %zu where the gate is stricter\n", pairs, taken,
		      stricter);
	if (getenv("CERTHUP_TEST"))
		skip();
	assert_true(pairs >= 200);
	assert_true(taken >= 50);
	assert_true(taken <= pairs - 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_leaf_with_every_issuer),
	    cmocka_unit_test(every_key_with_every_leaf),
	    cmocka_unit_test(stolen_keys),
	    cmocka_unit_test(chains_of_all_shapes),
	    cmocka_unit_test(issuers_and_leaves_of_all_kinds),
	    cmocka_unit_test(texts_that_are_cut_or_decorated),
	    cmocka_unit_test(the_gate_is_stricter_for_these_reasons_alone),
	    cmocka_unit_test(what_the_gate_takes_of_damaged_pairs_openssl_takes),
	    cmocka_unit_test(at_least_200_pairs_were_compared),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
