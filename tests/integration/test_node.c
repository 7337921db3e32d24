/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node agent end to end: our own programs, a stand-in API server, kubelet's directories, real cgroups and a real nginx.
 */

#include "tests/lib/one_node.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SOON_MS 15000

#define PLAIN "{\"tls\":{\"secret\":\"web-tls\"}}"
#define PROVEN                                                                                     \
	"{\"tls\":{\"secret\":\"web-tls\",\"reload\":\"signal:HUP\",\"probe\":\"tls:20001\","      \
	"\"settle\":\"3s\"}}"

static struct node_scene *scene(void **state)
{
	struct node_scene *n = node_of(state);

	if (!n->has_cgroups) {
		fprintf(stderr, "SKIP: needs cgroups\n");
		skip();
	}
	return n;
}

/* The agent starts, and the pod gets its first pair. */
static void deliver_first(struct node_scene *n, const char *wishes, struct node_pod *pod,
			  struct pki_pair *pair)
{
	node_put_secret(n, "web-tls", pair);
	node_pod_make(n, 1, wishes, pod);
	node_head_start(n, NULL);
	assert_true(node_pod_has(pod, pair, SOON_MS));
}

static void volume_follows_its_secret(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair first = {0};
	_cleanup_pair_ struct pki_pair second = {0};
	_cleanup_free_ char *status = NULL;
	struct node_pod pod;

	deliver_first(n, PLAIN, &pod, &first);
	node_put_secret(n, "web-tls", &second);
	assert_true(node_pod_has(&pod, &second, SOON_MS));
	assert_true(node_pod_event(&pod, "CertificateRotated", SOON_MS));
	status = node_status(n);
	assert_non_null(strstr(status, "\"weak\":"));
	node_pod_delete(&pod);
}

static void real_nginx_serves_every_rotation(void **state)
{
	struct node_scene *n = scene(state);
	struct pki_pair pairs[6] = {0};
	struct fingerprint served;
	struct node_pod pod;

	deliver_first(n, PROVEN, &pod, &pairs[0]);
	node_pod_run(&pod);
	assert_true(node_pod_is(&pod, "adopted", &pairs[0], SOON_MS));
	for (size_t i = 1; i < ARRAY_LEN(pairs); i++) {
		node_put_secret(n, "web-tls", &pairs[i]);
		assert_true(node_pod_is(&pod, "adopted", &pairs[i], SOON_MS));
		assert_true(node_pod_serves(&pod, &pairs[i], &served));
		assert_true(fingerprint_equal(&served, &pairs[i].leaf));
	}
	assert_true(node_pod_event(&pod, "CertificateAdopted", SOON_MS));
	node_pod_delete(&pod);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		pki_pair_done(&pairs[i]);
}

static void mismatched_pair_is_refused_and_nginx_goes_on(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair good = {0};
	_cleanup_pair_ struct pki_pair other = {0};
	struct fingerprint served;
	struct node_pod pod;

	deliver_first(n, PROVEN, &pod, &good);
	node_pod_run(&pod);
	pki_issue(&n->pki, NULL, PKI_P256, &other);
	standin_put_tls(&n->api, "default", "web-tls", other.tls_crt, good.tls_key, good.ca_crt);
	assert_true(node_pod_event(&pod, "CertificateRejected", SOON_MS));
	assert_true(node_pod_has(&pod, &good, SOON_MS));
	assert_true(node_pod_serves(&pod, &good, &served));
	assert_true(fingerprint_equal(&served, &good.leaf));
	node_pod_delete(&pod);
}

static void hand_and_head_that_are_killed_catch_up(void **state)
{
	struct node_scene *n = scene(state);
	struct pki_pair pairs[4] = {0};
	struct node_pod pod;

	node_put_secret(n, "web-tls", &pairs[0]);
	node_pod_make(n, 1, PROVEN, &pod);
	node_hand_start(n);
	node_head_start_beside(n, NULL);
	assert_true(node_pod_has(&pod, &pairs[0], SOON_MS));
	node_pod_run(&pod);
	assert_true(node_pod_is(&pod, "adopted", &pairs[0], SOON_MS));

	program_signal(&n->hand, SIGKILL);
	program_wait(&n->hand, SOON_MS);
	node_put_secret(n, "web-tls", &pairs[1]);
	node_hand_start(n);
	assert_true(node_pod_is(&pod, "adopted", &pairs[1], SOON_MS));

	program_signal(&n->head, SIGKILL);
	program_wait(&n->head, SOON_MS);
	n->head.pid = 0;
	node_put_secret(n, "web-tls", &pairs[2]);
	node_head_start_beside(n, NULL);
	assert_true(node_pod_is(&pod, "adopted", &pairs[2], SOON_MS));
	node_put_secret(n, "web-tls", &pairs[3]);
	assert_true(node_pod_is(&pod, "adopted", &pairs[3], SOON_MS));
	node_pod_delete(&pod);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		pki_pair_done(&pairs[i]);
}

