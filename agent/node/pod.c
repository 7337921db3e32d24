/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pod.h"

#include "base/text.h"
#include "node/container.h"

#include <stdarg.h>
#include <string.h>

/*
 * Kubelet's copy of a static pod has it. The directory of a static pod is named by another annotation,
 * which anybody who makes a pod may write: it is not believed, or a pod could name another one's.
 */
#define MIRROR "kubernetes.io/config.mirror"

/* What the walk over the annotation carries. */
struct reading {
	struct pod *pod;
	const struct json *json;
	const struct attributes_defaults *defaults;
	const char *account;
	const char *address;
	const char *other_address;
};

static void complain(struct pod *pod, enum event_reason reason, const char *fmt, ...)
    _printf_(3, 4);

static void complain(struct pod *pod, enum event_reason reason, const char *fmt, ...)
{
	struct pod_complaint *c = &pod->complaints[pod->complaint_count];
	va_list ap;

	if (pod->complaint_count == LIMIT_POD_COMPLAINTS)
		return;
	c->reason = reason;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	pod->complaint_count++;
}

static const struct json *find_volume(const struct json *pod, const char *name)
{
	const struct json *volumes = json_at(pod, "spec", "volumes", NULL);

	for (size_t i = 0; i < json_length(volumes); i++) {
		const char *n = json_text(json_item(volumes, i), "name", NULL);

		if (n && strcmp(n, name) == 0)
			return json_item(volumes, i);
	}
	return NULL;
}

/* The one runAsUser of all containers; -1 when they differ or one has none. */
static int64_t one_user(const struct json *pod)
{
	static const char *const lists[] = {"containers", "initContainers"};
	int64_t of_pod = json_int(json_at(pod, "spec", "securityContext", "runAsUser", NULL), -1);
	int64_t one = -1;

	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct json *containers = json_at(pod, "spec", lists[l], NULL);

		for (size_t i = 0; i < json_length(containers); i++) {
			int64_t uid = json_int(
			    json_at(json_item(containers, i), "securityContext", "runAsUser", NULL),
			    of_pod);

			if (uid < 0 || uid > LIMIT_USER || (one >= 0 && uid != one))
				return -1;
			one = uid;
		}
	}
	return one;
}

/* fsGroup -> root:fsGroup 0440; else the containers' one runAsUser -> that uid, 0400; else 0444. What is asked for wins. */
static void choose_owner(const struct json *pod, struct binding_spec *spec)
{
	const struct attributes *a = &spec->attributes;
	int64_t group = json_int(json_at(pod, "spec", "securityContext", "fsGroup", NULL), -1);
	int64_t user = one_user(pod);

	spec->owner = (struct volume_owner){.mode = 0444};
	if (group >= 0 && group <= LIMIT_USER)
		spec->owner = (struct volume_owner){.gid = (uint32_t)group, .mode = 0440};
	else if (user >= 0)
		spec->owner = (struct volume_owner){.uid = (uint32_t)user, .mode = 0400};
	else
		spec->world_readable = a->mode < 0 && a->uid < 0;
	if (a->uid >= 0)
		spec->owner = (struct volume_owner){.uid = (uint32_t)a->uid, .mode = 0400};
	if (a->gid >= 0) {
		spec->owner.gid = (uint32_t)a->gid;
		spec->owner.mode = 0440;
	}
	if (a->mode >= 0)
		spec->owner.mode = (uint32_t)a->mode;
}

/* Whose process it is, and whether it runs. */
static void choose_container(struct reading *r, struct binding_spec *spec)
{
	struct container_choice choice;

	container_choose(r->json, spec->ref.name, spec->attributes.container, &choice);
	memcpy(spec->container, choice.name, sizeof(spec->container));
	memcpy(spec->container_id, choice.id, sizeof(spec->container_id));
	spec->running = choice.running;
	if (choice.sub_path)
		complain(r->pod, EVENT_SUBPATH_NEVER_UPDATES,
			 "Container %s mounts volume %s with subPath: such a mount never shows a "
			 "rotation. Mount the whole "
			 "volume.",
			 choice.sub_path, spec->ref.name);
	if (choice.missing)
		complain(
		    r->pod, EVENT_INVALID_ANNOTATION,
		    "Volume %s: container: the pod has no container '%s'; nothing is signalled",
		    spec->ref.name, spec->attributes.container);
	else if (choice.ambiguous && spec->attributes.signal)
		complain(r->pod, EVENT_CONTAINER_AMBIGUOUS,
			 "Several containers mount volume %s, so it is not known whose process to "
			 "signal, and none is. Name "
			 "one in certhup.io/volumes with \"container\".",
			 spec->ref.name);
}

struct value_walk {
	struct attributes *attributes;
	struct err *e;
};

static int take_value(void *arg, const char *key, const struct json *value)
{
	struct value_walk *w = arg;
	const char *text = json_string(value);

	if (!text)
		return err_set(w->e, ERR_INVALID, "%.64s: its value is not a string", key);
	return attributes_set(w->attributes, key, text, w->e);
}

/* Its text as JSON: only whether it is another than before counts. */
static uint64_t hash_wish(const struct json *wishes)
{
	_cleanup_buf_ struct buf text;
	struct err e;

	buf_init(&text, 2 * LIMIT_ANNOTATION);
	return json_write(wishes, false, &text, &e) < 0 ? 0 : text_hash(0, buf_str(&text));
}

static int read_attributes(struct reading *r, const struct json *wishes, struct attributes *ret,
			   struct err *e)
{
	struct value_walk walk = {.attributes = ret, .e = e};

	attributes_init(ret);
	if (json_type(wishes) != JSON_OBJECT)
		return err_set(e, ERR_INVALID,
			       "what is asked for is not an object of keys and strings");
	if (json_each(wishes, take_value, &walk) < 0)
		return -1;
	return attributes_finish(ret, r->defaults, e);
}

