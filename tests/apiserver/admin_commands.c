/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/admin.h"

#include "tests/apiserver/shape.h"

#include <inttypes.h>
#include <string.h>

struct journal_filter admin_filter(struct json_object *command)
{
	return (struct journal_filter){
	    .verb = gojson_text(command, "verb", NULL),
	    .path = gojson_text(command, "path", NULL),
	    .user = gojson_text(command, "user", NULL),
	    .status = (int)gojson_int(command, "status", 0),
	    .after = (uint64_t)gojson_int(command, "after", 0),
	};
}

static void say_json(struct evbuffer *out, struct json_object *object)
{
	gojson_write(object, false, out);
	evbuffer_add(out, "\n", 1);
}

static int put_one(struct api *a, struct json_object *object, struct err *e)
{
	_cleanup_failure_ struct failure f = {0};
	if (write_whole(a, object, &f) < 0)
		return err_set(e, ERR_INVALID, "%s", f.message);
	return 0;
}

static int do_put(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)out;
	struct json_object *object = gojson_at(command, "object", NULL);
	if (!json_object_is_type(object, json_type_array))
		return put_one(a, object, e);
	for (size_t i = 0; i < json_object_array_length(object); i++)
		if (put_one(a, json_object_array_get_idx(object, i), e) < 0)
			return -1;
	return 0;
}

/* The object that "resource", "namespace" and "name" name, and its resource; NULL when there is none. */
static const struct resource *find(struct api *a, struct json_object *command,
				   struct json_object **ret, struct err *e)
{
	const char *plural = gojson_text(command, "resource", NULL);
	const char *ns = gojson_text(command, "namespace", NULL);
	const char *name = gojson_text(command, "name", NULL);
	const struct resource *r = plural ? resource_by_plural(plural) : NULL;
	if (!r || !name) {
		err_set(e, ERR_INVALID, "\"resource\" and \"name\" must name an object");
		return NULL;
	}
	if (!ns)
		ns = r->namespaced ? "default" : "";
	*ret = store_get(a->store, r->plural, ns, name);
	if (*ret)
		return r;
	err_set(e, ERR_NOT_FOUND, "%s \"%s\" not found in \"%s\"", plural, name, ns);
	return NULL;
}

static int do_get(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	struct json_object *stored = NULL;
	const struct resource *r = find(a, command, &stored, e);
	if (!r)
		return -1;
	_cleanup_gojson_ struct json_object *shown = shape_shown(r, stored, true);
	say_json(out, shown);
	return 0;
}

static int do_list(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	const char *plural = gojson_text(command, "resource", NULL);
	const struct resource *r = plural ? resource_by_plural(plural) : NULL;
	if (!r)
		return err_set(e, ERR_INVALID, "\"resource\" must be one of the server's");
	_cleanup_gojson_ struct json_object *all =
	    store_list(a->store, r->plural, gojson_text(command, "namespace", NULL), 0);
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		_cleanup_gojson_ struct json_object *shown =
		    shape_shown(r, json_object_array_get_idx(all, i), true);
		say_json(out, shown);
	}
	return 0;
}

static int do_patch(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)out;
	struct json_object *stored = NULL;
	const struct resource *r = find(a, command, &stored, e);
	if (!r)
		return -1;
	_cleanup_gojson_ struct json_object *shown = shape_shown(r, stored, true);
	_cleanup_gojson_ struct json_object *merged =
	    write_merged(shown, gojson_at(command, "patch", NULL));
	return put_one(a, merged, e);
}

static int do_delete(struct api *a, struct json_object *command, struct evbuffer *out,
		     struct err *e)
{
	(void)out;
	struct json_object *stored = NULL;
	const struct resource *r = find(a, command, &stored, e);
	if (!r)
		return -1;
	store_delete(a->store, r->plural, gojson_text(stored, "metadata", "namespace", NULL),
		     gojson_text(stored, "metadata", "name", NULL));
	return 0;
}

