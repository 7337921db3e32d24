/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/node.h"

#include "event/loop.h"
#include "prove/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	struct loop *loop;
	struct probe *probe;
	struct probe_report report;
};

static void on_probe(void *arg, const struct probe_report *report)
{
	struct seen *s = arg;

	s->report = *report;
	s->probe = probe_free(s->probe);
	loop_stop(s->loop);
}

bool node_pod_serves(const struct node_pod *p, const struct pki_pair *client,
		     struct fingerprint *ret)
{
	_cleanup_secret_ struct secret cert = {0};
	_cleanup_secret_ struct secret key = {0};
	struct probe_target target = {.address = "127.0.0.1", .port = p->port};
	struct seen s = {0};
	struct err e;

	if (client) {
		assert_int_equal(secret_copy(&cert, client->tls_crt, strlen(client->tls_crt), &e),
				 0);
		assert_int_equal(secret_copy(&key, client->tls_key, strlen(client->tls_key), &e),
				 0);
		target.client_cert = &cert;
		target.client_key = &key;
	}
	assert_int_equal(loop_new(clock_system(), &s.loop, &e), 0);
	assert_int_equal(probe_start(s.loop, &target, on_probe, &s, &s.probe, &e), 0);
	assert_int_equal(loop_run(s.loop, &e), 0);
	loop_free(s.loop);
	*ret = s.report.leaf;
	return s.report.result == PROBE_SEEN;
}
