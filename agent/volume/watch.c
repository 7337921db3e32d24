/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "volume/watch.h"

#include "volume/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inotifytools/inotify.h>
#include <inotifytools/inotifytools.h>
#include <string.h>
#include <sys/select.h>

#define ROOT_EVENTS                                                                                \
	(IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define GENERATION_EVENTS                                                                          \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB | IN_ONLYDIR)

/* One inotify watch. A volume has up to two, of one key. */
struct entry {
	int wd;
	bool root;
	uint64_t key; /* 0: nobody wants it any more, to be removed from the kernel */
	uint64_t dev, ino;
	unsigned events;
};

struct volume_watch {
	int fd; /* -1: it could not be made anew */
	uint64_t last_key;
	unsigned dead; /* entries of the library that no call can remove */
	size_t count;
	struct entry entries[LIMIT_INOTIFY_WATCHES]; /* in order of wd */
	uint64_t ended[LIMIT_INOTIFY_WATCHES];       /* keys to be told while all is made anew */
};

/* The library has one instance, which it keeps to itself. */
static bool in_use;

static bool is_inotify(int fd)
{
	char path[FD_PATH];
	char text[32];

	fd_path(fd, path);
	return link_text(AT_FDCWD, path, text, sizeof(text)) &&
	       strcmp(text, "anon_inode:inotify") == 0;
}

/* The library does not tell its descriptor: it is the lowest that was free. */
static int start(struct volume_watch *w, struct err *e)
{
	int lowest = open("/", O_PATH | O_CLOEXEC);

	if (lowest < 0)
		return err_sys(e, "inotify");
	close(lowest);
	if (lowest >= FD_SETSIZE)
		return err_set(e, ERR_EXHAUSTED, "inotify needs a descriptor below %d", FD_SETSIZE);
	if (!inotifytools_initialize())
		return err_sys_num(e, inotifytools_error(),
				   "inotify (fs.inotify.max_user_instances)");
	if (is_inotify(lowest) && fcntl(lowest, F_SETFD, FD_CLOEXEC) == 0) {
		w->fd = lowest;
		return 0;
	}
	inotifytools_cleanup();
	return err_set(e, ERR_INTERNAL, "inotify has an unknown descriptor");
}

int volume_watch_new(struct volume_watch **ret, struct err *e)
{
	struct volume_watch *w;

	if (in_use)
		return err_set(e, ERR_CONFLICT, "volumes are watched already in this process");
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_sys(e, "inotify");
	w->fd = -1;
	if (start(w, e) < 0) {
		free(w);
		return -1;
	}
	in_use = true;
	*ret = w;
	return 0;
}

struct volume_watch *volume_watch_free(struct volume_watch *w)
{
	if (!w)
		return NULL;
	inotifytools_cleanup();
	free(w);
	in_use = false;
	return NULL;
}

int volume_watch_fd(const struct volume_watch *w)
{
	return w->fd;
}

