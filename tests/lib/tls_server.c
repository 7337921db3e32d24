/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define CHILD_LIFE_S 60

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	ERR_print_errors_fp(stderr);
	abort();
}

static int listen_on(const char *address, uint16_t *ret_port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	bool six = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	struct sockaddr *where = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = six ? sizeof(v6) : sizeof(v4);
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	need(six || inet_pton(AF_INET, address, &v4.sin_addr) == 1, address);
	need(fd >= 0 && bind(fd, where, len) == 0 && listen(fd, 16) == 0, "listen");
	need(getsockname(fd, where, &len) == 0, "getsockname");
	*ret_port = ntohs(six ? v6.sin6_port : v4.sin_port);
	return fd;
}

static _Noreturn void serve_all(int listener, tls_serve_fn serve, const void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	alarm(CHILD_LIFE_S);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			_exit(1);
		serve(fd, arg);
		close(fd);
	}
}

void tls_server_start(struct tls_server *s, const char *address, tls_serve_fn serve,
		      const void *arg)
{
	int listener = listen_on(address ? address : "127.0.0.1", &s->port);

	s->pid = fork();
	need(s->pid >= 0, "fork");
	if (s->pid == 0)
		serve_all(listener, serve, arg);
	close(listener);
}

void tls_server_stop(struct tls_server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

static SSL_CTX *new_context(const struct tls_identity *id)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	need(ctx, "a TLS context");
	SSL_CTX_set_security_level(ctx, 0);
	need(SSL_CTX_use_certificate(ctx, id->chain[0]) && SSL_CTX_use_PrivateKey(ctx, id->key),
	     "the server's certificate and key");
	for (size_t i = 1; id->chain[i]; i++)
		need(SSL_CTX_add1_chain_cert(ctx, id->chain[i]), "the server's chain");
	return ctx;
}

static int on_sni(SSL *ssl, int *alert _unused_, void *arg)
{
	const struct tls_behaviour *b = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (name && strcmp(name, b->other_sni) == 0) {
		SSL_CTX *ctx = new_context(&b->other);

		SSL_set_SSL_CTX(ssl, ctx);
		SSL_CTX_free(ctx);
	}
	return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl _unused_, const unsigned char **ret, unsigned char *ret_len,
		   const unsigned char *offered, unsigned len, void *arg)
{
	const struct tls_behaviour *b = arg;

	for (unsigned i = 0; i < len; i += 1U + offered[i])
		if (strlen(b->alpn) == offered[i] &&
		    memcmp(offered + i + 1, b->alpn, offered[i]) == 0) {
			*ret = offered + i + 1;
			*ret_len = offered[i];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void set_dh(SSL_CTX *ctx, const char *group)
{
	EVP_PKEY *params = NULL;
	EVP_PKEY_CTX *gen = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);

	need(gen && EVP_PKEY_keygen_init(gen) > 0 && EVP_PKEY_CTX_set_group_name(gen, group) > 0 &&
		 EVP_PKEY_generate(gen, &params) > 0 && SSL_CTX_set0_tmp_dh_pkey(ctx, params),
	     group);
	EVP_PKEY_CTX_free(gen);
}

static SSL_CTX *set_up(struct tls_behaviour *b)
{
	SSL_CTX *ctx = new_context(&b->identity);

	if (b->version)
		need(SSL_CTX_set_min_proto_version(ctx, b->version) &&
			 SSL_CTX_set_max_proto_version(ctx, b->version),
		     "the TLS version");
	if (b->ciphers)
		need(SSL_CTX_set_cipher_list(ctx, b->ciphers), b->ciphers);
	if (b->dh_group)
		set_dh(ctx, b->dh_group);
	if (b->other_sni) {
		SSL_CTX_set_tlsext_servername_callback(ctx, on_sni);
		SSL_CTX_set_tlsext_servername_arg(ctx, b);
	}
	if (b->alpn)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, b);
	if (b->client_ca) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), b->client_ca);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	if (b->no_tickets)
		SSL_CTX_set_num_tickets(ctx, 0);
	return ctx;
}

void tls_serve(int fd, const void *behaviour)
{
	struct tls_behaviour b = *(const struct tls_behaviour *)behaviour;
	SSL_CTX *ctx = set_up(&b);
	SSL *ssl = SSL_new(ctx);
	char bytes[256];

	need(ssl && SSL_set_fd(ssl, fd), "a TLS session");
	if (SSL_accept(ssl) == 1) {
		if (b.hang)
			pause();
		while (SSL_read(ssl, bytes, sizeof(bytes)) > 0)
			;
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
}
