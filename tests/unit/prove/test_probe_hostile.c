/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that do not behave: they are pods, so they may be hostile. */
#include "tests/unit/prove/probing.h"

#include <sys/socket.h>
#include <time.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void leaf_without_its_key_is_not_seen(void **state _unused_)
{
	EVP_PKEY *victims[] = {pki_key(PKI_P256, 2), pki_key(PKI_RSA2048, 0)};
	EVP_PKEY *stolen[] = {pki_stolen_key(victims[0], pki_key(PKI_P256, 3)),
			      pki_stolen_key(victims[1], pki_key(PKI_RSA2048, 1))};

	for (size_t i = 0; i < ARRAY_LEN(stolen); i++) {
		for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
			X509 *own = sign(&(struct pki_cert){0}, victims[i]);
			X509 *const own_chain[] = {own, NULL};
			struct tls_behaviour b = {.identity = {own_chain, stolen[i]},
						  .version = versions[v]};
			struct probe_report r = probe_served(tls_serve, &b);

			assert_not_seen(&r, PROBE_BROKEN);
			assert_non_null(strstr(r.e.message, "signature"));
			X509_free(own);
		}
		EVP_PKEY_free(stolen[i]);
	}
}

static void key_exchange_without_signature_is_not_offered(void **state _unused_)
{
	EVP_PKEY *key = pki_key(PKI_RSA2048, 0);
	X509 *own = sign(&(struct pki_cert){.no_constraints = true}, key);
	X509 *const own_chain[] = {own, NULL};
	struct tls_behaviour b = {
	    .identity = {own_chain, key}, .version = TLS1_2_VERSION, .ciphers = "kRSA"};
	struct probe_report r = probe_served(tls_serve, &b);

	assert_not_seen(&r, PROBE_BROKEN);
	b.ciphers = "DHE";
	b.dh_group = "ffdhe2048";
	r = probe_served(tls_serve, &b);
	assert_seen(&r, own);
	X509_free(own);
}

static void slow_numbers_of_a_server_are_refused(void **state _unused_)
{
	EVP_PKEY *key = pki_key(PKI_RSA2048, 0);
	X509 *own = sign(&(struct pki_cert){0}, key);
	X509 *const own_chain[] = {own, NULL};
	struct tls_behaviour b = {.identity = {own_chain, key},
				  .version = TLS1_2_VERSION,
				  .ciphers = "DHE",
				  .dh_group = "ffdhe6144"};
	struct probe_report r = probe_served(tls_serve, &b);

	assert_not_seen(&r, PROBE_BROKEN);
	X509_free(own);
}

static void old_versions_are_broken(void **state _unused_)
{
	struct tls_behaviour b = plain;
	struct probe_report r;

	b.version = TLS1_1_VERSION;
	r = probe_served(tls_serve, &b);
	assert_not_seen(&r, PROBE_BROKEN);
}

static void long_chain_is_seen_up_to_the_maximum(void **state _unused_)
{
	char comment[12000];
	EVP_PKEY *key = pki_key(PKI_P256, 2);
	X509 *big[7] = {NULL};
	struct tls_behaviour b = {.identity = {big, key}};
	struct probe_report r;

	memset(comment, 'x', sizeof(comment));
	memcpy(comment, "nsComment=", 10);
	comment[sizeof(comment) - 1] = '\0';
	for (size_t i = 0; i < 5; i++)
		big[i] = sign(&(struct pki_cert){.extension = {comment}}, key);
	r = probe_served(tls_serve, &b);
	assert_seen(&r, big[0]);
	big[5] = sign(&(struct pki_cert){.extension = {comment}}, key);
	r = probe_served(tls_serve, &b);
	assert_not_seen(&r, PROBE_BROKEN);
	for (size_t i = 0; i < 6; i++)
		X509_free(big[i]);
}

/* What a raw server sends, after it has read something; then it closes, or waits for the client to
 * do so. */
struct speech {
	const char *bytes;
	size_t len;
	unsigned times;
	bool wait;
};

static void speak(int fd, const void *arg)
{
	const struct speech *s = arg;
	char hello[1024];

	if (read(fd, hello, sizeof(hello)) <= 0)
		return;
	for (unsigned i = 0; i < s->times; i++)
		if (write(fd, s->bytes, s->len) != (ssize_t)s->len)
			return;
	if (s->wait)
		wait_for_close(fd);
}

