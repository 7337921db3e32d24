/* SPDX-License-Identifier: Apache-2.0 */
#include "source/secret.h"

#include "base/text.h"

#include <string.h>

struct secret_source {
	char namespace_[LIMIT_NAMESPACE + 1];
	char name[LIMIT_OBJECT_NAME + 1];
	struct secret_source_callbacks callbacks;
	void *arg;
	struct k8s_watch *watch;
};

bool secret_allows_account(const char *allow_accounts, const char *account)
{
	size_t len = strlen(account);
	const char *p = allow_accounts;

	while (len && *p) {
		size_t n;

		p += strspn(p, ", ");
		n = strcspn(p, ", ");
		if (n == len && memcmp(p, account, len) == 0)
			return true;
		p += n;
	}
	return false;
}

static bool is_true(const char *s)
{
	return s && strcmp(s, "true") == 0;
}

static int set_flaw(struct secret_object *o, enum reason flaw, const struct err *e)
{
	content_done(&o->data);
	o->flaw = flaw;
	snprintf(o->detail, sizeof(o->detail), "%.250s", e->message);
	return 1;
}

/* Decodes one key of data; a flaw ends the walk. */
static int take_value(void *arg, const char *key, const struct json *value)
{
	struct secret_object *o = arg;
	_cleanup_secret_ struct secret bytes = {0};
	struct err e;

	if (!content_name_ok(key)) {
		err_set(&e, ERR_INVALID, "the key '%.64s' is no file name that a volume may have",
			key);
		return set_flaw(o, REASON_BAD_NAME, &e);
	}
	if (json_base64(value, LIMIT_CONTENT, &bytes, &e) < 0) {
		err_add(&e, "key %.64s", key);
		return set_flaw(o, e.kind == ERR_EXHAUSTED ? REASON_TOO_LARGE : REASON_BAD_PEM, &e);
	}
	if (content_add(&o->data, key, bytes.data, bytes.len, &e) < 0)
		return set_flaw(o, REASON_TOO_LARGE, &e);
	return 0;
}

static int read_object(const struct json *json, struct secret_object *o, struct err *e)
{
	const struct json *meta = json_at(json, "metadata", NULL);
	const char *uid = json_text(meta, "uid", NULL);
	const char *rv = json_text(meta, "resourceVersion", NULL);
	const struct json *notes = json_at(meta, "annotations", NULL);
	const char *accounts = json_text(notes, "certhup.io/allow-service-accounts", NULL);

	if (!uid || text_copy(o->uid, sizeof(o->uid), uid) < 0 || !rv ||
	    text_copy(o->resource_version, sizeof(o->resource_version), rv) < 0)
		return err_set(e, ERR_INVALID, "an object without uid or resourceVersion");
	if (!text_is_rv(rv))
		return err_set(
		    e, ERR_INVALID,
		    "resourceVersion '%.40s' is not a number: which one is newer cannot be told",
		    rv);
	o->temporary =
	    is_true(json_text(notes, "cert-manager.io/issue-temporary-certificate", NULL));
	o->next_key = is_true(json_text(meta, "labels", "cert-manager.io/next-private-key", NULL));
	o->allow_ca = is_true(json_text(notes, "certhup.io/allow-ca", NULL));
	o->allow_accounts = accounts && strlen(accounts) <= LIMIT_ALLOW_ACCOUNTS ? accounts : "";
	json_each(json_at(json, "data", NULL), take_value, o);
	return 0;
}

static void on_object(void *arg, const struct json *json, int64_t at_ms)
{
	struct secret_source *s = arg;
	struct secret_object o = {.namespace_ = s->namespace_, .name = s->name, .read_ms = at_ms};
	struct err e;

	if (read_object(json, &o, &e) < 0) {
		err_add(&e, "Secret %s/%s", s->namespace_, s->name);
		s->callbacks.on_trouble(s->arg, &e);
	} else {
		s->callbacks.on_secret(s->arg, &o);
	}
	content_done(&o.data);
}

static void on_gone(void *arg, const struct json *object _unused_)
{
	struct secret_source *s = arg;

	s->callbacks.on_absent(s->arg);
}

static void on_bad_object(void *arg, const struct err *bad)
{
	struct secret_source *s = arg;
	struct err e = *bad;

	err_add(&e, "Secret %s/%s", s->namespace_, s->name);
	s->callbacks.on_trouble(s->arg, &e);
}

static void on_state(void *arg, const struct k8s_watch_state *state)
{
	struct secret_source *s = arg;
	struct err e;

	if (state->up) {
		s->callbacks.on_trouble(s->arg, NULL);
		return;
	}
	e = *state->e;
	err_add(&e, "Secret %s/%s", s->namespace_, s->name);
	if (state->denied)
		err_tail(&e,
			 "allow get and watch on it by a Role in namespace %s (apiGroups [\"\"], "
			 "resources [secrets], resourceNames [%s]) and a RoleBinding",
			 s->namespace_, s->name);
	s->callbacks.on_trouble(s->arg, &e);
}

int secret_source_new(struct k8s_client *client, const char *namespace_, const char *name,
		      const struct secret_source_callbacks *callbacks, void *arg,
		      struct secret_source **ret, struct err *e)
{
	static const struct k8s_watch_callbacks watch_callbacks = {
	    .on_object = on_object,
	    .on_gone = on_gone,
	    .on_bad_object = on_bad_object,
	    .on_state = on_state,
	};
	_cleanup_buf_ struct buf path;
	struct secret_source *s;

	buf_init(&path, 2 * KIB);
	if (k8s_path(&path, e, "api", "v1", "namespaces", namespace_, "secrets", NULL) < 0)
		return -1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_sys(e, "watch Secret %s/%s", namespace_, name);
	s->callbacks = *callbacks;
	s->arg = arg;
	if (text_copy(s->namespace_, sizeof(s->namespace_), namespace_) < 0 ||
	    text_copy(s->name, sizeof(s->name), name) < 0) {
		free(s);
		return err_set(e, ERR_INVALID, "the name of Secret %.64s/%.64s is too long",
			       namespace_, name);
	}
	if (k8s_watch_object(client, buf_str(&path), name, &watch_callbacks, s, &s->watch, e) < 0) {
		free(s);
		return err_add(e, "watch Secret %s/%s", namespace_, name);
	}
	*ret = s;
	return 0;
}

struct secret_source *secret_source_free(struct secret_source *s)
{
	if (s) {
		k8s_watch_free(s->watch);
		free(s);
	}
	return NULL;
}

int secret_source_reread(struct secret_source *s, struct err *e)
{
	return k8s_watch_reread(s->watch, e);
}
