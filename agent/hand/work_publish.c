/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/work.h"

#include "base/clock.h"
#include "base/text.h"
#include "hand/payload.h"
#include "volume/fingerprint.h"
#include "volume/writer.h"

#include <string.h>

static int take_content(const struct work *w, struct content *c, struct err *e)
{
	struct fingerprint found;

	if (payload_read(w->memfd, c, e) < 0)
		return -1;
	volume_fingerprint(c, &found);
	if (!fingerprint_equal(&found, &w->request.publish.content))
		return err_set(e, ERR_INVALID, "the content does not match its fingerprint");
	return 0;
}

/* Never back to an older state of the same Secret, nor to one that was rolled back from. */
static int check_order(const struct hand_publish *p, const struct record *old, struct err *e)
{
	bool same = p->secret_uid[0] && strcmp(p->secret_uid, old->secret_uid) == 0;

	if (same && p->resource_version[0] && old->resource_version[0] && !p->allow_lower &&
	    text_compare_rv(p->resource_version, old->resource_version) < 0)
		return err_set(e, ERR_CONFLICT,
			       "resourceVersion %s is older than %s, which was published",
			       p->resource_version, old->resource_version);
	if (same && old->quarantine_rv[0] && strcmp(p->resource_version, old->quarantine_rv) == 0)
		return err_set(e, ERR_CONFLICT, "resourceVersion %s was rolled back from",
			       p->resource_version);
	if (fingerprint_is_set(&old->quarantine_content) &&
	    fingerprint_equal(&p->content, &old->quarantine_content))
		return err_set(e, ERR_CONFLICT, "this content was rolled back from");
	return 0;
}

static void describe(const struct work *w, struct record *r)
{
	const struct hand_publish *p = &w->request.publish;

	r->ref = w->request.volume;
	memcpy(r->pod_namespace, p->pod_namespace, sizeof(r->pod_namespace));
	memcpy(r->pod_name, p->pod_name, sizeof(r->pod_name));
	memcpy(r->secret, p->secret, sizeof(r->secret));
	memcpy(r->secret_uid, p->secret_uid, sizeof(r->secret_uid));
	memcpy(r->resource_version, p->resource_version, sizeof(r->resource_version));
	r->content = p->content;
	r->leaf = p->leaf;
	r->not_after_s = p->not_after_s;
	r->owner = p->owner;
	r->bytes = w->charge;
}

/* What describe writes. */
static bool same_description(const struct record *a, const struct record *b)
{
	return strcmp(a->pod_namespace, b->pod_namespace) == 0 &&
	       strcmp(a->pod_name, b->pod_name) == 0 && strcmp(a->secret, b->secret) == 0 &&
	       strcmp(a->secret_uid, b->secret_uid) == 0 &&
	       strcmp(a->resource_version, b->resource_version) == 0 &&
	       fingerprint_equal(&a->content, &b->content) &&
	       fingerprint_equal(&a->leaf, &b->leaf) && a->not_after_s == b->not_after_s &&
	       volume_owner_equal(&a->owner, &b->owner) && a->bytes == b->bytes;
}

static void keep_as_previous(struct record *next, const struct record *old)
{
	memcpy(next->previous, old->generation, sizeof(next->previous));
	next->previous_content = old->content;
	next->previous_leaf = old->leaf;
	next->previous_not_after_s = old->not_after_s;
}

/* The content is the one that was published last. ret_done: it is there still, so that only the
 * record may have to say more (a newer resourceVersion). */
static int confirm(struct work *w, const struct volume *v, const struct record *old, bool *ret_done,
		   struct err *e)
{
	struct record next = *old;
	struct volume_plan plan = {.owner = w->request.publish.owner,
				   .generation = old->generation,
				   .keep = old->previous,
				   .previous = ""};
	struct volume_written written = {0};

	if (writer_verify(v, &plan, &old->content, ret_done, &written, e) < 0)
		return -1;
	w->reply.swept = written.swept;
	w->reply.mended = written.mended;
	if (!*ret_done)
		return 0;
	describe(w, &next);
	if (!same_description(&next, old) && work_store(w, &next, e) < 0)
		return -1;
	w->reply.intact = 1;
	work_tell(w, &next);
	return 0;
}

/* The record as it was, when nothing was swapped. */
static void restore(struct work *w, struct record *old, bool found,
		    const struct volume_written *written)
{
	struct err e;

	if (written->retired_early)
		work_forget_previous(old);
	/* What cannot be written now is repaired at the next start, which looks at what is there. */
	if ((found ? work_store(w, old, &e) : work_forget(w, &e)) == 0 && found)
		work_tell(w, old);
}

