/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/wire.h"

#include "tests/lib/pki.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

struct scene {
	struct event_base *base;
	struct wire *wire;
	SSL_CTX *ctx;
	unsigned over;
};

static SSL_CTX *context(void *arg)
{
	return ((struct scene *)arg)->ctx;
}

/* As on SIGTERM: the loop is left with what the answer made due. */
static void answer_and_leave(void *arg, struct wire_exchange *x)
{
	struct scene *s = arg;
	struct evbuffer *body = evbuffer_new();

	evbuffer_add(body, "{}", 2);
	wire_answer(x, 200, NULL, body);
	evbuffer_free(body);
	event_base_loopbreak(s->base);
}

static void count_over(void *arg, struct wire_exchange *x _unused_)
{
	((struct scene *)arg)->over++;
}

static int set_up(void **state)
{
	static struct scene s;
	const struct wire_handlers handlers = {
	    .on_request = answer_and_leave, .on_over = count_over, .arg = &s};
	const struct pki_cert what = {.subject = "CN=server"};
	EVP_PKEY *key = pki_key(PKI_P256, 0);
	X509 *cert = pki_sign(&what, key, NULL, key);
	struct err e;

	s = (struct scene){.base = event_base_new(), .ctx = SSL_CTX_new(TLS_server_method())};
	assert_int_equal(SSL_CTX_use_certificate(s.ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, key), 1);
	X509_free(cert);
	assert_int_equal(wire_new(s.base, "127.0.0.1", 0, context, &handlers, &s.wire, &e), 0);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	wire_free(s->wire);
	event_base_free(s->base);
	SSL_CTX_free(s->ctx);
	return 0;
}

/* Sends a request and reads until the connection ends; 0 when it does. */
static int client(uint16_t port)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	char part[256];
	size_t n;

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_connect(ssl) != 1 || SSL_write_ex(ssl, request, strlen(request), &n) != 1)
		return 1;
	while (SSL_read_ex(ssl, part, sizeof(part), &n) == 1)
		;
	return 0;
}

static bool ends(pid_t pid, int *status)
{
	for (int i = 0; i < 2000; i++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		poll(NULL, 0, 10);
	}
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return false;
}

static void freeing_closes_a_connection_whose_callback_waits(void **state)
{
	struct scene *s = *state;
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(client(wire_port(s->wire)));
	}
	event_base_dispatch(s->base);
	assert_int_equal(wire_connections(s->wire), 1);
	s->wire = wire_free(s->wire);
	assert_int_equal(s->over, 1);
	assert_true(ends(pid, &status));
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(freeing_closes_a_connection_whose_callback_waits,
					    set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
