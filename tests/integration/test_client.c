/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API client against an API server: that of the kubeconfig in CERTHUP_CLIENT_KUBECONFIG, else
 * the stand-in. `make check-client KUBECONFIG=...` runs it against a real one. It needs the right to
 * create, get, list, watch, patch and delete Secrets and Events in the namespace default and to
 * create LocalSubjectAccessReviews, and leaves nothing. A context "nobody" of that kubeconfig is an
 * account without any right, a context "stranger" a token that the server does not know; without
 * them the test of refused accounts is skipped.
 *
 * CERTHUP_CLIENT_RECORD=FILE: all that was asked, and what came back, is appended to it, so that two
 * servers can be compared.
 */
#include "base/backoff.h"
#include "tests/lib/bench.h"
#include "tests/lib/standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECRETS "/api/v1/namespaces/default/secrets"
#define LARGE ((size_t)700 * KIB)

/* The server, and names that nobody else has. */
struct world {
	struct standin s;
	struct bench b;
	struct diary d;
	char name[64];
	char path[128];
	char type[64];
	char kubeconfig[160];
	FILE *record;
};

/* The contexts that a real server's kubeconfig brings. */
static void add_accounts(struct world *w)
{
	FILE *f;

	standin_token(&w->s, "nobody-token", "system:serviceaccount:default:certhup-nobody");
	snprintf(w->kubeconfig, sizeof(w->kubeconfig), "%s/accounts", w->s.dir);
	f = fopen(w->kubeconfig, "we");
	assert_non_null(f);
	fprintf(f,
		"apiVersion: v1\nkind: Config\ncurrent-context: admin\n"
		"clusters:\n- name: c\n  cluster:\n    server: %s\n"
		"    certificate-authority: %s/ca.crt\nusers:\n"
		"- {name: admin, user: {token: %s}}\n"
		"- {name: nobody, user: {token: nobody-token}}\n"
		"- {name: stranger, user: {token: stranger-token}}\ncontexts:\n"
		"- {name: admin, context: {cluster: c, user: admin}}\n"
		"- {name: nobody, context: {cluster: c, user: nobody}}\n"
		"- {name: stranger, context: {cluster: c, user: stranger}}\n",
		w->s.url, w->s.dir, w->s.token);
	assert_int_equal(fclose(f), 0);
}

/* test: its name. context: of the kubeconfig; NULL: the current one. */
static void world_start_as(struct world *w, const char *test, const char *context)
{
	const char *kubeconfig = getenv("CERTHUP_CLIENT_KUBECONFIG");
	const char *record = getenv("CERTHUP_CLIENT_RECORD");
	uint32_t random = backoff_random();

	memset(w, 0, sizeof(*w));
	if (!kubeconfig) {
		standin_start(&w->s, NULL);
		add_accounts(w);
	}
	bench_start(&w->b, kubeconfig ? kubeconfig : w->kubeconfig, context);
	diary_init(&w->d);
	if (record) {
		w->record = fopen(record, "ae");
		assert_non_null(w->record);
		fprintf(w->record, "== %s\n", test);
	}
	snprintf(w->name, sizeof(w->name), "certhup-client-%08x", random);
	snprintf(w->path, sizeof(w->path), SECRETS "/%s", w->name);
	snprintf(w->type, sizeof(w->type), "certhup.io/test-%08x", random);
}

#define world_start(w) world_start_as((w), __func__, NULL)

static void write_down(struct world *w, const struct k8s_call *c, const struct bench_answer *a)
{
	if (!w->record)
		return;
	fprintf(w->record, "%s %s%s%s: %d", c->verb, c->path, c->query ? "?" : "",
		c->query ? c->query : "", a->code);
	if (a->e.kind)
		fprintf(w->record, " %s, %s", err_meaning(a->e.kind)->label, a->e.message);
	fprintf(w->record, "\n  %s\n", a->text ? a->text : "-");
}

/* The object that came back, or NULL; free it. */
static char *exchange(struct world *w, const struct k8s_call *c, int code, struct err *ret_e)
{
	struct bench_answer a;

	bench_call(&w->b, c, &a);
	write_down(w, c, &a);
	if (a.code != code)
		fail_msg("%s %s: %d, not %d: %s", c->verb, c->path, a.code, code, a.e.message);
	*ret_e = a.e;
	return a.text;
}

static struct err call(struct world *w, const char *verb, const char *path, const char *body,
		       int code)
{
	const struct k8s_call c = {
	    .verb = verb,
	    .path = path,
	    .body = body,
	    .body_len = body ? strlen(body) : 0,
	    .content_type = strcmp(verb, "PATCH") == 0 ? "application/merge-patch+json" : NULL};
	struct err e;

	free(exchange(w, &c, code, &e));
	return e;
}

