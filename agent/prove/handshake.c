/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/handshake.h"

#include "base/limits.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AES:!aNULL:!aPSK:!PSK:!SRP"
#define CHAIN_OVERHEAD KIB /* lengths and extensions around each certificate */

enum stage {
	HANDSHAKING,
	FAREWELL, /* done, and TLS 1.3's server has yet to say what it thinks of our certificate */
	OVER
};

struct handshake {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
	enum stage stage;
	size_t received;
	bool closed;  /* the server sends no more */
	bool proven;  /* its signature over this handshake was verified with the leaf's key */
	bool asked;   /* for a certificate of ours */
	bool refused; /* ... and then said no */
	bool ticket;  /* TLS 1.3: what a server sends once it is content */
	struct fingerprint leaf;
	int64_t not_after_s;
	struct err e; /* why it failed */
};

/* Verifying with a long exponent can be made to cost seconds. */
static bool exponent_is_short(const EVP_PKEY *key)
{
	BIGNUM *exponent = NULL;
	bool ok;

	if (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "RSA-PSS"))
		return true;
	ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) &&
	     BN_num_bits(exponent) <= LIMIT_PROBE_EXPONENT_BITS;
	BN_free(exponent);
	return ok;
}

/* Stands in for the verification of the chain: takes the leaf's facts. */
static int on_certificate(X509_STORE_CTX *store, void *arg)
{
	struct handshake *h = arg;
	const X509 *leaf = X509_STORE_CTX_get0_cert(store);
	const EVP_PKEY *key = leaf ? X509_get0_pubkey(leaf) : NULL;
	struct tm tm = {0};

	if (!key || !exponent_is_short(key) ||
	    !X509_digest(leaf, EVP_sha256(), h->leaf.bytes, NULL) ||
	    !ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
		return 0;
	}
	h->not_after_s = timegm(&tm);
	return 1;
}

/*
 * Called when the next message has begun to arrive, and the state is that of the last one, which
 * was good: the signature in TLS 1.3's CertificateVerify or in TLS 1.2's ServerKeyExchange was made
 * with the leaf's key over this handshake's random numbers.
 */
static void on_state(const SSL *ssl, int where, int ret _unused_)
{
	struct handshake *h = SSL_get_app_data(ssl);

	if (!(where & SSL_CB_LOOP))
		return;
	switch (SSL_get_state(ssl)) {
	case TLS_ST_CR_CERT_VRFY:
	case TLS_ST_CR_KEY_EXCH:
		h->proven = true;
		break;
	case TLS_ST_CR_CERT_REQ:
		h->asked = true;
		break;
	default:
		break;
	}
}

static void on_message(int sent, int version _unused_, int type, const void *bytes, size_t len,
		       SSL *ssl, void *arg _unused_)
{
	struct handshake *h = SSL_get_app_data(ssl);

	if (!sent && type == SSL3_RT_HANDSHAKE && len > 0 &&
	    *(const uint8_t *)bytes == SSL3_MT_NEWSESSION_TICKET)
		h->ticket = true;
}

/* We look at any certificate, however weak; only what would cost us time is refused. */
static int on_security(const SSL *ssl _unused_, const SSL_CTX *ctx _unused_, int op,
		       int bits _unused_, int nid _unused_, void *other, void *arg _unused_)
{
	return op != SSL_SECOP_TMP_DH || !other || EVP_PKEY_get_bits(other) <= LIMIT_PROBE_DH_BITS;
}

/* OpenSSL's default asks at the terminal. */
static int no_password(char *buf _unused_, int size _unused_, int writing _unused_,
		       void *arg _unused_)
{
	return -1;
}

static int fail(struct err *e, enum err_kind kind, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(e, kind, "%s: %s", what, why ? why : "OpenSSL does not say why");
}

static int use_chain(SSL_CTX *ctx, BIO *bio, struct err *e)
{
	X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	int ok = cert && SSL_CTX_use_certificate(ctx, cert);

	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL)
		if (!SSL_CTX_add0_chain_cert(ctx, cert)) {
			X509_free(cert);
			ok = false;
		}
	if (!ok)
		return fail(e, ERR_INVALID, "the client's certificate");
	ERR_clear_error();
	return 0;
}

