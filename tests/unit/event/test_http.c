/* SPDX-License-Identifier: Apache-2.0 */
#include "event/http.h"

#include "base/limits.h"
#include "tests/lib/ask.h"
#include "tests/lib/turner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BIG (3 * MIB)

struct scene {
	struct turner turner;
	struct loop *loop;
	struct http_server *server;
	uint16_t port;
	atomic_int asked;
};

static int answer(void *arg, const char *path, struct buf *body, const char **ret_content_type)
{
	static char big[BIG];
	struct scene *s = arg;
	struct err e;
	int r;

	s->asked++;
	*ret_content_type = "text/x-test";
	if (strcmp(path, "/big") == 0) {
		memset(big, 'b', sizeof(big));
		r = buf_add(body, big, sizeof(big), &e);
	} else {
		r = buf_printf(body, &e, "path %s\n", path);
	}
	assert_int_equal(r, 0);
	return strcmp(path, "/none") == 0 ? 404 : 200;
}

static void scene_open_with(struct scene *s, struct http_options options)
{
	struct err e = {0};

	s->asked = 0;
	options.handler = answer;
	options.arg = s;
	assert_int_equal(loop_new(clock_system(), &s->loop, &e), 0);
	if (http_server_new(s->loop, &options, &s->server, &e) < 0)
		fail_msg("%s", e.message);
	s->port = http_server_port(s->server);
	turner_start(&s->turner, s->loop);
}

static void scene_open(struct scene *s)
{
	scene_open_with(s, (struct http_options){.listen = "127.0.0.1:0"});
}

static void scene_close(struct scene *s)
{
	turner_stop(&s->turner);
	http_server_free(s->server);
	loop_free(s->loop);
}

static int64_t now_ms(void)
{
	return clock_mono_ms(clock_system());
}

static void assert_alive(struct scene *s)
{
	int64_t start = now_ms();

	assert_int_equal(ask_get(s->port, "/alive", NULL), 200);
	assert_true(now_ms() - start < SECOND_MS);
}

static int ask_text(struct scene *s, const char *request, struct buf *answer_)
{
	return ask_raw(s->port, request, strlen(request), answer_);
}

static void get_gives_what_the_handler_says(void **state _unused_)
{
	_cleanup_buf_ struct buf a;
	struct scene s;

	buf_init(&a, MIB);
	scene_open(&s);
	assert_int_equal(ask_text(&s, "GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n", &a), 200);
	assert_string_equal(ask_body(&a), "path /a/b\n");
	assert_non_null(strstr(buf_str(&a), "\r\nContent-Type: text/x-test\r\n"));
	assert_non_null(strstr(buf_str(&a), "\r\nContent-Length: 10\r\n"));
	assert_non_null(strstr(buf_str(&a), "\r\nConnection: close\r\n"));
	assert_int_equal(ask_get(s.port, "/none", NULL), 404);
	assert_int_equal(ask_text(&s, "GET / HTTP/1.0\r\n\r\n", NULL), 200);
	scene_close(&s);
}

