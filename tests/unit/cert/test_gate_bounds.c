/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody could put into a Secret to keep the gate busy. The CPU time of this thread is what
 * counts, so that it holds on a busy machine too.
 */
#include "base/limits.h"
#include "tests/unit/cert/judge.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#ifdef __SANITIZE_ADDRESS__
#define BOUND_US 200000 /* each allocation is watched */
#else
#define BOUND_US 50000 /* what gate.h says */
#endif

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The best of three: what another program's use of the caches adds is not the gate's. */
static enum reason judge_in_time(const char *what, const char *crt, const char *key, const char *ca)
{
	int64_t best = INT64_MAX;
	enum reason r = REASON_NONE;

	for (int i = 0; i < 3; i++) {
		int64_t start = cpu_us();

		r = judge(crt, key, ca);
		if (cpu_us() - start < best)
			best = cpu_us() - start;
	}
	print_message("%6lld us  %s: %s %s\n", (long long)best, what, reason_code(r),
		      verdict.detail);
	assert_true(best <= BOUND_US);
	return r;
}

/* head, and then unit as often as a Secret has room for. */
static char *fill(const char *head, const char *unit)
{
	size_t max = LIMIT_CONTENT - 8 * KIB;
	char *text = malloc(max + 1);
	size_t len = strlen(head);
	size_t n = strlen(unit);

	memcpy(text, head, len);
	for (; len + n <= max; len += n)
		memcpy(text + len, unit, n);
	text[len] = '\0';
	return text;
}

static char *times(const char *unit, size_t n)
{
	size_t len = strlen(unit);
	char *text = malloc(n * len + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, unit, len);
	text[n * len] = '\0';
	return text;
}

static void C4_text_of_any_kind_is_judged_in_time(void **state _unused_)
{
	static const struct {
		const char *head;
		const char *unit;
	} texts[] = {
	    {"", "\n"},
	    {"-----BEGIN CERTIFICATE-----\n", "a\n"},
	    {"-----BEGIN CERTIFICATE-----\n", "QUFB\n"},
	    {"-----BEGIN CERTIFICATE-----\n", "a"},
	    {"-----BEGIN CERTIFICATE-----\n", "a: b\n"},
	    {"", "-----BEGIN"},
	    {"", "-----BEGIN CERTIFICATE-----\n"},
	    {"", "-----BEGIN A-----\n-----END A-----\n"},
	    {"", "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n"},
	    {"", "-"},
	    {"0\x82", "\xff"},
	};
	_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(PKI_P256, 2));

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_free_ char *text = fill(texts[i].head, texts[i].unit);
		_cleanup_free_ char *before = pki_join((const char *const[]){text, crt, NULL});
		enum reason r = judge_in_time("tls.crt", text, good_key, NULL);

		assert_true(r == REASON_BAD_PEM || r == REASON_TOO_COMPLEX);
		r = judge_in_time("tls.key", crt, text, NULL);
		assert_true(r == REASON_BAD_PEM || r == REASON_TOO_COMPLEX);
		r = judge_in_time("ca.crt", crt, good_key, text);
		assert_true(r == REASON_BAD_PEM || r == REASON_TOO_COMPLEX);
		r = judge_in_time("before the leaf", before, good_key, NULL);
		assert_true(r == REASON_NONE || r == REASON_BAD_PEM || r == REASON_TOO_COMPLEX);
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
	return judge_in_time("issuer", crt, good_key, NULL);
}

/* A leaf under that many CAs with the same key, and the leaf first. */
static char *deep_chain(EVP_PKEY *ca_key, size_t cas, const char *digest)
{
	X509 *issuer = NULL;
	char *text = strdup("");
	struct pki_cert what = {.ca = true, .digest = digest};

	for (size_t i = 0; i <= cas; i++) {
		bool last = i == cas;
		char subject[32];
		X509 *cert;
		char *pem;
		char *longer;

		snprintf(subject, sizeof(subject), "CN=CA %zu", i);
		what.subject = subject;
		what.ca = !last;
		cert = pki_sign(&what, last ? pki_key(PKI_P256, 2) : ca_key, issuer, ca_key);
		X509_free(issuer);
		issuer = cert;
		pem = pki_cert_pem(cert);
		longer = pki_join((const char *const[]){pem, text, NULL});
		free(pem);
		free(text);
		text = longer;
	}
	X509_free(issuer);
	return text;
}

