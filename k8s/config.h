/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the API server is and who we are: in cluster, or from a kubeconfig.
 * Source: client-go rest.InClusterConfig and clientcmd.
 */

#include <limits.h>

#include "base/err.h"

struct k8s_config;

/* How the caller wants it; unset strings are NULL. */
struct k8s_config_options {
	const char *kubeconfig; /* path; NULL: KUBECONFIG, else in cluster, else ~/.kube/config */
	const char *context;    /* NULL: current-context */
	const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
	bool use_proxy_env;              /* HTTPS_PROXY and NO_PROXY are obeyed only then */
};

/*
 * Loads the configuration; files it names are read when they are needed, and again when they
 * change. A host name in the server's URL is resolved here, once, because later there is no
 * resolver in the sandbox.
 *
 * Errors:  NOT_FOUND  no kubeconfig, no context of that name, not in a cluster
 *          INVALID    the file is no kubeconfig; the server is not https; exec or auth-provider is
 * used
 */
int k8s_config_load(const struct k8s_config_options *options, struct k8s_config **ret,
		    struct err *e) _must_check_;
struct k8s_config *k8s_config_free(struct k8s_config *c);

/* The namespace of the context or of the pod; "default" where nothing says. Borrowed. */
const char *k8s_config_namespace(const struct k8s_config *c);
/* "https://10.96.0.1:443", for logs. Borrowed. */
const char *k8s_config_server(const struct k8s_config *c);

#define K8S_CONFIG_DIRS 4

/* The directories of the files that are read again when they change: what a sandbox has to leave open. Returns how many. */
size_t k8s_config_dirs(const struct k8s_config *c, char ret_dirs[K8S_CONFIG_DIRS][PATH_MAX]);

static inline void k8s_config_freep(struct k8s_config **c)
{
	*c = k8s_config_free(*c);
}
