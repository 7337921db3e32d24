/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/chain.h"

#include "base/limits.h"
#include "cert/leaf.h"
#include "cert/pem.h"
#include "cert/shape.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

void chain_free(STACK_OF(X509) * *chain)
{
	sk_X509_pop_free(*chain, X509_free);
	*chain = NULL;
}

static bool is_certificate(const struct pem_block *b)
{
	return strcmp(b->name, "CERTIFICATE") == 0;
}

/* Some programs read these, and others overlook them: then each would see another leaf. */
static bool is_old_name(const struct pem_block *b)
{
	return strcmp(b->name, "X509 CERTIFICATE") == 0 ||
	       strcmp(b->name, "TRUSTED CERTIFICATE") == 0;
}

/* Opens a text after a look at what it claims to hold. */
static int open_text(struct pem *p, const char *file, const void *text, size_t len, size_t max,
		     struct gate_verdict *v, struct err *e)
{
	const char *fault = pem_fault(text, len);

	if (fault)
		return verdict_unfit(v, REASON_BAD_PEM, "%s %s", file, fault);
	if (pem_init(p, text, len, e) < 0)
		return -1;
	if (p->begun > max)
		return verdict_unfit(v, REASON_TOO_COMPLEX, "%s has more than %zu PEM blocks", file,
				     max);
	return 0;
}

/* The next certificate's DER; other blocks are skipped. Returns 1, 0 at the end, -1 as ever. */
static int next_certificate(struct pem *p, const char *file, struct pem_block *ret,
			    struct gate_verdict *v, struct err *e)
{
	enum pem_result result;

	while ((result = pem_next(p, ret)) == PEM_BLOCK) {
		if (is_certificate(ret))
			return 1;
		if (is_old_name(ret))
			return verdict_unfit(v, REASON_BAD_PEM,
					     "%s has a block that is named other than CERTIFICATE",
					     file);
		pem_block_done(ret);
	}
	if (result == PEM_BROKEN)
		return verdict_openssl(v, e, REASON_BAD_PEM, "%s is cut or damaged", file);
	return 0;
}

static int add_certificate(STACK_OF(X509) * chain, const struct pem_block *b,
			   struct gate_verdict *v, struct err *e)
{
	const unsigned char *p = b->der;
	X509 *cert = d2i_X509(NULL, &p, b->len);

	if (!cert)
		return verdict_openssl(v, e, REASON_BAD_PEM,
				       "a certificate of tls.crt is malformed");
	/* The key is decoded on the way; whether it could be is asked by who needs it. */
	ERR_clear_error();
	if (!sk_X509_push(chain, cert)) {
		X509_free(cert);
		return err_set(e, ERR_EXHAUSTED, "out of memory for a chain");
	}
	return 0;
}

int chain_read(const void *pem, size_t len, STACK_OF(X509) * *ret, struct gate_verdict *v,
	       struct err *e)
{
	_cleanup_(chain_free) STACK_OF(X509) *chain = sk_X509_new_null();
	_cleanup_pem_ struct pem p = {0};
	struct shape_budget budget = SHAPE_PAIR;
	int rc;

	if (!chain)
		return err_set(e, ERR_EXHAUSTED, "out of memory for a chain");
	if (open_text(&p, "tls.crt", pem, len, LIMIT_PEM_BLOCKS, v, e) < 0)
		return -1;
	do {
		_cleanup_block_ struct pem_block b = {0};

		rc = next_certificate(&p, "tls.crt", &b, v, e);
		if (rc == 1 && (shape_check(&budget, "tls.crt", b.der, (size_t)b.len, v, e) < 0 ||
				add_certificate(chain, &b, v, e) < 0))
			rc = -1;
	} while (rc == 1);
	if (rc < 0)
		return -1;
	if (budget.count == 0)
		return verdict_unfit(v, REASON_BAD_PEM,
				     "tls.crt has no certificate among its PEM blocks");
	*ret = TAKE(chain);
	return 0;
}

