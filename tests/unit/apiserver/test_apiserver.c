/* SPDX-License-Identifier: Apache-2.0 */
/* What the recordings do not show of the API: other resources, rights and reviews, watches over time. */
#include "tests/lib/https.h"
#include "tests/lib/standin_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECRETS "/api/v1/namespaces/default/secrets"
#define ACCOUNT "system:serviceaccount:default:web"
#define JSON "Content-Type: application/json"
#define MERGE "Content-Type: application/merge-patch+json"

static struct standin server;

static int start(void **state)
{
	(void)state;
	standin_start(&server, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	standin_stop(&server);
	return 0;
}

/* Sends, and expects this status and this text in the answer. */
static void expect(const struct https_request *r, int code, const char *text)
{
	_cleanup_https_ struct https_answer a = {0};
	struct https_request request = *r;
	request.body_len = r->body ? strlen(r->body) : 0;
	https_send(&server, &request, &a);
	if (a.code != code || !strstr(a.body, text))
		fail_msg("%s: %d %s", r->target, a.code, a.body);
}

static void expect_post(const char *target, const char *body, int code, const char *text)
{
	expect(
	    &(struct https_request){
		.method = "POST", .target = target, .headers = {JSON}, .body = body},
	    code, text);
}

static void expect_patch(const char *target, const char *body, int code, const char *text)
{
	expect(
	    &(struct https_request){
		.method = "PATCH", .target = target, .headers = {MERGE}, .body = body},
	    code, text);
}

static void expect_get(const char *target, int code, const char *text)
{
	expect(&(struct https_request){.target = target}, code, text);
}

static void tls_secret_needs_both_keys(void **state)
{
	(void)state;
	expect_post(
	    SECRETS,
	    "{\"metadata\":{\"name\":\"t\"},\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":"
	    "\"\"}}",
	    422, "Secret \\\"t\\\" is invalid: data[tls.key]: Required value");
	expect_post(
	    SECRETS,
	    "{\"metadata\":{\"name\":\"t\"},\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":"
	    "\"\",\"tls.key\":\"\"}}",
	    201, "\"type\":\"kubernetes.io/tls\"");
	expect_patch(SECRETS "/t", "{\"type\":\"Opaque\"}", 422, "field is immutable");
}

static void immutable_secret_keeps_its_data(void **state)
{
	(void)state;
	expect_post(
	    SECRETS,
	    "{\"metadata\":{\"name\":\"i\"},\"immutable\":true,\"stringData\":{\"k\":\"v\"}}", 201,
	    "\"immutable\":true,\"data\":{\"k\":\"dg==\"}");
	expect_patch(SECRETS "/i", "{\"data\":{\"k\":\"dw==\"}}", 422,
		     "data: Forbidden: field is immutable when `immutable` is set");
	expect_patch(SECRETS "/i", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}", 200, "\"a\":\"b\"");
}

static void namespace_must_exist_for_a_create(void **state)
{
	(void)state;
	expect_post("/api/v1/namespaces/none/secrets", "{\"metadata\":{\"name\":\"x\"}}", 404,
		    "namespaces \\\"none\\\" not found");
}

static void pod_status_is_written_by_its_subresource_alone(void **state)
{
	(void)state;
	static const char pods[] = "/api/v1/namespaces/default/pods";
	expect_post(
	    pods,
	    "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":"
	    "\"Running\"}}",
	    201, "\"phase\":\"Pending\"");
	expect_patch("/api/v1/namespaces/default/pods/p", "{\"status\":{\"phase\":\"Running\"}}",
		     200, "\"phase\":\"Pending\"");
	expect_patch("/api/v1/namespaces/default/pods/p/status",
		     "{\"status\":{\"phase\":\"Running\"},\"spec\":{\"nodeName\":\"n2\"}}", 200,
		     "\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Running\"}");
	expect_get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", 200, "\"name\":\"p\"");
	expect_get("/api/v1/pods?fieldSelector=status.phase%3DPending", 200, "\"items\":[]");
}

