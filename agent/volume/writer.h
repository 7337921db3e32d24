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

struct volume_written {
	char generation[GENERATION_NAME]; /* what ..data names now */
	bool changed;       /* false: the content was there already; nothing but links may have been
			       mended */
	unsigned swept;     /* leftovers of earlier runs that were removed */
	unsigned mended;    /* links that were missing or wrong */
	bool retired_early; /* the previous generation was removed before its time, to make room */
};

/*
 * Publishes a content.
 *
 * content     sorted or not; names are checked
 * generation  chosen with writer_generation; already in the record when this is called
 * keep        the generation kept for rollback besides the new one ("": none); every other one is removed
 *
 * Errors:  EXHAUSTED  no space, also after the kept generation was given up; the old pair stays
 *          DENIED, INTERNAL, NOT_FOUND (the volume went away): the old pair stays
 */
int writer_publish(const struct volume *v, struct content *content,
		   const struct volume_owner *owner, const char *generation, const char *keep,
		   struct volume_written *ret, struct err *e) _must_check_;

/* A new generation name: UTC time and 128 random bits. */
void writer_generation(int64_t wall_ms, char ret_name[static GENERATION_NAME]);

/*
 * Looks whether ..data names this generation with this content, and mends links, leftovers, owner
 * and mode. ret_intact is false when the content is not what the fingerprint says: then it must be
 * published again.
 */
int writer_verify(const struct volume *v, const char *generation, const struct fingerprint *content,
		  const struct volume_owner *owner, bool *ret_intact, struct volume_written *ret,
		  struct err *e) _must_check_;

/* Points ..data at a kept generation again, after its content matched the fingerprint. Errors:
 * NOT_FOUND, INVALID. */
int writer_roll_back(const struct volume *v, const char *generation,
		     const struct fingerprint *content, const char *keep,
		     struct volume_written *ret, struct err *e) _must_check_;

/*
 * Removes leftovers: ..data_tmp and each generation of our own naming that is neither current nor
 * keep. Looks at no more than LIMIT_SWEEP_ENTRIES entries.
 */
int writer_sweep(const struct volume *v, const char *current, const char *keep, unsigned *ret_swept,
		 struct err *e) _must_check_;

/* Removes one generation directory, files first. */
int writer_retire(const struct volume *v, const char *generation, struct err *e) _must_check_;