int chain_check_bundle(const struct secret *pem, struct gate_verdict *v, struct err *e)
{
	_cleanup_pem_ struct pem p = {0};
	struct shape_budget budget = SHAPE_BUNDLE;
	int rc;

	if (open_text(&p, "ca.crt", pem->data, pem->len, LIMIT_CA_BLOCKS, v, e) < 0)
		return -1;
	do {
		_cleanup_block_ struct pem_block b = {0};

		rc = next_certificate(&p, "ca.crt", &b, v, e);
		if (rc == 1 && shape_check(&budget, "ca.crt", b.der, (size_t)b.len, v, e) < 0)
			rc = -1;
	} while (rc == 1);
	if (rc == 0 && budget.count == 0)
		return verdict_unfit(v, REASON_BAD_PEM,
				     "ca.crt has no certificate among its PEM blocks");
	return rc;
}

/* The links that OpenSSL found are the ones of the text, in its order. */
static bool same_order(STACK_OF(X509) * found, STACK_OF(X509) * chain)
{
	if (sk_X509_num(found) != sk_X509_num(chain))
		return false;
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (X509_cmp(sk_X509_value(found, i), sk_X509_value(chain, i)) != 0)
			return false;
	return true;
}

/* Did it fail because a link is missing, or because a link that is there is not allowed? */
static enum reason reason_of(int error)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return REASON_CHAIN_ORDER;
	default:
		return REASON_BAD_CHAIN;
	}
}

static int verify(X509_STORE_CTX *ctx, STACK_OF(X509) * chain, struct gate_verdict *v,
		  struct err *e)
{
	int error;
	int depth;

	if (X509_verify_cert(ctx) > 0) {
		if (same_order(X509_STORE_CTX_get0_chain(ctx), chain))
			return 0;
		return verdict_unfit(v, REASON_CHAIN_ORDER,
				     "a certificate of tls.crt has no part in the leaf's chain, or "
				     "stands at the wrong place");
	}
	error = X509_STORE_CTX_get_error(ctx);
	depth = X509_STORE_CTX_get_error_depth(ctx);
	if (error == X509_V_ERR_OUT_OF_MEM)
		return err_set(e, ERR_EXHAUSTED, "out of memory in OpenSSL");
	return verdict_openssl(v, e, reason_of(error), "certificate %d of tls.crt's chain: %s",
			       depth + 1, X509_verify_cert_error_string(error));
}

int chain_check_order(STACK_OF(X509) * chain, struct gate_verdict *v, struct err *e)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *trusted = sk_X509_new_null();
	X509 *leaf = sk_X509_value(chain, 0);
	X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);
	int rc;

	if (ctx && trusted && sk_X509_push(trusted, last) &&
	    X509_STORE_CTX_init(ctx, NULL, leaf, chain)) {
		X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
		X509_STORE_CTX_set_flags(ctx,
					 X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
		rc = verify(ctx, chain, v, e);
	} else {
		rc = err_set(e, ERR_EXHAUSTED, "out of memory for a chain");
	}
	X509_STORE_CTX_free(ctx);
	sk_X509_free(trusted);
	ERR_clear_error();
	return rc;
}

bool chain_is_root(STACK_OF(X509) * chain, int i)
{
	return i > 0 && i == sk_X509_num(chain) - 1 &&
	       (X509_get_extension_flags(sk_X509_value(chain, i)) & EXFLAG_SS);
}

int chain_check_dates(STACK_OF(X509) * chain, int64_t now_s, int64_t skew_s, struct gate_verdict *v,
		      struct err *e)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *cert = sk_X509_value(chain, i);
		int64_t from;
		int64_t to;

		if (chain_is_root(chain, i))
			continue;
		if (leaf_time_s(X509_get0_notBefore(cert), &from) < 0 ||
		    leaf_time_s(X509_get0_notAfter(cert), &to) < 0)
			return verdict_openssl(v, e, REASON_BAD_PEM,
					       "a date of certificate %d of tls.crt is malformed",
					       i + 1);
		if (to <= now_s)
			return verdict_unfit(v, REASON_EXPIRED,
					     "certificate %d of tls.crt has expired", i + 1);
		v->valid_from_s = from - skew_s;
		if (v->valid_from_s > now_s)
			return verdict_unfit(v, REASON_NOT_YET_VALID,
					     "certificate %d of tls.crt is not valid yet", i + 1);
	}
	return 0;
}
