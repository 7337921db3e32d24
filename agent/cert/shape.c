/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/shape.h"

#include "base/limits.h"
#include "cert/der.h"

#include <openssl/asn1t.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* RFC 5280 4.1, with the key left as it is. */
struct shape_key {
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *bits;
};

struct shape_tbs {
	ASN1_INTEGER *version;
	ASN1_INTEGER *serial;
	X509_ALGOR *signature;
	X509_NAME *issuer;
	X509_VAL *validity;
	X509_NAME *subject;
	struct shape_key *key;
	ASN1_BIT_STRING *issuer_id;
	ASN1_BIT_STRING *subject_id;
	STACK_OF(X509_EXTENSION) * extensions;
};

struct shape_cert {
	struct shape_tbs *tbs;
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *signature;
};

/* clang-format off */
typedef struct shape_key SHAPE_KEY;
ASN1_SEQUENCE(SHAPE_KEY) = {
	ASN1_SIMPLE(SHAPE_KEY, algorithm, X509_ALGOR),
	ASN1_SIMPLE(SHAPE_KEY, bits, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(SHAPE_KEY)

typedef struct shape_tbs SHAPE_TBS;
ASN1_SEQUENCE(SHAPE_TBS) = {
	ASN1_EXP_OPT(SHAPE_TBS, version, ASN1_INTEGER, 0),
	ASN1_SIMPLE(SHAPE_TBS, serial, ASN1_INTEGER),
	ASN1_SIMPLE(SHAPE_TBS, signature, X509_ALGOR),
	ASN1_SIMPLE(SHAPE_TBS, issuer, X509_NAME),
	ASN1_SIMPLE(SHAPE_TBS, validity, X509_VAL),
	ASN1_SIMPLE(SHAPE_TBS, subject, X509_NAME),
	ASN1_SIMPLE(SHAPE_TBS, key, SHAPE_KEY),
	ASN1_IMP_OPT(SHAPE_TBS, issuer_id, ASN1_BIT_STRING, 1),
	ASN1_IMP_OPT(SHAPE_TBS, subject_id, ASN1_BIT_STRING, 2),
	ASN1_EXP_SEQUENCE_OF_OPT(SHAPE_TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(SHAPE_TBS)

typedef struct shape_cert SHAPE_CERT;
ASN1_SEQUENCE(SHAPE_CERT) = {
	ASN1_SIMPLE(SHAPE_CERT, tbs, SHAPE_TBS),
	ASN1_SIMPLE(SHAPE_CERT, algorithm, X509_ALGOR),
	ASN1_SIMPLE(SHAPE_CERT, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(SHAPE_CERT)
    /* clang-format on */

    /* Where a certificate stands, for the detail of a verdict. */
    struct place {
	const char *file;
	size_t number;
	struct gate_verdict *v;
};

#define unfit(place, reason, text)                                                                 \
	verdict_unfit((place)->v, (reason), "certificate %zu of %s %s", (place)->number,           \
		      (place)->file, (text))

static int check_rsa(const struct shape_key *key, uint64_t *ret_us, const struct place *at)
{
	struct der d = {ASN1_STRING_get0_data(key->bits), (size_t)ASN1_STRING_length(key->bits)};
	struct der numbers;
	struct der modulus;
	struct der exponent;
	uint64_t bits;

	if (der_expect(&d, V_ASN1_SEQUENCE, &numbers) < 0 ||
	    der_expect(&numbers, V_ASN1_INTEGER, &modulus) < 0 ||
	    der_expect(&numbers, V_ASN1_INTEGER, &exponent) < 0)
		return unfit(at, REASON_BAD_PEM, "has a malformed RSA key");
	bits = der_bits(&modulus);
	if (bits > LIMIT_RSA_BITS)
		return unfit(at, REASON_TOO_COMPLEX, "has too large an RSA modulus");
	if (der_bits(&exponent) > LIMIT_RSA_EXPONENT_BITS)
		return unfit(at, REASON_TOO_COMPLEX, "has too large an RSA exponent");
	/* 40 us for 2048 bits and an exponent of 17, growing with the square and the length. */
	*ret_us = 40 * bits * bits / (2048 * 2048) * der_bits(&exponent) / 17;
	return 0;
}

static int check_curve(const struct shape_key *key, uint64_t *ret_us, const struct place *at)
{
	const ASN1_TYPE *curve = key->algorithm->parameter;
	int nid;

	if (!curve || ASN1_TYPE_get(curve) != V_ASN1_OBJECT)
		return unfit(at, REASON_BAD_KEY, "has a key with explicit curve parameters");
	nid = OBJ_obj2nid(curve->value.object);
	if (nid == NID_X9_62_prime256v1)
		*ret_us = 100;
	else if (nid == NID_secp384r1 || nid == NID_secp521r1)
		*ret_us = 1000;
	else
		*ret_us = 4000;
	return 0;
}

/* What a signature by this key costs to verify. */
static int check_key(const struct shape_key *key, uint64_t *ret_us, const struct place *at)
{
	switch (OBJ_obj2nid(key->algorithm->algorithm)) {
	case NID_rsaEncryption:
	case NID_rsassaPss:
		return check_rsa(key, ret_us, at);
	case NID_X9_62_id_ecPublicKey:
		return check_curve(key, ret_us, at);
	case NID_ED25519:
	case NID_ED448:
		*ret_us = 300;
		return 0;
	default:
		return unfit(at, REASON_BAD_KEY, "has a key of a type that is not supported");
	}
}

/* Items in the values of the extensions, which OpenSSL parses later. */
static void count_extensions(const struct shape_tbs *tbs, struct shape_budget *budget)
{
	for (int i = 0; i < sk_X509_EXTENSION_num(tbs->extensions); i++) {
		X509_EXTENSION *ext = sk_X509_EXTENSION_value(tbs->extensions, i);
		const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);
		struct der d = {ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
		size_t count = der_count(d, budget->max_elements);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));

		/* Not DER: as many as there could be. */
		if (count == 0)
			count = d.len / 2;
		budget->elements += count;
		if (nid == NID_subject_alt_name)
			budget->names += count ? count - 1 : 0;
		if (nid == NID_name_constraints)
			budget->constraints += count;
	}
}

static int check_use(const struct shape_tbs *tbs, struct shape_budget *budget,
		     const struct place *at)
{
	uint64_t us;

	if (check_key(tbs->key, &us, at) < 0)
		return -1;
	if (budget->count > 1)
		budget->verify_us += us;
	if (budget->verify_us > LIMIT_VERIFY_US)
		return unfit(at, REASON_TOO_COMPLEX, "makes the chain too slow to verify");
	count_extensions(tbs, budget);
	if (budget->names > LIMIT_SANS)
		return unfit(at, REASON_TOO_COMPLEX, "has too many names");
	if (budget->elements > budget->max_elements)
		return unfit(at, REASON_TOO_COMPLEX, "has too many parts in its extensions");
	if (budget->constraints * budget->elements > LIMIT_NAME_CHECKS)
		return unfit(at, REASON_TOO_COMPLEX, "has too many name constraints");
	return 0;
}

/* Sizes, before anything is parsed. */
static int check_size(struct shape_budget *budget, const uint8_t *der, size_t len,
		      const struct place *at)
{
	size_t elements = der_count((struct der){der, len}, budget->max_elements);

	budget->bytes += len;
	budget->elements += elements;
	if (budget->count > budget->max_count)
		return unfit(at, REASON_TOO_COMPLEX, "is one too many");
	if (budget->use && budget->bytes > LIMIT_CHAIN_BYTES)
		return unfit(at, REASON_TOO_COMPLEX, "makes the chain too long");
	if (elements == 0)
		return unfit(at, REASON_BAD_PEM, "is not DER");
	if (budget->elements > budget->max_elements)
		return unfit(at, REASON_TOO_COMPLEX, "has too many parts");
	return 0;
}

int shape_check(struct shape_budget *budget, const char *file, const uint8_t *der, size_t len,
		struct gate_verdict *v, struct err *e)
{
	struct place at = {file, ++budget->count, v};
	const unsigned char *p = der;
	struct shape_cert *cert;
	int rc = 0;

	if (check_size(budget, der, len, &at) < 0)
		return -1;
	cert = (struct shape_cert *)ASN1_item_d2i(NULL, &p, (long)len, ASN1_ITEM_rptr(SHAPE_CERT));
	if (!cert)
		return verdict_openssl(v, e, REASON_BAD_PEM, "certificate %zu of %s is malformed",
				       at.number, file);
	if (p != der + len)
		rc = unfit(&at, REASON_BAD_PEM, "has bytes behind its end");
	else if (budget->use)
		rc = check_use(cert->tbs, budget, &at);
	ASN1_item_free((ASN1_VALUE *)cert, ASN1_ITEM_rptr(SHAPE_CERT));
	return rc;
}
