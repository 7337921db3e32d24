/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/scenes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECRETS "/api/v1/namespaces/tr/secrets"
#define ACCOUNT "system:serviceaccount:tr:default"
#define ACCOUNT_TOKEN "the-token-of-the-account"

/* A second of timeoutSeconds, where something is to happen before its end. */
#define LONG_SECOND_MS 500

static void send_ok(struct scene *s, const char *method, const char *target, const char *type,
		    const char *body)
{
	_cleanup_https_ struct https_answer a = {0};
	const struct https_request r = {.method = method,
					.target = target,
					.headers = {type, "User-Agent: curl/8"},
					.body = body,
					.body_len = body ? strlen(body) : 0};
	https_send(&s->server, &r, &a);
	if (a.code < 200 || a.code > 299)
		fail_msg("%s %s: %d %s", method, target, a.code, a.body);
}

static void post(struct scene *s, const char *target, const char *body)
{
	send_ok(s, "POST", target, "Content-Type: application/json", body);
}

static void patch(struct scene *s, const char *name, const char *body)
{
	char target[128];
	snprintf(target, sizeof(target), SECRETS "/%s", name);
	send_ok(s, "PATCH", target, "Content-Type: application/merge-patch+json", body);
}

static void delete (struct scene *s, const char *name)
{
	char target[128];
	snprintf(target, sizeof(target), SECRETS "/%s", name);
	send_ok(s, "DELETE", target, "Accept: application/json", NULL);
}

/* The member of a list's metadata; free it. */
static char *list_member(struct scene *s, const char *query, const char *member)
{
	char key[64];
	_cleanup_https_ struct https_answer a = {0};
	char target[256];
	snprintf(target, sizeof(target), SECRETS "%s", query);
	https_send(&s->server, &(struct https_request){.target = target}, &a);
	snprintf(key, sizeof(key), "\"%s\":\"", member);
	const char *at = strstr(a.body, key);
	assert_non_null(at);
	at += strlen(key);
	return strndup(at, strcspn(at, "\""));
}

static void note_rv(struct scene *s)
{
	_cleanup_free_ char *rv = list_member(s, "?limit=1", "resourceVersion");
	snprintf(s->rv, sizeof(s->rv), "%s", rv);
}

/* The recorded resourceVersion in the target becomes the one of now. */
static void replace_rv(struct scene *s, const char *recorded)
{
	note_rv(s);
	s->recorded = recorded;
	s->is = s->rv;
}

void scene_add_namespace(struct scene *s)
{
	post(s, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"tr\"}}");
}

/* a, of the label app=x and with the value, and b, c, d. */
static void add_secrets_with(struct scene *s, const char *labels, const char *value)
{
	char body[256];
	scene_add_namespace(s);
	snprintf(body, sizeof(body),
		 "{\"metadata\":{\"name\":\"a\"%s},\"type\":\"Opaque\",\"data\":{\"k\":\"%s\"}}",
		 labels, value);
	post(s, SECRETS, body);
	for (const char *name = "bcd"; *name; name++) {
		snprintf(body, sizeof(body),
			 "{\"metadata\":{\"name\":\"%c\"},\"type\":\"Opaque\","
			 "\"data\":{\"k\":\"b25l\"}}",
			 *name);
		post(s, SECRETS, body);
	}
}

void scene_secrets(struct scene *s)
{
	add_secrets_with(s, ",\"labels\":{\"app\":\"x\"}", "b25l");
}

void scene_patched_secrets(struct scene *s)
{
	add_secrets_with(s, ",\"labels\":{\"app\":\"x\"}", "dHdv");
}

void scene_applied_secrets(struct scene *s)
{
	add_secrets_with(s, ",\"labels\":{\"app\":\"x\"}", "dHJlZQ==");
}

/* As they are after the recorded watches. */
void scene_later_secrets(struct scene *s)
{
	add_secrets_with(s, "", "Mg==");
}

static void last_secrets(struct scene *s)
{
	add_secrets_with(s, "", "Mw==");
}

void scene_second_page(struct scene *s)
{
	scene_secrets(s);
	s->page = list_member(s, "?limit=2", "continue");
	s->recorded = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTIwOCwic3RhcnQiOiIvYlx1MDAw"
		      "MCJ9";
	s->is = s->page;
}

void scene_exact_list(struct scene *s)
{
	scene_secrets(s);
	replace_rv(s, "1208");
	patch(s, "a", "{\"data\":{\"k\":\"bGF0ZXI=\"}}");
}

static void large_value(struct scene *s, const char *name, size_t len)
{
	static const char head[] = "{\"metadata\":{\"name\":\"%s\"},\"data\":{\"k\":\"";
	scene_add_namespace(s);
	s->body = malloc(len + sizeof(head) + 64);
	assert_non_null(s->body);
	int n = snprintf(s->body, sizeof(head) + 32, head, name);
	memset(s->body + n, 'A', len);
	memcpy(s->body + n + len, "\"}}", 4);
	s->body_len = (size_t)n + len + 3;
	s->header = "Content-Type: application/json";
}

