/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/gate.h"

#include "tests/lib/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/x509.h>

#define DAY_S ((int64_t)86400)

static struct pki pki;
static struct gate_policy policy;
static struct gate *gate;

static int setup(void **state _unused_)
{
	struct err e;

	pki_init(&pki);
	return gate_new(&policy, &gate, &e);
}

static int teardown(void **state _unused_)
{
	gate = gate_free(gate);
	pki_done(&pki);
	return 0;
}

static int no_policy(void **state _unused_)
{
	policy = (struct gate_policy){0};
	return 0;
}

static int64_t now_s(void)
{
	return (int64_t)time(NULL);
}

/* Judges at this moment; the verdict stays for the caller to look at. */
static struct gate_verdict verdict;

static enum reason judge_in(const char *crt, const char *key, const char *ca,
			    const struct gate_context *context)
{
	_cleanup_content_ struct content c;
	struct gate_context at = *context;
	struct err e;

	if (!at.wall_ms)
		at.wall_ms = now_s() * 1000;
	pki_content(&c, crt, key, ca);
	if (gate_judge(gate, &c, &at, &verdict, &e) < 0)
		fail_msg("gate_judge: %s", e.message);
	if (verdict.reason == REASON_NONE)
		assert_string_equal(verdict.detail, "");
	else
		assert_string_not_equal(verdict.detail, "");
	return verdict.reason;
}

static enum reason judge(const char *crt, const char *key, const char *ca)
{
	return judge_in(crt, key, ca, &(struct gate_context){0});
}

#define assert_reason(got, want) assert_string_equal(reason_code(got), reason_code(want))

/* A leaf of the intermediate, with the chain behind it. */
static char *issue(const struct pki_cert *what, EVP_PKEY *key)
{
	X509 *leaf = pki_sign(what, key, pki.intermediate, pki.intermediate_key);
	_cleanup_free_ char *pem = pki_cert_pem(leaf);

	X509_free(leaf);
	return pki_join((const char *const[]){pem, pki.intermediate_pem, NULL});
}

static const enum pki_type supported[] = {PKI_P256,    PKI_P384,    PKI_P521,
					  PKI_ED25519, PKI_RSA2048, PKI_RSA3072};

static void C1_key_matches_leaf_only_if_it_is_its_own(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_LEN(supported); i++) {
		_cleanup_free_ char *crt =
		    issue(&(struct pki_cert){0}, pki_key(supported[i], 0));

		for (size_t j = 0; j < ARRAY_LEN(supported); j++)
			for (unsigned n = 0; n < 2; n++) {
				_cleanup_free_ char *key =
				    pki_key_pem(pki_key(supported[j], n), PKI_PKCS8);
				bool own = i == j && n == 0;

				assert_reason(judge(crt, key, pki.root_pem),
					      own ? REASON_NONE : REASON_KEY_MISMATCH);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(C1_key_matches_leaf_only_if_it_is_its_own, no_policy),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
