/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/record.h"

#include "base/file.h"
#include "volume/record_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A volume's name has no dot, so these never meet a record. */
#define TEMPORARY ".tmp"
#define BAD ".bad"
#define SUFFIX_LEN 4

#define FILE_NAME (LIMIT_VOLUME_NAME + SUFFIX_LEN + 1)

static void file_name(const char *volume, const char *suffix, char ret_name[static FILE_NAME])
{
	snprintf(ret_name, FILE_NAME, "%.*s%s", LIMIT_VOLUME_NAME, volume, suffix);
}

static int open_pod(int state_fd, const char *uid)
{
	return openat(state_fd, uid, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Only ENOENT means that there is none: a disk that fails must not look like that. */
static int not_absent(struct err *e)
{
	if (e->kind == ERR_NOT_FOUND && e->sys != ENOENT)
		e->kind = ERR_INTERNAL;
	return -1;
}

static int write_temporary(int dirfd, const char *name, const struct buf *text, struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove the record's old temporary file");
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "create the record");
	if (file_write_all(fd, text->data, text->len, e) < 0)
		return err_add(e, "record");
	if (close(TAKE_FD(fd)) < 0 && errno != EINTR)
		return err_sys(e, "close the record");
	return 0;
}

int record_write(int state_fd, const struct record *r, struct err *e)
{
	_cleanup_buf_ struct buf text;
	_cleanup_close_ int dirfd = -1;
	char temporary[FILE_NAME];

	buf_init(&text, LIMIT_RECORD);
	if (!volume_ref_ok(&r->ref))
		return err_set(e, ERR_INVALID, "record: not the name of a pod's volume");
	if (record_to_text(r, &text, e) < 0)
		return -1;
	if (mkdirat(state_fd, r->ref.pod_uid, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make the pod's record directory");
	dirfd = open_pod(state_fd, r->ref.pod_uid);
	if (dirfd < 0)
		return err_sys(e, "open the pod's record directory");
	file_name(r->ref.name, TEMPORARY, temporary);
	if (write_temporary(dirfd, temporary, &text, e) < 0) {
		(void)unlinkat(dirfd, temporary, 0);
		return -1;
	}
	if (renameat(dirfd, temporary, dirfd, r->ref.name) == 0)
		return 0;
	err_sys(e, "put the record in place");
	(void)unlinkat(dirfd, temporary, 0);
	return -1;
}

/* Reads one record; a damaged one is set aside. */
static int read_one(int dirfd, const char *uid, const char *name, struct record *ret, struct err *e)
{
	_cleanup_buf_ struct buf text;
	char bad[FILE_NAME];

	buf_init(&text, LIMIT_RECORD);
	err_clear(e);
	if (file_read(dirfd, name, &text, e) < 0 && !(e->kind == ERR_EXHAUSTED && e->sys == 0))
		return not_absent(e);
	if (e->kind != ERR_NONE)
		err_set(e, ERR_INVALID, "damaged record: too large");
	else if (record_from_text(buf_str(&text), text.len, ret, e) == 0) {
		if (strcmp(ret->ref.pod_uid, uid) == 0 && strcmp(ret->ref.name, name) == 0)
			return 0;
		err_set(e, ERR_INVALID, "damaged record: it is of another volume");
	}
	file_name(name, BAD, bad);
	if (renameat(dirfd, name, dirfd, bad) < 0)
		return err_sys(e, "set a damaged record aside");
	return -1;
}

int record_read(int state_fd, const struct volume_ref *ref, struct record *ret, struct err *e)
{
	_cleanup_close_ int dirfd = -1;

	if (!volume_ref_ok(ref))
		return err_set(e, ERR_INVALID, "record: not the name of a pod's volume");
	dirfd = open_pod(state_fd, ref->pod_uid);
	if (dirfd < 0) {
		err_sys(e, "open the pod's record directory");
		return not_absent(e);
	}
	return read_one(dirfd, ref->pod_uid, ref->name, ret, e);
}

int record_remove(int state_fd, const struct volume_ref *ref, struct err *e)
{
	static const char *const suffixes[] = {"", TEMPORARY, BAD};
	_cleanup_close_ int dirfd = -1;

	if (!volume_ref_ok(ref))
		return err_set(e, ERR_INVALID, "record: not the name of a pod's volume");
	dirfd = open_pod(state_fd, ref->pod_uid);
	if (dirfd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open the pod's record directory");
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char name[FILE_NAME];

		file_name(ref->name, suffixes[i], name);
		if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
			return err_sys(e, "remove the record");
	}
	if (unlinkat(state_fd, ref->pod_uid, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
	    errno != EEXIST)
		return err_sys(e, "remove the pod's record directory");
	return 0;
}

struct visit {
	void (*on_record)(void *arg, const struct record *r);
	void (*on_bad)(void *arg, const char *name, const struct err *e);
	void *arg;
};

static void visit_pod(const struct visit *visit, DIR *pod, const char *uid)
{
	const struct dirent *entry;

	while ((entry = readdir(pod))) {
		char path[2 * NAME_MAX + 2];
		struct volume_ref ref = {0};
		struct record r;
		struct err e;

		if (snprintf(ref.pod_uid, sizeof(ref.pod_uid), "%s", uid) < 0 ||
		    strlen(entry->d_name) >= sizeof(ref.name))
			continue;
		memcpy(ref.name, entry->d_name, strlen(entry->d_name));
		if (!volume_ref_ok(&ref))
			continue;
		if (read_one(dirfd(pod), uid, ref.name, &r, &e) == 0) {
			visit->on_record(visit->arg, &r);
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", uid, ref.name);
		visit->on_bad(visit->arg, path, &e);
	}
}

static DIR *list(int at, const char *name)
{
	int fd = open_pod(at, name);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		closep(&fd);
	return d;
}

int record_each(int state_fd, void (*on_record)(void *arg, const struct record *r),
		void (*on_bad)(void *arg, const char *name, const struct err *e), void *arg,
		struct err *e)
{
	const struct visit visit = {on_record, on_bad, arg};
	DIR *pods = list(state_fd, ".");
	const struct dirent *entry;

	if (!pods)
		return err_sys(e, "list the records");
	while ((entry = readdir(pods))) {
		DIR *pod;

		if (entry->d_name[0] == '.')
			continue;
		pod = list(state_fd, entry->d_name);
		if (!pod) {
			struct err why;

			err_sys(&why, "open a pod's record directory");
			on_bad(arg, entry->d_name, &why);
			continue;
		}
		visit_pod(&visit, pod, entry->d_name);
		closedir(pod);
	}
	closedir(pods);
	return 0;
}

int record_sync(int state_fd, struct err *e)
{
	_cleanup_close_ int fd = open_pod(state_fd, ".");

	if (fd < 0 || syncfs(fd) < 0)
		return err_sys(e, "sync the records");
	return 0;
}
