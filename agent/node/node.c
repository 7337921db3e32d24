/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include "base/log.h"
#include "node/document.h"
#include "node/link.h"
#include "node/pods.h"
#include "node/ports.h"
#include "report/counts.h"
#include "report/page.h"
#include "report/status.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define PODS_DOWN_MS MINUTE_MS /* the pods' watch may be away this long before readiness is lost */

struct node {
	struct node_options options;
	struct loop *loop;
	struct k8s_config *config;
	struct k8s_client *client;
	struct gate *gate;
	struct events *events;
	struct link *link;
	struct ports ports;
	struct road *road;
	struct pods *pods;
	struct page *page;
	struct status_server *status;
	struct loop_signal *term, *interrupt;
	char read_dirs[K8S_CONFIG_DIRS][PATH_MAX];
	size_t read_dir_count;
	bool head_seccomp, head_landlock, hand_seccomp, hand_landlock;
	bool failed; /* end with -1 */
	struct err why;
};

static void on_hand_up(void *arg, const struct hand_reply *hello)
{
	struct node *n = arg;

	log_info("hand.up");
	n->hand_seccomp = hello->seccomp;
	n->hand_landlock = hello->landlock_abi > 0;
	metric_set(&count_hand_up, 1, NULL);
	road_hand_up(n->road);
}

static void on_hand_lost(void *arg, const struct err *e, bool for_good)
{
	struct node *n = arg;

	metric_set(&count_hand_up, 0, NULL);
	road_hand_lost(n->road);
	if (!for_good) {
		log_warn("hand.lost", L_ERR(e));
		return;
	}
	n->failed = true;
	n->why = *e;
	loop_stop(n->loop);
}

static void on_damaged(void *arg, const struct volume_ref *ref)
{
	road_damaged(((struct node *)arg)->road, ref);
}

static void on_stop(void *arg, int signal)
{
	struct node *n = arg;

	log_info("node.stopping", L_INT(LOG_SIGNAL, signal));
	loop_stop(n->loop);
}

/* Ready: the hand is there and the pods' watch is not down for more than a minute. One Secret's watch says nothing here. */
static bool is_ready(void *arg, char why[static PAGE_WHY_SIZE])
{
	struct node *n = arg;
	int64_t down = pods_down_ms(n->pods);

	if (!link_is_up(n->link)) {
		snprintf(why, PAGE_WHY_SIZE, "the hand is away");
		return false;
	}
	if (!pods_synced(n->pods)) {
		snprintf(why, PAGE_WHY_SIZE, "the pods of the node have not been listed yet");
		return false;
	}
	if (down > PODS_DOWN_MS) {
		snprintf(why, PAGE_WHY_SIZE, "the watch of pods is down for %lld s",
			 (long long)(down / 1000));
		return false;
	}
	return true;
}

static void before_metrics(void *arg _unused_)
{
	counts_process();
}

/* F9: what protects less on this kernel is said, not hidden. */
static void list_weak(const struct node *n, const char *ret[static 5])
{
	size_t count = 0;

	if (!n->head_seccomp)
		ret[count++] = "certhup node runs without a seccomp filter";
	if (!n->head_landlock)
		ret[count++] = "certhup node runs without Landlock";
	if (link_is_up(n->link) && !n->hand_seccomp)
		ret[count++] = "certhup-hand runs without a seccomp filter";
	if (link_is_up(n->link) && !n->hand_landlock)
		ret[count++] = "certhup-hand runs without Landlock";
	ret[count] = NULL;
}

static int write_status(void *arg, struct buf *body, struct err *e)
{
	struct node *n = arg;
	char why[PAGE_WHY_SIZE] = "";
	const char *weak[5];
	struct document_facts facts = {.node = n->options.node_name, .why = why, .weak = weak};

	list_weak(n, weak);
	facts.ready = is_ready(n, why);
	facts.hand_up = link_is_up(n->link);
	facts.api_up = k8s_client_is_up(n->client);
	return document_write(n->road, &facts, body, e);
}

static int make_client(struct node *n, struct err *e)
{
	const struct k8s_config_options config = {.kubeconfig = n->options.kubeconfig,
						  .context = n->options.context,
						  .use_proxy_env = n->options.use_proxy_env};

	if (k8s_config_load(&config, &n->config, e) < 0 ||
	    k8s_client_new(n->loop, n->config, "certhup/" CERTHUP_VERSION, &n->client, e) < 0)
		return -1;
	n->read_dir_count = k8s_config_dirs(n->config, n->read_dirs);
	if (n->options.watch_timeout_min_s)
		k8s_watch_timeout(n->client, n->options.watch_timeout_min_s,
				  n->options.watch_timeout_max_s);
	return events_new(n->loop, n->client, n->options.node_name, &n->events, e);
}

