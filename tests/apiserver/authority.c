/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/authority.h"

#include "base/file.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_S (24L * 60 * 60)

struct pair {
	EVP_PKEY *key;
	X509 *certificate;
};

struct authority {
	int dirfd; /* owned */
	char extra_name[256];
	struct pair ca;
	SSL_CTX *context;
};

/* What a certificate is to say. */
struct wish {
	const char *name;        /* common name */
	const char *alternative; /* subjectAltName, or NULL */
	const char *constraints; /* basicConstraints */
	const char *usage;       /* keyUsage */
	const char *purpose;     /* extendedKeyUsage, or NULL */
	long from_s;             /* from now */
	long until_s;
};

static int fail(struct err *e, const char *what)
{
	return err_set(e, ERR_INTERNAL, "%s: %s", what, ERR_reason_error_string(ERR_get_error()));
}

static void pair_done(struct pair *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->certificate);
	*p = (struct pair){0};
}

static bool add_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
	if (!value)
		return true;
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
	bool done = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return done;
}

static bool fill(X509 *c, const struct wish *w, const struct pair *ca, EVP_PKEY *key)
{
	uint64_t serial = 0;
	X509V3_CTX context;
	X509 *issuer = ca ? ca->certificate : c;
	if (RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
		return false;
	X509_NAME *name = X509_get_subject_name(c);
	X509V3_set_ctx(&context, issuer, c, NULL, NULL, 0);
	return X509_set_version(c, X509_VERSION_3) &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), serial >> 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(c), w->from_s) &&
	       X509_gmtime_adj(X509_getm_notAfter(c), w->until_s) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)w->name,
					  -1, -1, 0) &&
	       X509_set_issuer_name(c, X509_get_subject_name(issuer)) && X509_set_pubkey(c, key) &&
	       add_extension(c, &context, NID_basic_constraints, w->constraints) &&
	       add_extension(c, &context, NID_key_usage, w->usage) &&
	       add_extension(c, &context, NID_ext_key_usage, w->purpose) &&
	       add_extension(c, &context, NID_subject_alt_name, w->alternative) &&
	       X509_sign(c, ca ? ca->key : key, EVP_sha256()) > 0;
}

/* A new pair, of the CA or self-signed. */
static int issue(const struct wish *w, const struct pair *ca, struct pair *ret, struct err *e)
{
	struct pair p = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
	if (!p.key || !p.certificate || !fill(p.certificate, w, ca, p.key)) {
		pair_done(&p);
		return fail(e, "issue a certificate");
	}
	*ret = p;
	return 0;
}

static int make_ca(const char *name, struct pair *ret, struct err *e)
{
	const struct wish wish = {.name = name,
				  .constraints = "critical,CA:TRUE",
				  .usage = "critical,keyCertSign,cRLSign",
				  .from_s = -DAY_S,
				  .until_s = 3650 * DAY_S};
	return issue(&wish, NULL, ret, e);
}

static FILE *open_file(struct authority *a, const char *name, const char *mode)
{
	int flags = *mode == 'w' ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
	int fd = openat(a->dirfd, name, flags | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, mode);
}

static int write_pair(struct authority *a, const struct pair *p, const char *crt, const char *key,
		      struct err *e)
{
	_cleanup_fclose_ FILE *crt_file = open_file(a, crt, "w");
	if (!crt_file || PEM_write_X509(crt_file, p->certificate) != 1 || fflush(crt_file))
		return err_sys(e, "write %s", crt);
	_cleanup_fclose_ FILE *key_file = open_file(a, key, "w");
	if (!key_file || PEM_write_PrivateKey(key_file, p->key, NULL, NULL, 0, NULL, NULL) != 1)
		return err_sys(e, "write %s", key);
	return 0;
}

static bool read_ca(struct authority *a)
{
	_cleanup_fclose_ FILE *crt = open_file(a, "ca.crt", "r");
	_cleanup_fclose_ FILE *key = open_file(a, "ca.key", "r");
	if (!crt || !key)
		return false;
	a->ca.certificate = PEM_read_X509(crt, NULL, NULL, NULL);
	a->ca.key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	if (a->ca.certificate && a->ca.key)
		return true;
	pair_done(&a->ca);
	return false;
}

