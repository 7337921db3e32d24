/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"
#include "command/directory.h"
#include "command/print.h"
#include "k8s/json.h"

#include "base/clock.h"

struct settings {
	const char *config;
	int output;
	int64_t expires_within_ms;
	bool allow_ca;
};

#define YEARS_MS (20LL * 366 * 24 * 3600 * 1000)

static const struct option options[] = {
    {.name = "expires-within",
     .type = OPTION_DURATION,
     .at = offsetof(struct settings, expires_within_ms),
     .value = "DURATION",
     .max = YEARS_MS,
     .help = "Exit with 3 when less than this is left; 0: a fifth of the lifetime"},
    {.name = "allow-ca",
     .type = OPTION_BOOL,
     .at = offsetof(struct settings, allow_ca),
     .help = "Accept a leaf that is a CA"},
    OPTION_OUTPUT(struct settings, "text|json"),
    OPTION_CONFIG(struct settings),
};

/* What is known in the end. */
struct finding {
	struct gate_verdict verdict;
	bool expiring;
	int code;
};

static bool is_expiring(const struct settings *s, const struct gate_leaf *leaf, int64_t now_s)
{
	int64_t left_s = leaf->not_after_s - now_s;

	if (s->expires_within_ms)
		return left_s < s->expires_within_ms / 1000;
	return left_s < (leaf->not_after_s - leaf->not_before_s) / 5;
}

static int judge(const struct settings *s, const char *path, int64_t wall_ms, struct finding *ret,
		 struct err *e)
{
	_cleanup_directory_ struct directory d = {0};
	_cleanup_content_ struct content pair = {0};
	_cleanup_(gate_freep) struct gate *gate = NULL;
	static const struct gate_policy any;
	const struct gate_context context = {.wall_ms = wall_ms, .allow_ca = s->allow_ca};

	if (directory_read(path, &d, e) < 0 || gate_new(&any, &gate, e) < 0)
		return -1;
	if (pair_find(&d.files, &pair, e) < 0) {
		err_add(e, "%s", path);
		return directory_hint(path, e);
	}
	if (gate_judge(gate, &pair, &context, &ret->verdict, e) < 0)
		return -1;
	ret->expiring = ret->verdict.reason == REASON_NONE &&
			is_expiring(s, &ret->verdict.leaf, wall_ms / 1000);
	ret->code = ret->verdict.reason != REASON_NONE ? CODE_UNFIT
		    : ret->expiring                    ? CODE_DEGRADED
						       : CODE_DONE;
	return 0;
}

static int write_text(const char *path, const struct finding *f, int64_t wall_ms, struct buf *b,
		      struct err *e)
{
	const struct gate_leaf *leaf = &f->verdict.leaf;
	char when[PRINT_WHEN];
	struct buf line;
	int r;

	buf_init(&line, b->max);
	if (f->verdict.reason != REASON_NONE) {
		r = buf_printf(&line, e, "%s: unfit (%s): %s. %s", path,
			       reason_code(f->verdict.reason), f->verdict.detail,
			       reason_advice(f->verdict.reason));
	} else {
		print_when(leaf->not_after_s, wall_ms / 1000, when);
		r = buf_printf(&line, e, "%s: %s: %s, %s, %u in the chain, expires %s", path,
			       f->expiring ? "fit, but about to expire" : "fit", leaf->subject,
			       leaf->key, leaf->chain_len, when);
	}
	if (r == 0)
		r = print_clean(b, buf_str(&line), e);
	buf_done(&line);
	return r < 0 ? -1 : buf_add_str(b, "\n", e);
}

static int write_json(const char *path, const struct finding *f, struct buf *b, struct err *e)
{
	_cleanup_json_ struct json *j = json_new_object();
	bool fit = f->verdict.reason == REASON_NONE;
	char when[CLOCK_TEXT];

	clock_text_s(f->verdict.leaf.not_after_s * 1000, when);
	if (!j || json_set_string(j, "directory", path) < 0 || json_set_bool(j, "fit", fit) < 0 ||
	    json_set_string(j, "reason", reason_code(f->verdict.reason)) < 0 ||
	    json_set_string(j, "detail", fit ? NULL : f->verdict.detail) < 0 ||
	    json_set_bool(j, "expiring", f->expiring) < 0 ||
	    json_set_string(j, "notAfter", f->verdict.leaf.not_after_s ? when : NULL) < 0)
		return err_set(e, ERR_EXHAUSTED, "no memory");
	if (json_write(j, true, b, e) < 0)
		return -1;
	return buf_add_str(b, "\n", e);
}

static int run(void *settings, const struct arguments *arguments)
{
	const struct settings *s = settings;
	const char *path = arguments->operands[0];
	int64_t wall_ms = clock_wall_ms(clock_system());
	_cleanup_buf_ struct buf b;
	struct finding f = {0};
	struct err e = {0};

	buf_init(&b, 16 * KIB);
	if (judge(s, path, wall_ms, &f, &e) < 0)
		return complain(&e, CODE_FAILURE);
	return print_end(s->output ? write_json(path, &f, &b, &e)
				   : write_text(path, &f, wall_ms, &b, &e),
			 &b, f.code, &e);
}

const struct command command_verify = {
    .name = "verify",
    .summary = "Check the keypair in a directory, offline.",
    .about = "Key and leaf match, the chain is in order, the dates hold: the same checks that "
	     "certhup\nmakes before it delivers. Reads a directory that certhup or kubelet fills, "
	     "or plain files.",
    .operands = "DIR",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# In a pod\n"
		"certhup verify /tls\n"
		"# Fail when less than a week is left\n"
		"certhup verify ./new-pair --expires-within 168h\n",
    .exits = "0 1 2 3 6",
    .run = run,
    .settings_size = sizeof(struct settings),
};
