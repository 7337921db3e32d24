/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/api.h"

#include "tests/apiserver/shape.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#define RETRY_S 1

/* Where a page begins. */
struct page {
	int64_t rv; /* negative: the newest, consistent or not */
	char start[2 * ROUTE_NAME + 8];
};

void read_get(struct call *c)
{
	const struct route *r = &c->route;
	_cleanup_failure_ struct failure f = {0};
	struct json_object *stored = store_get(c->api->store, r->resource->plural, r->ns, r->name);
	if (!stored) {
		failure_not_found(&f, r->resource, r->name);
		call_fail(c, &f);
		return;
	}
	call_answer(c, 200, call_show(c, stored, true));
}

/* base64url without padding, as page tokens are. */
static char *encode_token(const char *text)
{
	size_t len = strlen(text);
	char *token = malloc(len * 4 / 3 + 5);
	if (!token)
		return NULL;
	EVP_EncodeBlock((unsigned char *)token, (const unsigned char *)text, (int)len);
	for (char *p = token; *p; p++) {
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
		else if (*p == '=')
			*p = '\0';
	}
	return token;
}

static char *page_token(int64_t rv, const char *start)
{
	char key[2 * ROUTE_NAME + 8];
	_cleanup_gojson_ struct json_object *token = json_object_new_object();
	int len = snprintf(key, sizeof(key), "/%s", start);
	gojson_set(token, "v", "meta.k8s.io/v1");
	json_object_object_add(token, "rv", json_object_new_int64(rv));
	json_object_object_add(token, "start", json_object_new_string_len(key, len + 1));
	_cleanup_evbuffer_ struct evbuffer *text = evbuffer_new();
	gojson_write(token, false, text);
	evbuffer_add(text, "", 1);
	return encode_token((const char *)evbuffer_pullup(text, -1));
}

#define BASE64_URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static int read_token(const char *token, struct page *ret, struct failure *f)
{
	struct err e;
	size_t len = strlen(token);
	size_t padded = (len + 3) / 4 * 4;
	_cleanup_free_ char *base64 = malloc(padded + 1);
	_cleanup_free_ unsigned char *text = malloc(padded + 1);
	if (!base64 || !text)
		return failure_bad_request(f, "no memory");
	memset(base64, '=', padded);
	for (size_t i = 0; i < len; i++)
		base64[i] = token[i] == '-' ? '+' : token[i] == '_' ? '/' : token[i];
	int got = EVP_DecodeBlock(text, (unsigned char *)base64, (int)padded);
	got -= (int)(padded - len);
	size_t good = strspn(token, BASE64_URL);
	if (good < len || len % 4 == 1)
		return failure_bad_request(f,
					   "invalid continue token: continue key is not valid: "
					   "illegal base64 data at input byte %zu",
					   good < len ? good : len - 1);
	_cleanup_gojson_ struct json_object *object = gojson_parse((char *)text, (size_t)got, &e);
	const char *start = gojson_text(object, "start", NULL);
	if (!start || *start != '/')
		return failure_bad_request(f,
					   "invalid continue token: continue key is not valid: %s",
					   object ? "start key is empty" : e.message);
	ret->rv = gojson_int(object, "rv", 0);
	snprintf(ret->start, sizeof(ret->start), "%s", start + 1);
	return 0;
}

/* The key by which a list is ordered and continued: the name, with the namespace where several are
 * shown. */
static void key_of(const struct call *c, struct json_object *stored, char *ret, size_t size)
{
	const char *ns = gojson_text(stored, "metadata", "namespace", NULL);
	bool across = c->route.resource->namespaced && !*c->route.ns;
	snprintf(ret, size, "%s%s%s", across && ns ? ns : "", across && ns ? "/" : "",
		 gojson_text(stored, "metadata", "name", NULL));
}

static bool is_selected(const struct call *c, const struct route_options *o,
			struct json_object *stored)
{
	_cleanup_gojson_ struct json_object *shown = shape_shown(c->route.resource, stored, false);
	return selector_takes_labels(&o->labels, stored) &&
	       selector_takes_fields(&o->fields, shown);
}

static const char *list_kind(const struct call *c, char *ret, size_t size)
{
	snprintf(ret, size, "%sList",
		 c->partial ? "PartialObjectMetadata" : c->route.resource->kind);
	return ret;
}

