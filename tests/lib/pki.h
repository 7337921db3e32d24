/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Certificates and keys for tests: a small hierarchy (root, intermediate, leaves), and the single
 * steps for pairs that are wrong on purpose. Whatever OpenSSL refuses ends the program with a
 * message: a test cannot go on without its input. Keys are cached per process, because an RSA key
 * costs 300 ms.
 */

#include "base/content.h"

#include <openssl/param_build.h>
#include <openssl/types.h>

enum pki_type {
	PKI_P256, /* the cheapest, so the default */
	PKI_P384,
	PKI_P521,
	PKI_ED25519,
	PKI_RSA2048,
	PKI_RSA3072,
	PKI_RSA1024,
	PKI_RSA_PSS, /* the key type, not the padding */
	PKI_SECP256K1,
	PKI_BRAINPOOL256,
	PKI_ED448,
	PKI_DSA,
	PKI_TYPES
};

enum pki_form {
	PKI_PKCS8,
	PKI_TRADITIONAL,           /* PKCS#1 for RSA, SEC1 for ECDSA */
	PKI_PKCS8_ENCRYPTED,       /* password "secret" */
	PKI_TRADITIONAL_ENCRYPTED, /* the same, with Proc-Type: 4,ENCRYPTED */
	PKI_FORMS
};

const char *pki_type_name(enum pki_type type);

/* The n-th key of that type (n < 4), made at first use. Borrowed. */
EVP_PKEY *pki_key(enum pki_type type, unsigned n);

/*
 * The public part of one key with the private part of another of its kind (RSA, P-256): it passes
 * for the victim's until it signs. Owned by the caller (EVP_PKEY_free).
 */
EVP_PKEY *pki_stolen_key(const EVP_PKEY *victim, const EVP_PKEY *other);

/* A key from its numbers: an RSA key of the size that is wanted, without the wait. Owned by the
 * caller. params as for EVP_PKEY_fromdata, which is given a whole pair. */
EVP_PKEY *pki_key_from(const char *type, OSSL_PARAM_BLD *numbers);

/* What a certificate says. All zero: a leaf for localhost and 127.0.0.1, valid since an hour for 90
 * days. Strings are borrowed. */
struct pki_cert {
	const char *subject; /* "CN=web,O=Example"; NULL: "CN=test.example" */
	const char *sans;    /* "DNS:a,IP:10.0.0.1"; NULL: "DNS:localhost,IP:127.0.0.1"; "": none */
	int64_t not_before_s;     /* seconds since 1970; 0: an hour ago */
	int64_t not_after_s;      /* 0: in 90 days */
	const char *serial;       /* hex; NULL: random */
	const char *digest;       /* NULL: SHA-256 (none for EdDSA) */
	bool ca;                  /* CA:TRUE and keyCertSign, no names */
	bool no_constraints;      /* no basicConstraints and keyUsage at all */
	const char *pathlen;      /* "0": with ca */
	const char *extension[4]; /* more, as openssl.cnf writes them: "nameConstraints=..." */
};

/* Owned by the caller (X509_free). issuer NULL: self-signed with issuer_key. */
X509 *pki_sign(const struct pki_cert *what, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key);

/* PEM as malloc'ed strings, and DER. */
char *pki_cert_pem(X509 *cert);
char *pki_key_pem(EVP_PKEY *key, enum pki_form form);
uint8_t *pki_key_der(EVP_PKEY *key, enum pki_form form, size_t *ret_len);
char *pki_block(const char *name, const uint8_t *der, size_t len); /* any bytes as a PEM block */
char *pki_join(const char *const *parts);                          /* NULL-terminated */

void pki_leaf_fingerprint(X509 *cert, struct fingerprint *ret);

/* A root, an intermediate, and the leaves it signs. */
struct pki {
	X509 *root, *intermediate;
	EVP_PKEY *root_key, *intermediate_key; /* borrowed from the cache */
	char *root_pem, *intermediate_pem;
	unsigned issued;
};

void pki_init(struct pki *p);
void pki_done(struct pki *p);

/* What stands in a Secret of the cert-manager kind. Strings are owned. */
struct pki_pair {
	char *tls_crt; /* leaf, intermediate */
	char *tls_key; /* PKCS#8 */
	char *ca_crt;  /* root */
	struct fingerprint leaf;
};

/* A new leaf; its key is new each time for ECDSA and Ed25519, and one of four for RSA. what may be
 * NULL. */
void pki_issue(struct pki *p, const struct pki_cert *what, enum pki_type type,
	       struct pki_pair *ret);
void pki_pair_done(struct pki_pair *pair);

/* tls.crt, tls.key and ca.crt (those that are not NULL) as a content. */
void pki_content(struct content *c, const char *tls_crt, const char *tls_key, const char *ca_crt);
void pki_pair_content(const struct pki_pair *pair, struct content *c);

#define _cleanup_pki_ _cleanup_(pki_done)
#define _cleanup_pair_ _cleanup_(pki_pair_done)
