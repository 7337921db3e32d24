/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/pods.h"

#include "base/clock.h"
#include "volume/fingerprint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

void pods_namespace(void)
{
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

void pods_make(struct pods *p)
{
	snprintf(p->root, sizeof(p->root), "/tmp/pods-XXXXXX");
	assert_non_null(mkdtemp(p->root));
	assert_int_equal(mount("tmpfs", p->root, "tmpfs", 0, "mode=0750"), 0);
	p->fd = open(p->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->fd >= 0);
	p->tree = (struct volume_tree){.pods_fd = p->fd};
}

void pods_remove(struct pods *p)
{
	close(p->fd);
	assert_int_equal(umount2(p->root, MNT_DETACH), 0);
	assert_int_equal(rmdir(p->root), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	return where->level ? remove(path) : 0;
}

bool try_empty_directory(const char *path)
{
	return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0;
}

void empty_directory(const char *path)
{
	assert_true(try_empty_directory(path));
}

static void make_directories(const char *path)
{
	char part[PODS_PATH];

	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, 0755) < 0)
			assert_int_equal(errno, EEXIST);
	}
}

void pods_path(const struct pods *p, const struct volume_ref *ref, char ret_path[static PODS_PATH])
{
	snprintf(ret_path, PODS_PATH, "%s/%s/volumes/kubernetes.io~empty-dir/%s", p->root,
		 ref->pod_uid, ref->name);
}

void pods_add(const struct pods *p, const struct volume_ref *ref, const char *options)
{
	char path[PODS_PATH];
	int fd;

	pods_path(p, ref, path);
	make_directories(path);
	if (options)
		assert_int_equal(mount("tmpfs", path, "tmpfs", 0, options), 0);
	assert_int_equal(chmod(path, 0777), 0);
	snprintf(path, sizeof(path), "%s/%s/plugins/kubernetes.io~empty-dir/%s", p->root,
		 ref->pod_uid, ref->name);
	make_directories(path);
	strncat(path, "/ready", sizeof(path) - strlen(path) - 1);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

void subject_make(struct subject *s, const char *options)
{
	*s = (struct subject){
	    .ref = {"0a1b2c3d-0000-4000-8000-000000000001", "tls"},
	    .owner = {.uid = 0, .gid = 0, .mode = 0444},
	};
	pods_make(&s->pods);
	pods_add(&s->pods, &s->ref, options);
	pods_path(&s->pods, &s->ref, s->path);
	assert_int_equal(volume_open(&s->pods.tree, &s->ref, &s->v, &s->err), 0);
}

void subject_remove(struct subject *s)
{
	volume_close(&s->v);
	pods_remove(&s->pods);
}

void subject_make_flat(struct subject *s, const char *path)
{
	*s = (struct subject){.owner = {.uid = 0, .gid = 0, .mode = 0444}};
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->pods.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->pods.fd >= 0);
	s->pods.tree = (struct volume_tree){.pods_fd = s->pods.fd, .flat = true, .any_fs = true};
	assert_int_equal(volume_open(&s->pods.tree, &s->ref, &s->v, &s->err), 0);
}

const char *subject_at(const struct subject *s, const char *name)
{
	static char path[8][PODS_PATH + 256];
	static unsigned turn;
	char *p = path[turn++ % ARRAY_LEN(path)];

	snprintf(p, sizeof(path[0]), "%s/%s", s->path, name);
	return p;
}

