/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/standin.h"

#include "tests/lib/standin_call.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define WORDS_MAX 16

/* build/<BUILD>/apiserver: the test runs somewhere below the same folder. */
static void find_program(char *ret, size_t size)
{
	char path[PATH_MAX];
	struct stat st;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(len > 0);
	path[len] = '\0';
	for (char *slash; (slash = strrchr(path, '/')); *slash = '\0') {
		snprintf(ret, size, "%.*s/apiserver", (int)(slash - path), path);
		if (stat(ret, &st) == 0 && S_ISREG(st.st_mode))
			return;
	}
	fail_msg("the program apiserver is not built");
}

static void wait_ready(struct standin *s, int from)
{
	char line[128] = "";
	size_t n = 0;
	while (n < sizeof(line) - 1) {
		ssize_t got = read(from, line + n, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
	if (strncmp(line, "READY ", 6) != 0)
		fail_msg("the stand-in server did not start");
	assert_int_equal(text_copy(s->url, sizeof(s->url), line + 6), 0);
	uint64_t port = 0;
	assert_int_equal(text_parse_u64(strrchr(line, ':') + 1, 1, UINT16_MAX, &port), 0);
	s->port = (uint16_t)port;
}

static void connect_admin(struct standin *s)
{
	struct err e;
	char path[128];
	snprintf(path, sizeof(path), "%s/admin.sock", s->dir);
	s->admin = standin_connect(path, &e);
	if (s->admin < 0)
		fail_msg("%s", e.message);
}

static void read_token(struct standin *s)
{
	struct err e;
	char path[128];
	_cleanup_buf_ struct buf token;
	buf_init(&token, sizeof(s->token) - 1);
	snprintf(path, sizeof(path), "%s/token", s->dir);
	if (file_read(AT_FDCWD, path, &token, &e) < 0)
		fail_msg("%s", e.message);
	memcpy(s->token, token.data, token.len + 1);
}

/* The child: becomes the server. */
static void run_program(const struct standin *s, const char *program, const char *const *options)
{
	char address[32];
	char *words[WORDS_MAX] = {NULL};
	snprintf(address, sizeof(address), "127.0.0.1:%u", s->port);
	const char *const fixed[] = {program,         "--dir",    s->dir,
				     "--with-parent", "--listen", address};
	size_t n = 0;
	for (; n < ARRAY_LEN(fixed); n++)
		words[n] = strdup(fixed[n]);
	for (; options && *options && n < WORDS_MAX - 1; options++)
		words[n++] = strdup(*options);
	execv(program, words);
	_exit(127);
}

static void spawn(struct standin *s, const char *const *options)
{
	char program[PATH_MAX];
	int pipe_fds[2];
	/* Before the fork: a child that failed a test would go on with the next one. */
	find_program(program, sizeof(program));
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (!s->pid) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		run_program(s, program, options);
	}
	close(pipe_fds[1]);
	wait_ready(s, pipe_fds[0]);
	close(pipe_fds[0]);
	connect_admin(s);
}

void standin_start(struct standin *s, const char *const *options)
{
	*s = (struct standin){.admin = -1};
	snprintf(s->dir, sizeof(s->dir), "/tmp/standin.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->kubeconfig, sizeof(s->kubeconfig), "%s/kubeconfig", s->dir);
	spawn(s, options);
	read_token(s);
}

/* Returns how it ended, as waitpid says. */
static int end_process(struct standin *s, int signal)
{
	int status = 0;
	closep(&s->admin);
	if (s->pid <= 0)
		return 0;
	kill(s->pid, signal);
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	return status;
}

void standin_kill(struct standin *s, int signal)
{
	end_process(s, signal);
}

void standin_again(struct standin *s)
{
	standin_kill(s, SIGKILL);
	spawn(s, NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	(void)type;
	(void)place;
	return remove(path);
}

void standin_stop(struct standin *s)
{
	if (!*s->dir)
		return;
	int status = end_process(s, SIGTERM);
	nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	*s->dir = '\0';
	if (status)
		fail_msg("the stand-in server ended with status %#x", (unsigned)status);
}

/* NULL when the server says error; its words are in ret_error then. */
static char *call(struct standin *s, const char *command, char *ret_error, size_t size)
{
	struct err e;
	struct standin_answer answer;
	if (standin_call(s->admin, command, &answer, &e) < 0)
		fail_msg("%s", e.message);
	if (answer.ok)
		return answer.text;
	snprintf(ret_error, size, "%s", answer.text);
	free(answer.text);
	return NULL;
}

static char *call_or_fail(struct standin *s, const char *command)
{
	char error[ERR_MESSAGE_SIZE];
	char *text = call(s, command, error, sizeof(error));
	if (!text)
		fail_msg("%.200s: %s", command, error);
	return text;
}

static char *vdo(struct standin *s, const char *fmt, va_list ap) _printf_(2, 0);
static char *vdo(struct standin *s, const char *fmt, va_list ap)
{
	_cleanup_free_ char *command = NULL;
	if (vasprintf(&command, fmt, ap) < 0)
		fail_msg("no memory for a command");
	return call_or_fail(s, command);
}

char *standin_do(struct standin *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = vdo(s, fmt, ap);
	va_end(ap);
	return text;
}

void standin_tell(struct standin *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	free(vdo(s, fmt, ap));
	va_end(ap);
}

void standin_put(struct standin *s, const char *object)
{
	standin_tell(s, "{\"do\":\"put\",\"object\":%s}", object);
}

static void add_pem(struct buf *b, const char *key, const char *pem)
{
	struct err e;
	if (!pem)
		return;
	if (buf_printf(b, &e, "%s\"%s\":", b->data[b->len - 1] == '{' ? "" : ",", key) < 0 ||
	    text_json_string(b, pem, strlen(pem), &e) < 0)
		fail_msg("%s", e.message);
}

void standin_put_tls(struct standin *s, const char *ns, const char *name, const char *crt,
		     const char *key, const char *ca)
{
	struct err e;
	_cleanup_buf_ struct buf b;
	buf_init(&b, LIMIT_EVENT);
	if (buf_printf(&b, &e,
		       "{\"kind\":\"Secret\",\"type\":\"kubernetes.io/tls\",\"metadata\":"
		       "{\"namespace\":\"%s\",\"name\":\"%s\"},\"stringData\":{",
		       ns, name) < 0)
		fail_msg("%s", e.message);
	add_pem(&b, "tls.crt", crt);
	add_pem(&b, "tls.key", key);
	add_pem(&b, "ca.crt", ca);
	if (buf_add_str(&b, "}}", &e) < 0)
		fail_msg("%s", e.message);
	standin_put(s, b.data);
}

void standin_patch(struct standin *s, const char *resource, const char *ns, const char *name,
		   const char *patch)
{
	standin_tell(s,
		     "{\"do\":\"patch\",\"resource\":\"%s\",\"namespace\":\"%s\",\"name\":\"%s\","
		     "\"patch\":%s}",
		     resource, ns, name, patch);
}

void standin_delete(struct standin *s, const char *resource, const char *ns, const char *name)
{
	standin_tell(s,
		     "{\"do\":\"delete\",\"resource\":\"%s\",\"namespace\":\"%s\","
		     "\"name\":\"%s\"}",
		     resource, ns, name);
}

char *standin_get(struct standin *s, const char *resource, const char *ns, const char *name)
{
	char error[ERR_MESSAGE_SIZE];
	_cleanup_free_ char *command = NULL;
	if (asprintf(&command,
		     "{\"do\":\"get\",\"resource\":\"%s\",\"namespace\":\"%s\",\"name\":\"%s\"}",
		     resource, ns, name) < 0)
		fail_msg("no memory for a command");
	return call(s, command, error, sizeof(error));
}

/* "verb" and "path" as members, where they are given. */
static char *filter_members(const char *verb, const char *path)
{
	char *members = NULL;
	if (asprintf(&members, "%s%s%s%s%s%s", verb ? ",\"verb\":\"" : "", verb ? verb : "",
		     verb ? "\"" : "", path ? ",\"path\":\"" : "", path ? path : "",
		     path ? "\"" : "") < 0)
		fail_msg("no memory for a command");
	return members;
}

size_t standin_count(struct standin *s, const char *verb, const char *path)
{
	uint64_t count = 0;
	_cleanup_free_ char *members = filter_members(verb, path);
	_cleanup_free_ char *text = standin_do(s, "{\"do\":\"count\"%s}", members);
	assert_int_equal(text_parse_u64(text, 0, SIZE_MAX, &count), 0);
	return count;
}

bool standin_await(struct standin *s, const char *verb, const char *path, size_t count,
		   int timeout_ms)
{
	char error[ERR_MESSAGE_SIZE];
	_cleanup_free_ char *members = filter_members(verb, path);
	_cleanup_free_ char *command = NULL;
	if (asprintf(&command, "{\"do\":\"await\",\"count\":%zu,\"timeout_ms\":%d%s}", count,
		     timeout_ms, members) < 0)
		fail_msg("no memory for a command");
	_cleanup_free_ char *text = call(s, command, error, sizeof(error));
	return text != NULL;
}

char *standin_log(struct standin *s)
{
	return standin_do(s, "{\"do\":\"log\"}");
}

void standin_token(struct standin *s, const char *token, const char *user)
{
	standin_tell(s, "{\"do\":\"token\",\"token\":\"%s\",\"user\":\"%s\"}", token, user);
}

void standin_allow(struct standin *s, const char *rule)
{
	standin_tell(s, "{\"do\":\"allow\",\"rule\":%s}", rule);
}
