/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Opens a directory to be listed. A descriptor of its own: the listing has a position. */
static DIR *list(int at, const char *name)
{
	int fd = inside_open(at, name, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		closep(&fd);
	return d;
}

static const char *next_name(struct sweep *s, DIR *d)
{
	const struct dirent *entry;

	while (s->budget && (entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		s->budget--;
		return entry->d_name;
	}
	return NULL;
}

/* True when nothing stands at the name any more. */
static bool remove_at(struct sweep *s, int at, const char *name, int depth)
{
	const char *inner;
	DIR *d;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR)
		return false;
	if (depth < LIMIT_SWEEP_DEPTH && (d = list(at, name))) {
		while ((inner = next_name(s, d)))
			(void)remove_at(s, dirfd(d), inner, depth + 1);
		closedir(d);
	}
	return unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

bool remove_generation(const struct volume *v, const char *name)
{
	struct sweep s = {.v = v, .budget = LIMIT_SWEEP_ENTRIES};

	return remove_at(&s, v->fd, name, 0);
}

int free_name(const struct volume *v, const char *name, unsigned *swept, struct err *e)
{
	char aside[GENERATION_NAME];

	if (unlinkat(v->fd, name, 0) == 0) {
		(*swept)++;
		return 0;
	}
	if (errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(e, "remove %s", name);
	writer_generation(0, aside);
	if (renameat(v->fd, name, v->fd, aside) < 0)
		return err_sys(e, "move %s out of the way", name);
	if (remove_generation(v, aside))
		(*swept)++;
	return 0;
}

bool sweep_keeps(const struct sweep *s, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(s->keep); i++)
		if (s->keep[i] && strcmp(s->keep[i], name) == 0)
			return true;
	return false;
}

static bool is_leftover(const struct sweep *s, const char *name)
{
	if (strcmp(name, TEMPORARY_LINK) == 0)
		return true;
	if (volume_generation_ok(name))
		return !sweep_keeps(s, name);
	return s->content && content_name_ok(name) && !content_find(s->content, name) &&
	       link_is_ours(s->v, name);
}

int sweep_run(struct sweep *s, struct err *e)
{
	DIR *d = list(s->v->fd, ".");
	const char *name;

	if (!d)
		return err_sys(e, "list the volume");
	while ((name = next_name(s, d))) {
		if (!is_leftover(s, name))
			continue;
		if (remove_at(s, s->v->fd, name, 0))
			s->swept++;
		else
			s->left++;
	}
	closedir(d);
	return 0;
}