static void head_ends_within_a_second_of_its_child(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_program_ struct program pgrep = {0};
	char pid[32];

	node_head_start(n, NULL);
	snprintf(pid, sizeof(pid), "%d", n->head.pid);
	assert_int_equal(
	    program_run(&pgrep, NULL, WORDS("/usr/bin/pgrep", "-P", pid, "certhup-hand")), 0);
	kill((pid_t)strtol(program_out(&pgrep), NULL, 10), SIGKILL);
	assert_int_equal(program_wait(&n->head, 2000), 1);
	n->head.pid = 0;
}

static void api_server_that_goes_and_comes_is_caught_up_with(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair first = {0};
	_cleanup_pair_ struct pki_pair second = {0};
	struct node_pod pod;

	deliver_first(n, PLAIN, &pod, &first);
	standin_tell(&n->api, "{\"do\":\"stop\"}");
	assert_true(node_pod_has(&pod, &first, 0));
	node_put_secret(n, "web-tls", &second);
	standin_tell(&n->api, "{\"do\":\"restart\"}");
	assert_true(node_pod_has(&pod, &second, 2 * SOON_MS));
	node_pod_delete(&pod);
}

static void damage_done_in_the_pod_is_mended(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair pair = {0};
	char path[2 * NODE_PATH];
	struct node_pod pod;

	deliver_first(n, PLAIN, &pod, &pair);
	snprintf(path, sizeof(path), "%s/..data", pod.volume);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc", path), 0);
	assert_true(node_pod_has(&pod, &pair, SOON_MS));
	node_pod_delete(&pod);
}

/* The hand's record of the pod's volume is there now, or is so within timeout_ms. */
static bool has_record(const struct node_pod *p, bool there, int timeout_ms)
{
	char record[2 * NODE_PATH];
	struct stat st;

	snprintf(record, sizeof(record), "%s/plugins/csi.certhup.io/state/%s/tls", p->node->root,
		 p->uid);
	for (; timeout_ms > 0 && (stat(record, &st) == 0) != there; timeout_ms -= 10)
		usleep(10000);
	return (stat(record, &st) == 0) == there;
}

static void pod_that_goes_leaves_no_record(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair pair = {0};
	struct node_pod pod;

	deliver_first(n, PLAIN, &pod, &pair);
	assert_true(has_record(&pod, true, 0));
	node_pod_delete(&pod);
	assert_true(has_record(&pod, false, SOON_MS));
}

/* Jobs leave pods behind by the thousand: they take neither budget nor places of others. */
static void pod_whose_work_is_over_leaves_no_record(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair pair = {0};
	struct node_pod pod;

	deliver_first(n, PLAIN, &pod, &pair);
	assert_true(has_record(&pod, true, 0));
	node_pod_tell(&pod, "Succeeded", false);
	assert_true(has_record(&pod, false, SOON_MS));
	assert_true(node_pod_has(&pod, &pair, 0));
	node_pod_delete(&pod);
}

/* Principle 5, with a real process: it takes 1.5 s between reading certificate and key, and new pairs come all the time. */
static void server_that_reads_slowly_never_reads_a_mixed_pair(void **state)
{
	struct node_scene *n = scene(state);
	struct pki_pair pairs[12] = {0};
	const struct timespec pace = {.tv_nsec = 400000000};
	struct node_pod pod;

	deliver_first(
	    n, "{\"tls\":{\"secret\":\"web-tls\",\"reload\":\"signal:HUP\",\"settle\":\"4s\"}}",
	    &pod, &pairs[0]);
	node_pod_run_slow(&pod);
	for (size_t i = 1; i < ARRAY_LEN(pairs); i++) {
		node_put_secret(n, "web-tls", &pairs[i]);
		nanosleep(&pace, NULL);
	}
	assert_true(node_pod_is(&pod, "notified", &pairs[ARRAY_LEN(pairs) - 1], 2 * SOON_MS));
	for (int i = 0; i < 1000 && !strstr(program_out(&pod.nginx), "RELOADED\nRELOADED"); i++)
		usleep(10000);
	assert_non_null(strstr(program_out(&pod.nginx), "RELOADED"));
	assert_null(strstr(program_out(&pod.nginx), "MIXED"));
	node_pod_delete(&pod);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		pki_pair_done(&pairs[i]);
}

