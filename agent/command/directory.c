/* SPDX-License-Identifier: Apache-2.0 */
#include "command/directory.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

void directory_done(struct directory *d)
{
	content_done(&d->files);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool is_plain_name(const char *name)
{
	static const char *const endings[] = {".crt", ".key", ".pem"};
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (len > 4 && strcmp(name + len - 4, endings[i]) == 0)
			return content_name_ok(name);
	return false;
}

static int read_plain_file(int dirfd, const char *name, struct directory *ret, struct err *e)
{
	_cleanup_secret_ struct secret bytes = {0};
	struct volume_entry *entry = &ret->entries[ret->entry_count];
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) < 0)
		return err_sys(e, "%s", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (file_read_secret(dirfd, name, LIMIT_CONTENT, &bytes, e) < 0 ||
	    content_add(&ret->files, name, bytes.data, bytes.len, e) < 0)
		return -1;
	*entry = (struct volume_entry){.mode = st.st_mode & 07777,
				       .uid = st.st_uid,
				       .gid = st.st_gid,
				       .size = (uint64_t)st.st_size};
	ret->entry_count++;
	return text_copy(entry->name, sizeof(entry->name), name);
}

static int read_plain(const char *path, struct directory *ret, struct err *e)
{
	_cleanup_(closedirp) DIR *d = opendir(path);
	const struct dirent *entry;

	if (!d)
		return err_sys(e, "open");
	while ((entry = readdir(d)))
		if (is_plain_name(entry->d_name) &&
		    read_plain_file(dirfd(d), entry->d_name, ret, e) < 0)
			return -1;
	if (ret->files.count == 0)
		return err_set(e, ERR_NOT_FOUND,
			       "no ..data, and no file named *.crt, *.key or *.pem");
	return 0;
}

int directory_hint(const char *path, struct err *e)
{
	char below[PATH_MAX];
	int n = snprintf(below, sizeof(below), "%s/certhup/..data", path);
	struct stat st;

	if (e->kind == ERR_NOT_FOUND && n > 0 && (size_t)n < sizeof(below) &&
	    lstat(below, &st) == 0)
		err_tail(e, "did you mean %s%scerthup, where init and sidecar write?", path,
			 path[strlen(path) - 1] == '/' ? "" : "/");
	return -1;
}

int directory_read(const char *path, struct directory *ret, struct err *e)
{
	_cleanup_volume_ struct volume v = {.fd = -1};
	int r;

	*ret = (struct directory){0};
	if (volume_open_path(path, &v, e) < 0)
		return -1;
	r = volume_read(&v, NULL, &ret->files, ret->generation, e);
	if (r == 0)
		r = volume_list(&v, ret->entries, &ret->entry_count, e);
	else if (e->kind == ERR_NOT_FOUND)
		r = read_plain(path, ret, e);
	if (r == 0)
		return 0;
	err_add(e, "%s", path);
	return directory_hint(path, e);
}

/* The next PEM block at or behind *at whose label ends with what; *at is moved behind it. */
static bool next_block(const char **at, const char *end, const char *what, const char **ret_begin)
{
	static const char begin[] = "-----BEGIN ";
	static const char finish[] = "-----END ";
	size_t len = strlen(what);

	while (*at < end) {
		const char *b = memmem(*at, (size_t)(end - *at), begin, strlen(begin));
		const char *label = b ? b + strlen(begin) : end;
		const char *dashes = memmem(label, (size_t)(end - label), "-----", 5);
		const char *f =
		    dashes ? memmem(dashes, (size_t)(end - dashes), finish, strlen(finish)) : NULL;
		const char *line = f ? memchr(f, '\n', (size_t)(end - f)) : NULL;

		if (!f)
			return false;
		*at = line ? line + 1 : end;
		*ret_begin = b;
		if ((size_t)(dashes - label) >= len && memcmp(dashes - len, what, len) == 0)
			return true;
	}
	return false;
}

/* Adds all blocks of one kind as a file of the pair; *ret_found tells whether there were any. */
static int take_blocks(const struct content_file *from, const char *what, const char *name,
		       struct content *ret, bool *ret_found, struct err *e)
{
	const char *at = (const char *)from->bytes.data;
	const char *end = at + from->bytes.len;
	const char *begin;
	_cleanup_buf_ struct buf blocks;

	buf_init(&blocks, LIMIT_CONTENT);
	while (at && next_block(&at, end, what, &begin))
		if (buf_add(&blocks, begin, (size_t)(at - begin), e) < 0)
			return -1;
	*ret_found = blocks.len > 0;
	return blocks.len ? content_add(ret, name, blocks.data, blocks.len, e) : 0;
}

/* The file of that name, else the first other one that has such blocks. */
static int take(const struct content *files, const char *what, const char *name,
		struct content *ret, struct err *e)
{
	const struct content_file *own = content_find(files, name);
	bool found = false;

	if (own)
		return content_add(ret, name, own->bytes.data, own->bytes.len, e);
	for (size_t i = 0; i < files->count && !found; i++)
		if (strcmp(files->files[i].name, "ca.crt") != 0 &&
		    take_blocks(&files->files[i], what, name, ret, &found, e) < 0)
			return -1;
	return found ? 0 : err_set(e, ERR_NOT_FOUND, "no file with a %s in PEM", what);
}

int pair_find(const struct content *files, struct content *ret, struct err *e)
{
	const struct content_file *ca = content_find(files, "ca.crt");

	if (take(files, "CERTIFICATE", "tls.crt", ret, e) < 0 ||
	    take(files, "PRIVATE KEY", "tls.key", ret, e) < 0)
		return -1;
	return ca ? content_add(ret, "ca.crt", ca->bytes.data, ca->bytes.len, e) : 0;
}
