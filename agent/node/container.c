/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container.h"

#include "base/text.h"

#include <string.h>

static bool is_sidecar(const struct json *container)
{
	const char *policy = json_text(container, "restartPolicy", NULL);

	return policy && strcmp(policy, "Always") == 0;
}

/* Its status entry, in either list; NULL when there is none yet. */
static const struct json *status_of(const struct json *pod, const char *name)
{
	static const char *const lists[] = {"containerStatuses", "initContainerStatuses"};

	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct json *statuses = json_at(pod, "status", lists[l], NULL);

		for (size_t i = 0; i < json_length(statuses); i++) {
			const char *n = json_text(json_item(statuses, i), "name", NULL);

			if (n && strcmp(n, name) == 0)
				return json_item(statuses, i);
		}
	}
	return NULL;
}

static bool is_running(const struct json *status)
{
	return json_type(json_at(status, "state", "running", NULL)) == JSON_OBJECT;
}

/* "containerd://<64 hex>" -> the hex digits. */
static void take_id(const struct json *status, char ret[static LIMIT_CONTAINER_ID + 1])
{
	const char *id = json_text(status, "containerID", NULL);
	const char *hex = id ? strstr(id, "://") : NULL;

	ret[0] = '\0';
	if (!is_running(status) || !hex)
		return;
	hex += 3;
	if (strlen(hex) == LIMIT_CONTAINER_ID &&
	    strspn(hex, "0123456789abcdef") == LIMIT_CONTAINER_ID)
		memcpy(ret, hex, LIMIT_CONTAINER_ID + 1);
}

/* Whether it mounts the volume; sub is set when a subPath is used. */
static bool mounts(const struct json *container, const char *volume, bool *ret_sub)
{
	const struct json *list = json_at(container, "volumeMounts", NULL);
	bool found = false;

	for (size_t i = 0; i < json_length(list); i++) {
		const struct json *m = json_item(list, i);
		const char *name = json_text(m, "name", NULL);
		const char *sub = json_text(m, "subPath", NULL);
		const char *expr = json_text(m, "subPathExpr", NULL);

		if (!name || strcmp(name, volume) != 0)
			continue;
		found = true;
		*ret_sub = *ret_sub || (sub && *sub) || (expr && *expr);
	}
	return found;
}

struct search {
	const char *volume;
	const char *wanted;
	const char *chosen;
	unsigned mounting;
	bool any_running;
};

static void look_at(const struct json *pod, const struct json *container, struct search *s,
		    struct container_choice *ret)
{
	const char *name = json_text(container, "name", NULL);
	bool sub = false;
	bool here;

	if (!name)
		return;
	here = mounts(container, s->volume, &sub);
	if (sub)
		ret->sub_path = name;
	s->any_running = s->any_running || is_running(status_of(pod, name));
	if (s->wanted[0] ? strcmp(name, s->wanted) == 0 : here)
		s->chosen = name;
	s->mounting += here;
}

void container_choose(const struct json *pod, const char *volume, const char *wanted,
		      struct container_choice *ret)
{
	const struct json *containers = json_at(pod, "spec", "containers", NULL);
	const struct json *inits = json_at(pod, "spec", "initContainers", NULL);
	struct search s = {.volume = volume, .wanted = wanted};
	const struct json *status;

	*ret = (struct container_choice){0};
	for (size_t i = 0; i < json_length(containers); i++)
		look_at(pod, json_item(containers, i), &s, ret);
	for (size_t i = 0; i < json_length(inits); i++)
		if (is_sidecar(json_item(inits, i)))
			look_at(pod, json_item(inits, i), &s, ret);
	ret->running = s.any_running;
	ret->missing = wanted[0] && !s.chosen;
	ret->ambiguous = !wanted[0] && s.mounting > 1;
	if (!s.chosen || ret->ambiguous || text_copy(ret->name, sizeof(ret->name), s.chosen) < 0)
		return;
	status = status_of(pod, s.chosen);
	ret->running = is_running(status);
	take_id(status, ret->id);
}

static bool has_wait_for(const struct json *container, const char *list)
{
	const struct json *words = json_at(container, list, NULL);

	for (size_t i = 0; i < json_length(words); i++) {
		const char *w = json_string(json_item(words, i));

		if (w && strncmp(w, "--wait-for", 10) == 0)
			return true;
	}
	return false;
}

bool container_waits_for_pair(const struct json *pod)
{
	const struct json *inits = json_at(pod, "spec", "initContainers", NULL);

	for (size_t i = 0; i < json_length(inits); i++)
		if (has_wait_for(json_item(inits, i), "command") ||
		    has_wait_for(json_item(inits, i), "args"))
			return true;
	return false;
}
