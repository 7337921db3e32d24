/* SPDX-License-Identifier: Apache-2.0 */
#include "road/outputs.h"

#include "base/text.h"

#include <string.h>

static int parse_item(const char *text, size_t len, struct outputs_item *ret, struct err *e)
{
	const char *equals = memchr(text, '=', len);
	size_t key;
	size_t path;

	if (!equals)
		return err_set(e, ERR_INVALID, "item '%.*s' is not key=path",
			       (int)(len < 64 ? len : 64), text);
	key = (size_t)(equals - text);
	path = len - key - 1;
	if (key > LIMIT_FILE_NAME || path > LIMIT_FILE_NAME)
		return err_set(e, ERR_INVALID, "a name in items has more than %d bytes",
			       LIMIT_FILE_NAME);
	memcpy(ret->key, text, key);
	ret->key[key] = '\0';
	memcpy(ret->path, equals + 1, path);
	ret->path[path] = '\0';
	if (!content_name_ok(ret->key) || !content_name_ok(ret->path))
		return err_set(e, ERR_INVALID,
			       "item '%.64s=%.64s' has a name that a file may not have", ret->key,
			       ret->path);
	return 0;
}

int outputs_parse_items(const char *text, struct outputs *ret, struct err *e)
{
	ret->item_count = 0;
	while (*text) {
		size_t len = strcspn(text, ",");

		if (ret->item_count == LIMIT_FILES)
			return err_set(e, ERR_INVALID, "more than %d items", LIMIT_FILES);
		if (parse_item(text, len, &ret->items[ret->item_count], e) < 0)
			return -1;
		ret->item_count++;
		text += len;
		if (*text == ',' && !*++text)
			return err_set(e, ERR_INVALID, "items end with a comma");
	}
	if (!ret->item_count)
		return err_set(e, ERR_INVALID, "items are empty");
	return 0;
}

static int no_item_named(const struct outputs *o, const char *name, size_t before, struct err *e)
{
	for (size_t i = 0; i < before; i++)
		if (strcmp(o->items[i].path, name) == 0)
			return err_set(e, ERR_INVALID, "two outputs are named '%s'", name);
	return 0;
}

int outputs_check(const struct outputs *o, struct err *e)
{
	for (size_t i = 0; i < o->item_count; i++)
		if (no_item_named(o, o->items[i].path, i, e) < 0)
			return -1;
	if (no_item_named(o, o->bundle, o->bundle[0] ? o->item_count : 0, e) < 0 ||
	    no_item_named(o, o->combined, o->combined[0] ? o->item_count : 0, e) < 0)
		return -1;
	if (o->bundle[0] && strcmp(o->bundle, o->combined) == 0)
		return err_set(e, ERR_INVALID, "two outputs are named '%s'", o->bundle);
	return 0;
}

static int add_chosen(const struct outputs *o, const struct content *data, struct content *ret,
		      struct err *e)
{
	for (size_t i = 0; i < o->item_count; i++) {
		const struct content_file *f = content_find(data, o->items[i].key);

		if (!f)
			return err_set(e, ERR_NOT_FOUND,
				       "the Secret has no key %s, which items name",
				       o->items[i].key);
		if (content_add(ret, o->items[i].path, f->bytes.data, f->bytes.len, e) < 0)
			return -1;
	}
	return 0;
}

static int add_all(const struct content *data, struct content *ret, struct err *e)
{
	for (size_t i = 0; i < data->count; i++) {
		const struct content_file *f = &data->files[i];

		if (content_add(ret, f->name, f->bytes.data, f->bytes.len, e) < 0)
			return -1;
	}
	return 0;
}

/* One file of key and chain; extra_newline: also where the key ends in one already. */
static int add_joined(const char *name, const struct secret *key, const struct secret *chain,
		      bool extra_newline, struct content *ret, struct err *e)
{
	_cleanup_secret_ struct secret all = {0};
	size_t newline = extra_newline || !key->len || key->data[key->len - 1] != '\n';

	if (secret_alloc(&all, key->len + newline + chain->len, e) < 0)
		return -1;
	if (key->len)
		memcpy(all.data, key->data, key->len);
	if (newline)
		all.data[key->len] = '\n';
	if (chain->len)
		memcpy(all.data + key->len + newline, chain->data, chain->len);
	return content_add(ret, name, all.data, all.len, e);
}

int outputs_build(const struct outputs *o, struct gate *gate, const struct content *data,
		  struct content *ret, struct err *e)
{
	const struct content_file *key = content_find(data, "tls.key");
	const struct content_file *chain = content_find(data, "tls.crt");

	if ((o->item_count ? add_chosen(o, data, ret, e) : add_all(data, ret, e)) < 0)
		return -1;
	if ((o->bundle[0] || o->combined[0]) && (!key || !chain))
		return err_set(e, ERR_NOT_FOUND,
			       "the Secret has no tls.crt and tls.key to put into one file");
	if (o->bundle[0]) {
		_cleanup_secret_ struct secret pkcs8 = {0};

		if (gate_pkcs8(gate, &key->bytes, &pkcs8, e) < 0 ||
		    add_joined(o->bundle, &pkcs8, &chain->bytes, false, ret, e) < 0)
			return err_add(e, "bundle %s", o->bundle);
	}
	if (o->combined[0] && add_joined(o->combined, &key->bytes, &chain->bytes, true, ret, e) < 0)
		return err_add(e, "combined %s", o->combined);
	return 0;
}
