/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writes the tables of docs/reference.md that the code knows: one block after a line "@NAME" each. Run by tests/docs/reference.
 */

#include "base/log.h"
#include "k8s/metrics.h"
#include "report/counts.h"
#include "report/events.h"
#include "road/attributes.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define VALUES_MAX 256

static int fail(const struct err *e)
{
	fprintf(stderr, "reference: %s\n", e->message);
	return -1;
}

static int attributes(void)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, 64 * KIB);
	if (attributes_reference(&b, &e) < 0)
		return fail(&e);
	printf("@attributes\n%s", buf_str(&b));
	return 0;
}

static int reasons(void)
{
	printf("@reasons\n| code | what to do |\n|---|---|\n");
	for (unsigned r = REASON_NONE + 1; r < REASONS_COUNT; r++)
		printf("| `%s` | %s |\n", reason_code((enum reason)r),
		       reason_advice((enum reason)r));
	return 0;
}

/* ---- Events ---- */

static const char *const examples[EVENT_REASONS_COUNT] = {
    [EVENT_ROTATED] =
	"Rotated Secret web-tls, resourceVersion 4711, to volume tls: leaf 5d0f7c3a9b1e2c44, valid "
	"until 2027-01-22T18:03:11Z",
    [EVENT_REJECTED] =
	"Secret web-tls, resourceVersion 4711, was not published to volume tls: key_mismatch: ... "
	"The "
	"last good pair stays. Store the key that belongs to the first certificate of tls.crt.",
    [EVENT_SECRET_NOT_FOUND] =
	"Secret web-tls is not in namespace default. Volume waits for it; create the Secret, or "
	"correct the name in certhup.io/volumes.",
    [EVENT_SECRET_NOT_ALLOWED] =
	"ServiceAccount default may not get Secret web-tls: allow it by a Role, or name it in the "
	"Secret's annotation certhup.io/allow-service-accounts. The volume stays empty.",
    [EVENT_SECRET_UNREADABLE] = "Secret default/web-tls: ...: allow get and watch on it by a Role, "
				"or see docs/troubleshooting.md",
    [EVENT_NAMESPACE_NOT_COVERED] =
	"certhup has no right in namespace default, so Secret web-tls is not delivered to volume "
	"tls: add the namespace to rbac.namespaces of the chart, or bind a Role with get and watch "
	"on secrets and create on localsubjectaccessreviews to certhup's account.",
    [EVENT_RV_RESET] = "Secret web-tls has resourceVersion 12, lower than before, in two reads 10 "
		       "s apart: the API "
		       "server's data was restored, and it is taken as it is now.",
    [EVENT_INVALID_ANNOTATION] =
	"Volume tls: reload: 'restart' is not none, signal:HUP, signal:USR1 or signal:USR2 (touch, "
	"command and exec are not there yet)",
    [EVENT_NOT_MEMORY_BACKED] =
	"Volume tls is not an emptyDir with medium: Memory, and keys are never written to a disk",
    [EVENT_NO_START_GATE] =
	"No init container of the pod waits for the pair, so a container may start before it is "
	"there. Add one that runs: certhup init --wait-for DIR",
    [EVENT_WORLD_READABLE] =
	"Volume tls: the pod names no fsGroup and no one runAsUser, so every user of the pod may "
	"read "
	"the files (0444). Set securityContext.fsGroup, or mode and owner in certhup.io/volumes.",
    [EVENT_CONTAINER_AMBIGUOUS] =
	"Several containers mount volume tls, so it is not known whose process to signal, and none "
	"is. Name one in certhup.io/volumes with \"container\".",
    [EVENT_SUBPATH_NEVER_UPDATES] = "Container web mounts volume tls with subPath: such a mount "
				    "never shows a rotation. Mount the "
				    "whole volume.",
    [EVENT_VOLUME_NOT_WRITABLE] = "... the files (8192 bytes) do not fit beside the ones that are "
				  "served, which stay: raise the "
				  "volume's sizeLimit, or the pod's own files in it have to go",
    [EVENT_VOLUME_DAMAGED] =
	"The files of volume tls were changed in the pod; they are written again. Mount the volume "
	"read-only.",
    [EVENT_BUDGET_EXCEEDED] = "... 34603008 bytes pass the budget of the namespace: 33554432",
    [EVENT_RELOAD_SENT] = "Sent signal:HUP to process 4242 (nginx) of container web",
    [EVENT_RELOAD_FAILED] = "signal:HUP was not sent to container web: the process has no handler "
			    "for it and would die of "
			    "it; use another signal, or reload: none",
    [EVENT_RELOAD_UNCONFIRMED] =
	"Nobody answers at port 8443, so it is not known whether volume tls is served. Is the port "
	"right, and does a NetworkPolicy keep certhup's probes out? docs/rights.md has the policy "
	"certhup-probes that lets them in.",
    [EVENT_ADOPTED] = "The server on port 8443 serves the certificate of volume tls",
    [EVENT_STALE] =
	"Port 8443 still serves another certificate than volume tls has. Does the server reload on "
	"this signal, and read these files?",
    [EVENT_BROKEN] =
	"Port 8443 takes connections, but no TLS handshake succeeds. Look at the server's log.",
    [EVENT_ROLLED_BACK] = "The server broke on resourceVersion 4711 of Secret web-tls; volume tls "
			  "is back on the pair "
			  "before it, which is valid still. Issue a new certificate.",
};