static int do_fault(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)out;
	return faults_add(a->faults, command, e);
}

static int do_clear(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)command;
	(void)out;
	(void)e;
	faults_clear(a->faults);
	return 0;
}

static int do_log(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)e;
	const struct journal_filter filter = admin_filter(command);
	journal_write(a->journal, &filter, out);
	return 0;
}

static int do_count(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)e;
	const struct journal_filter filter = admin_filter(command);
	evbuffer_add_printf(out, "%zu", journal_count(a->journal, &filter));
	return 0;
}

static int do_state(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)command;
	(void)e;
	evbuffer_add_printf(out,
			    "{\"resourceVersion\":%" PRIu64 ",\"connections\":%zu,\"accepted\":%zu,"
			    "\"watches\":%zu,\"requests\":%" PRIu64 ",\"faults\":%zu}\n",
			    store_rv(a->store), wire_connections(a->wire), wire_accepted(a->wire),
			    a->watch_count, journal_last(a->journal), faults_count(a->faults));
	return 0;
}

static int do_token(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)out;
	const char *token = gojson_text(command, "token", NULL);
	const char *user = gojson_text(command, "user", NULL);
	if (!token || !user)
		return err_set(e, ERR_INVALID, "\"token\" and \"user\" are wanted");
	auth_add_token(a->auth, token, user, gojson_at(command, "groups", NULL));
	return 0;
}

static int do_revoke(struct api *a, struct json_object *command, struct evbuffer *out,
		     struct err *e)
{
	(void)out;
	const char *token = gojson_text(command, "token", NULL);
	if (!token)
		return err_set(e, ERR_INVALID, "\"token\" is wanted");
	auth_remove_token(a->auth, token);
	return 0;
}

static int do_allow(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)out;
	struct json_object *rule = gojson_at(command, "rule", NULL);
	if (!rule)
		rule = command;
	if (!gojson_at(rule, "verbs", NULL) || !gojson_at(rule, "resources", NULL))
		return err_set(e, ERR_INVALID, "a rule needs \"verbs\" and \"resources\"");
	auth_add_rule(a->auth, json_object_get(rule));
	return 0;
}

static int do_forbid(struct api *a, struct json_object *command, struct evbuffer *out,
		     struct err *e)
{
	(void)out;
	(void)e;
	auth_remove_rules(a->auth, gojson_text(command, "subject", NULL));
	return 0;
}

static int do_certificate(struct api *a, struct json_object *command, struct evbuffer *out,
			  struct err *e)
{
	static const char *const names[] = {[AUTHORITY_GOOD] = "good",
					    [AUTHORITY_EXPIRED] = "expired",
					    [AUTHORITY_NOT_YET] = "not-yet",
					    [AUTHORITY_OTHER_CA] = "other-ca",
					    [AUTHORITY_WRONG_NAME] = "wrong-name"};
	(void)out;
	const char *which = gojson_text(command, "which", NULL);
	if (which && !strcmp(which, "rotate"))
		return authority_rotate(a->authority, e);
	for (size_t i = 0; which && i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], which))
			return authority_use(a->authority, (enum authority_certificate)i, e);
	return err_set(e, ERR_INVALID,
		       "\"which\" is good, expired, not-yet, other-ca, wrong-name "
		       "or rotate");
}

static int do_accept(struct api *a, struct json_object *command, struct evbuffer *out,
		     struct err *e)
{
	static const char *const modes[] = {
	    [WIRE_ACCEPT] = "yes", [WIRE_REFUSE] = "refuse", [WIRE_BLACK_HOLE] = "black-hole"};
	(void)out;
	const char *mode = gojson_text(command, "mode", NULL);
	if (!mode)
		mode = "yes";
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (!strcmp(modes[i], mode))
			return wire_set_accept(a->wire, (enum wire_accept)i, e);
	return err_set(e, ERR_INVALID, "\"mode\" is yes, refuse or black-hole");
}

