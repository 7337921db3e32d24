/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/wire_internal.h"

#include <event2/bufferevent_ssl.h>
#include <string.h>

/* The largest piece that a plan sends at once. */
#define PIECE_MAX 4096

static const char *reason_phrase(int code)
{
	static const struct {
		int code;
		const char *phrase;
	} phrases[] = {{200, "OK"},
		       {201, "Created"},
		       {400, "Bad Request"},
		       {401, "Unauthorized"},
		       {403, "Forbidden"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {406, "Not Acceptable"},
		       {409, "Conflict"},
		       {410, "Gone"},
		       {413, "Request Entity Too Large"},
		       {415, "Unsupported Media Type"},
		       {422, "Unprocessable Entity"},
		       {429, "Too Many Requests"},
		       {500, "Internal Server Error"},
		       {503, "Service Unavailable"},
		       {504, "Gateway Timeout"}};
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].code == code)
			return phrases[i].phrase;
	return "Other";
}

void wire_set_plan(struct wire_exchange *x, const struct wire_plan *plan)
{
	x->plan = *plan;
}

/* The exchange is answered: the next request of the connection may come, or it ends. */
static void conclude(struct wire_exchange *x)
{
	x->finished = false;
	if (!x->keep) {
		if (x->how == WIRE_STALL)
			return;
		if (x->how == WIRE_CLOSE && !x->was_cut)
			SSL_shutdown(bufferevent_openssl_get_ssl(x->bev));
		wire_close(x, x->how);
		return;
	}
	wire_over(x);
	x->plan = (struct wire_plan){0};
	x->content = 0;
	x->user = NULL;
	x->reading = READ_HEAD;
	if (evbuffer_get_length(bufferevent_get_input(x->bev)))
		bufferevent_trigger(x->bev, EV_READ,
				    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void wait_ms(struct wire_exchange *x, int ms)
{
	x->waiting = true;
	event_add(x->pace, &(struct timeval){ms / 1000, ms % 1000 * 1000});
}

static bool is_out(const struct wire_exchange *x)
{
	return x->finished && !evbuffer_get_length(x->raw) &&
	       !evbuffer_get_length(bufferevent_get_output(x->bev));
}

/* Lets out what the plan allows now; more when that has left. Never ends the exchange itself. */
static void push(struct wire_exchange *x)
{
	size_t waiting = evbuffer_get_length(x->raw);
	if (x->waiting)
		return;
	if (!x->plan.write_bytes) {
		bufferevent_write_buffer(x->bev, x->raw);
	} else if (waiting && !evbuffer_get_length(bufferevent_get_output(x->bev))) {
		char bytes[PIECE_MAX];
		size_t n = waiting < x->plan.write_bytes ? waiting : x->plan.write_bytes;
		int got = evbuffer_remove(x->raw, bytes, n < sizeof(bytes) ? n : sizeof(bytes));
		if (got > 0)
			bufferevent_write(x->bev, bytes, (size_t)got);
		if (x->plan.delay_ms)
			wait_ms(x, x->plan.delay_ms);
	}
	if (is_out(x))
		wait_ms(x, 0);
}

void wire_pump(struct wire_exchange *x)
{
	if (!x->waiting && is_out(x))
		conclude(x);
	else
		push(x);
}

/* How many of n content bytes may leave before the cut. */
static size_t let_out(struct wire_exchange *x, size_t n)
{
	if (x->was_cut)
		return 0;
	if (x->plan.cut && x->content + n >= x->plan.cut_at) {
		n = x->plan.cut_at - x->content;
		x->was_cut = true;
	}
	x->content += n;
	return n;
}

static void end_at_cut(struct wire_exchange *x)
{
	if (!x->was_cut)
		return;
	x->finished = true;
	x->keep = false;
	x->how = x->plan.end;
}

static void put_head(struct wire_exchange *x, int code, const char *headers)
{
	evbuffer_add_printf(x->raw, "HTTP/1.1 %d %s\r\nCache-Control: no-cache, private\r\n%s",
			    code, reason_phrase(code), headers ? headers : "");
	const char *connection = wire_header(x, "Connection");
	x->keep = !connection || strcasecmp(connection, "close") != 0;
	x->was_cut = false;
	x->content = 0;
	x->how = WIRE_CLOSE;
}

void wire_answer(struct wire_exchange *x, int code, const char *headers, struct evbuffer *body)
{
	size_t len = evbuffer_get_length(body);
	put_head(x, code, headers);
	evbuffer_add_printf(x->raw, "Content-Length: %zu\r\n\r\n", len);
	evbuffer_remove_buffer(body, x->raw, let_out(x, len));
	evbuffer_drain(body, evbuffer_get_length(body));
	x->finished = true;
	end_at_cut(x);
	push(x);
}

void wire_begin(struct wire_exchange *x, int code, const char *headers)
{
	put_head(x, code, headers);
	evbuffer_add_printf(x->raw, "Transfer-Encoding: chunked\r\n\r\n");
	let_out(x, 0);
	end_at_cut(x);
	push(x);
}

void wire_send(struct wire_exchange *x, struct evbuffer *content)
{
	while (evbuffer_get_length(content) && !x->was_cut) {
		size_t n = evbuffer_get_length(content);
		if (x->plan.chunk_bytes && n > x->plan.chunk_bytes)
			n = x->plan.chunk_bytes;
		size_t allowed = let_out(x, n);
		if (allowed)
			evbuffer_add_printf(x->raw, "%zx\r\n", n);
		evbuffer_remove_buffer(content, x->raw, allowed);
		if (allowed == n)
			evbuffer_add(x->raw, "\r\n", 2);
	}
	evbuffer_drain(content, evbuffer_get_length(content));
	end_at_cut(x);
	push(x);
}

void wire_finish(struct wire_exchange *x)
{
	if (x->was_cut)
		return;
	evbuffer_add_printf(x->raw, "0\r\n\r\n");
	x->finished = true;
	push(x);
}

void wire_raw(struct wire_exchange *x, struct evbuffer *bytes, enum wire_end how)
{
	evbuffer_add_buffer(x->raw, bytes);
	x->keep = false;
	x->how = how;
	x->was_cut = true;
	x->finished = true;
	push(x);
}

void wire_abort(struct wire_exchange *x, enum wire_end how)
{
	wire_close(x, how);
}
