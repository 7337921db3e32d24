/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/recording.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER "tests/apiserver/transcripts"

void recording_done(struct recording *r)
{
	free(r->method);
	free(r->target);
	for (size_t i = 0; i < HTTPS_HEADERS; i++)
		free(r->request_headers[i]);
	free(r->request_body);
	free(r->answer_headers);
	free(r->answer_body);
	*r = (struct recording){0};
}

/* The folder lies in the tree that the program was built in. */
static void find_file(const char *name, char *ret, size_t size)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(len > 0);
	path[len] = '\0';
	for (char *slash; (slash = strrchr(path, '/')); *slash = '\0') {
		snprintf(ret, size, "%.*s/" FOLDER "/%s.txt", (int)(slash - path), path, name);
		if (access(ret, R_OK) == 0)
			return;
	}
	fail_msg("there is no recording %s", name);
}

static void read_request_line(struct recording *r, const char *line)
{
	size_t method = strcspn(line, " ");
	size_t target = strcspn(line + method + 1, " ");
	r->method = strndup(line, method);
	r->target = strndup(line + method + 1, target);
}

/* Lines that begin with ">": the request line, headers, an empty one, the body. */
static void read_request(struct recording *r, char **rest)
{
	size_t headers = 0;
	bool in_body = false;
	while (*rest && **rest != '\n') {
		char *line = strsep(rest, "\n");
		if (*line != '>')
			continue;
		line += line[1] == ' ' ? 2 : 1;
		if (!r->method) {
			read_request_line(r, line);
		} else if (in_body) {
			assert_null(r->request_body);
			r->request_body = strdup(line);
		} else if (!*line) {
			in_body = true;
		} else {
			assert_true(headers < HTTPS_HEADERS - 1);
			r->request_headers[headers++] = strdup(line);
		}
	}
}

void recording_read(const char *name, struct recording *ret)
{
	struct err e;
	char path[PATH_MAX];
	_cleanup_buf_ struct buf text;
	uint64_t code = 0;
	*ret = (struct recording){0};
	buf_init(&text, LIMIT_BODY);
	find_file(name, path, sizeof(path));
	if (file_read(AT_FDCWD, path, &text, &e) < 0)
		fail_msg("%s", e.message);
	char *rest = text.data;
	read_request(ret, &rest);
	assert_non_null(rest);
	rest++; /* the empty line */
	char *status = strsep(&rest, "\n");
	if (!status || !rest) {
		fail_msg("%s has no answer", name);
		return;
	}
	char *number = strchr(status, ' ') + 1;
	number[strcspn(number, " ")] = '\0';
	assert_int_equal(text_parse_u64(number, 100, 599, &code), 0);
	ret->code = (int)code;
	char *body = strstr(rest, "\n\n");
	size_t len = body ? (size_t)(body + 1 - rest) : strlen(rest);
	ret->answer_headers = strndup(rest, len);
	ret->answer_body = strdup(body ? body + 2 : "");
	if (!strncmp(ret->answer_body, "\n[curl:", 7))
		*ret->answer_body = '\0';
}

/* The numbers behind "version: ", "current: " and "(" are resourceVersions. */
static void mask_message(struct json_object *object, const char *text)
{
	static const char *const before[] = {"version: ", "current: ", "("};
	_cleanup_free_ char *masked = calloc(1, strlen(text) + 1);
	assert_non_null(masked);
	size_t n = 0;
	while (*text) {
		masked[n++] = *text++;
		for (size_t i = 0; i < ARRAY_LEN(before); i++) {
			size_t len = strlen(before[i]);
			bool digits = *text >= '0' && *text <= '9';
			if (digits && n >= len && !strncmp(masked + n - len, before[i], len)) {
				masked[n++] = '#';
				text += strspn(text, "0123456789");
			}
		}
	}
	json_object_object_add(object, "message", json_object_new_string(masked));
}

/* The name that the server made of generateName. */
static void mask_generated(struct json_object *object)
{
	struct json_object *prefix = NULL;
	struct json_object *name = NULL;
	if (!json_object_object_get_ex(object, "generateName", &prefix) ||
	    !json_object_object_get_ex(object, "name", &name))
		return;
	const char *text = json_object_get_string(prefix);
	assert_int_equal(strncmp(json_object_get_string(name), text, strlen(text)), 0);
	assert_int_equal(strlen(json_object_get_string(name)), strlen(text) + 5);
	json_object_object_add(object, "name", json_object_new_string("generated"));
}

static void mask(struct json_object *value)
{
	static const char *const masked[] = {"uid", "resourceVersion", "creationTimestamp",
					     "continue"};
	if (json_object_is_type(value, json_type_array))
		for (size_t i = 0; i < json_object_array_length(value); i++)
			mask(json_object_array_get_idx(value, i));
	if (!json_object_is_type(value, json_type_object))
		return;
	json_object_object_del(value, "managedFields");
	mask_generated(value);
	for (size_t i = 0; i < ARRAY_LEN(masked); i++) {
		struct json_object *old = NULL;
		if (json_object_object_get_ex(value, masked[i], &old) && old)
			json_object_object_add(value, masked[i], json_object_new_string("*"));
	}
	struct json_object *message = NULL;
	if (json_object_object_get_ex(value, "message", &message))
		mask_message(value, json_object_get_string(message));
	json_object_object_foreach(value, key, member)
	{
		(void)key;
		mask(member);
	}
}

/* All documents of a body, masked, one a line; text that is no JSON stays as it is. */
static char *masked_body(const char *body)
{
	struct err e;
	struct buf out;
	buf_init(&out, LIMIT_BODY);
	struct json_tokener *t = json_tokener_new();
	size_t at = 0;
	size_t len = strlen(body);
	while (at < len) {
		struct json_object *value = json_tokener_parse_ex(t, body + at, (int)(len - at));
		if (!value) {
			if (strspn(body + at, " \n") < len - at)
				assert_int_equal(buf_add_str(&out, body + at, &e), 0);
			break;
		}
		at += json_tokener_get_parse_end(t);
		mask(value);
		const char *text = json_object_to_json_string_ext(
		    value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
		assert_int_equal(buf_printf(&out, &e, "%s\n", text), 0);
		json_object_put(value);
	}
	json_tokener_free(t);
	char *copy = strdup(buf_str(&out));
	buf_done(&out);
	return copy;
}

/* Every recorded header is there with its value. The length is compared where nothing is masked. */
static void compare_headers(const struct recording *r, const struct https_answer *a, bool length)
{
	_cleanup_free_ char *copy = strdup(r->answer_headers);
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *value = line;
		const char *name = strsep(&value, ":");
		if (!value || (!length && !strcasecmp(name, "content-length")))
			continue;
		value += strspn(value, " ");
		_cleanup_free_ char *is = https_header(a, name);
		if (!is)
			fail_msg("the header %s is missing", name);
		assert_string_equal(is, value);
	}
}

void recording_compare(const struct recording *r, const struct https_answer *a)
{
	_cleanup_free_ char *recorded = masked_body(r->answer_body);
	_cleanup_free_ char *answered = masked_body(a->body);
	bool masked = strstr(recorded, "\"*\"") || strchr(recorded, '#') ||
		      strstr(r->answer_body, "managedFields");
	assert_int_equal(a->code, r->code);
	if (*recorded || !strstr(r->answer_headers, "content-length"))
		assert_string_equal(answered, recorded);
	if (*recorded && !masked)
		assert_int_equal(strncmp(a->body, r->answer_body, a->body_len), 0);
	compare_headers(r, a, !masked);
}
