/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include "base/log.h"
#include "base/text.h"
#include "command/command.h"
#include "command/print.h"
#include "command/words.h"
#include "sandbox/sandbox.h"

#include <string.h>

#define HEAD_ID                                                                                    \
	"64402" /* a uid and gid of its own: not 65532, 65534 or 1000-9999, which workloads have */
#define HAND_ARGS 24

struct settings {
	const char *config;
	int log_level, log_format;
	const char *node_name;
	const char *kubeconfig, *context;
	bool use_proxy_env;
	const char *kubelet_root, *driver, *cgroup_root, *hand, *hand_socket;
	int64_t hand_uid;
	const char *status_socket, *metrics_listen;
	bool health_only;
	int64_t watch_timeout_ms;
	int64_t default_splay_ms, default_settle_ms, default_min_interval_ms;
	int64_t uid, gid;
	int64_t min_rsa_bits, max_lifetime_ms;
	bool deny_rsa, deny_ecdsa, deny_ed25519, deny_sha1;
	const char *issuer, *san_suffixes;
	int64_t min_remaining_ms, skew_ms;

	/* No flags: what --policy-san-suffixes lists. */
	char san_text[LIMIT_POLICY_SUFFIXES * (LIMIT_HOST_NAME + 1)];
	const char *san_list[LIMIT_POLICY_SUFFIXES + 1];
};

#define TEXT(flag, member, called, text, ...)                                                      \
	{                                                                                          \
		.name = (flag), .type = OPTION_TEXT, .at = offsetof(struct settings, member),      \
		.value = (called), .help = (text), __VA_ARGS__                                     \
	}
#define DURATION(flag, member, text, otherwise_, most)                                             \
	{                                                                                          \
		.name = (flag), .type = OPTION_DURATION, .at = offsetof(struct settings, member),  \
		.value = "DURATION", .help = (text), .otherwise = (otherwise_), .max = (most)      \
	}
#define NUMBER(flag, member, text, otherwise_, least, most)                                        \
	{                                                                                          \
		.name = (flag), .type = OPTION_NUMBER, .at = offsetof(struct settings, member),    \
		.value = "NUMBER", .help = (text), .otherwise = (otherwise_), .min = (least),      \
		.max = (most)                                                                      \
	}
#define BOOL(flag, member, text)                                                                   \
	{                                                                                          \
		.name = (flag), .type = OPTION_BOOL, .at = offsetof(struct settings, member),      \
		.help = (text)                                                                     \
	}

