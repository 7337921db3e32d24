/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cert/make.h"
#include "command/command.h"
#include "command/print.h"
#include "command/selftest_agent.h"
#include "command/wait_for.h"

#include <string.h>
#include <time.h>

/* Short, so that what is forgotten ends by itself; of two lengths, so that the metric tells which is there. */
#define FIRST_LIFE_S 600
#define SECOND_LIFE_S 660
#define BEGUN_S 60 /* before now: clocks differ */
#define LOOK_MS 250

struct settings {
	const char *config;
	const char *secret;
	const char *namespace_;
	const char *dir;
	bool prepare;
	int key;
	const char *node_name;
	const char *agent_labels;
	int64_t agent_port;
	const char *agent;
	int64_t timeout_ms;
	const char *kubeconfig;
	const char *context;
};

#define TEXT(flag, member, called, text, ...)                                                      \
	{                                                                                          \
		.name = (flag), .type = OPTION_TEXT, .at = offsetof(struct settings, member),      \
		.value = (called), .help = (text), __VA_ARGS__                                     \
	}

static const struct option options[] = {
    TEXT("secret", secret, "NAME",
	 "Secret of type kubernetes.io/tls that is overwritten: it must be there, with the "
	 "annotation certhup.io/selftest=true"),
    TEXT("namespace", namespace_, "NAME",
	 "Its namespace; that of the pod, or of the kubeconfig's context", .letter = 'n'),
    {.name = "prepare",
     .type = OPTION_BOOL,
     .at = offsetof(struct settings, prepare),
     .help = "Only store a first pair, before the pod that is delivered to"},
    TEXT("dir", dir, "DIR", "The volume that the node agent fills from the Secret"),
    {.name = "key",
     .type = OPTION_CHOICE,
     .at = offsetof(struct settings, key),
     .value = "TYPE",
     .choices = "ecdsa|ed25519",
     .otherwise = "ecdsa",
     .help = "Type of the keys that are made"},
    TEXT("agent", agent, "HOST:PORT", "Where the agent's /metrics are"),
    TEXT("agent-labels", agent_labels, "LABELS",
	 "Labels of the agent's pods, to find the one of this node in the own namespace"),
    {.name = "agent-port",
     .type = OPTION_NUMBER,
     .at = offsetof(struct settings, agent_port),
     .value = "PORT",
     .otherwise = "9402",
     .min = 1,
     .max = UINT16_MAX,
     .help = "Port of /metrics, with --agent-labels"},
    TEXT("node-name", node_name, "NAME", "The node of this pod, with --agent-labels",
	 .env = "NODE_NAME"),
    {.name = "timeout",
     .type = OPTION_DURATION,
     .at = offsetof(struct settings, timeout_ms),
     .value = "DURATION",
     .otherwise = "2m",
     .min = SECOND_MS,
     .max = LIMIT_DURATION_MS,
     .help = "For each step"},
    TEXT("kubeconfig", kubeconfig, "FILE",
	 "Where the API server is; in a pod its ServiceAccount is used"),
    TEXT("context", context, "NAME", "Context of the kubeconfig"),
    OPTION_CONFIG(struct settings),
};

struct pair {
	struct content files;
	struct gate_leaf leaf;
};

static void pair_done(struct pair *p)
{
	content_done(&p->files);
}

/* A step that is done; seconds below 0: it took none worth telling. Returns an exit code. */
static int tell(const char *what, const char *how, double seconds, struct err *e)
{
	_cleanup_buf_ struct buf b;

	buf_init(&b, 4 * KIB);
	if (buf_add_str(&b, "ok    ", e) < 0 || print_clean(&b, what, e) < 0 ||
	    buf_printf(&b, e, " %s", how) < 0 ||
	    (seconds >= 0 && buf_printf(&b, e, ", %.2f s", seconds) < 0) ||
	    buf_add_str(&b, "\n", e) < 0)
		return CODE_FAILURE;
	if (print_out(&b, CODE_DONE) == CODE_DONE)
		return CODE_DONE;
	err_set(e, ERR_UNAVAILABLE, "standard output is closed");
	return CODE_FAILURE;
}

static int new_pair(const struct settings *s, int64_t life_s, struct pair *ret, struct err *e)
{
	int64_t now_s = clock_wall_ms(clock_system()) / 1000;
	const struct make_leaf leaf = {
	    .key = s->key == 0 ? MAKE_P256 : MAKE_ED25519,
	    .name = "selftest.certhup.invalid",
	    .not_before_s = now_s - BEGUN_S,
	    .not_after_s = now_s + life_s,
	};
	const struct content_file *crt;

	if (make_pair(&leaf, &ret->files, e) < 0)
		return -1;
	crt = content_find(&ret->files, "tls.crt");
	return gate_read_leaf(crt->bytes.data, crt->bytes.len, &ret->leaf, e);
}

