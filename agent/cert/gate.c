/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/gate.h"

#include "base/limits.h"
#include "cert/chain.h"
#include "cert/key.h"
#include "cert/leaf.h"
#include "cert/policy.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* What cert-manager puts into the certificates it signs itself while the issuer is at work. */
#define TEMPORARY_ISSUER "cert-manager.local"
#define TEMPORARY_SUBJECT_NUMBER "1234567890" /* serialNumber= of the subject, since 0.15 */
#define TEMPORARY_SERIAL "1234567890"         /* hexadecimal, before */

struct gate {
	const struct gate_policy *policy; /* borrowed */
	struct key_reader *keys;
	uint64_t parsed;
};

int gate_new(const struct gate_policy *policy, struct gate **ret, struct err *e)
{
	struct gate *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(e, ERR_EXHAUSTED, "could not make a gate");
	g->policy = policy;
	if (key_reader_new(&g->keys, e) < 0) {
		free(g);
		return -1;
	}
	*ret = g;
	return 0;
}

struct gate *gate_free(struct gate *g)
{
	if (g)
		key_reader_free(g->keys);
	free(g);
	return NULL;
}

uint64_t gate_parsed(const struct gate *g)
{
	return g->parsed;
}

/* What can be said without parsing. */
static int check_outside(const struct content *data, const struct gate_context *context,
			 struct gate_verdict *v)
{
	static const char *const needed[] = {"tls.crt", "tls.key"};

	if (context->next_key)
		return verdict_unfit(v, REASON_NEXT_KEY,
				     "this Secret holds cert-manager's next private key");
	for (size_t i = 0; i < data->count; i++)
		if (!content_name_ok(data->files[i].name))
			return verdict_unfit(v, REASON_BAD_NAME,
					     "a data key of the Secret is no file name");
	if (content_size(data) > LIMIT_CONTENT)
		return verdict_unfit(v, REASON_TOO_LARGE, "the Secret has more than %d bytes",
				     LIMIT_CONTENT);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		const struct content_file *f = content_find(data, needed[i]);

		if (!f || f->bytes.len == 0)
			return verdict_unfit(v, REASON_MISSING, "%s is %s", needed[i],
					     f ? "empty" : "not there");
	}
	return 0;
}

/* Is that part of the name (its last one of the kind) this text? */
static bool name_part_is(const X509_NAME *name, int nid, const char *text)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	const ASN1_STRING *value;

	if (at < 0)
		return false;
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	return (size_t)ASN1_STRING_length(value) == strlen(text) &&
	       memcmp(ASN1_STRING_get0_data(value), text, strlen(text)) == 0;
}

static bool is_temporary(X509 *leaf, const struct gate_leaf *facts, bool annotated)
{
	bool local = name_part_is(X509_get_issuer_name(leaf), NID_commonName, TEMPORARY_ISSUER);
	bool numbered =
	    name_part_is(X509_get_subject_name(leaf), NID_serialNumber, TEMPORARY_SUBJECT_NUMBER) ||
	    strcmp(facts->serial, TEMPORARY_SERIAL) == 0;

	if (local && numbered)
		return true;
	return annotated && (local || (X509_get_extension_flags(leaf) & EXFLAG_SI));
}

/* The key belongs to the leaf, and the leaf is one to deliver. */
static int check_leaf(X509 *leaf, const EVP_PKEY *key, const struct gate_context *context,
		      struct gate_verdict *v)
{
	if (EVP_PKEY_eq(X509_get0_pubkey(leaf), key) != 1) {
		char name[sizeof(v->leaf.key)];

		key_name(key, name, sizeof(name));
		return verdict_unfit(v, REASON_KEY_MISMATCH,
				     "tls.key (%s) is not the key of the leaf in tls.crt (%s)",
				     name, v->leaf.key);
	}
	if (is_temporary(leaf, &v->leaf, context->temporary))
		return verdict_unfit(v, REASON_TEMPORARY,
				     "the leaf is cert-manager's temporary certificate");
	if (!context->allow_ca && (X509_get_extension_flags(leaf) & EXFLAG_CA))
		return verdict_unfit(v, REASON_CA_LEAF,
				     "the first certificate of tls.crt is a CA's (CA:TRUE)");
	return 0;
}

