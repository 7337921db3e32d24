/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/program.h"

#include "base/clock.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define RUN_MS 20000

static int64_t now_ms(void)
{
	return clock_mono_ms(clock_system());
}

static void nap(void)
{
	const struct timespec t = {.tv_nsec = 5000000};

	nanosleep(&t, NULL);
}

void program_path(const char *name, char *ret_path, size_t size)
{
	char self[PATH_MAX];
	const char *build = getenv("CERTHUP_BUILD_DIR");
	ssize_t n;
	char *tests;

	if (strchr(name, '/')) {
		snprintf(ret_path, size, "%s", name);
		return;
	}
	if (!build) {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		assert_true(n > 0);
		self[n] = '\0';
		tests = strstr(self, "/tests/");
		assert_non_null(tests);
		*tests = '\0';
		build = self;
	}
	assert_true((size_t)snprintf(ret_path, size, "%s/%s", build, name) < size);
}

static bool become(const struct program_options *o)
{
	if (o->uid == 0)
		return true;
	return setgroups(o->group ? 1 : 0, &o->group) == 0 &&
	       setresgid(o->uid, o->uid, o->uid) == 0 && setresuid(o->uid, o->uid, o->uid) == 0;
}

static void child(const struct program *p, const struct program_options *o, const char *path,
		  const char *const *words)
{
	static const char *const none[] = {NULL};
	/* execve takes what it does not change as if it could. */
	const union {
		const char *const *in;
		char *const *out;
	} argv = {.in = words}, env = {.in = o->env ? o->env : none};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(p->out, STDOUT_FILENO) < 0 || dup2(p->err, STDERR_FILENO) < 0 ||
	    (o->before && !o->before()) || !become(o))
		_exit(125);
	if (argv.out && env.out)
		execve(path, argv.out, env.out);
	_exit(126);
}

void program_start(struct program *p, const struct program_options *options,
		   const char *const *words)
{
	static const struct program_options as_we_are;
	char path[PATH_MAX];

	program_path(words[0], path, sizeof(path));
	*p = (struct program){.out = memfd_create("out", MFD_CLOEXEC),
			      .err = memfd_create("err", MFD_CLOEXEC)};
	assert_true(p->out >= 0 && p->err >= 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0)
		child(p, options ? options : &as_we_are, path, words);
}

/* Its end, if it has come: then pid is 0. */
static bool has_ended(struct program *p, int *ret_code)
{
	int status;
	pid_t r = waitpid(p->pid, &status, WNOHANG);

	assert_true(r >= 0);
	if (r == 0)
		return false;
	p->pid = 0;
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	return true;
}

int program_wait(struct program *p, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	int code = 0;

	while (!has_ended(p, &code)) {
		if (now_ms() > end) {
			fprintf(stderr, "still running: %s\n", program_err(p));
			kill(p->pid, SIGKILL);
			fail_msg("a program did not end within %d ms", timeout_ms);
		}
		nap();
	}
	return code;
}

int program_run(struct program *p, const struct program_options *options, const char *const *words)
{
	program_start(p, options, words);
	return program_wait(p, RUN_MS);
}

void program_signal(const struct program *p, int signal)
{
	assert_true(p->pid > 0);
	assert_int_equal(kill(p->pid, signal), 0);
}

static const char *text_of(struct program *p, int fd)
{
	struct stat st;
	ssize_t n;

	assert_int_equal(fstat(fd, &st), 0);
	free(p->text);
	p->text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(p->text);
	n = pread(fd, p->text, (size_t)st.st_size, 0);
	assert_true(n >= 0);
	return p->text;
}

const char *program_out(struct program *p)
{
	return text_of(p, p->out);
}

const char *program_err(struct program *p)
{
	return text_of(p, p->err);
}

bool program_says(struct program *p, const char *text, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	bool ended = false;

	for (;;) {
		siginfo_t info = {0};

		if (strstr(program_err(p), text))
			return true;
		if (ended || now_ms() > end)
			return false;
		ended = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
			info.si_pid == p->pid;
		nap();
	}
}

void program_done(struct program *p)
{
	int status;

	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	p->pid = 0;
	closep(&p->out);
	closep(&p->err);
	free(p->text);
	p->text = NULL;
}