static const struct option options[] = {
    TEXT("node-name", node_name, "NAME", "The node whose pods are delivered to", .env = "NODE_NAME",
	 .accepts = word_is_name, .right = WORD_NAME_RIGHT),
    TEXT("kubeconfig", kubeconfig, "FILE",
	 "Where the API server is; in a pod its ServiceAccount is used"),
    TEXT("context", context, "NAME", "Context of the kubeconfig"),
    BOOL("use-proxy-env", use_proxy_env, "Obey HTTPS_PROXY and NO_PROXY"),
    TEXT("kubelet-root", kubelet_root, "DIR",
	 "Kubelet's root directory, for a hand that is our child", .otherwise = "/var/lib/kubelet"),
    TEXT("driver", driver, "NAME", "Name of the directory below plugins that holds our state",
	 .otherwise = "csi.certhup.io", .accepts = word_is_driver, .right = WORD_DRIVER_RIGHT),
    TEXT("cgroup-root", cgroup_root, "DIR", "The host's cgroups, for a hand that is our child",
	 .otherwise = "/sys/fs/cgroup"),
    TEXT("hand", hand, "PROGRAM", "The program that touches pods; certhup-hand beside this one"),
    TEXT("hand-socket", hand_socket, "PATH",
	 "Connect to a hand that runs there, instead of starting one"),
    NUMBER("hand-uid", hand_uid, "The only uid of a hand at --hand-socket that is spoken to", "0",
	   0, UINT32_MAX),
    TEXT("status-socket", status_socket, "PATH", "Where certhup status asks; empty for none",
	 .otherwise = NODE_STATUS_SOCKET),
    TEXT("metrics-listen", metrics_listen, "ADDRESS",
	 "Where /metrics, /healthz and /readyz are; empty for none",
	 .otherwise = NODE_METRICS_LISTEN, .accepts = word_is_listen, .right = WORD_LISTEN_RIGHT),
    BOOL("health-only", health_only, "No /metrics there: /healthz and /readyz alone"),
    DURATION("watch-timeout", watch_timeout_ms,
	     "Longest life of a watch; it ends at a random time in the second half", "1h",
	     24 * 60 * MINUTE_MS),
    DURATION("default-splay", default_splay_ms, "splay of volumes that do not say", "0",
	     LIMIT_DURATION_MS),
    DURATION("default-settle", default_settle_ms,
	     "settle of volumes that do not say; 0 means 5s, with a probe 30s", "0",
	     LIMIT_DURATION_MS),
    DURATION("default-min-interval", default_min_interval_ms,
	     "min-interval of volumes that do not say", "1s", LIMIT_DURATION_MS),
    NUMBER("uid", uid, "User to become when started as root", HEAD_ID, 0, UINT32_MAX - 1),
    NUMBER("gid", gid, "Group to become when started as root", HEAD_ID, 0, UINT32_MAX - 1),
    NUMBER("policy-min-rsa-bits", min_rsa_bits, "Refuse RSA keys that are smaller", "2048", 0,
	   LIMIT_RSA_BITS),
    BOOL("policy-deny-rsa", deny_rsa, "Refuse RSA keys"),
    BOOL("policy-deny-ecdsa", deny_ecdsa, "Refuse ECDSA keys"),
    BOOL("policy-deny-ed25519", deny_ed25519, "Refuse Ed25519 keys"),
    BOOL("policy-deny-sha1", deny_sha1, "Refuse certificates that are signed with SHA-1"),
    DURATION("policy-max-lifetime", max_lifetime_ms,
	     "Refuse leaves that are valid for longer; 0 for any", "0", LIMIT_LIFETIME_MS),
    TEXT("policy-issuer", issuer, "NAME",
	 "Refuse leaves of another issuer, as openssl x509 -nameopt RFC2253 writes it"),
    TEXT("policy-san-suffixes", san_suffixes, "LIST",
	 "Refuse leaves with a name that is none of these and below none, as corp.example,.svc; "
	 "behind a leading dot only the names below"),
    DURATION("policy-min-remaining", min_remaining_ms,
	     "Refuse leaves that expire sooner; 0 for any that has not expired", "0",
	     LIMIT_LIFETIME_MS),
    {.name = "policy-skew",
     .type = OPTION_DURATION,
     .at = offsetof(struct settings, skew_ms),
     .value = "DURATION",
     .otherwise = "5m",
     .min = SECOND_MS,
     .max = LIMIT_DURATION_MS,
     .help = "Refuse certificates that begin later than this from now: clocks differ"},
    {.name = "log-level",
     .type = OPTION_CHOICE,
     .at = offsetof(struct settings, log_level),
     .value = "LEVEL",
     .choices = LOG_LEVEL_CHOICES,
     .otherwise = "info",
     .help = "Least important lines that are logged"},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .at = offsetof(struct settings, log_format),
     .value = "FORMAT",
     .choices = LOG_FORMAT_CHOICES,
     .otherwise = "json",
     .help = "Form of the log on standard error"},
    OPTION_CONFIG(struct settings),
};

static struct node_options node_options(const struct settings *s, const char *const *hand_args)
{
	int timeout_s = (int)(s->watch_timeout_ms / 1000);

	return (struct node_options){
	    .node_name = s->node_name,
	    .kubeconfig = s->kubeconfig,
	    .context = s->context,
	    .use_proxy_env = s->use_proxy_env,
	    .hand_args = hand_args,
	    .hand_program = s->hand,
	    .hand_socket = s->hand_socket,
	    .hand_uid = (uint32_t)s->hand_uid,
	    .status_socket = s->status_socket,
	    .metrics_listen = s->metrics_listen,
	    .health_only = s->health_only,
	    .watch_timeout_min_s = timeout_s > 1 ? timeout_s / 2 : 1,
	    .watch_timeout_max_s = timeout_s > 1 ? timeout_s : 1,
	    .default_splay_ms = s->default_splay_ms,
	    .default_settle_ms = s->default_settle_ms ? s->default_settle_ms : -1,
	    .default_min_interval_ms = s->default_min_interval_ms,
	    .policy = {.min_rsa_bits = (unsigned)s->min_rsa_bits,
		       .deny_rsa = s->deny_rsa,
		       .deny_ecdsa = s->deny_ecdsa,
		       .deny_ed25519 = s->deny_ed25519,
		       .max_lifetime_s = s->max_lifetime_ms / 1000,
		       .min_remaining_s = s->min_remaining_ms / 1000,
		       .san_suffixes = s->san_suffixes ? s->san_list : NULL,
		       .skew_s = s->skew_ms / 1000,
		       .issuer = s->issuer,
		       .deny_sha1 = s->deny_sha1},
	};
}