struct swap {
	struct content *content;
	struct record *old, *next;
	bool found; /* there was an old record */
	bool keep;  /* what it names is fit to be kept */
};

static int swap(struct work *w, const struct volume *v, struct swap *s, struct err *e)
{
	struct volume_plan plan = {.owner = s->next->owner,
				   .generation = s->next->generation,
				   .keep = s->next->previous,
				   .previous = s->keep ? s->old->previous : s->old->generation};
	struct volume_written written = {0};
	int r;

	if (work_store(w, s->next, e) < 0)
		return -1;
	r = writer_publish(v, s->content, &plan, &written, e);
	w->reply.renamed_mono_ms = written.renamed_mono_ms;
	w->reply.swept += written.swept;
	w->reply.mended += written.mended;
	w->reply.changed = written.changed;
	if (r < 0 && !written.changed) {
		restore(w, s->old, s->found, &written);
		return -1;
	}
	if (strcmp(written.generation, s->next->generation) != 0) {
		/* It was there, unknown to the record. */
		memcpy(s->next->generation, written.generation, sizeof(s->next->generation));
		work_forget_previous(s->next);
		if (work_store(w, s->next, e) < 0)
			return -1;
	}
	w->reply.intact = 1;
	work_tell(w, s->next);
	return r;
}

int work_publish(struct work *w, struct err *e)
{
	const struct hand_publish *p = &w->request.publish;
	_cleanup_volume_ struct volume v = {.fd = -1};
	_cleanup_content_ struct content content = {0};
	struct record old = {0};
	struct record next = {0};
	struct swap s = {.content = &content, .old = &old, .next = &next};

	if (take_content(w, &content, e) < 0 || work_load(w, &old, &s.found, e) < 0)
		return -1;
	if (s.found && check_order(p, &old, e) < 0) {
		work_tell(w, &old);
		return -1;
	}
	if (volume_open(&w->options->tree, &w->request.volume, &v, e) < 0)
		return -1;
	s.keep = true;
	if (s.found && fingerprint_equal(&old.content, &p->content)) {
		bool done = false;

		if (confirm(w, &v, &old, &done, e) < 0 || done)
			return done ? 0 : -1;
		s.keep = false; /* the pod changed it */
	}
	next = old;
	if (s.keep)
		keep_as_previous(&next, &old);
	describe(w, &next);
	writer_generation(clock_wall_ms(clock_system()), next.generation);
	next.owed_signal = p->owed_signal;
	memset(next.quarantine_rv, 0, sizeof(next.quarantine_rv));
	next.quarantine_content = (struct fingerprint){0};
	if (swap(w, &v, &s, e) < 0)
		return -1;
	work_lend(w, &v);
	return 0;
}

int work_roll_back(struct work *w, struct err *e)
{
	_cleanup_volume_ struct volume v = {.fd = -1};
	struct volume_written written = {0};
	struct volume_plan plan;
	struct record old, next;

	if (work_need(w, &old, e) < 0 || volume_open(&w->options->tree, &old.ref, &v, e) < 0)
		return -1;
	work_tell(w, &old);
	if (!old.previous[0])
		return err_set(e, ERR_NOT_FOUND, "no previous generation is kept");
	next = old;
	memcpy(next.generation, old.previous, sizeof(next.generation));
	next.content = old.previous_content;
	next.leaf = old.previous_leaf;
	next.not_after_s = old.previous_not_after_s;
	next.owed_signal = w->request.roll_back.owed_signal;
	memcpy(next.quarantine_rv, old.resource_version, sizeof(next.quarantine_rv));
	next.quarantine_content = old.content;
	work_forget_previous(&next);
	plan = (struct volume_plan){
	    .owner = next.owner, .generation = next.generation, .keep = "", .previous = ""};
	/* Said before it is done: a kill in between is completed at the next start. */
	if (work_store(w, &next, e) < 0)
		return -1;
	if (writer_roll_back(&v, &plan, &next.content, &written, e) < 0 && !written.changed) {
		restore(w, &old, true, &written);
		return -1;
	}
	w->reply.renamed_mono_ms = written.renamed_mono_ms;
	w->reply.changed = written.changed;
	w->reply.swept = written.swept;
	w->reply.intact = 1;
	work_tell(w, &next);
	work_lend(w, &v);
	return 0;
}