static const struct {
	const char *reason, *action;
	bool warning;
} rows[EVENT_REASONS_COUNT] = {
#define ROW(id, reason, action, warning) [EVENT_##id] = {reason, action, warning},
    EVENT_REASONS(ROW)
#undef ROW
};

static int events(void)
{
	printf("@events\n| reason | type | action | note, for example |\n|---|---|---|---|\n");
	for (unsigned r = 0; r < EVENT_REASONS_COUNT; r++) {
		if (!examples[r]) {
			fprintf(stderr, "reference: %s has no example in tests/tools/reference.c\n",
				rows[r].reason);
			return -1;
		}
		printf("| `%s` | %s | `%s` | %s |\n", rows[r].reason,
		       rows[r].warning ? "Warning" : "Normal", rows[r].action, examples[r]);
	}
	return 0;
}

/* ---- metrics ---- */

/* Those that have series only once something happened; the others are on the page from the start. */
static const struct metric *const later[] = {&count_not_after, &count_not_before, &count_unadopted,
					     &metric_requests, &metric_restarts};

/* The distinct values of label n (from 0) in the series of a family, with commas. */
static void print_values(const char *page, const char *family, const char *label)
{
	char seen[VALUES_MAX][64];
	size_t count = 0;
	size_t len = strlen(family);

	for (const char *line = page; line && *line; line = strchr(line, '\n')) {
		char key[80];
		const char *at;
		size_t n;
		bool known = false;

		line += *line == '\n';
		snprintf(key, sizeof(key), "%s=\"", label);
		if (strncmp(line, family, len) != 0 || line[len] != '{')
			continue;
		at = memmem(line, strcspn(line, "\n"), key, strlen(key));
		if (!at || count == VALUES_MAX)
			continue;
		at += strlen(key);
		n = strcspn(at, "\"");
		if (n == 0 || n >= sizeof(seen[0]))
			continue;
		for (size_t i = 0; i < count; i++)
			known = known || (strlen(seen[i]) == n && memcmp(seen[i], at, n) == 0);
		if (known)
			continue;
		memcpy(seen[count], at, n);
		seen[count][n] = '\0';
		printf("%s`%s`", count ? ", " : ": ", seen[count]);
		count++;
	}
}

/* "{a="1",b="2"} 3" -> the labels, each with its values as they are known from the start. */
static void print_labels(const char *page, const char *family)
{
	char start[160];
	const char *at;
	bool first = true;

	snprintf(start, sizeof(start), "\n%s{", family);
	at = strstr(page, start);
	if (!at)
		return;
	at += strlen(start);
	while (*at && *at != '}') {
		char label[64];
		size_t n = strcspn(at, "=");

		if (n >= sizeof(label))
			return;
		memcpy(label, at, n);
		label[n] = '\0';
		printf("%s`%s`", first ? "" : "; ", label);
		first = false;
		if (strcmp(label, "version") != 0 && strcmp(label, "reason") != 0)
			print_values(page, family, label);
		at += n + 2;
		at += strcspn(at, "\"") + 1;
		at += *at == ',';
	}
}

