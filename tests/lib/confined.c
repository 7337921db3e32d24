/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/confined.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SAID_MAX 1024

static char *said;

int confined_init(void)
{
	said = mmap(NULL, SAID_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return said == MAP_FAILED ? -1 : 0;
}

void say(const char *text)
{
	snprintf(said, SAID_MAX, "%s (%s)", text, strerror(errno));
	_exit(1);
}

void check(bool good, int line, const char *what)
{
	char text[256];

	if (good)
		return;
	snprintf(text, sizeof(text), "line %d: %s", line, what);
	say(text);
}

void check_refused(long result, int line, const char *what)
{
	check(result == -1 && (errno == EPERM || errno == EACCES || errno == ENOSYS), line, what);
}

void in_child(void (*work)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	said[0] = '\0';
	pid = fork();
	if (pid == 0) {
		work(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("status %#x: %s", (unsigned)status, said);
}

void read_status(const char *field, char *ret, size_t size)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	CHECK(f);
	ret[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0)
			snprintf(ret, size, "%s", line + strlen(field));
	fclose(f);
}

uint64_t effective_caps(void)
{
	char text[64];

	read_status("CapEff:\t", text, sizeof(text));
	return strtoull(text, NULL, 16);
}

bool has_landlock(void)
{
	return syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) >= 1;
}