static void C4_many_certificates_are_too_many(void **state _unused_)
{
	_cleanup_free_ char *most = deep_chain(pki.root_key, LIMIT_PEM_BLOCKS - 1, NULL);
	_cleanup_free_ char *one_more = deep_chain(pki.root_key, LIMIT_PEM_BLOCKS, NULL);
	_cleanup_free_ char *hundred = times(pki.root_pem, 100);
	_cleanup_free_ char *same = times(pki.root_pem, LIMIT_PEM_BLOCKS);
	_cleanup_free_ char *root_key = pki_key_pem(pki.root_key, PKI_PKCS8);

	assert_reason(judge_in_time("most", most, good_key, NULL), REASON_NONE);
	assert_reason(judge_in_time("one more", one_more, good_key, NULL), REASON_TOO_COMPLEX);
	assert_reason(judge_in_time("hundred", hundred, good_key, NULL), REASON_TOO_COMPLEX);
	assert_reason(judge_in_time("same", same, root_key, NULL), REASON_CA_LEAF);
}

/* Writes RFC 8017's RSAPrivateKey or RSAPublicKey. */
static EVP_PKEY *rsa_from(const BIGNUM *const *numbers, size_t count)
{
	static const char *const names[] = {
	    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
	    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
	    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	OSSL_PARAM_BLD *to = OSSL_PARAM_BLD_new();
	EVP_PKEY *key;

	for (size_t i = 0; i < count; i++)
		assert_true(OSSL_PARAM_BLD_push_BN(to, names[i], numbers[i]));
	key = pki_key_from("RSA", to);
	OSSL_PARAM_BLD_free(to);
	return key;
}

/* An RSA key of 15636 bits without the wait: its primes are Mersenne's. */
static EVP_PKEY *huge_rsa(void)
{
	enum {
		N,
		E,
		D,
		P,
		Q,
		DP,
		DQ,
		QINV,
		PHI,
		P1,
		Q1,
		NUMBERS
	};
	BIGNUM *n[NUMBERS];
	BN_CTX *ctx = BN_CTX_new();
	EVP_PKEY *key;

	for (int i = 0; i < NUMBERS; i++)
		n[i] = BN_new();
	assert_true(BN_set_bit(n[P], 11213) && BN_sub_word(n[P], 1) && BN_set_bit(n[Q], 4423) &&
		    BN_sub_word(n[Q], 1) && BN_set_word(n[E], 65537));
	assert_true(BN_copy(n[P1], n[P]) && BN_sub_word(n[P1], 1) && BN_copy(n[Q1], n[Q]) &&
		    BN_sub_word(n[Q1], 1));
	assert_true(BN_mul(n[N], n[P], n[Q], ctx) && BN_mul(n[PHI], n[P1], n[Q1], ctx) &&
		    BN_mod_inverse(n[D], n[E], n[PHI], ctx) && BN_mod(n[DP], n[D], n[P1], ctx) &&
		    BN_mod(n[DQ], n[D], n[Q1], ctx) && BN_mod_inverse(n[QINV], n[Q], n[P], ctx));
	key = rsa_from((const BIGNUM *const *)n, QINV + 1);
	for (int i = 0; i < NUMBERS; i++)
		BN_free(n[i]);
	BN_CTX_free(ctx);
	return key;
}

/* A public key with numbers of any length. */
static EVP_PKEY *rsa_of_size(int bits, int exponent_bits)
{
	BIGNUM *n[2] = {BN_new(), BN_new()};
	EVP_PKEY *key;

	assert_true(BN_rand(n[0], bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) &&
		    BN_rand(n[1], exponent_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
	key = rsa_from((const BIGNUM *const *)n, 2);
	BN_free(n[0]);
	BN_free(n[1]);
	return key;
}

static void C4_large_rsa_keys_are_judged_in_time(void **state _unused_)
{
	EVP_PKEY *huge = huge_rsa();
	_cleanup_free_ char *leaf = issue(&(struct pki_cert){0}, huge);
	_cleanup_free_ char *key = pki_key_pem(huge, PKI_TRADITIONAL);
	_cleanup_free_ char *most = deep_chain(huge, 8, NULL);
	_cleanup_free_ char *one_more = deep_chain(huge, 9, NULL);

	assert_reason(judge_in_time("leaf", leaf, key, NULL), REASON_NONE);
	assert_string_equal(verdict.leaf.key, "RSA 15636");
	assert_reason(judge_in_time("most", most, good_key, NULL), REASON_NONE);
	assert_reason(judge_in_time("one more", one_more, good_key, NULL), REASON_TOO_COMPLEX);
	EVP_PKEY_free(huge);
}

static void C4_larger_rsa_numbers_are_refused_before_they_are_used(void **state _unused_)
{
	static const struct {
		int bits;
		int exponent_bits;
	} sizes[] = {{16385, 17}, {100000, 17}, {2048, 33}, {3072, 3072}, {16384, 64}, {512, 512}};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		EVP_PKEY *key = rsa_of_size(sizes[i].bits, sizes[i].exponent_bits);
		_cleanup_free_ char *leaf =
		    sign_pem(&(struct pki_cert){0}, key, pki.root, pki.root_key);
		_cleanup_free_ char *second =
		    pki_join((const char *const[]){pki.intermediate_pem, leaf, NULL});

		assert_reason(judge_in_time("leaf", leaf, good_key, NULL), REASON_TOO_COMPLEX);
		assert_reason(judge_in_time("second", second, good_key, NULL), REASON_TOO_COMPLEX);
		EVP_PKEY_free(key);
	}
}

static void C4_large_private_numbers_are_refused_before_they_are_used(void **state _unused_)
{
	_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(PKI_P256, 2));
	_cleanup_free_ uint8_t *zeros = calloc(1, LIMIT_CONTENT / 2);
	size_t len;
	_cleanup_free_ uint8_t *der = pki_key_der(pki_key(PKI_RSA2048, 0), PKI_TRADITIONAL, &len);
	_cleanup_free_ char *long_block = NULL;
	_cleanup_free_ char *ten_keys = NULL;
	_cleanup_free_ char *rsa = pki_block("RSA PRIVATE KEY", der, len);

	memcpy(zeros, der, len);
	long_block = pki_block("RSA PRIVATE KEY", zeros, LIMIT_CONTENT / 2);
	ten_keys = times(rsa, LIMIT_PEM_BLOCKS + 1);
	assert_reason(judge_in_time("long", crt, long_block, NULL), REASON_TOO_COMPLEX);
	assert_reason(judge_in_time("many", crt, ten_keys, NULL), REASON_TOO_COMPLEX);
}

static void C4_slow_curves_are_judged_in_time(void **state _unused_)
{
	EVP_PKEY *key = pki_key(PKI_P384, 0);
	_cleanup_free_ char *most = deep_chain(key, 20, NULL);
	_cleanup_free_ char *one_more = deep_chain(key, 21, NULL);

	assert_reason(judge_in_time("most", most, good_key, NULL), REASON_NONE);
	assert_reason(judge_in_time("one more", one_more, good_key, NULL), REASON_TOO_COMPLEX);
}

static EVP_PKEY *explicit_curve(void)
{
	EVP_PKEY *key = EVP_PKEY_dup(pki_key(PKI_P256, 2));

	assert_true(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING,
						   OSSL_PKEY_EC_ENCODING_EXPLICIT));
	return key;
}