static int check_chain(const struct gate *g, STACK_OF(X509) * chain,
		       const struct gate_context *context, struct gate_verdict *v, struct err *e)
{
	int64_t now_s = context->wall_ms / SECOND_MS;
	int64_t skew_s = g->policy->skew_s ? g->policy->skew_s : LIMIT_SKEW_S;

	if (chain_check_order(chain, v, e) < 0 || chain_check_dates(chain, now_s, skew_s, v, e) < 0)
		return -1;
	return policy_check(g->policy, chain, &v->leaf, now_s, v);
}

static int judge(struct gate *g, const struct content *data, const struct gate_context *context,
		 struct gate_verdict *v, struct err *e)
{
	_cleanup_(chain_free) STACK_OF(X509) *chain = NULL;
	const struct content_file *ca = content_find(data, "ca.crt");
	const struct content_file *crt = content_find(data, "tls.crt");
	const struct content_file *key_file = content_find(data, "tls.key");
	EVP_PKEY *key = NULL;
	X509 *leaf;
	int rc;

	if (chain_read(crt->bytes.data, crt->bytes.len, &chain, v, e) < 0)
		return -1;
	leaf = sk_X509_value(chain, 0);
	if (leaf_read(leaf, &v->leaf, v, e) < 0)
		return -1;
	v->leaf.chain_len = (unsigned)sk_X509_num(chain);
	if (key_read(g->keys, &key_file->bytes, &key, v, e) < 0)
		return -1;
	rc = check_leaf(leaf, key, context, v);
	EVP_PKEY_free(key);
	if (rc < 0 || check_chain(g, chain, context, v, e) < 0)
		return -1;
	return ca && ca->bytes.len ? chain_check_bundle(&ca->bytes, v, e) : 0;
}

int gate_judge(struct gate *g, const struct content *data, const struct gate_context *context,
	       struct gate_verdict *ret, struct err *e)
{
	*ret = (struct gate_verdict){0};
	if (check_outside(data, context, ret) < 0)
		return 0;
	g->parsed++;
	if (judge(g, data, context, ret, e) < 0)
		return ret->reason == REASON_NONE ? -1 : 0;
	return 0;
}

/* An unfit input as an error, where there is no verdict to give. */
static int as_error(const struct gate_verdict *v, struct err *e)
{
	if (v->reason == REASON_NONE)
		return -1;
	return err_set(e, ERR_INVALID, "%s", v->detail);
}

static int write_pkcs8(const EVP_PKEY *key, struct secret *ret, struct err *e)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long len;
	int rc = -1;

	if (info && bio && PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info)) {
		len = BIO_get_mem_data(bio, &text);
		rc = secret_copy(ret, text, (size_t)len, e);
	} else {
		err_set(e, ERR_EXHAUSTED, "could not write a key as PKCS#8");
	}
	BIO_free(bio);
	PKCS8_PRIV_KEY_INFO_free(info);
	return rc;
}

int gate_pkcs8(struct gate *g, const struct secret *key_pem, struct secret *ret, struct err *e)
{
	struct gate_verdict v = {0};
	EVP_PKEY *key = NULL;
	int rc;

	if (key_read(g->keys, key_pem, &key, &v, e) < 0)
		return as_error(&v, e);
	rc = write_pkcs8(key, ret, e);
	EVP_PKEY_free(key);
	return rc;
}

int gate_read_leaf(const void *pem, size_t len, struct gate_leaf *ret, struct err *e)
{
	_cleanup_(chain_free) STACK_OF(X509) *chain = NULL;
	struct gate_verdict v = {0};

	if (chain_read(pem, len, &chain, &v, e) < 0 ||
	    leaf_read(sk_X509_value(chain, 0), &v.leaf, &v, e) < 0)
		return as_error(&v, e);
	*ret = v.leaf;
	ret->chain_len = (unsigned)sk_X509_num(chain);
	return 0;
}
