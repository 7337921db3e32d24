/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of each pod: holds its namespaces, reaps where the pod shares its processes, ends on SIGTERM. */

#include <signal.h>
#include <unistd.h>

static void end(int number)
{
	(void)number;
	_exit(0);
}

int main(void)
{
	struct sigaction stop = {.sa_handler = end};
	struct sigaction reap = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

	if (sigaction(SIGTERM, &stop, NULL) != 0 || sigaction(SIGINT, &stop, NULL) != 0 ||
	    sigaction(SIGCHLD, &reap, NULL) != 0)
		return 1;
	for (;;)
		pause();
}