void subject_put(const struct subject *s, const char *name, const char *bytes)
{
	int fd = open(subject_at(s, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	close(fd);
}

void pair_content(int n, struct content *ret)
{
	struct err e;
	char text[64];

	*ret = (struct content){0};
	snprintf(text, sizeof(text), "certificate %d\n", n);
	assert_int_equal(content_add(ret, "tls.crt", text, strlen(text), &e), 0);
	snprintf(text, sizeof(text), "key %d\n", n);
	assert_int_equal(content_add(ret, "tls.key", text, strlen(text), &e), 0);
	snprintf(text, sizeof(text), "key %d\ncertificate %d\n", n, n);
	assert_int_equal(content_add(ret, "bundle", text, strlen(text), &e), 0);
}

void new_generation(char ret_name[static GENERATION_NAME])
{
	writer_generation(clock_wall_ms(clock_system()), ret_name);
}

int subject_publish_content(struct subject *s, struct content *content)
{
	char generation[GENERATION_NAME];
	struct volume_plan plan = {
	    .owner = s->owner,
	    .generation = generation,
	    .keep = s->generation,
	    .previous = s->previous,
	};
	int r;

	new_generation(generation);
	r = writer_publish(&s->v, content, &plan, &s->written, &s->err);
	if (s->written.retired_early)
		s->previous[0] = '\0';
	if (s->written.changed) {
		memcpy(s->previous, s->generation, GENERATION_NAME);
		memcpy(s->generation, s->written.generation, GENERATION_NAME);
	}
	return r;
}

int subject_publish(struct subject *s, int n)
{
	_cleanup_content_ struct content c;

	pair_content(n, &c);
	return subject_publish_content(s, &c);
}

void subject_published(struct subject *s, int n)
{
	if (subject_publish(s, n) < 0)
		fail_msg("publish of %d: %s", n, s->err.message);
	assert_int_equal(pair_seen(s->path), n);
	assert_int_equal(pair_seen_by_links(s->path), n);
	assert_false(has_temporary(s->path));
}

int subject_verify(struct subject *s, struct content *content, bool *ret_intact)
{
	struct volume_plan plan = {
	    .owner = s->owner,
	    .generation = s->generation,
	    .keep = s->previous,
	    .previous = "",
	};
	struct fingerprint f;

	volume_fingerprint(content, &f);
	return writer_verify(&s->v, &plan, &f, ret_intact, &s->written, &s->err);
}

/* The number behind the word, which must be the whole file. */
static int number_in(int dirfd, const char *name, const char *word)
{
	char text[128] = "";
	char again[128];
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	const char *digits;
	ssize_t n;
	int number;

	if (fd < 0)
		return errno == ENOENT ? -2 : -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0 || !(digits = strpbrk(text, "0123456789")))
		return -1;
	number = (int)strtol(digits, NULL, 10);
	snprintf(again, sizeof(again), "%s %d\n", word, number);
	return strcmp(text, again) == 0 ? number : -1;
}

static int pair_at(int dirfd)
{
	int certificate = number_in(dirfd, "tls.crt", "certificate");
	int key = number_in(dirfd, "tls.key", "key");

	if (certificate == -2 || key == -2)
		return -2;
	return certificate == key ? certificate : -1;
}

int pair_seen(const char *path)
{
	char data[PODS_PATH + 8];
	int dirfd, n;

	snprintf(data, sizeof(data), "%s/..data", path);
	dirfd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return errno == ENOENT ? 0 : -1;
	n = pair_at(dirfd);
	close(dirfd);
	return n;
}

int pair_seen_by_links(const char *path)
{
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n;

	assert_true(dirfd >= 0);
	n = pair_at(dirfd);
	close(dirfd);
	return n;
}

void subject_expect_names(const struct subject *s, const char *expected)
{
	char found[1024] = "";
	_cleanup_free_ char *text = directory_text(s->path);
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n")))
		if (line[0] != '.' && line[0] != '\0') {
			*strchr(line, ' ') = '\0';
			strncat(found, line, sizeof(found) - strlen(found) - 2);
			strncat(found, " ", 2);
		}
	assert_string_equal(found, expected);
}

void subject_times(const struct subject *s, struct timespec ret[SUBJECT_TIMES])
{
	static const char *const names[SUBJECT_TIMES] = {"", "..data/", "tls.crt", "tls.key",
							 "bundle"};

	for (size_t i = 0; i < SUBJECT_TIMES; i++) {
		struct stat st;

		assert_int_equal(stat(subject_at(s, names[i]), &st), 0);
		ret[i] = st.st_ctim;
	}
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

unsigned count_generations(const char *path)
{
	struct dirent **list;
	unsigned found = 0;
	int n = scandir(path, &list, not_dots, alphasort);

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		found += volume_generation_ok(list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return found;
}

bool has_temporary(const char *path)
{
	char name[PODS_PATH + 16];
	struct stat st;

	snprintf(name, sizeof(name), "%s/..data_tmp", path);
	return lstat(name, &st) == 0;
}

char *directory_text(const char *path)
{
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int n = scandir(path, &list, not_dots, alphasort);

	assert_non_null(out);
	assert_true(dirfd >= 0 && n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		char target[PODS_PATH] = "";
		struct stat st;

		assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
		if (S_ISLNK(st.st_mode))
			(void)!readlinkat(dirfd, name, target, sizeof(target) - 1);
		fprintf(out, "%s %o %u:%u%s%s\n", name, st.st_mode, st.st_uid, st.st_gid,
			target[0] ? " -> " : "", target);
		free(list[i]);
	}
	free(list);
	fclose(out);
	close(dirfd);
	return text;
}
