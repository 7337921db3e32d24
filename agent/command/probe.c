/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/probe.h"

#include "base/text.h"
#include "command/command.h"
#include "command/directory.h"
#include "command/print.h"
#include "k8s/json.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

struct settings {
	const char *config;
	const char *sni;
	const char *alpn;
	const char *client_dir;
	const char *expect_dir;
	int64_t timeout_ms;
	int output;

	/* No flags: the operand. */
	char host[LIMIT_HOST_NAME + 1];
	uint16_t port;
};

static const struct option options[] = {
    {.name = "sni",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, sni),
     .value = "NAME",
     .help = "Server name to ask for; HOST when that is a name, else none"},
    {.name = "alpn",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, alpn),
     .value = "LIST",
     .help = "Protocols to offer, as h2,http/1.1"},
    {.name = "client-dir",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, client_dir),
     .value = "DIR",
     .help = "Directory with the pair to show as client certificate"},
    {.name = "expect-dir",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, expect_dir),
     .value = "DIR",
     .help = "Directory with the pair that should be served; exit with 3 when it is another"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .at = offsetof(struct settings, timeout_ms),
     .value = "DURATION",
     .otherwise = "5s",
     .min = 1,
     .max = 10 * MINUTE_MS,
     .help = "For the whole handshake"},
    OPTION_OUTPUT(struct settings, "text|json"),
    OPTION_CONFIG(struct settings),
};

/* What the probe needs, and what came of it. */
struct task {
	struct probe_target target;
	struct content client; /* tls.crt and tls.key; empty: none */
	bool expects;
	struct gate_leaf expected;
	struct loop *loop;
	struct probe_report report;
};

static void task_done(struct task *t)
{
	content_done(&t->client);
	t->loop = loop_free(t->loop);
}

/* "HOST:PORT", an IPv6 address in brackets. */
static int split_target(const char *text, struct settings *s, struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint64_t port;

	if (!colon || text_parse_u64(colon + 1, 1, 65535, &port) < 0)
		return err_set(e, ERR_INVALID, "%s is not HOST:PORT", text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(s->host) || memchr(text, '/', len))
		return err_set(e, ERR_INVALID, "%s is not HOST:PORT", text);
	memcpy(s->host, text, len);
	s->host[len] = '\0';
	s->port = (uint16_t)port;
	return 0;
}

