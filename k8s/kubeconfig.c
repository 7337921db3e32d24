/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/kubeconfig.h"

#include "base/file.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include <yaml.h>

struct document {
	yaml_document_t yaml;
	char path[PATH_MAX];
};

struct documents {
	struct document *all[LIMIT_KUBECONFIG_FILES]; /* owned */
	size_t count;
};

/* A mapping, and the document that it stands in. */
struct place {
	struct document *document;
	yaml_node_t *node;
};

static void documents_done(struct documents *d)
{
	for (size_t i = 0; i < d->count; i++) {
		yaml_document_delete(&d->all[i]->yaml);
		free(d->all[i]);
	}
}

static yaml_node_t *node_at(struct document *d, int index)
{
	return yaml_document_get_node(&d->yaml, index);
}

static bool scalar_is(const yaml_node_t *n, const char *text)
{
	return n && n->type == YAML_SCALAR_NODE && n->data.scalar.length == strlen(text) &&
	       memcmp(n->data.scalar.value, text, n->data.scalar.length) == 0;
}

static yaml_node_t *member(struct place p, const char *key)
{
	if (!p.node || p.node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = p.node->data.mapping.pairs.start;
	     pair < p.node->data.mapping.pairs.top; pair++)
		if (scalar_is(node_at(p.document, pair->key), key))
			return node_at(p.document, pair->value);
	return NULL;
}

/* A string that is not empty; NULL otherwise. Borrowed. */
static const char *text(struct place p, const char *key)
{
	const yaml_node_t *n = member(p, key);

	if (!n || n->type != YAML_SCALAR_NODE || n->data.scalar.length == 0 ||
	    strcmp((const char *)n->tag, YAML_NULL_TAG) == 0 || scalar_is(n, "null") ||
	    scalar_is(n, "~"))
		return NULL;
	return (const char *)n->data.scalar.value;
}

static int copy_text(struct place p, const char *key, char **ret, struct err *e)
{
	const char *value = text(p, key);

	if (value && !(*ret = strdup(value)))
		return err_sys(e, "read %s", p.document->path);
	return 0;
}

/* As copy_text, of a path: a relative one starts in the directory of the kubeconfig. */
static int copy_path(struct place p, const char *key, char **ret, struct err *e)
{
	const char *value = text(p, key);
	const char *slash = strrchr(p.document->path, '/');
	int dir_len = slash ? (int)(slash - p.document->path) + 1 : 0;

	if (!value)
		return 0;
	if (value[0] == '/')
		dir_len = 0;
	if (asprintf(ret, "%.*s%s", dir_len, p.document->path, value) < 0) {
		*ret = NULL;
		return err_set(e, ERR_EXHAUSTED, "read %s: no memory", p.document->path);
	}
	return 0;
}

static int parse(const struct buf *file, struct document *d, struct err *e)
{
	yaml_parser_t parser;
	int ok;

	if (!yaml_parser_initialize(&parser))
		return err_set(e, ERR_EXHAUSTED, "read %s: no memory", d->path);
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf_str(file), file->len);
	ok = yaml_parser_load(&parser, &d->yaml);
	if (!ok)
		err_set(e, ERR_INVALID, "%s, line %zu: %s", d->path, parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "no YAML");
	yaml_parser_delete(&parser);
	return ok ? 0 : -1;
}

static int add_document(struct documents *all, const char *path, size_t len, struct err *e)
{
	_cleanup_buf_ struct buf file = {.max = LIMIT_KUBECONFIG};
	_cleanup_free_ struct document *d = calloc(1, sizeof(*d));

	if (!d)
		return err_sys(e, "read a kubeconfig");
	if (len >= sizeof(d->path))
		return err_set(e, ERR_INVALID, "the path of a kubeconfig is longer than %zu bytes",
			       sizeof(d->path) - 1);
	memcpy(d->path, path, len);
	if (all->count == ARRAY_LEN(all->all))
		return err_set(e, ERR_EXHAUSTED, "more than %zu kubeconfig files",
			       ARRAY_LEN(all->all));
	if (file_read(AT_FDCWD, d->path, &file, e) < 0 || parse(&file, d, e) < 0)
		return -1;
	all->all[all->count++] = TAKE(d);
	return 0;
}

