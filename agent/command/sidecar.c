/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"
#include "command/neighbours.h"
#include "command/pod_task.h"
#include "command/print.h"
#include "command/quit.h"
#include "report/counts.h"
#include "report/page.h"

struct settings {
	struct pod_settings pod;
	int64_t timeout_ms;
	const char *reload;
	const char *process;
	const char *min_interval;
	const char *splay;
	const char *settle;
	const char *probe;
	const char *probe_sni;
	const char *probe_alpn;
	const char *quit_with;
	const char *pod_name;
	const char *metrics_listen;

	/* No flag: the above, as a volume has it. */
	struct attributes attributes;
};

#define ATTRIBUTE(flag, member, called, text)                                                      \
	{                                                                                          \
		.name = (flag), .type = OPTION_TEXT, .at = offsetof(struct settings, member),      \
		.value = (called), .help = (text)                                                  \
	}

static const struct option options[] = {
    POD_OPTIONS(struct settings),
    POD_OPTION_TIMEOUT(struct settings, "0"),
    ATTRIBUTE(
	"reload", reload, "ACTION",
	"What to do after a rotation: none, or signal:HUP, signal:USR1, signal:USR2, which need "
	"shareProcessNamespace: true and --process"),
    ATTRIBUTE("process", process, "COMM",
	      "Whom to signal: the kernel's name of it, as /proc/PID/comm has it"),
    ATTRIBUTE("min-interval", min_interval, "DURATION",
	      "Shortest time between two signals (default 1s)"),
    ATTRIBUTE("splay", splay, "DURATION",
	      "A random wait below this before a later rotation (default 0s)"),
    ATTRIBUTE("settle", settle, "DURATION",
	      "How long the next rotation waits after a signal (default 5s, with a probe 30s)"),
    ATTRIBUTE("probe", probe, "tls:PORT", "Where the pod serves TLS, to see the new leaf served"),
    ATTRIBUTE("probe-sni", probe_sni, "NAME", "Server name that the probe asks for"),
    ATTRIBUTE("probe-alpn", probe_alpn, "LIST", "Protocols that the probe offers"),
    ATTRIBUTE("quit-with", quit_with, "CONTAINER",
	      "End when this container has ended for good: for Jobs"),
    {.name = "pod",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, pod_name),
     .value = "NAME",
     .env = "HOSTNAME",
     .help = "Name of the own pod, whose status --quit-with asks for"},
    {.name = "metrics-listen",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, metrics_listen),
     .value = "ADDRESS",
     .otherwise = ":9402",
     .accepts = word_is_listen,
     .right = WORD_LISTEN_RIGHT,
     .help = "Where /metrics, /healthz, /readyz and /startupz are; empty for nowhere"},
};

/* The task, and what a sidecar has besides. */
struct sidecar {
	struct pod_task task;
	struct page *page;
	struct quit *quit;
	struct err not_shared; /* why processes of other containers cannot be seen */
};

static void sidecar_done(struct sidecar *c)
{
	c->quit = quit_free(c->quit);
	c->page = page_free(c->page);
	pod_task_done(&c->task);
}

static bool is_started(void *arg)
{
	const struct sidecar *c = arg;

	return c->task.delivered;
}

static bool is_ready(void *arg, char why[static PAGE_WHY_SIZE])
{
	const struct sidecar *c = arg;
	struct delivery_state s = delivery_state(c->task.delivery);

	if (s.delivered && s.hand_up)
		return true;
	snprintf(why, PAGE_WHY_SIZE, "%.250s", s.hand_up ? s.problem : "the hand is away");
	return false;
}

static void on_ended(void *arg)
{
	struct sidecar *c = arg;

	pod_task_finish(&c->task, CODE_DONE, NULL);
}

static void on_blind(void *arg, const struct err *e)
{
	struct sidecar *c = arg;

	pod_task_finish(&c->task, CODE_FAILURE, e);
}

