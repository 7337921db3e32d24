/* SPDX-License-Identifier: Apache-2.0 */
#include "command/status.h"

#include "base/limits.h"
#include "base/text.h"
#include "command/command.h"
#include "command/print.h"
#include "command/words.h"

#include <stdlib.h>
#include <string.h>

struct settings {
	const char *config;
	const char *socket;
	const char *namespace_;
	int output;
};

enum format {
	FORMAT_TABLE,
	FORMAT_WIDE,
	FORMAT_JSON
};

static const struct option options[] = {
    {.name = "namespace",
     .letter = 'n',
     .type = OPTION_TEXT,
     .at = offsetof(struct settings, namespace_),
     .value = "NAME",
     .accepts = word_is_name,
     .right = WORD_NAME_RIGHT,
     .help = "Only pods of this namespace"},
    OPTION_STATUS_SOCKET(struct settings, socket),
    OPTION_OUTPUT(struct settings, "table|wide|json"),
    OPTION_CONFIG(struct settings),
};

/* One column: its title and the key of a binding. The first NARROW ones are always shown. */
static const struct column {
	const char *title;
	const char *key;
} columns[] = {
    {"NAMESPACE", "namespace"},
    {"POD", "pod"},
    {"VOLUME", "volume"},
    {"SECRET", "secret"},
    {"STATE", "state"},
    {"NOT-AFTER", "notAfter"},
    {"SINCE", "since"},
    {"RESOURCE-VERSION", "resourceVersion"},
    {"FINGERPRINT", "fingerprint"},
    {"NEXT", "next"},
    {"LAST-ERROR", "lastError"},
};
#define NARROW 6

/* Which bindings are meant; NULL: all. */
struct selection {
	const char *namespace_;
	const char *pod;
};

static bool is_meant(const struct selection *s, const struct json *binding)
{
	const char *ns = json_text(binding, "namespace", NULL);
	const char *pod = json_text(binding, "pod", NULL);

	return (!s->namespace_ || (ns && strcmp(ns, s->namespace_) == 0)) &&
	       (!s->pod || (pod && strcmp(pod, s->pod) == 0));
}

/* Somebody should look: the server is not seen to serve what was delivered, or something failed. */
static bool is_degraded(const struct json *binding)
{
	const char *state = json_text(binding, "state", NULL);
	const char *problem = json_text(binding, "lastError", NULL);

	static const char *const states[] = {"stale", "broken", "unconfirmed"};

	for (size_t i = 0; state && i < ARRAY_LEN(states); i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	return problem && *problem;
}

struct row {
	const struct json *binding;
};

/* What somebody should look at comes first, then by the columns. */
static int compare(const void *a, const void *b)
{
	const struct json *x = ((const struct row *)a)->binding;
	const struct json *y = ((const struct row *)b)->binding;
	int order = is_degraded(y) - is_degraded(x);

	for (size_t c = 0; c < NARROW && order == 0; c++) {
		const char *left = json_text(x, columns[c].key, NULL);
		const char *right = json_text(y, columns[c].key, NULL);

		order = strcmp(left ? left : "", right ? right : "");
	}
	return order;
}

static int write_table(const struct json *bindings, const struct selection *selection, size_t shown,
		       struct buf *b, struct err *e)
{
	size_t count = json_length(bindings);
	_cleanup_free_ const char **cells = calloc((count + 1) * shown, sizeof(*cells));
	_cleanup_free_ struct row *sorted = calloc(count + 1, sizeof(*sorted));
	size_t rows = 1;

	if (!cells || !sorted)
		return err_set(e, ERR_EXHAUSTED, "no memory");
	for (size_t c = 0; c < shown; c++)
		cells[c] = columns[c].title;
	for (size_t i = 0; i < count; i++)
		sorted[i].binding = json_item(bindings, i);
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++) {
		const struct json *binding = sorted[i].binding;

		if (!is_meant(selection, binding))
			continue;
		for (size_t c = 0; c < shown; c++)
			cells[rows * shown + c] = json_text(binding, columns[c].key, NULL);
		rows++;
	}
	if (rows == 1)
		return buf_add_str(b, "No volumes found.\n", e);
	return print_table(b, cells, shown, rows, e);
}

/* The document; of a selection the bindings that are meant only. */
static int write_json(const struct json *status, const struct selection *selection, struct buf *b,
		      struct err *e)
{
	const struct json *bindings = json_at(status, "bindings", NULL);
	const char *node = json_text(status, "node", NULL);
	const char *comma = "";

