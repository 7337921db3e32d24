/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/work.h"

#include "volume/fingerprint.h"
#include "volume/read.h"
#include "volume/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* The pod itself is gone, not only its volume: after a reboot kubelet mounts it again. */
static bool pod_is_gone(const struct work *w)
{
	struct stat st;

	return !w->options->tree.flat &&
	       fstatat(w->options->tree.pods_fd, w->request.volume.pod_uid, &st,
		       AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT;
}

static int verify(struct work *w, const struct volume *v, const struct record *r, bool *ret_intact,
		  struct err *e)
{
	struct volume_plan plan = {
	    .owner = r->owner, .generation = r->generation, .keep = r->previous, .previous = ""};
	struct volume_written written = {0};

	if (writer_verify(v, &plan, &r->content, ret_intact, &written, e) < 0)
		return -1;
	w->reply.swept += written.swept;
	w->reply.mended += written.mended;
	return 0;
}

/*
 * The record speaks of a swap that did not come to pass: it was written before, and the hand was
 * killed in between. What ..data names decides, when it is one of the contents that the record
 * knows. ret_known: r says now what is there.
 */
static int believe_eyes(const struct volume *v, struct record *r, bool *ret_known, struct err *e)
{
	_cleanup_content_ struct content c = {0};
	char generation[GENERATION_NAME];
	struct fingerprint found;

	*ret_known = false;
	if (volume_read(v, NULL, &c, generation, e) < 0) {
		err_clear(e); /* nothing, or nothing of ours: it has to be published again */
		return 0;
	}
	volume_fingerprint(&c, &found);
	if (fingerprint_equal(&found, &r->content)) {
		memcpy(r->generation, generation, sizeof(r->generation));
		*ret_known = true;
	} else if (r->previous[0] && strcmp(generation, r->previous) == 0 &&
		   fingerprint_equal(&found, &r->previous_content)) {
		/* resource_version stays: it was seen, so nothing older may come after it. */
		memcpy(r->generation, r->previous, sizeof(r->generation));
		r->content = r->previous_content;
		r->leaf = r->previous_leaf;
		r->not_after_s = r->previous_not_after_s;
		work_forget_previous(r);
		*ret_known = true;
	}
	return 0;
}

int work_mend(struct work *w, struct err *e)
{
	_cleanup_volume_ struct volume v = {.fd = -1};
	struct record r;
	bool intact = false;
	bool known = false;

	if (work_need(w, &r, e) < 0)
		return -1;
	work_tell(w, &r);
	if (volume_open(&w->options->tree, &r.ref, &v, e) < 0) {
		struct err ignored;

		if (e->kind == ERR_NOT_FOUND && pod_is_gone(w) && work_forget(w, &ignored) == 0)
			w->reply.has_record = 0;
		return -1;
	}
	if (verify(w, &v, &r, &intact, e) < 0)
		return -1;
	if (!intact && believe_eyes(&v, &r, &known, e) < 0)
		return -1;
	if (known && (work_store(w, &r, e) < 0 || verify(w, &v, &r, &intact, e) < 0))
		return -1;
	w->reply.intact = intact;
	work_tell(w, &r);
	if (w->reply.mended || w->reply.swept)
		work_lend(w, &v);
	return 0;
}
