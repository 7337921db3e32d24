/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stand-in API server against recordings of a real one: each test brings a fresh stand-in to
 * the recording's state by writes through its API, sends the recorded request, and compares status,
 * headers and body. What no write can bring about (compaction of etcd, a restart) is an admin
 * command.
 *
 * These recordings are not played:
 *     47  TokenRequest: nothing of certhup asks for tokens, kubelet gives them
 */
#include "tests/lib/scenes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_MS 50 /* where a scene names none: nothing is to happen meanwhile */

/* The recorded target with what this run has in place of a recorded value; free it. */
static char *target_of(const struct scene *s)
{
	const char *target = s->recording.target;
	char *replaced = NULL;
	if (!s->recorded)
		return strdup(target);
	const char *at = strstr(target, s->recorded);
	assert_non_null(at);
	if (asprintf(&replaced, "%.*s%s%s", (int)(at - target), target, s->is,
		     at + strlen(s->recorded)) < 0)
		fail_msg("no memory");
	return replaced;
}

static void play(void **state)
{
	struct scene *s = *state;
	const struct recording *r = &s->recording;
	_cleanup_https_ struct https_answer a = {0};
	_cleanup_free_ char *target = target_of(s);
	struct https_request request = {
	    .method = r->method,
	    .target = target,
	    .token = s->token,
	    .headers = {"User-Agent: curl/8"},
	    .body = s->body ? s->body : r->request_body,
	    .body_len = s->body           ? s->body_len
			: r->request_body ? strlen(r->request_body)
					  : 0,
	};
	request.headers[1] = s->header;
	for (size_t i = 0; r->request_headers[i]; i++)
		request.headers[i + 1] = r->request_headers[i];
	struct https_stream *stream = https_open(&s->server, &request);
	if (s->during)
		s->during(s);
	if (s->endless) {
		assert_false(https_read(stream, "{", 5 * SECOND_MS));
		recording_compare(r, https_peek(stream));
		https_cancel(stream);
		return;
	}
	https_close(stream, &a);
	assert_true(a.whole);
	recording_compare(r, &a);
}

static int start(void **state, const char *test, void (*set_up)(struct scene *s))
{
	struct scene *s = calloc(1, sizeof(*s));
	char name[64];
	assert_non_null(s);
	snprintf(name, sizeof(name), "%s", test);
	for (char *p = name; (p = strchr(p, '_'));)
		*p = '-';
	recording_read(name, &s->recording);
	standin_start(&s->server, NULL);
	set_up(s);
	int second_ms = s->second_ms ? s->second_ms : SECOND_MS;
	standin_tell(&s->server, "{\"do\":\"set\",\"second_ms\":%d,\"list_wait_ms\":%d}", second_ms,
		     3 * second_ms);
	*state = s;
	return 0;
}

static int stop(void **state)
{
	struct scene *s = *state;
	standin_stop(&s->server);
	recording_done(&s->recording);
	free(s->page);
	free(s->body);
	free(s);
	return 0;
}

/* The rows: a recording, and what brings its state about. */
struct row {
	const char *name;
	void (*set_up)(struct scene *s);
};

static int start_row(void **state)
{
	const struct row *row = *state;
	return start(state, row->name, row->set_up);
}

