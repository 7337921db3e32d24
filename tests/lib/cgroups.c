/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/cgroups.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEADLINE_MS (10 * SECOND_MS)

static bool find_mount(const char *controller, char *ret, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *m;
	bool found = false;

	while (mounts && !found && (m = getmntent(mounts))) {
		if (*controller)
			found =
			    strcmp(m->mnt_type, "cgroup") == 0 && hasmntopt(m, controller) != NULL;
		else
			found = strcmp(m->mnt_type, "cgroup2") == 0;
		if (found)
			snprintf(ret, size, "%s", m->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

/* A test that fails does not come to its test_cgroups_done. */
static struct test_cgroups left; /* the latest */
static pid_t owner;

static void remove_left(void)
{
	if (getpid() == owner)
		test_cgroups_done(&left);
}

bool test_cgroups_init(struct test_cgroups *c, const char *controller)
{
	c->root[0] = '\0';
	if (!find_mount(controller, c->mount, sizeof(c->mount)))
		return false;
	snprintf(c->root, sizeof(c->root), "%s/certhup-test-XXXXXX", c->mount);
	if (!mkdtemp(c->root))
		return false;
	if (!owner)
		atexit(remove_left);
	owner = getpid();
	left = *c;
	return true;
}

static struct timespec pause_time(void)
{
	return (struct timespec){.tv_nsec = 2000000};
}

static void kill_members(const char *group)
{
	char path[PATH_MAX];
	_cleanup_fclose_ FILE *f = NULL;
	char line[32];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		long pid = strtol(line, NULL, 10);

		if (pid > 0 && pid != getpid())
			kill((pid_t)pid, SIGKILL);
	}
}

static int remove_group(const char *path, const struct stat *st _unused_, int type,
			struct FTW *ftw _unused_)
{
	int64_t until = clock_mono_ms(clock_system()) + DEADLINE_MS;
	struct timespec pause = pause_time();

	if (type != FTW_DP)
		return 0;
	test_cgroup_write(path, "cgroup.freeze", "0");
	test_cgroup_write(path, "freezer.state", "THAWED");
	while (rmdir(path) < 0 && errno == EBUSY && clock_mono_ms(clock_system()) < until) {
		kill_members(path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

void test_cgroups_done(struct test_cgroups *c)
{
	if (c->root[0])
		nftw(c->root, remove_group, 16, FTW_DEPTH | FTW_PHYS);
	c->root[0] = '\0';
}

const char *test_cgroup_make(struct test_cgroups *c, const char *path)
{
	static char made[2 * PATH_MAX];
	size_t at;

	snprintf(made, sizeof(made), "%s/%s", c->root, path);
	for (at = strlen(c->root) + 1; made[at]; at++) {
		if (made[at] != '/')
			continue;
		made[at] = '\0';
		mkdir(made, 0755);
		made[at] = '/';
	}
	mkdir(made, 0755);
	return made;
}

bool test_cgroup_write(const char *group, const char *file, const char *text)
{
	char path[2 * PATH_MAX];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

bool test_cgroup_wait(const char *group, const char *file, const char *word)
{
	int64_t until = clock_mono_ms(clock_system()) + DEADLINE_MS;
	struct timespec pause = pause_time();
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	do {
		_cleanup_buf_ struct buf text;
		struct err e;

		buf_init(&text, LIMIT_PROC_FILE);
		if (file_read(AT_FDCWD, path, &text, &e) == 0 && strstr(buf_str(&text), word))
			return true;
		nanosleep(&pause, NULL);
	} while (clock_mono_ms(clock_system()) < until);
	return false;
}
