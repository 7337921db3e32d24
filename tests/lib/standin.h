/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The stand-in API server for cmocka tests: a process of its own, with a directory of its own,
 * which ends with the test. What goes wrong here fails the test. Commands are those of
 * tests/apiserver/README.md.
 */

#include "base/defs.h"

#include <stdbool.h>
#include <sys/types.h>

struct standin {
	pid_t pid;
	int admin; /* connected to the admin socket */
	uint16_t port;
	char dir[64];         /* made by standin_start, removed by standin_stop */
	char kubeconfig[128]; /* DIR/kubeconfig: contexts admin, admin-file, admin-cert */
	char url[64];         /* "https://127.0.0.1:40001" */
	char token[64];       /* of the user admin, who may do everything */
};

/* Returns when it serves. options: more words of its command line, NULL at the end; or NULL. */
void standin_start(struct standin *s, const char *const *options);
/* Stops it, and takes its directory away. The test fails when the server did not end well, as after
 * a report of the sanitizers. Accepts one that was not started. */
void standin_stop(struct standin *s);

/* Ends the process with a signal and starts it again on the same port with the same CA and token;
 * the objects are lost. */
void standin_kill(struct standin *s, int signal);
void standin_again(struct standin *s);

/* One command, as printf makes it. Returns what the server says; free it. */
char *standin_do(struct standin *s, const char *fmt, ...) _printf_(2, 3);
/* The same where the answer does not matter. */
void standin_tell(struct standin *s, const char *fmt, ...) _printf_(2, 3);

/* Puts an object whole, or an array of them, whatever was there: {"kind": "Secret", "metadata":
 * {"name": ...}, "stringData": {...}}. The namespace is "default" where it says nothing. */
void standin_put(struct standin *s, const char *object);
/* A Secret of type kubernetes.io/tls from PEM texts; ca may be NULL. */
void standin_put_tls(struct standin *s, const char *ns, const char *name, const char *crt,
		     const char *key, const char *ca);
/* patch: JSON, RFC 7386. */
void standin_patch(struct standin *s, const char *resource, const char *ns, const char *name,
		   const char *patch);
void standin_delete(struct standin *s, const char *resource, const char *ns, const char *name);
/* The object as JSON, NULL when it is not there; free it. */
char *standin_get(struct standin *s, const char *resource, const char *ns, const char *name);

/* How many requests came with this verb ("get", "watch", "POST"), or any when NULL, whose path and
 * query contain this text. */
size_t standin_count(struct standin *s, const char *verb, const char *path);
/* Waits until there are so many; false when timeout_ms is over. For tests whose client is another
 * process. */
bool standin_await(struct standin *s, const char *verb, const char *path, size_t count,
		   int timeout_ms);
/* All requests, one a line: number, ms, connection, method, verb, target, user, status, "token" or
 * "-", agent. Free it. */
char *standin_log(struct standin *s);

/* A token for a user, who may do nothing until standin_allow. */
void standin_token(struct standin *s, const char *token, const char *user);
/* rule: as in tests/apiserver/auth.h. */
void standin_allow(struct standin *s, const char *rule);