/* Index of the entry, or of where it would stand. */
static size_t place_of(const struct volume_watch *w, int wd)
{
	size_t low = 0;
	size_t high = w->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (w->entries[middle].wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(struct volume_watch *w, int wd)
{
	size_t i = place_of(w, wd);

	return i < w->count && w->entries[i].wd == wd ? &w->entries[i] : NULL;
}

static void drop_entry(struct volume_watch *w, struct entry *entry)
{
	size_t i = (size_t)(entry - w->entries);

	w->count--;
	memmove(entry, entry + 1, (w->count - i) * sizeof(*entry));
}

/* Removes from the kernel what nobody wants. */
static void purge(struct volume_watch *w)
{
	for (size_t i = w->count; i-- > 0;) {
		if (w->entries[i].key)
			continue;
		w->dead += inotifytools_remove_watch_by_wd(w->entries[i].wd) ? 0 : 1;
		drop_entry(w, &w->entries[i]);
	}
}

/*
 * A name for the library that was never used before: it takes a name that it knows for the watch
 * that it had. The key is written into the path as "/." and "//", which lead nowhere.
 */
static void unique_path(int fd, uint64_t serial, char ret_path[static FD_PATH + 130])
{
	char *p;

	fd_path(fd, ret_path);
	p = ret_path + strlen(ret_path);
	for (int bit = 0; bit < 64; bit++, p += 2)
		memcpy(p, serial >> bit & 1 ? "/." : "//", 2);
	p[0] = '/';
	p[1] = '\0';
}

/* The library loses track of a directory that is watched twice. */
static void forget_same(struct volume_watch *w, const struct stat *st)
{
	uint64_t key = 0;

	for (size_t i = 0; i < w->count; i++)
		if (w->entries[i].dev == st->st_dev && w->entries[i].ino == st->st_ino)
			key = w->entries[i].key ? w->entries[i].key : key;
	if (key)
		volume_watch_remove(w, key);
	purge(w);
}

static int add_directory(struct volume_watch *w, int fd, bool root, struct err *e)
{
	uint64_t key = root ? w->last_key + 1 : w->last_key;
	struct entry entry = {.root = root, .key = key};
	char path[FD_PATH + 130];
	struct stat st;
	size_t i;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "watch the volume");
	forget_same(w, &st);
	if (w->count == LIMIT_INOTIFY_WATCHES)
		return err_set(e, ERR_EXHAUSTED, "more than %zu watches", LIMIT_INOTIFY_WATCHES);
	entry.dev = st.st_dev;
	entry.ino = st.st_ino;
	unique_path(fd, 2 * key + root, path);
	if (!inotifytools_watch_file(path, root ? ROOT_EVENTS : GENERATION_EVENTS)) {
		err_sys_num(e, inotifytools_error(), "watch the volume");
		return inotifytools_error() == ENOSPC
			   ? err_tail(e, "fs.inotify.max_user_watches is used up")
			   : -1;
	}
	entry.wd = inotifytools_wd_from_filename(path);
	i = place_of(w, entry.wd);
	memmove(&w->entries[i + 1], &w->entries[i], (w->count - i) * sizeof(entry));
	w->entries[i] = entry;
	w->count++;
	w->last_key = key;
	return 0;
}

int volume_watch_add(struct volume_watch *w, const struct volume *v, uint64_t *ret_key,
		     struct err *e)
{
	char generation[GENERATION_NAME];
	_cleanup_close_ int fd = -1;

	if (w->fd < 0 && start(w, e) < 0)
		return -1;
	if (add_directory(w, v->fd, true, e) < 0)
		return -1;
	*ret_key = w->last_key;
	data_generation(v, generation);
	if (generation[0])
		fd = inside_open(v->fd, generation, O_PATH | O_DIRECTORY);
	if (fd < 0 || add_directory(w, fd, false, e) == 0)
		return 0;
	volume_watch_remove(w, *ret_key);
	return -1;
}

void volume_watch_remove(struct volume_watch *w, uint64_t key)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->entries[i].key == key)
			w->entries[i].key = 0;
}

static void take_one(struct volume_watch *w, const struct inotify_event *event,
		     const struct volume_watch_calls *calls)
{
	const char *name = event->len ? event->name : "";
	struct entry *entry;
	uint64_t key;
	bool root;

	if (event->mask & IN_Q_OVERFLOW) {
		calls->on_overflow(calls->arg);
		return;
	}
	entry = find(w, event->wd);
	if (!entry)
		return;
	key = entry->key;
	root = entry->root;
	if (event->mask & IN_IGNORED) {
		w->dead++;
		drop_entry(w, entry);
	} else if (++entry->events > LIMIT_WATCH_EVENTS) {
		volume_watch_remove(w, key);
		purge(w);
		if (key)
			calls->on_gone(calls->arg, key);
		return;
	}
	if (!key || strcmp(name, TEMPORARY_LINK) == 0)
		return;
	if (!root || !(event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))) {
		calls->on_change(calls->arg, key, name);
		return;
	}
	volume_watch_remove(w, key);
	calls->on_gone(calls->arg, key);
}

/* Entries of directories that went away stay in the library until all of it is torn down. */
static void rebuild(struct volume_watch *w, const struct volume_watch_calls *calls)
{
	size_t count = 0;
	struct err e;

	for (size_t i = 0; i < w->count; i++)
		if (w->entries[i].key && w->entries[i].root)
			w->ended[count++] = w->entries[i].key;
	inotifytools_cleanup();
	w->fd = -1;
	w->count = 0;
	w->dead = 0;
	(void)start(w, &e); /* where it fails, the next watch that is asked for tells why */
	for (size_t i = 0; i < count; i++)
		calls->on_gone(calls->arg, w->ended[i]);
}

void volume_watch_take(struct volume_watch *w, const struct volume_watch_calls *calls)
{
	const struct inotify_event *event;

	while (w->fd >= 0 && (event = inotifytools_next_events(0, 1)))
		take_one(w, event, calls);
	purge(w);
	if (w->dead >= LIMIT_INOTIFY_DEAD)
		rebuild(w, calls);
}
