/* SPDX-License-Identifier: Apache-2.0 */
#include "node/document.h"

#include "k8s/json.h"

struct walk {
	struct json *bindings;
	bool troubled; /* which half is written */
	size_t count, trouble;
	bool failed;
};

static bool is_troubled(const struct binding_view *v)
{
	return v->problem[0] || v->state == BINDING_STALE || v->state == BINDING_BROKEN ||
	       v->state == BINDING_UNCONFIRMED;
}

static int set_time(struct json *o, const char *key, int64_t wall_ms)
{
	char text[CLOCK_TEXT];

	if (!wall_ms)
		return 0;
	clock_text_s(wall_ms, text);
	return json_set_string(o, key, text);
}

static int set_record(struct json *o, const struct record *r)
{
	char hex[FINGERPRINT_HEX];

	fingerprint_hex(&r->leaf, hex);
	return json_set_string(o, "resourceVersion", r->resource_version) < 0 ||
		       json_set_string(o, "generation", r->generation) < 0 ||
		       json_set_string(o, "fingerprint", hex) < 0 ||
		       set_time(o, "notAfter", r->not_after_s * 1000) < 0
		   ? -1
		   : 0;
}

static int fill(struct json *o, const struct binding_view *v)
{
	const struct binding_spec *s = v->spec;

	if (json_set_string(o, "namespace", s->pod_namespace) < 0 ||
	    json_set_string(o, "pod", s->pod_name) < 0 ||
	    json_set_string(o, "podUID", s->ref.pod_uid) < 0 ||
	    json_set_string(o, "volume", s->ref.name) < 0 ||
	    json_set_string(o, "secret", s->attributes.secret) < 0 ||
	    json_set_string(o, "state", binding_state_label(v->state)) < 0 ||
	    set_time(o, "since", v->since_wall_ms) < 0)
		return -1;
	if (v->record && set_record(o, v->record) < 0)
		return -1;
	if (set_time(o, "servedNotAfter", v->served_not_after_s * 1000) < 0 ||
	    json_set_string(o, "lastError", v->problem) < 0 ||
	    json_set_string(o, "next", v->next) < 0)
		return -1;
	return v->next_ms < 0 ? 0 : json_set_int(o, "nextInMs", v->next_ms);
}

static void on_binding(void *arg, const struct binding_view *view)
{
	struct walk *w = arg;
	struct json *o;

	if (is_troubled(view) != w->troubled)
		return;
	w->count++;
	w->trouble += w->troubled;
	o = json_new_object();
	if (!o || fill(o, view) < 0) {
		json_free(o);
		w->failed = true;
	} else if (json_append(w->bindings, o) < 0) {
		w->failed = true;
	}
}

static int set_weak(struct json *doc, const char *const *weak)
{
	struct json *list = json_new_array();

	for (; list && *weak; weak++)
		if (json_append_string(list, *weak) < 0)
			list = json_free(list);
	return list ? json_set(doc, "weak", list) : -1;
}

static int build(struct road *road, const struct document_facts *facts, struct json *doc)
{
	struct walk w = {.bindings = json_new_array(), .troubled = true};

	if (!w.bindings)
		return -1;
	road_each(road, on_binding, &w);
	w.troubled = false;
	road_each(road, on_binding, &w);
	if (json_set_string(doc, "node", facts->node) < 0 ||
	    json_set_bool(doc, "ready", facts->ready) < 0 ||
	    json_set_string(doc, "why", facts->ready ? "" : facts->why) < 0 ||
	    json_set_bool(doc, "handUp", facts->hand_up) < 0 ||
	    json_set_bool(doc, "apiUp", facts->api_up) < 0 ||
	    json_set_int(doc, "count", (int64_t)w.count) < 0 ||
	    json_set_int(doc, "troubled", (int64_t)w.trouble) < 0) {
		json_free(w.bindings);
		return -1;
	}
	return set_weak(doc, facts->weak) < 0 || json_set(doc, "bindings", w.bindings) < 0 ||
		       w.failed
		   ? -1
		   : 0;
}

int document_write(struct road *road, const struct document_facts *facts, struct buf *body,
		   struct err *e)
{
	_cleanup_json_ struct json *doc = json_new_object();

	if (!doc || build(road, facts, doc) < 0)
		return err_set(e, ERR_EXHAUSTED, "no memory for the status document");
	return json_write(doc, true, body, e);
}
