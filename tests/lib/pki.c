/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/pki.h"

#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define CACHED 4
#define HOUR_S 3600
#define DAY_S ((int64_t)24 * HOUR_S)

static const struct {
	const char *name;  /* for people */
	const char *type;  /* OpenSSL's */
	const char *group; /* curve */
	unsigned bits;     /* RSA, DSA */
} types[PKI_TYPES] = {
    [PKI_P256] = {"P-256", "EC", "P-256", 0},
    [PKI_P384] = {"P-384", "EC", "P-384", 0},
    [PKI_P521] = {"P-521", "EC", "P-521", 0},
    [PKI_ED25519] = {"Ed25519", "ED25519", NULL, 0},
    [PKI_RSA2048] = {"RSA-2048", "RSA", NULL, 2048},
    [PKI_RSA3072] = {"RSA-3072", "RSA", NULL, 3072},
    [PKI_RSA1024] = {"RSA-1024", "RSA", NULL, 1024},
    [PKI_RSA_PSS] = {"RSA-PSS-2048", "RSA-PSS", NULL, 2048},
    [PKI_SECP256K1] = {"secp256k1", "EC", "secp256k1", 0},
    [PKI_BRAINPOOL256] = {"brainpoolP256r1", "EC", "brainpoolP256r1", 0},
    [PKI_ED448] = {"Ed448", "ED448", NULL, 0},
    [PKI_DSA] = {"DSA-1024", "DSA", NULL, 1024},
};

static EVP_PKEY *cache[PKI_TYPES][CACHED];

__attribute__((destructor)) static void cache_free(void)
{
	for (int t = 0; t < PKI_TYPES; t++)
		for (int n = 0; n < CACHED; n++)
			EVP_PKEY_free(cache[t][n]);
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pki: %s failed\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

const char *pki_type_name(enum pki_type type)
{
	return types[type].name;
}

static EVP_PKEY *make_dsa(unsigned bits)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	EVP_PKEY *params = NULL;
	EVP_PKEY *key = NULL;

	need(ctx && EVP_PKEY_paramgen_init(ctx) > 0 &&
		 EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, (int)bits) > 0 &&
		 EVP_PKEY_generate(ctx, &params) > 0,
	     "DSA parameters");
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
	need(ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_generate(ctx, &key) > 0, "DSA key");
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	return key;
}

static EVP_PKEY *make_rsa(const char *type, unsigned bits)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	need(ctx && EVP_PKEY_keygen_init(ctx) > 0 &&
		 EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) > 0 &&
		 EVP_PKEY_generate(ctx, &key) > 0,
	     type);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *make(enum pki_type type)
{
	EVP_PKEY *key;

	if (type == PKI_DSA)
		return make_dsa(types[type].bits);
	if (types[type].bits)
		return make_rsa(types[type].type, types[type].bits);
	key = EVP_PKEY_Q_keygen(NULL, NULL, types[type].type, types[type].group);
	need(key, types[type].name);
	return key;
}

EVP_PKEY *pki_key(enum pki_type type, unsigned n)
{
	EVP_PKEY **slot = &cache[type][n % CACHED];

	if (!*slot)
		*slot = make(type);
	return *slot;
}

EVP_PKEY *pki_key_from(const char *type, OSSL_PARAM_BLD *numbers)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(numbers);
	EVP_PKEY *key = NULL;

	need(ctx && params && EVP_PKEY_fromdata_init(ctx) > 0 &&
		 EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) > 0,
	     "a key from numbers");
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void push_number(OSSL_PARAM_BLD *to, const EVP_PKEY *from, const char *name, BIGNUM **ret)
{
	need(EVP_PKEY_get_bn_param(from, name, ret) && OSSL_PARAM_BLD_push_BN(to, name, *ret),
	     name);
}

