/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that does nothing but mutual-TLS handshakes, one behind the other, each with one request and its answer, without a
 * retry; and counts. Every leaf that it sees must be one that was delivered.
 *
 *     handshakes --ca FILE --client DIR --delivered FILE [--clients N] [--least N] PORT...
 *
 * --client     a volume: its pair is read anew for each handshake, as a careful reader does (one descriptor for ..data)
 * --delivered  a file of SHA-256 fingerprints of leaves in hex, one a line, that grows while we run
 *
 * --clients    so many clients at once, each a process (1)
 * --least      after SIGTERM go on until so many were made, for at most 60 s (0)
 *
 * Goes on until SIGTERM, then prints "handshakes: N, failed: M" and, on standard error, what the first failures were.
 */

#include "base/buf.h"
#include "base/content.h"
#include "base/file.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define PORTS_MAX 16
#define TOLD_MAX 5 /* failures that are told in words */
#define PEM_MAX 65536
#define DELIVERED_MAX 1048576
#define CLIENTS_MAX 16
#define LEAST_S 60

/* What the clients share. */
struct counts {
	atomic_ulong done, failed;
};

struct client {
	const char *ca, *dir, *delivered;
	uint16_t ports[PORTS_MAX];
	size_t port_count;
	uint64_t clients, least;
	struct counts *counts;
	SSL_CTX *ctx;        /* with the pair that was read last */
	struct buf crt, key; /* that pair */
};

static int use_pair(SSL_CTX *ctx, const struct buf *crt, const struct buf *key, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(crt->data, (int)crt->len);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *pkey;
	int r;

	SSL_CTX_use_certificate(ctx, leaf);
	for (X509 *x; (x = PEM_read_bio_X509(bio, NULL, NULL, NULL));)
		SSL_CTX_add0_chain_cert(ctx, x);
	BIO_free(bio);
	bio = BIO_new_mem_buf(key->data, (int)key->len);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	r = SSL_CTX_use_PrivateKey(ctx, pkey) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	X509_free(leaf);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return r ? 0
		 : err_set(e, ERR_INVALID,
			   "certificate and key of the client's volume do not match");
}

/* Reads the pair of one generation below one descriptor; a new SSL_CTX is made when it is another than before. */
static int refresh_pair(struct client *c, struct err *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf crt;
	_cleanup_buf_ struct buf key;
	char path[512];

	buf_init(&crt, PEM_MAX);
	buf_init(&key, PEM_MAX);
	snprintf(path, sizeof(path), "%s/..data", c->dir);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (file_read(fd, "tls.crt", &crt, e) < 0 || file_read(fd, "tls.key", &key, e) < 0)
		return -1;
	if (c->ctx && strcmp(buf_str(&crt), buf_str(&c->crt)) == 0 &&
	    strcmp(buf_str(&key), buf_str(&c->key)) == 0)
		return 0;
	SSL_CTX_free(c->ctx);
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	buf_reset(&c->crt);
	buf_reset(&c->key);
	if (SSL_CTX_load_verify_file(c->ctx, c->ca) != 1)
		return err_set(e, ERR_INVALID, "the CA file %s", c->ca);
	if (use_pair(c->ctx, &crt, &key, e) < 0 || buf_add(&c->crt, crt.data, crt.len, e) < 0)
		return -1;
	return buf_add(&c->key, key.data, key.len, e);
}

static int dial(uint16_t port, int *ret_fd, struct err *e)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int one = 1;
	const struct timeval patience = {.tv_sec = 10};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return err_sys(e, "connect to port %u", port);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int leaf_was_delivered(const struct client *c, SSL *ssl, struct err *e)
{
	_cleanup_buf_ struct buf list;
	struct fingerprint f;
	char hex[FINGERPRINT_HEX];
	X509 *leaf = SSL_get1_peer_certificate(ssl);
	unsigned len = 0;

	if (!leaf || X509_digest(leaf, EVP_sha256(), f.bytes, &len) != 1) {
		X509_free(leaf);
		return err_set(e, ERR_INTERNAL, "no leaf was seen");
	}
	X509_free(leaf);
	fingerprint_hex(&f, hex);
	buf_init(&list, DELIVERED_MAX);
	if (file_read(AT_FDCWD, c->delivered, &list, e) < 0)
		return -1;
	return strstr(buf_str(&list), hex)
		   ? 0
		   : err_set(e, ERR_INVALID, "the leaf %.16s was never delivered", hex);
}

static int tls_error(const char *what, struct err *e)
{
	unsigned long code = ERR_get_error();

	ERR_clear_error();
	return err_set(e, ERR_UNAVAILABLE, "%s: %s", what,
		       code ? ERR_reason_error_string(code) : "the connection ended");
}

