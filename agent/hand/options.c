/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/options.h"

#include "base/text.h"
#include "hand/protocol.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

enum flag {
	SOCKET_FD = 1,
	SOCKET,
	HEAD_UID,
	KUBELET_ROOT,
	DRIVER,
	STATE_DIR,
	DIR_FLAG,
	CGROUP_ROOT,
	PROC,
	POD_PROCESSES,
	OPS,
	BUDGET_NAMESPACE,
	BUDGET_NODE,
	LOG_LEVEL_FLAG,
	LOG_FORMAT_FLAG,
	HELP,
	VERSION
};

static const struct {
	const char *name, *value, *help;
} table[] = {
    [SOCKET_FD] = {"socket-fd", "N", "serve the head that is connected to this descriptor"},
    [SOCKET] = {"socket", "PATH", "listen here (SOCK_SEQPACKET) for one head at a time"},
    [HEAD_UID] = {"head-uid", "N", "the only user that may connect; needed with --socket"},
    [KUBELET_ROOT] = {"kubelet-root", "DIR", "the kubelet's --root-dir (/var/lib/kubelet)"},
    [DRIVER] = {"driver", "NAME", "whose state it is (csi.certhup.io)"},
    [STATE_DIR] = {"state-dir", "DIR", "where the records are (ROOT/plugins/DRIVER/state)"},
    [DIR_FLAG] = {"dir", "DIR", "the one volume is this directory; no kubelet, no records"},
    [CGROUP_ROOT] = {"cgroup-root", "DIR", "the host's cgroups (/sys/fs/cgroup)"},
    [PROC] = {"proc", "DIR", "the host's processes (/proc)"},
    [POD_PROCESSES] =
	{"pod-processes", NULL,
	 "with --dir: signal processes of a namespace that the pod's containers share"},
    [OPS] = {"ops", "LIST", "operations that are on, with commas (all)"},
    [BUDGET_NAMESPACE] = {"budget-namespace", "BYTES", "published bytes of one namespace (32 MiB)"},
    [BUDGET_NODE] = {"budget-node", "BYTES", "published bytes in all (128 MiB)"},
    [LOG_LEVEL_FLAG] = {"log-level", "LEVEL", "error, warn, info (default) or debug"},
    [LOG_FORMAT_FLAG] = {"log-format", "FORMAT", "json (default) or text"},
    [HELP] = {"help", NULL, "this text"},
    [VERSION] = {"version", NULL, "the version"},
};

void flags_help(FILE *to)
{
	fputs("certhup-hand: the privileged side of certhup; it writes certificates into pods'\n"
	      "volumes and signals their processes, when the head asks.\n\n"
	      "usage: certhup-hand --socket-fd N [--kubelet-root DIR | --dir DIR] [FLAG...]\n"
	      "       certhup-hand --socket PATH --head-uid N [FLAG...]\n\n",
	      to);
	for (size_t i = 1; i < ARRAY_LEN(table); i++) {
		char flag[64];

		snprintf(flag, sizeof(flag), "--%s%s%s", table[i].name, table[i].value ? " " : "",
			 table[i].value ? table[i].value : "");
		fprintf(to, "  %-26s %s\n", flag, table[i].help);
	}
	fputs("\nexit codes: 0 ended as asked, 1 failure, 2 usage\n", to);
}

static int parse_number(enum flag f, const char *value, uint64_t max, uint64_t *ret, struct err *e)
{
	if (text_parse_u64(value, 0, max, ret) < 0)
		return err_set(e, ERR_INVALID, "--%s takes a number up to %llu", table[f].name,
			       (unsigned long long)max);
	return 0;
}

/* The place of a word in a list, or -1 with the list in the message. */
static int parse_word(enum flag f, const char *value, const char *const *words, size_t count,
		      struct err *e)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(value, words[i]) == 0)
			return (int)i;
	err_set(e, ERR_INVALID, "--%s takes one of", table[f].name);
	for (size_t i = 0; i < count; i++)
		err_tail(e, "%s", words[i]);
	return -1;
}

static int parse_ops(const char *list, uint32_t *ret, struct err *e)
{
	*ret = 0;
	for (const char *at = list; *at;) {
		size_t len = strcspn(at, ",");
		uint32_t op = HAND_ADOPT;

		while (op < HAND_DAMAGED && (strlen(hand_op_label(op)) != len ||
					     strncmp(hand_op_label(op), at, len) != 0))
			op++;
		if (op == HAND_DAMAGED)
			return err_set(e, ERR_INVALID, "--ops: there is no operation '%.*s'",
				       (int)(len > 32 ? 32 : len), at);
		*ret |= 1u << op;
		at += len + (at[len] == ',');
	}
	return 0;
}

