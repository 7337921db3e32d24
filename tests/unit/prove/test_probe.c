/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/prove/probing.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <sys/socket.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static const char *const version_names[] = {"TLSv1.2", "TLSv1.3"};

static void leaf_is_seen_with_either_version_and_every_key(void **state _unused_)
{
	static const enum pki_type types[] = {PKI_P256,    PKI_P384,    PKI_P521,
					      PKI_ED25519, PKI_RSA2048, PKI_RSA1024};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
			EVP_PKEY *key = pki_key(types[i], 2);
			X509 *own = sign(&(struct pki_cert){.not_after_s = 4000000000}, key);
			X509 *const own_chain[] = {own, pki.intermediate, NULL};
			struct tls_behaviour b = {.identity = {own_chain, key},
						  .version = versions[v]};
			struct probe_report r = probe_served(tls_serve, &b);

			assert_seen(&r, own);
			assert_int_equal(r.not_after_s, 4000000000);
			assert_string_equal(r.version, version_names[v]);
			assert_false(r.client_refused);
			X509_free(own);
		}
}

static void expired_leaf_is_seen_too(void **state _unused_)
{
	EVP_PKEY *key = pki_key(PKI_P256, 2);
	X509 *old =
	    sign(&(struct pki_cert){.not_before_s = 1000000000, .not_after_s = 1100000000}, key);
	X509 *const old_chain[] = {old, NULL};
	struct tls_behaviour b = {.identity = {old_chain, key}};
	struct probe_report r = probe_served(tls_serve, &b);

	assert_seen(&r, old);
	X509_free(old);
}

static void name_chooses_among_certificates(void **state _unused_)
{
	EVP_PKEY *key = pki_key(PKI_P256, 3);
	X509 *other = sign(&(struct pki_cert){.sans = "DNS:other.example"}, key);
	X509 *const other_chain[] = {other, NULL};
	_cleanup_tls_server_ struct tls_server s;
	struct tls_behaviour b = plain;
	struct probe_target t;
	struct probe_report r;

	b.other_sni = "other.example";
	b.other = (struct tls_identity){other_chain, key};
	tls_server_start(&s, NULL, tls_serve, &b);
	t = target_of(&s);
	r = probe(&t);
	assert_seen(&r, leaf);
	t.sni = "other.example";
	r = probe(&t);
	assert_seen(&r, other);
	t.sni = "localhost";
	r = probe(&t);
	assert_seen(&r, leaf);
	X509_free(other);
}

static void protocol_is_offered(void **state _unused_)
{
	_cleanup_tls_server_ struct tls_server s;
	struct tls_behaviour b = plain;
	struct probe_target t;
	struct probe_report r;

	b.alpn = "h2";
	tls_server_start(&s, NULL, tls_serve, &b);
	t = target_of(&s);
	t.alpn = "http/1.1,h2";
	r = probe(&t);
	assert_seen(&r, leaf);
	t.alpn = "smtp";
	r = probe(&t);
	assert_not_seen(&r, PROBE_BROKEN);
	assert_non_null(strstr(r.e.message, "alert"));
}