/* One volume of the annotation; a fault is its own. */
static int take_volume(void *arg, const char *name, const struct json *wishes)
{
	struct reading *r = arg;
	struct pod *pod = r->pod;
	struct binding_spec *spec = &pod->specs[pod->count];
	const struct json *volume = find_volume(r->json, name);
	const char *medium = json_text(volume, "emptyDir", "medium", NULL);
	struct err e;

	if (pod->count == LIMIT_BINDINGS_POD) {
		complain(pod, EVENT_INVALID_ANNOTATION, "More than %d volumes in %s",
			 LIMIT_BINDINGS_POD, POD_ANNOTATION);
		return 1;
	}
	memset(spec, 0, sizeof(*spec));
	memcpy(spec->ref.pod_uid, pod->uid, sizeof(spec->ref.pod_uid));
	if (!volume || text_copy(spec->ref.name, sizeof(spec->ref.name), name) < 0 ||
	    !volume_ref_ok(&spec->ref)) {
		complain(pod, EVENT_INVALID_ANNOTATION,
			 "The pod has no volume '%.63s', which %s names", name, POD_ANNOTATION);
		return 0;
	}
	if (!medium || strcmp(medium, "Memory") != 0) {
		complain(pod, EVENT_NOT_MEMORY_BACKED,
			 "Volume %s is not an emptyDir with medium: Memory, and keys are never "
			 "written to a disk",
			 name);
		return 0;
	}
	if (read_attributes(r, wishes, &spec->attributes, &e) < 0) {
		complain(pod, EVENT_INVALID_ANNOTATION, "Volume %s: %.400s", name, e.message);
		return 0;
	}
	memcpy(spec->pod_namespace, pod->namespace_, sizeof(spec->pod_namespace));
	memcpy(spec->pod_name, pod->name, sizeof(spec->pod_name));
	if (text_copy(spec->account, sizeof(spec->account), r->account) < 0 ||
	    text_copy(spec->address, sizeof(spec->address), r->address) < 0 ||
	    text_copy(spec->other_address, sizeof(spec->other_address), r->other_address) < 0)
		return 0;
	spec->wish = hash_wish(wishes);
	choose_owner(r->json, spec);
	choose_container(r, spec);
	pod->count++;
	return 0;
}

static int read_names(const struct json *json, struct pod *pod, struct err *e)
{
	const struct json *meta = json_at(json, "metadata", NULL);
	const char *namespace_ = json_text(meta, "namespace", NULL);
	const char *name = json_text(meta, "name", NULL);
	const char *uid = json_text(meta, "uid", NULL);

	if (!namespace_ || !name || !uid ||
	    text_copy(pod->namespace_, sizeof(pod->namespace_), namespace_) < 0 ||
	    text_copy(pod->name, sizeof(pod->name), name) < 0 ||
	    text_copy(pod->uid, sizeof(pod->uid), uid) < 0)
		return err_set(e, ERR_INVALID, "a pod without namespace, name or uid");
	return 0;
}

static bool is_over(const struct json *json)
{
	const char *phase = json_text(json, "status", "phase", NULL);

	return phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
}

static bool is_pending(const struct json *json)
{
	const char *phase = json_text(json, "status", "phase", NULL);

	return !phase || strcmp(phase, "Pending") == 0;
}

/* The second of podIPs, of which podIP is the first. */
static const char *other_address_of(const struct json *json)
{
	const struct json *second = json_item(json_at(json, "status", "podIPs", NULL), 1);
	const char *ip = json_text(second, "ip", NULL);

	return ip ? ip : "";
}

int pod_read(const struct json *json, const struct attributes_defaults *defaults, struct pod *ret,
	     struct err *e)
{
	_cleanup_json_ struct json *wishes = NULL;
	const char *text = json_text(json, "metadata", "annotations", POD_ANNOTATION, NULL);
	const char *account = json_text(json, "spec", "serviceAccountName", NULL);
	const char *address = json_text(json, "status", "podIP", NULL);
	struct reading r = {.pod = ret, .json = json, .defaults = defaults};
	struct err bad;

	ret->count = 0;
	ret->complaint_count = 0;
	if (read_names(json, ret, e) < 0)
		return -1;
	ret->over = is_over(json);
	if (!text || ret->over)
		return 0;
	if (json_text(json, "metadata", "annotations", MIRROR, NULL)) {
		complain(ret, EVENT_INVALID_ANNOTATION,
			 "A static pod has no ServiceAccount whose right could be asked about: it "
			 "gets nothing by %s",
			 POD_ANNOTATION);
		return 0;
	}
	if (strlen(text) > LIMIT_ANNOTATION) {
		complain(ret, EVENT_INVALID_ANNOTATION, "%s has more than %d bytes", POD_ANNOTATION,
			 LIMIT_ANNOTATION);
		return 0;
	}
	if (json_parse(text, strlen(text), &wishes, &bad) < 0 || json_type(wishes) != JSON_OBJECT) {
		complain(ret, EVENT_INVALID_ANNOTATION,
			 "%s is not a JSON object by volume names, such as {\"tls\": {\"secret\": "
			 "\"web-tls\"}}",
			 POD_ANNOTATION);
		return 0;
	}
	r.account = account ? account : "default";
	r.address = address ? address : "";
	r.other_address = other_address_of(json);
	json_each(wishes, take_volume, &r);
	if (ret->count && is_pending(json) && !container_waits_for_pair(json))
		complain(ret, EVENT_NO_START_GATE,
			 "No init container of the pod waits for the pair, so a container may "
			 "start before it is there. Add one "
			 "that runs: certhup init --wait-for DIR");
	return 0;
}
