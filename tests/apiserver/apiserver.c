/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/apiserver.h"

#include "tests/apiserver/admin.h"
#include "tests/apiserver/handle.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>

#define WINDOW 4096

/* As in a cluster that has just come up. */
#define FIRST_RV 1000

#define LIST_WAIT_MS 3000
#define BOOKMARK_MS 60000
#define TOKEN_BYTES 24

struct apiserver {
	struct api api;
	int dirfd;
	char dir[512];
	char token[2 * TOKEN_BYTES + 1];
};

static SSL_CTX *current_context(void *arg)
{
	struct api *a = arg;
	return authority_context(a->authority);
}

static void call_free(struct call *c)
{
	watch_free(c->watch);
	if (c->timer)
		event_free(c->timer);
	route_done(&c->route);
	json_object_put(c->fault);
	free(c);
}

static void on_over(void *arg, struct wire_exchange *x)
{
	(void)arg;
	struct call *c = wire_user(x);
	if (c)
		call_free(c);
}

static void note(struct call *c)
{
	const struct journal_request request = {
	    .at_ms = clock_mono_ms(clock_system()),
	    .connection = wire_connection(c->x),
	    .method = wire_method(c->x),
	    .target = wire_target(c->x),
	    .user = c->user.name,
	    .agent = wire_header(c->x, "User-Agent"),
	    .verb = c->route.verb,
	    .token = wire_header(c->x, "Authorization") != NULL,
	};
	c->number = journal_add(c->api->journal, &request);
	admin_poke(c->api->admin);
}

static void on_request(void *arg, struct wire_exchange *x)
{
	_cleanup_failure_ struct failure f = {0};
	struct api *a = arg;
	struct call *c = calloc(1, sizeof(*c));
	if (!c) {
		wire_abort(x, WIRE_RESET);
		return;
	}
	c->api = a;
	c->x = x;
	wire_set_user(x, c);
	route_parse(wire_method(x), wire_target(x), &c->route);
	int known = auth_identify(a->auth, wire_header(x, "Authorization"), wire_client_name(x),
				  &c->user, &f);
	note(c);
	const struct fault_request request = {.method = wire_method(x),
					      .verb = c->route.verb,
					      .target = wire_target(x),
					      .user = c->user.name ? c->user.name : ""};
	c->fault = faults_take(a->faults, &request);
	if (c->fault)
		handle_fault(c);
	else if (known < 0)
		handle_stranger(c, &f);
	else
		handle_call(c);
}

static int write_file(struct apiserver *s, const char *name, struct err *e, const char *fmt, ...)
    _printf_(4, 5);
static int write_file(struct apiserver *s, const char *name, struct err *e, const char *fmt, ...)
{
	va_list ap;
	_cleanup_fclose_ FILE *file = NULL;
	int fd = openat(s->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || !(file = fdopen(fd, "w")))
		return err_sys(e, "write %s/%s", s->dir, name);
	va_start(ap, fmt);
	int n = vfprintf(file, fmt, ap);
	va_end(ap);
	return n < 0 || fflush(file) ? err_sys(e, "write %s/%s", s->dir, name) : 0;
}

/* The token of an earlier start, or a new one. */
static int find_token(struct apiserver *s, struct err *e)
{
	unsigned char random[TOKEN_BYTES];
	_cleanup_buf_ struct buf text;
	buf_init(&text, sizeof(s->token) - 1);
	if (file_read(s->dirfd, "token", &text, e) == 0 && text.len == sizeof(s->token) - 1) {
		memcpy(s->token, text.data, text.len + 1);
		return 0;
	}
	if (RAND_bytes(random, sizeof(random)) != 1)
		return err_set(e, ERR_INTERNAL, "no random bytes");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(s->token + 2 * i, 3, "%02x", random[i]);
	return write_file(s, "token", e, "%s", s->token);
}

static int write_kubeconfig(struct apiserver *s, const char *address, struct err *e)
{
	static const char users[] = "- name: admin\n"
				    "  user: {token: \"%s\"}\n"
				    "- name: admin-file\n"
				    "  user: {tokenFile: token}\n"
				    "- name: admin-cert\n"
				    "  user: {client-certificate: client.crt, client-key: "
				    "client.key}\n";
	static const char contexts[] =
	    "- name: admin\n"
	    "  context: {cluster: standin, user: admin, namespace: default}\n"
	    "- name: admin-file\n"
	    "  context: {cluster: standin, user: admin-file, namespace: default}\n"
	    "- name: admin-cert\n"
	    "  context: {cluster: standin, user: admin-cert, namespace: default}\n";
	char user_text[512];
	snprintf(user_text, sizeof(user_text), users, s->token);
	return write_file(s, "kubeconfig", e,
			  "apiVersion: v1\nkind: Config\ncurrent-context: admin\n"
			  "clusters:\n- name: standin\n  cluster:\n"
			  "    server: https://%s:%u\n    certificate-authority: ca.crt\n"
			  "users:\n%scontexts:\n%s",
			  address, wire_port(s->api.wire), user_text, contexts);
}

