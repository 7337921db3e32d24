/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/writer.h"

#include "base/clock.h"
#include "volume/fingerprint.h"
#include "volume/internal.h"
#include "volume/read.h"

#include <errno.h>
#include <string.h>

#define FULL                                                                                       \
	"the files (%zu bytes) do not fit beside the ones that are served, which stay: raise the " \
	"volume's sizeLimit, or the pod's own files in it have to go"

/* One call's work. */
struct work {
	const struct volume *v;
	const struct volume_plan *plan;
	struct volume_written *ret;
	struct fingerprint want;       /* the content that shall be there */
	char current[GENERATION_NAME]; /* what ..data named at the start; "" nothing of ours */
};

static int check_plan(const struct volume_plan *plan, struct err *e)
{
	const struct volume_owner *o = &plan->owner;

	if (!volume_generation_ok(plan->generation) ||
	    (plan->keep[0] && !volume_generation_ok(plan->keep)) ||
	    (plan->previous[0] && !volume_generation_ok(plan->previous)))
		return err_set(e, ERR_INVALID, "not the name of a generation");
	if (o->uid == UINT32_MAX || o->gid == UINT32_MAX)
		return err_set(e, ERR_INVALID, "%u is not a uid or gid that a file can have",
			       UINT32_MAX);
	if (o->mode > 0777)
		return err_set(e, ERR_INVALID, "%o is not a mode of a file", o->mode);
	return 0;
}

static int check_content(struct content *content, struct err *e)
{
	if (!content->count)
		return err_set(e, ERR_INVALID, "there is no file to publish");
	if (content_size(content) > LIMIT_CONTENT)
		return err_set(e, ERR_EXHAUSTED, "more than %d bytes in all", LIMIT_CONTENT);
	content_sort(content);
	for (size_t i = 0; i < content->count; i++) {
		const char *name = content->files[i].name;

		if (!content_name_ok(name))
			return err_set(e, ERR_INVALID, "a file has a name that no volume may have");
		if (i && strcmp(name, content->files[i - 1].name) == 0)
			return err_set(e, ERR_INVALID, "two files are named '%s'", name);
	}
	return 0;
}

/* Notes what is there, and frees the temporary name. */
static int begin(struct work *w, struct err *e)
{
	*w->ret = (struct volume_written){0};
	if (check_plan(w->plan, e) < 0)
		return -1;
	data_generation(w->v, w->current);
	memcpy(w->ret->generation, w->current, GENERATION_NAME);
	return free_name(w->v, TEMPORARY_LINK, &w->ret->swept, e);
}

/* Removes all generations but the one given and those of the plan that stay with it, and links to
 * files that are not in the content. */
static int sweep(struct work *w, const char *stays, const struct content *content, struct err *e)
{
	struct sweep s = {
	    .v = w->v,
	    .keep = {stays, w->plan->keep, w->ret->changed ? NULL : w->plan->previous},
	    .content = content,
	    .budget = LIMIT_SWEEP_ENTRIES,
	};
	const char *replaced[] = {w->current, w->plan->previous};
	int r;

	/* By their names first: a pod may hide them behind a million entries. */
	for (size_t i = 0; i < ARRAY_LEN(replaced); i++)
		if (replaced[i][0] && !sweep_keeps(&s, replaced[i]) &&
		    !remove_generation(w->v, replaced[i]))
			w->ret->left++;
	r = sweep_run(&s, e);
	w->ret->swept += s.swept;
	w->ret->left += s.left;
	return r;
}

/* Reads back what readers now get. */
static int confirm(struct work *w, struct err *e)
{
	_cleanup_content_ struct content there = {0};
	struct fingerprint have;
	char name[GENERATION_NAME];

	if (volume_read(w->v, NULL, &there, name, e) < 0)
		return err_add(e, "read back");
	volume_fingerprint(&there, &have);
	if (strcmp(name, w->ret->generation) != 0 || !fingerprint_equal(&w->want, &have))
		return err_set(e, ERR_CONFLICT, "the volume was changed while it was written");
	return 0;
}

static int swap(struct work *w, const char *generation, struct err *e)
{
	if (data_swap(w->v, generation, e) < 0)
		return -1;
	w->ret->renamed_mono_ms = clock_mono_ms(clock_system());
	w->ret->changed = true;
	memcpy(w->ret->generation, generation, GENERATION_NAME);
	return 0;
}

/* What follows once ..data names the right generation: links, a look back, leftovers. */
static int finish(struct work *w, const struct content *content, struct err *e)
{
	if (links_mend(w->v, content, &w->ret->mended, e) < 0 ||
	    directory_sync(w->v, w->v->fd, e) < 0 || (w->ret->changed && confirm(w, e) < 0))
		return -1;
	return sweep(w, w->ret->generation, content, e);
}

/* Reads a generation into ret. ret_intact is false when it is not what shall be there, or has to be
 * made anew. */
