/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is behind struct k8s_config; for the files of k8s/ alone. */

#include "base/limits.h"
#include "k8s/config.h"
#include "k8s/credentials.h"

struct k8s_config {
	char *server;      /* "https://host:port", for people */
	char *base;        /* what a path is appended to; its host is the name in the certificate */
	char *host_header; /* "Host: host:port" where that is another, else NULL */
	char *connect_to;  /* "::host:port" for CURLOPT_CONNECT_TO, or NULL */
	char *resolve;     /* "host:port:address,..." for CURLOPT_RESOLVE, or NULL */
	char *proxy;       /* URL, or NULL */
	char *no_proxy;    /* list, or NULL */
	char *proxy_resolve; /* as resolve */
	char namespace[LIMIT_NAMESPACE + 1];
	bool insecure;        /* certificates are not checked */
	struct credential ca; /* not set: the machine's roots */
	struct credential cert;
	struct credential key;
	struct credential token;
};
