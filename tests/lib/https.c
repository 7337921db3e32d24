/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/https.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS 20000

struct https_stream {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	char *body; /* sent */
	struct https_answer answer;
	size_t headers_len;
	bool over;
};

void https_answer_done(struct https_answer *a)
{
	free(a->headers);
	free(a->body);
	*a = (struct https_answer){0};
}

static void append(char **to, size_t *len, const char *from, size_t n)
{
	char *grown = realloc(*to, *len + n + 1);
	assert_non_null(grown);
	memcpy(grown + *len, from, n);
	*len += n;
	grown[*len] = '\0';
	*to = grown;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct https_stream *s = arg;
	if (!strncmp(line, "HTTP/", 5)) {
		free(s->answer.headers);
		s->answer.headers = NULL;
		s->headers_len = 0;
	}
	append(&s->answer.headers, &s->headers_len, line, size * count);
	return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct https_stream *s = arg;
	append(&s->answer.body, &s->answer.body_len, data, size * count);
	return size * count;
}

static void add_header(struct https_stream *s, const char *fmt, ...) _printf_(2, 3);
static void add_header(struct https_stream *s, const char *fmt, ...)
{
	va_list ap;
	char line[8192];
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->headers = curl_slist_append(s->headers, line);
	assert_non_null(s->headers);
}

static void set_request(struct https_stream *s, const struct standin *server,
			const struct https_request *r)
{
	char url[4096];
	char ca[128];
	const char *token = r->token ? r->token : server->token;
	snprintf(url, sizeof(url), "%s%s", server->url, r->target);
	snprintf(ca, sizeof(ca), "%s/ca.crt", server->dir);
	if (*token)
		add_header(s, "Authorization: Bearer %s", token);
	for (size_t i = 0; i < HTTPS_HEADERS && r->headers[i]; i++)
		add_header(s, "%s", r->headers[i]);
	curl_easy_setopt(s->easy, CURLOPT_URL, url);
	curl_easy_setopt(s->easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, r->method ? r->method : "GET");
	curl_easy_setopt(s->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
	if (r->body) {
		s->body = malloc(r->body_len + 1);
		assert_non_null(s->body);
		memcpy(s->body, r->body, r->body_len);
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->body);
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
	}
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
}

static void note_end(struct https_stream *s)
{
	int left = 0;
	for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left));) {
		s->over = true;
		s->answer.error = (int)m->data.result;
		s->answer.whole = m->data.result == CURLE_OK;
	}
	long code = 0;
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &code);
	s->answer.code = (int)code;
}

static void perform(struct https_stream *s)
{
	int running = 0;
	assert_int_equal(curl_multi_perform(s->multi, &running), CURLM_OK);
	note_end(s);
}

/* Waits for something to come, and takes it. False when the time is over or the answer is. */
static bool run(struct https_stream *s, int64_t until_ms)
{
	int64_t now = clock_mono_ms(clock_system());
	if (s->over || now >= until_ms)
		return false;
	curl_multi_poll(s->multi, NULL, 0, (int)(until_ms - now), NULL);
	perform(s);
	return true;
}

static int64_t deadline(int64_t after_ms)
{
	return clock_mono_ms(clock_system()) + after_ms;
}

struct https_stream *https_begin(const struct standin *server, const struct https_request *r)
{
	struct https_stream *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->multi = curl_multi_init();
	s->easy = curl_easy_init();
	s->answer.body = calloc(1, 1);
	assert_true(s->multi && s->easy && s->answer.body);
	set_request(s, server, r);
	assert_int_equal(curl_multi_add_handle(s->multi, s->easy), CURLM_OK);
	perform(s);
	return s;
}

struct https_stream *https_open(const struct standin *server, const struct https_request *r)
{
	struct https_stream *s = https_begin(server, r);
	int64_t until = deadline(DEADLINE_MS);
	while (!(s->answer.headers && strstr(s->answer.headers, "\r\n\r\n")) && run(s, until))
		;
	return s;
}

bool https_read(struct https_stream *s, const char *text, int timeout_ms)
{
	int64_t until = deadline(timeout_ms);
	while (!strstr(s->answer.body, text))
		if (!run(s, until))
			return strstr(s->answer.body, text) != NULL;
	return true;
}

const struct https_answer *https_peek(const struct https_stream *s)
{
	return &s->answer;
}

void https_cancel(struct https_stream *s)
{
	curl_multi_remove_handle(s->multi, s->easy);
	curl_easy_cleanup(s->easy);
	curl_multi_cleanup(s->multi);
	curl_slist_free_all(s->headers);
	https_answer_done(&s->answer);
	free(s->body);
	free(s);
}

void https_close(struct https_stream *s, struct https_answer *ret)
{
	int64_t until = deadline(DEADLINE_MS);
	while (run(s, until))
		;
	*ret = s->answer;
	s->answer = (struct https_answer){0};
	https_cancel(s);
}

void https_send(const struct standin *server, const struct https_request *r,
		struct https_answer *ret)
{
	https_close(https_begin(server, r), ret);
}

char *https_header(const struct https_answer *a, const char *name)
{
	size_t len = strlen(name);
	for (const char *line = a->headers; line && *line; line = strchr(line, '\n') + 1) {
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		const char *value = line + len + 1;
		value += strspn(value, " ");
		return strndup(value, strcspn(value, "\r\n"));
	}
	return NULL;
}
