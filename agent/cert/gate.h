/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The gate: is this pair fit to be published? Pure: bytes and the time in, a verdict out. Holds one
 * reused decoder, so that a key costs 30 us instead of 1 ms (OpenSSL 3.0).
 */

#include "base/content.h"
#include "base/reason.h"

struct gate;

/* What the node allows. All zero: everything that is well-formed. Strings are borrowed and outlive
 * the gate. */
struct gate_policy {
	unsigned min_rsa_bits; /* 0: 1024, below which OpenSSL's default level refuses anyway */
	bool deny_rsa, deny_ecdsa, deny_ed25519;
	int64_t max_lifetime_s;          /* 0: any */
	int64_t min_remaining_s;         /* 0: any that has not expired */
	const char *const *san_suffixes; /* NULL-terminated; NULL: any */
	const char *issuer;              /* the issuer's RFC 2253 name must be this; NULL: any */
	bool deny_sha1;
	int64_t skew_s; /* tolerance for notBefore ahead of us; 0: LIMIT_SKEW_S */
};

int gate_new(const struct gate_policy *policy, struct gate **ret, struct err *e) _must_check_;
struct gate *gate_free(struct gate *g);

/* What stands beside the pair in the Secret. */
struct gate_context {
	int64_t wall_ms; /* now */
	bool temporary;  /* cert-manager.io/issue-temporary-certificate: "true" is on it */
	bool next_key;   /* label cert-manager.io/next-private-key, or name of that form */
	bool allow_ca;   /* certhup.io/allow-ca: "true" */
};

/* What the gate learnt about the leaf; strings are empty where it did not come so far. */
struct gate_leaf {
	struct fingerprint leaf; /* SHA-256 of the leaf's DER */
	int64_t not_before_s;    /* seconds since 1970 */
	int64_t not_after_s;
	char serial[64];   /* lower-case hex */
	char subject[256]; /* RFC 2253 */
	char issuer[256];
	char sans[512];     /* "DNS:a, IP:10.0.0.1": cut with ... */
	char key[32];       /* "RSA 2048", "ECDSA P-256", "Ed25519" */
	unsigned chain_len; /* certificates in tls.crt */
};

struct gate_verdict {
	enum reason reason;   /* REASON_NONE: fit */
	char detail[256];     /* what was seen, for people; no bytes of the input */
	int64_t valid_from_s; /* of NOT_YET_VALID: since 1970; the skew is taken off */
	struct gate_leaf leaf;
};

/*
 * Judges tls.crt, tls.key and, where there, ca.crt of the Secret's data (before items rename them).
 * An empty ca.crt is one that is not there: cert-manager stores it so for ACME issuers. The first
 * fault counts. A temporary certificate is known by its looks (issued by "cert-manager.local", and
 * the number 1234567890 that cert-manager puts in), with the annotation also without that number or
 * when it is self-issued. The annotation alone does not condemn: it stays when the real one comes.
 * Returns -1 only for faults of ours (EXHAUSTED, INTERNAL); an unfit pair is a verdict.
 * Takes at most 50 ms of CPU for any input within LIMIT_CONTENT.
 */
int gate_judge(struct gate *g, const struct content *data, const struct gate_context *context,
	       struct gate_verdict *ret, struct err *e) _must_check_;

/* How many pairs have been parsed. Content whose fingerprint is known need not be judged again, and
 * then this does not move. */
uint64_t gate_parsed(const struct gate *g);

/*
 * The private key as an unencrypted PKCS#8 PEM block, for the credential bundle (KEP-4317: key,
 * then chain). Errors: INVALID.
 */
int gate_pkcs8(struct gate *g, const struct secret *key_pem, struct secret *ret,
	       struct err *e) _must_check_;

/* Only the leaf's facts from PEM certificates (inspect, probe). Errors: INVALID. */
int gate_read_leaf(const void *pem, size_t len, struct gate_leaf *ret, struct err *e) _must_check_;

static inline void gate_freep(struct gate **g)
{
	*g = gate_free(*g);
}