static int start(struct sidecar *c, const struct settings *s, struct err *e)
{
	static const struct page_callbacks callbacks = {.is_ready = is_ready,
							.is_started = is_started};
	static const struct quit_events events = {on_ended, on_blind};
	const struct quit_options quit = {.container = s->quit_with,
					  .pod = s->pod_name,
					  .process = s->process,
					  .not_shared = &c->not_shared};

	counts_init(CERTHUP_VERSION);
	if (pod_task_start(&c->task, &s->pod, &s->attributes, s->timeout_ms, e) < 0)
		return -1;
	if (*s->metrics_listen &&
	    page_new(c->task.loop, s->metrics_listen, &callbacks, c, &c->page, e) < 0)
		return err_add(e, "--metrics-listen");
	if (!s->quit_with)
		return 0;
	return quit_new(c->task.loop, c->task.delivery, &quit, &events, c, &c->quit, e);
}

/* Flags that are attributes of a volume are checked where the annotation's are. */
static int check(void *settings, const struct arguments *arguments _unused_, struct err *e)
{
	struct settings *s = settings;
	struct attributes *ret = &s->attributes;
	const struct attributes_defaults defaults = {.settle_ms = -1};
	const char *const values[][2] = {
	    {"reload", s->reload},        {"min-interval", s->min_interval},
	    {"splay", s->splay},          {"settle", s->settle},
	    {"probe", s->probe},          {"probe-sni", s->probe_sni},
	    {"probe-alpn", s->probe_alpn}};

	if (pod_attributes(&s->pod, ret, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (values[i][1] && pod_attribute(ret, values[i][0], values[i][1], e) < 0)
			return -1;
	if (s->process && ret->signal && pod_attribute(ret, "process", s->process, e) < 0)
		return -1;
	if (ret->signal && !ret->process[0])
		return err_set(e, ERR_INVALID, "--reload needs --process: whom to signal");
	if (s->quit_with && !s->pod_name)
		return err_set(e, ERR_INVALID, "--quit-with needs --pod: our own pod's name");
	return attributes_finish(ret, &defaults, e);
}

/* Whether a process of the pod may be meant, and can be. */
static int check_processes(struct sidecar *c, struct settings *s, struct err *e)
{
	const struct attributes *a = &s->attributes;
	bool shared = neighbours_shared("/proc", &c->not_shared) == 0;

	s->pod.pod_processes = shared && (a->signal || (s->quit_with && s->process));
	if (!a->signal || shared)
		return 0;
	*e = c->not_shared;
	return err_add(e, "--reload %s", s->reload);
}

static int run(void *settings, const struct arguments *arguments _unused_)
{
	struct settings *s = settings;
	_cleanup_(sidecar_done) struct sidecar c = {.task.stay = true};
	struct err e = {0};

	pod_begin(&s->pod);
	if (check_processes(&c, s, &e) < 0 || start(&c, s, &e) < 0)
		return pod_end(&s->pod, &e, CODE_FAILURE);
	return pod_task_run(&c.task, &s->pod);
}

const struct command command_sidecar = {
    .name = "sidecar",
    .summary = "Keep a Secret's keypair up to date in a directory of the pod.",
    .about =
	"Like init, and then it stays: each rotation is delivered, and a process of the pod "
	"may be told.\nNo privilege is needed, and a read-only root will do. Put it among the "
	"init containers with\nrestartPolicy: Always and a startup probe of /startupz, and the "
	"others start when the pair is there.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# Deliver only: the server watches its files\n"
		"certhup sidecar --secret web-tls --dir /tls\n"
		"# Tell nginx; the pod has shareProcessNamespace: true\n"
		"certhup sidecar --secret web-tls --dir /tls --reload signal:HUP --process nginx\n"
		"# In a Job: end when the container worker has ended\n"
		"certhup sidecar --secret web-tls --dir /tls --quit-with worker\n",
    .exits = "0 1 2 4 5 6",
    .check = check,
    .run = run,
    .settings_size = sizeof(struct settings),
};
