/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/file.h"
#include "base/text.h"
#include "notify/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define PID_TEXT 12 /* bytes of one line of cgroup.procs, at most */

enum level {
	LEVEL_ABOVE,     /* a pod is looked for */
	LEVEL_POD,       /* its container is looked for */
	LEVEL_CONTAINER, /* everything below belongs to it */
	LEVEL_OTHER      /* not looked at */
};

struct walk {
	const struct cgroup_tree *tree;
	const struct process_query *query;
	struct cgroup_members *found;
	size_t groups; /* looked at so far */
	size_t depth;
	char path[PATH_MAX]; /* of the group that is looked at, from the root */
	size_t path_len;
};

bool cgroup_is_hierarchy(int fd, bool *ret_unified)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	*ret_unified = fs.f_type == CGROUP2_SUPER_MAGIC;
	return *ret_unified || fs.f_type == CGROUP_SUPER_MAGIC;
}

/* Groups come and go while we look, and threaded ones list no processes: not a reason to fail. */
static bool is_gone(const struct err *e)
{
	return e->sys == ENOENT || e->sys == ENODEV || e->sys == EOPNOTSUPP;
}

static bool file_says(int root_fd, const struct walk *w, const char *name, const char *word)
{
	char path[PATH_MAX];
	_cleanup_buf_ struct buf text;
	struct err ignored;
	int n = snprintf(path, sizeof(path), "%s/%s", w->path, name);

	buf_init(&text, LIMIT_PROC_FILE);
	return root_fd >= 0 && n > 0 && (size_t)n < sizeof(path) &&
	       file_read(root_fd, path, &text, &ignored) == 0 && strstr(buf_str(&text), word);
}

static bool is_frozen(const struct walk *w)
{
	return file_says(w->tree->unified_fd, w, "cgroup.events", "frozen 1") ||
	       file_says(w->tree->freezer_fd, w, "freezer.state", "FROZEN");
}

static int add_members(struct cgroup_members *m, char *text, bool frozen, struct err *e)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		uint64_t pid;

		/* 0: a process that our pid namespace does not see. */
		if (text_parse_u64(line, 1, INT32_MAX, &pid) < 0)
			continue;
		if (m->count == LIMIT_PROCESSES)
			return err_set(e, ERR_EXHAUSTED, "the container has more than %d processes",
				       LIMIT_PROCESSES);
		m->members[m->count++] = (struct cgroup_member){(int32_t)pid, frozen};
	}
	return 0;
}

static int read_members(struct walk *w, int fd, struct err *e)
{
	_cleanup_buf_ struct buf text;

	buf_init(&text, (size_t)LIMIT_PROCESSES * PID_TEXT);
	if (file_read(fd, "cgroup.procs", &text, e) < 0)
		return is_gone(e) ? 0 : -1;
	if (!text.len)
		return 0;
	return add_members(w->found, text.data, is_frozen(w), e);
}

static enum level level_below(const struct walk *w, enum level level, const char *name)
{
	size_t len = strlen(name);
	char uid[LIMIT_UID + 1];
	char id[LIMIT_CONTAINER_ID + 1];

	if (level == LEVEL_ABOVE) {
		if (!cgroup_name_pod(name, len, uid))
			return LEVEL_ABOVE;
		if (strcmp(uid, w->query->pod_uid) != 0)
			return LEVEL_OTHER;
		if (!strchr(name, ':'))
			return LEVEL_POD;
		level = LEVEL_POD;
	}
	if (level == LEVEL_POD)
		return cgroup_name_container(name, len, id) &&
			       strcmp(id, w->query->container_id) == 0
			   ? LEVEL_CONTAINER
			   : LEVEL_OTHER;
	return level;
}

static int look(struct walk *w, int fd, enum level level, struct err *e);

