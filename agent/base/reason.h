/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Why a pair was not published: the stable list of reason codes. A code is the value of the label
 * reason of certhup_rejected_total, stands in Events, logs and status, and in docs/reference.md.
 * Codes are never renamed.
 */

#include "base/defs.h"

/* id, code, what to do: one sentence for the owner of the Secret. */
#define REASONS(X)                                                                                 \
	X(NONE, "none", "Nothing is wrong.")                                                       \
	X(MISSING, "missing", "Put tls.crt and tls.key into the Secret.")                          \
	X(BAD_PEM, "bad_pem", "Store tls.crt, tls.key and ca.crt as PEM, whole and unencrypted.")  \
	X(BAD_KEY, "bad_key",                                                                      \
	  "Use an unencrypted RSA, ECDSA or Ed25519 key in PKCS#1, SEC1 or PKCS#8.")               \
	X(KEY_MISMATCH, "key_mismatch",                                                            \
	  "Store the key that belongs to the first certificate of tls.crt.")                       \
	X(CHAIN_ORDER, "chain_order",                                                              \
	  "Put the leaf first, then each issuer behind the one it signed.")                        \
	X(BAD_CHAIN, "bad_chain",                                                                  \
	  "Have the chain issued anew: clients refuse it for what the detail says.")               \
	X(EXPIRED, "expired", "Renew the certificate: its notAfter has passed.")                   \
	X(NOT_YET_VALID, "not_yet_valid",                                                          \
	  "Check the clocks of issuer and node: notBefore lies ahead.")                            \
	X(TEMPORARY, "temporary",                                                                  \
	  "Wait for the issuer: this is cert-manager's temporary certificate.")                    \
	X(NEXT_KEY, "next_key",                                                                    \
	  "Name the Secret of the certificate, not the one of its next private key.")              \
	X(CA_LEAF, "ca_leaf",                                                                      \
	  "Deliver a leaf, or allow a CA with certhup.io/allow-ca: \"true\" on the Secret.")       \
	X(TOO_LARGE, "too_large", "Make the Secret smaller: docs/reference.md lists the maxima.")  \
	X(TOO_COMPLEX, "too_complex",                                                              \
	  "Use fewer certificates, names or bits: docs/reference.md lists the maxima.")            \
	X(BAD_NAME, "bad_name", "Rename the key, or choose another file name with items.")         \
	X(POLICY_KEY, "policy_key",                                                                \
	  "Use a key of the type and size that the node's policy allows.")                         \
	X(POLICY_LIFETIME, "policy_lifetime",                                                      \
	  "Issue for a lifetime that the node's policy allows.")                                   \
	X(POLICY_SAN, "policy_san", "Use names that the node's policy allows.")                    \
	X(POLICY_ISSUER, "policy_issuer", "Use an issuer that the node's policy allows.")          \
	X(POLICY_SIGNATURE, "policy_signature",                                                    \
	  "Have it signed with a hash that the node's policy allows.")

enum reason {
#define REASON_ID(id, code, advice) REASON_##id,
	REASONS(REASON_ID)
#undef REASON_ID
	REASONS_COUNT
};

const char *reason_code(enum reason r);
const char *reason_advice(enum reason r);