static void head_gives_the_same_without_a_body(void **state _unused_)
{
	_cleanup_buf_ struct buf a;
	struct scene s;

	buf_init(&a, MIB);
	scene_open(&s);
	assert_int_equal(ask_text(&s, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", &a), 200);
	assert_string_equal(ask_body(&a), "");
	assert_non_null(strstr(buf_str(&a), "\r\nContent-Length: 8\r\n"));
	scene_close(&s);
}

static void other_methods_are_refused(void **state _unused_)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"};
	struct scene s;

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		_cleanup_buf_ struct buf a;
		char request[256];

		buf_init(&a, MIB);
		snprintf(request, sizeof(request),
			 "%s /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", methods[i]);
		assert_int_equal(ask_text(&s, request, &a), 405);
		assert_non_null(strstr(buf_str(&a), "\r\nAllow: GET, HEAD\r\n"));
	}
	assert_int_equal(ask_text(&s, "BREW /x HTTP/1.1\r\nHost: x\r\n\r\n", NULL), 501);
	assert_int_equal(ask_text(&s, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", NULL), 501);
	assert_int_equal(s.asked, 0);
	assert_alive(&s);
	scene_close(&s);
}

static void a_large_answer_comes_whole(void **state _unused_)
{
	_cleanup_buf_ struct buf a;
	struct scene s;

	buf_init(&a, 2 * BIG);
	scene_open(&s);
	assert_int_equal(ask_text(&s, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", &a), 200);
	assert_int_equal(strlen(ask_body(&a)), BIG);
	scene_close(&s);
}

/* Waits until the server closes the connection, and gives the time that took. */
static int64_t wait_for_close(int fd, int drip)
{
	int64_t start = now_ms();
	char part[256];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (drip)
			(void)!send(fd, "X", 1, MSG_NOSIGNAL);
		if (poll(&p, 1, drip ? drip : ASK_WAIT_MS) == 1 &&
		    recv(fd, part, sizeof(part), 0) <= 0)
			return now_ms() - start;
		assert_true(now_ms() - start < ASK_WAIT_MS);
	}
}

static void E17_slow_request_is_cut_after_its_time(void **state _unused_)
{
	_cleanup_close_ int silent = -1;
	_cleanup_close_ int slow = -1;
	struct scene s;
	int64_t took;

	scene_open(&s);
	silent = ask_connect(s.port, NULL);
	slow = ask_connect(s.port, NULL);
	assert_int_equal(send(slow, "GET / HTTP/1.1\r\nX: ", 19, 0), 19);
	took = wait_for_close(slow, 50);
	assert_in_range(took, LIMIT_HTTP_REQUEST_MS - 500, LIMIT_HTTP_REQUEST_MS + 2000);
	assert_true(wait_for_close(silent, 0) < 1000);
	assert_int_equal(s.asked, 0);
	assert_alive(&s);
	scene_close(&s);
}

static int ask_and_not_read(struct scene *s)
{
	static const char request[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = ask_connect(s->port, NULL);

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	return fd;
}

static void E17_answers_that_nobody_reads_are_bounded_and_cut(void **state _unused_)
{
	int fds[8];
	int64_t start = now_ms();
	struct scene s;
	int refused = 0;

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask_and_not_read(&s);
	assert_alive(&s);
	/* Of these, only so many have their 3 MiB waiting; the others were told so. */
	assert_int_equal(ask_get(s.port, "/big", NULL), 503);
	while (s.asked < (int)ARRAY_LEN(fds) + 2)
		assert_true(now_ms() - start < ASK_WAIT_MS);
	/* After their time all are gone, and there is room again. */
	while (ask_get(s.port, "/big", NULL) != 200) {
		refused++;
		assert_true(now_ms() - start < LIMIT_HTTP_REQUEST_MS + ASK_WAIT_MS);
	}
	assert_true(now_ms() - start > LIMIT_HTTP_REQUEST_MS - 500);
	assert_true(refused > 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	scene_close(&s);
}

static size_t count_open(const int *fds, size_t count)
{
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		struct pollfd p = {.fd = fds[i], .events = POLLIN};

		open += poll(&p, 1, 0) == 0;
	}
	return open;
}

static void allow_descriptors(rlim_t n)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (n > limit.rlim_max)
		n = limit.rlim_max;
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void E17_connections_without_number_leave_room_for_a_probe(void **state _unused_)
{
	size_t total = getenv("CERTHUP_SOAK") ? 10000 : 1500;
	int *fds = calloc(total, sizeof(*fds));
	int64_t start = now_ms();
	struct scene s;

	assert_non_null(fds);
	allow_descriptors(total + 500);
	scene_open(&s);
	for (size_t i = 0; i < total; i++) {
		fds[i] = ask_connect(s.port, NULL);
		assert_true(fds[i] >= 0);
		if (i % 2) /* half of them ask for something, and never end */
			(void)!send(fds[i], "GET /", 5, MSG_NOSIGNAL);
		if (i % 100 == 99)
			assert_alive(&s);
	}
	assert_alive(&s);
	assert_true(now_ms() - start < 30000);
	while (count_open(fds, total) > LIMIT_HTTP_CONNECTIONS)
		assert_true(now_ms() - start < 40000);
	for (size_t i = 0; i < total; i++)
		close(fds[i]);
	free(fds);
	assert_alive(&s);
	scene_close(&s);
}

static void a_scrape_under_way_is_not_cut_for_those_that_only_hold_on(void **state _unused_)
{
	int fds[3 * LIMIT_STATUS_CONNECTIONS];
	_cleanup_close_ int reader = -1;
	_cleanup_buf_ struct buf a;
	struct scene s;

	buf_init(&a, 2 * BIG);
	scene_open_with(&s, (struct http_options){.listen = "127.0.0.1:0",
						  .max_connections = LIMIT_STATUS_CONNECTIONS});
	reader = ask_and_not_read(&s);
	while (!s.asked)
		poll(NULL, 0, 1);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask_connect(s.port, NULL);
	assert_alive(&s);
	assert_int_equal(ask_read(reader, &a), 200);
	assert_int_equal(strlen(ask_body(&a)), BIG);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	scene_close(&s);
}

/* The text, and then "a" without end. */
static void fill(char *to, size_t size, const char *text)
{
	for (size_t i = 0; i < size; i++)
		to[i] = *text ? *text++ : 'a';
}

static void E17_giant_headers_are_refused(void **state _unused_)
{
	size_t size = 4 * MIB;
	char *request = malloc(size);
	size_t n = 0;
	struct scene s;

	assert_non_null(request);
	scene_open(&s);
	/* One without end, */
	fill(request, size, "GET / HTTP/1.1\r\nX: ");
	assert_int_not_equal(ask_raw(s.port, request, size, NULL), 200);
	/* a request line without end, */
	fill(request, size, "GET /");
	assert_int_not_equal(ask_raw(s.port, request, size, NULL), 200);
	/* and many small ones. */
	n = (size_t)snprintf(request, size, "GET / HTTP/1.1\r\n");
	while (n < size - 64)
		n += (size_t)snprintf(request + n, size - n, "X-%zu: y\r\n", n);
	n += (size_t)snprintf(request + n, size - n, "\r\n");
	assert_int_not_equal(ask_raw(s.port, request, n, NULL), 200);
	assert_int_equal(s.asked, 0);
	assert_alive(&s);
	free(request);
	scene_close(&s);
}

static void E17_pipelined_requests_get_one_answer(void **state _unused_)
{
	static const char one[] = "GET /p HTTP/1.1\r\nHost: x\r\n\r\n";
	_cleanup_buf_ struct buf requests;
	_cleanup_buf_ struct buf a;
	struct err e;
	struct scene s;

	buf_init(&requests, MIB);
	buf_init(&a, MIB);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_add_str(&requests, one, &e), 0);
	scene_open(&s);
	assert_int_equal(ask_raw(s.port, requests.data, requests.len, &a), 200);
	assert_string_equal(ask_body(&a), "path /p\n");
	assert_int_equal(s.asked, 1);
	assert_alive(&s);
	scene_close(&s);
}

static void E17_what_is_no_http_is_closed(void **state _unused_)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n";
	static const char *const texts[] = {"\r\n\r\n",
					    "SSH-2.0-x\r\n\r\n",
					    "GET\r\n\r\n",
					    "GET /\r\n\r\n",
					    "GET / HTTP/9.9\r\n\r\n",
					    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
					    " / HTTP/1.1\r\n\r\n",
					    "GET http://[::/ HTTP/1.1\r\n\r\n",
					    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
	struct scene s;

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int64_t start = now_ms();

		(void)ask_text(&s, texts[i], NULL);
		assert_true(now_ms() - start < LIMIT_HTTP_REQUEST_MS + SECOND_MS);
	}
	(void)ask_raw(s.port, hello, sizeof(hello) - 1, NULL);
	assert_alive(&s);
	scene_close(&s);
}

static void connections_that_end_at_once_leave_nothing(void **state _unused_)
{
	struct scene s;

	scene_open_with(&s, (struct http_options){.listen = "127.0.0.1:0", .max_connections = 4});
	for (int i = 0; i < 500; i++) {
		int fd = ask_connect(s.port, NULL);

		assert_true(fd >= 0);
		if (i % 3 == 0)
			(void)!send(fd, "\r\n", 2, MSG_NOSIGNAL);
		close(fd);
	}
	assert_alive(&s);
	scene_close(&s);
}

static void without_descriptors_it_waits_and_goes_on(void **state _unused_)
{
	int fillers[256] = {0};
	struct pollfd p = {.events = POLLIN};
	size_t count = 0;
	struct scene s;

	scene_open(&s);
	allow_descriptors(ARRAY_LEN(fillers));
	while (count < ARRAY_LEN(fillers) && (fillers[count] = dup(1)) >= 0)
		count++;
	assert_in_range(count, 1, ARRAY_LEN(fillers) - 1);
	close(fillers[--count]);
	p.fd = ask_connect(s.port, NULL); /* takes the last one: none is left to accept it */
	assert_true(p.fd >= 0);
	assert_int_equal(send(p.fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
	assert_int_equal(poll(&p, 1, 300), 0);
	while (count)
		close(fillers[--count]);
	allow_descriptors(1024);
	assert_int_equal(ask_read(p.fd, NULL), 200);
	close(p.fd);
	scene_close(&s);
}

static void a_unix_socket_is_ours_alone(void **state _unused_)
{
	static const char path[] = "/tmp/certhup-test-http.sock";
	struct http_options options = {.listen = "unix:/tmp/certhup-test-http.sock",
				       .same_uid_only = true};
	_cleanup_close_ int fd = -1;
	struct scene s;
	struct stat st;
	int status;
	pid_t pid;

	unlink(path);
	scene_open_with(&s, options);
	assert_int_equal(s.port, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	fd = ask_connect(0, path);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
	assert_int_equal(ask_read(fd, NULL), 200);
	if (geteuid() == 0) {
		chmod(path, 0666); /* so that only SO_PEERCRED stands in the way */
		pid = fork();
		if (pid == 0) {
			int other = setuid(65534) < 0 ? -1 : ask_connect(0, path);

			if (other < 0 || send(other, "GET / HTTP/1.0\r\n\r\n", 18, 0) != 18)
				_exit(1);
			_exit(ask_read(other, NULL) == 403 ? 0 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	assert_int_equal(s.asked, 1);
	scene_close(&s);
	assert_int_equal(stat(path, &st), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(get_gives_what_the_handler_says),
	    cmocka_unit_test(head_gives_the_same_without_a_body),
	    cmocka_unit_test(other_methods_are_refused),
	    cmocka_unit_test(a_large_answer_comes_whole),
	    cmocka_unit_test(E17_slow_request_is_cut_after_its_time),
	    cmocka_unit_test(E17_answers_that_nobody_reads_are_bounded_and_cut),
	    cmocka_unit_test(E17_connections_without_number_leave_room_for_a_probe),
	    cmocka_unit_test(a_scrape_under_way_is_not_cut_for_those_that_only_hold_on),
	    cmocka_unit_test(E17_giant_headers_are_refused),
	    cmocka_unit_test(E17_pipelined_requests_get_one_answer),
	    cmocka_unit_test(E17_what_is_no_http_is_closed),
	    cmocka_unit_test(connections_that_end_at_once_leave_nothing),
	    cmocka_unit_test(without_descriptors_it_waits_and_goes_on),
	    cmocka_unit_test(a_unix_socket_is_ours_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
