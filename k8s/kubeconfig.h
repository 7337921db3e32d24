/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a kubeconfig says about one context: the only user of libyaml. Nothing is opened, decoded or
 * judged here but the file itself; see k8s/config.c.
 * Source: client-go tools/clientcmd (api/v1/types.go, loader.go).
 */

#include "base/err.h"

/* Strings are owned, NULL where the file says nothing; paths are resolved against the directory of
 * the file that names them, data is still base64. */
struct kubeconfig {
	char *server;
	char *ca_file;
	char *ca_data;
	char *tls_server_name;
	char *proxy_url;
	bool insecure;
	char *cert_file;
	char *cert_data;
	char *key_file;
	char *key_data;
	char *token;
	char *token_file;
	char *namespace;
};

/*
 * paths    one file or several with colons; the first that says a thing wins, missing ones of
 *          several are passed over
 * context  NULL: current-context
 *
 * Errors:  NOT_FOUND  no file, no such context, cluster or user
 *          INVALID    no YAML of that kind; or credentials that we do not do (exec, auth-provider,
 *                     user name and password, impersonation)
 */
int kubeconfig_read(const char *paths, const char *context, struct kubeconfig *ret,
		    struct err *e) _must_check_;

/* Wipes and frees. */
void kubeconfig_done(struct kubeconfig *k);

#define _cleanup_kubeconfig_ _cleanup_(kubeconfig_done)
