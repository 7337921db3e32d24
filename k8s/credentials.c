/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/credentials.h"

#include "base/base64.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

void credential_done(struct credential *c)
{
	secret_done(&c->bytes);
	free(c->path);
	c->path = NULL;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Cuts space away and refuses what would break out of the header. */
static int check_token(const struct credential *c, struct secret *s, struct err *e)
{
	size_t from = 0;

	while (s->len && is_space(s->data[s->len - 1]))
		s->len--;
	while (from < s->len && is_space(s->data[from]))
		from++;
	s->len -= from;
	memmove(s->data, s->data + from, s->len);
	for (size_t i = 0; i < s->len; i++)
		if (s->data[i] <= ' ' || s->data[i] > '~')
			return err_set(e, ERR_INVALID, "the %s holds a character that no token has",
				       c->what);
	return 0;
}

static int take(struct credential *c, const void *bytes, size_t len, bool *ret_changed,
		struct err *e)
{
	_cleanup_secret_ struct secret s = {0};

	if (len > c->max)
		return err_set(e, ERR_EXHAUSTED, "the %s has more than %zu bytes", c->what, c->max);
	if (secret_alloc(&s, len + 1, e) < 0)
		return -1;
	memcpy(s.data, bytes, len);
	s.len = len;
	if (c->is_token && check_token(c, &s, e) < 0)
		return -1;
	s.data[s.len] = '\0';
	if (s.len == 0)
		return err_set(e, ERR_INVALID, "the %s is empty", c->what);
	if (!c->is_token && !strstr((const char *)s.data, "-----BEGIN "))
		return err_set(e, ERR_INVALID, "the %s is no PEM", c->what);
	if (ret_changed)
		*ret_changed = !secret_equal(&s, &c->bytes);
	secret_done(&c->bytes);
	c->bytes = s;
	s = (struct secret){0};
	return 0;
}

int credential_set(struct credential *c, const void *bytes, size_t len, struct err *e)
{
	return take(c, bytes, len, NULL, e);
}

int credential_set_base64(struct credential *c, const char *text, struct err *e)
{
	_cleanup_secret_ struct secret s = {0};

	if (base64_decode(text, strlen(text), c->max, &s, e) < 0)
		return err_add(e, "the %s", c->what);
	return take(c, s.data, s.len, NULL, e);
}

static int read_file(struct credential *c, bool *ret_changed, struct err *e)
{
	_cleanup_secret_ struct secret s = {0};

	if (file_read_secret(AT_FDCWD, c->path, c->max, &s, e) < 0)
		return -1;
	return take(c, s.data, s.len, ret_changed, e);
}

int credential_refresh(struct credential *c, bool always, bool *ret_changed, struct err *e)
{
	struct stat st;
	struct err problem;

	if (ret_changed)
		*ret_changed = false;
	if (!c->path)
		return 0;
	if (stat(c->path, &st) == 0) {
		const int64_t now[5] = {(int64_t)st.st_dev, (int64_t)st.st_ino, (int64_t)st.st_size,
					(int64_t)st.st_mtim.tv_sec, (int64_t)st.st_mtim.tv_nsec};

		if (!always && c->bytes.data && memcmp(now, c->seen, sizeof(now)) == 0)
			return 0;
		memcpy(c->seen, now, sizeof(now));
	}
	if (read_file(c, ret_changed, &problem) == 0 || c->bytes.data)
		return 0;
	*e = problem;
	err_add(e, "%s file", c->what);
	return credential_denied(e);
}

int credential_denied(struct err *e)
{
	unsigned user = (unsigned)geteuid();

	if (e->sys == EACCES)
		err_tail(
		    e,
		    "we are user %u, who may not read it: give it to that user (chown %u), and "
		    "let the user through the directories above",
		    user, user);
	return -1;
}

bool credential_is_set(const struct credential *c)
{
	return c->path || c->bytes.data;
}
