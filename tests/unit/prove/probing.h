/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the probe share: a hierarchy, a loop, a well-behaved server, and one probe to its end. */

#include "prove/probe.h"

#include "base/limits.h"
#include "tests/lib/pki.h"
#include "tests/lib/tls_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

static struct pki pki;
static struct loop *loop;
static X509 *leaf;
static X509 *chain[3]; /* leaf, intermediate */
static struct tls_behaviour plain;

static inline X509 *sign(const struct pki_cert *what, EVP_PKEY *key)
{
	return pki_sign(what, key, pki.intermediate, pki.intermediate_key);
}

static inline int probing_setup(void **state _unused_)
{
	struct err e;

	pki_init(&pki);
	leaf = sign(&(struct pki_cert){0}, pki_key(PKI_P256, 2));
	chain[0] = leaf;
	chain[1] = pki.intermediate;
	plain = (struct tls_behaviour){.identity = {chain, pki_key(PKI_P256, 2)}};
	return loop_new(clock_system(), &loop, &e);
}

static inline int probing_teardown(void **state _unused_)
{
	loop = loop_free(loop);
	X509_free(leaf);
	pki_done(&pki);
	return 0;
}

static inline void on_done(void *arg, const struct probe_report *report)
{
	*(struct probe_report *)arg = *report;
	loop_stop(loop);
}

static inline void on_late(void *arg _unused_)
{
	fail_msg("the probe never ended");
}

static inline struct probe_target target_of(const struct tls_server *s)
{
	return (struct probe_target){.address = "127.0.0.1", .port = s->port};
}

/* Runs one probe to its end. */
static inline struct probe_report probe(const struct probe_target *t)
{
	struct probe_report report = {0};
	struct loop_timer *late;
	struct probe *p;
	struct err e;

	assert_int_equal(loop_timer_new(loop, on_late, NULL, &late, &e), 0);
	loop_timer_set(late, 20 * SECOND_MS);
	if (probe_start(loop, t, on_done, &report, &p, &e) < 0)
		fail_msg("probe_start: %s", e.message);
	assert_int_equal(loop_run(loop, &e), 0);
	probe_free(p);
	loop_timer_free(late);
	if (report.result == PROBE_SEEN)
		assert_int_equal(report.e.kind, ERR_NONE);
	else
		assert_int_not_equal(report.e.kind, ERR_NONE);
	return report;
}

static inline struct probe_report probe_served(tls_serve_fn serve, const void *arg)
{
	_cleanup_tls_server_ struct tls_server s;
	struct probe_target t;

	tls_server_start(&s, NULL, serve, arg);
	t = target_of(&s);
	return probe(&t);
}

static inline void assert_seen(const struct probe_report *r, X509 *expected)
{
	struct fingerprint f;

	if (r->result != PROBE_SEEN)
		fail_msg("not seen: %s", r->e.message);
	pki_leaf_fingerprint(expected, &f);
	assert_true(fingerprint_equal(&r->leaf, &f));
}

static inline void assert_not_seen(const struct probe_report *r, enum probe_result expected)
{
	if (r->result != expected)
		fail_msg("result %d: %s", r->result, r->e.message);
	assert_false(fingerprint_is_set(&r->leaf));
}

static inline void wait_for_close(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static inline void stay_silent(int fd, const void *arg _unused_)
{
	wait_for_close(fd);
}
