/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/policy.h"

#include "base/limits.h"
#include "cert/chain.h"
#include "cert/leaf.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define MIN_RSA_BITS 1024
#define MIN_SIGNATURE_BITS 80 /* of security: SHA-1 has 63, SHA-224 112 */

static int check_key(const struct gate_policy *policy, const EVP_PKEY *key, struct gate_verdict *v)
{
	int min = (int)(policy->min_rsa_bits ? policy->min_rsa_bits : MIN_RSA_BITS);

	if (EVP_PKEY_is_a(key, "RSA")) {
		if (policy->deny_rsa)
			return verdict_unfit(v, REASON_POLICY_KEY, "RSA keys are not allowed");
		if (EVP_PKEY_get_bits(key) < min)
			return verdict_unfit(v, REASON_POLICY_KEY,
					     "the RSA key has %d bits, and %d are the least",
					     EVP_PKEY_get_bits(key), min);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		if (policy->deny_ecdsa)
			return verdict_unfit(v, REASON_POLICY_KEY, "ECDSA keys are not allowed");
	} else if (policy->deny_ed25519) {
		return verdict_unfit(v, REASON_POLICY_KEY, "Ed25519 keys are not allowed");
	}
	return 0;
}

static int check_lifetime(const struct gate_policy *policy, const struct gate_leaf *leaf,
			  int64_t now_s, struct gate_verdict *v)
{
	if (policy->max_lifetime_s &&
	    leaf->not_after_s - leaf->not_before_s > policy->max_lifetime_s)
		return verdict_unfit(v, REASON_POLICY_LIFETIME, "the leaf lives longer than %lld s",
				     (long long)policy->max_lifetime_s);
	if (policy->min_remaining_s && leaf->not_after_s - now_s < policy->min_remaining_s)
		return verdict_unfit(v, REASON_POLICY_LIFETIME,
				     "the leaf expires in less than %lld s",
				     (long long)policy->min_remaining_s);
	return 0;
}

/* "example.com" allows itself and the names below it, ".example.com" only these. */
static bool name_has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name);
	size_t suffix_len = strlen(suffix);
	const char *tail = name + len - suffix_len;

	if (len < suffix_len || strcasecmp(tail, suffix) != 0)
		return false;
	return tail == name || suffix[0] == '.' || tail[-1] == '.' || tail[-1] == '@';
}

static bool name_is_allowed(const GENERAL_NAME *name, const char *const *suffixes)
{
	char text[LIMIT_HOST_NAME + 64];
	const char *kind;

	if (leaf_san(name, &kind, text, sizeof(text)) != 0)
		return false;
	for (size_t i = 0; suffixes[i]; i++)
		if (name_has_suffix(text, suffixes[i]))
			return true;
	return false;
}

static int check_names(const struct gate_policy *policy, X509 *leaf, struct gate_verdict *v)
{
	GENERAL_NAMES *names;
	int denied = -1;
	int count;

	if (!policy->san_suffixes)
		return 0;
	names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	count = sk_GENERAL_NAME_num(names);
	for (int i = 0; i < count && denied < 0; i++)
		if (!name_is_allowed(sk_GENERAL_NAME_value(names, i), policy->san_suffixes))
			denied = i;
	GENERAL_NAMES_free(names);
	if (count <= 0)
		return verdict_unfit(v, REASON_POLICY_SAN, "the leaf has no subjectAltName");
	if (denied >= 0)
		return verdict_unfit(v, REASON_POLICY_SAN, "name %d of the leaf is not allowed",
				     denied + 1);
	return 0;
}

static int check_issuer(const struct gate_policy *policy, const X509 *leaf, struct gate_verdict *v)
{
	char name[4096];

	if (!policy->issuer)
		return 0;
	if (leaf_name(X509_get_issuer_name(leaf), name, sizeof(name)) < 0 ||
	    strcmp(name, policy->issuer) != 0)
		return verdict_unfit(v, REASON_POLICY_ISSUER, "the leaf has another issuer");
	return 0;
}

static int check_signatures(const struct gate_policy *policy, STACK_OF(X509) * chain,
			    struct gate_verdict *v)
{
	if (!policy->deny_sha1)
		return 0;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int bits = 0;

		if (chain_is_root(chain, i))
			continue;
		if (!X509_get_signature_info(sk_X509_value(chain, i), NULL, NULL, &bits, NULL) ||
		    bits < MIN_SIGNATURE_BITS)
			return verdict_unfit(v, REASON_POLICY_SIGNATURE,
					     "certificate %d of tls.crt is signed with a hash that "
					     "is too weak",
					     i + 1);
	}
	return 0;
}

int policy_check(const struct gate_policy *policy, STACK_OF(X509) * chain,
		 const struct gate_leaf *leaf, int64_t now_s, struct gate_verdict *v)
{
	X509 *first = sk_X509_value(chain, 0);

	if (check_key(policy, X509_get0_pubkey(first), v) < 0 ||
	    check_lifetime(policy, leaf, now_s, v) < 0 || check_names(policy, first, v) < 0 ||
	    check_issuer(policy, first, v) < 0)
		return -1;
	return check_signatures(policy, chain, v);
}
