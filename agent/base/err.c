/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/err.h"

#include <stdarg.h>
#include <string.h>

/* Truncation is meant: a message has a fixed size. */
#pragma GCC diagnostic ignored "-Wformat-truncation"

static const struct err_meaning meanings[ERR_KINDS] = {
    [ERR_NONE] = {"none", 0, false},
    [ERR_INVALID] = {"invalid", 3, false},
    [ERR_NOT_FOUND] = {"not_found", 5, true},
    [ERR_DENIED] = {"denied", 7, true},
    [ERR_CONFLICT] = {"conflict", 10, true},
    [ERR_EXHAUSTED] = {"exhausted", 8, true},
    [ERR_UNAVAILABLE] = {"unavailable", 14, true},
    [ERR_TIMEOUT] = {"timeout", 4, true},
    [ERR_EXPIRED] = {"expired", 11, true},
    [ERR_CANCELLED] = {"cancelled", 1, false},
    [ERR_INTERNAL] = {"internal", 13, true},
};

const struct err_meaning *err_meaning(enum err_kind kind)
{
	return &meanings[(unsigned)kind < ERR_KINDS ? kind : ERR_INTERNAL];
}

static enum err_kind kind_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
	case ESTALE:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EFBIG:
	case E2BIG:
		return ERR_EXHAUSTED;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case EBUSY:
	case EEXIST:
	case EADDRINUSE:
		return ERR_CONFLICT;
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
	case EPIPE:
	case EAGAIN:
		return ERR_UNAVAILABLE;
	case EINVAL:
	case EISDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV:
		return ERR_INVALID;
	default:
		return ERR_INTERNAL;
	}
}

void err_fill(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	char text[ERR_MESSAGE_SIZE]; /* an argument may be the old message */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->kind = kind;
	e->sys = 0;
	memcpy(e->message, text, sizeof(text));
}

void err_fill_sys(struct err *e, int sys, const char *fmt, ...)
{
	char text[ERR_MESSAGE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->kind = kind_of_errno(sys);
	e->sys = sys;
	snprintf(e->message, sizeof(e->message), "%s: %s", text, strerror(sys));
}

void err_fill_front(struct err *e, const char *fmt, ...)
{
	char context[ERR_MESSAGE_SIZE];
	char message[ERR_MESSAGE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(message, e->message, sizeof(message));
	snprintf(e->message, sizeof(e->message), "%s: %s", context, message);
}

void err_fill_back(struct err *e, const char *fmt, ...)
{
	char tail[ERR_MESSAGE_SIZE];
	size_t used = strlen(e->message);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(tail, sizeof(tail), fmt, ap);
	va_end(ap);
	snprintf(e->message + used, sizeof(e->message) - used, "; %s", tail);
}

void err_clear(struct err *e)
{
	e->kind = ERR_NONE;
	e->sys = 0;
	e->message[0] = '\0';
}
