/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/config.h"

#include "k8s/config_internal.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][300];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

static int set_up(void **state _unused_)
{
	snprintf(dir, sizeof(dir), "/tmp/config.XXXXXX");
	assert_non_null(mkdtemp(dir));
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	setenv("HOME", dir, 1);
	return 0;
}

static int tear_down(void **state _unused_)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct k8s_config *load(const struct k8s_config_options *o)
{
	struct k8s_config *c = NULL;
	struct err e;

	if (k8s_config_load(o, &c, &e) < 0)
		fail_msg("%s", e.message);
	return c;
}

/* Loads DIR/config, which is not to work, and whose message is to hold these words. */
static void refused(const char *text, enum err_kind kind, const char *words)
{
	const struct k8s_config_options o = {.kubeconfig = in_dir("config")};
	struct k8s_config *c = NULL;
	struct err e;

	write_file("config", text);
	if (k8s_config_load(&o, &c, &e) == 0)
		fail_msg("was taken: %s", text);
	assert_null(c);
	if (e.kind != kind || !strstr(e.message, words))
		fail_msg("%s: %s; wanted %s: %s", err_meaning(e.kind)->label, e.message,
			 err_meaning(kind)->label, words);
}

#define CLUSTERS                                                                                   \
	"apiVersion: v1\nkind: Config\npreferences: {}\n"                                          \
	"clusters:\n"                                                                              \
	"- name: one\n  cluster:\n    server: https://10.0.0.1:6443/\n"                            \
	"    certificate-authority: pki/ca.crt\n"                                                  \
	"- name: two\n  cluster:\n    server: https://[fd00::1]/prefix/?q#f\n"                     \
	"    certificate-authority-data: LS0tLS1CRUdJTiBYLS0tLS0=\n"                               \
	"    tls-server-name: api.example\n    proxy-url: socks5://10.0.0.9:1080\n"
#define USERS                                                                                      \
	"users:\n"                                                                                 \
	"- name: file\n  user: {tokenFile: token, token: inline}\n"                                \
	"- name: inline\n  user: {token: ' inline '}\n"                                            \
	"- name: cert\n  user:\n    client-certificate: /abs/c.crt\n    client-key: k.key\n"
#define CONTEXTS                                                                                   \
	"contexts:\n"                                                                              \
	"- name: first\n  context: {cluster: one, user: file}\n"                                   \
	"- name: second\n  context: {cluster: two, user: cert, namespace: web}\n"                  \
	"- name: third\n  context: {cluster: one, user: inline}\n"                                 \
	"current-context: first\n"

static void the_current_context_is_used(void **state _unused_)
{
	struct k8s_config_options o = {.kubeconfig = in_dir("config")};
	struct k8s_config *c;

	write_file("config", CLUSTERS USERS CONTEXTS);
	c = load(&o);
	assert_string_equal(k8s_config_server(c), "https://10.0.0.1:6443");
	assert_string_equal(k8s_config_namespace(c), "default");
	assert_string_equal(c->base, "https://10.0.0.1:6443");
	assert_string_equal(c->ca.path, in_dir("pki/ca.crt"));
	assert_string_equal(c->token.path, in_dir("token"));
	assert_null(c->resolve);
	assert_null(c->proxy);
	k8s_config_free(c);
}

static void a_named_context_is_used(void **state _unused_)
{
	struct k8s_config_options o = {.kubeconfig = in_dir("config"), .context = "second"};
	struct k8s_config *c;

	write_file("config", CLUSTERS USERS CONTEXTS);
	c = load(&o);
	assert_string_equal(k8s_config_server(c), "https://[fd00::1]:443");
	assert_string_equal(k8s_config_namespace(c), "web");
	assert_string_equal(c->base, "https://api.example:443/prefix");
	assert_string_equal(c->host_header, "Host: [fd00::1]:443");
	assert_string_equal(c->connect_to, "::[fd00::1]:443");
	assert_string_equal(c->proxy, "socks5://10.0.0.9:1080");
	assert_string_equal((const char *)c->ca.bytes.data, "-----BEGIN X-----");
	assert_string_equal(c->cert.path, "/abs/c.crt");
	assert_string_equal(c->key.path, in_dir("k.key"));
	assert_false(credential_is_set(&c->token));
	k8s_config_free(c);
	o.context = "third";
	c = load(&o);
	assert_string_equal((const char *)c->token.bytes.data, "inline");
	k8s_config_free(c);
	o.context = "fourth";
	struct err e;
	assert_int_equal(k8s_config_load(&o, &c, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.message, "'fourth'"));
}

