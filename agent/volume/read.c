/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/read.h"

#include "volume/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Opens the generation's directory and tells its name. */
static int open_generation(const struct volume *v, const char *generation,
			   char ret_name[static GENERATION_NAME], struct err *e)
{
	int fd;

	if (generation)
		snprintf(ret_name, GENERATION_NAME, "%s", generation);
	else if (!link_text(v->fd, DATA_LINK, ret_name, GENERATION_NAME))
		switch (errno) {
		case ENOENT:
			return err_set(e, ERR_NOT_FOUND, "there is no " DATA_LINK " yet");
		case EACCES:
			return err_sys(e, "open " DATA_LINK);
		default:
			return err_set(e, ERR_INVALID, DATA_LINK " is not a link to a generation");
		}
	if (!volume_readable_generation(ret_name))
		return err_set(e, ERR_INVALID, DATA_LINK " does not name a generation");
	fd = inside_open(v->fd, ret_name, O_RDONLY | O_DIRECTORY);
	if (fd >= 0)
		return fd;
	if (errno == ENOTDIR || errno == ELOOP)
		return err_set(e, ERR_INVALID, "the generation is not a directory");
	return err_sys(e, "open the generation");
}

static int read_file(int dirfd, const char *name, struct content *to, struct err *e)
{
	_cleanup_secret_ struct secret bytes = {0};
	_cleanup_close_ int fd = -1;
	size_t used = 0;
	struct stat st;
	ssize_t n;

	fd = inside_open_file(dirfd, name, &st, e);
	if (fd < 0)
		return -1;
	if (st.st_size > LIMIT_CONTENT)
		return err_set(e, ERR_EXHAUSTED, "%s has more than %d bytes", name, LIMIT_CONTENT);
	if (secret_alloc(&bytes, (size_t)st.st_size + 1, e) < 0)
		return err_add(e, "read %s", name);
	while (used < bytes.len && (n = read(fd, bytes.data + used, bytes.len - used)) != 0) {
		if (n > 0)
			used += (size_t)n;
		else if (errno != EINTR)
			return err_sys(e, "read %s", name);
	}
	if (used != (size_t)st.st_size)
		return err_set(e, ERR_INVALID, "%s changes while it is read", name);
	return content_add(to, name, bytes.data, used, e);
}

/* Reads the names in a directory; content that has no bytes yet. */
static int read_names(int dirfd, struct content *ret, struct err *e)
{
	int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	_cleanup_(closedirp) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!d) {
		err_sys(e, "read the generation");
		closep(&fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (content_add(ret, entry->d_name, "", 0, e) < 0)
			return -1;
	}
	return errno ? err_sys(e, "read the generation") : 0;
}

int volume_read(const struct volume *v, const char *generation, struct content *ret,
		char *ret_generation, struct err *e)
{
	_cleanup_content_ struct content names = {0};
	_cleanup_content_ struct content read = {0};
	char name[GENERATION_NAME];
	_cleanup_close_ int dirfd = open_generation(v, generation, name, e);

	if (dirfd < 0 || read_names(dirfd, &names, e) < 0)
		return -1;
	content_sort(&names);
	for (size_t i = 0; i < names.count; i++)
		if (read_file(dirfd, names.files[i].name, &read, e) < 0)
			return -1;
	*ret = read;
	read.count = 0;
	if (ret_generation)
		memcpy(ret_generation, name, GENERATION_NAME);
	return 0;
}

int volume_list(const struct volume *v, struct volume_entry ret[LIMIT_FILES], size_t *ret_count,
		struct err *e)
{
	_cleanup_content_ struct content names = {0};
	char name[GENERATION_NAME];
	_cleanup_close_ int dirfd = open_generation(v, NULL, name, e);

	if (dirfd < 0 || read_names(dirfd, &names, e) < 0)
		return -1;
	content_sort(&names);
	for (size_t i = 0; i < names.count; i++) {
		struct volume_entry *entry = &ret[i];
		struct stat st;

		if (fstatat(dirfd, names.files[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "stat %s", names.files[i].name);
		memcpy(entry->name, names.files[i].name, sizeof(entry->name));
		entry->mode = st.st_mode & 07777;
		entry->uid = st.st_uid;
		entry->gid = st.st_gid;
		entry->size = (uint64_t)st.st_size;
	}
	*ret_count = names.count;
	return 0;
}

int volume_open_path(const char *path, struct volume *ret, struct err *e)
{
	struct stat st;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	ret->fd = -1;
	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (fstat(fd, &st) < 0) {
		err_sys(e, "stat %s", path);
		close(fd);
		return -1;
	}
	*ret = (struct volume){.fd = fd, .dev = st.st_dev};
	return 0;
}

bool is_damage(const struct err *e)
{
	return e->kind == ERR_NOT_FOUND || e->kind == ERR_INVALID || e->kind == ERR_CONFLICT ||
	       e->kind == ERR_DENIED || (e->kind == ERR_EXHAUSTED && e->sys == 0);
}