	if (!selection->namespace_ && !selection->pod)
		return json_write(status, true, b, e) < 0 ? -1 : buf_add_str(b, "\n", e);
	if (buf_add_str(b, "{\n\"node\": ", e) < 0 ||
	    text_json_string(b, node ? node : "", node ? strlen(node) : 0, e) < 0 ||
	    buf_add_str(b, ",\n\"bindings\": [", e) < 0)
		return -1;
	for (size_t i = 0; i < json_length(bindings); i++) {
		const struct json *binding = json_item(bindings, i);

		if (!is_meant(selection, binding))
			continue;
		if (buf_printf(b, e, "%s\n", comma) < 0 || json_write(binding, true, b, e) < 0)
			return -1;
		comma = ",";
	}
	return buf_add_str(b, "\n]\n}\n", e);
}

static bool any(const struct json *bindings, const struct selection *selection,
		bool (*is)(const struct json *binding))
{
	for (size_t i = 0; i < json_length(bindings); i++)
		if (is_meant(selection, json_item(bindings, i)) && is(json_item(bindings, i)))
			return true;
	return false;
}

/* The agent itself is not well: said before its volumes. */
static bool warn_not_ready(const struct json *status)
{
	const char *why = json_text(status, "why", NULL);
	struct err e;

	if (json_bool(json_at(status, "ready", NULL), true))
		return false;
	err_set(&e, ERR_UNAVAILABLE, "certhup node is not ready: %s", why ? why : "");
	complain(&e, CODE_DEGRADED);
	return true;
}

static int show(const struct json *status, const struct selection *selection, enum format format)
{
	const struct json *bindings = json_at(status, "bindings", NULL);
	_cleanup_buf_ struct buf b;
	struct err e = {0};
	bool degraded;
	int r;

	buf_init(&b, 2 * (size_t)LIMIT_BODY);
	if (json_type(bindings) != JSON_ARRAY) {
		err_set(&e, ERR_INVALID, "the answer has no bindings");
		return complain(&e, CODE_FAILURE);
	}
	if (format == FORMAT_JSON)
		r = write_json(status, selection, &b, &e);
	else
		r = write_table(bindings, selection,
				format == FORMAT_WIDE ? ARRAY_LEN(columns) : NARROW, &b, &e);
	if (r < 0)
		return complain(&e, CODE_FAILURE);
	degraded = warn_not_ready(status) || any(bindings, selection, is_degraded);
	return print_out(&b, degraded ? CODE_DEGRADED : CODE_DONE);
}

static bool is_there(const struct json *binding _unused_)
{
	return true;
}

int status_pod(const char *socket_path, const char *pod, bool as_json)
{
	const char *slash = strchr(pod, '/');
	char namespace_[LIMIT_NAMESPACE + 1];
	struct selection selection = {.pod = slash ? slash + 1 : pod};
	_cleanup_json_ struct json *status = NULL;
	struct err e = {0};

	if (slash) {
		snprintf(namespace_, sizeof(namespace_), "%.*s",
			 (int)(slash - pod < LIMIT_NAMESPACE ? slash - pod : LIMIT_NAMESPACE), pod);
		selection.namespace_ = namespace_;
	}
	if (status_fetch(socket_path, &status, &e) < 0)
		return complain(&e, CODE_FAILURE);
	if (!any(json_at(status, "bindings", NULL), &selection, is_there)) {
		err_set(&e, ERR_NOT_FOUND,
			"%s: no directory of that name, and no pod with volumes on this node", pod);
		return complain(&e, CODE_FAILURE);
	}
	return show(status, &selection, as_json ? FORMAT_JSON : FORMAT_WIDE);
}

static int run(void *settings, const struct arguments *arguments _unused_)
{
	const struct settings *s = settings;
	const struct selection selection = {.namespace_ = s->namespace_};
	_cleanup_json_ struct json *status = NULL;
	struct err e = {0};

	if (status_fetch(s->socket, &status, &e) < 0)
		return complain(&e, CODE_FAILURE);
	return show(status, &selection, (enum format)s->output);
}

const struct command command_status = {
    .name = "status",
    .summary = "Show the volumes that the node agent of this node keeps.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# Every volume, its state and when its certificate ends\n"
		"certhup status\n"
		"# One namespace, with fingerprints and errors\n"
		"certhup status -n shop -o wide\n"
		"# In the container of the agent\n"
		"kubectl exec -n certhup ds/certhup -c head -- certhup status -o json\n",
    .exits = "0 1 2 3",
    .run = run,
    .settings_size = sizeof(struct settings),
};
