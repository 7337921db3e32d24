/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/talker.h"

#include "base/clock.h"
#include "tests/lib/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <openssl/ssl.h>

#include <cmocka.h>

void talk_sleep(int ms)
{
	const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

void talk_until(struct talk *t, int i, int value)
{
	for (int waited = 0; atomic_load(&t->log->at[i]) < value && waited < 20000; waited += 5)
		talk_sleep(5);
}

bool talk_write(struct talk *t, const void *data, size_t len)
{
	size_t done;

	return len == 0 || SSL_write_ex(t->ssl, data, len, &done) == 1;
}

bool talk_printf(struct talk *t, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	return len >= 0 && talk_write(t, text, (size_t)len);
}

bool talk_answer(struct talk *t, int code, const char *extra, const char *body)
{
	return talk_printf(t,
			   "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n%s"
			   "Content-Length: %zu\r\n\r\n%s",
			   code, extra, strlen(body), body);
}

bool talk_stream(struct talk *t)
{
	return talk_printf(t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			      "Transfer-Encoding: chunked\r\n\r\n");
}

bool talk_chunk(struct talk *t, const void *data, size_t len)
{
	return talk_printf(t, "%zx\r\n", len) && talk_write(t, data, len) && talk_printf(t, "\r\n");
}

bool talk_is(const struct talk *t, const char *part)
{
	char line[512];

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(t->head, "\r"), t->head);
	return strstr(line, part) != NULL;
}

static void note(struct talk *t)
{
	const char *authorization = strstr(t->head, "\r\nAuthorization: ");
	int slot = t->nth < TALK_LOGGED ? t->nth : TALK_LOGGED - 1;

	snprintf(t->log->request[slot].line, sizeof(t->log->request[slot].line), "%.*s",
		 (int)strcspn(t->head, "\r"), t->head);
	if (authorization)
		snprintf(t->log->request[slot].authorization,
			 sizeof(t->log->request[slot].authorization), "%.*s",
			 (int)strcspn(authorization + 17, "\r"), authorization + 17);
	t->log->request[slot].at_ms = clock_mono_ms(clock_system());
}

/* Reads a request with its body, which is thrown away. */
static bool read_request(struct talk *t)
{
	size_t used = 0;
	const char *length;
	char *end = NULL;

	while (!end && used < sizeof(t->head) - 1) {
		size_t n;

		if (SSL_read_ex(t->ssl, t->head + used, sizeof(t->head) - 1 - used, &n) != 1)
			return false;
		used += n;
		t->head[used] = '\0';
		end = strstr(t->head, "\r\n\r\n");
	}
	length = strstr(t->head, "\r\nContent-Length: ");
	if (end && length) {
		size_t body = strtoul(length + 18, NULL, 10);
		size_t have = used - (size_t)(end + 4 - t->head);
		char part[4096];

		while (have < body) {
			size_t n;

			if (SSL_read_ex(t->ssl, part, sizeof(part), &n) != 1)
				return false;
			have += n;
		}
	}
	return end != NULL;
}

static void serve(SSL_CTX *ctx, int fd, struct talk_log *log, talk_fn fn, const void *arg)
{
	struct talk t = {.log = log, .fd = fd};
	SSL *ssl = SSL_new(ctx);

	t.ssl = ssl;
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) != 1)
		return;
	atomic_fetch_add(&log->connections, 1);
	while (read_request(&t)) {
		t.nth = atomic_fetch_add(&log->requests, 1);
		note(&t);
		if (!fn(&t, arg))
			break;
		t.on_connection++;
	}
	SSL_shutdown(ssl);
}

static void accept_all(SSL_CTX *ctx, int listener, struct talk_log *log, talk_fn fn,
		       const void *arg)
{
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(ctx, fd, log, fn, arg);
			_exit(0);
		}
		close(fd);
	}
}

