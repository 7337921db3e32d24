/* SPDX-License-Identifier: Apache-2.0 */

/* How init and sidecar end by what they may do and what is there: exit code and sentence. */

#include "tests/lib/in_pod.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define INIT(...) IN_POD("init", __VA_ARGS__)
#define SIDECAR(...) IN_POD("sidecar", "--metrics-listen=", __VA_ARGS__)

/* A kubeconfig of an account with these verbs of Secrets, as a JSON array; NULL: none. */
static void account(const char *name, const char *verbs, char ret_path[static 128])
{
	char user[96];
	char token[64];
	char rule[256];

	snprintf(user, sizeof(user), "system:serviceaccount:default:%s", name);
	snprintf(token, sizeof(token), "%s-token", name);
	standin_token(&pod.api, token, user);
	snprintf(rule, sizeof(rule),
		 "{\"user\": \"%s\", \"verbs\": %s, \"resources\": [\"secrets\"], \"names\": "
		 "[\"web-tls\"]}",
		 user, verbs ? verbs : "[]");
	if (verbs)
		standin_allow(&pod.api, rule);
	in_pod_kubeconfig(&pod, token, ret_path);
}

static void says(struct program *p, const char *text)
{
	if (!strstr(program_err(p), text))
		fail_msg("no \"%s\" in %s", text, program_err(p));
}

static void names_the_right_that_is_missing(struct program *p)
{
	says(p, "the time is over: ");
	says(p, "cannot get resource \\\"secrets\\\" in API group \\\"\\\" in the namespace "
		"\\\"default\\\"");
	says(p, "allow get and watch on it by a Role in namespace default (apiGroups [\\\"\\\"], "
		"resources [secrets], resourceNames [web-tls]) and a RoleBinding");
}

/* Runs both commands with an account of these verbs; both end with the code. */
static void both_end_with(int code, const char *name, const char *verbs,
			  void (*check)(struct program *p))
{
	_cleanup_program_ struct program init = {0};
	_cleanup_program_ struct program sidecar = {0};
	char kubeconfig[128];

	account(name, verbs, kubeconfig);
	assert_int_equal(
	    program_run(&init, &as_container, INIT("--timeout=2s", "--kubeconfig", kubeconfig)),
	    code);
	check(&init);
	assert_int_equal(program_run(&sidecar, &as_container,
				     SIDECAR("--timeout=2s", "--kubeconfig", kubeconfig)),
			 code);
	check(&sidecar);
}

/* Both deliver with an account of these verbs, and say the text. */
static void both_deliver(const char *name, const char *verbs, const char *text)
{
	_cleanup_program_ struct program init = {0};
	_cleanup_program_ struct program sidecar = {0};
	_cleanup_pair_ struct pki_pair first;
	_cleanup_pair_ struct pki_pair second;
	char kubeconfig[128];

	account(name, verbs, kubeconfig);
	in_pod_rotate(&pod, NULL, &first);
	assert_int_equal(
	    program_run(&init, &as_container, INIT("--timeout=20s", "--kubeconfig", kubeconfig)),
	    0);
	says(&init, text);
	assert_true(in_pod_holds(&pod, "tls.crt", first.tls_crt, 0));
	in_pod_rotate(&pod, NULL, &second);
	program_start(&sidecar, &as_container,
		      SIDECAR("--timeout=20s", "--kubeconfig", kubeconfig));
	assert_true(in_pod_holds(&pod, "tls.crt", second.tls_crt, 30000));
	program_signal(&sidecar, SIGTERM);
	assert_int_equal(program_wait(&sidecar, 10000), 0);
	says(&sidecar, text);
}

static void without_any_right_both_end_with_five(void **state _unused_)
{
	_cleanup_pair_ struct pki_pair pair;

	in_pod_rotate(&pod, NULL, &pair);
	both_end_with(5, "nothing", NULL, names_the_right_that_is_missing);
}

static void right_to_watch_alone_delivers(void **state _unused_)
{
	both_deliver("watcher", "[\"watch\"]", "");
}

/* The watch tells nothing of a Secret that is not there, and nobody else may be asked. */
static void right_to_watch_alone_and_no_secret_ends_with_five(void **state _unused_)
{
	both_end_with(5, "watcher2", "[\"watch\"]", names_the_right_that_is_missing);
}

static void right_to_get_alone_delivers_and_says_what_is_missing(void **state _unused_)
{
	both_deliver("getter", "[\"get\"]",
		     "\"event\":\"watch.denied\",\"verb\":\"watch\",\"resource\":"
		     "\"/api/v1/namespaces/default/secrets/web-tls\"");
}

static void says_absent(struct program *p)
{
	says(p, "Secret web-tls is not there; create it, or correct --secret and --namespace");
}

static void right_to_get_alone_and_no_secret_ends_with_four(void **state _unused_)
{
	both_end_with(4, "getter2", "[\"get\"]", says_absent);
}

static void absent_secret_is_known_within_a_second(void **state _unused_)
{
	static const char *const times[] = {"--timeout=1s", "--timeout=300ms"};

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		_cleanup_program_ struct program p = {0};

		assert_int_equal(program_run(&p, &as_container, INIT(times[i])), 4);
		says_absent(&p);
	}
}

static void silent_server_is_no_absent_secret(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	standin_tell(&pod.api, "{\"do\": \"accept\", \"mode\": \"black-hole\"}");
	assert_int_equal(program_run(&p, &as_container, INIT("--timeout=1s")), 1);
	standin_tell(&pod.api, "{\"do\": \"accept\", \"mode\": \"yes\"}");
	says(&p, "has not answered yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(without_any_right_both_end_with_five, in_pod_setup),
	    cmocka_unit_test_setup(right_to_watch_alone_delivers, in_pod_setup),
	    cmocka_unit_test_setup(right_to_watch_alone_and_no_secret_ends_with_five, in_pod_setup),
	    cmocka_unit_test_setup(right_to_get_alone_delivers_and_says_what_is_missing,
				   in_pod_setup),
	    cmocka_unit_test_setup(right_to_get_alone_and_no_secret_ends_with_four, in_pod_setup),
	    cmocka_unit_test_setup(absent_secret_is_known_within_a_second, in_pod_setup),
	    cmocka_unit_test_setup(silent_server_is_no_absent_secret, in_pod_setup),
	};

	return cmocka_run_group_tests(tests, in_pod_setup_group, in_pod_teardown_group);
}
