/* SPDX-License-Identifier: Apache-2.0 */
#include "command/delivery.h"

#include "base/log.h"
#include "base/text.h"
#include "node/ports.h"
#include "sandbox/sandbox.h"

#include <string.h>

#define OURSELVES "self" /* the account of road's questions: it is our own right */

struct delivery {
	struct ports ports; /* the first: it is what the stations are given */
	struct road_ops ops;
	struct delivery_events events;
	struct k8s_config *config;
	char namespace_[LIMIT_NAMESPACE + 1];
	char secret[LIMIT_OBJECT_NAME + 1];
	struct gate *gate;
	struct road *road;
	struct secret_source *source; /* the road's: it lives as long */
	bool heard;                   /* of the Secret, be it there or not */
	struct delivery_state state;

	/* Whom the source's news go to, after we have looked at them. */
	const struct secret_source_callbacks *supply;
	void *supply_arg;

	/* delivery_find under way. */
	void (*find_done)(void *arg, bool found, const struct err *e);
	void *find_arg;
};

static const struct volume_ref own_volume = {"00000000-0000-0000-0000-000000000000", "own"};

static void on_secret(void *arg, struct secret_object *secret)
{
	struct delivery *d = arg;

	d->heard = true;
	d->state.code = CODE_FAILURE;
	d->state.problem[0] = '\0';
	/* We read it with our own right, so there is nobody else to ask about. */
	secret->allow_accounts = OURSELVES;
	d->supply->on_secret(d->supply_arg, secret);
}

static void on_absent(void *arg)
{
	struct delivery *d = arg;

	d->heard = true;
	if (d->state.code != CODE_NO_SECRET)
		log_info("secret.absent", L_STR(LOG_NAMESPACE, d->namespace_),
			 L_STR(LOG_SECRET, d->secret));
	d->state.code = CODE_NO_SECRET;
	d->supply->on_absent(d->supply_arg);
}

static void on_trouble(void *arg, const struct err *e)
{
	struct delivery *d = arg;

	if (e) {
		/* With an errno it is a file of ours, and no word of the server. */
		d->state.code = e->kind == ERR_DENIED && !e->sys ? CODE_FORBIDDEN : CODE_FAILURE;
		snprintf(d->state.problem, sizeof(d->state.problem), "%s", e->message);
		log_warn("secret.unreadable", L_ERR(e));
	}
	d->supply->on_trouble(d->supply_arg, e);
}

static int secret_open(void *arg, const char *namespace_, const char *name,
		       const struct secret_source_callbacks *callbacks, void *callback_arg,
		       struct secret_source **ret, struct err *e)
{
	static const struct secret_source_callbacks ours = {
	    .on_secret = on_secret,
	    .on_absent = on_absent,
	    .on_trouble = on_trouble,
	};
	struct delivery *d = arg;

	d->supply = callbacks;
	d->supply_arg = callback_arg;
	if (secret_source_new(d->ports.client, namespace_, name, &ours, d, ret, e) < 0)
		return -1;
	d->source = *ret;
	return 0;
}

void delivery_ask(struct delivery *d)
{
	struct err e;

	if (!d->heard && d->source && secret_source_reread(d->source, &e) < 0)
		log_warn("secret.unreadable", L_ERR(&e));
}

/* Our own right is all there is: nobody else is asked about. */
static int start_no_review(void *arg _unused_, const struct road_question *question _unused_,
			   void (*done)(void *done_arg, bool allowed, const struct err *e) _unused_,
			   void *done_arg _unused_, struct road_review **ret _unused_,
			   struct err *e)
{
	return err_set(e, ERR_INVALID, "no account is asked about");
}

/* Where the node agent would post an Event, a line is logged. */
static void tell(void *arg, const struct event_object *about _unused_, enum event_reason reason,
		 const char *note)
{
	struct delivery *d = arg;

	if (reason == EVENT_ROTATED) {
		d->state.delivered = true;
		d->events.on_delivered(d->events.arg);
		return;
	}
	if (reason == EVENT_REJECTED)
		d->state.code = CODE_UNFIT;
	if (reason == EVENT_RELOAD_FAILED)
		log_warn("reload.failed", L_STR(LOG_MESSAGE, note),
			 L_STR(LOG_ACTION, "run the sidecar with the uid of the process: without "
					   "capabilities it may signal only its own"));
	else if (reason != EVENT_SECRET_NOT_FOUND && reason != EVENT_SECRET_UNREADABLE)
		log_info("delivery.told", L_STR(LOG_REASON, event_reason_text(reason)),
			 L_STR(LOG_MESSAGE, note));
}

static void on_damaged(void *arg, const struct volume_ref *ref)
{
	struct delivery *d = arg;

	road_damaged(d->road, ref);
}

static void on_lost(void *arg, const struct err *e, bool for_good _unused_)
{
	struct delivery *d = arg;

	d->state.hand_up = false;
	d->events.on_lost(d->events.arg, e);
}

static void on_up(void *arg, const struct hand_reply *hello _unused_)
{
	struct delivery *d = arg;

	d->state.hand_up = true;
	road_hand_up(d->road);
}

static int start_hand(struct delivery *d, const struct delivery_options *o, struct err *e)
{
	static const struct link_callbacks callbacks = {
	    .on_up = on_up, .on_lost = on_lost, .on_damaged = on_damaged};
	const char *const args[] = {"--dir",
				    o->target->path,
				    "--log-level",
				    o->log_level,
				    "--log-format",
				    o->log_format,
				    o->pod_processes ? "--pod-processes" : NULL,
				    NULL};
	const struct link_options options = {.program = o->hand, .args = args};

	return link_new(d->ports.loop, &options, &callbacks, d, &d->ports.link, e);
}