#define TEXT(word) #word
#define cmocka_unit_test_recording(recording, prepare)                                             \
	{                                                                                          \
		TEXT(recording), play, start_row, stop, &(struct row)                              \
		{                                                                                  \
			TEXT(recording), prepare                                                   \
		}                                                                                  \
	}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_recording(01_create, scene_add_namespace),
    cmocka_unit_test_recording(02_create_conflict, scene_secrets),
    cmocka_unit_test_recording(03_list, scene_secrets),
    cmocka_unit_test_recording(04_list_name, scene_secrets),
    cmocka_unit_test_recording(05_list_label, scene_secrets),
    cmocka_unit_test_recording(06_list_name_absent, scene_secrets),
    cmocka_unit_test_recording(07_list_page_1, scene_secrets),
    cmocka_unit_test_recording(08_list_page_2, scene_second_page),
    cmocka_unit_test_recording(09_list_continue_bad, scene_secrets),
    cmocka_unit_test_recording(10_list_rv0_limit, scene_secrets),
    cmocka_unit_test_recording(11_list_exact, scene_exact_list),
    cmocka_unit_test_recording(12_list_match_without_rv, scene_secrets),
    cmocka_unit_test_recording(13_list_rv_too_large, scene_secrets),
    cmocka_unit_test_recording(14_list_rv_bad, scene_secrets),
    cmocka_unit_test_recording(15_get, scene_secrets),
    cmocka_unit_test_recording(16_get_absent, scene_secrets),
    cmocka_unit_test_recording(17_get_partial_metadata, scene_secrets),
    cmocka_unit_test_recording(18_unknown_resource, scene_secrets),
    cmocka_unit_test_recording(19_unknown_path, scene_secrets),
    cmocka_unit_test_recording(20_method_not_allowed, scene_secrets),
    cmocka_unit_test_recording(21_not_acceptable, scene_secrets),
    cmocka_unit_test_recording(22_patch_merge, scene_secrets),
    cmocka_unit_test_recording(23_patch_apply, scene_patched_secrets),
    cmocka_unit_test_recording(24_patch_noop, scene_applied_secrets),
    cmocka_unit_test_recording(25_patch_type_unsupported, scene_secrets),
    cmocka_unit_test_recording(26_put_stale, scene_secrets),
    cmocka_unit_test_recording(27_invalid_key, scene_secrets),
    cmocka_unit_test_recording(28_invalid_name, scene_secrets),
    cmocka_unit_test_recording(29_invalid_base64, scene_secrets),
    cmocka_unit_test_recording(30_malformed_json, scene_secrets),
    cmocka_unit_test_recording(31_too_large, scene_too_large_secret),
    cmocka_unit_test_recording(32_body_too_large, scene_too_large_body),
    cmocka_unit_test_recording(33_watch_one_object, scene_watch_one),
    cmocka_unit_test_recording(34_watch_http1, scene_watch_http1),
    cmocka_unit_test_recording(35_watch_label_leaves, scene_watch_label),
    cmocka_unit_test_recording(36_watch_rv0, scene_later_secrets),
    cmocka_unit_test_recording(37_watch_rv_unset, scene_later_secrets),
    cmocka_unit_test_recording(38_watch_rv_unset_absent, scene_later_secrets),
    cmocka_unit_test_recording(39_watch_list, scene_later_secrets),
    cmocka_unit_test_recording(40_watch_list_absent, scene_later_secrets),
    cmocka_unit_test_recording(41_watch_list_without_match, scene_later_secrets),
    cmocka_unit_test_recording(42_watch_future_rv, scene_watch_future),
    cmocka_unit_test_recording(43_watch_bad_rv, scene_later_secrets),
    cmocka_unit_test_recording(44_watch_partial_metadata, scene_partial_watch),
    cmocka_unit_test_recording(45_401_no_credentials, scene_anonymous),
    cmocka_unit_test_recording(46_401_bad_token, scene_bad_token),
    cmocka_unit_test_recording(48_403_get, scene_account_without_rights),
    cmocka_unit_test_recording(49_403_list, scene_account_without_rights),
    cmocka_unit_test_recording(50_403_watch, scene_account_without_rights),
    cmocka_unit_test_recording(51_403_other_namespace, scene_account_without_rights),
    cmocka_unit_test_recording(52_resource_names_get, scene_account_with_one_name),
    cmocka_unit_test_recording(53_resource_names_list_by_name, scene_account_with_one_name),
    cmocka_unit_test_recording(54_resource_names_list_all, scene_account_with_one_name),
    cmocka_unit_test_recording(55_resource_names_watch_by_name, scene_account_with_one_name),
    cmocka_unit_test_recording(56_resource_names_watch_other, scene_account_with_one_name),
    cmocka_unit_test_recording(57_self_subject_access_review, scene_account_with_one_name),
    cmocka_unit_test_recording(58_event_core, scene_add_namespace),
    cmocka_unit_test_recording(59_event_v1, scene_add_namespace),
    cmocka_unit_test_recording(60_event_v1_bad_time, scene_add_namespace),
    cmocka_unit_test_recording(61_event_v1_missing_action, scene_add_namespace),
    cmocka_unit_test_recording(62_delete, scene_secrets),
    cmocka_unit_test_recording(63_delete_absent, scene_without_d),
    cmocka_unit_test_recording(64_pods_by_node, scene_secrets),
    cmocka_unit_test_recording(65_field_selector_unsupported, scene_secrets),
    cmocka_unit_test_recording(66_watch_server_stops, scene_watch_stops),
    cmocka_unit_test_recording(67_410_list_continue, scene_old_page),
    cmocka_unit_test_recording(68_410_list_exact, scene_old_list),
    cmocka_unit_test_recording(69_410_watch, scene_old_list),
    cmocka_unit_test_recording(70_watch_after_restart_current, scene_restarted),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
