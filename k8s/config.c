/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/config.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "k8s/config_internal.h"
#include "k8s/kubeconfig.h"
#include "k8s/resolve.h"
#include "k8s/url.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

static int set_text(char **to, const char *from, struct err *e)
{
	*to = strdup(from);
	return *to ? 0 : err_sys(e, "load the configuration");
}

static int set_namespace(struct k8s_config *c, const char *namespace, struct err *e)
{
	if (text_copy(c->namespace, sizeof(c->namespace), namespace) < 0)
		return err_set(e, ERR_INVALID, "the namespace has more than %d characters",
			       LIMIT_NAMESPACE);
	return 0;
}

/* Splits the server's URL, and says where to connect and which name the certificate must have. */
static int set_server(struct k8s_config *c, const char *server, const char *tls_name, struct err *e)
{
	_cleanup_(url_done) struct url u = {0};

	if (url_parse(server, &u, e) < 0)
		return err_add(e, "server %s", server);
	if (strcmp(u.scheme, "https") != 0)
		return err_set(e, ERR_INVALID,
			       "server %s is not https: credentials and keys go over TLS only",
			       server);
	if (asprintf(&c->server, "https://%s:%s", u.host, u.port) < 0)
		c->server = NULL;
	if (asprintf(&c->base, "https://%s:%s%s", tls_name ? tls_name : u.host, u.port, u.path) < 0)
		c->base = NULL;
	if (tls_name && asprintf(&c->host_header, "Host: %s:%s", u.host, u.port) < 0)
		c->host_header = NULL;
	if (tls_name && asprintf(&c->connect_to, "::%s:%s", u.host, u.port) < 0)
		c->connect_to = NULL;
	if (!c->server || !c->base || (tls_name && (!c->host_header || !c->connect_to)))
		return err_set(e, ERR_EXHAUSTED, "load the configuration: no memory");
	/* A proxy is given the name. */
	return c->proxy ? 0 : resolve_host(u.host, u.port, &c->resolve, e);
}

static int set_proxy(struct k8s_config *c, const char *proxy, struct err *e)
{
	static const char *const schemes[] = {"http", "https", "socks5", "socks5h"};
	_cleanup_(url_done) struct url u = {0};
	bool known = false;

	if (url_parse(proxy, &u, e) < 0)
		return err_add(e, "proxy");
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		known = known || strcmp(u.scheme, schemes[i]) == 0;
	if (!known)
		return err_set(e, ERR_INVALID, "the proxy is of kind %s: use http, https or socks5",
			       u.scheme);
	if (set_text(&c->proxy, proxy, e) < 0)
		return -1;
	return resolve_host(u.host, u.port, &c->proxy_resolve, e);
}

static const char *env_of(const char *upper, const char *lower)
{
	const char *value = getenv(upper);

	return value && *value ? value : getenv(lower);
}

static int set_proxy_from_env(struct k8s_config *c, struct err *e)
{
	const char *proxy = env_of("HTTPS_PROXY", "https_proxy");
	const char *no_proxy = env_of("NO_PROXY", "no_proxy");

	if (c->proxy || !proxy || !*proxy)
		return 0;
	if (no_proxy && set_text(&c->no_proxy, no_proxy, e) < 0)
		return -1;
	return set_proxy(c, proxy, e);
}

/* Data wins over the file. */
static int set_credential(struct credential *c, const char *file, const char *data, struct err *e)
{
	if (data)
		return credential_set_base64(c, data, e);
	return file ? set_text(&c->path, file, e) : 0;
}

static int use_kubeconfig(struct k8s_config *c, const struct kubeconfig *k, struct err *e)
{
	if (!k->server)
		return err_set(e, ERR_INVALID, "the cluster has no server");
	if ((k->proxy_url && set_proxy(c, k->proxy_url, e) < 0) ||
	    set_credential(&c->ca, k->ca_file, k->ca_data, e) < 0 ||
	    set_credential(&c->cert, k->cert_file, k->cert_data, e) < 0 ||
	    set_credential(&c->key, k->key_file, k->key_data, e) < 0)
		return -1;
	if (credential_is_set(&c->cert) != credential_is_set(&c->key))
		return err_set(e, ERR_INVALID,
			       "a client certificate needs its key, and a key its certificate");
	if (k->insecure && credential_is_set(&c->ca))
		return err_set(e, ERR_INVALID,
			       "insecure-skip-tls-verify and certificate-authority exclude each "
			       "other: remove insecure-skip-tls-verify");
	if (k->token_file)
		return set_text(&c->token.path, k->token_file, e);
	return k->token ? credential_set(&c->token, k->token, strlen(k->token), e) : 0;
}

static int load_kubeconfig(struct k8s_config *c, const struct k8s_config_options *o,
			   const char *paths, struct err *e)
{
	_cleanup_kubeconfig_ struct kubeconfig k = {0};

	if (kubeconfig_read(paths, o->context, &k, e) < 0) {
		err_add(e, "kubeconfig");
		return credential_denied(e);
	}
	if (use_kubeconfig(c, &k, e) < 0 || (o->use_proxy_env && set_proxy_from_env(c, e) < 0) ||
	    (k.namespace && set_namespace(c, k.namespace, e) < 0) ||
	    set_server(c, k.server, k.tls_server_name, e) < 0)
		return err_add(e, "kubeconfig");
	c->insecure = k.insecure;
	if (c->insecure)
		log_warn("api.insecure", L_STR(LOG_URL, c->server),
			 L_STR(LOG_MESSAGE, "the API server's certificate is not checked"));
	return 0;
}