/* A head that was started as root becomes another user; any head drops what it may do. */
static int put_on_sandbox(const struct settings *s, struct node *n, struct err *e)
{
	const char *reads[NODE_READ_DIRS + 1] = {NULL};
	static const char *const writes[] = {NULL};
	bool root = geteuid() == 0;
	const struct sandbox_head head = {
	    .read_paths = reads,
	    .write_paths = writes,
	    .uid = root ? s->uid : -1,
	    .gid = root ? s->gid : -1,
	};
	struct sandbox_report report;

	node_read_dirs(n, reads);
	if (sandbox_head(&head, &report, e) < 0)
		return err_add(e, "sandbox");
	node_set_sandbox(n, report.seccomp, report.landlock);
	if (!report.seccomp || !report.landlock)
		log_warn("sandbox.weak",
			 L_STR(LOG_MESSAGE, report.seccomp ? "this kernel has no Landlock"
							   : "this kernel has no seccomp"));
	return 0;
}

static int split_suffixes(struct settings *s, struct err *e)
{
	size_t count = 0;

	if (text_copy(s->san_text, sizeof(s->san_text), s->san_suffixes) < 0)
		return err_set(e, ERR_EXHAUSTED, "--policy-san-suffixes: more than %zu bytes",
			       sizeof(s->san_text) - 1);
	for (char *rest = s->san_text; rest;) {
		char *word = strsep(&rest, ",");

		if (!*word)
			return err_set(e, ERR_INVALID,
				       "--policy-san-suffixes: \"%.64s\" is not names with commas, "
				       "such as corp.example,.svc",
				       s->san_suffixes);
		if (count == LIMIT_POLICY_SUFFIXES)
			return err_set(e, ERR_EXHAUSTED, "--policy-san-suffixes: more than %d",
				       LIMIT_POLICY_SUFFIXES);
		s->san_list[count++] = word;
	}
	return 0;
}

static int check(void *settings, const struct arguments *arguments _unused_, struct err *e)
{
	struct settings *s = settings;

	if (!s->node_name)
		return err_set(e, ERR_INVALID,
			       "the node's name is not known: set --node-name or NODE_NAME");
	return s->san_suffixes ? split_suffixes(s, e) : 0;
}

static int run(void *settings, const struct arguments *arguments _unused_)
{
	const struct settings *s = settings;
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	static const char *const formats[] = {"json", "text"};
	const char *hand_args[HAND_ARGS] = {
	    "--kubelet-root", s->kubelet_root,        "--driver",    s->driver,
	    "--cgroup-root",  s->cgroup_root,         "--log-level", levels[s->log_level],
	    "--log-format",   formats[s->log_format], NULL};
	struct node_options options_ = node_options(s, hand_args);
	struct node *n = NULL;
	struct err e = {0};
	int r;

	log_setup((enum log_level)s->log_level, (enum log_format)s->log_format);
	if (!s->hand_socket && !sandbox_hand_is_able()) {
		err_set(&e, ERR_DENIED,
			"certhup-hand, which writes into the pods' volumes, needs root, and we are "
			"user %u",
			(unsigned)geteuid());
		err_tail(&e,
			 "start certhup node as root, as by sudo: it keeps no privilege itself; "
			 "or give it the hand that runs at --hand-socket");
		return complain(&e, CODE_FAILURE);
	}
	r = node_new(&options_, &n, &e) < 0 || put_on_sandbox(s, n, &e) < 0 || node_run(n, &e) < 0;
	node_free(n);
	return r ? complain(&e, CODE_FAILURE) : CODE_DONE;
}

const struct command command_node = {
    .name = "node",
    .summary = "Deliver Secrets into the volumes of this node's pods, signal and prove.",
    .about = "The agent of a node. It reads the pods' annotation certhup.io/volumes, watches the "
	     "Secrets that they "
	     "name,\nand puts every rotation into the pods' memory volumes by certhup-hand, which "
	     "it starts as its child "
	     "or\nfinds at --hand-socket.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# On a node, with a kubeconfig of the agent's own account\n"
		"certhup node --node-name worker-1 --kubeconfig /etc/certhup/kubeconfig\n"
		"# In a DaemonSet, with the hand in a container of its own\n"
		"certhup node --hand-socket /run/certhup/hand.sock\n"
		"# Replicas take a new certificate at different times\n"
		"certhup node --node-name worker-1 --default-splay 10m\n",
    .exits = "0 1 2",
    .check = check,
    .run = run,
    .settings_size = sizeof(struct settings),
};
