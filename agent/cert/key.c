/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/key.h"

#include "base/limits.h"
#include "cert/der.h"
#include "cert/pem.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

/* The combinations, by OpenSSL's names. */
enum key_form {
	RSA_PKCS1,
	RSA_PKCS8,
	EC_SEC1,
	EC_PKCS8,
	ED25519_PKCS8,
	FORMS
};

static const struct {
	const char *type;
	const char *structure;
} forms[FORMS] = {
    [RSA_PKCS1] = {"RSA", "type-specific"},
    [RSA_PKCS8] = {"RSA", "PrivateKeyInfo"},
    [EC_SEC1] = {"EC", "type-specific"},
    [EC_PKCS8] = {"EC", "PrivateKeyInfo"},
    [ED25519_PKCS8] = {"ED25519", "PrivateKeyInfo"},
};

struct key_reader {
	OSSL_DECODER_CTX *decoders[FORMS];
	EVP_PKEY *decoded; /* where the decoders put a key; taken at once */
};

int key_reader_new(struct key_reader **ret, struct err *e)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : err_set(e, ERR_EXHAUSTED, "could not make a key reader");
}

struct key_reader *key_reader_free(struct key_reader *r)
{
	if (r)
		for (int i = 0; i < FORMS; i++)
			OSSL_DECODER_CTX_free(r->decoders[i]);
	free(r);
	return NULL;
}

static int decode(struct key_reader *r, enum key_form form, const uint8_t *der, size_t len,
		  struct gate_verdict *v, struct err *e)
{
	OSSL_DECODER_CTX **ctx = &r->decoders[form];
	const unsigned char *p = der;
	size_t left = len;

	if (!*ctx)
		*ctx =
		    OSSL_DECODER_CTX_new_for_pkey(&r->decoded, "DER", forms[form].structure,
						  forms[form].type, EVP_PKEY_KEYPAIR, NULL, NULL);
	if (!*ctx)
		return err_set(e, ERR_EXHAUSTED, "could not make a decoder of keys");
	if (!OSSL_DECODER_from_data(*ctx, &p, &left) || !r->decoded)
		return verdict_openssl(v, e, REASON_BAD_KEY, "the key in tls.key is malformed");
	if (left)
		return verdict_unfit(v, REASON_BAD_KEY,
				     "the key in tls.key has bytes behind its end");
	return 0;
}

static bool curve_is_allowed(int nid)
{
	return nid == NID_X9_62_prime256v1 || nid == NID_secp384r1 || nid == NID_secp521r1;
}

/* Curve parameters must be the name of an allowed curve, before OpenSSL looks at them. */
static int check_curve(struct der parameters, struct gate_verdict *v)
{
	struct der oid;

	if (der_expect(&parameters, V_ASN1_OBJECT, &oid) < 0)
		return verdict_unfit(v, REASON_BAD_KEY,
				     "the key in tls.key has explicit curve parameters");
	if (!curve_is_allowed(der_nid(&oid)))
		return verdict_unfit(v, REASON_BAD_KEY,
				     "the key in tls.key is on a curve other than P-256, P-384 "
				     "and P-521");
	return 0;
}

/* RFC 5915: version, key, [0] parameters, [1] public key. Named is true where PKCS#8 has said the
 * curve, so that it may be left out. */
static int check_sec1(struct der d, bool named, struct gate_verdict *v)
{
	struct der_item item;
	struct der body;
	struct der skipped;

	if (der_expect(&d, V_ASN1_SEQUENCE, &body) < 0 ||
	    der_expect(&body, V_ASN1_INTEGER, &skipped) < 0 ||
	    der_expect(&body, V_ASN1_OCTET_STRING, &skipped) < 0)
		return verdict_unfit(v, REASON_BAD_KEY, "the key in tls.key is malformed");
	while (der_next(&body, &item) == 0)
		if (item.class == V_ASN1_CONTEXT_SPECIFIC && item.tag == 0)
			return check_curve(item.body, v);
	if (!named)
		return verdict_unfit(v, REASON_BAD_KEY, "the key in tls.key names no curve");
	return 0;
}

