/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/decoy.h"

#include "tests/lib/pods.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <cmocka.h>

static void put(const char *path, const char *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	close(fd);
}

/* Names, owners, modes, times and the bytes of the file. */
static char *look(const struct decoy *d)
{
	_cleanup_free_ char *top = directory_text(d->path);
	char inner[96];
	char bytes[64] = "";
	char *text = NULL;
	struct stat st;
	int fd;

	snprintf(inner, sizeof(inner), "%s/etc", d->path);
	_cleanup_free_ char *etc = directory_text(inner);

	assert_int_equal(stat(d->shadow, &st), 0);
	fd = open(d->shadow, O_RDONLY | O_NOATIME | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, bytes, sizeof(bytes) - 1) > 0);
	close(fd);
	assert_true(asprintf(&text, "%s%s%s%lld.%ld links %lu", top, etc, bytes,
			     (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
			     (unsigned long)st.st_nlink) > 0);
	return text;
}

void decoy_make(struct decoy *d)
{
	char path[128];

	snprintf(d->path, sizeof(d->path), "/tmp/decoy-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(path, sizeof(path), "%s/etc", d->path);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/passwd", d->path);
	put(path, "root");
	snprintf(d->shadow, sizeof(d->shadow), "%s/tls.key", d->path);
	put(d->shadow, "key 77\n");
	d->before = look(d);
	d->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(d->watch_fd, d->path, IN_ALL_EVENTS) > 0);
	snprintf(path, sizeof(path), "%s/etc", d->path);
	assert_true(inotify_add_watch(d->watch_fd, path, IN_ALL_EVENTS) > 0);
}

void decoy_untouched(struct decoy *d)
{
	_Alignas(struct inotify_event) char event[512];
	_cleanup_free_ char *now = NULL;

	if (read(d->watch_fd, event, sizeof(event)) > 0) {
		const struct inotify_event *e = (const struct inotify_event *)(void *)event;

		fail_msg("the decoy saw event %x on '%s'", e->mask, e->len ? e->name : "");
	}
	assert_int_equal(errno, EAGAIN);
	now = look(d);
	assert_string_equal(now, d->before);
	/* Our own looking. */
	while (read(d->watch_fd, event, sizeof(event)) > 0)
		;
}

void decoy_remove(struct decoy *d)
{
	close(d->watch_fd);
	free(d->before);
	empty_directory(d->path);
	assert_int_equal(rmdir(d->path), 0);
}
