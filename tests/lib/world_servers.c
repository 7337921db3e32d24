/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/world_internal.h"

#include <string.h>

/* What the server does when it is told, or looks by itself. */
void world_server_reads(struct world_volume *v)
{
	bool known = fingerprint_equal(&v->record.leaf, &v->good);

	if (v->server == SERVER_DEAF || v->server == SERVER_AWAY)
		return;
	if (v->server == SERVER_BROKEN || (v->server == SERVER_BREAKS && !known)) {
		v->served = (struct fingerprint){0};
		return;
	}
	v->served = v->record.leaf;
	v->good = v->record.leaf;
}

/* The server chooses its certificate when the handshake begins. */
static void see(struct world *w, struct world_job *j)
{
	struct world_volume *v;

	j->seen.result = PROBE_NO_CONNECTION;
	LIST_FOREACH (v, &w->volumes, next) {
		if (strcmp(v->ref.pod_uid + 24, j->target.address) != 0 || v->server == SERVER_AWAY)
			continue;
		if (v->server == SERVER_EAGER)
			world_server_reads(v);
		j->seen.result = fingerprint_is_set(&v->served) ? PROBE_SEEN : PROBE_BROKEN;
		j->seen.leaf = v->served;
	}
}

int world_probe_start(void *arg, const struct probe_target *target, probe_done_fn done,
		      void *done_arg, struct probe **ret, struct err *e _unused_)
{
	struct world *w = arg;
	struct world_job *j = world_job_new(w, done_arg);

	j->kind = JOB_PROBE;
	j->target = *target;
	j->probe_done = done;
	j->due_ms += w->handshake_ms;
	see(w, j);
	if (++w->probing > w->probing_most)
		w->probing_most = w->probing;
	*ret = (struct probe *)j;
	return 0;
}

struct probe *world_probe_cancel(void *arg, struct probe *p)
{
	((struct world *)arg)->probing--;
	return world_job_cancel((struct world_job *)p);
}