static int metrics(void)
{
	static const char help[] = "# HELP ";
	static const struct metric none = {.name = "none", .help = ""};
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, MIB);
	counts_init("0");
	counts_process();
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		metric_init(later[i], M_LABELS("", "", "", ""));
	metric_add(&none, 1, NULL); /* has no room: the series that were dropped are counted */
	if (metrics_write(&b, &e) < 0)
		return fail(&e);
	printf("@metrics\n| name | type | labels | what it is |\n|---|---|---|---|\n");
	for (const char *at = strstr(buf_str(&b), help); at; at = strstr(at, help)) {
		char name[128];
		const char *text;
		const char *type;

		at += strlen(help);
		text = strchr(at, ' ') + 1;
		snprintf(name, sizeof(name), "%.*s", (int)(text - 1 - at), at);
		type = strstr(text, "# TYPE ") + strlen("# TYPE ") + strlen(name) + 1;
		printf("| `%s` | %.*s | ", name, (int)strcspn(type, "\n"), type);
		print_labels(buf_str(&b), name);
		printf(" | %.*s |\n", (int)strcspn(text, "\n"), text);
	}
	return 0;
}

/* ---- log fields ---- */

static const char *const meanings[LOG_KEYS] = {
    [LOG_NAMESPACE] = "namespace of the pod or Secret",
    [LOG_POD] = "name of the pod",
    [LOG_POD_UID] = "uid of the pod",
    [LOG_VOLUME] = "name of the volume in the pod's spec",
    [LOG_CONTAINER] = "name of the container",
    [LOG_SECRET] = "name of the Secret",
    [LOG_RESOURCE_VERSION] = "resourceVersion of the Secret",
    [LOG_GENERATION] = "directory that `..data` names",
    [LOG_FINGERPRINT] = "SHA-256 of the leaf's DER, in hex",
    [LOG_NOT_AFTER] = "end of the leaf's validity",
    [LOG_STATE] = "state of the volume",
    [LOG_REASON] = "reason code, or reason of an Event",
    [LOG_ACTION] = "what was done or asked for",
    [LOG_SIGNAL] = "number of a signal",
    [LOG_PID] = "process id, as the node sees it",
    [LOG_PORT] = "port that was probed",
    [LOG_RESULT] = "how it ended",
    [LOG_DURATION_MS] = "how long it took",
    [LOG_COUNT] = "how many",
    [LOG_BYTES] = "how many bytes",
    [LOG_PATH] = "path of a file or directory of certhup's own",
    [LOG_URL] = "address of the API server",
    [LOG_CODE] = "HTTP status",
    [LOG_VERB] = "verb of a request",
    [LOG_RESOURCE] = "resource of a request",
    [LOG_NODE] = "name of the node",
    [LOG_VERSION] = "version of certhup",
    [LOG_MESSAGE] = "a sentence",
    [LOG_KEY] = "name of a key of the Secret's data, never its value",
    [LOG_RETRY_MS] = "when it is tried again",
};

/* The log itself says how its fields are called: one line with all of them is read back. */
static int log_fields(void)
{
	struct log_field all[LOG_KEYS];
	char line[LIMIT_LOG_LINE];
	const char *at;
	int fd = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;

	for (int k = 0; k < LOG_KEYS; k++)
		all[k] = L_STR((enum log_key)k, "");
	log_to(fd);
	log_write(LOG_LEVEL_ERROR, "x", all, LOG_KEYS);
	n = pread(fd, line, sizeof(line) - 1, 0);
	close(fd);
	if (n < 0)
		return -1;
	line[n] = '\0';
	at = strstr(line, "\"event\":\"x\"");
	printf("@log-fields\n| field | what it is |\n|---|---|\n");
	for (int k = 0; k < LOG_KEYS; k++) {
		at = at ? strchr(at, ',') : NULL;
		if (!at || !meanings[k]) {
			fprintf(stderr, "reference: field %d of the log is not described\n", k);
			return -1;
		}
		at += 2;
		printf("| `%.*s` | %s |\n", (int)strcspn(at, "\""), at, meanings[k]);
	}
	printf("| `err`, `errKind` | what went wrong, and its kind |\n");
	printf("| `omitted` | how many fields did not fit into the line |\n");
	return 0;
}

int main(void)
{
	return attributes() < 0 || reasons() < 0 || events() < 0 || metrics() < 0 ||
	       log_fields() < 0;
}