static int read_rules(struct apiserver *s, const char *path, struct err *e)
{
	_cleanup_buf_ struct buf text;
	buf_init(&text, LIMIT_KUBECONFIG);
	if (file_read(AT_FDCWD, path, &text, e) < 0)
		return err_add(e, "read rules");
	_cleanup_gojson_ struct json_object *rules = gojson_parse(text.data, text.len, e);
	if (!json_object_is_type(rules, json_type_array))
		return err_set(e, ERR_INVALID, "%s holds no JSON array", path);
	for (size_t i = 0; i < json_object_array_length(rules); i++)
		auth_add_rule(s->api.auth, json_object_get(json_object_array_get_idx(rules, i)));
	return 0;
}

/* The namespaces that every cluster has. */
static int put_namespaces(struct api *a, struct err *e)
{
	static const char *const names[] = {"default", "kube-system"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char text[128];
		_cleanup_failure_ struct failure f = {0};
		snprintf(text, sizeof(text),
			 "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}", names[i]);
		_cleanup_gojson_ struct json_object *object = gojson_parse(text, strlen(text), e);
		if (!object || write_whole(a, object, &f) < 0)
			return err_set(e, ERR_INTERNAL, "make the namespace %s", names[i]);
	}
	return 0;
}

static int set_up(struct apiserver *s, const struct apiserver_options *o, struct err *e)
{
	struct api *a = &s->api;
	const struct wire_handlers handlers = {on_request, on_over, a};
	const char *address = o->address ? o->address : "127.0.0.1";
	char admin_path[600];
	_cleanup_gojson_ struct json_object *masters = json_object_new_array();
	json_object_array_add(masters, json_object_new_string("system:masters"));
	snprintf(s->dir, sizeof(s->dir), "%s", o->dir);
	snprintf(admin_path, sizeof(admin_path), "%s/admin.sock", o->dir);
	s->dirfd = open(o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		return err_sys(e, "open %s", o->dir);
	a->auth = auth_new();
	a->faults = faults_new();
	a->journal = journal_new();
	a->store = store_new(FIRST_RV, o->window ? o->window : WINDOW, watch_on_change, a);
	if (!a->auth || !a->faults || !a->journal || !a->store)
		return err_set(e, ERR_EXHAUSTED, "no memory for a server");
	if (authority_new(s->dirfd, o->extra_name, &a->authority, e) < 0 || find_token(s, e) < 0 ||
	    (o->rules && read_rules(s, o->rules, e) < 0) || put_namespaces(a, e) < 0 ||
	    wire_new(a->base, address, o->port, current_context, &handlers, &a->wire, e) < 0 ||
	    admin_new(a, admin_path, &a->admin, e) < 0 || write_kubeconfig(s, address, e) < 0)
		return -1;
	auth_add_token(a->auth, s->token, "admin", masters);
	return write_file(s, "port", e, "%u\n", wire_port(a->wire));
}

int apiserver_new(struct event_base *base, const struct apiserver_options *options,
		  struct apiserver **ret, struct err *e)
{
	struct apiserver *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ERR_EXHAUSTED, "no memory for a server");
	s->dirfd = -1;
	s->api.base = base;
	s->api.list_wait_ms = LIST_WAIT_MS;
	s->api.bookmark_ms = BOOKMARK_MS;
	s->api.second_ms = 1000;
	LIST_INIT(&s->api.watches);
	if (set_up(s, options, e) < 0) {
		apiserver_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

struct apiserver *apiserver_free(struct apiserver *s)
{
	if (!s)
		return NULL;
	s->api.admin = admin_free(s->api.admin);
	wire_free(s->api.wire); /* last of what the loop calls */
	authority_free(s->api.authority);
	store_free(s->api.store);
	journal_free(s->api.journal);
	faults_free(s->api.faults);
	auth_free(s->api.auth);
	closep(&s->dirfd);
	free(s);
	return NULL;
}

uint16_t apiserver_port(const struct apiserver *s)
{
	return wire_port(s->api.wire);
}
