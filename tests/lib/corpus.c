/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/corpus.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define INPUT_MAX (2 << 20)

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "corpus: %s\n", what);
	abort();
}

/* The folder lies in the tree that the program was built in. */
static DIR *open_corpus(const char *name)
{
	char path[PATH_MAX];
	char folder[PATH_MAX + 128];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[len > 0 ? len : 0] = '\0';
	for (char *slash; (slash = strrchr(path, '/')) != NULL; *slash = '\0') {
		DIR *d;

		snprintf(folder, sizeof(folder), "%.*s/tests/fuzz/corpus/%s", (int)(slash - path),
			 path, name);
		d = opendir(folder);
		if (d)
			return d;
	}
	die("there is no such corpus");
}

static void replay(FILE *f, int (*target)(const uint8_t *data, size_t len))
{
	static uint8_t bytes[INPUT_MAX];
	size_t len = fread(bytes, 1, sizeof(bytes), f);
	/* Of its own size, so that a sanitizer sees what lies behind. */
	_cleanup_free_ uint8_t *input = malloc(len ? len : 1);

	if (!input)
		die("out of memory");
	memcpy(input, bytes, len);
	target(input, len);
}

size_t corpus_replay(const char *name, int (*target)(const uint8_t *data, size_t len))
{
	DIR *d = open_corpus(name);
	const struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(d)) != NULL) {
		_cleanup_fclose_ FILE *f = NULL;
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);
		f = fd >= 0 ? fdopen(fd, "r") : NULL;
		if (!f)
			die(entry->d_name);
		replay(f, target);
		count++;
	}
	closedir(d);
	if (count == 0)
		die("the corpus is empty");
	return count;
}
