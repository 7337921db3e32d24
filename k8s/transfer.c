/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/transfer.h"

#include "base/text.h"
#include "k8s/easy.h"

#include <string.h>

/* A value that was read while libcurl was at work, and is told when it has returned. */
struct waiting {
	STAILQ_ENTRY(waiting) next;
	struct json *value; /* owned */
	bool bad;
	struct err why; /* when bad */
	int64_t at_ms;
};

struct transfer {
	struct multi_job job; /* first: run() gets it */
	struct multi *multi;
	struct loop *loop;
	const struct k8s_config *config;
	struct easy_lists lists;
	char error_text[CURL_ERROR_SIZE];

	const struct transfer_callbacks *callbacks; /* borrowed */
	void *arg;

	enum json_stream_mode mode;
	struct json_stream *json;
	STAILQ_HEAD(, waiting) values;
	struct json *document;
	struct buf text;
	size_t header_bytes;
	size_t body_bytes;
	int64_t last_byte_ms;
	int code;
	bool status_due;
	int64_t retry_after_ms;
	struct err refused; /* why we broke it off ourselves; kind NONE: we did not */
};

static bool is_good(int code)
{
	return code >= 200 && code < 300;
}

static void keep_value(struct transfer *t, struct json *value, const struct err *why)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w) {
		json_free(value);
		err_set(&t->refused, ERR_EXHAUSTED, "no memory for an object");
		return;
	}
	w->value = value;
	w->at_ms = loop_now(t->loop);
	if (why) {
		w->bad = true;
		w->why = *why;
	}
	STAILQ_INSERT_TAIL(&t->values, w, next);
	multi_ready(t->multi, &t->job);
}

static void on_json(void *arg, struct json *value)
{
	struct transfer *t = arg;

	if (is_good(t->code) && t->mode == JSON_STREAM_MANY) {
		keep_value(t, value, NULL);
		return;
	}
	json_free(t->document);
	t->document = value;
}

static void on_bad_json(void *arg, const struct err *e)
{
	keep_value(arg, NULL, e);
}

static void on_json_item(void *arg, struct json *item)
{
	keep_value(arg, item, NULL);
}

static int begin_body(struct transfer *t)
{
	static const struct json_stream_callbacks callbacks = {
	    .on_value = on_json, .on_bad = on_bad_json, .on_item = on_json_item};
	bool many = t->mode != JSON_STREAM_ONE;

	if (t->json)
		return 0;
	if (!is_good(t->code))
		return json_stream_new(JSON_STREAM_ONE, LIMIT_ERROR_BODY, &callbacks, t, &t->json,
				       &t->refused);
	return json_stream_new(t->mode, many ? LIMIT_EVENT : LIMIT_BODY, &callbacks, t, &t->json,
			       &t->refused);
}

static size_t max_body(const struct transfer *t)
{
	if (!is_good(t->code))
		return LIMIT_ERROR_BODY;
	switch (t->mode) {
	case JSON_STREAM_MANY:
		return SIZE_MAX;
	case JSON_STREAM_LIST:
		return LIMIT_LIST;
	case JSON_STREAM_ONE:
	default:
		return LIMIT_BODY;
	}
}

static size_t on_body(const char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * count;
	struct err e;

	t->last_byte_ms = loop_now(t->loop);
	t->body_bytes += len;
	if (t->body_bytes > max_body(t)) {
		err_set(&t->refused, ERR_EXHAUSTED, "the answer has more than %zu bytes",
			max_body(t));
		return 0;
	}
	if (begin_body(t) < 0)
		return 0;
	if (!is_good(t->code) && t->text.len < LIMIT_ERROR_TEXT)
		(void)!buf_add(
		    &t->text, data,
		    len < LIMIT_ERROR_TEXT - t->text.len ? len : LIMIT_ERROR_TEXT - t->text.len,
		    &e);
	json_stream_feed(t->json, data, len);
	return t->refused.kind == ERR_NONE ? len : 0;
}

static void read_retry_after(struct transfer *t)
{
	struct curl_header *h;
	uint64_t seconds;

	if (curl_easy_header(t->job.easy, "Retry-After", 0, CURLH_HEADER, -1, &h) == CURLHE_OK &&
	    text_parse_u64(h->value, 0, LIMIT_RETRY_AFTER_MS / SECOND_MS, &seconds) == 0)
		t->retry_after_ms = (int64_t)seconds * SECOND_MS;
}

static size_t on_header(const char *line, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * count;
	long code = 0;

	t->last_byte_ms = loop_now(t->loop);
	t->header_bytes += len;
	if (t->header_bytes > LIMIT_HEADERS) {
		err_set(&t->refused, ERR_EXHAUSTED, "the answer has more than %d bytes of headers",
			LIMIT_HEADERS);
		return 0;
	}
	if (t->code || (line[0] != '\r' && line[0] != '\n'))
		return len;
	curl_easy_getinfo(t->job.easy, CURLINFO_RESPONSE_CODE, &code);
	if (code < 200)
		return len;
	t->code = (int)code;
	read_retry_after(t);
	t->status_due = true;
	multi_ready(t->multi, &t->job);
	return len;
}

