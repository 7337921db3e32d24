/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A TLS server that says what a test wants it to, byte by byte: for what no API server does on
 * purpose. It runs in a process of its own, and in one more for each connection.
 */

#include "k8s/config.h"

#include <stdatomic.h>

#include <sys/types.h>

#define TALK_LOGGED 256

/* Seen by the test and by the server's processes. */
struct talk_log {
	atomic_int connections;
	atomic_int requests;
	atomic_int at[8]; /* for the script */
	struct {
		char line[512]; /* "GET /path HTTP/1.1" */
		char authorization[256];
		int64_t at_ms;
	} request[TALK_LOGGED];
};

struct talk {
	struct talk_log *log;
	int nth;           /* request of the server, from 0 */
	int on_connection; /* request of this connection, from 0 */
	char head[8192];   /* request line and headers */
	void *ssl;
	int fd;
};

/* Answers one request; false closes the connection. Runs in another process than the test. */
typedef bool (*talk_fn)(struct talk *t, const void *arg);

struct talker {
	pid_t pid;
	uint16_t port;
	int listener;
	struct talk_log *log;
	char dir[64];        /* kubeconfig, ca.crt and token are here */
	char kubeconfig[96]; /* its path */
};

/* Listens on 127.0.0.1 with a certificate of a CA of its own, and writes a kubeconfig for it with
 * the token "token-1" in a file. Fails the test when it can not. */
void talker_start(struct talker *t, talk_fn fn, const void *arg);
void talker_stop(struct talker *t);
struct k8s_config *talker_config(const struct talker *t);
void talker_set_token(const struct talker *t, const char *token);
/* Puts another CA's certificate into ca.crt. */
void talker_write_other_ca(const struct talker *t);
/* Ends it; its port refuses connections from then on. talker_stop is still to be called. */
void talker_kill(const struct talker *t);
/* SIGSTOP and SIGCONT for all of its processes: a black hole. */
void talker_freeze(const struct talker *t, bool freeze);

/* For scripts. */
bool talk_write(struct talk *t, const void *data, size_t len);
bool talk_printf(struct talk *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Status line, Content-Type, Content-Length, body. extra: headers with CRLF, or "". */
bool talk_answer(struct talk *t, int code, const char *extra, const char *body);
/* The head of a chunked 200, then chunks. */
bool talk_stream(struct talk *t);
bool talk_chunk(struct talk *t, const void *data, size_t len);
bool talk_is(const struct talk *t, const char *part); /* the request line holds it */
void talk_sleep(int ms);
void talk_until(struct talk *t, int i, int value); /* at[i] >= value, at most 20 s */
