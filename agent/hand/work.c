/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/work.h"

#include "base/clock.h"
#include "base/log.h"
#include "hand/payload.h"
#include "volume/fingerprint.h"
#include "volume/read.h"
#include "volume/record.h"
#include "volume/writer.h"

#include <string.h>

bool work_needs_chown(uint32_t op)
{
	return op != HAND_FIND && op != HAND_SIGNAL && op != HAND_MARK;
}

bool work_needs_kill(uint32_t op)
{
	return op == HAND_SIGNAL;
}

int work_load(const struct work *w, struct record *ret, bool *ret_found, struct err *e)
{
	*ret_found = false;
	if (w->options->state_fd < 0) {
		*ret_found = w->memory != NULL;
		if (w->memory)
			*ret = *w->memory;
		return 0;
	}
	if (record_read(w->options->state_fd, &w->request.volume, ret, e) == 0) {
		*ret_found = true;
		return 0;
	}
	if (e->kind != ERR_NOT_FOUND && e->kind != ERR_INVALID)
		return -1;
	if (e->kind == ERR_INVALID)
		log_warn("record.set_aside", L_STR(LOG_POD_UID, w->request.volume.pod_uid),
			 L_STR(LOG_VOLUME, w->request.volume.name), L_ERR(e));
	return 0;
}

int work_need(const struct work *w, struct record *ret, struct err *e)
{
	bool found;

	if (work_load(w, ret, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "there is no record of it");
	return 0;
}

int work_store(const struct work *w, const struct record *r, struct err *e)
{
	return w->options->state_fd < 0 ? 0 : record_write(w->options->state_fd, r, e);
}

int work_forget(const struct work *w, struct err *e)
{
	return w->options->state_fd < 0
		   ? 0
		   : record_remove(w->options->state_fd, &w->request.volume, e);
}

void work_tell(struct work *w, const struct record *r)
{
	w->reply.record = *r;
	w->reply.has_record = 1;
}

void work_lend(struct work *w, struct volume *v)
{
	if (w->watched)
		w->fd = TAKE_FD(v->fd);
}

void work_forget_previous(struct record *r)
{
	memset(r->previous, 0, sizeof(r->previous));
	r->previous_content = r->previous_leaf = (struct fingerprint){0};
	r->previous_not_after_s = 0;
}

static int retire(struct work *w, struct err *e)
{
	_cleanup_volume_ struct volume v = {.fd = -1};
	struct record r = {0};

	if (!w->request.retire.previous_only)
		return work_forget(w, e);
	if (work_need(w, &r, e) < 0)
		return -1;
	if (r.previous[0]) {
		if (volume_open(&w->options->tree, &r.ref, &v, e) < 0 ||
		    writer_retire(&v, r.previous, e) < 0)
			return -1;
		work_forget_previous(&r);
		if (work_store(w, &r, e) < 0)
			return -1;
	}
	work_tell(w, &r);
	return 0;
}

/* Only what the record says was published: not what its pod put there. */
static int read_pair(struct work *w, struct err *e)
{
	_cleanup_volume_ struct volume v = {.fd = -1};
	_cleanup_content_ struct content c = {0};
	char generation[GENERATION_NAME];
	struct fingerprint found;
	struct record r;

	if (work_need(w, &r, e) < 0 || volume_open(&w->options->tree, &r.ref, &v, e) < 0 ||
	    volume_read(&v, r.generation, &c, generation, e) < 0)
		return -1;
	volume_fingerprint(&c, &found);
	if (!fingerprint_equal(&found, &r.content))
		return err_set(e, ERR_CONFLICT, "the files are not those that were published");
	work_tell(w, &r);
	return payload_write(&c, &w->fd, e);
}

static int watch(struct work *w, struct err *e)
{
	struct volume v = {.fd = -1};

	if (volume_open(&w->options->tree, &w->request.volume, &v, e) < 0)
		return -1;
	w->fd = TAKE_FD(v.fd);
	volume_close(&v);
	return 0;
}

static int find(struct work *w, struct err *e)
{
	enum signal_result result = SIGNAL_NO_PROCESS;

	if (process_find(&w->options->host, &w->request.process.query, &w->reply.process, &result,
			 e) < 0)
		return -1;
	w->reply.signal_result = result;
	return 0;
}

static int send_signal(struct work *w, struct err *e)
{
	enum signal_result result = SIGNAL_NO_PROCESS;
	struct record r = {0};
	bool found = false;

	if (process_signal(&w->options->host, &w->request.process.query, w->request.process.signal,
			   &w->reply.process, &result, e) < 0)
		return -1;
	w->reply.signal_result = result;
	if (work_load(w, &r, &found, e) < 0 || !found)
		return found ? -1 : 0;
	if (result == SIGNAL_SENT || result == SIGNAL_STOPPED) {
		r.owed_signal = 0;
		r.signalled_wall_ms = clock_wall_ms(clock_system());
		if (work_store(w, &r, e) < 0)
			return -1;
	}
	work_tell(w, &r);
	return 0;
}

static int mark(struct work *w, struct err *e)
{
	struct record r;

	if (work_need(w, &r, e) < 0)
		return -1;
	if (w->request.mark & HAND_MARK_OWED_DONE)
		r.owed_signal = 0;
	if (w->request.mark & HAND_MARK_SIGNALLED)
		r.signalled_wall_ms = clock_wall_ms(clock_system());
	if (w->request.mark & HAND_MARK_QUARANTINE_LIFT) {
		memset(r.quarantine_rv, 0, sizeof(r.quarantine_rv));
		r.quarantine_content = (struct fingerprint){0};
	}
	if (work_store(w, &r, e) < 0)
		return -1;
	work_tell(w, &r);
	return 0;
}

void work_run(struct work *w)
{
	static int (*const operations[HAND_OPS])(struct work * w, struct err * e) = {
	    [HAND_ADOPT] = work_mend,      [HAND_VERIFY] = work_mend,
	    [HAND_PUBLISH] = work_publish, [HAND_ROLL_BACK] = work_roll_back,
	    [HAND_RETIRE] = retire,        [HAND_READ] = read_pair,
	    [HAND_WATCH] = watch,          [HAND_FIND] = find,
	    [HAND_SIGNAL] = send_signal,   [HAND_MARK] = mark,
	};
	const struct volume_ref *ref = &w->request.volume;
	struct err e = {0};

	w->reply = (struct hand_reply){
	    .magic = HAND_MAGIC, .op = w->request.op, .id = w->request.id, .record.ref = *ref};
	w->fd = -1;
	if (operations[w->request.op](w, &e) < 0) {
		err_add(&e, "%s of volume %s of pod %s", hand_op_label(w->request.op), ref->name,
			ref->pod_uid);
		w->reply.err = e;
		closep(&w->fd);
	}
}