/* In TLS 1.3 the server judges our certificate after the handshake: only its answer says that it took it. */
static int talk(const struct client *c, SSL *ssl, struct err *e)
{
	static const char request[] = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
	const int one = 1;
	char answer[64] = "";
	int n;

	if (SSL_connect(ssl) != 1)
		return tls_error("handshake", e);
	if (leaf_was_delivered(c, ssl, e) < 0)
		return -1;
	if (SSL_write(ssl, request, sizeof(request) - 1) <= 0)
		return tls_error("request", e);
	/* The server's answer waits for our acknowledgement of its tickets (Nagle): not 40 ms. */
	setsockopt(SSL_get_fd(ssl), IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	n = SSL_read(ssl, answer, sizeof(answer) - 1);
	if (n <= 0)
		return tls_error("answer", e);
	if (!strstr(answer, " 200"))
		return err_set(e, ERR_DENIED, "the server did not take our certificate: %.20s",
			       answer);
	return 0;
}

static int handshake(struct client *c, uint16_t port, struct err *e)
{
	SSL *ssl;
	int fd = -1;
	int r;

	if (refresh_pair(c, e) < 0 || dial(port, &fd, e) < 0)
		return -1;
	ssl = SSL_new(c->ctx);
	SSL_set_fd(ssl, fd);
	SSL_set1_host(ssl, "localhost");
	r = talk(c, ssl, e);
	SSL_free(ssl);
	close(fd);
	return r;
}

static int read_arguments(int argc, char **argv, struct client *c)
{
	static const struct option options[] = {
	    {"ca", required_argument, NULL, 'a'},        {"client", required_argument, NULL, 'c'},
	    {"delivered", required_argument, NULL, 'd'}, {"clients", required_argument, NULL, 'n'},
	    {"least", required_argument, NULL, 'l'},     {NULL, 0, NULL, 0}};

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'a')
			c->ca = optarg;
		else if (o == 'c')
			c->dir = optarg;
		else if (o == 'd')
			c->delivered = optarg;
		else if ((o != 'n' || text_parse_u64(optarg, 1, CLIENTS_MAX, &c->clients) < 0) &&
			 (o != 'l' || text_parse_u64(optarg, 0, 1000000, &c->least) < 0))
			return -1;
	}
	for (; optind < argc && c->port_count < PORTS_MAX; optind++) {
		uint64_t port;

		if (text_parse_u64(argv[optind], 1, UINT16_MAX, &port) < 0)
			return -1;
		c->ports[c->port_count++] = (uint16_t)port;
	}
	return c->ca && c->dir && c->delivered && c->port_count ? 0 : -1;
}

/* SIGTERM is never delivered in a handshake, which would fail by it: it is looked for between two. */
static bool is_told_to_stop(const sigset_t *stop)
{
	const struct timespec now = {0};

	return sigtimedwait(stop, NULL, &now) > 0;
}

static void run_client(struct client *c, const sigset_t *stop, unsigned long from)
{
	bool stopping = false;
	time_t until = 0;
	struct err e;

	for (unsigned long n = from;; n++) {
		if (!stopping && is_told_to_stop(stop)) {
			stopping = true;
			until = time(NULL) + LEAST_S;
		}
		if (stopping && (c->counts->done >= c->least || time(NULL) > until))
			break;
		c->counts->done++;
		if (handshake(c, c->ports[n % c->port_count], &e) < 0 &&
		    ++c->counts->failed <= TOLD_MAX)
			fprintf(stderr, "port %u: %s\n", c->ports[n % c->port_count], e.message);
	}
}

int main(int argc, char **argv)
{
	struct client c = {.clients = 1};
	pid_t pids[CLIENTS_MAX];
	sigset_t stop;
	int signal_;

	if (read_arguments(argc, argv, &c) < 0) {
		fputs("usage: handshakes --ca FILE --client DIR --delivered FILE [--clients N] "
		      "[--least N] PORT...\n",
		      stderr);
		return 2;
	}
	buf_init(&c.crt, PEM_MAX);
	buf_init(&c.key, PEM_MAX);
	c.counts = mmap(NULL, sizeof(*c.counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (c.counts == MAP_FAILED)
		return 1;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (uint64_t i = 0; i < c.clients; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run_client(&c, &stop, i);
			return 0;
		}
	}
	sigwait(&stop, &signal_);
	for (uint64_t i = 0; i < c.clients; i++)
		kill(pids[i], SIGTERM);
	for (uint64_t i = 0; i < c.clients; i++)
		waitpid(pids[i], NULL, 0);
	printf("handshakes: %lu, failed: %lu\n", (unsigned long)c.counts->done,
	       (unsigned long)c.counts->failed);
	return 0;
}
