/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certhup selftest against our own agent and a stand-in API server: what helm test runs.
 */

#include "tests/lib/one_node.h"

#include <string.h>

#define NAME "certhup-selftest"
#define WISH "{\"tls\":{\"secret\":\"" NAME "\"}}"
#define ACCOUNT "system:serviceaccount:default:selftest"

/* The Secret as the chart makes it. */
static void put_empty(struct node_scene *n)
{
	standin_put(&n->api, "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			     "\"" NAME "\",\"annotations\":{\"certhup.io/selftest\":\"true\"}},"
			     "\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":"
			     "\"\",\"tls.key\":\"\"}}");
}

static void prepare(struct node_scene *n)
{
	_cleanup_program_ struct program p = {0};

	put_empty(n);
	assert_int_equal(program_run(&p, NULL,
				     WORDS("certhup", "selftest", "--prepare", "--secret", NAME,
					   "--kubeconfig", n->api.kubeconfig)),
			 0);
	assert_string_equal(program_out(&p), "ok    " NAME " has a first pair\n");
}

#define SELFTEST(n, pod, ...)                                                                      \
	WORDS("certhup", "selftest", "--secret", NAME, "--kubeconfig", (n)->api.kubeconfig,        \
	      "--dir", (pod)->volume, __VA_ARGS__)

static void it_sees_delivery_rotation_and_metric(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};
	struct node_pod pod;

	prepare(n);
	node_pod_make(n, 1, WISH, &pod);
	node_head_start(n, NULL);
	assert_int_equal(program_run(&p, NULL, SELFTEST(n, &pod, "--agent", n->metrics)), 0);
	assert_non_null(strstr(program_out(&p), " has a first pair, "));
	assert_non_null(strstr(program_out(&p), " has the rotated pair, "));
	assert_non_null(strstr(program_out(&p), "ok    " NAME " ends in the agent's metrics"));
	/* No rejected pair: what the alerts are about. */
	assert_false(node_pod_event(&pod, "CertificateRejected", 0));
	node_pod_delete(&pod);
}

static void it_finds_the_agent_of_its_node_by_labels(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};
	struct node_pod pod;
	char port[8];

	prepare(n);
	node_pod_make(n, 1, WISH, &pod);
	node_head_start(n, NULL);
	for (int i = 0; i < 3; i++) {
		static const char *const facts[][2] = {
		    {"n1", "agent"}, {"n2", "agent"}, {"n1", "other"}};
		char object[512];

		snprintf(
		    object, sizeof(object),
		    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"agent-%d\","
		    "\"labels\":{\"app.kubernetes.io/component\":\"%s\"}},\"spec\":{\"nodeName\":"
		    "\"%s\",\"containers\":[{\"name\":\"head\"}]},\"status\":{\"podIP\":"
		    "\"127.0.0.%d\"}}",
		    i, facts[i][1], facts[i][0], i + 1);
		standin_put(&n->api, object);
	}
	snprintf(port, sizeof(port), "%s", n->metrics + strlen("127.0.0.1:"));
	assert_int_equal(
	    program_run(&p, NULL,
			SELFTEST(n, &pod, "--node-name", "n1", "--agent-labels",
				 "app.kubernetes.io/component=agent", "--agent-port", port)),
	    0);
	assert_true(standin_count(&n->api, "list", "spec.nodeName%3Dn1") >= 1);
	node_pod_delete(&pod);
}

static void metric_that_is_not_there_ends_with_one(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};
	struct node_pod pod;

	prepare(n);
	node_pod_make(n, 1, WISH, &pod);
	node_head_start(n, NULL);
	/* Another address: nobody answers there. */
	assert_int_equal(
	    program_run(&p, NULL, SELFTEST(n, &pod, "--agent", "127.0.0.1:1", "--timeout=1s")), 1);
	assert_non_null(strstr(program_err(&p), "the agent's metrics: 127.0.0.1:1"));
	node_pod_delete(&pod);
}

static void without_an_agent_it_ends_with_124(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};
	struct node_pod pod;

	prepare(n);
	node_pod_make(n, 1, WISH, &pod);
	assert_int_equal(program_run(&p, NULL, SELFTEST(n, &pod, "--timeout=1s")), 124);
	assert_non_null(strstr(program_err(&p), "has no pair"));
	node_pod_delete(&pod);
}