/* RFC 5208: version, algorithm, key. Finds which key it is. */
static int check_pkcs8(struct der d, enum key_form *ret, struct gate_verdict *v)
{
	struct der body;
	struct der skipped;
	struct der algorithm;
	struct der oid;
	struct der key;

	if (der_expect(&d, V_ASN1_SEQUENCE, &body) < 0 ||
	    der_expect(&body, V_ASN1_INTEGER, &skipped) < 0 ||
	    der_expect(&body, V_ASN1_SEQUENCE, &algorithm) < 0 ||
	    der_expect(&algorithm, V_ASN1_OBJECT, &oid) < 0 ||
	    der_expect(&body, V_ASN1_OCTET_STRING, &key) < 0)
		return verdict_unfit(v, REASON_BAD_KEY, "the key in tls.key is malformed");
	switch (der_nid(&oid)) {
	case NID_rsaEncryption:
		*ret = RSA_PKCS8;
		return 0;
	case NID_X9_62_id_ecPublicKey:
		*ret = EC_PKCS8;
		if (check_curve(algorithm, v) < 0)
			return -1;
		return check_sec1(key, true, v);
	case NID_ED25519:
		*ret = ED25519_PKCS8;
		return 0;
	default:
		return verdict_unfit(v, REASON_BAD_KEY,
				     "the key in tls.key is of a type that is not supported");
	}
}

/* Which decoder a block needs. */
static int find_form(const struct pem_block *b, enum key_form *ret, struct gate_verdict *v)
{
	struct der d = {b->der, (size_t)b->len};

	if (strcmp(b->name, "ENCRYPTED PRIVATE KEY") == 0 || strstr(b->header, "ENCRYPTED"))
		return verdict_unfit(v, REASON_BAD_KEY, "the key in tls.key is encrypted");
	if (d.len > LIMIT_KEY_BYTES)
		return verdict_unfit(v, REASON_TOO_COMPLEX, "the key in tls.key is too long");
	if (strcmp(b->name, "PRIVATE KEY") == 0)
		return check_pkcs8(d, ret, v);
	if (strcmp(b->name, "RSA PRIVATE KEY") == 0) {
		*ret = RSA_PKCS1;
		return 0;
	}
	if (strcmp(b->name, "EC PRIVATE KEY") == 0) {
		*ret = EC_SEC1;
		return check_sec1(d, false, v);
	}
	return verdict_unfit(v, REASON_BAD_KEY,
			     "the key in tls.key is of a type that is not supported");
}

static bool ends_with(const char *s, const char *tail)
{
	size_t len = strlen(s);
	size_t tail_len = strlen(tail);

	return len >= tail_len && strcmp(s + len - tail_len, tail) == 0;
}

/* Finds the first private key; parameters and certificates beside it are skipped, as others do. */
static int find_block(const struct secret *pem, struct pem_block *ret, struct gate_verdict *v,
		      struct err *e)
{
	_cleanup_pem_ struct pem p = {0};
	const char *fault = pem_fault(pem->data, pem->len);
	enum pem_result result;

	if (fault)
		return verdict_unfit(v, REASON_BAD_PEM, "tls.key %s", fault);
	if (pem_init(&p, pem->data, pem->len, e) < 0)
		return -1;
	if (p.begun > LIMIT_PEM_BLOCKS)
		return verdict_unfit(v, REASON_TOO_COMPLEX, "tls.key has more than %d PEM blocks",
				     LIMIT_PEM_BLOCKS);
	while ((result = pem_next(&p, ret)) == PEM_BLOCK) {
		if (ends_with(ret->name, "PRIVATE KEY"))
			return 0;
		pem_block_done(ret);
	}
	if (result == PEM_BROKEN)
		return verdict_openssl(v, e, REASON_BAD_PEM, "tls.key is cut or damaged");
	return verdict_unfit(v, REASON_BAD_PEM, "tls.key has no private key among its PEM blocks");
}

/* One number of an RSA key; NULL when it has none. */
static BIGNUM *number(const EVP_PKEY *key, const char *name)
{
	BIGNUM *n = BN_secure_new();

	if (n && EVP_PKEY_get_bn_param(key, name, &n))
		return n;
	BN_clear_free(n);
	return NULL;
}

/* a * b mod (m - less) == 1 */
static bool is_inverse(const BIGNUM *a, const BIGNUM *b, const BIGNUM *m, BN_ULONG less,
		       BN_CTX *ctx)
{
	BIGNUM *modulus;
	BIGNUM *product;
	bool ok;

	BN_CTX_start(ctx);
	modulus = BN_CTX_get(ctx);
	product = BN_CTX_get(ctx);
	ok = product && BN_copy(modulus, m) && BN_sub_word(modulus, less) &&
	     BN_cmp(modulus, BN_value_one()) > 0 && BN_mod_mul(product, a, b, modulus, ctx) &&
	     BN_is_one(product);
	BN_CTX_end(ctx);
	return ok;
}