static void event_is_seen_through_both_groups(void **state)
{
	(void)state;
	expect_post(
	    "/apis/events.k8s.io/v1/namespaces/default/events",
	    "{\"metadata\":{\"name\":\"e\"},\"eventTime\":\"2026-01-01T00:00:00.000000Z\","
	    "\"reportingController\":\"certhup.io/agent\",\"reportingInstance\":\"n1\","
	    "\"action\":\"Rotate\",\"reason\":\"CertificateRotated\",\"regarding\":{\"kind\":"
	    "\"Pod\",\"namespace\":\"default\",\"name\":\"web\"},\"note\":\"m\",\"type\":"
	    "\"Normal\"}",
	    201, "\"note\":\"m\"");
	expect_get("/api/v1/namespaces/default/events/e", 200, "\"message\":\"m\"");
	expect_get("/api/v1/events?fieldSelector=involvedObject.name%3Dweb", 200, "\"name\":\"e\"");
	expect_patch(
	    "/apis/events.k8s.io/v1/namespaces/default/events/e",
	    "{\"series\":{\"count\":2,\"lastObservedTime\":\"2026-01-01T00:00:00.000000Z\"}}", 200,
	    "\"series\":{\"count\":2");
}

static void conflicting_precondition_is_409(void **state)
{
	(void)state;
	standin_put(&server, "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"c\"}}");
	expect_patch(SECRETS "/c", "{\"metadata\":{\"resourceVersion\":\"1\"}}", 409, "Conflict");
	expect(&(struct https_request){.method = "DELETE",
				       .target = SECRETS "/c",
				       .headers = {JSON},
				       .body = "{\"preconditions\":{\"uid\":\"other\"}}"},
	       409, "Conflict");
}

static void rights_are_those_of_the_rules(void **state)
{
	(void)state;
	const struct https_request get = {.target = SECRETS "/r", .token = "web"};
	standin_put(&server, "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"r\"}}");
	standin_token(&server, "web", ACCOUNT);
	expect(&get, 403, "cannot get resource");
	standin_allow(&server, "{\"group\":\"system:serviceaccounts:default\",\"verbs\":[\"get\"],"
			       "\"resources\":[\"secrets\"],\"namespace\":\"default\"}");
	expect(&get, 200, "\"name\":\"r\"");
	expect(&(struct https_request){.target = "/api/v1/namespaces/kube-system/secrets/r",
				       .token = "web"},
	       403, "in the namespace \\\"kube-system\\\"");
	expect(&(struct https_request){.target = "/api/v1/pods", .token = "web"}, 403,
	       "at the cluster scope");
	standin_tell(&server, "{\"do\":\"forbid\",\"subject\":\"system:serviceaccounts:default\"}");
	expect(&get, 403, "Forbidden");
	standin_tell(&server, "{\"do\":\"revoke\",\"token\":\"web\"}");
	expect(&get, 401, "Unauthorized");
}

static void review_says_what_the_rules_say(void **state)
{
	(void)state;
	static const char target[] =
	    "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
	static const char body[] =
	    "{\"spec\":{\"user\":\"" ACCOUNT "\",\"groups\":[\"system:serviceaccounts\"],"
	    "\"resourceAttributes\":{\"namespace\":\"default\",\"verb\":\"get\",\"resource\":"
	    "\"secrets\","
	    "\"name\":\"s\"}}}";
	expect_post(target, body, 201, "\"status\":{\"allowed\":false}");
	standin_allow(&server,
		      "{\"user\":\"" ACCOUNT "\",\"verbs\":[\"get\"],\"resources\":[\"secrets\"],"
		      "\"namespace\":\"default\",\"names\":[\"s\"],\"role\":\"r\"}");
	expect_post(target, body, 201,
		    "\"status\":{\"allowed\":true,\"reason\":\"RBAC: allowed by");
	expect_post(
	    "/apis/authorization.k8s.io/v1/namespaces/kube-system/localsubjectaccessreviews", body,
	    422, "must match metadata.namespace");
	standin_token(&server, "plain", "somebody");
	expect(&(struct https_request){.method = "POST",
				       .target = target,
				       .token = "plain",
				       .headers = {JSON},
				       .body = body},
	       403, "localsubjectaccessreviews.authorization.k8s.io is forbidden");
	standin_tell(&server, "{\"do\":\"forbid\",\"subject\":\"" ACCOUNT "\"}");
}

static void token_review_names_the_user(void **state)
{
	(void)state;
	static const char target[] = "/apis/authentication.k8s.io/v1/tokenreviews";
	standin_token(&server, "known", ACCOUNT);
	expect_post(target, "{\"spec\":{\"token\":\"known\"}}", 201,
		    "\"authenticated\":true,\"user\":{\"username\":\"" ACCOUNT "\"");
	expect_post(target, "{\"spec\":{\"token\":\"unknown\"}}", 201, "\"status\":{\"user\":{}");
}

