/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The options of a libcurl handle, and what its errors mean; for the files of k8s/ alone. */

#include "k8s/config_internal.h"

#include <curl/curl.h>

struct easy_lists {
	struct curl_slist *headers;
	struct curl_slist *resolve;
	struct curl_slist *connect_to;
};
void easy_lists_done(struct easy_lists *l);

/* Server, TLS, credentials, connection: all that is not of one request. The lists must outlive the
 * transfer. Reads credential files again when they changed. */
int easy_set_server(CURL *easy, struct k8s_config *c, struct easy_lists *lists,
		    struct err *e) _must_check_;

int easy_add_header(struct easy_lists *l, struct err *e, const char *fmt, ...)
    _printf_(3, 4) _must_check_;

/* text: CURLOPT_ERRORBUFFER. Returns -1. */
int easy_failure(const struct k8s_config *c, CURLcode r, const char *text, struct err *e);