static int make_client(struct authority *a, struct err *e)
{
	const struct wish wish = {.name = "admin",
				  .constraints = "critical,CA:FALSE",
				  .usage = "critical,digitalSignature",
				  .purpose = "clientAuth",
				  .from_s = -DAY_S,
				  .until_s = 365 * DAY_S};
	struct pair client = {0};
	if (issue(&wish, &a->ca, &client, e) < 0)
		return -1;
	int r = write_pair(a, &client, "client.crt", "client.key", e);
	pair_done(&client);
	return r;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen = NULL;
	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* A client without a certificate, or with a wrong one, is for the handler to judge. */
static int take_any_client(int ok, X509_STORE_CTX *context)
{
	(void)ok;
	(void)context;
	return 1;
}

static SSL_CTX *make_context(struct authority *a, const struct pair *server)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (!context)
		return NULL;
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_alpn_select_cb(context, choose_alpn, NULL);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any_client);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(context), a->ca.certificate);
	SSL_CTX_add_client_CA(context, a->ca.certificate);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_use_certificate(context, server->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, server->key) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

int authority_use(struct authority *a, enum authority_certificate which, struct err *e)
{
	char names[400];
	struct in_addr unused;
	bool numeric = inet_pton(AF_INET, a->extra_name, &unused) == 1;
	snprintf(names, sizeof(names), "IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc%s%s",
		 !*a->extra_name ? ""
		 : numeric       ? ",IP:"
				 : ",DNS:",
		 a->extra_name);
	const struct wish wish = {
	    .name = "apiserver",
	    .alternative = which == AUTHORITY_WRONG_NAME ? "DNS:example.com" : names,
	    .constraints = "critical,CA:FALSE",
	    .usage = "critical,digitalSignature",
	    .purpose = "serverAuth",
	    .from_s = which == AUTHORITY_NOT_YET ? DAY_S : -2 * DAY_S,
	    .until_s = which == AUTHORITY_EXPIRED ? -DAY_S : 365 * DAY_S,
	};
	struct pair other = {0};
	struct pair server = {0};
	if (which == AUTHORITY_OTHER_CA && make_ca("other", &other, e) < 0)
		return -1;
	int r = issue(&wish, other.key ? &other : &a->ca, &server, e);
	pair_done(&other);
	if (r < 0)
		return -1;
	SSL_CTX *context = make_context(a, &server);
	pair_done(&server);
	if (!context)
		return fail(e, "make a TLS context");
	SSL_CTX_free(a->context);
	a->context = context;
	return 0;
}

int authority_rotate(struct authority *a, struct err *e)
{
	struct pair ca = {0};
	if (make_ca("apiserver-ca", &ca, e) < 0)
		return -1;
	pair_done(&a->ca);
	a->ca = ca;
	if (write_pair(a, &a->ca, "ca.crt", "ca.key", e) < 0 || make_client(a, e) < 0)
		return -1;
	return authority_use(a, AUTHORITY_GOOD, e);
}

int authority_new(int dirfd, const char *extra_name, struct authority **ret, struct err *e)
{
	struct authority *a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, ERR_EXHAUSTED, "no memory for certificates");
	a->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	snprintf(a->extra_name, sizeof(a->extra_name), "%s", extra_name ? extra_name : "");
	int r = -1;
	if (a->dirfd < 0)
		err_sys(e, "duplicate a directory's descriptor");
	else if (!read_ca(a))
		r = authority_rotate(a, e);
	else if (make_client(a, e) == 0)
		r = authority_use(a, AUTHORITY_GOOD, e);
	if (r < 0) {
		authority_free(a);
		return -1;
	}
	*ret = a;
	return 0;
}

struct authority *authority_free(struct authority *a)
{
	if (!a)
		return NULL;
	closep(&a->dirfd);
	pair_done(&a->ca);
	SSL_CTX_free(a->context);
	free(a);
	return NULL;
}

SSL_CTX *authority_context(struct authority *a)
{
	return a->context;
}
