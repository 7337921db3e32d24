/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile pod does to a volume of its own that somebody else writes.
 *
 *   hostile flip DIR TARGET SECONDS   swaps each name there with a link to TARGET and back, and prints how often
 *   hostile wreck DIR SECONDS         removes and overwrites each file there, over and over, and prints how often it looked
 *   hostile entries DIR COUNT         makes that many empty files
 *   hostile socket PATH               makes a socket
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ASIDE "aside"

static unsigned long done;

/* What stood in our link's way: a name was gone when it should have come back. */
static void make_room(int dir)
{
	char lost[32];

	snprintf(lost, sizeof(lost), "lost-%lu", done);
	renameat(dir, ASIDE, dir, lost);
}

static void flip(int dir, const char *name, const char *target)
{
	char text[256] = "";

	if (symlinkat(target, dir, ASIDE) < 0 &&
	    (readlinkat(dir, ASIDE, text, sizeof(text) - 1) < 0 || strcmp(text, target) != 0))
		make_room(dir);
	if (renameat2(dir, name, dir, ASIDE, RENAME_EXCHANGE) < 0)
		return;
	done++;
	renameat2(dir, name, dir, ASIDE, RENAME_EXCHANGE);
}

static void wreck(int dir, const char *name, const char *text)
{
	int fd;

	if (done % 2 == 0 && unlinkat(dir, name, 0) == 0) {
		done++;
		return;
	}
	fd = openat(dir, name, O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) >= 0)
		done++;
	close(fd);
}

/* Does it to all names of a directory, and to those of the directories in it. */
static void each(int parent, const char *path, int depth,
		 void (*act)(int dir, const char *name, const char *text), const char *text)
{
	int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!d)
		return;
	while ((entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, ASIDE) == 0)
			continue;
		if (depth > 0 && entry->d_type == DT_DIR)
			each(fd, entry->d_name, depth - 1, act, text);
		act(fd, entry->d_name, text);
	}
	closedir(d);
}

static int go_on(const char *dir, const char *seconds,
		 void (*act)(int dir, const char *name, const char *text), const char *text)
{
	time_t end = time(NULL) + strtol(seconds, NULL, 10);
	unsigned long looks = 0;

	for (; time(NULL) < end; looks++)
		each(AT_FDCWD, dir, 1, act, text);
	printf("%lu\n", act == flip ? done : looks);
	return 0;
}

static int make_entries(const char *dir, const char *count)
{
	char name[64];

	if (chdir(dir) < 0)
		err(1, "%s", dir);
	for (long i = 0; i < strtol(count, NULL, 10); i++) {
		int fd;

		snprintf(name, sizeof(name), "entry-%ld", i);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			err(1, "%s", name);
		close(fd);
	}
	return 0;
}

static int make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", path);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "flip") == 0)
		return go_on(argv[2], argv[4], flip, argv[3]);
	if (argc == 4 && strcmp(argv[1], "wreck") == 0)
		return go_on(argv[2], argv[3], wreck, "wrecked");
	if (argc == 4 && strcmp(argv[1], "entries") == 0)
		return make_entries(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "socket") == 0)
		return make_socket(argv[2]);
	errx(2, "see the top of hostile.c");
}
