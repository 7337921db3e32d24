/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "notify/cgroup.h"

#include <string.h>

#define STATIC_UID_LENGTH 32 /* a static pod's: 32 hex digits */
#define UID_LENGTH 36

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool ends_with(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(s + len - n, end, n) == 0;
}

static bool copy_uid(const char *s, size_t len, char ret_uid[static LIMIT_UID + 1])
{
	if (len < STATIC_UID_LENGTH || len > UID_LENGTH)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (c == '_')
			c = '-';
		if (!is_hex(c) && c != '-')
			return false;
		ret_uid[i] = c;
	}
	ret_uid[len] = '\0';
	return true;
}

bool cgroup_name_pod(const char *name, size_t len, char ret_uid[static LIMIT_UID + 1])
{
	static const char mark[] = "-pod";
	const char *colon = memchr(name, ':', len);
	const char *at = NULL;

	if (colon)
		len = (size_t)(colon - name);
	if (len > 3 && memcmp(name, "pod", 3) == 0 && copy_uid(name + 3, len - 3, ret_uid))
		return true;
	if (!ends_with(name, len, ".slice"))
		return false;
	len -= strlen(".slice");
	for (size_t i = 0; i + 4 <= len; i++)
		if (memcmp(name + i, mark, 4) == 0)
			at = name + i + 4;
	return at && copy_uid(at, len - (size_t)(at - name), ret_uid);
}

/* "crio-", "cri-containerd-", and others to come; not "crio-conmon-", which is the monitor. */
static bool is_runtime(const char *s, size_t len)
{
	if (ends_with(s, len, "conmon"))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && s[i] != '-')
			return false;
	return len > 0;
}

bool cgroup_name_container(const char *name, size_t len, char ret_id[static LIMIT_CONTAINER_ID + 1])
{
	const char *colon = memrchr(name, ':', len);
	const char *id;

	if (colon) {
		const char *first = memchr(name, ':', len);

		if (first < colon && !is_runtime(first + 1, (size_t)(colon - first - 1)))
			return false;
		len -= (size_t)(colon + 1 - name);
		name = colon + 1;
	}
	if (ends_with(name, len, ".scope"))
		len -= strlen(".scope");
	if (len < LIMIT_CONTAINER_ID)
		return false;
	id = name + len - LIMIT_CONTAINER_ID;
	if (id > name && (id[-1] != '-' || !is_runtime(name, (size_t)(id - 1 - name))))
		return false;
	for (size_t i = 0; i < LIMIT_CONTAINER_ID; i++)
		if (!is_hex(id[i]))
			return false;
	memcpy(ret_id, id, LIMIT_CONTAINER_ID);
	ret_id[LIMIT_CONTAINER_ID] = '\0';
	return true;
}

/* The next name of a path, moved over; NULL at its end. */
static const char *next_name(const char **path, const char *end, size_t *ret_len)
{
	const char *start = *path;
	const char *slash;

	while (start < end && *start == '/')
		start++;
	if (start == end)
		return NULL;
	slash = memchr(start, '/', (size_t)(end - start));
	*path = slash ? slash : end;
	*ret_len = (size_t)(*path - start);
	return start;
}

void cgroup_path_identify(const char *path, size_t len, struct cgroup_identity *ret)
{
	const char *end = path + len;
	const char *name;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	while ((name = next_name(&path, end, &n))) {
		if (!cgroup_name_pod(name, n, ret->pod_uid))
			continue;
		if (!memchr(name, ':', n))
			name = next_name(&path, end, &n);
		if (name)
			(void)cgroup_name_container(name, n, ret->container_id);
		return;
	}
}

bool cgroup_file_is_of(const char *text, size_t len, const struct process_query *q)
{
	const char *end = text + len;
	bool found = false;

	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		const char *path = memchr(text, ':', (size_t)((line_end ? line_end : end) - text));
		struct cgroup_identity is;

		if (!line_end)
			line_end = end;
		if (path)
			path = memchr(path + 1, ':', (size_t)(line_end - path - 1));
		if (!path)
			return false;
		cgroup_path_identify(path + 1, (size_t)(line_end - path - 1), &is);
		if (is.pod_uid[0]) {
			if (strcmp(is.pod_uid, q->pod_uid) != 0 ||
			    strcmp(is.container_id, q->container_id) != 0)
				return false;
			found = true;
		}
		text = line_end + 1;
	}
	return found;
}