static void C4_explicit_curve_parameters_are_refused(void **state _unused_)
{
	EVP_PKEY *key = explicit_curve();
	_cleanup_free_ char *good = issue(&(struct pki_cert){0}, pki_key(PKI_P256, 2));
	_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, key);
	_cleanup_free_ char *issuer = deep_chain(key, 2, NULL);
	_cleanup_free_ char *sec1 = pki_key_pem(key, PKI_TRADITIONAL);
	_cleanup_free_ char *pkcs8 = pki_key_pem(key, PKI_PKCS8);

	assert_reason(judge_in_time("leaf", crt, good_key, NULL), REASON_BAD_KEY);
	assert_reason(judge_in_time("issuer", issuer, good_key, NULL), REASON_BAD_KEY);
	assert_reason(judge_in_time("SEC1", good, sec1, NULL), REASON_BAD_KEY);
	assert_reason(judge_in_time("PKCS#8", good, pkcs8, NULL), REASON_BAD_KEY);
	EVP_PKEY_free(key);
}

/* "DNS:0.example,DNS:1.example" ... */
static char *many_names(const char *kind, size_t n, const char *tail)
{
	size_t room = strlen(kind) + strlen(tail) + 24;
	char *text = calloc(n + 1, room);
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, room, "%s%s%zu%s", i ? "," : "", kind, i, tail);
	return text;
}

static enum reason judge_names(const char *sans)
{
	_cleanup_free_ char *crt = issue(&(struct pki_cert){.sans = sans}, pki_key(PKI_P256, 2));

	return judge_in_time("names", crt, good_key, NULL);
}

static void C4_many_names_are_judged_in_time(void **state _unused_)
{
	_cleanup_free_ char *most = many_names("DNS:", LIMIT_SANS, ".a-rather-long-name.example");
	_cleanup_free_ char *one_more = many_names("DNS:", LIMIT_SANS + 1, "");
	_cleanup_free_ char *lots = many_names("DNS:", 12000, "");

	assert_reason(judge_names(most), REASON_NONE);
	assert_reason(judge_names(one_more), REASON_TOO_COMPLEX);
	assert_reason(judge_names(lots), REASON_TOO_COMPLEX);
}

