/* SPDX-License-Identifier: Apache-2.0 */
#include "road/attributes.h"

#include "base/text.h"

#include <signal.h>
#include <string.h>

static int set_name(char *to, size_t size, const char *value)
{
	return *value ? text_copy(to, size, value) : -1;
}

static int set_secret(struct attributes *a, const char *v)
{
	return text_is_dns(v) ? set_name(a->secret, sizeof(a->secret), v) : -1;
}

static int set_items(struct attributes *a, const char *v)
{
	struct err e;

	return outputs_parse_items(v, &a->outputs, &e);
}

static int set_mode(struct attributes *a, const char *v)
{
	uint32_t mode;

	if (text_parse_mode(v, &mode) < 0)
		return -1;
	a->mode = (int32_t)mode;
	return 0;
}

static int set_owner(struct attributes *a, const char *v)
{
	char part[32];
	const char *colon = strchr(v, ':');
	size_t len = colon ? (size_t)(colon - v) : strlen(v);
	uint64_t n;

	if (len >= sizeof(part))
		return -1;
	memcpy(part, v, len);
	part[len] = '\0';
	if (text_parse_u64(part, 0, LIMIT_USER, &n) < 0)
		return -1;
	a->uid = (int64_t)n;
	if (!colon)
		return 0;
	if (text_parse_u64(colon + 1, 0, LIMIT_USER, &n) < 0)
		return -1;
	a->gid = (int64_t)n;
	return 0;
}

static int set_file(char *to, const char *v)
{
	return content_name_ok(v) ? text_copy(to, LIMIT_FILE_NAME + 1, v) : -1;
}

static int set_bundle(struct attributes *a, const char *v)
{
	return set_file(a->outputs.bundle, v);
}

static int set_combined(struct attributes *a, const char *v)
{
	return set_file(a->outputs.combined, v);
}

static int set_bool(bool *to, const char *v)
{
	if (strcmp(v, "true") != 0 && strcmp(v, "false") != 0)
		return -1;
	*to = v[0] == 't';
	return 0;
}

static int set_optional(struct attributes *a, const char *v)
{
	return set_bool(&a->optional, v);
}

static int set_rollback(struct attributes *a, const char *v)
{
	return set_bool(&a->rollback, v);
}

static int set_probe_client(struct attributes *a, const char *v)
{
	return set_bool(&a->probe_client, v);
}

static int set_reload(struct attributes *a, const char *v)
{
	static const struct {
		const char *name;
		int32_t signal;
	} actions[] = {{"none", 0},
		       {"signal:HUP", SIGHUP},
		       {"signal:USR1", SIGUSR1},
		       {"signal:USR2", SIGUSR2}};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(v, actions[i].name) == 0) {
			a->signal = actions[i].signal;
			return 0;
		}
	return -1;
}

static int set_container(struct attributes *a, const char *v)
{
	return set_name(a->container, sizeof(a->container), v);
}

static int set_process(struct attributes *a, const char *v)
{
	return set_name(a->process, sizeof(a->process), v);
}

static int set_probe(struct attributes *a, const char *v)
{
	uint64_t port;

	if (strncmp(v, "tls:", 4) != 0 || text_parse_u64(v + 4, 1, 65535, &port) < 0)
		return -1;
	a->probe_port = (uint16_t)port;
	return 0;
}

static int set_probe_sni(struct attributes *a, const char *v)
{
	return text_is_dns(v) ? set_name(a->probe_sni, sizeof(a->probe_sni), v) : -1;
}

/* Protocols with commas, each of 1 to 255 visible bytes. */
static int set_probe_alpn(struct attributes *a, const char *v)
{
	for (const char *p = v; *p; p++)
		if (*p < '!' || *p > '~' || (*p == ',' && (p == v || p[1] == ',' || !p[1])))
			return -1;
	return set_name(a->probe_alpn, sizeof(a->probe_alpn), v);
}

static int set_min_interval(struct attributes *a, const char *v)
{
	return text_parse_duration(v, LIMIT_DURATION_MS, &a->min_interval_ms);
}

static int set_splay(struct attributes *a, const char *v)
{
	return text_parse_duration(v, LIMIT_DURATION_MS, &a->splay_ms);
}

static int set_settle(struct attributes *a, const char *v)
{
	return text_parse_duration(v, LIMIT_DURATION_MS, &a->settle_ms);
}

