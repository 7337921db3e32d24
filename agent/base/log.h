/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * Logs: one JSON object a line on stderr (or text for people), typed fields, and only the fields of
 * the list below. There is no format string and no field for bytes of a Secret, so a key cannot be
 * logged by accident. A field that does not fit into a line is left out, and counted in "omitted".
 *
 *     log_info("volume.published", L_STR(LOG_POD, pod), L_INT(LOG_DURATION_MS, took));
 *     log_error("watch.failed", L_STR(LOG_SECRET, name), L_ERR(&e));
 *
 * Event names are constants: a noun, a dot, a verb.
 */

#include "base/err.h"

/* The allow-list of fields. Each stands in docs/reference.md. */
enum log_key {
	LOG_NAMESPACE,
	LOG_POD,
	LOG_POD_UID,
	LOG_VOLUME,
	LOG_CONTAINER,
	LOG_SECRET,
	LOG_RESOURCE_VERSION,
	LOG_GENERATION,
	LOG_FINGERPRINT,
	LOG_NOT_AFTER,
	LOG_STATE,
	LOG_REASON,
	LOG_ACTION,
	LOG_SIGNAL,
	LOG_PID,
	LOG_PORT,
	LOG_RESULT,
	LOG_DURATION_MS,
	LOG_COUNT,
	LOG_BYTES,
	LOG_PATH,
	LOG_URL,
	LOG_CODE,
	LOG_VERB,
	LOG_RESOURCE,
	LOG_NODE,
	LOG_VERSION,
	LOG_MESSAGE,
	LOG_KEY,
	LOG_RETRY_MS,
	LOG_KEYS
};

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum log_format {
	LOG_FORMAT_JSON,
	LOG_FORMAT_TEXT
};

enum log_type {
	LOG_TYPE_STR,
	LOG_TYPE_INT,
	LOG_TYPE_ERR
};

struct log_field {
	enum log_type type;
	enum log_key key;
	union {
		const char *str;
		int64_t num;
		const struct err *err;
	};
};

#define L_STR(k, v) ((struct log_field){.type = LOG_TYPE_STR, .key = (k), .str = (v)})
#define L_INT(k, v) ((struct log_field){.type = LOG_TYPE_INT, .key = (k), .num = (int64_t)(v)})
#define L_ERR(e) ((struct log_field){.type = LOG_TYPE_ERR, .err = (e)}) /* adds err and errKind */

void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* Where lines go; stderr (2) by default. */
void log_to(int fd);

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count);

#define LOG_AT(level, event, ...)                                                                  \
	do {                                                                                       \
		if (log_enabled(level)) {                                                          \
			const struct log_field log_fields_[] = {__VA_ARGS__};                      \
			log_write(level, event, log_fields_, ARRAY_LEN(log_fields_));              \
		}                                                                                  \
	} while (0)

#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
