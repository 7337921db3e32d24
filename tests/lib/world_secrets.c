/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/world_internal.h"

#include <stdlib.h>
#include <string.h>

struct world_secret *world_secret(struct world *w, const char *name)
{
	struct world_secret *s;

	LIST_FOREACH (s, &w->secrets, next)
		if (strcmp(s->name, name) == 0)
			return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->uid, sizeof(s->uid), "11111111-1111-1111-1111-111111111111");
	s->allow = "default";
	LIST_INSERT_HEAD(&w->secrets, s, next);
	return s;
}

struct world_secret *world_put(struct world *w, const char *name, const struct content *data,
			       const char *rv)
{
	struct world_secret *s = world_secret(w, name);
	struct err e;

	content_done(&s->data);
	for (size_t i = 0; i < data->count; i++)
		world_must(content_add(&s->data, data->files[i].name, data->files[i].bytes.data,
				       data->files[i].bytes.len, &e) == 0,
			   "content_add");
	snprintf(s->rv, sizeof(s->rv), "%s", rv);
	s->there = true;
	s->read_again = true;
	return s;
}

void world_put_pair(struct world *w, const char *name, const struct pki_pair *pair, const char *rv)
{
	_cleanup_content_ struct content c = {0};

	pki_pair_content(pair, &c);
	world_put(w, name, &c, rv);
}

void world_delete_secret(struct world *w, const char *name)
{
	struct world_secret *s = world_secret(w, name);

	s->there = false;
	s->read_again = true;
}

void world_trouble(struct world *w, const char *secret, const struct err *e)
{
	struct world_secret *s = world_secret(w, secret);

	world_must(s->watched, "nobody watches this Secret");
	s->callbacks.on_trouble(s->arg, e);
	world_settle(w);
}

int world_secret_open(void *arg, const char *namespace_, const char *name,
		      const struct secret_source_callbacks *callbacks, void *callback_arg,
		      struct secret_source **ret, struct err *e _unused_)
{
	struct world_secret *s = world_secret(arg, name);

	world_must(!s->watched, "a Secret is watched twice");
	snprintf(s->namespace_, sizeof(s->namespace_), "%s", namespace_);
	s->callbacks = *callbacks;
	s->arg = callback_arg;
	s->watched = true;
	s->read_again = true;
	*ret = (struct secret_source *)s;
	return 0;
}

struct secret_source *world_secret_close(struct secret_source *source)
{
	((struct world_secret *)source)->watched = false;
	return NULL;
}

int world_secret_reread(struct secret_source *source, struct err *e _unused_)
{
	((struct world_secret *)source)->read_again = true;
	return 0;
}

void world_secret_tell(struct world *w, struct world_secret *s)
{
	struct secret_object o = {.namespace_ = s->namespace_,
				  .name = s->name,
				  .temporary = s->temporary,
				  .allow_ca = s->allow_ca,
				  .allow_accounts = s->allow,
				  .read_ms = w->clock.mono_ms};
	struct err e;

	s->read_again = false;
	s->reads++;
	if (!s->there) {
		s->callbacks.on_absent(s->arg);
		return;
	}
	memcpy(o.uid, s->uid, sizeof(o.uid));
	memcpy(o.resource_version, s->rv, sizeof(o.resource_version));
	for (size_t i = 0; i < s->data.count; i++)
		world_must(content_add(&o.data, s->data.files[i].name, s->data.files[i].bytes.data,
				       s->data.files[i].bytes.len, &e) == 0,
			   "content_add");
	s->callbacks.on_secret(s->arg, &o);
	content_done(&o.data);
}

int world_review_start(void *arg, const struct road_question *question _unused_,
		       void (*done)(void *done_arg, bool allowed, const struct err *e),
		       void *done_arg, struct road_review **ret, struct err *e _unused_)
{
	struct world *w = arg;
	struct world_job *j = world_job_new(w, done_arg);

	j->kind = JOB_REVIEW;
	j->review_done = done;
	j->due_ms += w->review_ms;
	*ret = (struct road_review *)j;
	return 0;
}

struct road_review *world_review_cancel(struct road_review *r)
{
	return world_job_cancel((struct world_job *)r);
}