static int load_in_cluster(struct k8s_config *c, const struct k8s_config_options *o,
			   const char *host, const char *port, struct err *e)
{
	const char *dir = o->service_account_dir ? o->service_account_dir : SERVICE_ACCOUNT_DIR;
	_cleanup_free_ char *server = NULL;
	_cleanup_free_ char *file = NULL;
	_cleanup_buf_ struct buf namespace = {.max = LIMIT_NAMESPACE + 1};
	bool v6 = strchr(host, ':') != NULL;

	if (asprintf(&server, v6 ? "https://[%s]:%s" : "https://%s:%s", host, port) < 0) {
		server = NULL;
		return err_set(e, ERR_EXHAUSTED, "load the configuration: no memory");
	}
	if (asprintf(&c->token.path, "%s/token", dir) < 0)
		c->token.path = NULL;
	if (asprintf(&c->ca.path, "%s/ca.crt", dir) < 0)
		c->ca.path = NULL;
	if (asprintf(&file, "%s/namespace", dir) < 0)
		file = NULL;
	if (!c->token.path || !c->ca.path || !file)
		return err_set(e, ERR_EXHAUSTED, "load the configuration: no memory");
	if (file_read(AT_FDCWD, file, &namespace, e) == 0) {
		namespace.data[strcspn(namespace.data, " \n\r\t")] = '\0';
		if (set_namespace(c, namespace.data, e) < 0)
			return -1;
	} else if (e->sys != ENOENT) {
		return err_add(e, "in cluster");
	}
	if (o->use_proxy_env && set_proxy_from_env(c, e) < 0)
		return -1;
	return set_server(c, server, NULL, e);
}

static int load(struct k8s_config *c, const struct k8s_config_options *o, struct err *e)
{
	const char *env = getenv("KUBECONFIG");
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	const char *home = getenv("HOME");
	_cleanup_free_ char *file = NULL;

	if (o->kubeconfig)
		return load_kubeconfig(c, o, o->kubeconfig, e);
	if (env && *env)
		return load_kubeconfig(c, o, env, e);
	if (host && *host && port && *port)
		return load_in_cluster(c, o, host, port, e);
	if (asprintf(&file, "%s/.kube/config", home ? home : "") < 0) {
		file = NULL;
		return err_set(e, ERR_EXHAUSTED, "load the configuration: no memory");
	}
	if (access(file, F_OK) < 0)
		return err_set(e, ERR_NOT_FOUND,
			       "not in a cluster (KUBERNETES_SERVICE_HOST is not set) and no "
			       "kubeconfig at %s: name one with --kubeconfig or KUBECONFIG",
			       file);
	return load_kubeconfig(c, o, file, e);
}

int k8s_config_load(const struct k8s_config_options *options, struct k8s_config **ret,
		    struct err *e)
{
	_cleanup_(k8s_config_freep) struct k8s_config *c = calloc(1, sizeof(*c));

	if (!c)
		return err_sys(e, "load the configuration");
	c->ca = (struct credential){.what = "CA", .max = LIMIT_CA_BUNDLE};
	c->cert = (struct credential){.what = "client certificate", .max = LIMIT_CA_BUNDLE};
	c->key = (struct credential){.what = "client key", .max = LIMIT_TOKEN};
	c->token = (struct credential){.what = "token", .max = LIMIT_TOKEN, .is_token = true};
	if (set_namespace(c, "default", e) < 0 || load(c, options, e) < 0)
		return -1;
	*ret = TAKE(c);
	return 0;
}

struct k8s_config *k8s_config_free(struct k8s_config *c)
{
	if (!c)
		return NULL;
	credential_done(&c->ca);
	credential_done(&c->cert);
	credential_done(&c->key);
	credential_done(&c->token);
	free(c->server);
	free(c->base);
	free(c->host_header);
	free(c->connect_to);
	free(c->resolve);
	free(c->proxy);
	free(c->no_proxy);
	free(c->proxy_resolve);
	free(c);
	return NULL;
}

const char *k8s_config_namespace(const struct k8s_config *c)
{
	return c->namespace;
}

const char *k8s_config_server(const struct k8s_config *c)
{
	return c->server;
}

static size_t add_dir(const struct credential *c, size_t count,
		      char ret_dirs[K8S_CONFIG_DIRS][PATH_MAX])
{
	const char *slash = c->path ? strrchr(c->path, '/') : NULL;
	size_t len = slash ? (size_t)(slash - c->path) : 0;

	if (!c->path || len + 1 >= PATH_MAX)
		return count;
	/* "ca.crt" is in ".", and "/ca.crt" in "/". */
	snprintf(ret_dirs[count], PATH_MAX, "%.*s", (int)(len ? len : 1), slash ? c->path : ".");
	for (size_t i = 0; i < count; i++)
		if (strcmp(ret_dirs[i], ret_dirs[count]) == 0)
			return count;
	return count + 1;
}

size_t k8s_config_dirs(const struct k8s_config *c, char ret_dirs[K8S_CONFIG_DIRS][PATH_MAX])
{
	size_t count = add_dir(&c->ca, 0, ret_dirs);

	count = add_dir(&c->cert, count, ret_dirs);
	count = add_dir(&c->key, count, ret_dirs);
	return add_dir(&c->token, count, ret_dirs);
}