static int set_file(struct json *data, const struct content *files, const char *name)
{
	const struct content_file *f = content_find(files, name);
	_cleanup_secret_ struct secret text = {0};
	struct err e;

	if (secret_alloc(&text, f->bytes.len + 1, &e) < 0)
		return -1;
	memcpy(text.data, f->bytes.data, f->bytes.len);
	return json_set_string(data, name, (const char *)text.data);
}

#define OURS "certhup.io/selftest" /* annotation of the Secrets that may be overwritten */

struct found {
	bool ours;
	char rv[LIMIT_RESOURCE_VERSION + 1];
};

static void on_found(void *arg, const struct json *secret)
{
	struct found *f = arg;
	const char *ours = json_text(secret, "metadata", "annotations", OURS, NULL);
	const char *rv = json_text(secret, "metadata", "resourceVersion", NULL);

	f->ours =
	    ours && strcmp(ours, "true") == 0 && rv && text_copy(f->rv, sizeof(f->rv), rv) == 0;
}

/* {"metadata": {"resourceVersion": ...}, "stringData": {"tls.crt": ..., "tls.key": ...}} */
static int write_patch(const struct found *f, const struct content *files, struct buf *body,
		       struct err *e)
{
	_cleanup_json_ struct json *patch = json_new_object();
	struct json *metadata = json_new_object();
	struct json *data = json_new_object();
	int r;

	if (!patch || !metadata || json_set_string(metadata, "resourceVersion", f->rv) < 0 ||
	    !data || set_file(data, files, "tls.crt") < 0 || set_file(data, files, "tls.key") < 0) {
		json_free(metadata);
		json_free(data);
		return err_set(e, ERR_EXHAUSTED, "out of memory");
	}
	r = json_set(patch, "metadata", metadata);
	if (json_set(patch, "stringData", data) < 0 || r < 0)
		return err_set(e, ERR_EXHAUSTED, "out of memory");
	return json_write(patch, false, body, e);
}

static int ask_code(const struct err *e)
{
	return e->kind == ERR_NOT_FOUND ? CODE_NO_SECRET : CODE_FAILURE;
}

/* Returns an exit code. */
static int store(struct asker *a, const struct settings *s, const struct pair *p, struct err *e)
{
	const char *ns = s->namespace_ ? s->namespace_ : k8s_config_namespace(a->config);
	_cleanup_buf_ struct buf path;
	_cleanup_buf_ struct buf body;
	struct found found = {0};
	struct k8s_call call = {.verb = "GET", .retry = true};

	buf_init(&path, 2 * KIB);
	buf_init(&body, 16 * KIB);
	if (k8s_path(&path, e, "api", "v1", "namespaces", ns, "secrets", s->secret, NULL) < 0)
		return CODE_FAILURE;
	call.path = buf_str(&path);
	if (ask(a, &call, on_found, &found, e) < 0) {
		err_add(e, "look at Secret %s/%s", ns, s->secret);
		return ask_code(e);
	}
	if (!found.ours) {
		err_set(e, ERR_INVALID,
			"Secret %s/%s does not say that it may be overwritten: annotate one that "
			"nothing else uses with " OURS "=true",
			ns, s->secret);
		return CODE_FAILURE;
	}
	if (write_patch(&found, &p->files, &body, e) < 0)
		return CODE_FAILURE;
	call.verb = "PATCH";
	call.query = "fieldManager=certhup-selftest";
	call.content_type = "application/merge-patch+json";
	call.body = buf_str(&body);
	call.body_len = body.len;
	if (ask(a, &call, NULL, NULL, e) < 0) {
		err_add(e, "store a pair into Secret %s/%s", ns, s->secret);
		return ask_code(e);
	}
	return CODE_DONE;
}

static double seconds_since(int64_t from_ms)
{
	return (double)(clock_mono_ms(clock_system()) - from_ms) / 1000;
}

