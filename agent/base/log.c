/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define LINE_TAIL 64 /* room for the count of omitted fields and the end */

static const char *const keys[LOG_KEYS] = {
    [LOG_NAMESPACE] = "namespace",
    [LOG_POD] = "pod",
    [LOG_POD_UID] = "podUID",
    [LOG_VOLUME] = "volume",
    [LOG_CONTAINER] = "container",
    [LOG_SECRET] = "secret",
    [LOG_RESOURCE_VERSION] = "resourceVersion",
    [LOG_GENERATION] = "generation",
    [LOG_FINGERPRINT] = "fingerprint",
    [LOG_NOT_AFTER] = "notAfter",
    [LOG_STATE] = "state",
    [LOG_REASON] = "reason",
    [LOG_ACTION] = "action",
    [LOG_SIGNAL] = "signal",
    [LOG_PID] = "pid",
    [LOG_PORT] = "port",
    [LOG_RESULT] = "result",
    [LOG_DURATION_MS] = "durationMs",
    [LOG_COUNT] = "count",
    [LOG_BYTES] = "bytes",
    [LOG_PATH] = "path",
    [LOG_URL] = "url",
    [LOG_CODE] = "code",
    [LOG_VERB] = "verb",
    [LOG_RESOURCE] = "resource",
    [LOG_NODE] = "node",
    [LOG_VERSION] = "version",
    [LOG_MESSAGE] = "message",
    [LOG_KEY] = "key",
    [LOG_RETRY_MS] = "retryMs",
};

static const char *const levels[] = {"error", "warn", "info", "debug"};

static struct {
	enum log_level level;
	enum log_format format;
	int fd;
} out = {LOG_LEVEL_INFO, LOG_FORMAT_JSON, 2};

void log_setup(enum log_level level, enum log_format format)
{
	out.level = level;
	out.format = format;
}

void log_to(int fd)
{
	out.fd = fd;
}

bool log_enabled(enum log_level level)
{
	return level <= out.level;
}

static bool is_json(void)
{
	return out.format == LOG_FORMAT_JSON;
}

static int add_pair(struct buf *b, const char *key, const char *value, struct err *e)
{
	if (buf_printf(b, e, is_json() ? ",\"%s\":" : " %s=", key) < 0)
		return -1;
	return text_json_string(b, value, strlen(value), e);
}

static int add_number(struct buf *b, const char *key, int64_t value, struct err *e)
{
	return buf_printf(b, e, is_json() ? ",\"%s\":%" PRId64 : " %s=%" PRId64, key, value);
}

static int add_field(struct buf *b, const struct log_field *f, struct err *e)
{
	switch (f->type) {
	case LOG_TYPE_STR:
		return add_pair(b, keys[f->key], f->str ? f->str : "", e);
	case LOG_TYPE_INT:
		return add_number(b, keys[f->key], f->num, e);
	case LOG_TYPE_ERR:
		if (add_pair(b, "err", f->err->message, e) < 0)
			return -1;
		return add_pair(b, "errKind", err_meaning(f->err->kind)->label, e);
	}
	return 0;
}

/* The whole line; a field that does not fit is left out and counted. */
static int add_line(struct buf *b, enum log_level level, const char *event,
		    const struct log_field *fields, size_t count, struct err *e)
{
	char ts[CLOCK_TEXT];
	int64_t omitted = 0;

	clock_text_ms(clock_wall_ms(clock_system()), ts);
	if (buf_printf(
		b, e, is_json() ? "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"" : "%s %-5s %s",
		ts, levels[level], event) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t before = b->len;

		if (add_field(b, &fields[i], e) < 0) {
			b->len = before;
			omitted++;
		}
	}
	b->max += LINE_TAIL;
	if (omitted && add_number(b, "omitted", omitted, e) < 0)
		return -1;
	return buf_add_str(b, is_json() ? "}\n" : "\n", e);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, LIMIT_LOG_LINE - LINE_TAIL);
	if (add_line(&b, level, event, fields, count, &e) == 0)
		(void)!write(out.fd, b.data, b.len);
}
