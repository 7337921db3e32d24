/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/status.h"

#include <string.h>

static enum err_kind kind_of(int code)
{
	switch (code) {
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
		return ERR_NOT_FOUND;
	case 409:
		return ERR_CONFLICT;
	case 410:
		return ERR_EXPIRED;
	case 413:
		return ERR_EXHAUSTED;
	case 429:
		return ERR_UNAVAILABLE;
	case 504:
		return ERR_TIMEOUT;
	default:
		return code >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;
	}
}

static int fill(int code, const char *words, struct err *e)
{
	size_t len = strcspn(words, "\r\n");

	if (code >= 300 && code < 400)
		return err_set(
		    e, ERR_INVALID,
		    "HTTP %d: redirects are not followed (does the server's URL name the "
		    "API server itself?)",
		    code);
	err_set(e, kind_of(code), "HTTP %d: %.*s", code, (int)(len < 300 ? len : 300), words);
	if (code == 401)
		err_tail(e, "the server does not know our credentials: is the token expired, or of "
			    "another cluster?");
	return -1;
}

int status_of_object(int code, const struct json *status, struct err *e)
{
	const char *words = json_text(status, "message", NULL);

	return fill(code, words ? words : "the server gave no reason", e);
}

int status_judge(const struct transfer_end *end, struct err *e)
{
	err_clear(e);
	if (end->e) {
		*e = *end->e;
		return -1;
	}
	if (end->code >= 200 && end->code < 300)
		return 0;
	if (json_text(end->document, "message", NULL))
		return status_of_object(end->code, end->document, e);
	return fill(end->code, end->text[0] ? end->text : "the server gave no reason", e);
}

int64_t status_retry_after(const struct transfer_end *end)
{
	int64_t s = json_int(json_at(end->document, "details", "retryAfterSeconds", NULL), -1);

	if (end->retry_after_ms >= 0 || s < 0 || (end->code >= 200 && end->code < 300))
		return end->retry_after_ms;
	return s < LIMIT_RETRY_AFTER_MS / SECOND_MS ? s * SECOND_MS : LIMIT_RETRY_AFTER_MS;
}

bool status_is_too_large_rv(int code, const struct json *status)
{
	const struct json *causes = json_at(status, "details", "causes", NULL);

	for (size_t i = 0; code == 504 && i < json_length(causes); i++) {
		const char *reason = json_text(json_item(causes, i), "reason", NULL);

		if (reason && strcmp(reason, "ResourceVersionTooLarge") == 0)
			return true;
	}
	return false;
}