const struct attribute *attributes_table(void)
{
	static const struct attribute table[] = {
	    {"secret", "required", "the name of a Secret of the pod's own namespace",
	     "Which Secret is delivered.", set_secret},
	    {"items", "all keys", "key=path,key=path with plain file names",
	     "Which keys are delivered, and under which names.", set_items},
	    {"mode", "0440 with fsGroup, 0400 with one runAsUser, else 0444", "one of " TEXT_MODES,
	     "Mode of the files.", set_mode},
	    {"owner", "root:fsGroup, or the containers' one runAsUser",
	     "uid or uid:gid, in numbers", "Owner of the files.", set_owner},
	    {"bundle", "off", "a plain file name",
	     "One file more: the key as PKCS#8, then the chain.", set_bundle},
	    {"combined", "off", "a plain file name",
	     "One file more: the key as stored, a newline, then the chain.", set_combined},
	    {"optional", "false", "true or false", "No Event while the Secret is not there.",
	     set_optional},
	    {"reload", "none",
	     "none, signal:HUP, signal:USR1 or signal:USR2 (touch, command and exec are not there "
	     "yet)",
	     "What is done after the files were swapped.", set_reload},
	    {"container", "the only one that mounts the volume",
	     "the name of a container of the pod", "Whose process is signalled.", set_container},
	    {"process", "the container's first process",
	     "the kernel's name of it, at most 15 bytes, exact",
	     "Which of the container's processes is signalled.", set_process},
	    {"probe", "off", "tls:PORT",
	     "Where the pod serves TLS: the handshake that proves adoption.", set_probe},
	    {"probe-sni", "none", "a host name", "Server name that the probe asks for.",
	     set_probe_sni},
	    {"probe-alpn", "none", "protocols with commas, such as h2,http/1.1",
	     "Protocols that the probe offers.", set_probe_alpn},
	    {"probe-client", "false", "true or false",
	     "The probe shows the volume's own pair as its client certificate.", set_probe_client},
	    {"min-interval", "1s", "a duration such as 30s or 5m, up to 24h; less than 1s is 1s",
	     "Shortest time between two signals to one process.", set_min_interval},
	    {"splay", "0s", "a duration such as 30s or 5m, up to 24h",
	     "A random wait below this before a later rotation, so that replicas do not reload "
	     "together.",
	     set_splay},
	    {"settle", "5s, with a probe 30s", "a duration such as 30s or 5m, up to 24h",
	     "How long the next rotation waits for this one to be adopted.", set_settle},
	    {"rollback", "true", "true or false",
	     "Go back to the pair that worked when the server breaks on the new one.",
	     set_rollback},
	    {NULL, NULL, NULL, NULL, NULL},
	};

	return table;
}

void attributes_init(struct attributes *a)
{
	memset(a, 0, sizeof(*a));
	a->mode = -1;
	a->uid = -1;
	a->gid = -1;
	a->min_interval_ms = -1;
	a->splay_ms = -1;
	a->settle_ms = -1;
	a->rollback = true;
}

/* "secret, items, mode, ...": for the error of an unknown key. */
static void all_names(char *to, size_t size)
{
	size_t n = 0;

	for (const struct attribute *row = attributes_table(); row->name && n < size; row++)
		n += (size_t)snprintf(to + n, size - n, "%s%s", n ? ", " : "", row->name);
}

int attributes_set(struct attributes *a, const char *key, const char *value, struct err *e)
{
	return attributes_set_as(a, key, key, value, e);
}

int attributes_set_as(struct attributes *a, const char *key, const char *shown, const char *value,
		      struct err *e)
{
	char names[ERR_MESSAGE_SIZE];

	for (const struct attribute *row = attributes_table(); row->name; row++) {
		if (strcmp(row->name, key) != 0)
			continue;
		if (row->set(a, value) < 0)
			return err_set(e, ERR_INVALID, "%s: '%.64s' is not %s", shown, value,
				       row->allowed);
		return 0;
	}
	if (strchr(key, '/') || strcmp(key, "namespace") == 0)
		return err_set(e, ERR_INVALID,
			       "%.64s: a pod gets Secrets of its own namespace only, and keys have "
			       "no prefix here",
			       key);
	all_names(names, sizeof(names));
	return err_set(e, ERR_INVALID, "%.64s is not a key; there are: %s", key, names);
}

int attributes_finish(struct attributes *a, const struct attributes_defaults *defaults,
		      struct err *e)
{
	if (!a->secret[0])
		return err_set(e, ERR_INVALID,
			       "secret is required: name a Secret of the pod's own namespace");
	if (outputs_check(&a->outputs, e) < 0)
		return err_add(e, "items, bundle, combined");
	if (!a->probe_port && (a->probe_sni[0] || a->probe_alpn[0] || a->probe_client))
		return err_set(e, ERR_INVALID,
			       "probe-sni, probe-alpn and probe-client need probe: tls:PORT");
	if (!a->signal && a->process[0])
		return err_set(e, ERR_INVALID,
			       "process needs reload: signal:HUP, signal:USR1 or signal:USR2");
	if (a->min_interval_ms < 0)
		a->min_interval_ms = defaults->min_interval_ms;
	if (a->min_interval_ms < LIMIT_MIN_INTERVAL_MS)
		a->min_interval_ms = LIMIT_MIN_INTERVAL_MS;
	if (a->splay_ms < 0)
		a->splay_ms = defaults->splay_ms;
	if (a->settle_ms < 0)
		a->settle_ms = defaults->settle_ms;
	if (a->settle_ms < 0)
		a->settle_ms = a->probe_port ? LIMIT_SETTLE_PROBE_MS : LIMIT_SETTLE_MS;
	return 0;
}

int attributes_reference(struct buf *b, struct err *e)
{
	if (buf_add_str(b, "| key | default | allowed | what it does |\n|---|---|---|---|\n", e) <
	    0)
		return -1;
	for (const struct attribute *row = attributes_table(); row->name; row++)
		if (buf_printf(b, e, "| `%s` | %s | %s | %s |\n", row->name, row->otherwise,
			       row->allowed, row->help) < 0)
			return -1;
	return 0;
}