static void world_stop(struct world *w)
{
	const struct k8s_call remove = {.verb = "DELETE", .path = w->path};
	struct bench_answer a;

	if (w->record) {
		fprintf(w->record, "said:\n%s", buf_str(&w->d.text));
		fclose(w->record);
	}
	bench_call(&w->b, &remove, &a);
	bench_answer_done(&a);
	diary_done(&w->d);
	bench_stop(&w->b);
	if (w->s.pid)
		standin_stop(&w->s);
}

/* value: base64. */
static struct err create(struct world *w, const char *value, int code)
{
	_cleanup_free_ char *body = NULL;

	assert_true(asprintf(&body,
			     "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"type\":\"%s\","
			     "\"metadata\":{\"name\":\"%s\"},\"data\":{\"k\":\"%s\"}}",
			     w->type, w->name, value) > 0);
	return call(w, "POST", SECRETS, body, code);
}

static void expect(struct world *w, const char *what, const char *value, size_t n)
{
	char line[200];

	snprintf(line, sizeof(line), value ? "%s %s=%s" : "%s %s", what, w->name, value);
	diary_expect(&w->d, &w->b, line, n);
}

static void watch_object(struct world *w)
{
	struct err e;

	if (k8s_watch_object(w->b.client, SECRETS, w->name, &diary_callbacks, &w->d, &w->d.watch,
			     &e) < 0)
		fail_msg("%s", e.message);
}

static void objects_are_created_read_changed_and_deleted(void **state _unused_)
{
	struct world w;
	struct err e;

	world_start(&w);
	e = call(&w, "GET", w.path, NULL, 404);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.message, w.name));
	create(&w, "MQ==", 201);
	assert_int_equal(create(&w, "MQ==", 409).kind, ERR_CONFLICT);
	call(&w, "GET", w.path, NULL, 200);
	call(&w, "PATCH", w.path, "{\"data\":{\"k\":\"Mg==\"}}", 200);
	assert_int_equal(
	    call(&w, "PATCH", w.path,
		 "{\"metadata\":{\"resourceVersion\":\"1\"},\"data\":{\"k\":\"Mw==\"}}", 409)
		.kind,
	    ERR_CONFLICT);
	assert_int_equal(call(&w, "PATCH", w.path, "{\"data\":{\"a/b\":\"Mw==\"}}", 422).kind,
			 ERR_INVALID);
	assert_int_equal(call(&w, "GET", "/no/such/path", NULL, 404).kind, ERR_NOT_FOUND);
	call(&w, "DELETE", w.path, NULL, 200);
	call(&w, "GET", w.path, NULL, 404);
	assert_true(k8s_client_is_up(w.b.client));
	world_stop(&w);
}

static void a_watched_object_comes_changes_and_goes(void **state _unused_)
{
	struct world w;
	char uid[64];

	world_start(&w);
	watch_object(&w);
	diary_expect(&w.d, &w.b, "gone -", 1);
	create(&w, "MQ==", 201);
	expect(&w, "object", "1", 1);
	snprintf(uid, sizeof(uid), "%s", w.d.uid);
	call(&w, "PATCH", w.path, "{\"data\":{\"k\":\"Mg==\"}}", 200);
	expect(&w, "object", "2", 1);
	assert_string_equal(uid, w.d.uid);
	call(&w, "DELETE", w.path, NULL, 200);
	expect(&w, "gone", NULL, 1);
	create(&w, "Mg==", 201);
	expect(&w, "object", "2", 2);
	assert_string_not_equal(uid, w.d.uid);
	assert_int_equal(w.d.lines, 6);
	world_stop(&w);
}

static void a_watch_that_is_opened_again_tells_nothing_twice(void **state _unused_)
{
	struct world w;
	struct err e;

	world_start(&w);
	k8s_watch_timeout(w.b.client, 1, 1);
	create(&w, "MQ==", 201);
	watch_object(&w);
	expect(&w, "object", "1", 1);
	bench_pass(&w.b, 3500);
	call(&w, "PATCH", w.path, "{\"data\":{\"k\":\"Mg==\"}}", 200);
	expect(&w, "object", "2", 1);
	assert_int_equal(w.d.lines, 3);
	assert_int_equal(k8s_watch_reread(w.d.watch, &e), 0);
	expect(&w, "object", "2", 2);
	world_stop(&w);
}