static int resolve(const char *host, struct task *t, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int r = getaddrinfo(host, NULL, &hints, &found);

	if (r != 0)
		return err_set(e, ERR_UNAVAILABLE, "%s: %s", host, gai_strerror(r));
	r = getnameinfo(found->ai_addr, found->ai_addrlen, t->target.address,
			sizeof(t->target.address), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(found);
	return r == 0 ? 0 : err_set(e, ERR_INTERNAL, "%s: %s", host, gai_strerror(r));
}

static bool is_numeric(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int read_pair(const char *path, struct content *ret, struct err *e)
{
	_cleanup_directory_ struct directory d = {0};

	if (directory_read(path, &d, e) < 0)
		return -1;
	return pair_find(&d.files, ret, e) < 0 ? err_add(e, "%s", path) : 0;
}

static int prepare_client(const char *path, struct task *t, struct err *e)
{
	if (read_pair(path, &t->client, e) < 0)
		return -1;
	t->target.client_cert = &content_find(&t->client, "tls.crt")->bytes;
	t->target.client_key = &content_find(&t->client, "tls.key")->bytes;
	return 0;
}

static int prepare_expected(const char *path, struct task *t, struct err *e)
{
	_cleanup_content_ struct content pair = {0};
	const struct content_file *chain;

	if (read_pair(path, &pair, e) < 0)
		return -1;
	chain = content_find(&pair, "tls.crt");
	if (gate_read_leaf(chain->bytes.data, chain->bytes.len, &t->expected, e) < 0)
		return err_add(e, "%s", path);
	t->expects = true;
	return 0;
}

static void on_probed(void *arg, const struct probe_report *report)
{
	struct task *t = arg;

	t->report = *report;
	loop_stop(t->loop);
}

static int probe_once(struct task *t, struct err *e)
{
	struct probe *probe = NULL;
	int r;

	if (loop_new(clock_system(), &t->loop, e) < 0 ||
	    probe_start(t->loop, &t->target, on_probed, t, &probe, e) < 0)
		return -1;
	r = loop_run(t->loop, e);
	probe_free(probe);
	return r;
}

static bool is_expected(const struct task *t)
{
	return !t->expects || fingerprint_equal(&t->report.leaf, &t->expected.leaf);
}

static int write_text(const struct task *t, struct buf *b, struct err *e)
{
	char served[FINGERPRINT_HEX];
	char expected[FINGERPRINT_HEX];
	char when[PRINT_WHEN];

	fingerprint_hex(&t->report.leaf, served);
	fingerprint_hex(&t->expected.leaf, expected);
	print_when(t->report.not_after_s, clock_wall_ms(clock_system()) / 1000, when);
	if (print_field(b, "Served leaf", served, e) < 0 ||
	    print_field(b, "Not after", when, e) < 0 ||
	    print_field(b, "Protocol", t->report.version, e) < 0 ||
	    (t->report.client_refused &&
	     print_field(b, "Client pair", "refused by the server", e) < 0))
		return -1;
	if (!t->expects)
		return 0;
	if (print_field(b, "Expected leaf", expected, e) < 0)
		return -1;
	return print_field(b, "Verdict",
			   is_expected(t) ? "the expected certificate is served"
					  : "another certificate is served: reload the server",
			   e);
}

static int write_json(const struct task *t, struct buf *b, struct err *e)
{
	_cleanup_json_ struct json *j = json_new_object();
	char served[FINGERPRINT_HEX];
	char expected[FINGERPRINT_HEX];
	char after[CLOCK_TEXT];

	fingerprint_hex(&t->report.leaf, served);
	fingerprint_hex(&t->expected.leaf, expected);
	clock_text_s(t->report.not_after_s * 1000, after);
	if (!j || json_set_string(j, "fingerprint", served) < 0 ||
	    json_set_string(j, "notAfter", after) < 0 ||
	    json_set_string(j, "protocol", t->report.version) < 0 ||
	    json_set_bool(j, "clientRefused", t->report.client_refused) < 0 ||
	    json_set_int(j, "tookMs", t->report.took_ms) < 0 ||
	    (t->expects && (json_set_string(j, "expected", expected) < 0 ||
			    json_set_bool(j, "match", is_expected(t)) < 0)))
		return err_set(e, ERR_EXHAUSTED, "no memory");
	if (json_write(j, true, b, e) < 0)
		return -1;
	return buf_add_str(b, "\n", e);
}

static int check(void *settings, const struct arguments *arguments, struct err *e)
{
	return split_target(arguments->operands[0], settings, e);
}

static int prepare(const struct settings *s, struct task *t, struct err *e)
{
	if (resolve(s->host, t, e) < 0 ||
	    (s->client_dir && prepare_client(s->client_dir, t, e) < 0) ||
	    (s->expect_dir && prepare_expected(s->expect_dir, t, e) < 0))
		return -1;
	t->target.port = s->port;
	t->target.sni = s->sni ? s->sni : is_numeric(s->host) ? NULL : s->host;
	t->target.alpn = s->alpn;
	t->target.deadline_ms = s->timeout_ms;
	return 0;
}

/* What an unproven certificate means for the one who asked. */
static void explain(struct probe_report *report, const char *where)
{
	err_add(&report->e,
		report->result == PROBE_BROKEN ? "%s: connected, but no certificate was proven"
		: report->connected            ? "%s: connected, but the TLS handshake timed out"
					       : "%s: no connection",
		where);
	if (report->connected)
		err_tail(&report->e, "does it speak TLS at once, for this name?");
}

static int run(void *settings, const struct arguments *arguments)
{
	const struct settings *s = settings;
	const char *where = arguments->operands[0];
	_cleanup_(task_done) struct task t = {0};
	_cleanup_buf_ struct buf b;
	struct err e = {0};

	buf_init(&b, 16 * KIB);
	if (prepare(s, &t, &e) < 0 || probe_once(&t, &e) < 0)
		return complain(&e, CODE_FAILURE);
	if (t.report.result != PROBE_SEEN) {
		explain(&t.report, where);
		return complain(&t.report.e, CODE_FAILURE);
	}
	return print_end(s->output ? write_json(&t, &b, &e) : write_text(&t, &b, &e), &b,
			 is_expected(&t) ? CODE_DONE : CODE_DEGRADED, &e);
}

const struct command command_probe = {
    .name = "probe",
    .summary = "See by a TLS handshake which certificate a server serves.",
    .about = "Tells the leaf for which the server proved the key. The chain is not verified: the "
	     "question is\nwhether the delivered certificate is in use.",
    .operands = "HOST:PORT",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# Which certificate is served?\n"
		"certhup probe web.shop.svc:8443\n"
		"# Is it the one in /tls? Mutual TLS with the same pair\n"
		"certhup probe 10.0.0.7:8443 --sni web --client-dir /tls --expect-dir /tls\n",
    .exits = "0 1 2 3",
    .check = check,
    .run = run,
    .settings_size = sizeof(struct settings),
};
