/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/leaf.h"

#include "cert/key.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define SAN_TEXT 256

int leaf_time_s(const ASN1_TIME *t, int64_t *ret_s)
{
	struct tm tm = {0};

	if (!ASN1_TIME_to_tm(t, &tm))
		return -1;
	*ret_s = timegm(&tm);
	return 0;
}

/* Copies as much as fits, with "..." at the end when it is not all. */
static int copy_cut(char *to, size_t size, const char *from, size_t len)
{
	if (len < size) {
		memcpy(to, from, len);
		to[len] = '\0';
		return 0;
	}
	memcpy(to, from, size - 4);
	memcpy(to + size - 4, "...", 4);
	return -1;
}

int leaf_name(const X509_NAME *name, char *ret, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;
	int rc = -1;

	ret[0] = '\0';
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		len = BIO_get_mem_data(bio, &text);
		rc = len > 0 ? copy_cut(ret, size, text, (size_t)len) : 0;
	}
	BIO_free(bio);
	return rc;
}

/* A name may hold any bytes: what could break a line or pass for a second name becomes "?". Returns 1
 * when the copy is not all, or not the same. */
static int copy_printable(char *to, size_t size, const ASN1_STRING *from)
{
	size_t len = (size_t)ASN1_STRING_length(from);
	int changed = copy_cut(to, size, (const char *)ASN1_STRING_get0_data(from), len) < 0;

	if (len > size - 1)
		len = size - 1;
	for (size_t i = 0; i < len; i++)
		if (to[i] <= ' ' || to[i] > '~' || to[i] == ',' || to[i] == '"') {
			to[i] = '?';
			changed = 1;
		}
	return changed;
}

static int copy_ip(char *to, size_t size, const ASN1_STRING *from)
{
	int len = ASN1_STRING_length(from);

	if ((len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET : AF_INET6,
						 ASN1_STRING_get0_data(from), to, (socklen_t)size))
		return 0;
	snprintf(to, size, "?");
	return 1;
}

int leaf_san(const GENERAL_NAME *name, const char **ret_kind, char *ret, size_t size)
{
	int type;
	const void *value = GENERAL_NAME_get0_value(name, &type);

	switch (type) {
	case GEN_DNS:
		*ret_kind = "DNS";
		return copy_printable(ret, size, value);
	case GEN_URI:
		*ret_kind = "URI";
		return copy_printable(ret, size, value);
	case GEN_EMAIL:
		*ret_kind = "email";
		return copy_printable(ret, size, value);
	case GEN_IPADD:
		*ret_kind = "IP";
		return copy_ip(ret, size, value);
	default:
		return -1;
	}
}

static void read_sans(X509 *leaf, char *ret, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	size_t used = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		char text[SAN_TEXT];
		char item[SAN_TEXT + 16];
		const char *kind;
		int len;

		if (leaf_san(sk_GENERAL_NAME_value(names, i), &kind, text, sizeof(text)) < 0)
			continue;
		len = snprintf(item, sizeof(item), "%s%s:%s", used ? ", " : "", kind, text);
		if (copy_cut(ret + used, size - used, item, (size_t)len) < 0)
			break;
		used += (size_t)len;
		/* So that "..." always fits behind. */
		if (size - used <= 4)
			break;
	}
	GENERAL_NAMES_free(names);
}

static void read_serial(const X509 *leaf, char *ret, size_t size)
{
	BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	char *hex = bn ? BN_bn2hex(bn) : NULL;

	if (hex)
		copy_cut(ret, size, hex, strlen(hex));
	for (char *p = ret; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			*p = (char)(*p - 'A' + 'a');
	OPENSSL_free(hex);
	BN_free(bn);
}

int leaf_read(X509 *leaf, struct gate_leaf *ret, struct gate_verdict *v, struct err *e)
{
	const EVP_PKEY *key = X509_get0_pubkey(leaf);

	if (!X509_digest(leaf, EVP_sha256(), ret->leaf.bytes, NULL))
		return err_set(e, ERR_EXHAUSTED, "could not make a SHA-256");
	if (!key)
		return verdict_openssl(v, e, REASON_BAD_PEM,
				       "the key of the leaf in tls.crt is malformed");
	if (leaf_time_s(X509_get0_notBefore(leaf), &ret->not_before_s) < 0 ||
	    leaf_time_s(X509_get0_notAfter(leaf), &ret->not_after_s) < 0)
		return verdict_openssl(v, e, REASON_BAD_PEM,
				       "a date of the leaf in tls.crt is malformed");
	key_name(key, ret->key, sizeof(ret->key));
	leaf_name(X509_get_subject_name(leaf), ret->subject, sizeof(ret->subject));
	leaf_name(X509_get_issuer_name(leaf), ret->issuer, sizeof(ret->issuer));
	read_serial(leaf, ret->serial, sizeof(ret->serial));
	read_sans(leaf, ret->sans, sizeof(ret->sans));
	verdict_out_of_memory();
	return 0;
}
