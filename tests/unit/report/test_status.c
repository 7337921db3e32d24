/* SPDX-License-Identifier: Apache-2.0 */
#include "report/status.h"

#include "base/limits.h"
#include "tests/lib/ask.h"
#include "tests/lib/turner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SOCKET "/tmp/certhup-test-status.sock"

struct scene {
	struct turner turner;
	struct loop *loop;
	struct status_server *server;
	atomic_bool fails;
};

static int write_status(void *arg, struct buf *body, struct err *e)
{
	struct scene *s = arg;

	if (buf_add_str(body, "{\"bindings\":[]}", e) < 0)
		return -1;
	return s->fails ? err_set(e, ERR_INTERNAL, "it does not know") : 0;
}

static void scene_open(struct scene *s)
{
	struct err e = {0};

	memset(s, 0, sizeof(*s));
	unlink(SOCKET);
	assert_int_equal(loop_new(clock_system(), &s->loop, &e), 0);
	if (status_server_new(s->loop, SOCKET, write_status, s, &s->server, &e) < 0)
		fail_msg("%s", e.message);
	turner_start(&s->turner, s->loop);
}

static void scene_close(struct scene *s)
{
	turner_stop(&s->turner);
	status_server_free(s->server);
	loop_free(s->loop);
}

static int ask(const char *path, struct buf *answer)
{
	_cleanup_close_ int fd = ask_connect(0, SOCKET);
	char request[128];
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);

	if (fd < 0 || send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		return -1;
	return ask_read(fd, answer);
}

static void the_document_is_answered_on_its_path(void **state _unused_)
{
	_cleanup_buf_ struct buf a;
	struct scene s;

	buf_init(&a, MIB);
	scene_open(&s);
	assert_int_equal(ask("/status", &a), 200);
	assert_string_equal(ask_body(&a), "{\"bindings\":[]}");
	assert_non_null(strstr(buf_str(&a), "Content-Type: application/json\r\n"));
	assert_int_equal(ask("/", NULL), 404);
	scene_close(&s);
}

static void half_a_document_is_never_sent(void **state _unused_)
{
	_cleanup_buf_ struct buf a;
	struct scene s;

	buf_init(&a, MIB);
	scene_open(&s);
	s.fails = true;
	assert_int_equal(ask("/status", &a), 500);
	assert_string_equal(ask_body(&a), "it does not know\n");
	scene_close(&s);
}

static void only_root_and_our_own_user_are_answered(void **state _unused_)
{
	struct scene s;
	struct stat st;
	int status;
	pid_t pid;

	scene_open(&s);
	assert_int_equal(stat(SOCKET, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	if (geteuid() != 0) {
		scene_close(&s);
		fprintf(stderr, "SKIP: needs root to be another user\n");
		skip();
	}
	chmod(SOCKET, 0666); /* so that only SO_PEERCRED stands in the way */
	pid = fork();
	if (pid == 0) {
		_cleanup_buf_ struct buf a;

		buf_init(&a, MIB);
		_exit(setuid(65534) == 0 && ask("/status", &a) == 403 &&
			      !strstr(buf_str(&a), "bindings")
			  ? 0
			  : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	scene_close(&s);
}

static void a_path_that_cannot_be_is_said(void **state _unused_)
{
	char path[KIB] = "/tmp/";
	struct status_server *server;
	struct loop *loop;
	struct err e = {0};

	memset(path + 5, 'a', sizeof(path) - 6);
	assert_int_equal(loop_new(clock_system(), &loop, &e), 0);
	assert_int_equal(status_server_new(loop, path, write_status, NULL, &server, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(
	    status_server_new(loop, "/nonexistent/x.sock", write_status, NULL, &server, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_document_is_answered_on_its_path),
	    cmocka_unit_test(half_a_document_is_never_sent),
	    cmocka_unit_test(only_root_and_our_own_user_are_answered),
	    cmocka_unit_test(a_path_that_cannot_be_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
