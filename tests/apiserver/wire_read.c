/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/wire_internal.h"

#include "base/text.h"

#include <event2/bufferevent_ssl.h>
#include <string.h>

#include "tests/apiserver/validate.h"

#define HEAD_MAX 65536

/* Thrown away above this; the API server's answer is 413 then. */
#define BODY_MAX VALIDATE_BODY_BYTES

static void forget_request(struct wire_exchange *x)
{
	evhttp_clear_headers(&x->headers);
	free(x->method);
	free(x->target);
	free(x->body);
	x->method = NULL;
	x->target = NULL;
	x->body = NULL;
	x->body_len = 0;
	x->body_left = 0;
	x->body_dropped = false;
}

static int read_request_line(struct wire_exchange *x, char *line)
{
	char *rest = line;
	const char *method = strsep(&rest, " ");
	const char *target = strsep(&rest, " ");
	if (!target || *target != '/' || !rest || strncmp(rest, "HTTP/1.", 7) != 0)
		return -1;
	x->method = strdup(method);
	x->target = strdup(target);
	return 0;
}

static int read_header_line(struct wire_exchange *x, char *line)
{
	char *value = line;
	const char *name = strsep(&value, ":");
	if (!value || !*name)
		return -1;
	value += strspn(value, " \t");
	return evhttp_add_header(&x->headers, name, value);
}

/* The bytes up to the empty line. Returns 1 when they are complete, -1 when they are no HTTP. */
static int read_head(struct wire_exchange *x, struct evbuffer *in)
{
	if (evbuffer_search(in, "\r\n\r\n", 4, NULL).pos < 0)
		return evbuffer_get_length(in) > HEAD_MAX ? -1 : 0;
	forget_request(x);
	for (;;) {
		_cleanup_free_ char *line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF_STRICT);
		if (!line)
			return -1;
		if (!*line)
			return x->method ? 1 : -1;
		int r = x->method ? read_header_line(x, line) : read_request_line(x, line);
		if (r < 0)
			return -1;
	}
}

static int start_body(struct wire_exchange *x)
{
	const char *length = wire_header(x, "Content-Length");
	const char *expect = wire_header(x, "Expect");
	uint64_t bytes = 0;
	if (wire_header(x, "Transfer-Encoding") ||
	    (length && text_parse_u64(length, 0, SIZE_MAX, &bytes) < 0))
		return -1;
	if (expect && !strcasecmp(expect, "100-continue"))
		bufferevent_write(x->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	x->body_left = bytes;
	x->body_dropped = bytes > BODY_MAX;
	x->body = x->body_dropped ? NULL : malloc(bytes + 1);
	return x->body || x->body_dropped ? 0 : -1;
}

static void read_body(struct wire_exchange *x, struct evbuffer *in)
{
	size_t n = evbuffer_get_length(in);
	if (n > x->body_left)
		n = x->body_left;
	if (x->body_dropped)
		evbuffer_drain(in, n);
	else
		evbuffer_remove(in, x->body + x->body_len, n);
	x->body_len += n;
	x->body_left -= n;
	if (x->body)
		x->body[x->body_len] = '\0';
}

static void read_client_name(struct wire_exchange *x)
{
	SSL *ssl = bufferevent_openssl_get_ssl(x->bev);
	X509 *peer = SSL_get1_peer_certificate(ssl);
	if (peer && SSL_get_verify_result(ssl) == X509_V_OK)
		X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName,
					  x->client_name, sizeof(x->client_name));
	X509_free(peer);
}

void wire_read(struct wire_exchange *x)
{
	struct evbuffer *in = bufferevent_get_input(x->bev);
	if (x->reading == READ_HEAD) {
		int r = read_head(x, in);
		if (r < 0 || (r > 0 && start_body(x) < 0)) {
			wire_close(x, WIRE_RESET);
			return;
		}
		if (!r)
			return;
		x->reading = READ_BODY;
	}
	if (x->reading != READ_BODY)
		return;
	read_body(x, in);
	if (x->body_left)
		return;
	x->reading = READ_NOTHING;
	read_client_name(x);
	wire_request(x);
}

const char *wire_method(const struct wire_exchange *x)
{
	return x->method;
}

const char *wire_target(const struct wire_exchange *x)
{
	return x->target;
}

const char *wire_header(const struct wire_exchange *x, const char *name)
{
	return evhttp_find_header(&x->headers, name);
}

const char *wire_body(const struct wire_exchange *x, size_t *ret_len)
{
	*ret_len = x->body ? x->body_len : 0;
	return x->body ? x->body : "";
}

bool wire_body_too_large(const struct wire_exchange *x)
{
	return x->body_dropped;
}

uint64_t wire_connection(const struct wire_exchange *x)
{
	return x->number;
}

const char *wire_client_name(const struct wire_exchange *x)
{
	return *x->client_name ? x->client_name : NULL;
}

void wire_set_user(struct wire_exchange *x, void *user)
{
	x->user = user;
}

void *wire_user(const struct wire_exchange *x)
{
	return x->user;
}