static void a_collection_is_listed_and_watched(void **state _unused_)
{
	char selector[100];
	struct world w;
	struct err e;

	world_start(&w);
	create(&w, "MQ==", 201);
	snprintf(selector, sizeof(selector), "type=%s", w.type);
	if (k8s_watch_list(w.b.client, SECRETS, selector, &diary_callbacks, &w.d, &w.d.watch, &e) <
	    0)
		fail_msg("%s", e.message);
	diary_expect(&w.d, &w.b, "up", 1);
	assert_int_equal(w.d.lines, 3);
	call(&w, "PATCH", w.path, "{\"data\":{\"k\":\"Mg==\"}}", 200);
	expect(&w, "object", "2", 1);
	call(&w, "DELETE", w.path, NULL, 200);
	expect(&w, "gone", NULL, 1);
	create(&w, "Mw==", 201);
	expect(&w, "object", "3", 1);
	assert_int_equal(w.d.lines, 6);
	world_stop(&w);
}

static void the_pods_of_a_node_without_pods_are_none(void **state _unused_)
{
	struct world w;
	struct err e;

	world_start(&w);
	if (k8s_watch_list(w.b.client, "/api/v1/pods", "spec.nodeName=certhup-no-such-node",
			   &diary_callbacks, &w.d, &w.d.watch, &e) < 0)
		fail_msg("%s", e.message);
	diary_expect(&w.d, &w.b, "up", 1);
	assert_string_equal(buf_str(&w.d.text), "synced\nup\n");
	world_stop(&w);
}

static void a_large_object_comes_whole(void **state _unused_)
{
	_cleanup_free_ char *value = malloc(LARGE + 1);
	struct world w;

	assert_non_null(value);
	memset(value, 'Q', LARGE);
	value[LARGE] = '\0';
	world_start(&w);
	watch_object(&w);
	diary_expect(&w.d, &w.b, "up", 1);
	create(&w, value, 201);
	bench_pass(&w.b, 1000);
	assert_int_equal(diary_count(&w.d, "bad exhausted"), 0);
	call(&w, "PATCH", w.path, "{\"data\":{\"k\":\"Mg==\"}}", 200);
	expect(&w, "object", "2", 1);
	assert_int_equal(w.d.lines, 3);
	world_stop(&w);
}

static void a_selector_that_is_none_is_refused(void **state _unused_)
{
	struct world w;
	struct err e;

	world_start(&w);
	if (k8s_watch_list(w.b.client, SECRETS, "spec.nodeName=x", &diary_callbacks, &w.d,
			   &w.d.watch, &e) < 0)
		fail_msg("%s", e.message);
	diary_expect(&w.d, &w.b, "down invalid", 2);
	world_stop(&w);
}

/* Whether the kubeconfig that is named has these accounts; the stand-in's has. */
static bool has_accounts(void)
{
	const char *kubeconfig = getenv("CERTHUP_CLIENT_KUBECONFIG");
	const char *const contexts[] = {"nobody", "stranger"};
	struct err e;

	for (size_t i = 0; kubeconfig && i < ARRAY_LEN(contexts); i++) {
		_cleanup_(k8s_config_freep) struct k8s_config *config = NULL;
		const struct k8s_config_options options = {.kubeconfig = kubeconfig,
							   .context = contexts[i]};

		if (k8s_config_load(&options, &config, &e) < 0)
			return false;
	}
	return true;
}

static void accounts_without_rights_are_refused(void **state _unused_)
{
	struct world w;

	if (!has_accounts()) {
		fputs("SKIP: the kubeconfig has no contexts nobody and stranger\n", stderr);
		skip();
	}
	world_start_as(&w, __func__, "nobody");
	assert_int_equal(call(&w, "GET", w.path, NULL, 403).kind, ERR_DENIED);
	assert_int_equal(call(&w, "GET", SECRETS, NULL, 403).kind, ERR_DENIED);
	assert_int_equal(create(&w, "MQ==", 403).kind, ERR_DENIED);
	assert_int_equal(call(&w, "PATCH", w.path, "{}", 403).kind, ERR_DENIED);
	assert_int_equal(call(&w, "DELETE", w.path, NULL, 403).kind, ERR_DENIED);
	watch_object(&w);
	diary_expect(&w.d, &w.b, "down denied", 1);
	world_stop(&w);
	world_start_as(&w, __func__, "stranger");
	assert_int_equal(call(&w, "GET", w.path, NULL, 401).kind, ERR_DENIED);
	watch_object(&w);
	diary_expect(&w.d, &w.b, "down denied", 1);
	world_stop(&w);
}

