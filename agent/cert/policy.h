/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the node allows beyond what is well-formed. */

#include "cert/verdict.h"

#include <openssl/x509.h>

/* leaf has been read from the chain's first certificate.
 * Unfit: POLICY_KEY, POLICY_LIFETIME, POLICY_SAN, POLICY_ISSUER, POLICY_SIGNATURE. */
int policy_check(const struct gate_policy *policy, STACK_OF(X509) * chain,
		 const struct gate_leaf *leaf, int64_t now_s, struct gate_verdict *v) _must_check_;