static SSL_CTX *make_ctx(const char *dir)
{
	_cleanup_pki_ struct pki pki = {0};
	_cleanup_pair_ struct pki_pair pair = {0};
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char crt[128];
	char key[128];
	char ca[128];
	FILE *f;

	pki_init(&pki);
	pki_issue(&pki, NULL, PKI_P256, &pair);
	snprintf(crt, sizeof(crt), "%s/tls.crt", dir);
	snprintf(key, sizeof(key), "%s/tls.key", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	const struct {
		const char *path;
		const char *text;
	} files[] = {{crt, pair.tls_crt}, {key, pair.tls_key}, {ca, pair.ca_crt}};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		f = fopen(files[i].path, "we");
		assert_non_null(f);
		fputs(files[i].text, f);
		fclose(f);
	}
	assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, crt), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM), 1);
	return ctx;
}

static void write_kubeconfig(const struct talker *t)
{
	FILE *f = fopen(t->kubeconfig, "we");

	assert_non_null(f);
	fprintf(f,
		"current-context: c\n"
		"clusters: [{name: k, cluster: {server: 'https://127.0.0.1:%u',"
		" certificate-authority: ca.crt}}]\n"
		"users: [{name: u, user: {tokenFile: token}}]\n"
		"contexts: [{name: c, context: {cluster: k, user: u, namespace: ns}}]\n",
		(unsigned)t->port);
	fclose(f);
}

void talker_start(struct talker *t, talk_fn fn, const void *arg)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	SSL_CTX *ctx;

	snprintf(t->dir, sizeof(t->dir), "/tmp/talker.XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->kubeconfig, sizeof(t->kubeconfig), "%s/kubeconfig", t->dir);
	t->log =
	    mmap(NULL, sizeof(*t->log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(t->log, MAP_FAILED);
	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(t->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(t->listener, 64), 0);
	assert_int_equal(getsockname(t->listener, (struct sockaddr *)&a, &len), 0);
	t->port = ntohs(a.sin_port);
	ctx = make_ctx(t->dir);
	write_kubeconfig(t);
	talker_set_token(t, "token-1");
	fflush(NULL);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		accept_all(ctx, t->listener, t->log, fn, arg);
	}
	setpgid(t->pid, t->pid);
	SSL_CTX_free(ctx);
	close(t->listener);
}

void talker_stop(struct talker *t)
{
	static const char *const files[] = {"tls.crt", "tls.key", "ca.crt", "token", "kubeconfig"};

	kill(-t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	munmap(t->log, sizeof(*t->log));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", t->dir, files[i]);
		unlink(path);
	}
	rmdir(t->dir);
}

struct k8s_config *talker_config(const struct talker *t)
{
	const struct k8s_config_options options = {.kubeconfig = t->kubeconfig};
	struct k8s_config *c;
	struct err e;

	if (k8s_config_load(&options, &c, &e) < 0)
		fail_msg("%s", e.message);
	return c;
}

void talker_set_token(const struct talker *t, const char *token)
{
	char path[128];
	char tmp[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/token", t->dir);
	snprintf(tmp, sizeof(tmp), "%s/token.new", t->dir);
	f = fopen(tmp, "we");
	assert_non_null(f);
	fprintf(f, "%s\n", token);
	fclose(f);
	assert_int_equal(rename(tmp, path), 0);
}

void talker_write_other_ca(const struct talker *t)
{
	const struct pki_cert what = {.subject = "CN=other", .ca = true};
	EVP_PKEY *key = pki_key(PKI_P256, 3);
	X509 *cert = pki_sign(&what, key, NULL, key);
	_cleanup_free_ char *pem = pki_cert_pem(cert);
	char path[128];
	FILE *f;

	X509_free(cert);
	snprintf(path, sizeof(path), "%s/ca.crt", t->dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(pem, f);
	fclose(f);
}

void talker_kill(const struct talker *t)
{
	siginfo_t info;

	kill(-t->pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)t->pid, &info, WEXITED | WNOWAIT), 0);
}

void talker_freeze(const struct talker *t, bool freeze)
{
	assert_int_equal(kill(-t->pid, freeze ? SIGSTOP : SIGCONT), 0);
}