static void rotation_that_does_not_arrive_ends_with_124(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};
	struct node_pod pod;

	prepare(n);
	node_pod_make(n, 1, WISH, &pod);
	node_head_start(n, NULL);
	program_start(&p, NULL, SELFTEST(n, &pod, "--timeout=20s"));
	assert_true(node_pod_event(&pod, "CertificateRotated", 15000));
	program_done(&p);
	node_head_stop(n);
	p = (struct program){0};
	assert_int_equal(program_run(&p, NULL, SELFTEST(n, &pod, "--timeout=1s")), 124);
	assert_non_null(strstr(program_out(&p), " has a first pair, "));
	assert_non_null(strstr(program_err(&p), "has no new pair"));
	node_pod_delete(&pod);
}

static void secret_that_is_not_there_ends_with_four(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};

	assert_int_equal(program_run(&p, NULL,
				     WORDS("certhup", "selftest", "--prepare", "--secret", NAME,
					   "--kubeconfig", n->api.kubeconfig)),
			 4);
	assert_non_null(strstr(program_err(&p), "Secret default/" NAME));
}

static void secret_of_somebody_else_is_not_overwritten(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};

	standin_put(&n->api, "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			     "\"" NAME "\"},\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":"
			     "\"Ynl0ZXM=\",\"tls.key\":\"\"}}");
	assert_int_equal(program_run(&p, NULL,
				     WORDS("certhup", "selftest", "--prepare", "--secret", NAME,
					   "--kubeconfig", n->api.kubeconfig)),
			 1);
	assert_non_null(strstr(program_err(&p), "certhup.io/selftest=true"));
}

/* The rights of the chart's account, and not one more. */
static void get_and_patch_of_the_one_secret_are_enough(void **state)
{
	struct node_scene *n = node_of(state);
	_cleanup_program_ struct program p = {0};
	_cleanup_program_ struct program other = {0};
	char kubeconfig[160];
	FILE *f;

	snprintf(kubeconfig, sizeof(kubeconfig), "%s/selftest", n->api.dir);
	f = fopen(kubeconfig, "we");
	assert_non_null(f);
	fprintf(
	    f,
	    "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
	    "contexts: [{name: a, context: {cluster: a, user: a}}]\n"
	    "users: [{name: a, user: {token: selftest-token}}]\n"
	    "clusters: [{name: a, cluster: {server: \"%s\", certificate-authority: %s/ca.crt}}]\n",
	    n->api.url, n->api.dir);
	fclose(f);
	put_empty(n);
	standin_token(&n->api, "selftest-token", ACCOUNT);
	standin_allow(&n->api, "{\"user\":\"" ACCOUNT "\",\"verbs\":[\"get\",\"patch\"],"
			       "\"resources\":[\"secrets\"],\"names\":[\"" NAME "\"]}");
	assert_int_equal(program_run(&p, NULL,
				     WORDS("certhup", "selftest", "--prepare", "--key=ed25519",
					   "--secret", NAME, "--kubeconfig", kubeconfig)),
			 0);
	assert_int_equal(program_run(&other, NULL,
				     WORDS("certhup", "selftest", "--prepare", "--secret", "other",
					   "--kubeconfig", kubeconfig)),
			 1);
	assert_non_null(strstr(program_err(&other), "Secret default/other"));
}

static void flags_that_do_not_go_together_end_with_two(void **state _unused_)
{
	const char *const *const lines[] = {
	    WORDS("certhup", "selftest", "--dir=/tls"),
	    WORDS("certhup", "selftest", "--secret=a"),
	    WORDS("certhup", "selftest", "--secret=a", "--dir=/tls", "--prepare"),
	    WORDS("certhup", "selftest", "--secret=a", "--dir=/tls", "--agent=h:1",
		  "--agent-labels=a=b"),
	    WORDS("certhup", "selftest", "--secret=a", "--dir=/tls", "--agent-labels=a=b"),
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		_cleanup_program_ struct program p = {0};

		assert_int_equal(program_run(&p, NULL, lines[i]), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_sees_delivery_rotation_and_metric, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(it_finds_the_agent_of_its_node_by_labels, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(metric_that_is_not_there_ends_with_one, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(without_an_agent_it_ends_with_124, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(rotation_that_does_not_arrive_ends_with_124, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(secret_that_is_not_there_ends_with_four, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(secret_of_somebody_else_is_not_overwritten, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(get_and_patch_of_the_one_secret_are_enough, set_up,
					    tear_down),
	    cmocka_unit_test(flags_that_do_not_go_together_end_with_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