/* The metric follows the files at once, but is asked for again while the agent's page is busy. */
static int see_metric(struct asker *a, const struct settings *s, int64_t not_after_s, struct err *e)
{
	const struct timespec nap = {.tv_nsec = LOOK_MS * 1000000};
	int64_t end_ms = clock_mono_ms(clock_system()) + s->timeout_ms;
	char address[AGENT_ADDRESS];
	char series[LIMIT_NAMESPACE + LIMIT_OBJECT_NAME + 128];
	double value = 0;

	snprintf(series, sizeof(series),
		 "certhup_certificate_not_after_timestamp_seconds{namespace=\"%s\",secret=\"%s\","
		 "of=\"file\"}",
		 s->namespace_ ? s->namespace_ : k8s_config_namespace(a->config), s->secret);
	if (!s->agent &&
	    agent_find(a, s->node_name, s->agent_labels, (uint16_t)s->agent_port, address, e) < 0)
		return -1;
	for (;;) {
		int r = agent_metric(s->agent ? s->agent : address, series, &value, e);

		if (r == 0 && (int64_t)value == not_after_s)
			return 0;
		if (clock_mono_ms(clock_system()) >= end_ms) {
			if (r == 0)
				err_set(e, ERR_TIMEOUT, "it tells another end: %.0f", value);
			return err_add(e, "the agent's metrics");
		}
		nanosleep(&nap, NULL);
	}
}

static int await_first(const struct settings *s, struct err *e)
{
	int64_t from_ms = clock_mono_ms(clock_system());
	int code = wait_for(s->dir, NULL, s->timeout_ms, e);

	return code == CODE_DONE ? tell(s->dir, "has a first pair", seconds_since(from_ms), e)
				 : code;
}

static int rotate(struct asker *a, const struct settings *s, struct err *e)
{
	_cleanup_(pair_done) struct pair second = {0};
	int64_t from_ms;
	int code;

	code = await_first(s, e);
	if (code != CODE_DONE)
		return code;
	if (new_pair(s, SECOND_LIFE_S, &second, e) < 0)
		return CODE_FAILURE;
	from_ms = clock_mono_ms(clock_system());
	code = store(a, s, &second, e);
	if (code == CODE_DONE)
		code = wait_for(s->dir, &second.leaf.leaf, s->timeout_ms, e);
	if (code == CODE_DONE)
		code = tell(s->dir, "has the rotated pair", seconds_since(from_ms), e);
	if (code != CODE_DONE || (!s->agent && !s->agent_labels))
		return code;
	if (see_metric(a, s, second.leaf.not_after_s, e) < 0)
		return CODE_FAILURE;
	return tell(s->secret, "ends in the agent's metrics when the rotated pair does", -1, e);
}

static int prepare(struct asker *a, const struct settings *s, struct err *e)
{
	_cleanup_(pair_done) struct pair first = {0};
	int code;

	if (new_pair(s, FIRST_LIFE_S, &first, e) < 0)
		return CODE_FAILURE;
	code = store(a, s, &first, e);
	return code == CODE_DONE ? tell(s->secret, "has a first pair", -1, e) : code;
}

static int check(void *settings, const struct arguments *arguments _unused_, struct err *e)
{
	const struct settings *s = settings;

	if (!s->secret || (!s->dir && !s->prepare))
		return err_set(e, ERR_INVALID, "--%s is required", s->secret ? "dir" : "secret");
	if (s->dir && s->prepare)
		return err_set(e, ERR_INVALID, "--prepare looks at no volume: leave out --dir");
	if (s->agent && s->agent_labels)
		return err_set(e, ERR_INVALID, "give either --agent or --agent-labels");
	if (s->agent_labels && !s->node_name)
		return err_set(e, ERR_INVALID,
			       "--agent-labels needs the node: set --node-name or NODE_NAME");
	return 0;
}

static int run(void *settings, const struct arguments *arguments _unused_)
{
	_cleanup_asker_ struct asker a = {0};
	const struct settings *s = settings;
	struct err e = {0};
	int code;

	if (asker_init(&a, s->kubeconfig, s->context, &e) < 0)
		return complain(&e, CODE_FAILURE);
	code = s->prepare ? prepare(&a, s, &e) : rotate(&a, s, &e);
	return code == CODE_DONE ? code : complain(&e, code);
}

const struct command command_selftest = {
    .name = "selftest",
    .summary = "Rotate a Secret of its own, and see it arrive: for helm test.",
    .about =
	"Runs in a pod whose volume --dir names the Secret in certhup.io/volumes. It waits for the "
	"first\npair, stores a second one, and waits until that is in the volume, and in the "
	"agent's metrics. Its\naccount needs the rights to get and patch this one Secret, and for "
	"--agent-labels to list pods.\n\n"
	"The pairs are self-signed and end within minutes.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# A pair, before the pod is made that has it delivered\n"
		"certhup selftest --prepare --secret certhup-selftest\n"
		"# In that pod\n"
		"certhup selftest --secret certhup-selftest --dir /tls --agent 10.0.0.7:9402\n",
    .exits = "0 1 2 4 6 124",
    .check = check,
    .run = run,
    .settings_size = sizeof(struct settings),
};
