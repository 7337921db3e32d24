/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a process at the moment at which somebody begins to write into a directory.
 *
 *     kill-on-write PID DIR     ends when it has killed; 1 when nothing was written within 10 s
 */

#include "base/defs.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>

int main(int argc, char **argv)
{
	struct pollfd p = {.events = POLLIN};

	if (argc != 3) {
		fputs("usage: kill-on-write PID DIR\n", stderr);
		return 2;
	}
	p.fd = inotify_init1(IN_CLOEXEC);
	if (p.fd < 0 || inotify_add_watch(p.fd, argv[2], IN_CREATE) < 0) {
		perror("kill-on-write");
		return 2;
	}
	puts("READY");
	fflush(stdout);
	if (poll(&p, 1, 10000) != 1)
		return 1;
	return kill((pid_t)strtol(argv[1], NULL, 10), SIGKILL) == 0 ? 0 : 1;
}