static int parse_log(enum flag f, const char *value, struct hand_flags *ret, struct err *e)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	static const char *const formats[] = {"json", "text"};
	int word = f == LOG_LEVEL_FLAG ? parse_word(f, value, levels, ARRAY_LEN(levels), e)
				       : parse_word(f, value, formats, ARRAY_LEN(formats), e);

	if (word < 0)
		return -1;
	if (f == LOG_LEVEL_FLAG)
		ret->log_level = (enum log_level)word;
	else
		ret->log_format = (enum log_format)word;
	return 0;
}

static int take_number(enum flag f, const char *value, struct hand_flags *ret, struct err *e)
{
	uint64_t n = 0;

	if (parse_number(f, value,
			 f == SOCKET_FD  ? INT32_MAX
			 : f == HEAD_UID ? UINT32_MAX - 1
					 : 1ull << 40,
			 &n, e) < 0)
		return -1;
	if (f == SOCKET_FD)
		ret->socket_fd = (int)n;
	else if (f == HEAD_UID)
		ret->head_uid = (uint32_t)n;
	else
		*(f == BUDGET_NODE ? &ret->budget_node : &ret->budget_namespace) = n;
	return 0;
}

static int take(enum flag f, const char *value, struct hand_flags *ret, struct err *e)
{
	const char **text[] = {
	    [SOCKET] = &ret->socket, [KUBELET_ROOT] = &ret->kubelet_root,
	    [DRIVER] = &ret->driver, [STATE_DIR] = &ret->state_dir,
	    [DIR_FLAG] = &ret->dir,  [CGROUP_ROOT] = &ret->cgroup_root,
	    [PROC] = &ret->proc,
	};

	switch (f) {
	case SOCKET_FD:
	case HEAD_UID:
	case BUDGET_NAMESPACE:
	case BUDGET_NODE:
		return take_number(f, value, ret, e);
	case LOG_LEVEL_FLAG:
	case LOG_FORMAT_FLAG:
		return parse_log(f, value, ret, e);
	case OPS:
		return parse_ops(value, &ret->ops, e);
	case POD_PROCESSES:
		ret->pod_processes = true;
		return 0;
	case HELP:
		ret->help = true;
		return 0;
	case VERSION:
		ret->version = true;
		return 0;
	default:
		*text[f] = value;
		return 0;
	}
}

static int check(const struct hand_flags *f, struct err *e)
{
	if (f->help || f->version)
		return 0;
	if ((f->socket_fd >= 0) == (f->socket != NULL))
		return err_set(e, ERR_INVALID, "give either --socket-fd or --socket");
	if (f->socket && f->head_uid == UINT32_MAX)
		return err_set(e, ERR_INVALID,
			       "--socket needs --head-uid: the user that may connect");
	if (f->pod_processes && !f->dir)
		return err_set(e, ERR_INVALID, "--pod-processes goes with --dir only");
	if (!f->dir && (f->driver[0] == '\0' || f->driver[0] == '.' || strchr(f->driver, '/')))
		return err_set(e, ERR_INVALID, "--driver takes the name of a CSI driver");
	return 0;
}

int flags_parse(int argc, char *const *argv, struct hand_flags *ret, struct err *e)
{
	struct option options[ARRAY_LEN(table)] = {0};
	int f;

	for (size_t i = 1; i < ARRAY_LEN(table); i++)
		options[i - 1] =
		    (struct option){.name = table[i].name,
				    .has_arg = table[i].value ? required_argument : no_argument,
				    .val = (int)i};
	*ret = (struct hand_flags){
	    .socket_fd = -1,
	    .head_uid = UINT32_MAX,
	    .kubelet_root = "/var/lib/kubelet",
	    .driver = "csi.certhup.io",
	    .cgroup_root = "/sys/fs/cgroup",
	    .proc = "/proc",
	    .ops = UINT32_MAX,
	    .budget_namespace = LIMIT_BUDGET_NAMESPACE,
	    .budget_node = LIMIT_BUDGET_NODE,
	    .log_level = LOG_LEVEL_INFO,
	};
	opterr = 0;
	optind = 1;
	while ((f = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (f == ':' || f == '?')
			return err_set(e, ERR_INVALID,
				       f == ':' ? "%s needs a value" : "there is no flag %s",
				       argv[optind - 1]);
		if (take((enum flag)f, optarg, ret, e) < 0)
			return -1;
	}
	if (optind < argc)
		return err_set(e, ERR_INVALID, "'%.64s' is not a flag", argv[optind]);
	return check(ret, e);
}