static void unusable_targets_are_refused_at_once(void **state _unused_)
{
	_cleanup_free_ char *long_name = calloc(1, 400);
	uint8_t x = 0;
	struct secret no_pem = {.data = &x, .len = 1};
	struct probe_target targets[] = {
	    {.address = "localhost", .port = 1},
	    {.address = "", .port = 1},
	    {.address = "127.0.0.1", .port = 1, .alpn = "h2,,x"},
	    {.address = "127.0.0.1", .port = 1, .alpn = ""},
	    {.address = "127.0.0.1", .port = 1, .sni = memset(long_name, 'a', 399)},
	    {.address = "127.0.0.1", .port = 1, .client_cert = &no_pem, .client_key = &no_pem}};

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct probe *p;
		struct err e;

		assert_int_equal(probe_start(loop, &targets[i], on_done, NULL, &p, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

/* A client's pair from the given CA, as the probe takes it. */
struct client {
	struct secret cert, key;
};

static void client_init(struct client *c, X509 *ca, EVP_PKEY *ca_key)
{
	EVP_PKEY *key = pki_key(PKI_RSA2048, 0);
	X509 *cert = pki_sign(&(struct pki_cert){.subject = "CN=client"}, key, ca, ca_key);
	_cleanup_free_ char *cert_pem = pki_cert_pem(cert);
	_cleanup_free_ char *key_pem = pki_key_pem(key, PKI_PKCS8);
	struct err e;

	*c = (struct client){0};
	assert_int_equal(secret_copy(&c->cert, cert_pem, strlen(cert_pem), &e), 0);
	assert_int_equal(secret_copy(&c->key, key_pem, strlen(key_pem), &e), 0);
	X509_free(cert);
}

static void client_done(struct client *c)
{
	secret_done(&c->cert);
	secret_done(&c->key);
}

static void leaf_is_seen_whatever_the_server_thinks_of_our_certificate(void **state _unused_)
{
	_cleanup_(client_done) struct client good;
	_cleanup_(client_done) struct client foreign;
	EVP_PKEY *foreign_key = pki_key(PKI_P256, 3);
	X509 *foreign_ca = pki_sign(&(struct pki_cert){.subject = "CN=Foreign", .ca = true},
				    foreign_key, NULL, foreign_key);

	client_init(&good, pki.root, pki.root_key);
	client_init(&foreign, foreign_ca, foreign_key);
	for (size_t i = 0; i < 2 * ARRAY_LEN(versions); i++) {
		_cleanup_tls_server_ struct tls_server s;
		struct tls_behaviour b = plain;
		struct probe_target t;
		struct probe_report r;

		b.version = versions[i / 2];
		b.no_tickets = i % 2;
		b.client_ca = pki.root;
		tls_server_start(&s, NULL, tls_serve, &b);

		t = target_of(&s);
		t.client_cert = &good.cert;
		t.client_key = &good.key;
		r = probe(&t);
		assert_seen(&r, leaf);
		assert_false(r.client_refused);
		assert_true(r.took_ms < LIMIT_PROBE_MS);

		t.client_cert = &foreign.cert;
		t.client_key = &foreign.key;
		r = probe(&t);
		assert_seen(&r, leaf);
		assert_true(r.client_refused);

		t.client_cert = NULL;
		t.client_key = NULL;
		r = probe(&t);
		assert_seen(&r, leaf);
		assert_true(r.client_refused);
	}
	X509_free(foreign_ca);
}

static void leaf_seen_before_the_deadline_counts(void **state _unused_)
{
	_cleanup_(client_done) struct client good;
	_cleanup_tls_server_ struct tls_server s;
	struct tls_behaviour b = plain;
	struct probe_target t;
	struct probe_report r;

	client_init(&good, pki.root, pki.root_key);
	b.client_ca = pki.root;
	b.no_tickets = true;
	b.hang = true;
	tls_server_start(&s, NULL, tls_serve, &b);
	t = target_of(&s);
	t.client_cert = &good.cert;
	t.client_key = &good.key;
	t.deadline_ms = 300;
	r = probe(&t);
	assert_seen(&r, leaf);
	assert_false(r.client_refused);
}

static void no_listener_is_no_connection(void **state _unused_)
{
	struct tls_server s;
	struct probe_target t;
	struct probe_report r;

	tls_server_start(&s, NULL, stay_silent, NULL);
	t = target_of(&s);
	tls_server_stop(&s);
	r = probe(&t);
	assert_not_seen(&r, PROBE_NO_CONNECTION);
	assert_int_equal(r.e.sys, ECONNREFUSED);

	/* TEST-NET-1: no route in a namespace, no answer elsewhere. */
	t = (struct probe_target){.address = "192.0.2.1", .port = 443, .deadline_ms = 300};
	r = probe(&t);
	assert_not_seen(&r, PROBE_NO_CONNECTION);
}

static void ipv6_is_an_address_too(void **state _unused_)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	_cleanup_tls_server_ struct tls_server s = {0};
	struct probe_target t = {.address = "::1"};
	struct probe_report r;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		fprintf(stderr, "SKIP: no IPv6 here\n");
		skip();
	}
	tls_server_start(&s, "::1", tls_serve, &plain);
	t.port = s.port;
	r = probe(&t);
	assert_seen(&r, leaf);
}

static void server_on_the_other_address_is_seen(void **state _unused_)
{
	/* The first is refused by a packet, or at once for want of a route. */
	static const char *const first[] = {"127.0.0.9", "255.255.255.255"};
	struct tls_server s;
	struct probe_target t;
	struct probe_report r;

	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		tls_server_start(&s, NULL, tls_serve, &plain);
		t = target_of(&s);
		memcpy(t.other, t.address, sizeof(t.other));
		snprintf(t.address, sizeof(t.address), "%s", first[i]);
		r = probe(&t);
		assert_seen(&r, leaf);
		tls_server_stop(&s);
	}
	snprintf(t.address, sizeof(t.address), "%s", first[0]);
	r = probe(&t);
	assert_not_seen(&r, PROBE_NO_CONNECTION);
	assert_int_equal(r.e.sys, ECONNREFUSED);
}

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static void on_forbidden(void *arg _unused_, const struct probe_report *report _unused_)
{
	fail_msg("a freed probe has called back");
}