/* A node keeps the objects of finished pods until they are collected, which may be thousands. */
static void finished_pods_are_not_even_listed(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair pair = {0};
	struct node_pod pod;
	char object[512];

	for (unsigned i = 0; i < LIMIT_WATCH_OBJECTS; i++) {
		snprintf(
		    object, sizeof(object),
		    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"job-%u\","
		    "\"namespace\":\"default\"},\"spec\":{\"nodeName\":\"n1\"},"
		    "\"status\":{\"phase\":\"%s\"}}",
		    i, i % 2 ? "Succeeded" : "Failed");
		standin_put(&n->api, object);
	}
	node_head_start(n, NULL);
	node_put_secret(n, "web-tls", &pair);
	node_pod_make(n, 1, PLAIN, &pod);
	assert_true(node_pod_has(&pod, &pair, SOON_MS));
	node_pod_delete(&pod);
}

/* Principle 12, and F1: it is told to end while it delivers, and what is there stays whole. */
static void F1_files_stay_when_the_agent_ends(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_pair_ struct pki_pair first = {0};
	_cleanup_pair_ struct pki_pair second = {0};
	struct node_pod pod;

	deliver_first(n, PLAIN, &pod, &first);
	node_put_secret(n, "web-tls", &second);
	node_head_stop(n);
	assert_true(node_pod_has(&pod, &first, 0) || node_pod_has(&pod, &second, 0));
	node_pod_delete(&pod);
}

static void put_cert(struct node_scene *n, const struct pki_cert *what, struct pki_pair *ret)
{
	pki_issue(&n->pki, what, PKI_P256, ret);
	standin_put_tls(&n->api, "default", "web-tls", ret->tls_crt, ret->tls_key, ret->ca_crt);
}

static void policy_of_the_node_is_obeyed(void **state)
{
	struct node_scene *n = scene(state);
	const int64_t now_s = time(NULL);
	static const char good[] = "DNS:a.svc,DNS:corp.example";
	const struct {
		struct pki_cert cert;
		const char *reason;
	} rows[] = {
	    {{.sans = "DNS:a.svc,DNS:web.other"}, "\"reason\":\"policy_san\""},
	    {{.sans = good, .not_after_s = now_s + 3600}, "\"reason\":\"policy_lifetime\""},
	    {{.sans = good, .not_before_s = now_s + 200}, "\"reason\":\"not_yet_valid\""},
	};
	_cleanup_pair_ struct pki_pair fit = {0};
	struct node_pod pod;

	node_pod_make(n, 1, PLAIN, &pod);
	node_head_start(n, WORDS("--policy-san-suffixes=corp.example,.svc",
				 "--policy-min-remaining=24h", "--policy-skew=30s"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_pair_ struct pki_pair unfit = {0};

		put_cert(n, &rows[i].cert, &unfit);
		assert_true(program_says(&n->head, rows[i].reason, SOON_MS));
	}
	put_cert(n, &(struct pki_cert){.sans = good}, &fit);
	assert_true(node_pod_has(&pod, &fit, SOON_MS));
	node_pod_delete(&pod);
}

/* F3: a second agent on the node is refused by the hand, and by its own sockets. */
static void F3_second_agent_does_not_write(void **state)
{
	struct node_scene *n = scene(state);
	_cleanup_program_ struct program second = {0};
	_cleanup_pair_ struct pki_pair pair = {0};
	struct node_pod pod;
	char status[160];

	deliver_first(n, PLAIN, &pod, &pair);
	snprintf(status, sizeof(status), "%s.second", n->status_socket);
	program_start(&second, NULL,
		      WORDS("certhup", "node", "--node-name", "n1", "--kubeconfig",
			    n->api.kubeconfig, "--status-socket", status, "--metrics-listen", "",
			    "--kubelet-root", n->root));
	assert_int_equal(program_wait(&second, SOON_MS), 1);
	assert_non_null(strstr(program_err(&second), "another"));
	node_pod_delete(&pod);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(volume_follows_its_secret, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(real_nginx_serves_every_rotation, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(mismatched_pair_is_refused_and_nginx_goes_on, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(hand_and_head_that_are_killed_catch_up, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(head_ends_within_a_second_of_its_child, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(api_server_that_goes_and_comes_is_caught_up_with,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(damage_done_in_the_pod_is_mended, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pod_that_goes_leaves_no_record, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pod_whose_work_is_over_leaves_no_record, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(server_that_reads_slowly_never_reads_a_mixed_pair,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(finished_pods_are_not_even_listed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(F1_files_stay_when_the_agent_ends, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(policy_of_the_node_is_obeyed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(F3_second_agent_does_not_write, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
