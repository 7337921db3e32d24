/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the gate share: a hierarchy, a gate without a policy, and the last verdict. */

#include "cert/gate.h"

#include "tests/lib/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define DAY_S ((int64_t)86400)

/* Compares reasons by their codes, so that a failure can be read. */
#define assert_reason(got, want) assert_string_equal(reason_code(got), reason_code(want))

static struct pki pki;
static struct gate_policy policy;
static struct gate *gate;
static struct gate_verdict verdict;
static char *good_crt, *good_key; /* the usual good pair */

static inline int64_t now_s(void)
{
	return (int64_t)time(NULL);
}

static inline enum reason judge_content(const struct content *c, const struct gate_context *context)
{
	struct gate_context at = *context;
	struct err e;

	if (!at.wall_ms)
		at.wall_ms = now_s() * 1000;
	if (gate_judge(gate, c, &at, &verdict, &e) < 0)
		fail_msg("gate_judge: %s", e.message);
	if (verdict.reason == REASON_NONE)
		assert_string_equal(verdict.detail, "");
	else
		assert_string_not_equal(verdict.detail, "");
	return verdict.reason;
}

static inline enum reason judge_in(const char *crt, const char *key, const char *ca,
				   const struct gate_context *context)
{
	_cleanup_content_ struct content c;

	pki_content(&c, crt, key, ca);
	return judge_content(&c, context);
}

static inline enum reason judge(const char *crt, const char *key, const char *ca)
{
	return judge_in(crt, key, ca, &(struct gate_context){0});
}

/* A leaf of the intermediate, with the chain behind it. */
static inline char *issue(const struct pki_cert *what, EVP_PKEY *key)
{
	X509 *leaf = pki_sign(what, key, pki.intermediate, pki.intermediate_key);
	_cleanup_free_ char *pem = pki_cert_pem(leaf);

	X509_free(leaf);
	return pki_join((const char *const[]){pem, pki.intermediate_pem, NULL});
}

static inline char *sign_pem(const struct pki_cert *what, EVP_PKEY *key, X509 *issuer,
			     EVP_PKEY *issuer_key)
{
	X509 *cert = pki_sign(what, key, issuer, issuer_key);
	char *pem = pki_cert_pem(cert);

	X509_free(cert);
	return pem;
}

static inline int judge_setup(void **state _unused_)
{
	struct err e;

	pki_init(&pki);
	good_crt = issue(&(struct pki_cert){0}, pki_key(PKI_P256, 2));
	good_key = pki_key_pem(pki_key(PKI_P256, 2), PKI_PKCS8);
	return gate_new(&policy, &gate, &e);
}

static inline int judge_teardown(void **state _unused_)
{
	gate = gate_free(gate);
	free(good_crt);
	free(good_key);
	pki_done(&pki);
	return 0;
}