static void stop(void *arg _unused_)
{
	loop_stop(loop);
}

static void freed_probe_never_calls_back(void **state _unused_)
{
	static const int after_ms[] = {-1, 0, 1, 3, 50};
	_cleanup_tls_server_ struct tls_server s;
	size_t before;

	tls_server_start(&s, NULL, stay_silent, NULL);
	before = open_descriptors();
	for (size_t i = 0; i < ARRAY_LEN(after_ms); i++) {
		struct probe_target t = target_of(&s);
		struct loop_timer *timer;
		struct probe *p;
		struct err e;

		assert_int_equal(probe_start(loop, &t, on_forbidden, NULL, &p, &e), 0);
		assert_int_equal(loop_timer_new(loop, stop, NULL, &timer, &e), 0);
		if (after_ms[i] >= 0) {
			loop_timer_set(timer, after_ms[i]);
			assert_int_equal(loop_run(loop, &e), 0);
		}
		assert_null(probe_free(p));
		loop_timer_set(timer, 1);
		assert_int_equal(loop_run(loop, &e), 0);
		loop_timer_free(timer);
	}
	assert_int_equal(open_descriptors(), before);
}

static struct probe *own;

static void free_own(void *arg, const struct probe_report *report)
{
	own = probe_free(own);
	on_done(arg, report);
}

static void probe_may_be_freed_by_its_callback(void **state _unused_)
{
	_cleanup_tls_server_ struct tls_server s;
	struct probe_report r = {0};
	struct probe_target t;
	struct err e;

	tls_server_start(&s, NULL, tls_serve, &plain);
	t = target_of(&s);
	assert_int_equal(probe_start(loop, &t, free_own, &r, &own, &e), 0);
	assert_int_equal(loop_run(loop, &e), 0);
	assert_null(own);
	assert_seen(&r, leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaf_is_seen_with_either_version_and_every_key),
	    cmocka_unit_test(expired_leaf_is_seen_too),
	    cmocka_unit_test(name_chooses_among_certificates),
	    cmocka_unit_test(protocol_is_offered),
	    cmocka_unit_test(unusable_targets_are_refused_at_once),
	    cmocka_unit_test(leaf_is_seen_whatever_the_server_thinks_of_our_certificate),
	    cmocka_unit_test(leaf_seen_before_the_deadline_counts),
	    cmocka_unit_test(no_listener_is_no_connection),
	    cmocka_unit_test(ipv6_is_an_address_too),
	    cmocka_unit_test(server_on_the_other_address_is_seen),
	    cmocka_unit_test(freed_probe_never_calls_back),
	    cmocka_unit_test(probe_may_be_freed_by_its_callback),
	};

	return cmocka_run_group_tests(tests, probing_setup, probing_teardown);
}