static enum reason judge_constraints(size_t constraints, const char *kind, size_t names,
				     const char *name_kind)
{
	_cleanup_free_ char *list = many_names(kind, constraints, ".example");
	_cleanup_free_ char *extension =
	    pki_join((const char *const[]){"nameConstraints=", list, NULL});
	_cleanup_free_ char *sans = many_names(name_kind, names, ".0.example");

	return judge_issuer(
	    &(struct pki_cert){.subject = "CN=I", .ca = true, .extension = {extension}},
	    &(struct pki_cert){.sans = sans});
}

static void C4_names_times_constraints_are_bounded(void **state _unused_)
{
	static const char mailbox[] = "permitted;otherName:1.3.6.1.5.5.7.8.9;UTF8:xn--bcher-kva";
	static const char address[] = "otherName:1.3.6.1.5.5.7.8.9;UTF8:b@xn--bcher-kva";

	assert_reason(judge_constraints(15, "permitted;DNS:", 500, "DNS:"), REASON_NONE);
	assert_reason(judge_constraints(100, "permitted;DNS:", 900, "DNS:"), REASON_TOO_COMPLEX);
	assert_reason(judge_constraints(20, "excluded;email:.n", 300, "email:x@y"), REASON_NONE);
	/* Names that are converted before they are compared. */
	assert_string_not_equal(reason_code(judge_constraints(20, mailbox, 80, address)),
				reason_code(REASON_TOO_COMPLEX));
	assert_reason(judge_constraints(20, mailbox, 300, address), REASON_TOO_COMPLEX);
}

static char *crt_with_subject_parts(size_t parts)
{
	_cleanup_free_ char *subject = many_names("CN=", parts, "");

	return issue(&(struct pki_cert){.subject = subject}, pki_key(PKI_P256, 2));
}

static void C4_parts_of_certificates_are_bounded(void **state _unused_)
{
	_cleanup_free_ char *most = crt_with_subject_parts(1800);
	_cleanup_free_ char *too_many = crt_with_subject_parts(2100);
	_cleanup_free_ uint8_t *nested = malloc(60000);
	_cleanup_free_ char *deep = NULL;

	assert_reason(judge_in_time("most", most, good_key, most), REASON_NONE);
	assert_reason(judge_in_time("too many", too_many, good_key, NULL), REASON_TOO_COMPLEX);
	for (size_t i = 0; i < 60000; i += 4) {
		size_t left = 60000 - i - 4;

		nested[i] = 0x30;
		nested[i + 1] = 0x82;
		nested[i + 2] = (uint8_t)(left >> 8);
		nested[i + 3] = (uint8_t)left;
	}
	deep = pki_block("CERTIFICATE", nested, 60000);
	assert_reason(judge_in_time("deep", deep, good_key, NULL), REASON_BAD_PEM);
	assert_reason(judge_in_time("deep", most, deep, NULL), REASON_BAD_PEM);
}

static void C4_bundles_are_judged_in_time(void **state _unused_)
{
	EVP_PKEY *key = pki_key(PKI_RSA3072, 0);
	_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(PKI_P256, 2));
	_cleanup_free_ char *root = sign_pem(
	    &(struct pki_cert){.subject = "C=XX,O=A Trust Services Company,CN=A Root", .ca = true},
	    key, NULL, key);
	_cleanup_free_ char *most = times(root, LIMIT_CA_BLOCKS);
	_cleanup_free_ char *one_more = times(pki.root_pem, LIMIT_CA_BLOCKS + 1);
	_cleanup_free_ char *fancy = crt_with_subject_parts(1800);
	_cleanup_free_ char *names = times(fancy, 12);

	assert_reason(judge_in_time("most", crt, good_key, most), REASON_NONE);
	assert_reason(judge_in_time("one more", crt, good_key, one_more), REASON_TOO_COMPLEX);
	assert_reason(judge_in_time("names", crt, good_key, names), REASON_TOO_COMPLEX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C4_text_of_any_kind_is_judged_in_time),
	    cmocka_unit_test(C4_many_certificates_are_too_many),
	    cmocka_unit_test(C4_large_rsa_keys_are_judged_in_time),
	    cmocka_unit_test(C4_larger_rsa_numbers_are_refused_before_they_are_used),
	    cmocka_unit_test(C4_large_private_numbers_are_refused_before_they_are_used),
	    cmocka_unit_test(C4_slow_curves_are_judged_in_time),
	    cmocka_unit_test(C4_explicit_curve_parameters_are_refused),
	    cmocka_unit_test(C4_many_names_are_judged_in_time),
	    cmocka_unit_test(C4_names_times_constraints_are_bounded),
	    cmocka_unit_test(C4_parts_of_certificates_are_bounded),
	    cmocka_unit_test(C4_bundles_are_judged_in_time),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
