/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The real certhup-hand under strace, which kills with SIGKILL at each system call of an operation:
 * now the hand, now the child that does the work. A new hand then has to find one whole pair, and
 * put everything right.
 */
#include "base/clock.h"
#include "base/file.h"
#include "tests/lib/hands.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PATIENCE_MS (20 * SECOND_MS)

static struct hands h;
static const struct volume_ref ref = {"00000001-0000-4000-8000-000000000000", "tls"};
static char path[PODS_PATH];

/* One operation over a volume that holds pair `before` (0: nothing) and keeps the one before. */
struct scene {
	int before;
	int after; /* the pair that is there then */
	bool without_bundle;
	bool previous_retired;
	enum err_kind (*operation)(const struct scene *scene);
};

static void content_of(int pair, bool without_bundle, struct content *ret)
{
	pair_content(pair, ret);
	content_sort(ret);
	assert_string_equal(ret->files[0].name, "bundle");
	if (!without_bundle)
		return;
	secret_done(&ret->files[0].bytes);
	memmove(&ret->files[0], &ret->files[1], 2 * sizeof(ret->files[0]));
	ret->count = 2;
}

static enum err_kind publish(const struct scene *scene)
{
	_cleanup_content_ struct content c;
	struct hand_request r;
	int memfd;

	content_of(scene->after, scene->without_bundle, &c);
	r = hands_content_request(&ref, &c, 100 + (unsigned)scene->after, &memfd);
	return hands_call(&h, &r, memfd);
}

static enum err_kind retire_previous(const struct scene *scene _unused_)
{
	struct hand_request r = {.op = HAND_RETIRE, .volume = ref, .retire = {.previous_only = 1}};

	return hands_call(&h, &r, -1);
}

static int tracer_of(pid_t pid)
{
	char name[64];
	_cleanup_buf_ struct buf text;
	const char *line;
	struct err e;

	buf_init(&text, 16 * KIB);
	snprintf(name, sizeof(name), "/proc/%d/status", (int)pid);
	if (file_read(AT_FDCWD, name, &text, &e) < 0)
		return -1;
	line = strstr(buf_str(&text), "TracerPid:\t");
	return line ? (int)strtol(line + strlen("TracerPid:\t"), NULL, 10) : -1;
}

#define STRACE "/usr/bin/strace"

/* One system call of one process: the count-th of that name. */
struct call {
	char name[32];
	unsigned count;
};

#define CALLS_MAX 1024
#define LOG "/tmp/strace.log"

_Noreturn static void run_strace(pid_t hand, const struct call *kill_at)
{
	char inject[96] = "signal=none"; /* shows no signals, injects nothing */
	char pid[16];
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (kill_at)
		snprintf(inject, sizeof(inject), "inject=%s:signal=SIGKILL:when=%u", kill_at->name,
			 kill_at->count);
	snprintf(pid, sizeof(pid), "%d", (int)hand);
	dup2(fd, STDERR_FILENO);
	execl(STRACE, "strace", "-f", "-o", kill_at ? "/dev/null" : LOG, "-e", "trace=all", "-e",
	      inject, "-p", pid, (char *)NULL);
	_exit(127);
}

static pid_t attach_strace(pid_t hand, const struct call *kill_at)
{
	int64_t end_ms = clock_mono_ms(clock_system()) + PATIENCE_MS;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		run_strace(hand, kill_at);
	while (tracer_of(hand) != pid) {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		assert_true(clock_mono_ms(clock_system()) < end_ms);
		usleep(1000);
	}
	return pid;
}

static int set_up(void **state _unused_)
{
	if (access(STRACE, X_OK) == 0)
		return 0;
	print_error("SKIP: there is no strace\n");
	skip();
	return -1;
}

static void stage(const struct scene *scene)
{
	hands_make(&h);
	hands_volume(&h, 1, NULL);
	pods_path(&h.pods, &ref, path);
	hands_start(&h, NULL);
	if (!scene->before)
		return;
	assert_int_equal(hands_publish(&h, &ref, scene->before - 1, 1), ERR_NONE);
	assert_int_equal(hands_publish(&h, &ref, scene->before, 2), ERR_NONE);
}

static void expect_clean(const struct scene *scene)
{
	_cleanup_free_ char *text = directory_text(path);
	unsigned generations = !scene->before || scene->previous_retired ? 1 : 2;
	char bundle[PODS_PATH + 8];
	struct stat st;

	assert_int_equal(pair_seen(path), scene->after);
	assert_int_equal(pair_seen_by_links(path), scene->after);
	if (has_temporary(path) || count_generations(path) != generations)
		fail_msg("%u generations expected in\n%s", generations, text);
	snprintf(bundle, sizeof(bundle), "%s/bundle", path);
	assert_int_equal(lstat(bundle, &st), scene->without_bundle ? -1 : 0);
}