static void of_several_files_the_first_that_says_it_wins(void **state _unused_)
{
	const struct k8s_config_options o = {0};
	char list[1000];
	struct k8s_config *c;

	assert_int_equal(mkdir(in_dir("x"), 0700), 0);
	write_file("config",
		   "current-context: third\nusers: [{name: inline, user: {token: mine}}]\n");
	write_file("x/other", CLUSTERS USERS CONTEXTS);
	snprintf(list, sizeof(list), ":%s:%s:%s:", in_dir("missing"), in_dir("config"),
		 in_dir("x/other"));
	setenv("KUBECONFIG", list, 1);
	c = load(&o);
	assert_string_equal((const char *)c->token.bytes.data, "mine");
	assert_string_equal(c->ca.path, in_dir("x/pki/ca.crt"));
	k8s_config_free(c);
}

static void in_a_cluster_the_service_account_is_used(void **state _unused_)
{
	const struct k8s_config_options o = {.service_account_dir = dir};
	struct k8s_config *c;

	write_file("namespace", "web\n");
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "6443", 1);
	c = load(&o);
	assert_string_equal(k8s_config_server(c), "https://[fd00::1]:6443");
	assert_string_equal(k8s_config_namespace(c), "web");
	assert_string_equal(c->token.path, in_dir("token"));
	assert_string_equal(c->ca.path, in_dir("ca.crt"));
	k8s_config_free(c);
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	c = load(&o);
	assert_string_equal(k8s_config_server(c), "https://10.96.0.1:6443");
	k8s_config_free(c);
}

static void the_home_directory_is_the_last_place(void **state _unused_)
{
	const struct k8s_config_options o = {0};
	struct k8s_config *c;
	struct err e;

	assert_int_equal(k8s_config_load(&o, &c, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.message, "--kubeconfig"));
	assert_int_equal(mkdir(in_dir(".kube"), 0700), 0);
	write_file(".kube/config", CLUSTERS USERS CONTEXTS);
	c = load(&o);
	assert_string_equal(k8s_config_server(c), "https://10.0.0.1:6443");
	k8s_config_free(c);
}

#define CONFIG(cluster, user)                                                                      \
	"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"              \
	"clusters: [{name: k, cluster: {" cluster "}}]\nusers: [{name: u, user: {" user "}}]\n"
#define SERVER "server: 'https://10.0.0.1'"

static void what_is_not_done_is_refused_by_name(void **state _unused_)
{
	refused(CONFIG(SERVER, "exec: {command: aws}"), ERR_INVALID, "'exec'");
	refused(CONFIG(SERVER, "exec: {command: aws}"), ERR_INVALID, "tokenFile");
	refused(CONFIG(SERVER, "auth-provider: {name: gcp}"), ERR_INVALID, "'auth-provider'");
	refused(CONFIG(SERVER, "username: a, password: b"), ERR_INVALID, "'username'");
	refused(CONFIG(SERVER, "token: t, as: root"), ERR_INVALID, "'as'");
	refused(CONFIG("server: 'http://10.0.0.1'", ""), ERR_INVALID, "not https");
	refused(CONFIG("server: '10.0.0.1:6443'", ""), ERR_INVALID, "server 10.0.0.1:6443");
	refused(CONFIG("server: 'https://'", ""), ERR_INVALID, "no URL");
	refused(CONFIG("server: ''", ""), ERR_INVALID, "no server");
	refused(CONFIG(SERVER ", proxy-url: 'ftp://x'", ""), ERR_INVALID, "ftp");
	refused(CONFIG(SERVER ", insecure-skip-tls-verify: maybe", ""), ERR_INVALID,
		"true or false");
	refused(CONFIG(SERVER ", insecure-skip-tls-verify: true, certificate-authority: x", ""),
		ERR_INVALID, "exclude each other");
	refused(CONFIG(SERVER ", certificate-authority-data: '!!'", ""), ERR_INVALID, "the CA");
	refused(CONFIG(SERVER ", certificate-authority-data: aGVsbG8=", ""), ERR_INVALID, "no PEM");
	refused(CONFIG(SERVER, "client-certificate: x"), ERR_INVALID, "needs its key");
	refused(CONFIG(SERVER, "token: \"a\\r\\nX-Evil: 1\""), ERR_INVALID, "token");
	refused("current-context: c\n", ERR_NOT_FOUND, "no context named 'c'");
	refused("contexts: []\n", ERR_NOT_FOUND, "no current-context");
	refused("a: [\n", ERR_INVALID, "line");
	refused("- just\n- a list\n", ERR_NOT_FOUND, "no current-context");
	refused("", ERR_NOT_FOUND, "no current-context");
}

