/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"
#include "command/pod_task.h"
#include "command/print.h"
#include "command/wait_for.h"

struct settings {
	struct pod_settings pod;
	const char *wait_for;
	int64_t timeout_ms;

	/* No flag: the above, as a volume has it. */
	struct attributes attributes;
};

static const struct option options[] = {
    POD_OPTIONS(struct settings),
    {.name = "wait-for",
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, wait_for),
     .value = "DIR",
     .help = "Fetch nothing: wait until DIR/..data holds a pair that somebody else delivers"},
    POD_OPTION_TIMEOUT(struct settings, "5m"),
};

static int deliver(const struct settings *s)
{
	_cleanup_pod_task_ struct pod_task t = {0};
	struct err e = {0};

	if (pod_task_start(&t, &s->pod, &s->attributes, s->timeout_ms, &e) < 0)
		return pod_end(&s->pod, &e, CODE_FAILURE);
	return pod_task_run(&t, &s->pod);
}

static int check(void *settings, const struct arguments *arguments _unused_, struct err *e)
{
	const struct attributes_defaults defaults = {.settle_ms = -1};
	struct settings *s = settings;

	if (s->wait_for && (s->pod.secret || s->pod.dir))
		return err_set(
		    e, ERR_INVALID,
		    "--wait-for fetches nothing: leave out --secret and --dir, or --wait-for");
	if (s->wait_for)
		return 0;
	return pod_attributes(&s->pod, &s->attributes, e) < 0 ||
		       attributes_finish(&s->attributes, &defaults, e) < 0
		   ? -1
		   : 0;
}

static int run(void *settings, const struct arguments *arguments _unused_)
{
	struct settings *s = settings;
	struct err e = {0};
	int code;

	pod_begin(&s->pod);
	if (!s->wait_for)
		return deliver(s);
	code = wait_for(s->wait_for, NULL, s->timeout_ms, &e);
	return code == CODE_DONE ? code : pod_end(&s->pod, &e, code);
}

const struct command command_init = {
    .name = "init",
    .summary = "Fetch a Secret's keypair into a directory of the pod, once, and end.",
    .about =
	"For an init container: it ends when the pair is there, so that the other containers "
	"start with\nit. Readers open DIR/certhup/tls.crt. It needs the right to get and watch "
	"the one Secret, and\nno privilege: a pod of Pod Security's restricted level will "
	"do.\n\n"
	"With --wait-for it needs no API: it holds the pod until the node agent has delivered "
	"into DIR.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# In a pod, as its ServiceAccount\n"
		"certhup init --secret web-tls --dir /tls\n"
		"# One file with key and chain, which can be read without a race\n"
		"certhup init --secret web-tls --dir /tls --bundle credentials.pem\n"
		"# Wait for the volume that the node agent fills\n"
		"certhup init --wait-for /tls --timeout 2m\n",
    .exits = "0 1 2 4 5 6 124",
    .check = check,
    .run = run,
    .settings_size = sizeof(struct settings),
};