#define SPEECH(text, n) ((struct speech){(text), sizeof(text) - 1, (n), true})

static void strange_servers_are_broken(void **state _unused_)
{
	/* A record with as many HelloRequests as go in, which a client has to ignore. */
	static char hello_requests[5 + 16384] = {22, 3, 3, 64, 0};
	const struct speech speeches[] = {
	    SPEECH("HTTP/1.1 400 Bad Request\r\n\r\n", 1),
	    SPEECH("SSH-2.0-OpenSSH_9.2\r\n", 1),
	    SPEECH("\x15\x03\x03\x00\x02\x02\x28", 1),         /* alert: handshake_failure */
	    SPEECH("\x15\x03\x03\x00\x02\x01\x00", 1),         /* alert: close_notify */
	    SPEECH("\x15\x03\x03\x00\x02\x01\x5a", 1000),      /* warnings without end */
	    SPEECH("\x16\x03\x03\x00\x04\x02\xff\xff\xff", 1), /* a ServerHello of 16 MiB */
	    SPEECH("\x17\x03\x03\x00\x01x", 100),              /* data before the handshake */
	    SPEECH("\x14\x03\x03\x00\x01\x01", 100000),        /* ChangeCipherSpec without end */
	    {hello_requests, sizeof(hello_requests), 100, true},
	    SPEECH("\0", 200000),
	};

	for (size_t i = 0; i < ARRAY_LEN(speeches); i++) {
		struct probe_report r = probe_served(speak, &speeches[i]);

		if (r.result != PROBE_BROKEN)
			fail_msg("speech %zu: result %d, %s", i, r.result, r.e.message);
		assert_not_seen(&r, PROBE_BROKEN);
		assert_true(r.took_ms < LIMIT_PROBE_MS);
	}
}

static void close_at_once(int fd _unused_, const void *arg _unused_)
{
}

static void closing_servers_are_broken(void **state _unused_)
{
	const struct speech nothing = {"", 0, 0, false};
	const struct speech half = {"\x16\x03\x03\x40\x00\x02", 6, 1, false};
	struct probe_report r = probe_served(close_at_once, NULL);

	assert_not_seen(&r, PROBE_BROKEN);
	r = probe_served(speak, &nothing);
	assert_not_seen(&r, PROBE_BROKEN);
	r = probe_served(speak, &half);
	assert_not_seen(&r, PROBE_BROKEN);
}

static void trickle(int fd, const void *arg _unused_)
{
	static const char record[] = "\x16\x03\x03\x40\x00\x02\x00\x3f\x00";
	const struct timespec pause = {.tv_nsec = 20000000};

	for (size_t i = 0; i < 10000; i++) {
		const char *byte = i < sizeof(record) ? &record[i] : "";

		if (send(fd, byte, 1, MSG_NOSIGNAL) != 1)
			return;
		nanosleep(&pause, NULL);
	}
}

static void deadline_ends_silent_and_slow_servers(void **state _unused_)
{
	const tls_serve_fn slow[] = {stay_silent, trickle};

	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		_cleanup_tls_server_ struct tls_server s;
		struct probe_target t;
		struct probe_report r;

		tls_server_start(&s, NULL, slow[i], NULL);
		t = target_of(&s);
		t.deadline_ms = 300;
		r = probe(&t);
		assert_not_seen(&r, PROBE_NO_CONNECTION);
		assert_int_equal(r.e.kind, ERR_TIMEOUT);
		assert_in_range(r.took_ms, 290, 5000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaf_without_its_key_is_not_seen),
	    cmocka_unit_test(key_exchange_without_signature_is_not_offered),
	    cmocka_unit_test(slow_numbers_of_a_server_are_refused),
	    cmocka_unit_test(old_versions_are_broken),
	    cmocka_unit_test(long_chain_is_seen_up_to_the_maximum),
	    cmocka_unit_test(strange_servers_are_broken),
	    cmocka_unit_test(closing_servers_are_broken),
	    cmocka_unit_test(deadline_ends_silent_and_slow_servers),
	};

	return cmocka_run_group_tests(tests, probing_setup, probing_teardown);
}