static int use_key(SSL_CTX *ctx, BIO *bio, struct err *e)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	int ok = key && SSL_CTX_use_PrivateKey(ctx, key);

	EVP_PKEY_free(key);
	return ok ? 0 : fail(e, ERR_INVALID, "the client's key");
}

static int use_client_pair(SSL_CTX *ctx, const struct probe_target *t, struct err *e)
{
	BIO *cert;
	BIO *key;
	int rc = -1;

	if (!t->client_cert || !t->client_key)
		return 0;
	if (t->client_cert->len > LIMIT_CONTENT || t->client_key->len > LIMIT_CONTENT)
		return err_set(e, ERR_INVALID, "the client's certificate or key is too long");
	cert = BIO_new_mem_buf(t->client_cert->data, (int)t->client_cert->len);
	key = BIO_new_mem_buf(t->client_key->data, (int)t->client_key->len);
	if (!cert || !key)
		err_set(e, ERR_EXHAUSTED, "out of memory for the client's certificate");
	else if (use_chain(ctx, cert, e) == 0)
		rc = use_key(ctx, key, e);
	BIO_free(cert);
	BIO_free(key);
	return rc;
}

/* "h2,http/1.1" as TLS has it: each with its length in front. */
static int use_alpn(SSL *ssl, const char *list, struct err *e)
{
	uint8_t wire[LIMIT_ALPN + 1];
	size_t used = 0;

	if (!list)
		return 0;
	for (const char *p = list; p;) {
		size_t len = strcspn(p, ",");

		if (len == 0 || len > UINT8_MAX || used + 1 + len > sizeof(wire))
			return err_set(e, ERR_INVALID, "'%.64s' is no list of ALPN protocols",
				       list);
		wire[used++] = (uint8_t)len;
		memcpy(wire + used, p, len);
		used += len;
		p = p[len] ? p + len + 1 : NULL;
	}
	if (SSL_set_alpn_protos(ssl, wire, (unsigned)used) != 0)
		return fail(e, ERR_EXHAUSTED, "the ALPN protocols");
	return 0;
}

