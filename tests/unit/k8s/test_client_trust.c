/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/client.h"

#include "tests/lib/pair.h"
#include "tests/lib/standin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct k8s_call simple = {.verb = "GET", .path = "/api/v1/namespaces/ns/secrets/a"};
static const struct k8s_call again = {
    .verb = "GET", .path = "/api/v1/namespaces/ns/secrets/a", .retry = true};

static bool say_object(struct talk *t, const void *arg _unused_)
{
	return talk_answer(t, 200, "", "{}");
}

static bool redirect(struct talk *t, const void *arg)
{
	const struct talker *const *other = arg;
	char extra[100];

	snprintf(extra, sizeof(extra), "Location: https://127.0.0.1:%u/stolen\r\n",
		 (unsigned)(*other)->port);
	return talk_answer(t, 302, extra, "");
}

static void B13_a_redirect_is_not_followed(void **state _unused_)
{
	struct talker thief;
	const struct talker *to = &thief;
	struct pair p;
	struct err e;

	talker_start(&thief, say_object, NULL);
	talker_start(&p.t, redirect, &to);
	bench_start(&p.b, p.t.kubeconfig, NULL);
	e = pair_call(&p, &again, 302);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.message, "redirect"));
	assert_int_equal(atomic_load(&thief.log->connections), 0);
	assert_int_equal(atomic_load(&p.t.log->requests), 1);
	pair_stop(&p);
	talker_stop(&thief);
}

/* Knows the token whose number stands in at[0]. */
static bool check_token(struct talk *t, const void *arg _unused_)
{
	char good[32];

	snprintf(good, sizeof(good), "Bearer token-%d\r\n", atomic_load(&t->log->at[0]));
	if (!strstr(t->head, good)) {
		talk_answer(t, 401, "", "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}");
		return false;
	}
	return talk_answer(t, 200, "", "{}");
}

static void B3_a_new_token_file_is_read(void **state _unused_)
{
	struct pair p;

	pair_start(&p, check_token);
	atomic_store(&p.t.log->at[0], 1);
	pair_call(&p, &again, 200);
	atomic_store(&p.t.log->at[0], 2);
	talker_set_token(&p.t, "token-2");
	pair_call(&p, &simple, 200);
	assert_int_equal(atomic_load(&p.t.log->requests), 2);
	pair_stop(&p);
}

/* The same file, size and time: only the 401 tells that it is another token. */
static void rewrite_token(const struct talker *t, char last)
{
	char path[128];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/token", t->dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, &last, 1, 6), 1);
	assert_int_equal(futimens(fd, (struct timespec[]){st.st_atim, st.st_mtim}), 0);
	close(fd);
}

static void B3_the_token_is_read_again_after_a_401(void **state _unused_)
{
	struct pair p;

	pair_start(&p, check_token);
	atomic_store(&p.t.log->at[0], 1);
	pair_call(&p, &again, 200);
	atomic_store(&p.t.log->at[0], 2);
	rewrite_token(&p.t, '2');
	assert_int_equal(pair_call(&p, &again, 200).kind, ERR_NONE);
	assert_int_equal(atomic_load(&p.t.log->requests), 3);
	assert_string_equal(p.t.log->request[1].authorization, "Bearer token-1");
	assert_string_equal(p.t.log->request[2].authorization, "Bearer token-2");
	pair_stop(&p);
}

static void B3_a_token_that_stays_bad_is_tried_once(void **state _unused_)
{
	struct pair p;
	struct err e;

	pair_start(&p, check_token);
	e = pair_call(&p, &again, 401);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_int_equal(atomic_load(&p.t.log->requests), 1);
	rewrite_token(&p.t, '3');
	assert_int_equal(pair_call(&p, &again, 401).kind, ERR_DENIED);
	assert_int_equal(atomic_load(&p.t.log->requests), 3);
	pair_stop(&p);
}

static void B3_a_token_file_that_is_gone_or_empty_leaves_the_old_token(void **state _unused_)
{
	char path[128];
	struct pair p;

	pair_start(&p, check_token);
	atomic_store(&p.t.log->at[0], 1);
	pair_call(&p, &again, 200);
	talker_set_token(&p.t, "  ");
	pair_call(&p, &again, 200);
	snprintf(path, sizeof(path), "%s/token", p.t.dir);
	assert_int_equal(unlink(path), 0);
	pair_call(&p, &again, 200);
	pair_stop(&p);
}

static void a_ca_that_changes_is_read_again(void **state _unused_)
{
	char ca[128];
	char kept[128];
	struct pair p;
	struct err e;

	pair_start(&p, say_object);
	snprintf(ca, sizeof(ca), "%s/ca.crt", p.t.dir);
	snprintf(kept, sizeof(kept), "%s/tls.key", p.t.dir);
	assert_int_equal(rename(ca, kept), 0);
	talker_write_other_ca(&p.t);
	e = pair_call(&p, &simple, 0);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.message, "check the CA"));
	assert_int_equal(atomic_load(&p.t.log->requests), 0);
	assert_int_equal(rename(kept, ca), 0);
	pair_call(&p, &simple, 200);
	pair_stop(&p);
}

/* Listens as a proxy; nobody must come. */
static int lonely_proxy(char *url, size_t size)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(a);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(url, size, "http://127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
	return fd;
}

