/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"
#include "command/print.h"
#include "k8s/json.h"

struct settings {
	const char *config;
	int output;
};

static const struct option options[] = {
    OPTION_CONFIG(struct settings),
    OPTION_OUTPUT(struct settings, "text|json"),
};

static int write_json(struct buf *b, struct err *e)
{
	_cleanup_json_ struct json *j = json_new_object();

	if (!j || json_set_string(j, "version", CERTHUP_VERSION) < 0 ||
	    json_set_string(j, "compiler", __VERSION__) < 0)
		return err_set(e, ERR_EXHAUSTED, "no memory");
	return json_write(j, true, b, e);
}

static int run(void *settings, const struct arguments *arguments _unused_)
{
	const struct settings *s = settings;
	_cleanup_buf_ struct buf b;
	struct err e = {0};

	buf_init(&b, 1024);
	if ((s->output ? write_json(&b, &e) : buf_add_str(&b, "certhup " CERTHUP_VERSION, &e)) <
		0 ||
	    buf_add_str(&b, "\n", &e) < 0)
		return complain(&e, CODE_FAILURE);
	return print_out(&b, CODE_DONE);
}

const struct command command_version = {
    .name = "version",
    .summary = "Print the version.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# As JSON, for scripts\n"
		"certhup version -o json\n",
    .exits = "0 1 2",
    .run = run,
    .settings_size = sizeof(struct settings),
};
