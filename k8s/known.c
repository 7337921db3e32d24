/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/known.h"

#include "base/text.h"

#include <string.h>
#include <sys/queue.h>

#define BUCKETS 256

struct entry {
	LIST_ENTRY(entry) next;
	unsigned seen; /* round of the relist */
	char uid[LIMIT_UID + 1];
	char namespace[LIMIT_NAMESPACE + 1];
	char name[LIMIT_OBJECT_NAME + 1];
};

struct known {
	LIST_HEAD(bucket, entry) buckets[BUCKETS];
	size_t count;
	unsigned round;
	size_t swept; /* buckets that have no unseen entry */
};

/* FNV-1a: uids are random already. */
static struct bucket *bucket_of(struct known *k, const char *uid)
{
	uint32_t h = 2166136261u;

	for (; *uid; uid++)
		h = (h ^ (unsigned char)*uid) * 16777619u;
	return &k->buckets[h % BUCKETS];
}

static struct entry *find(struct known *k, const char *uid)
{
	struct entry *n;

	LIST_FOREACH (n, bucket_of(k, uid), next)
		if (strcmp(n->uid, uid) == 0)
			return n;
	return NULL;
}

static void drop(struct known *k, struct entry *n)
{
	LIST_REMOVE(n, next);
	k->count--;
	free(n);
}

int known_new(struct known **ret, struct err *e)
{
	struct known *k = calloc(1, sizeof(*k));

	if (!k)
		return err_sys(e, "make a table of objects");
	*ret = k;
	return 0;
}

struct known *known_free(struct known *k)
{
	for (size_t i = 0; k && i < BUCKETS; i++)
		while (!LIST_EMPTY(&k->buckets[i]))
			drop(k, LIST_FIRST(&k->buckets[i]));
	free(k);
	return NULL;
}

void known_begin(struct known *k)
{
	k->round++;
	k->swept = 0;
}

int known_see(struct known *k, const struct json *object, struct err *e)
{
	const char *uid = json_text(object, "metadata", "uid", NULL);
	const char *name = json_text(object, "metadata", "name", NULL);
	const char *namespace = json_text(object, "metadata", "namespace", NULL);
	struct entry *n = uid ? find(k, uid) : NULL;

	if (n) {
		n->seen = k->round;
		return 0;
	}
	if (k->count >= LIMIT_WATCH_OBJECTS)
		return err_set(e, ERR_EXHAUSTED, "more than %d objects", LIMIT_WATCH_OBJECTS);
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_sys(e, "remember an object");
	n->seen = k->round;
	if (!uid || !*uid || !name || text_copy(n->uid, sizeof(n->uid), uid) < 0 ||
	    text_copy(n->name, sizeof(n->name), name) < 0 ||
	    text_copy(n->namespace, sizeof(n->namespace), namespace ? namespace : "") < 0) {
		free(n);
		return err_set(e, ERR_INVALID, "an object without a usable uid or name");
	}
	LIST_INSERT_HEAD(bucket_of(k, uid), n, next);
	k->count++;
	return 0;
}

void known_forget(struct known *k, const struct json *object)
{
	const char *uid = json_text(object, "metadata", "uid", NULL);
	struct entry *n = uid ? find(k, uid) : NULL;

	if (n)
		drop(k, n);
}

static struct json *describe(const struct entry *n)
{
	struct json *object = json_new_object();
	struct json *metadata = json_new_object();

	if (json_set_string(metadata, "name", n->name) < 0 ||
	    json_set_string(metadata, "namespace", *n->namespace ? n->namespace : NULL) < 0 ||
	    json_set_string(metadata, "uid", n->uid) < 0) {
		json_free(metadata);
		return json_free(object);
	}
	if (json_set(object, "metadata", metadata) < 0)
		return json_free(object);
	return object;
}

struct json *known_take_unseen(struct known *k)
{
	for (; k->swept < BUCKETS; k->swept++) {
		struct entry *n;

		LIST_FOREACH (n, &k->buckets[k->swept], next) {
			struct json *object;

			if (n->seen == k->round)
				continue;
			object = describe(n);
			drop(k, n);
			return object;
		}
	}
	return NULL;
}