static EVP_PKEY *stolen_rsa(const EVP_PKEY *victim, const EVP_PKEY *other)
{
	static const char *const names[] = {
	    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
	    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
	    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	BIGNUM *n[ARRAY_LEN(names)] = {NULL};
	OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
	EVP_PKEY *key;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		push_number(numbers, i < 2 ? victim : other, names[i], &n[i]);
	key = pki_key_from("RSA", numbers);
	OSSL_PARAM_BLD_free(numbers);
	for (size_t i = 0; i < ARRAY_LEN(n); i++)
		BN_clear_free(n[i]);
	return key;
}

static EVP_PKEY *stolen_ec(const EVP_PKEY *victim, const EVP_PKEY *other)
{
	uint8_t point[256];
	size_t len;
	BIGNUM *d = NULL;
	OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
	EVP_PKEY *key;

	need(EVP_PKEY_get_octet_string_param(victim, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
					     sizeof(point), &len) &&
		 OSSL_PARAM_BLD_push_utf8_string(numbers, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
		 OSSL_PARAM_BLD_push_octet_string(numbers, OSSL_PKEY_PARAM_PUB_KEY, point, len),
	     "a public key");
	push_number(numbers, other, OSSL_PKEY_PARAM_PRIV_KEY, &d);
	key = pki_key_from("EC", numbers);
	OSSL_PARAM_BLD_free(numbers);
	BN_clear_free(d);
	return key;
}

EVP_PKEY *pki_stolen_key(const EVP_PKEY *victim, const EVP_PKEY *other)
{
	return EVP_PKEY_is_a(victim, "RSA") ? stolen_rsa(victim, other) : stolen_ec(victim, other);
}

static void set_name(X509_NAME *name, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);

	for (char *part = copy; part;) {
		char *next = strchr(part, ',');
		char *value = strchr(part, '=');

		if (next)
			*next++ = '\0';
		need(value, "a subject's name=value");
		*value++ = '\0';
		need(X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8,
						(const unsigned char *)value, -1, -1, 0),
		     "a subject's part");
		part = next;
	}
}

static void add_extension(X509 *cert, X509V3_CTX *ctx, const char *name, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_nconf(NULL, ctx, name, value);

	need(ext && X509_add_ext(cert, ext, -1), name);
	X509_EXTENSION_free(ext);
}

static void add_extensions(X509 *cert, X509 *issuer, const struct pki_cert *what)
{
	const char *sans = what->sans ? what->sans : "DNS:localhost,IP:127.0.0.1";
	char constraints[64] = "critical,CA:FALSE";
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	if (what->ca)
		snprintf(constraints, sizeof(constraints), "critical,CA:TRUE%s%s",
			 what->pathlen ? ",pathlen:" : "", what->pathlen ? what->pathlen : "");
	if (!what->no_constraints) {
		add_extension(cert, &ctx, "basicConstraints", constraints);
		add_extension(cert, &ctx, "keyUsage",
			      what->ca ? "critical,keyCertSign,cRLSign"
				       : "critical,digitalSignature");
	}
	add_extension(cert, &ctx, "subjectKeyIdentifier", "hash");
	if (issuer != cert)
		add_extension(cert, &ctx, "authorityKeyIdentifier", "keyid");
	if (!what->ca && *sans)
		add_extension(cert, &ctx, "subjectAltName", sans);
	for (size_t i = 0; i < ARRAY_LEN(what->extension) && what->extension[i]; i++) {
		_cleanup_free_ char *copy = strdup(what->extension[i]);
		char *value = strchr(copy, '=');

		need(value, "an extension's name=value");
		*value++ = '\0';
		add_extension(cert, &ctx, copy, value);
	}
}

static void set_serial(X509 *cert, const char *hex)
{
	BIGNUM *bn = NULL;

	if (hex) {
		need(BN_hex2bn(&bn, hex), "serial number");
	} else {
		bn = BN_new();
		need(bn && BN_rand(bn, 120, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY), "serial number");
	}
	need(BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)), "serial number");
	BN_free(bn);
}

static void set_time(ASN1_TIME *field, int64_t when_s)
{
	need(ASN1_TIME_set(field, (time_t)when_s), "a date");
}

X509 *pki_sign(const struct pki_cert *what, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *cert = X509_new();
	int64_t now = (int64_t)time(NULL);
	int id = EVP_PKEY_get_id(issuer_key);
	const EVP_MD *digest = EVP_get_digestbyname(what->digest ? what->digest : "SHA256");

	need(cert && X509_set_version(cert, X509_VERSION_3) && X509_set_pubkey(cert, key),
	     "a certificate");
	set_serial(cert, what->serial);
	set_name(X509_get_subject_name(cert), what->subject ? what->subject : "CN=test.example");
	need(X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)), "issuer");
	set_time(X509_getm_notBefore(cert), what->not_before_s ? what->not_before_s : now - HOUR_S);
	set_time(X509_getm_notAfter(cert),
		 what->not_after_s ? what->not_after_s : now + 90 * DAY_S);
	add_extensions(cert, issuer ? issuer : cert, what);
	if (id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448)
		digest = NULL;
	need(X509_sign(cert, issuer_key, digest) > 0, "a signature");
	return cert;
}

static char *bio_text(BIO *bio, size_t *ret_len)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	char *copy = malloc((size_t)len + 1);

	need(copy, "memory");
	if (len)
		memcpy(copy, data, (size_t)len);
	copy[len] = '\0';
	BIO_free(bio);
	if (ret_len)
		*ret_len = (size_t)len;
	return copy;
}

char *pki_cert_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(PEM_write_bio_X509(bio, cert), "a certificate's PEM");
	return bio_text(bio, NULL);
}