static int read_documents(const char *paths, struct documents *all, struct err *e)
{
	bool several = strchr(paths, ':') != NULL;

	for (const char *p = paths; *p;) {
		size_t len = strcspn(p, ":");

		if (len && add_document(all, p, len, e) < 0 && (!several || e->sys != ENOENT))
			return -1;
		p += len + (p[len] == ':');
	}
	if (all->count == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no kubeconfig at %s", paths);
	return 0;
}

static struct place root(struct document *d)
{
	return (struct place){d, yaml_document_get_root_node(&d->yaml)};
}

/* The mapping of that name in a list such as "clusters: [{name: x, cluster: {...}}]". */
static int find(const struct documents *all, const char *list, const char *kind, const char *name,
		struct place *ret, struct err *e)
{
	for (size_t i = 0; i < all->count; i++) {
		yaml_node_t *seq = member(root(all->all[i]), list);

		if (!seq || seq->type != YAML_SEQUENCE_NODE)
			continue;
		for (yaml_node_item_t *item = seq->data.sequence.items.start;
		     item < seq->data.sequence.items.top; item++) {
			struct place entry = {all->all[i], node_at(all->all[i], *item)};

			if (!scalar_is(member(entry, "name"), name))
				continue;
			*ret = (struct place){all->all[i], member(entry, kind)};
			return 0;
		}
	}
	err_set(e, ERR_NOT_FOUND,
		"the kubeconfig has no %s named '%s' (`kubectl config view` shows what it has)",
		kind, name);
	return -1;
}

static int copy_bool(struct place p, const char *key, bool *ret, struct err *e)
{
	const char *value = text(p, key);

	if (!value || strcmp(value, "false") == 0)
		return 0;
	if (strcmp(value, "true") != 0)
		return err_set(e, ERR_INVALID, "%s: %s must be true or false", p.document->path,
			       key);
	*ret = true;
	return 0;
}

static int read_cluster(struct place p, struct kubeconfig *k, struct err *e)
{
	if (copy_text(p, "server", &k->server, e) < 0 ||
	    copy_path(p, "certificate-authority", &k->ca_file, e) < 0 ||
	    copy_text(p, "certificate-authority-data", &k->ca_data, e) < 0 ||
	    copy_text(p, "tls-server-name", &k->tls_server_name, e) < 0 ||
	    copy_text(p, "proxy-url", &k->proxy_url, e) < 0)
		return -1;
	return copy_bool(p, "insecure-skip-tls-verify", &k->insecure, e);
}

/* Credentials that we do not do. To pass over some of them would mean to act as somebody else. */
static int refuse_others(struct place p, const struct kubeconfig *k, const char *user,
			 struct err *e)
{
	static const char *const programs[] = {"exec", "auth-provider"};
	static const char *const others[] = {"username", "as", "as-uid", "as-groups",
					     "as-user-extra"};
	bool has_own = k->token || k->token_file || k->cert_file || k->cert_data;

	for (size_t i = 0; i < ARRAY_LEN(programs) && !has_own; i++)
		if (member(p, programs[i]))
			return err_set(
			    e, ERR_INVALID,
			    "user '%s' of %s gets its credentials by '%s', and certhup runs no "
			    "program for that: use a client certificate, tokenFile or token "
			    "instead "
			    "(`kubectl create token ACCOUNT` makes one)",
			    user, p.document->path, programs[i]);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (member(p, others[i]))
			return err_set(
			    e, ERR_INVALID,
			    "user '%s' of %s has '%s', which is not supported: use a client "
			    "certificate, tokenFile or token of the user that is meant",
			    user, p.document->path, others[i]);
	return 0;
}

static int read_user(struct place p, const char *user, struct kubeconfig *k, struct err *e)
{
	if (copy_path(p, "client-certificate", &k->cert_file, e) < 0 ||
	    copy_text(p, "client-certificate-data", &k->cert_data, e) < 0 ||
	    copy_path(p, "client-key", &k->key_file, e) < 0 ||
	    copy_text(p, "client-key-data", &k->key_data, e) < 0 ||
	    copy_text(p, "token", &k->token, e) < 0 ||
	    copy_path(p, "tokenFile", &k->token_file, e) < 0)
		return -1;
	return refuse_others(p, k, user, e);
}

static const char *current_context(const struct documents *all)
{
	const char *name = NULL;

	for (size_t i = 0; i < all->count && !name; i++)
		name = text(root(all->all[i]), "current-context");
	return name;
}

int kubeconfig_read(const char *paths, const char *context, struct kubeconfig *ret, struct err *e)
{
	_cleanup_(documents_done) struct documents all = {0};
	_cleanup_kubeconfig_ struct kubeconfig k = {0};
	struct place ctx;
	struct place p;
	const char *cluster;
	const char *user;

	if (read_documents(paths, &all, e) < 0)
		return -1;
	if (!context)
		context = current_context(&all);
	if (!context)
		return err_set(e, ERR_NOT_FOUND,
			       "%s has no current-context: choose one with --context", paths);
	if (find(&all, "contexts", "context", context, &ctx, e) < 0)
		return -1;
	cluster = text(ctx, "cluster");
	user = text(ctx, "user");
	if (!cluster)
		return err_set(e, ERR_INVALID, "context '%s' of %s names no cluster", context,
			       ctx.document->path);
	if (copy_text(ctx, "namespace", &k.namespace, e) < 0 ||
	    find(&all, "clusters", "cluster", cluster, &p, e) < 0 || read_cluster(p, &k, e) < 0)
		return -1;
	if (user && (find(&all, "users", "user", user, &p, e) < 0 || read_user(p, user, &k, e) < 0))
		return -1;
	*ret = k;
	k = (struct kubeconfig){0};
	return 0;
}

void kubeconfig_done(struct kubeconfig *k)
{
	char *const all[] = {k->server,    k->ca_file,   k->ca_data,    k->tls_server_name,
			     k->proxy_url, k->cert_file, k->cert_data,  k->key_file,
			     k->key_data,  k->token,     k->token_file, k->namespace};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i])
			explicit_bzero(all[i], strlen(all[i]));
		free(all[i]);
	}
	*k = (struct kubeconfig){0};
}