static int enter(struct walk *w, int parent_fd, const char *name, enum level level, struct err *e)
{
	_cleanup_close_ int fd =
	    openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t before = w->path_len;
	int n;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV || errno == ENOTDIR
			   ? 0
			   : err_sys(e, "open a cgroup");
	n = snprintf(w->path + before, sizeof(w->path) - before, "%s%s", before ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(w->path) - before)
		return err_set(e, ERR_EXHAUSTED, "the path of a cgroup is too long");
	w->path_len += (size_t)n;
	w->depth++;
	r = look(w, fd, level, e);
	w->depth--;
	w->path_len = before;
	w->path[before] = '\0';
	return r;
}

/* The groups right below fd, those of kubelet first: others may be many. */
static int look_below(struct walk *w, int fd, enum level level, bool kubelet, struct err *e)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *d;
	int r = 0;

	if (!dir) {
		closep(&copy);
		return err_sys(e, "list a cgroup");
	}
	while (r == 0 && (d = readdir(dir))) {
		enum level below;

		if ((d->d_type != DT_DIR && d->d_type != DT_UNKNOWN) || d->d_name[0] == '.' ||
		    (strncmp(d->d_name, "kube", 4) == 0) != kubelet)
			continue;
		below = level_below(w, level, d->d_name);
		if (below != LEVEL_OTHER)
			r = enter(w, fd, d->d_name, below, e);
		if (level != LEVEL_CONTAINER && w->found->count)
			break;
	}
	closedir(dir);
	return r;
}

static int look(struct walk *w, int fd, enum level level, struct err *e)
{
	if (++w->groups > LIMIT_CGROUPS)
		return err_set(e, ERR_EXHAUSTED, "looked at more than %d cgroups", LIMIT_CGROUPS);
	if (level == LEVEL_CONTAINER && read_members(w, fd, e) < 0)
		return -1;
	if (w->depth == LIMIT_CGROUP_DEPTH)
		return 0;
	if (look_below(w, fd, level, true, e) < 0)
		return -1;
	if (level != LEVEL_CONTAINER && w->found->count)
		return 0;
	return look_below(w, fd, level, false, e);
}

int cgroup_tree_find(const struct cgroup_tree *t, const struct process_query *q,
		     struct cgroup_members *ret, struct err *e)
{
	struct walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_sys(e, "search the cgroups");
	ret->count = 0;
	w->tree = t;
	w->query = q;
	w->found = ret;
	r = look(w, t->tree_fd, LEVEL_ABOVE, e);
	free(w);
	return r;
}

static int open_hierarchy(int cgroup_fd, const char *name)
{
	int fd = openat(cgroup_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool unified;

	if (fd >= 0 && !cgroup_is_hierarchy(fd, &unified))
		closep(&fd);
	return fd;
}

int cgroup_members_find(int cgroup_fd, const struct process_query *q, struct cgroup_members *ret,
			struct err *e)
{
	/* Kubelet makes its groups in all of v1's; any that is there will do. */
	static const char *const hierarchies[] = {"pids",    "memory", "systemd", "unified",
						  "freezer", "cpu",    "devices"};
	_cleanup_close_ int unified_fd = -1;
	_cleanup_close_ int freezer_fd = -1;
	bool unified;

	ret->count = 0;
	if (cgroup_fd < 0)
		return err_set(e, ERR_INVALID, "there is no cgroup tree to search");
	if (cgroup_is_hierarchy(cgroup_fd, &unified))
		return cgroup_tree_find(
		    &(struct cgroup_tree){cgroup_fd, unified ? cgroup_fd : -1, -1}, q, ret, e);
	unified_fd = open_hierarchy(cgroup_fd, "unified");
	freezer_fd = open_hierarchy(cgroup_fd, "freezer");
	for (size_t i = 0; i < ARRAY_LEN(hierarchies) && !ret->count; i++) {
		_cleanup_close_ int fd = open_hierarchy(cgroup_fd, hierarchies[i]);

		if (fd >= 0 && cgroup_tree_find(&(struct cgroup_tree){fd, unified_fd, freezer_fd},
						q, ret, e) < 0)
			return -1;
	}
	return 0;
}