static int set_up_context(struct handshake *h, const struct probe_target *t, struct err *e)
{
	h->ctx = SSL_CTX_new(TLS_client_method());
	if (!h->ctx)
		return fail(e, ERR_EXHAUSTED, "a TLS context");
	SSL_CTX_set_security_level(h->ctx, 0);
	SSL_CTX_set_security_callback(h->ctx, on_security);
	SSL_CTX_set_options(h->ctx,
			    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(h->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(h->ctx, LIMIT_CHAIN_BYTES + CHAIN_OVERHEAD);
	SSL_CTX_set_verify(h->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(h->ctx, on_certificate, h);
	if (!SSL_CTX_set_min_proto_version(h->ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(h->ctx, CIPHERS))
		return fail(e, ERR_INTERNAL, "TLS versions and ciphers");
	return use_client_pair(h->ctx, t, e);
}

static int set_up(struct handshake *h, const struct probe_target *t, struct err *e)
{
	if (set_up_context(h, t, e) < 0)
		return -1;
	h->ssl = SSL_new(h->ctx);
	h->in = BIO_new(BIO_s_mem());
	h->out = BIO_new(BIO_s_mem());
	if (!h->ssl || !h->in || !h->out) {
		BIO_free(h->in);
		BIO_free(h->out);
		return fail(e, ERR_EXHAUSTED, "a TLS session");
	}
	/* Empty is not the end. */
	BIO_set_mem_eof_return(h->in, -1);
	SSL_set_bio(h->ssl, h->in, h->out);
	SSL_set_app_data(h->ssl, h);
	SSL_set_info_callback(h->ssl, on_state);
	SSL_set_msg_callback(h->ssl, on_message);
	SSL_set_connect_state(h->ssl);
	if (t->sni && !SSL_set_tlsext_host_name(h->ssl, t->sni))
		return fail(e, ERR_INVALID, "the server name");
	return use_alpn(h->ssl, t->alpn, e);
}

int handshake_new(const struct probe_target *target, struct handshake **ret, struct err *e)
{
	struct handshake *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(e, ERR_EXHAUSTED, "a TLS session");
	ERR_clear_error();
	if (set_up(h, target, e) < 0) {
		handshake_free(h);
		return -1;
	}
	*ret = h;
	return 0;
}

struct handshake *handshake_free(struct handshake *h)
{
	if (h) {
		SSL_free(h->ssl);
		SSL_CTX_free(h->ctx);
	}
	free(h);
	return NULL;
}

int handshake_feed(struct handshake *h, const void *bytes, size_t len, struct err *e)
{
	if (len > LIMIT_PROBE_BYTES - h->received)
		return err_set(e, ERR_INVALID, "the server sent more than %d bytes",
			       LIMIT_PROBE_BYTES);
	h->received += len;
	if (BIO_write(h->in, bytes, (int)len) != (int)len)
		return fail(e, ERR_EXHAUSTED, "out of memory for the server's bytes");
	return 0;
}

void handshake_close(struct handshake *h)
{
	h->closed = true;
	BIO_set_mem_eof_return(h->in, 0);
}

static bool wants_more(struct handshake *h, int rc)
{
	return SSL_get_error(h->ssl, rc) == SSL_ERROR_WANT_READ && !h->closed;
}

static bool over(struct handshake *h)
{
	h->stage = OVER;
	return true;
}

/* It failed. With the key proven the server may have refused us, which says nothing of its leaf. */
static bool failed(struct handshake *h)
{
	if (h->proven)
		h->refused = h->asked;
	else if (h->received == 0)
		err_set(&h->e, ERR_UNAVAILABLE, "the server closed without a word");
	else if (h->closed && ERR_peek_last_error() == 0)
		err_set(&h->e, ERR_UNAVAILABLE, "the server closed in the handshake");
	else
		fail(&h->e, ERR_INVALID, "handshake");
	ERR_clear_error();
	return over(h);
}

/* After TLS 1.3's handshake: a ticket means that our certificate was taken, an alert that not, and
 * a close nothing. */
static bool step_farewell(struct handshake *h)
{
	char byte;
	int rc = SSL_read(h->ssl, &byte, 1);

	if (!h->ticket && rc <= 0) {
		if (wants_more(h, rc))
			return false;
		h->refused = SSL_get_error(h->ssl, rc) == SSL_ERROR_SSL &&
			     ERR_GET_REASON(ERR_peek_last_error()) > SSL_AD_REASON_OFFSET;
	}
	ERR_clear_error();
	return over(h);
}

static bool step_handshake(struct handshake *h)
{
	int rc = SSL_do_handshake(h->ssl);

	if (rc != 1)
		return wants_more(h, rc) ? false : failed(h);
	SSL_shutdown(h->ssl);
	if (SSL_version(h->ssl) != TLS1_3_VERSION || !h->asked)
		return over(h);
	h->stage = FAREWELL;
	return step_farewell(h);
}

bool handshake_step(struct handshake *h)
{
	ERR_clear_error();
	switch (h->stage) {
	case HANDSHAKING:
		return step_handshake(h);
	case FAREWELL:
		return step_farewell(h);
	default:
		return true;
	}
}

size_t handshake_pending(struct handshake *h, const void **ret)
{
	char *data = NULL;
	long len = BIO_get_mem_data(h->out, &data);

	*ret = data;
	return len > 0 ? (size_t)len : 0;
}

void handshake_sent(struct handshake *h, size_t len)
{
	char skipped[1024];

	while (len > 0) {
		int part =
		    BIO_read(h->out, skipped, (int)(len < sizeof(skipped) ? len : sizeof(skipped)));

		if (part <= 0)
			return;
		len -= (size_t)part;
	}
}

void handshake_report(const struct handshake *h, struct probe_report *ret)
{
	if (!h->proven) {
		ret->result = PROBE_BROKEN;
		ret->e = h->e;
		return;
	}
	ret->result = PROBE_SEEN;
	ret->leaf = h->leaf;
	ret->not_after_s = h->not_after_s;
	ret->client_refused = h->refused;
	snprintf(ret->version, sizeof(ret->version), "%s", SSL_get_version(h->ssl));
}