static int do_drop(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)out;
	(void)e;
	wire_drop(a->wire, fault_end(command, "how"));
	return 0;
}

static int do_restart(struct api *a, struct json_object *command, struct evbuffer *out,
		      struct err *e)
{
	(void)command;
	(void)out;
	a->silent = false;
	wire_drop(a->wire, WIRE_CLOSE);
	store_forget(a->store);
	return wire_set_accept(a->wire, WIRE_ACCEPT, e);
}

static int do_stop(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)command;
	(void)out;
	a->silent = true;
	return wire_set_accept(a->wire, WIRE_REFUSE, e);
}

static int do_forget(struct api *a, struct json_object *command, struct evbuffer *out,
		     struct err *e)
{
	(void)command;
	(void)out;
	(void)e;
	store_forget(a->store);
	return 0;
}

static int do_compact(struct api *a, struct json_object *command, struct evbuffer *out,
		      struct err *e)
{
	(void)command;
	(void)out;
	(void)e;
	store_bump(a->store);
	store_compact(a->store);
	return 0;
}

static int do_save(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)command;
	(void)out;
	(void)e;
	store_save(a->store);
	return 0;
}

static int do_restore(struct api *a, struct json_object *command, struct evbuffer *out,
		      struct err *e)
{
	(void)command;
	(void)out;
	return store_restore(a->store) ? 0 : err_set(e, ERR_NOT_FOUND, "nothing was saved");
}

static int do_send(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	const char *text = gojson_text(command, "text", NULL);
	if (!text)
		return err_set(e, ERR_INVALID, "\"text\" is wanted");
	evbuffer_add_printf(out, "%zu",
			    watch_send_text(a, gojson_text(command, "path", NULL), text));
	return 0;
}

static int do_bookmark(struct api *a, struct json_object *command, struct evbuffer *out,
		       struct err *e)
{
	(void)e;
	evbuffer_add_printf(out, "%zu",
			    watch_send_bookmarks(a, gojson_text(command, "path", NULL)));
	return 0;
}

static int do_end(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)e;
	const char *how = gojson_text(command, "how", NULL);
	size_t n = watch_end(a, gojson_text(command, "path", NULL), !how || !strcmp(how, "finish"),
			     fault_end(command, "how"));
	evbuffer_add_printf(out, "%zu", n);
	return 0;
}

static int do_set(struct api *a, struct json_object *command, struct evbuffer *out, struct err *e)
{
	(void)out;
	(void)e;
	a->list_wait_ms = (int)gojson_int(command, "list_wait_ms", a->list_wait_ms);
	a->second_ms = (int)gojson_int(command, "second_ms", a->second_ms);
	a->bookmark_ms = (int)gojson_int(command, "bookmark_ms", a->bookmark_ms);
	return 0;
}

int admin_command(struct api *api, struct json_object *command, struct evbuffer *out, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct api *, struct json_object *, struct evbuffer *, struct err *);
	} commands[] = {
	    {"put", do_put},           {"patch", do_patch},     {"delete", do_delete},
	    {"get", do_get},           {"list", do_list},       {"fault", do_fault},
	    {"clear", do_clear},       {"log", do_log},         {"count", do_count},
	    {"state", do_state},       {"token", do_token},     {"revoke", do_revoke},
	    {"allow", do_allow},       {"forbid", do_forbid},   {"certificate", do_certificate},
	    {"accept", do_accept},     {"drop", do_drop},       {"restart", do_restart},
	    {"stop", do_stop},         {"compact", do_compact}, {"forget", do_forget},
	    {"save", do_save},         {"restore", do_restore}, {"send", do_send},
	    {"bookmark", do_bookmark}, {"end", do_end},         {"set", do_set},
	};
	const char *what = gojson_text(command, "do", NULL);
	for (size_t i = 0; what && i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, what))
			return commands[i].run(api, command, out, e);
	return err_set(e, ERR_INVALID, "there is no command '%s'", what ? what : "");
}