static void pages_show_one_state_while_objects_change(void **state)
{
	(void)state;
	static const char mark[] = "\"continue\":\"";
	_cleanup_https_ struct https_answer first = {0};
	char target[512];
	for (int name = 'a'; name < 'f'; name++) {
		char object[128];
		snprintf(object, sizeof(object),
			 "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"m%c\"}}", name);
		standin_put(&server, object);
	}
	https_send(&server, &(struct https_request){.target = "/api/v1/configmaps?limit=2"},
		   &first);
	const char *token = strstr(first.body, mark) + sizeof(mark) - 1;
	assert_non_null(strstr(first.body, "\"remainingItemCount\":3"));
	standin_delete(&server, "configmaps", "default", "mc");
	snprintf(target, sizeof(target), "/api/v1/configmaps?limit=2&continue=%.*s",
		 (int)strcspn(token, "\""), token);
	expect_get(target, 200, "\"name\":\"mc\"");
	standin_tell(&server, "{\"do\":\"compact\"}");
	expect_get(target, 410, "\"continue\":");
}

static void bookmarks_come_when_asked_for(void **state)
{
	(void)state;
	standin_tell(&server, "{\"do\":\"set\",\"bookmark_ms\":50}");
	struct https_stream *with =
	    https_open(&server, &(struct https_request){.target = SECRETS
							"?watch=true&allowWatchBookmarks=true&"
							"resourceVersion=999999999"});
	assert_false(https_read(with, "BOOKMARK", 150));
	https_cancel(with);
	with = https_open(
	    &server, &(struct https_request){.target = "/api/v1/pods?watch=true&"
						       "allowWatchBookmarks=true&fieldSelector="
						       "spec.nodeName%3Dnone"});
	assert_true(https_read(with, "initial-events-end", 5000));
	assert_true(https_read(with, "}}\n{\"type\":\"BOOKMARK\"", 5000));
	https_cancel(with);
	standin_tell(&server, "{\"do\":\"set\",\"bookmark_ms\":60000}");
}

static void restart_ends_watches_and_forgets_the_past(void **state)
{
	(void)state;
	char target[256];
	_cleanup_https_ struct https_answer a = {0};
	_cleanup_free_ char *text = standin_do(&server, "{\"do\":\"state\"}");
	const char *rv = strchr(text, ':') + 1;
	snprintf(target, sizeof(target), SECRETS "?watch=true&resourceVersion=%.*s",
		 (int)strcspn(rv, ","), rv);
	struct https_stream *s = https_open(&server, &(struct https_request){.target = target});
	standin_tell(&server, "{\"do\":\"restart\"}");
	https_close(s, &a);
	assert_false(a.whole);
	assert_string_equal(a.body, "");
	expect_get(target, 200, "\"reason\":\"Expired\",\"code\":410");
}

static void journal_tells_what_was_sent(void **state)
{
	(void)state;
	size_t before = standin_count(&server, "list", "journal");
	expect_get(SECRETS "?limit=1&x=journal", 200, "SecretList");
	expect(&(struct https_request){.target = SECRETS "?x=journal", .token = ""}, 403,
	       "anonymous");
	assert_int_equal(standin_count(&server, "list", "journal"), before + 2);
	assert_int_equal(standin_count(&server, "GET", "journal"), before + 2);
	assert_int_equal(standin_count(&server, "get", "journal"), 0);
	assert_true(standin_await(&server, "list", "journal", before + 2, 5000));
	assert_false(standin_await(&server, "list", "journal", before + 3, 50));
	_cleanup_free_ char *log = standin_log(&server);
	assert_non_null(strstr(log, "GET list " SECRETS "?limit=1&x=journal admin 200 token"));
	assert_non_null(strstr(log, "GET list " SECRETS "?x=journal system:anonymous 403 -"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tls_secret_needs_both_keys),
	    cmocka_unit_test(immutable_secret_keeps_its_data),
	    cmocka_unit_test(namespace_must_exist_for_a_create),
	    cmocka_unit_test(pod_status_is_written_by_its_subresource_alone),
	    cmocka_unit_test(event_is_seen_through_both_groups),
	    cmocka_unit_test(conflicting_precondition_is_409),
	    cmocka_unit_test(rights_are_those_of_the_rules),
	    cmocka_unit_test(review_says_what_the_rules_say),
	    cmocka_unit_test(token_review_names_the_user),
	    cmocka_unit_test(pages_show_one_state_while_objects_change),
	    cmocka_unit_test(bookmarks_come_when_asked_for),
	    cmocka_unit_test(restart_ends_watches_and_forgets_the_past),
	    cmocka_unit_test(journal_tells_what_was_sent),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
