/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where key bytes may not be (principles 9 and 10): after a pair was delivered and rotated, no line of a private key is found in the
 * memory of head and hand, in their arguments and environment, their logs at full verbosity, Events, metrics, status and records.
 * Release build: the sanitizers have an allocator of their own, which does not wipe.
 */

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "tests/lib/node.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SOON_MS 15000
#define LINE 64 /* of base64 in PEM */

/* The first whole line of the key's base64: 48 bytes of it. */
static void key_line(const struct pki_pair *pair, char ret_line[static LINE + 1])
{
	const char *body = strchr(pair->tls_key, '\n');

	assert_non_null(body);
	memcpy(ret_line, body + 1, LINE);
	ret_line[LINE] = '\0';
	assert_null(strchr(ret_line, '\n'));
}

static bool region_holds(int mem, uint64_t from, uint64_t to, const char *line)
{
	static char part[MIB + LINE];
	uint64_t at = from;

	while (at < to) {
		size_t want = to - at < sizeof(part) ? (size_t)(to - at) : sizeof(part);
		ssize_t n = pread(mem, part, want, (off_t)at);

		if (n <= 0)
			return false;
		if (memmem(part, (size_t)n, line, LINE))
			return true;
		at += (uint64_t)n > LINE ? (uint64_t)n - LINE + 1 : (uint64_t)n;
		if ((size_t)n < want || at + LINE > to)
			return false;
	}
	return false;
}

/* All of a process's readable memory. */
static bool memory_holds(pid_t pid, const char *line)
{
	char path[64];
	char row[512];
	bool found = false;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(mem >= 0);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	while (!found && fgets(row, sizeof(row), maps)) {
		char *rest;
		uint64_t from = strtoull(row, &rest, 16);
		uint64_t to = strtoull(rest + 1, &rest, 16);

		found = rest[1] == 'r' && !strstr(row, "[v") && region_holds(mem, from, to, line);
	}
	fclose(maps);
	close(mem);
	return found;
}

static bool file_holds(const char *path, const char *line)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, 8 * MIB);
	assert_int_equal(file_read(AT_FDCWD, path, &b, &e), 0);
	return b.len && memmem(b.data, b.len, line, LINE);
}

static void process_is_clean(pid_t pid, const char *line)
{
	char path[64];

	assert_false(memory_holds(pid, line));
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	assert_false(file_holds(path, line));
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	assert_false(file_holds(path, line));
}

static void E20_no_key_bytes_are_left_anywhere(void **state _unused_)
{
	struct node_scene *n = calloc(1, sizeof(*n));
	_cleanup_pair_ struct pki_pair first = {0};
	_cleanup_pair_ struct pki_pair second = {0};
	_cleanup_free_ char *status = NULL;
	_cleanup_free_ char *events = NULL;
	struct node_pod pod;
	char record[2 * NODE_PATH];
	char lines[2][LINE + 1];

	assert_non_null(n);
	if (geteuid() != 0) {
		free(n);
		fprintf(stderr, "SKIP: needs root\n");
		skip();
	}
	node_scene_start(n);
	node_put_secret(n, "web-tls", &first);
	node_pod_make(n, 1, "{\"tls\":{\"secret\":\"web-tls\",\"bundle\":\"bundle.pem\"}}", &pod);
	node_hand_start(n);
	node_head_start_beside(n, NULL);
	assert_true(node_pod_has(&pod, &first, SOON_MS));
	node_put_secret(n, "web-tls", &second);
	assert_true(node_pod_has(&pod, &second, SOON_MS));
	assert_true(node_pod_is(&pod, "delivered", &second, SOON_MS));
	key_line(&first, lines[0]);
	key_line(&second, lines[1]);
	status = node_status(n);
	events = standin_do(&n->api,
			    "{\"do\":\"list\",\"resource\":\"events\",\"namespace\":\"default\"}");
	snprintf(record, sizeof(record), "%s/plugins/csi.certhup.io/state/%s/tls", n->root,
		 pod.uid);
	for (int i = 0; i < 2; i++) {
		process_is_clean(n->head.pid, lines[i]);
		process_is_clean(n->hand.pid, lines[i]);
		assert_null(strstr(program_err(&n->head), lines[i]));
		assert_null(strstr(program_err(&n->hand), lines[i]));
		assert_null(strstr(status, lines[i]));
		assert_null(strstr(events, lines[i]));
		assert_false(file_holds(record, lines[i]));
	}
	/* The scan can find: it does in this process, which made the keys. */
	assert_true(memory_holds(getpid(), lines[1]));
	node_pod_delete(&pod);
	node_scene_stop(n);
	free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(E20_no_key_bytes_are_left_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
