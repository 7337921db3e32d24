/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What init and sidecar find in a pod: a directory that its containers share, and the credentials
 * of a ServiceAccount at the stand-in API server, readable for the uid they run as.
 */

#include "tests/lib/pki.h"
#include "tests/lib/program.h"
#include "tests/lib/standin.h"

#define IN_POD_UID 65532  /* of the container */
#define IN_POD_GROUP 2000 /* the pod's fsGroup */
#define IN_POD_OTHER 1234 /* another container's */

struct in_pod {
	struct standin api;
	struct pki pki;
	char dir[64];         /* all of it */
	char volume[96];      /* the shared directory: root's, 1777 */
	char tls[128];        /* volume/certhup */
	char kubeconfig[128]; /* with the account's token */
};

/* The account may get and watch Secrets of the namespace "default". */
void in_pod_start(struct in_pod *p);
void in_pod_stop(struct in_pod *p);

/* An empty volume again, of this mode and group. */
void in_pod_volume(struct in_pod *p, unsigned mode, unsigned group);

/* Puts a new pair into the Secret web-tls; what may be NULL. */
void in_pod_rotate(struct in_pod *p, const struct pki_cert *what, struct pki_pair *ret);

/* Takes the Secret away, if it is there. */
void in_pod_forget(struct in_pod *p);

/* A kubeconfig with this token, in p->dir. ret_path has 128 bytes. */
void in_pod_kubeconfig(const struct in_pod *p, const char *token, char *ret_path);

/* Whether p->tls/name can be read as that uid and group, and is text. */
bool in_pod_reads(const struct in_pod *p, const char *name, unsigned uid, unsigned group,
		  const char *text);

/* Waits until it is so, for root. */
bool in_pod_holds(const struct in_pod *p, const char *name, const char *text, int timeout_ms);

/* What is in p->tls: generations (directories that begin with ".."), and all entries. */
size_t in_pod_generations(const struct in_pod *p, size_t *ret_entries);

/* The pod of this test program, made and removed by the group's fixtures; in_pod_setup gives each
 * test an empty volume and no Secret. */
extern struct in_pod pod;
int in_pod_setup_group(void **state);
int in_pod_teardown_group(void **state);
int in_pod_setup(void **state);

/* A container of it: IN_POD_UID, no groups. */
extern const struct program_options as_container;

/* The words of init or sidecar for the Secret web-tls in the pod's volume. */
#define IN_POD(command, ...)                                                                       \
	WORDS("certhup", (command), "--secret=web-tls", "--kubeconfig", pod.kubeconfig, "--dir",   \
	      pod.volume, __VA_ARGS__)