/* What libcurl, the parser and our limits say together. */
static void judge(struct transfer *t, struct transfer_end *end, struct err *e)
{
	CURLcode r = t->job.result;

	*end = (struct transfer_end){.code = t->code, .retry_after_ms = t->retry_after_ms};
	end->text = buf_str(&t->text);
	end->no_connection = r == CURLE_COULDNT_CONNECT || r == CURLE_COULDNT_RESOLVE_HOST ||
			     r == CURLE_PEER_FAILED_VERIFICATION || r == CURLE_SSL_CONNECT_ERROR;
	err_clear(e);
	if (t->refused.kind != ERR_NONE)
		*e = t->refused;
	else if (r != CURLE_OK)
		easy_failure(t->config, r, t->error_text, e);
	else if (t->json && json_stream_end(t->json, e) < 0)
		err_add(e, "the answer of %s", t->config->server);
	if (e->kind != ERR_NONE && (is_good(t->code) || t->code == 0))
		end->e = e;
	if (!end->e)
		end->document = t->document;
}

static void tell_value(struct transfer *t)
{
	struct waiting *w = STAILQ_FIRST(&t->values);

	STAILQ_REMOVE_HEAD(&t->values, next);
	if (t->job.ended || !STAILQ_EMPTY(&t->values))
		multi_ready(t->multi, &t->job);
	if (w->bad)
		t->callbacks->on_bad(t->arg, &w->why);
	else
		t->callbacks->on_value(t->arg, w->value, w->at_ms);
	json_free(w->value);
	free(w);
}

static void tell_end(struct transfer *t)
{
	struct transfer_end end;
	struct json *document;
	struct buf text;
	struct err e;

	judge(t, &end, &e);
	/* They must outlive the transfer, which the callback may free. */
	document = TAKE(t->document);
	text = t->text;
	buf_init(&t->text, LIMIT_ERROR_TEXT);
	t->callbacks->on_end(t->arg, &end);
	json_free(document);
	buf_done(&text);
}

static void run(struct multi_job *job)
{
	struct transfer *t = (struct transfer *)job;

	if (t->status_due) {
		t->status_due = false;
		if (t->job.ended || !STAILQ_EMPTY(&t->values))
			multi_ready(t->multi, &t->job);
		if (t->callbacks->on_status)
			t->callbacks->on_status(t->arg, t->code);
	} else if (!STAILQ_EMPTY(&t->values)) {
		tell_value(t);
	} else if (t->job.ended) {
		tell_end(t);
	}
}

static int set_body(struct transfer *t, const struct transfer_call *call, struct err *e)
{
	CURL *easy = t->job.easy;

	if (strcmp(call->verb, "GET") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->verb);
	if (!call->body)
		return 0;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
	if (curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body) != CURLE_OK)
		return err_set(e, ERR_EXHAUSTED, "prepare a request: no memory");
	if (easy_add_header(&t->lists, e, "Content-Type: %s", call->content_type) < 0)
		return -1;
	return easy_add_header(&t->lists, e, "Expect:");
}

static int set_call(struct transfer *t, const struct transfer_call *call, struct err *e)
{
	_cleanup_free_ char *url = NULL;
	CURL *easy = t->job.easy;

	if (asprintf(&url, "%s%s", t->config->base, call->target) < 0) {
		url = NULL;
		return err_set(e, ERR_EXHAUSTED, "prepare a request: no memory");
	}
	if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_USERAGENT, call->user_agent) != CURLE_OK)
		return err_set(e, ERR_EXHAUSTED, "prepare a request: no memory");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error_text);
	if (call->mode == JSON_STREAM_MANY)
		curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
	if (call->fresh) {
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	if (set_body(t, call, e) < 0 ||
	    easy_add_header(&t->lists, e, "Accept: %s", call->accept) < 0)
		return -1;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->lists.headers);
	return 0;
}

static void transfer_freep(struct transfer **t)
{
	*t = transfer_free(*t);
}

int transfer_start(struct multi *m, struct loop *loop, struct k8s_config *config,
		   const struct transfer_call *call, struct transfer **ret, struct err *e)
{
	_cleanup_(transfer_freep) struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return err_sys(e, "prepare a request");
	t->multi = m;
	t->loop = loop;
	t->config = config;
	t->mode = call->mode;
	t->retry_after_ms = -1;
	t->last_byte_ms = loop_now(loop);
	t->job.run = run;
	STAILQ_INIT(&t->values);
	buf_init(&t->text, LIMIT_ERROR_TEXT);
	t->job.easy = curl_easy_init();
	if (!t->job.easy)
		return err_set(e, ERR_EXHAUSTED, "prepare a request: no memory");
	if (easy_set_server(t->job.easy, config, &t->lists, e) < 0 || set_call(t, call, e) < 0 ||
	    multi_add(m, &t->job, e) < 0)
		return -1;
	*ret = TAKE(t);
	return 0;
}

void transfer_listen(struct transfer *t, const struct transfer_callbacks *callbacks, void *arg)
{
	t->callbacks = callbacks;
	t->arg = arg;
}

struct transfer *transfer_free(struct transfer *t)
{
	struct waiting *w;

	if (!t)
		return NULL;
	multi_remove(t->multi, &t->job);
	if (t->job.easy)
		curl_easy_cleanup(t->job.easy);
	easy_lists_done(&t->lists);
	json_stream_free(t->json);
	while ((w = STAILQ_FIRST(&t->values))) {
		STAILQ_REMOVE_HEAD(&t->values, next);
		json_free(w->value);
		free(w);
	}
	json_free(t->document);
	buf_done(&t->text);
	free(t);
	return NULL;
}

int64_t transfer_last_byte(const struct transfer *t)
{
	return t->last_byte_ms;
}
