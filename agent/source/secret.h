/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The source `secret`: one Secret of the cert-manager kind, watched by name. Nothing of its content is kept: it is told
 * when it comes, and read again when it is needed again.
 */

#include "base/content.h"
#include "base/reason.h"
#include "k8s/watch.h"

struct secret_source;

/* A Secret as it is now. Borrowed during the callback. */
struct secret_object {
	const char *namespace_;
	const char *name;
	char uid[LIMIT_UID + 1];
	char resource_version[LIMIT_RESOURCE_VERSION + 1];
	bool temporary; /* cert-manager.io/issue-temporary-certificate: "true" */
	bool next_key;  /* label cert-manager.io/next-private-key: "true" */
	bool allow_ca;  /* certhup.io/allow-ca: "true" */
	const char
	    *allow_accounts; /* certhup.io/allow-service-accounts: names with commas; "" none */
	enum reason
	    flaw; /* TOO_LARGE, BAD_NAME, BAD_PEM: data is empty then and detail says which key */
	char detail[256];
	struct content data; /* decoded; owned by the source */
	int64_t read_ms;     /* monotonic: the last byte of it had been read */
};

struct secret_source_callbacks {
	void (*on_secret)(void *arg, struct secret_object *secret);
	void (*on_absent)(void *arg);
	/* The API server cannot be asked, or may not be: e says why and what helps. NULL: it can again. */
	void (*on_trouble)(void *arg, const struct err *e);
};

/*
 * Watches from now on, until freed. Strings are copied. A callback may free the source.
 *
 * Errors:  INVALID    the names are none that Kubernetes allows
 *          EXHAUSTED  memory
 */
int secret_source_new(struct k8s_client *client, const char *namespace_, const char *name,
		      const struct secret_source_callbacks *callbacks, void *arg,
		      struct secret_source **ret, struct err *e) _must_check_;
struct secret_source *secret_source_free(struct secret_source *s);

/* Reads it again now: on_secret or on_absent follows, also when nothing changed. */
int secret_source_reread(struct secret_source *s, struct err *e) _must_check_;

/* True when the account is named in a list as certhup.io/allow-service-accounts holds it. */
bool secret_allows_account(const char *allow_accounts, const char *account);
