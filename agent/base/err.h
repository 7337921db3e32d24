/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * The error idiom. A function that can fail returns 0 or -1 and fills the caller's struct err,
 * which is of fixed size: it needs no free and works when memory is gone. Context is added on the
 * way up
 * ("volume tls of pod web-0: open tls.crt: Permission denied"), and the whole is logged once, at
 * the edge.
 */

#include "base/defs.h"

#include <errno.h>
#include <stdbool.h>

#define ERR_MESSAGE_SIZE 512

enum err_kind {
	ERR_NONE = 0,
	ERR_INVALID,     /* the input is wrong and stays so until somebody changes it */
	ERR_NOT_FOUND,   /* the object is not there */
	ERR_DENIED,      /* we, or the pod, may not */
	ERR_CONFLICT,    /* somebody else changed it, or it is busy */
	ERR_EXHAUSTED,   /* a budget or maximum is reached */
	ERR_UNAVAILABLE, /* the other side is away */
	ERR_TIMEOUT,     /* the time given is over */
	ERR_EXPIRED,     /* 410: the history that was asked for is gone */
	ERR_CANCELLED,   /* we stopped it ourselves */
	ERR_INTERNAL,    /* a fault of ours or of the kernel */
	ERR_KINDS
};

struct err {
	enum err_kind kind;
	int sys; /* errno, 0 where there is none */
	char
	    message[ERR_MESSAGE_SIZE]; /* one sentence for people; never holds input values that may
					  be secret */
};

/* What a kind means elsewhere. One table, so that the same failure has the same name everywhere. */
struct err_meaning {
	const char *label; /* metric label and log field */
	int grpc;          /* gRPC status code */
	bool may_retry;    /* trying again later can help without anybody changing anything */
};

const struct err_meaning *err_meaning(enum err_kind kind);

/*
 * Each of these fills e and has the value -1, so that callers can write:
 * return err_set(e, ERR_INVALID, "..."); They are macros over functions for the sake of compiler and
 * analysers, which thus see the -1.
 */
#define err_set(e, kind, ...) (err_fill(e, kind, __VA_ARGS__), err_failed())

/* As err_set, with errno: the kind follows from it and ": strerror" is appended. */
#define err_sys(e, ...) (err_fill_sys(e, errno, __VA_ARGS__), err_failed())

/* As err_sys, with the errno given. */
#define err_sys_num(e, sys, ...) (err_fill_sys(e, sys, __VA_ARGS__), err_failed())

/* Puts context in front of the message ("context: message"). */
#define err_add(e, ...) (err_fill_front(e, __VA_ARGS__), err_failed())

/* Appends a sentence behind the message ("message; tail"). */
#define err_tail(e, ...) (err_fill_back(e, __VA_ARGS__), err_failed())

void err_fill(struct err *e, enum err_kind kind, const char *fmt, ...) _printf_(3, 4);
void err_fill_sys(struct err *e, int sys, const char *fmt, ...) _printf_(3, 4);
void err_fill_front(struct err *e, const char *fmt, ...) _printf_(2, 3);
void err_fill_back(struct err *e, const char *fmt, ...) _printf_(2, 3);

static inline int err_failed(void)
{
	return -1;
}

void err_clear(struct err *e);
