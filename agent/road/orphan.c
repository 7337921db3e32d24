/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records without a binding: what the hand has said of volumes that nobody was told of yet, and of those that a pod asks for no more.
 */
#include "road/binding.h"

#include <stdlib.h>

struct orphan *orphan_find(struct road *r, const struct volume_ref *ref)
{
	struct orphan *o;

	LIST_FOREACH (o, &r->orphans, in_road)
		if (volume_ref_equal(&o->record.ref, ref))
			return o;
	return NULL;
}

void orphan_keep(struct road *r, const struct record *record, bool intact, bool kept)
{
	struct orphan *o = orphan_find(r, &record->ref);

	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return;
		LIST_INSERT_HEAD(&r->orphans, o, in_road);
	}
	o->record = *record;
	o->intact = intact;
	o->kept |= kept;
}

void orphan_free(struct orphan *o)
{
	LIST_REMOVE(o, in_road);
	free(o);
}

void orphans_forget(struct road *r)
{
	struct orphan *next;

	for (struct orphan *o = LIST_FIRST(&r->orphans); o; o = next) {
		next = LIST_NEXT(o, in_road);
		if (!o->kept)
			orphan_free(o);
	}
}
