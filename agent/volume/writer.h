/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * The atomic writer: kubelet's ..data layout and event order, with what kubelet's writer gets
 * wrong mended.
 *
 *     ..2026_01_02_03_04_05.<32 hex>/   one generation: the files, complete before anybody can see them
 *     ..data -> ..2026_...              the commit point: replaced by rename of ..data_tmp
 *     tls.crt -> ..data/tls.crt         what readers open
 *
 * The caller serialises calls for one volume. A reader never sees a partial file or a mixed pair.
 */

#include "volume/volume.h"

/* What a volume shall hold. Strings are borrowed. */
struct volume_plan {
	struct volume_owner owner;
	const char *generation; /* from writer_generation; already in the record */
	const char *keep;     /* stays besides it, for rollback; "" none. While publishing: what the
				   record named so far */
	const char *previous; /* publishing: the generation kept until now, removed right after the
				   swap, or before it when there is no space; "" none */
};

struct volume_written {
	char generation[GENERATION_NAME]; /* what ..data names now */
	bool changed;       /* ..data was swapped. false: the content was there already; nothing but
			       links, owner and mode may have been mended */
	unsigned swept;     /* leftovers of earlier runs that were removed */
	unsigned left;      /* leftovers that are still there, because the sweep is bounded or may
			       not remove them; the next call goes on */
	unsigned mended;    /* links, owners and modes that were missing or wrong */
	bool retired_early; /* the previous generation was removed before its time, to make room */
	int64_t renamed_mono_ms; /* CLOCK_BOOTTIME right after the swap; 0 without one */
};

/*
 * Publishes a content. Identical content writes nothing: then ret->generation is the old one, and
 * what keep and previous name stays.
 *
 * content  sorted or not; names are checked
 * ret      filled also on failure: where changed is set, ..data names the new pair and only links
 *          or the removal of old generations are left to do: call again or verify
 *
 * What stands at a name of ours is replaced, whatever it is; only a directory with entries at the
 * name of a file is refused before anything is written (it can only be the pod's own work).
 *
 * Errors:  EXHAUSTED  no space, also after the kept generation was given up; the old pair stays
 *          CONFLICT   a directory stands in the way, or the pod changes the volume meanwhile
 *          INVALID    names, owner or generation
 *          DENIED, INTERNAL, NOT_FOUND (the volume went away): the old pair stays
 */
int writer_publish(const struct volume *v, struct content *content, const struct volume_plan *plan,
		   struct volume_written *ret, struct err *e) _must_check_;

/* A new generation name: UTC time and 128 random bits. */
void writer_generation(int64_t wall_ms, char ret_name[static GENERATION_NAME]);

/*
 * Looks whether the generation of the plan holds this content, and then mends ..data, links,
 * leftovers, owner and mode: a publish that was killed is completed. ret_intact is false when the
 * content is not what the fingerprint says: then it must be published again, and what ..data names
 * stays until that.
 */
int writer_verify(const struct volume *v, const struct volume_plan *plan,
		  const struct fingerprint *content, bool *ret_intact, struct volume_written *ret,
		  struct err *e) _must_check_;

/* Points ..data at the plan's generation again, which was kept, after its content matched the
 * fingerprint. Errors: NOT_FOUND, INVALID. */
int writer_roll_back(const struct volume *v, const struct volume_plan *plan,
		     const struct fingerprint *content, struct volume_written *ret,
		     struct err *e) _must_check_;

/*
 * Removes leftovers: ..data_tmp and each generation of our own naming that is neither current nor
 * keep. Looks at no more than LIMIT_SWEEP_ENTRIES entries.
 */
int writer_sweep(const struct volume *v, const char *current, const char *keep, unsigned *ret_swept,
		 struct err *e) _must_check_;

/* Removes one generation directory, files first; none there is fine. Errors: CONFLICT when ..data
 * names it. */
int writer_retire(const struct volume *v, const char *generation, struct err *e) _must_check_;
