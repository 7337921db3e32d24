/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/program.h"

#include "k8s/json.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The status socket is answered by a child of ours. */
static char dir[64];

static int setup(void **state _unused_)
{
	snprintf(dir, sizeof(dir), "/tmp/test_status.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	return program_run(&p, NULL, WORDS("/bin/rm", "-rf", dir));
}

static void run(struct program *p, int code, const char *const *words)
{
	int seen = program_run(p, NULL, words);

	if (seen != code)
		fprintf(stderr, "%s%s", program_err(p), program_out(p));
	assert_int_equal(seen, code);
}

static const char document[] =
    "{\"node\": \"n1\", \"ready\": true, \"bindings\": ["
    "{\"namespace\": \"shop\", \"pod\": \"web-0\", \"volume\": \"tls\", \"secret\": \"web-tls\","
    " \"state\": \"adopted\", \"notAfter\": \"2026-01-02T03:04:05Z\", \"lastError\": \"\"},"
    "{\"namespace\": \"evil\", \"pod\": \"x\\u001b[2J\", \"volume\": \"tls\", \"secret\": \"s\","
    " \"state\": \"stale\", \"lastError\": \"another leaf is served\\n\"}]}";

struct server {
	char path[100];
	pid_t pid;
};

static void answer(int fd, const char *text)
{
	char request[1024];
	ssize_t n = recv(fd, request, sizeof(request), 0);

	if (n > 0 && memcmp(request, "GET /status HTTP/1.0\r\n", 22) == 0)
		(void)!write(fd, text, strlen(text));
	close(fd);
}

static void server_start(struct server *s, const char *text)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(s->path, sizeof(s->path), "%s/status.sock", dir);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->path);
	unlink(s->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			answer(accept4(fd, NULL, NULL, SOCK_CLOEXEC), text);
	}
	close(fd);
}

static void server_stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

static void status_is_a_table_of_the_bindings(void **state _unused_)
{
	_cleanup_(server_stop) struct server s;
	_cleanup_program_ struct program all = {0};
	_cleanup_program_ struct program one = {0};
	_cleanup_program_ struct program none = {0};
	char text[2048];

	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", document);
	server_start(&s, text);
	run(&all, 3, WORDS("certhup", "status", "--status-socket", s.path));
	assert_string_equal(
	    program_out(&all),
	    "NAMESPACE   POD        VOLUME   SECRET    STATE     NOT-AFTER\n"
	    "evil        x\\x1b[2J   tls      s         stale     <none>\n"
	    "shop        web-0      tls      web-tls   adopted   2026-01-02T03:04:05Z\n");
	run(&one, 0, WORDS("certhup", "status", "--status-socket", s.path, "-n", "shop"));
	assert_null(strstr(program_out(&one), "evil"));
	run(&none, 0, WORDS("certhup", "status", "--status-socket", s.path, "-n", "other"));
	assert_string_equal(program_out(&none), "No volumes found.\n");
}

static void G7_status_lets_no_control_character_through(void **state _unused_)
{
	static const char *const formats[] = {"table", "wide", "json"};
	_cleanup_(server_stop) struct server s;
	char text[2048];

	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", document);
	server_start(&s, text);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		_cleanup_program_ struct program p = {0};

		run(&p, 3, WORDS("certhup", "status", "-o", formats[i], "--status-socket", s.path));
		assert_null(strchr(program_out(&p), '\033'));
		assert_null(strstr(program_out(&p), "served\n"));
	}
}

static void inspect_shows_one_pod_of_the_status(void **state _unused_)
{
	_cleanup_(server_stop) struct server s;
	_cleanup_program_ struct program p = {0};
	_cleanup_program_ struct program other = {0};
	_cleanup_json_ struct json *j = NULL;
	struct err e;
	char text[2048];

	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", document);
	server_start(&s, text);
	run(&p, 0, WORDS("certhup", "inspect", "shop/web-0", "-o=json", "--status-socket", s.path));
	assert_int_equal(json_parse(program_out(&p), strlen(program_out(&p)), &j, &e), 0);
	assert_int_equal(json_length(json_at(j, "bindings", NULL)), 1);
	assert_string_equal(json_text(json_item(json_at(j, "bindings", NULL), 0), "pod", NULL),
			    "web-0");
	run(&other, 1, WORDS("certhup", "inspect", "shop/web-1", "--status-socket", s.path));
	assert_non_null(strstr(program_err(&other), "no pod with volumes on this node"));
}

static void status_says_who_does_not_answer(void **state _unused_)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
	    {"", "only root and the uid of certhup node are answered"},
	    {"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 404 Not Found"},
	    {"HTTP/1.1 200 OK\r\n\r\n{\"node\": ", "status.sock: "},
	    {"HTTP/1.1 200 OK\r\n\r\n{}", "the answer has no bindings"},
	};
	_cleanup_program_ struct program absent = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(server_stop) struct server s;
		_cleanup_program_ struct program p = {0};

		server_start(&s, rows[i].text);
		run(&p, 1, WORDS("certhup", "status", "--status-socket", s.path));
		assert_non_null(strstr(program_err(&p), rows[i].message));
	}
	run(&absent, 1, WORDS("certhup", "status", "--status-socket", "/nonexistent/sock"));
	assert_non_null(strstr(program_err(&absent), "is certhup node running on this machine?"));
}

static void status_that_may_not_ask_says_who_may(void **state _unused_)
{
	static const struct program_options nobody = {.uid = 1234};
	_cleanup_(server_stop) struct server s;
	_cleanup_program_ struct program p = {0};

	server_start(&s, document);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(s.path, 0600), 0);
	assert_int_equal(
	    program_run(&p, &nobody, WORDS("certhup", "status", "--status-socket", s.path)), 1);
	assert_non_null(strstr(program_err(&p),
			       ": Permission denied; only root and the uid of certhup node are "
			       "answered: ask as root, as by sudo certhup status\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_is_a_table_of_the_bindings),
	    cmocka_unit_test(G7_status_lets_no_control_character_through),
	    cmocka_unit_test(inspect_shows_one_pod_of_the_status),
	    cmocka_unit_test(status_says_who_does_not_answer),
	    cmocka_unit_test(status_that_may_not_ask_says_who_may),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