void scene_too_large_secret(struct scene *s)
{
	large_value(s, "big", 1600000);
}

void scene_too_large_body(struct scene *s)
{
	large_value(s, "big", 4000000);
}

static void change_and_recreate(struct scene *s)
{
	patch(s, "a", "{\"data\":{\"k\":\"MQ==\"}}");
	patch(s, "b", "{\"data\":{\"k\":\"MQ==\"}}");
	delete (s, "a");
	post(s, SECRETS,
	     "{\"metadata\":{\"name\":\"a\"},\"type\":\"Opaque\",\"data\":{\"k\":\"b25l\"}}");
}

void scene_watch_one(struct scene *s)
{
	scene_applied_secrets(s);
	replace_rv(s, "1211");
	s->during = change_and_recreate;
	s->second_ms = 2 * LONG_SECOND_MS;
}

static void change_value(struct scene *s)
{
	patch(s, "a", "{\"data\":{\"k\":\"Mg==\"}}");
}

void scene_watch_http1(struct scene *s)
{
	add_secrets_with(s, "", "b25l");
	replace_rv(s, "1233");
	s->during = change_value;
	s->second_ms = LONG_SECOND_MS;
}

static void label_and_unlabel(struct scene *s)
{
	patch(s, "b", "{\"metadata\":{\"labels\":{\"app\":\"x\"}}}");
	patch(s, "b", "{\"metadata\":{\"labels\":null}}");
}

void scene_watch_label(struct scene *s)
{
	scene_later_secrets(s);
	patch(s, "b", "{\"data\":{\"k\":\"MQ==\"}}");
	replace_rv(s, "1233");
	s->during = label_and_unlabel;
	s->second_ms = LONG_SECOND_MS;
}

static void change_unseen(struct scene *s)
{
	patch(s, "a", "{\"data\":{\"k\":\"Mw==\"}}");
}

void scene_watch_future(struct scene *s)
{
	scene_later_secrets(s);
	s->during = change_unseen;
	s->second_ms = LONG_SECOND_MS;
}

void scene_partial_watch(struct scene *s)
{
	last_secrets(s);
	s->header = "Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
}

void scene_anonymous(struct scene *s)
{
	scene_later_secrets(s);
	s->token = "";
}

void scene_bad_token(struct scene *s)
{
	scene_later_secrets(s);
	s->token = "nobody-knows-this-token";
}

void scene_account_without_rights(struct scene *s)
{
	last_secrets(s);
	standin_token(&s->server, ACCOUNT_TOKEN, ACCOUNT);
	s->token = ACCOUNT_TOKEN;
}

void scene_account_with_one_name(struct scene *s)
{
	scene_account_without_rights(s);
	standin_allow(&s->server,
		      "{\"user\":\"" ACCOUNT "\",\"verbs\":[\"get\",\"list\",\"watch\"],"
		      "\"resources\":[\"secrets\"],\"namespace\":\"tr\",\"names\":[\"a\"],"
		      "\"role\":\"r\"}");
}

void scene_without_d(struct scene *s)
{
	scene_secrets(s);
	delete (s, "d");
}

static void stop_server(struct scene *s)
{
	standin_tell(&s->server, "{\"do\":\"stop\"}");
	standin_tell(&s->server, "{\"do\":\"patch\",\"resource\":\"secrets\",\"namespace\":\"tr\","
				 "\"name\":\"a\",\"patch\":{\"data\":{\"k\":\"MQ==\"}}}");
}

void scene_watch_stops(struct scene *s)
{
	last_secrets(s);
	replace_rv(s, "1307");
	s->during = stop_server;
	s->endless = true;
}

/* As after a compaction of etcd and a restart: only what is newest can be read. */
static void age(struct scene *s)
{
	patch(s, "a", "{\"data\":{\"k\":\"bGF0ZXI=\"}}");
	standin_tell(&s->server, "{\"do\":\"compact\"}");
	standin_tell(&s->server, "{\"do\":\"restart\"}");
}

void scene_old_page(struct scene *s)
{
	last_secrets(s);
	s->page = list_member(s, "?limit=1", "continue");
	s->recorded = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTI5NSwic3RhcnQiOiIvYVx1MDAw"
		      "MCJ9";
	s->is = s->page;
	age(s);
}

void scene_old_list(struct scene *s)
{
	last_secrets(s);
	replace_rv(s, "1295");
	age(s);
}

void scene_restarted(struct scene *s)
{
	last_secrets(s);
	replace_rv(s, "1307");
	standin_tell(&s->server, "{\"do\":\"restart\"}");
}