static void review(struct world *w, const char *user, const char *verb)
{
	static const char path[] =
	    "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
	_cleanup_free_ char *body = NULL;

	assert_true(asprintf(&body,
			     "{\"apiVersion\":\"authorization.k8s.io/v1\","
			     "\"kind\":\"LocalSubjectAccessReview\","
			     "\"metadata\":{\"namespace\":\"default\"},\"spec\":{\"user\":\"%s\","
			     "\"groups\":[\"system:authenticated\"],\"resourceAttributes\":{"
			     "\"namespace\":\"default\",\"verb\":\"%s\",\"resource\":\"secrets\","
			     "\"name\":\"%s\"}}}",
			     user, verb, w->name) > 0);
	call(w, "POST", path, body, 201);
}

static void a_review_tells_who_may_read(void **state _unused_)
{
	struct world w;

	world_start(&w);
	review(&w, "system:serviceaccount:default:certhup-nobody", "get");
	review(&w, "system:serviceaccount:default:certhup-nobody", "watch");
	world_stop(&w);
}

static void an_event_is_told_and_counted(void **state _unused_)
{
	static const char events[] = "/apis/events.k8s.io/v1/namespaces/default/events";
	_cleanup_free_ char *body = NULL;
	char path[200];
	struct world w;

	world_start(&w);
	assert_true(asprintf(&body,
			     "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\","
			     "\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\"},"
			     "\"regarding\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\","
			     "\"namespace\":\"default\",\"name\":\"web\",\"uid\":\"u\"},"
			     "\"eventTime\":\"2026-01-02T03:04:05.000006Z\","
			     "\"reportingController\":\"certhup.io/agent\","
			     "\"reportingInstance\":\"n1\",\"type\":\"Normal\","
			     "\"reason\":\"CertificateRotated\",\"action\":\"Rotate\","
			     "\"note\":\"told by a test\"}",
			     w.name) > 0);
	snprintf(path, sizeof(path), "%s/%s", events, w.name);
	call(&w, "POST", events, body, 201);
	call(&w, "PATCH", path,
	     "{\"series\":{\"count\":2,\"lastObservedTime\":\"2026-01-02T03:04:06.000006Z\"}}",
	     200);
	call(&w, "PATCH", path, "{\"note\":\"another\"}", 422);
	call(&w, "DELETE", path, NULL, 200);
	call(&w, "PATCH", path, "{\"series\":{\"count\":3}}", 404);
	world_stop(&w);
}

static void a_question_that_is_none_is_refused(void **state _unused_)
{
	static const struct {
		struct k8s_call call;
		int code;
	} refused[] = {
	    {{.verb = "GET", .path = SECRETS, .query = "limit=x"}, 400},
	    {{.verb = "GET", .path = SECRETS, .query = "resourceVersion=x"}, 400},
	    {{.verb = "GET", .path = SECRETS, .query = "continue=x&limit=1"}, 400},
	    {{.verb = "GET", .path = SECRETS, .query = "resourceVersion=99999999999"}, 504},
	    {{.verb = "GET", .path = SECRETS, .accept = "text/html"}, 406},
	    {{.verb = "PUT", .path = SECRETS}, 405},
	    {{.verb = "POST", .path = SECRETS, .body = "{", .body_len = 1}, 400},
	    {{.verb = "POST", .path = SECRETS, .body = "{}", .body_len = 2}, 422},
	    {{.verb = "GET", .path = "/api/v1/namespaces/default/nothing"}, 404},
	    {{.verb = "GET", .path = "/apis/certhup.io/v9/nothing"}, 404},
	};
	struct world w;
	struct err e;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		free(exchange(&w, &refused[i].call, refused[i].code, &e));
		assert_int_not_equal(e.kind, ERR_NONE);
	}
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(objects_are_created_read_changed_and_deleted),
	    cmocka_unit_test(a_watched_object_comes_changes_and_goes),
	    cmocka_unit_test(a_watch_that_is_opened_again_tells_nothing_twice),
	    cmocka_unit_test(a_collection_is_listed_and_watched),
	    cmocka_unit_test(the_pods_of_a_node_without_pods_are_none),
	    cmocka_unit_test(a_large_object_comes_whole),
	    cmocka_unit_test(a_selector_that_is_none_is_refused),
	    cmocka_unit_test(accounts_without_rights_are_refused),
	    cmocka_unit_test(a_review_tells_who_may_read),
	    cmocka_unit_test(an_event_is_told_and_counted),
	    cmocka_unit_test(a_question_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