/* The items of one page; ret_left counts what comes after it, ret_last is the last key in it. */
static struct json_object *take_page(struct call *c, const struct route_options *o,
				     struct json_object *all, const struct page *page,
				     char ret_last[static 2 * ROUTE_NAME + 8], size_t *ret_left)
{
	struct json_object *items = json_object_new_array();
	char key[2 * ROUTE_NAME + 8];
	*ret_left = 0;
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *stored = json_object_array_get_idx(all, i);
		key_of(c, stored, key, sizeof(key));
		if (strcmp(key, page->start) <= 0 || !is_selected(c, o, stored))
			continue;
		if (o->limit && json_object_array_length(items) >= o->limit) {
			(*ret_left)++;
			continue;
		}
		json_object_array_add(items, call_show(c, stored, false));
		memcpy(ret_last, key, sizeof(key));
	}
	return items;
}

static void answer_list(struct call *c, struct route_options *o, struct json_object *all,
			const struct page *page, uint64_t rv)
{
	char text[64];
	char last[2 * ROUTE_NAME + 8] = "";
	char api_version[RESOURCE_API_VERSION];
	size_t left = 0;
	struct json_object *items = take_page(c, o, all, page, last, &left);
	struct json_object *metadata = json_object_new_object();
	struct json_object *list = json_object_new_object();
	gojson_set(list, "kind", list_kind(c, text, sizeof(text)));
	gojson_set(list, "apiVersion",
		   c->partial ? "meta.k8s.io/v1"
			      : resource_api_version(c->route.resource, api_version));
	snprintf(text, sizeof(text), "%" PRIu64, rv);
	gojson_set(metadata, "resourceVersion", text);
	if (left) {
		_cleanup_free_ char *token = page_token((int64_t)rv, last);
		gojson_set(metadata, "continue", token);
		if (!o->labels.count && !o->fields.count)
			json_object_object_add(metadata, "remainingItemCount",
					       json_object_new_int64((int64_t)left));
	}
	json_object_object_add(list, "metadata", metadata);
	json_object_object_add(list, "items", items);
	call_answer(c, 200, list);
}

static void too_large(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	failure_set(&f, 504, "Timeout",
		    "Timeout: Too large resource version: %s, current: %" PRIu64,
		    route_query(&c->route, "resourceVersion"), store_rv(c->api->store));
	failure_cause(&f, "ResourceVersionTooLarge", "Too large resource version", NULL);
	failure_retry_after(&f, RETRY_S);
	call_fail(c, &f);
}

static int too_old(const struct page *page, struct failure *f)
{
	if (!*page->start)
		return failure_expired(f, "The resourceVersion for the provided list is too old.");
	failure_expired(f, "The provided continue parameter is too old to display a consistent "
			   "list result. You can start a new list without the continue parameter, "
			   "or use the continue token in this response to retrieve the remainder "
			   "of the results. Continuing with the provided token results in an "
			   "inconsistent list - objects that were created, modified, or deleted "
			   "between the time the first chunk was returned and now may show up in "
			   "the list.");
	f->continue_token = page_token(-1, page->start);
	return -1;
}

/* Which state a list shows: 0 is the newest. */
static uint64_t state_of(const struct route_options *o, const struct page *page)
{
	bool exact = o->match && !strcmp(o->match, "Exact");
	if (o->continue_token)
		return page->rv > 0 ? (uint64_t)page->rv : 0;
	if (exact || (!o->match && o->limit))
		return o->rv_number;
	return 0;
}

static int list(struct call *c, struct route_options *o, struct failure *f)
{
	struct page page = {0};
	struct store *s = c->api->store;
	const struct route *r = &c->route;
	if (route_options(r, o, f) < 0)
		return -1;
	if (o->continue_token && read_token(o->continue_token, &page, f) < 0)
		return -1;
	if (o->rv_number > store_rv(s)) {
		call_later(c, c->api->list_wait_ms, too_large);
		return 0;
	}
	if (o->rv && !o->rv_number && !o->continue_token)
		o->limit = 0;
	uint64_t rv = state_of(o, &page);
	bool across = !r->resource->namespaced || !*r->ns;
	_cleanup_gojson_ struct json_object *all =
	    store_list(s, r->resource->plural, across ? NULL : r->ns, rv);
	if (!all)
		return too_old(&page, f);
	answer_list(c, o, all, &page, rv ? rv : store_rv(s));
	return 0;
}

void read_list(struct call *c)
{
	_cleanup_failure_ struct failure f = {0};
	struct route_options o = {0};
	int r = list(c, &o, &f);
	route_options_done(&o);
	if (r < 0)
		call_fail(c, &f);
}
