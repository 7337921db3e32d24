/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent with the rights of each scope of the chart, and no others: what it delivers, and what it says of the rest.
 */

#include "tests/lib/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SOON_MS 15000
#define PLAIN "{\"tls\":{\"secret\":\"web-tls\"}}"
#define ACCOUNT "system:serviceaccount:certhup:certhup"
#define POD_ACCOUNT "system:serviceaccount:default:default"

struct scene {
	struct node_scene node;
	char kubeconfig[160]; /* of the agent's account */
};

/* What the ClusterRole of the chart gives, and the right of the pod's own account. */
static void allow_base(struct node_scene *n)
{
	standin_token(&n->api, "agent-token", ACCOUNT);
	standin_allow(&n->api, "{\"user\":\"" ACCOUNT "\",\"verbs\":[\"get\",\"list\",\"watch\"],"
			       "\"resources\":[\"pods\"]}");
	standin_allow(&n->api, "{\"user\":\"" ACCOUNT "\",\"verbs\":[\"create\",\"patch\"],"
			       "\"resources\":[\"events\"],\"groups\":[\"events.k8s.io\"]}");
	standin_allow(&n->api, "{\"user\":\"" POD_ACCOUNT "\",\"verbs\":[\"get\"],"
			       "\"resources\":[\"secrets\"],\"namespace\":\"default\"}");
}

/* What the Role of a namespace gives; names: of Secrets, as JSON; NULL: all. */
static void allow_namespace(struct node_scene *n, const char *names)
{
	char rule[512];

	snprintf(rule, sizeof(rule),
		 "{\"user\":\"" ACCOUNT
		 "\",\"verbs\":[\"get\",\"watch\"],\"resources\":[\"secrets\"],"
		 "\"namespace\":\"default\"%s%s}",
		 names ? ",\"names\":" : "", names ? names : "");
	standin_allow(&n->api, rule);
	standin_allow(&n->api, "{\"user\":\"" ACCOUNT "\",\"verbs\":[\"create\"],\"resources\":"
			       "[\"localsubjectaccessreviews\"],\"namespace\":\"default\"}");
}

static int set_up(void **state)
{
	struct scene *s;
	FILE *f;

	*state = NULL;
	if (geteuid() != 0)
		return 0;
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	node_scene_start(&s->node);
	allow_base(&s->node);
	snprintf(s->kubeconfig, sizeof(s->kubeconfig), "%s/agent", s->node.api.dir);
	f = fopen(s->kubeconfig, "we");
	assert_non_null(f);
	fprintf(
	    f,
	    "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
	    "contexts: [{name: a, context: {cluster: a, user: a}}]\n"
	    "users: [{name: a, user: {token: agent-token}}]\n"
	    "clusters: [{name: a, cluster: {server: \"%s\", certificate-authority: %s/ca.crt}}]\n",
	    s->node.api.url, s->node.api.dir);
	fclose(f);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	if (s) {
		node_scene_stop(&s->node);
		free(s);
	}
	return 0;
}

static struct scene *scene(void **state)
{
	if (!*state) {
		fprintf(stderr, "SKIP: needs root\n");
		skip();
	}
	return *state;
}

static void start(struct scene *s)
{
	node_head_start(&s->node, WORDS("--kubeconfig", s->kubeconfig));
}

static void scope_of_a_namespace_delivers_from_there(void **state)
{
	struct scene *s = scene(state);
	_cleanup_pair_ struct pki_pair pair = {0};
	struct node_pod pod;

	allow_namespace(&s->node, NULL);
	node_put_secret(&s->node, "web-tls", &pair);
	node_pod_make(&s->node, 1, PLAIN, &pod);
	start(s);
	assert_true(node_pod_has(&pod, &pair, SOON_MS));
	assert_true(node_pod_event(&pod, "CertificateRotated", SOON_MS));
	/* It lists no Secrets, which would be all of them. */
	assert_int_equal(standin_count(&s->node.api, "list", "/secrets"), 0);
	node_pod_delete(&pod);
}

static void namespace_without_a_role_is_told_so(void **state)
{
	struct scene *s = scene(state);
	_cleanup_pair_ struct pki_pair pair = {0};
	struct node_pod pod;

	node_put_secret(&s->node, "web-tls", &pair);
	node_pod_make(&s->node, 1, PLAIN, &pod);
	start(s);
	assert_true(node_pod_event(&pod, "NamespaceNotCovered", SOON_MS));
	assert_false(node_pod_event(&pod, "SecretUnreadable", 0));
	assert_false(node_pod_has(&pod, &pair, 0));
	/* The Role comes, and it goes on by itself. */
	allow_namespace(&s->node, NULL);
	assert_true(node_pod_has(&pod, &pair, 2 * SOON_MS));
	node_pod_delete(&pod);
}

static void scope_of_names_reads_these_and_says_which_it_may_not(void **state)
{
	struct scene *s = scene(state);
	_cleanup_pair_ struct pki_pair pair = {0};
	_cleanup_pair_ struct pki_pair other = {0};
	struct node_pod pod;
	struct node_pod refused;

	allow_namespace(&s->node, "[\"web-tls\"]");
	node_put_secret(&s->node, "web-tls", &pair);
	node_put_secret(&s->node, "other", &other);
	node_pod_make(&s->node, 1, PLAIN, &pod);
	node_pod_make(&s->node, 2, "{\"tls\":{\"secret\":\"other\"}}", &refused);
	start(s);
	assert_true(node_pod_has(&pod, &pair, SOON_MS));
	assert_true(node_pod_event(&refused, "SecretUnreadable", SOON_MS));
	assert_false(node_pod_event(&refused, "NamespaceNotCovered", 0));
	assert_false(node_pod_has(&refused, &other, 0));
	node_pod_delete(&pod);
	node_pod_delete(&refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(scope_of_a_namespace_delivers_from_there, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(namespace_without_a_role_is_told_so, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(scope_of_names_reads_these_and_says_which_it_may_not,
					    set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
