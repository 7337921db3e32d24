/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API client against an API server: that of the kubeconfig in CERTHUP_CLIENT_KUBECONFIG, else
 * the stand-in. `make check-client KUBECONFIG=...` runs it against a real one. It needs the right to
 * create, get, list, watch, patch and delete Secrets in the namespace default, and leaves nothing.
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
};

static void world_start(struct world *w)
{
	const char *kubeconfig = getenv("CERTHUP_CLIENT_KUBECONFIG");
	uint32_t random = backoff_random();

	memset(w, 0, sizeof(*w));
	if (!kubeconfig)
		standin_start(&w->s, NULL);
	bench_start(&w->b, kubeconfig ? kubeconfig : w->s.kubeconfig, NULL);
	diary_init(&w->d);
	snprintf(w->name, sizeof(w->name), "certhup-client-%08x", random);
	snprintf(w->path, sizeof(w->path), SECRETS "/%s", w->name);
	snprintf(w->type, sizeof(w->type), "certhup.io/test-%08x", random);
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
	struct bench_answer a;

	bench_call(&w->b, &c, &a);
	if (a.code != code)
		fail_msg("%s %s: %d, not %d: %s", verb, path, a.code, code, a.e.message);
	bench_answer_done(&a);
	return a.e;
}

static void world_stop(struct world *w)
{
	const struct k8s_call remove = {.verb = "DELETE", .path = w->path};
	struct bench_answer a;

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