static int look(struct work *w, const char *generation, struct content *ret, bool *ret_intact,
		struct err *e)
{
	struct fingerprint have;

	*ret_intact = false;
	if (volume_read(w->v, generation, ret, NULL, e) < 0)
		return is_damage(e) ? 0 : -1;
	volume_fingerprint(ret, &have);
	if (!fingerprint_equal(&have, &w->want))
		return 0;
	if (generation_mend(w->v, generation, ret, &w->plan->owner, &w->ret->mended, e) < 0)
		return is_damage(e) ? 0 : -1;
	*ret_intact = true;
	return 0;
}

/* Makes the generation and swaps. Nothing is left of it when that fails. */
static int attempt(struct work *w, const struct content *content, struct err *e)
{
	if (generation_make(w->v, content, w->plan, e) < 0)
		return -1;
	if (links_possible(w->v, content, e) == 0 && swap(w, w->plan->generation, e) == 0)
		return 0;
	(void)remove_generation(w->v, w->plan->generation);
	return -1;
}

static bool is_full(const struct err *e)
{
	return e->sys == ENOSPC || e->sys == EDQUOT || e->sys == ENOMEM;
}

/* Makes room by all that is not served: leftovers and the previous generation. */
static int make_room(struct work *w, struct err *e)
{
	struct sweep s = {
	    .v = w->v,
	    .keep = {w->current, w->plan->keep},
	    .budget = LIMIT_SWEEP_ENTRIES,
	};
	const char *previous = w->plan->previous;

	if (previous[0] && !sweep_keeps(&s, previous))
		w->ret->retired_early = remove_generation(w->v, previous);
	if (sweep_run(&s, e) < 0)
		return -1;
	w->ret->swept += s.swept;
	return 0;
}

int writer_publish(const struct volume *v, struct content *content, const struct volume_plan *plan,
		   struct volume_written *ret, struct err *e)
{
	_cleanup_content_ struct content there = {0};
	struct work w = {.v = v, .plan = plan, .ret = ret};
	bool same = false;

	if (begin(&w, e) < 0 || check_content(content, e) < 0)
		return -1;
	volume_fingerprint(content, &w.want);
	if (w.current[0] && look(&w, w.current, &there, &same, e) < 0)
		return -1;
	if (!same && attempt(&w, content, e) < 0) {
		if (!is_full(e) || make_room(&w, e) < 0)
			return -1;
		if (attempt(&w, content, e) < 0)
			return is_full(e) ? err_tail(e, FULL, content_size(content)) : -1;
	}
	return finish(&w, content, e);
}

/* Serves the plan's generation, which is intact. */
static int restore(struct work *w, const struct content *content, struct err *e)
{
	if (strcmp(w->current, w->plan->generation) != 0 &&
	    (links_possible(w->v, content, e) < 0 || swap(w, w->plan->generation, e) < 0))
		return -1;
	return finish(w, content, e);
}

int writer_verify(const struct volume *v, const struct volume_plan *plan,
		  const struct fingerprint *content, bool *ret_intact, struct volume_written *ret,
		  struct err *e)
{
	_cleanup_content_ struct content there = {0};
	struct work w = {.v = v, .plan = plan, .ret = ret, .want = *content};

	if (begin(&w, e) < 0 || look(&w, plan->generation, &there, ret_intact, e) < 0)
		return -1;
	return *ret_intact ? restore(&w, &there, e) : sweep(&w, w.current, NULL, e);
}

int writer_roll_back(const struct volume *v, const struct volume_plan *plan,
		     const struct fingerprint *content, struct volume_written *ret, struct err *e)
{
	_cleanup_content_ struct content there = {0};
	struct work w = {.v = v, .plan = plan, .ret = ret, .want = *content};
	bool intact;

	if (begin(&w, e) < 0 || look(&w, plan->generation, &there, &intact, e) < 0)
		return -1;
	if (!intact)
		return err_set(e, ERR_INVALID, "the kept generation is not what was recorded");
	return restore(&w, &there, e);
}

int writer_sweep(const struct volume *v, const char *current, const char *keep, unsigned *ret_swept,
		 struct err *e)
{
	struct sweep s = {
	    .v = v,
	    .keep = {current, keep},
	    .budget = LIMIT_SWEEP_ENTRIES,
	};

	*ret_swept = 0;
	if (free_name(v, TEMPORARY_LINK, ret_swept, e) < 0 || sweep_run(&s, e) < 0)
		return -1;
	*ret_swept += s.swept;
	return 0;
}

int writer_retire(const struct volume *v, const char *generation, struct err *e)
{
	char current[GENERATION_NAME];

	if (!volume_generation_ok(generation))
		return err_set(e, ERR_INVALID, "not the name of a generation");
	data_generation(v, current);
	if (strcmp(current, generation) == 0)
		return err_set(e, ERR_CONFLICT, "the generation is the one that is served");
	if (!remove_generation(v, generation))
		return err_sys(e, "remove the generation");
	return 0;
}
