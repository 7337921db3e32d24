/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/selector.h"

#include <string.h>

void selector_done(struct selector *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->terms[i].key);
		free(s->terms[i].values);
	}
	*s = (struct selector){0};
}

static char *trimmed(const char *from, size_t len)
{
	while (len && *from == ' ') {
		from++;
		len--;
	}
	while (len && from[len - 1] == ' ')
		len--;
	char *text = strndup(from, len);
	if (!text)
		abort();
	return text;
}

/* "b, c" becomes "b,c,". */
static char *value_list(const char *from, size_t len)
{
	char *list = calloc(len + 2, 1);
	size_t n = 0;
	if (!list)
		abort();
	for (size_t i = 0; i < len; i++)
		if (from[i] != ' ')
			list[n++] = from[i];
	list[n] = ',';
	return list;
}

/* One term: "a", "!a", "a=b", "a==b", "a!=b", "a in (b,c)", "a notin (b,c)". */
static void parse_term(struct selector_term *t, const char *text, size_t len)
{
	_cleanup_free_ char *term = trimmed(text, len);
	char *equals = strchr(term, '=');
	char *set = strstr(term, " in (");
	char *not_set = strstr(term, " notin (");
	t->how = SELECT_EXISTS;
	if (set || not_set) {
		char *at = set ? set : not_set;
		char *open = strchr(at, '(') + 1;
		t->how = set ? SELECT_IN : SELECT_NOT_IN;
		t->key = trimmed(term, (size_t)(at - term));
		t->values = value_list(open, strcspn(open, ")"));
	} else if (equals) {
		bool negated = equals > term && equals[-1] == '!';
		char *value = equals + (equals[1] == '=' ? 2 : 1);
		t->how = negated ? SELECT_NOT_IN : SELECT_IN;
		t->key = trimmed(term, (size_t)(equals - term) - negated);
		t->values = value_list(value, strlen(value));
	} else if (*term == '!') {
		t->how = SELECT_ABSENT;
		t->key = trimmed(term + 1, strlen(term + 1));
	} else {
		t->key = TAKE(term);
	}
}

static int add_term(struct selector *s, const char *text, size_t len, struct failure *f)
{
	if (s->count < SELECTOR_TERMS) {
		struct selector_term *t = &s->terms[s->count++];
		parse_term(t, text, len);
		if (*t->key)
			return 0;
	}
	return failure_bad_request(f,
				   "unable to parse requirement: found '', expected: identifier");
}

int selector_parse_labels(const char *text, struct selector *ret, struct failure *f)
{
	*ret = (struct selector){0};
	for (const char *p = text; p && *p;) {
		size_t len = 0;
		int depth = 0;
		for (; p[len] && (depth || p[len] != ','); len++)
			depth += (p[len] == '(') - (p[len] == ')');
		if (add_term(ret, p, len, f) < 0) {
			selector_done(ret);
			return -1;
		}
		p += len + (p[len] == ',');
	}
	return 0;
}

static bool is_field_label(const struct resource *r, const char *key)
{
	bool known =
	    !strcmp(key, "metadata.name") || (r->namespaced && !strcmp(key, "metadata.namespace"));
	for (size_t i = 0; r->field_labels[i]; i++)
		known = known || !strcmp(key, r->field_labels[i]);
	return known;
}

int selector_parse_fields(const struct resource *r, const char *text, struct selector *ret,
			  struct failure *f)
{
	if (selector_parse_labels(text, ret, f) < 0)
		return -1;
	for (size_t i = 0; i < ret->count; i++) {
		const char *key = ret->terms[i].key;
		if (is_field_label(r, key))
			continue;
		if (*r->field_labels)
			failure_bad_request(f, "field label not supported: %s", key);
		else
			failure_bad_request(f,
					    "\"%s\" is not a known field selector: only "
					    "\"metadata.name\", \"metadata.namespace\"",
					    key);
		selector_done(ret);
		return -1;
	}
	return 0;
}

static bool in_list(const char *values, const char *value)
{
	size_t len = strlen(value);
	for (const char *p = values; p && *p; p = strchr(p, ',') + 1)
		if (!strncmp(p, value, len) && p[len] == ',')
			return true;
	return false;
}

static bool term_takes(const struct selector_term *t, const char *value)
{
	switch (t->how) {
	case SELECT_IN:
		return value && in_list(t->values, value);
	case SELECT_NOT_IN:
		return !value || !in_list(t->values, value);
	case SELECT_EXISTS:
		return value != NULL;
	default:
		return value == NULL;
	}
}

bool selector_takes_labels(const struct selector *s, struct json_object *stored)
{
	for (size_t i = 0; i < s->count; i++)
		if (!term_takes(&s->terms[i],
				gojson_text(stored, "metadata", "labels", s->terms[i].key, NULL)))
			return false;
	return true;
}

/* "spec.nodeName" of an object; a member that is not there is "". */
static const char *field_value(struct json_object *shown, const char *path)
{
	const char *dot = strchr(path, '.');
	const char *text = NULL;
	if (dot) {
		_cleanup_free_ char *first = strndup(path, (size_t)(dot - path));
		text = gojson_text(shown, first, dot + 1, NULL);
	} else {
		text = gojson_text(shown, path, NULL);
	}
	return text ? text : "";
}

bool selector_takes_fields(const struct selector *s, struct json_object *shown)
{
	for (size_t i = 0; i < s->count; i++)
		if (!term_takes(&s->terms[i], field_value(shown, s->terms[i].key)))
			return false;
	return true;
}

const char *selector_name(const struct selector *s, char *ret, size_t size)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct selector_term *t = &s->terms[i];
		if (t->how != SELECT_IN || strcmp(t->key, "metadata.name") != 0)
			continue;
		snprintf(ret, size, "%.*s", (int)strcspn(t->values, ","), t->values);
		return ret;
	}
	return NULL;
}