static void the_proxies_of_the_environment_are_left_alone(void **state _unused_)
{
	static const char *const names[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY",
					    "http_proxy",  "ALL_PROXY",   "all_proxy"};
	char url[64];
	int proxy = lonely_proxy(url, sizeof(url));
	struct pair p;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		setenv(names[i], url, 1);
	pair_start(&p, say_object);
	pair_call(&p, &simple, 200);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	pair_stop(&p);
	assert_int_equal(accept(proxy, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	close(proxy);
}

/* Writes a kubeconfig for the server with more in its cluster and user. */
static void configure(struct pair *p, const char *server, const char *cluster, const char *user)
{
	FILE *f = fopen(p->t.kubeconfig, "we");

	assert_non_null(f);
	fprintf(f,
		"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
		"clusters: [{name: k, cluster: {server: 'https://%s:%u', %s}}]\n"
		"users: [{name: u, user: {%s}}]\n",
		server, (unsigned)p->t.port, cluster, user);
	fclose(f);
	bench_stop(&p->b);
	bench_start(&p->b, p->t.kubeconfig, NULL);
}

static bool say_host(struct talk *t, const void *arg _unused_)
{
	const char *host = strstr(t->head, "\r\nHost: ");
	char body[200];

	snprintf(body, sizeof(body), "{\"host\":\"%.*s\"}", host ? (int)strcspn(host + 8, "\r") : 0,
		 host ? host + 8 : "");
	return talk_answer(t, 200, "", body);
}

static void the_name_in_the_certificate_may_be_another(void **state _unused_)
{
	struct bench_answer a;
	char host[64];
	struct pair p;

	/* The certificate is for localhost and 127.0.0.1. */
	pair_start(&p, say_host);
	configure(&p, "127.0.0.2", "certificate-authority: ca.crt", "token: t");
	assert_int_equal(pair_call(&p, &simple, 0).kind, ERR_UNAVAILABLE);
	configure(&p, "127.0.0.1", "certificate-authority: ca.crt, tls-server-name: other",
		  "token: t");
	assert_int_equal(pair_call(&p, &simple, 0).kind, ERR_UNAVAILABLE);
	configure(&p, "127.0.0.1", "certificate-authority: ca.crt, tls-server-name: localhost",
		  "token: t");
	bench_call(&p.b, &simple, &a);
	assert_int_equal(a.code, 200);
	snprintf(host, sizeof(host), "{\"host\":\"127.0.0.1:%u\"}", (unsigned)p.t.port);
	assert_string_equal(a.text, host);
	bench_answer_done(&a);
	assert_int_equal(atomic_load(&p.t.log->requests), 1);
	pair_stop(&p);
}

static void a_certificate_is_not_checked_only_when_asked(void **state _unused_)
{
	struct pair p;

	pair_start(&p, say_object);
	/* The machine's own roots do not know the test's CA. */
	configure(&p, "127.0.0.1", "", "token: t");
	assert_int_equal(pair_call(&p, &simple, 0).kind, ERR_UNAVAILABLE);
	assert_int_equal(atomic_load(&p.t.log->requests), 0);
	configure(&p, "127.0.0.1", "insecure-skip-tls-verify: true", "token: t");
	pair_call(&p, &simple, 200);
	pair_stop(&p);
}

/* The code that a GET gets with the client certificate of the kubeconfig, and nothing else. */
static int get_by_certificate(struct bench *b, struct err *e)
{
	const struct k8s_call pods = {.path = "/api/v1/pods"};
	struct bench_answer a;

	bench_call(b, &pods, &a);
	bench_answer_done(&a);
	*e = a.e;
	return a.code;
}

static void a_client_certificate_opens_the_door(void **state _unused_)
{
	struct standin s;
	struct bench b;
	struct err e;

	standin_start(&s, NULL);
	bench_start(&b, s.kubeconfig, "admin-cert");
	assert_int_equal(get_by_certificate(&b, &e), 200);
	{
		_cleanup_free_ char *log = standin_log(&s);

		/* By that certificate's name, and without a token. */
		assert_non_null(strstr(log, " /api/v1/pods admin 200 - "));
	}
	/* Another CA, and a pair of it: both are read again. */
	standin_tell(&s, "{\"do\":\"certificate\",\"which\":\"rotate\"}");
	standin_tell(&s, "{\"do\":\"drop\",\"how\":\"close\"}");
	assert_int_equal(get_by_certificate(&b, &e), 200);
	bench_stop(&b);
	standin_stop(&s);
}

static void a_client_certificate_without_its_key_is_told(void **state _unused_)
{
	struct standin s;
	struct bench b;
	char crt[128];
	char ca[128];
	struct err e;

	standin_start(&s, NULL);
	snprintf(crt, sizeof(crt), "%s/client.crt", s.dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", s.dir);
	assert_int_equal(unlink(crt), 0);
	assert_int_equal(link(ca, crt), 0);
	bench_start(&b, s.kubeconfig, "admin-cert");
	assert_int_equal(get_by_certificate(&b, &e), 0);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.message, "client certificate and key"));
	assert_int_equal(standin_count(&s, NULL, NULL), 0);
	bench_stop(&b);
	standin_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(B13_a_redirect_is_not_followed),
	    cmocka_unit_test(B3_a_new_token_file_is_read),
	    cmocka_unit_test(B3_the_token_is_read_again_after_a_401),
	    cmocka_unit_test(B3_a_token_that_stays_bad_is_tried_once),
	    cmocka_unit_test(B3_a_token_file_that_is_gone_or_empty_leaves_the_old_token),
	    cmocka_unit_test(a_ca_that_changes_is_read_again),
	    cmocka_unit_test(the_proxies_of_the_environment_are_left_alone),
	    cmocka_unit_test(the_name_in_the_certificate_may_be_another),
	    cmocka_unit_test(a_certificate_is_not_checked_only_when_asked),
	    cmocka_unit_test(a_client_certificate_opens_the_door),
	    cmocka_unit_test(a_client_certificate_without_its_key_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
