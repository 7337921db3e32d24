/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a pod asks for a volume: the keys of the annotation certhup.io/volumes, which are the CSI attributes' names too (there prefixed
 * certhup.io/). One table drives parsing, the error texts and the reference page.
 */

#include "base/buf.h"
#include "road/outputs.h"

/* What a pod does not say; from the node's flags. */
struct attributes_defaults {
	int64_t splay_ms;
	int64_t settle_ms;       /* -1: LIMIT_SETTLE_MS, LIMIT_SETTLE_PROBE_MS with a probe */
	int64_t min_interval_ms; /* below LIMIT_MIN_INTERVAL_MS: that */
};

struct attributes {
	char secret[LIMIT_OBJECT_NAME + 1];
	struct outputs outputs;
	int32_t mode;     /* -1: by fsGroup and runAsUser */
	int64_t uid, gid; /* -1: the same */
	bool optional;    /* the pod may start without: no Event while the Secret is missing */
	int32_t signal;   /* 0: none */
	char container[LIMIT_CONTAINER_NAME + 1]; /* "": the only one that mounts the volume */
	char process[LIMIT_COMM + 1];             /* "": the container's first process */
	uint16_t probe_port;                      /* 0: no probe */
	char probe_sni[LIMIT_HOST_NAME + 1];      /* "": none */
	char probe_alpn[LIMIT_ALPN + 1];
	bool probe_client; /* the volume's own pair is the client certificate */
	int64_t min_interval_ms;
	int64_t splay_ms;
	int64_t settle_ms;
	bool rollback;
};

/* One row: name, default as text, what is allowed, and how it is taken. */
struct attribute {
	const char *name;
	const char *otherwise; /* the default, for people */
	const char *allowed;   /* for the error text and the reference page */
	const char *help;
	int (*set)(struct attributes *a,
		   const char *value); /* -1: the value is none of the allowed */
};

/* The table, ended by a row without a name. */
const struct attribute *attributes_table(void);

/* Defaults first, then attributes_set for each key, then attributes_finish. */
void attributes_init(struct attributes *a);

/* Errors: INVALID, with the key and the allowed values. */
int attributes_set(struct attributes *a, const char *key, const char *value,
		   struct err *e) _must_check_;

/* The same for a key that the one who said it knows by another name: a flag. */
int attributes_set_as(struct attributes *a, const char *key, const char *shown, const char *value,
		      struct err *e) _must_check_;

/* Checks the whole and puts defaults where nothing was said. Errors: INVALID. */
int attributes_finish(struct attributes *a, const struct attributes_defaults *defaults,
		      struct err *e) _must_check_;

/* The table as rows of Markdown, for docs/reference.md. */
int attributes_reference(struct buf *b, struct err *e) _must_check_;