static bool is_product(const BIGNUM *p, const BIGNUM *q, const BIGNUM *n, BN_CTX *ctx)
{
	BIGNUM *product;
	bool ok;

	BN_CTX_start(ctx);
	product = BN_CTX_get(ctx);
	ok = product && BN_mul(product, p, q, ctx) && BN_cmp(product, n) == 0;
	BN_CTX_end(ctx);
	return ok;
}

/* What RSA_check_key proves, without its primality tests, which take seconds. */
static bool rsa_is_consistent(const EVP_PKEY *key)
{
	static const char *const names[] = {
	    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
	    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
	    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	enum {
		N,
		E,
		D,
		P,
		Q,
		DP,
		DQ,
		QINV,
		NUMBERS
	};
	BIGNUM *n[NUMBERS];
	BN_CTX *ctx = BN_CTX_secure_new();
	bool ok = ctx != NULL;

	for (int i = 0; i < NUMBERS; i++)
		ok = (n[i] = number(key, names[i])) && ok;
	ok = ok && is_product(n[P], n[Q], n[N], ctx) && is_inverse(n[E], n[D], n[P], 1, ctx) &&
	     is_inverse(n[E], n[D], n[Q], 1, ctx) && is_inverse(n[E], n[DP], n[P], 1, ctx) &&
	     is_inverse(n[E], n[DQ], n[Q], 1, ctx) && is_inverse(n[QINV], n[Q], n[P], 0, ctx);
	for (int i = 0; i < NUMBERS; i++)
		BN_clear_free(n[i]);
	BN_CTX_free(ctx);
	return ok;
}

static bool ec_is_consistent(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool ok = ctx && EVP_PKEY_private_check(ctx) > 0 && EVP_PKEY_pairwise_check(ctx) > 0;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* Sizes first, then whether the private part belongs to the public one. Ed25519 keys hold their
 * private part only. */
static int check_key(EVP_PKEY *key, struct gate_verdict *v, struct err *e)
{
	bool ok = true;

	if (EVP_PKEY_is_a(key, "RSA")) {
		if (EVP_PKEY_get_bits(key) > LIMIT_RSA_BITS)
			return verdict_unfit(v, REASON_TOO_COMPLEX,
					     "the key in tls.key has more than %d bits",
					     LIMIT_RSA_BITS);
		ok = rsa_is_consistent(key);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		ok = ec_is_consistent(key);
	}
	if (!ok)
		return verdict_openssl(v, e, REASON_BAD_KEY,
				       "the private part of tls.key does not belong to its public "
				       "part");
	return 0;
}

int key_read(struct key_reader *r, const struct secret *pem, EVP_PKEY **ret, struct gate_verdict *v,
	     struct err *e)
{
	_cleanup_block_ struct pem_block block = {0};
	enum key_form form;
	int rc;

	if (find_block(pem, &block, v, e) < 0 || find_form(&block, &form, v) < 0)
		return -1;
	rc = decode(r, form, block.der, (size_t)block.len, v, e);
	if (rc == 0)
		rc = check_key(r->decoded, v, e);
	if (rc == 0)
		*ret = TAKE(r->decoded);
	EVP_PKEY_free(r->decoded);
	r->decoded = NULL;
	return rc;
}

void key_name(const EVP_PKEY *key, char *ret, size_t size)
{
	char group[64] = "";

	if (EVP_PKEY_is_a(key, "RSA")) {
		snprintf(ret, size, "RSA %d", EVP_PKEY_get_bits(key));
	} else if (EVP_PKEY_is_a(key, "EC")) {
		int nid;
		const char *nist;

		EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
		nid = OBJ_txt2nid(group);
		nist = EC_curve_nid2nist(nid);
		snprintf(ret, size, "ECDSA %s", nist ? nist : group);
	} else if (EVP_PKEY_is_a(key, "ED25519")) {
		snprintf(ret, size, "Ed25519");
	} else {
		const char *name = EVP_PKEY_get0_type_name(key);

		snprintf(ret, size, "%s", name ? name : "");
	}
}