static int start_api(struct delivery *d, const struct delivery_options *o, struct err *e)
{
	const struct k8s_config_options config = {.kubeconfig = o->kubeconfig,
						  .context = o->context};

	if (k8s_config_load(&config, &d->config, e) < 0)
		return -1;
	if (text_copy(d->namespace_, sizeof(d->namespace_),
		      o->namespace_ ? o->namespace_ : k8s_config_namespace(d->config)) < 0)
		return err_set(e, ERR_INVALID, "the name of the namespace is too long");
	snprintf(d->state.problem, sizeof(d->state.problem), "%s has not answered yet",
		 k8s_config_server(d->config));
	return k8s_client_new(d->ports.loop, d->config, "certhup/" CERTHUP_VERSION,
			      &d->ports.client, e);
}

static int start_road(struct delivery *d, const struct delivery_options *o, struct err *e)
{
	static const struct gate_policy any;
	struct road_options options = {
	    .ops = &d->ops, .ops_arg = &d->ports, .clock = clock_system()};
	struct binding_spec spec = {
	    .ref = own_volume,
	    .account = OURSELVES,
	    .address = "127.0.0.1",
	    .attributes = *o->attributes,
	    .owner = o->target->owner,
	    .container = "pod",
	};

	if (gate_new(&any, &d->gate, e) < 0)
		return -1;
	options.gate = d->gate;
	if (road_new(&options, &d->road, e) < 0)
		return -1;
	memcpy(spec.pod_namespace, d->namespace_, sizeof(spec.pod_namespace));
	/* A pod's containers have its name as host name. */
	if (gethostname(spec.pod_name, sizeof(spec.pod_name)) < 0 || !spec.pod_name[0])
		memcpy(spec.pod_name, OURSELVES, sizeof(OURSELVES));
	memset(spec.container_id, '0', LIMIT_CONTAINER_ID);
	road_set_pod(d->road, spec.ref.pod_uid, &spec, 1);
	return 0;
}

/* What is left: the directories of our credentials, and connections. */
static int put_on_sandbox(const struct delivery *d, struct err *e)
{
	char dirs[K8S_CONFIG_DIRS][PATH_MAX];
	const char *reads[K8S_CONFIG_DIRS + 1] = {NULL};
	size_t count = k8s_config_dirs(d->config, dirs);
	const struct sandbox_head head = {.read_paths = reads, .uid = -1, .gid = -1};
	struct sandbox_report report;

	for (size_t i = 0; i < count; i++)
		reads[i] = dirs[i];
	return sandbox_head(&head, &report, e);
}

int delivery_new(struct loop *loop, const struct delivery_options *options,
		 const struct delivery_events *events, struct delivery **ret, struct err *e)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d)
		return err_sys(e, "delivery");
	d->ports.loop = loop;
	d->ops = *ports_ops();
	d->ops.secret_open = secret_open;
	d->ops.review_start = start_no_review;
	d->ops.event = tell;
	d->events = *events;
	memcpy(d->secret, options->attributes->secret, sizeof(d->secret));
	d->state.code = CODE_FAILURE;
	/* The hand last: what is wrong before is said by one of us. */
	if (start_api(d, options, e) < 0 || start_hand(d, options, e) < 0 ||
	    start_road(d, options, e) < 0 || put_on_sandbox(d, e) < 0) {
		delivery_free(d);
		return -1;
	}
	link_start(d->ports.link);
	*ret = d;
	return 0;
}

struct delivery *delivery_free(struct delivery *d)
{
	if (!d)
		return NULL;
	road_free(d->road);
	gate_free(d->gate);
	k8s_client_free(d->ports.client);
	k8s_config_free(d->config);
	link_free(d->ports.link);
	free(d);
	return NULL;
}

static void take_problem(void *arg, const struct binding_view *view)
{
	struct delivery_state *s = arg;

	if (*view->problem)
		snprintf(s->problem, sizeof(s->problem), "%s", view->problem);
}

struct delivery_state delivery_state(const struct delivery *d)
{
	struct delivery_state s = d->state;

	road_each(d->road, take_problem, &s);
	return s;
}

struct k8s_client *delivery_client(const struct delivery *d)
{
	return d->ports.client;
}

const char *delivery_namespace(const struct delivery *d)
{
	return d->namespace_;
}

static void on_found(void *arg, const struct hand_reply *reply, int memfd _unused_)
{
	struct delivery *d = arg;
	const struct err *e = reply->err.kind == ERR_NONE ? NULL : &reply->err;

	d->find_done(d->find_arg, !e && reply->signal_result != SIGNAL_NO_PROCESS, e);
}

int delivery_find(struct delivery *d, const char *comm,
		  void (*done)(void *arg, bool found, const struct err *e), void *arg,
		  struct err *e)
{
	struct hand_request rq = {.op = HAND_FIND, .volume = own_volume};
	struct process_query *q = &rq.process.query;

	memcpy(q->pod_uid, own_volume.pod_uid, sizeof(q->pod_uid));
	memset(q->container_id, '0', LIMIT_CONTAINER_ID);
	if (text_copy(q->comm, sizeof(q->comm), comm) < 0)
		return err_set(e, ERR_INVALID, "--process %.32s: the kernel keeps 15 bytes", comm);
	d->find_done = done;
	d->find_arg = arg;
	return link_send(d->ports.link, &rq, -1, on_found, d, NULL, e);
}