static void exec_beside_a_token_is_passed_over(void **state _unused_)
{
	const struct k8s_config_options o = {.kubeconfig = in_dir("config")};
	struct k8s_config *c;

	write_file("config", CONFIG(SERVER ", insecure-skip-tls-verify: true",
				    "token: t, exec: {command: x}"));
	c = load(&o);
	assert_true(c->insecure);
	k8s_config_free(c);
}

static void a_name_is_resolved_once_at_the_start(void **state _unused_)
{
	const struct k8s_config_options o = {.kubeconfig = in_dir("config")};
	struct k8s_config *c;

	write_file("config", CONFIG("server: 'https://localhost:6443'", ""));
	c = load(&o);
	assert_non_null(strstr(c->resolve, "localhost:6443:"));
	assert_non_null(strstr(c->resolve, "127.0.0.1"));
	k8s_config_free(c);
	refused(CONFIG("server: 'https://no.such.name.invalid'", ""), ERR_UNAVAILABLE,
		"no.such.name.invalid");
}

static void the_environment_names_a_proxy_only_when_asked(void **state _unused_)
{
	struct k8s_config_options o = {.kubeconfig = in_dir("config")};
	struct k8s_config *c;

	setenv("HTTPS_PROXY", "http://10.0.0.8:3128", 1);
	setenv("NO_PROXY", ".svc", 1);
	write_file("config", CONFIG("server: 'https://no.such.name.invalid'", ""));
	o.use_proxy_env = true;
	c = load(&o);
	assert_string_equal(c->proxy, "http://10.0.0.8:3128");
	assert_string_equal(c->no_proxy, ".svc");
	assert_null(c->resolve);
	k8s_config_free(c);
	write_file("config", CONFIG(SERVER, ""));
	o.use_proxy_env = false;
	c = load(&o);
	assert_null(c->proxy);
	k8s_config_free(c);
	unsetenv("HTTPS_PROXY");
	unsetenv("NO_PROXY");
}

static void files_are_read_again_when_they_change(void **state _unused_)
{
	struct credential c = {.what = "token", .max = 20, .is_token = true};
	bool changed = false;
	struct err e;

	c.path = strdup(in_dir("token"));
	assert_int_equal(credential_refresh(&c, false, &changed, &e), -1);
	assert_non_null(strstr(e.message, "token file"));
	write_file("token", " one\n");
	assert_int_equal(credential_refresh(&c, false, &changed, &e), 0);
	assert_string_equal((const char *)c.bytes.data, "one");
	assert_true(changed);
	assert_int_equal(credential_refresh(&c, true, &changed, &e), 0);
	assert_false(changed);
	write_file("token", "three");
	assert_int_equal(credential_refresh(&c, false, &changed, &e), 0);
	assert_string_equal((const char *)c.bytes.data, "three");
	write_file("token", "of more than twenty bytes");
	assert_int_equal(credential_refresh(&c, false, &changed, &e), 0);
	write_file("token", "two\nlines");
	assert_int_equal(credential_refresh(&c, false, &changed, &e), 0);
	assert_string_equal((const char *)c.bytes.data, "three");
	credential_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_current_context_is_used, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_named_context_is_used, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(of_several_files_the_first_that_says_it_wins, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(in_a_cluster_the_service_account_is_used, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_home_directory_is_the_last_place, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(what_is_not_done_is_refused_by_name, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(exec_beside_a_token_is_passed_over, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_name_is_resolved_once_at_the_start, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_environment_names_a_proxy_only_when_asked, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(files_are_read_again_when_they_change, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
