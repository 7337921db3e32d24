/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define LINE_MAX_BYTES (16 * 1024) /* longer lines are cut by collectors */

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

static void add_pair(struct buf *b, const char *key, const char *value, struct err *e)
{
	if (out.format == LOG_FORMAT_JSON) {
		if (buf_printf(b, e, ",\"%s\":", key) == 0)
			(void)!text_json_string(b, value, strlen(value), e);
	} else if (buf_printf(b, e, " %s=", key) == 0) {
		(void)!text_json_string(b, value, strlen(value), e);
	}
}

static void add_field(struct buf *b, const struct log_field *f, struct err *e)
{
	if (f->type == LOG_TYPE_STR)
		add_pair(b, keys[f->key], f->str ? f->str : "", e);
	else if (f->type == LOG_TYPE_INT)
		(void)!buf_printf(
		    b, e, out.format == LOG_FORMAT_JSON ? ",\"%s\":%" PRId64 : " %s=%" PRId64,
		    keys[f->key], f->num);
	else {
		add_pair(b, "err", f->err->message, e);
		add_pair(b, "errKind", err_meaning(f->err->kind)->label, e);
	}
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count)
{
	_cleanup_buf_ struct buf b;
	char ts[CLOCK_TEXT];
	struct err e;
	int r;

	buf_init(&b, LINE_MAX_BYTES);
	clock_text_ms(clock_wall_ms(clock_system()), ts);
	r = buf_printf(&b, &e,
		       out.format == LOG_FORMAT_JSON
			   ? "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":\"%s\""
			   : "%s %-5s %s",
		       ts, levels[level], event);
	if (r < 0)
		return;
	for (size_t i = 0; i < count; i++)
		add_field(&b, &fields[i], &e);
	if (buf_add_str(&b, out.format == LOG_FORMAT_JSON ? "}\n" : "\n", &e) == 0)
		(void)!write(out.fd, b.data, b.len);
}