static void write_key(BIO *bio, EVP_PKEY *key, enum pki_form form)
{
	const EVP_CIPHER *cipher = EVP_aes_256_cbc();
	int ok = 0;

	switch (form) {
	case PKI_PKCS8:
		ok = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
		break;
	case PKI_TRADITIONAL:
		ok = PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
		break;
	case PKI_PKCS8_ENCRYPTED:
		ok = PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, "secret", 6, NULL, NULL);
		break;
	case PKI_TRADITIONAL_ENCRYPTED:
		ok = PEM_write_bio_PrivateKey_traditional(
		    bio, key, cipher, (const unsigned char *)"secret", 6, NULL, NULL);
		break;
	default:
		break;
	}
	need(ok, "a key's PEM");
}

char *pki_key_pem(EVP_PKEY *key, enum pki_form form)
{
	BIO *bio = BIO_new(BIO_s_mem());

	write_key(bio, key, form);
	return bio_text(bio, NULL);
}

uint8_t *pki_key_der(EVP_PKEY *key, enum pki_form form, size_t *ret_len)
{
	BIO *bio = BIO_new(BIO_s_mem());
	BIO *der = BIO_new(BIO_s_mem());
	char *name = NULL;
	char *header = NULL;
	unsigned char *data = NULL;
	long len = 0;

	write_key(bio, key, form);
	need(PEM_read_bio(bio, &name, &header, &data, &len), "a key's DER");
	need(BIO_write(der, data, (int)len) == (int)len, "memory");
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
	return (uint8_t *)bio_text(der, ret_len);
}

char *pki_block(const char *name, const uint8_t *der, size_t len)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(PEM_write_bio(bio, name, "", der, (long)len) > 0, "a PEM block");
	return bio_text(bio, NULL);
}

char *pki_join(const char *const *parts)
{
	BIO *bio = BIO_new(BIO_s_mem());

	for (size_t i = 0; parts[i]; i++)
		need(BIO_puts(bio, parts[i]) >= 0, "memory");
	return bio_text(bio, NULL);
}

void pki_leaf_fingerprint(X509 *cert, struct fingerprint *ret)
{
	need(X509_digest(cert, EVP_sha256(), ret->bytes, NULL), "a fingerprint");
}

void pki_init(struct pki *p)
{
	static const struct pki_cert root = {.subject = "CN=Test Root", .ca = true};
	static const struct pki_cert intermediate = {
	    .subject = "CN=Test Intermediate", .ca = true, .pathlen = "0"};

	*p = (struct pki){0};
	p->root_key = pki_key(PKI_P256, 0);
	p->intermediate_key = pki_key(PKI_P256, 1);
	p->root = pki_sign(&root, p->root_key, NULL, p->root_key);
	p->intermediate = pki_sign(&intermediate, p->intermediate_key, p->root, p->root_key);
	p->root_pem = pki_cert_pem(p->root);
	p->intermediate_pem = pki_cert_pem(p->intermediate);
}

void pki_done(struct pki *p)
{
	X509_free(p->root);
	X509_free(p->intermediate);
	free(p->root_pem);
	free(p->intermediate_pem);
	*p = (struct pki){0};
}

void pki_issue(struct pki *p, const struct pki_cert *what, enum pki_type type, struct pki_pair *ret)
{
	static const struct pki_cert plain;
	bool costly = types[type].bits != 0;
	EVP_PKEY *key = costly ? pki_key(type, p->issued) : make(type);
	X509 *leaf = pki_sign(what ? what : &plain, key, p->intermediate, p->intermediate_key);
	_cleanup_free_ char *pem = pki_cert_pem(leaf);

	ret->tls_crt = pki_join((const char *const[]){pem, p->intermediate_pem, NULL});
	ret->tls_key = pki_key_pem(key, PKI_PKCS8);
	ret->ca_crt = pki_join((const char *const[]){p->root_pem, NULL});
	pki_leaf_fingerprint(leaf, &ret->leaf);
	X509_free(leaf);
	if (!costly)
		EVP_PKEY_free(key);
	p->issued++;
}

void pki_pair_done(struct pki_pair *pair)
{
	free(pair->tls_crt);
	free(pair->tls_key);
	free(pair->ca_crt);
	*pair = (struct pki_pair){0};
}

void pki_content(struct content *c, const char *tls_crt, const char *tls_key, const char *ca_crt)
{
	const struct {
		const char *name;
		const char *text;
	} files[] = {{"ca.crt", ca_crt}, {"tls.crt", tls_crt}, {"tls.key", tls_key}};
	struct err e;

	*c = (struct content){0};
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (files[i].text)
			need(content_add(c, files[i].name, files[i].text, strlen(files[i].text),
					 &e) == 0,
			     "a content");
}

void pki_pair_content(const struct pki_pair *pair, struct content *c)
{
	pki_content(c, pair->tls_crt, pair->tls_key, pair->ca_crt);
}
