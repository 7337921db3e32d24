/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS server that reads its pair from a directory at every handshake, as etcd, Prometheus and Go's GetCertificate loaders do,
 * and demands a client certificate: what it serves is what a reader of the directory finds at that moment.
 *
 *     eager-server PORT DIR [deaf|slow]     DIR/tls.crt, DIR/tls.key, DIR/ca.crt
 *
 * deaf: reads them once, at the start, and takes SIGHUP without doing anything: a server that ignores its signal.
 * slow: reads them at the start and at SIGHUP, with 1.5 s between certificate and key, and says MIXED when they do not match.
 *
 * Ends with SIGTERM. Prints READY when it listens.
 */

#include "base/defs.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static SSL_CTX *load(const char *dir, const struct timespec *pause)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char crt[512];
	char key[512];
	char ca[512];

	snprintf(crt, sizeof(crt), "%s/tls.crt", dir);
	snprintf(key, sizeof(key), "%s/tls.key", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (SSL_CTX_use_certificate_chain_file(ctx, crt) != 1 || nanosleep(pause, NULL) < 0 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_file(ctx, ca) != 1) {
		ERR_clear_error();
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static void serve(int fd, SSL_CTX *ctx)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\n\r\n";
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	char request[256];

	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 &&
	    SSL_read(ssl, request, sizeof(request)) > 0)
		SSL_write(ssl, answer, sizeof(answer) - 1);
	ERR_clear_error();
	SSL_free(ssl);
	close(fd);
}

static volatile sig_atomic_t hangup;

static void on_hangup(int signal _unused_)
{
	hangup = 1;
}

/* What it serves from now on; a mixed pair is told, and the old one is kept, as good servers do. */
static void reload(SSL_CTX **ctx, const char *dir)
{
	const struct timespec pause = {.tv_sec = 1, .tv_nsec = 500000000};
	SSL_CTX *fresh;

	hangup = 0;
	fresh = load(dir, &pause);
	puts(fresh ? "RELOADED" : "MIXED");
	fflush(stdout);
	if (!fresh)
		return;
	SSL_CTX_free(*ctx);
	*ctx = fresh;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0) {
		perror("eager-server");
		return -1;
	}
	return fd;
}

int main(int argc, char **argv)
{
	/* accept() ends with EINTR: no SA_RESTART. */
	const struct sigaction take = {.sa_handler = on_hangup};
	const struct timespec at_once = {0};
	const char *mode = argc == 4 ? argv[3] : "";
	SSL_CTX *kept = NULL;
	uint64_t port;
	int fd;

	if (argc < 3 || argc > 4 || text_parse_u64(argv[1], 1, UINT16_MAX, &port) < 0) {
		fputs("usage: eager-server PORT DIR [deaf|slow]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	fd = listen_on((uint16_t)port);
	if (fd < 0)
		return 1;
	if (*mode) {
		sigaction(SIGHUP, &take, NULL);
		kept = load(argv[2], &at_once);
	}
	puts("READY");
	fflush(stdout);
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		SSL_CTX *ctx;

		if (hangup && strcmp(mode, "slow") == 0)
			reload(&kept, argv[2]);
		if (peer < 0)
			continue;
		ctx = kept ? kept : load(argv[2], &at_once);
		serve(peer, ctx);
		if (!kept)
			SSL_CTX_free(ctx);
	}
}