static int make_link(struct node *n, struct err *e)
{
	static const struct link_callbacks callbacks = {
	    .on_up = on_hand_up, .on_lost = on_hand_lost, .on_damaged = on_damaged};
	const struct link_options options = {.socket = n->options.hand_socket,
					     .peer_uid = n->options.hand_uid,
					     .program = n->options.hand_program,
					     .args = n->options.hand_args};

	return link_new(n->loop, &options, &callbacks, n, &n->link, e);
}

static int make_road(struct node *n, struct err *e)
{
	const struct road_options road = {
	    .ops = ports_ops(), .ops_arg = &n->ports, .clock = clock_system(), .gate = n->gate};
	struct pods_options pods = {
	    .loop = n->loop,
	    .client = n->client,
	    .events = n->events,
	    .node_name = n->options.node_name,
	    .defaults = {.splay_ms = n->options.default_splay_ms,
			 .settle_ms = n->options.default_settle_ms,
			 .min_interval_ms = n->options.default_min_interval_ms},
	};

	n->ports = (struct ports){
	    .loop = n->loop, .client = n->client, .link = n->link, .events = n->events};
	if (road_new(&road, &n->road, e) < 0)
		return -1;
	pods.road = n->road;
	return pods_new(&pods, &n->pods, e);
}

static int listen_everywhere(struct node *n, struct err *e)
{
	const struct page_callbacks callbacks = {.is_ready = is_ready,
						 .before_metrics = before_metrics,
						 .health_only = n->options.health_only};
	const char *metrics =
	    n->options.metrics_listen ? n->options.metrics_listen : NODE_METRICS_LISTEN;
	const char *status =
	    n->options.status_socket ? n->options.status_socket : NODE_STATUS_SOCKET;

	if (metrics[0] && page_new(n->loop, metrics, &callbacks, n, &n->page, e) < 0)
		return -1;
	/* Ours by default: a user that cannot make it gets the socket's own error. */
	if (strcmp(status, NODE_STATUS_SOCKET) == 0)
		(void)!mkdir(NODE_STATUS_DIR, 0755);
	if (status[0] && status_server_new(n->loop, status, write_status, n, &n->status, e) < 0)
		return -1;
	return 0;
}

static int make_all(struct node *n, struct err *e)
{
	counts_init(CERTHUP_VERSION);
	if (loop_new(clock_system(), &n->loop, e) < 0 || make_client(n, e) < 0 ||
	    make_link(n, e) < 0 || gate_new(&n->options.policy, &n->gate, e) < 0 ||
	    make_road(n, e) < 0 || listen_everywhere(n, e) < 0)
		return -1;
	return loop_signal_new(n->loop, SIGTERM, on_stop, n, &n->term, e) < 0 ||
		       loop_signal_new(n->loop, SIGINT, on_stop, n, &n->interrupt, e) < 0
		   ? -1
		   : 0;
}

int node_new(const struct node_options *options, struct node **ret, struct err *e)
{
	struct node *n;

	if (!options->node_name || !options->node_name[0])
		return err_set(e, ERR_INVALID,
			       "the node's name is not known: set --node-name or NODE_NAME");
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_sys(e, "make the node");
	n->options = *options;
	if (make_all(n, e) < 0) {
		node_free(n);
		return -1;
	}
	*ret = n;
	return 0;
}

int node_run(struct node *n, struct err *e)
{
	log_info("node.started", L_STR(LOG_NODE, n->options.node_name),
		 L_STR(LOG_VERSION, CERTHUP_VERSION), L_STR(LOG_URL, k8s_config_server(n->config)));
	link_start(n->link);
	if (pods_start(n->pods, e) < 0 || loop_run(n->loop, e) < 0)
		return -1;
	if (n->failed) {
		*e = n->why;
		return -1;
	}
	return 0;
}

void node_set_sandbox(struct node *n, bool seccomp, bool landlock)
{
	n->head_seccomp = seccomp;
	n->head_landlock = landlock;
}

void node_read_dirs(const struct node *n, const char *ret_dirs[NODE_READ_DIRS + 1])
{
	for (size_t i = 0; i < n->read_dir_count; i++)
		ret_dirs[i] = n->read_dirs[i];
	ret_dirs[n->read_dir_count] = NULL;
}

struct node *node_free(struct node *n)
{
	if (!n)
		return NULL;
	loop_signal_free(n->term);
	loop_signal_free(n->interrupt);
	status_server_free(n->status);
	page_free(n->page);
	pods_free(n->pods);
	road_free(n->road);
	events_free(n->events);
	k8s_client_free(n->client);
	link_free(n->link);
	gate_free(n->gate);
	k8s_config_free(n->config);
	loop_free(n->loop);
	free(n);
	return NULL;
}
