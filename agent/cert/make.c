/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/make.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SERIAL_BITS 127 /* positive, and of 16 bytes at most */

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static void x509_freep(X509 **x)
{
	X509_free(*x);
}

static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static int fail(struct err *e, const char *what)
{
	ERR_clear_error();
	return err_set(e, ERR_EXHAUSTED, "OpenSSL could not %s", what);
}

static EVP_PKEY *new_key(enum make_key kind)
{
	return kind == MAKE_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
				    : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static bool set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
		  BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));

	BN_free(n);
	return ok;
}

static bool set_name(X509 *x, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);

	return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
					  -1, -1, 0) &&
	       X509_set_issuer_name(x, subject);
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = extension && X509_add_ext(x, extension, -1);

	X509_EXTENSION_free(extension);
	return ok;
}

static bool set_dates(X509 *x, const struct make_leaf *leaf)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)leaf->not_before_s) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)leaf->not_after_s);
}

static bool fill(X509 *x, const struct make_leaf *leaf, EVP_PKEY *key)
{
	char san[LIMIT_HOST_NAME + sizeof("DNS:")];

	snprintf(san, sizeof(san), "DNS:%s", leaf->name);
	return X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_name(x, leaf->name) &&
	       set_dates(x, leaf) && X509_set_pubkey(x, key) &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_subject_alt_name, san) &&
	       X509_sign(x, key, leaf->key == MAKE_ED25519 ? NULL : EVP_sha256()) > 0;
}

static int add(struct content *to, const char *name, BIO *from, struct err *e)
{
	char *text = NULL;
	long len = BIO_get_mem_data(from, &text);

	return content_add(to, name, text, (size_t)len, e);
}

int make_pair(const struct make_leaf *leaf, struct content *ret, struct err *e)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = NULL;
	_cleanup_(x509_freep) X509 *x = X509_new();
	_cleanup_(bio_freep) BIO *crt = BIO_new(BIO_s_mem());
	_cleanup_(bio_freep) BIO *pem = BIO_new(BIO_s_secmem());

	/* Beyond that a CN is refused, and commas would begin another name. */
	if (strlen(leaf->name) > 64 || strcspn(leaf->name, ",\n") != strlen(leaf->name))
		return err_set(e, ERR_INVALID, "'%.64s' can be no certificate's name", leaf->name);
	key = new_key(leaf->key);
	if (!key || !x || !crt || !pem)
		return fail(e, "make a key");
	if (!fill(x, leaf, key))
		return fail(e, "make a certificate");
	if (!PEM_write_bio_X509(crt, x) ||
	    !PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL))
		return fail(e, "write a pair");
	return add(ret, "tls.crt", crt, e) < 0 || add(ret, "tls.key", pem, e) < 0 ? -1 : 0;
}