/* Kills at the call, and looks at what a new hand makes of it. */
static void kill_at(const struct scene *scene, const struct call *call)
{
	pid_t strace;
	bool done;
	int seen;

	stage(scene);
	strace = attach_strace(h.pid, call);
	done = scene->operation(scene) == ERR_NONE;
	hands_kill(&h);
	assert_int_equal(waitpid(strace, NULL, 0), strace);

	seen = pair_seen(path);
	if (seen != scene->before && seen != scene->after)
		fail_msg("killed at %s %u: a reader sees %d", call->name, call->count, seen);
	if (done)
		assert_int_equal(seen, scene->after);
	/* A new hand repairs, and the head asks again for what it wants. */
	hands_start(&h, NULL);
	(void)hands_ask(&h, HAND_VERIFY, &ref);
	seen = pair_seen(path);
	if (seen != scene->before && seen != scene->after)
		fail_msg("killed at %s %u: repaired to %d", call->name, call->count, seen);
	if (scene->operation(scene) != ERR_NONE)
		fail_msg("killed at %s %u: %s", call->name, call->count, h.reply.err.message);
	expect_clean(scene);
	assert_int_equal(hands_stop(&h), 0);
	hands_remove(&h);
}

/* Calls of this name that the process made so far. */
static unsigned nth_of(const char *log, const char *line, const char *name)
{
	size_t pid_len = strcspn(line, " ");
	size_t name_len = strlen(name);
	unsigned n = 0;

	for (const char *p = log; p <= line; p = strchr(p, '\n') + 1) {
		const char *at = p + strcspn(p, " ");

		if (strncmp(p, line, pid_len + 1) != 0)
			continue;
		at += strspn(at, " ");
		n += strncmp(at, name, name_len) == 0 && at[name_len] == '(';
	}
	return n;
}

/* The calls of an operation that nobody disturbs, as strace writes them: "PID  name(...". */
static size_t calls_of(const struct scene *scene, struct call ret[CALLS_MAX])
{
	_cleanup_buf_ struct buf log;
	size_t count = 0;
	struct err e;
	pid_t strace;

	stage(scene);
	strace = attach_strace(h.pid, NULL);
	assert_int_equal(scene->operation(scene), ERR_NONE);
	kill(strace, SIGTERM);
	assert_int_equal(waitpid(strace, NULL, 0), strace);
	assert_int_equal(hands_stop(&h), 0);
	hands_remove(&h);

	buf_init(&log, 4 * MIB);
	assert_int_equal(file_read(AT_FDCWD, LOG, &log, &e), 0);
	for (const char *line = buf_str(&log); strchr(line, '\n'); line = strchr(line, '\n') + 1) {
		const char *name = line + strcspn(line, " \n");
		size_t len;

		name += strspn(name, " ");
		len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
		/* Those that the hand waits in were begun before. */
		if (!len || name[len] != '(' || len >= sizeof(ret[0].name) ||
		    strncmp(name, "restart_syscall", len) == 0 || strncmp(name, "poll", len) == 0)
			continue;
		assert_true(count < CALLS_MAX);
		snprintf(ret[count].name, sizeof(ret[count].name), "%.*s", (int)len, name);
		ret[count].count = nth_of(buf_str(&log), line, ret[count].name);
		count++;
	}
	return count;
}

static void kill_everywhere(const struct scene *scene)
{
	static struct call calls[CALLS_MAX];
	size_t count = calls_of(scene, calls);

	assert_true(count > 50);
	for (size_t i = 0; i < count; i++)
		kill_at(scene, &calls[i]);
	print_message("killed at each of %zu system calls\n", count);
}

static void A1_real_hand_killed_anywhere_while_creating(void **state _unused_)
{
	const struct scene scene = {.after = 3, .operation = publish};

	kill_everywhere(&scene);
}

static void A1_real_hand_killed_anywhere_while_updating(void **state _unused_)
{
	const struct scene scene = {.before = 2, .after = 3, .operation = publish};

	kill_everywhere(&scene);
}

static void A1_real_hand_killed_anywhere_while_removing_a_file(void **state _unused_)
{
	const struct scene scene = {
	    .before = 2, .after = 3, .without_bundle = true, .operation = publish};

	kill_everywhere(&scene);
}

static void A1_real_hand_killed_anywhere_while_retiring(void **state _unused_)
{
	const struct scene scene = {
	    .before = 2, .after = 2, .previous_retired = true, .operation = retire_previous};

	kill_everywhere(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(A1_real_hand_killed_anywhere_while_creating, set_up),
	    cmocka_unit_test_setup(A1_real_hand_killed_anywhere_while_updating, set_up),
	    cmocka_unit_test_setup(A1_real_hand_killed_anywhere_while_removing_a_file, set_up),
	    cmocka_unit_test_setup(A1_real_hand_killed_anywhere_while_retiring, set_up),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
