/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A kubelet's pods directory, and one volume of one pod that is written to and looked at as the
 * hand does. Needs root. Every function asserts.
 */

#include "volume/volume.h"
#include "volume/writer.h"

#include <time.h>

/* The program gets a mount namespace of its own; what it mounts ends with it. Once, first. */
void pods_namespace(void);

struct pods {
	char root[64]; /* path of the pods directory, a tmpfs */
	int fd;
	struct volume_tree tree;
};

void pods_make(struct pods *p);
void pods_remove(struct pods *p);

/*
 * Makes the pod's directory and the volume, 0777 as kubelet does, and kubelet's marker.
 * options: mount options of a tmpfs of its own ("size=64k"); NULL: a plain directory.
 */
void pods_add(const struct pods *p, const struct volume_ref *ref, const char *options);

#define PODS_PATH 256
/* The path of the volume. */
void pods_path(const struct pods *p, const struct volume_ref *ref, char ret_path[static PODS_PATH]);

/* One volume, with the names that a record would remember. */
struct subject {
	struct pods pods;
	struct volume_ref ref;
	char path[PODS_PATH];
	struct volume v;
	struct volume_owner owner;
	char generation[GENERATION_NAME];
	char previous[GENERATION_NAME];
	struct volume_written written; /* of the last call */
	struct err err;
};

/* The volume is a directory of any file system, as init and sidecar have it: no marker. */
void subject_make_flat(struct subject *s, const char *path);

void subject_make(struct subject *s, const char *options);
void subject_remove(struct subject *s);

/* Removes all that is in a directory. */
void empty_directory(const char *path);
/* As far as it goes: somebody else is at work in it. */
bool try_empty_directory(const char *path);

/* The path of an entry of the volume. Good for the next seven calls. */
const char *subject_at(const struct subject *s, const char *name);

/* Puts a file there, with these bytes. */
void subject_put(const struct subject *s, const char *name, const char *bytes);

/* The pair number n: tls.crt, tls.key and bundle, each of them tells n. */
void pair_content(int n, struct content *ret);

/* Publishes pair n and looks at it in each way. */
void subject_published(struct subject *s, int n);

/* Publishes as the hand does: a new generation, the old one kept. -1 where the writer failed. */
int subject_publish(struct subject *s, int n);
int subject_publish_content(struct subject *s, struct content *content);

/* The entries of the root that do not begin with a dot, each followed by a space. */
void subject_expect_names(const struct subject *s, const char *expected);

/* Times of change of the root, the generation and the files of a pair. */
#define SUBJECT_TIMES 5
void subject_times(const struct subject *s, struct timespec ret[SUBJECT_TIMES]);

/* A name for a generation that was never used. */
void new_generation(char ret_name[static GENERATION_NAME]);

/* Verifies what the record names against a content. */
int subject_verify(struct subject *s, struct content *content, bool *ret_intact);

/*
 * The number of the pair that a reader gets who opens ..data once and reads both files from there;
 * 0: no ..data, or none any more; -1: a partial or mixed pair; -2: a file was not there.
 */
int pair_seen(const char *path);

/* The same by the links tls.crt and tls.key. */
int pair_seen_by_links(const char *path);

/*
 * What is in the directory: one line per entry in order of names, "name mode uid:gid -> target".
 */
char *directory_text(const char *path);

/* How many entries have the grammar of our generations, and how many begin with "..data_tmp". */
unsigned count_generations(const char *path);
bool has_temporary(const char *path);
