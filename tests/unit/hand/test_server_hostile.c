/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "hand/server.h"

#include "hand/payload.h"
#include "tests/lib/cgroups.h"
#include "tests/lib/hands.h"
#include "tests/lib/target.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

/* A captured head: it may send any bytes. What it gets is nothing that is not its pods'. */

#define CONTAINER "abababababababababababababababababababababababababababababababab"

static struct hands h;
static struct volume_ref ours;

static int set_up(void **state)
{
	(void)state;
	hands_make(&h);
	ours = hands_volume(&h, 1, "size=1m");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hands_remove(&h);
	return 0;
}

static void expect(enum err_kind got, enum err_kind want)
{
	if (got != want)
		fail_msg("%s instead of %s: %s", err_meaning(got)->label, err_meaning(want)->label,
			 h.reply.err.message);
}

/* A tree that nobody may touch: any event in it fails the test. */
struct decoy {
	char path[64];
	int inotify;
};

static void decoy_make(struct decoy *d)
{
	char file[96];
	int fd;

	snprintf(d->path, sizeof(d->path), "%s/decoy", h.root);
	assert_int_equal(mkdir(d->path, 0755), 0);
	snprintf(file, sizeof(file), "%s/tls.key", d->path);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "not yours", 9), 9);
	close(fd);
	d->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	assert_true(inotify_add_watch(d->inotify, d->path, IN_ALL_EVENTS) >= 0);
}

static void decoy_check(struct decoy *d)
{
	char events[4096];

	assert_int_equal(read(d->inotify, events, sizeof(events)), -1);
	close(d->inotify);
}

static void refused_with(struct hand_request r, enum err_kind kind, int memfd)
{
	expect(hands_call(&h, &r, memfd), kind);
	assert_int_equal(h.memfd, -1);
	assert_int_equal(h.reply.has_record, 0);
}

/* Each operation on a volume of that name. */
static void try_everything(const struct volume_ref *ref, enum err_kind kind)
{
	for (uint32_t op = HAND_PUBLISH; op < HAND_FIND; op++) {
		struct hand_request r = {.op = op, .volume = *ref, .watch.on = 0};
		int memfd = -1;

		if (op == HAND_WATCH)
			r.watch.on = 1;
		if (op == HAND_PUBLISH)
			r = hands_publish_request(ref, 1, 1, &memfd);
		if (op == HAND_RETIRE)
			r.retire.previous_only = 1;
		refused_with(r, kind, memfd);
	}
}

static void E8_captured_head_reaches_no_path_but_its_pods_volumes(void **state)
{
	static const char *const names[] = {"..",   ".",      "../..",   "a/../../..",
					    "/etc", "tls/..", "tls\n",   "..data",
					    "",     "-",      "\xc3\xa9"};
	struct decoy decoy;
	char path[PODS_PATH];
	struct volume_ref ref;

	(void)state;
	decoy_make(&decoy);
	hands_start(&h, NULL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ref = ours;
		memset(ref.name, 0, sizeof(ref.name));
		memcpy(ref.name, names[i], strlen(names[i]));
		try_everything(&ref, ERR_INVALID);
		ref = ours;
		memset(ref.pod_uid, 0, sizeof(ref.pod_uid));
		memcpy(ref.pod_uid, names[i], strlen(names[i]));
		try_everything(&ref, ERR_INVALID);
	}
	/* Names of the grammar that lead to no volume. */
	try_everything(
	    &(struct volume_ref){.pod_uid = "ffffffff-0000-4000-8000-000000000000", .name = "tls"},
	    ERR_NOT_FOUND);
	/* The grammar alone would let a link of the pod's name lead away: nothing is followed. */
	ref = hands_ref(77);
	snprintf(path, sizeof(path), "%s/%s", h.pods.root, ref.pod_uid);
	assert_int_equal(symlink(decoy.path, path), 0);
	{
		int memfd;
		struct hand_request r = hands_publish_request(&ref, 1, 1, &memfd);

		expect(hands_call(&h, &r, memfd), ERR_INVALID);
	}
	decoy_check(&decoy);
}

static void E8_captured_head_finds_and_signals_no_process_of_another_pod(void **state)
{
	struct hand_request r = {.op = HAND_SIGNAL, .volume = ours};
	struct volume_ref other = hands_volume(&h, 2, "size=1m");
	struct test_cgroups cgroups;
	struct target target;
	char group[PATH_MAX];

	(void)state;
	if (!test_cgroups_init(&cgroups, "pids")) {
		fprintf(stderr, "SKIP: no cgroup of kind pids here\n");
		skip();
	}
	snprintf(group, sizeof(group), "kubepods/pod%s/%s", other.pod_uid, CONTAINER);
	snprintf(group, sizeof(group), "%s", test_cgroup_make(&cgroups, group));
	assert_true(target_start(
	    &target, &(struct target_plan){.comm = "nginx", .cgroup = group, .handler = true}));
	hands_start(&h, NULL);
	memcpy(r.process.query.container_id, CONTAINER, sizeof(CONTAINER));
	r.process.signal = SIGHUP;
	/* Under the name of its own pod it is not there. */
	memcpy(r.process.query.pod_uid, ours.pod_uid, sizeof(ours.pod_uid));
	expect(hands_call(&h, &r, -1), ERR_NONE);
	assert_int_equal(h.reply.signal_result, SIGNAL_NO_PROCESS);
	/* Under the other pod's uid, or with a path for one, it is refused. */
	memcpy(r.process.query.pod_uid, other.pod_uid, sizeof(other.pod_uid));
	expect(hands_call(&h, &r, -1), ERR_INVALID);
	memcpy(r.process.query.pod_uid, ours.pod_uid, sizeof(ours.pod_uid));
	memcpy(r.process.query.container_id, "../../", 6);
	expect(hands_call(&h, &r, -1), ERR_INVALID);
	/* No signal but the three. */
	memcpy(r.process.query.container_id, CONTAINER, sizeof(CONTAINER));
	for (int sig = 0; sig < 65; sig++) {
		r.process.signal = sig;
		if (sig != SIGHUP && sig != SIGUSR1 && sig != SIGUSR2)
			expect(hands_call(&h, &r, -1), ERR_INVALID);
	}
	assert_int_equal(target_hits(&target, 0), 0);
	target_stop(&target);
	test_cgroups_done(&cgroups);
}

static int unsealed(const void *data, size_t len)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, data, len), (ssize_t)len);
	return fd;
}

static void wrong_descriptors_are_refused(void **state)
{
	char big[4096];
	int memfd, other;
	struct hand_request r;

	(void)state;
	memset(big, 0xff, sizeof(big));
	hands_start(&h, NULL);
	for (int kind = 0; kind < 7; kind++) {
		int pipes[2] = {-1, -1};

		r = hands_publish_request(&ours, 1, 10, &memfd);
		switch (kind) {
		case 0:
			other = open("/etc/shadow", O_RDONLY | O_CLOEXEC);
			break;
		case 1:
			other = open("/dev/zero", O_RDONLY | O_CLOEXEC);
			break;
		case 2:
			assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
			other = pipes[0];
			break;
		case 3:
			other = unsealed(big, sizeof(big));
			break;
		case 4: /* a huge count, sealed */
			other = unsealed(big, sizeof(big));
			assert_int_equal(
			    fcntl(other, F_ADD_SEALS,
				  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
			    0);
			break;
		case 5:
			other = open(h.pods.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
			break;
		default:
			other = inotify_init1(IN_CLOEXEC);
			break;
		}
		assert_true(other >= 0);
		close(memfd);
		expect(hands_call(&h, &r, other), ERR_INVALID);
		closep(&pipes[1]);
	}
	assert_int_equal(hands_seen(&h, &ours), 0);
	expect(hands_publish(&h, &ours, 1, 10), ERR_NONE);
}

/* Writable until after it was sent: the seals are what is believed, not the moment. */
static void payload_cannot_change_under_the_hand(void **state)
{
	struct hand_request r;
	int memfd;

	(void)state;
	hands_start(&h, NULL);
	r = hands_publish_request(&ours, 1, 10, &memfd);
	assert_int_equal(pwrite(memfd, "x", 1, 300), -1);
	expect(hands_call(&h, &r, memfd), ERR_NONE);
}

static void flood_of_requests_is_answered_and_bounded(void **state)
{
	struct hand_request r = {.op = HAND_VERIFY, .volume = ours};

	(void)state;
	hands_start(&h, NULL);
	for (unsigned i = 0; i < 3000; i++) {
		struct err e;

		r.volume = hands_ref(i);
		if (hand_client_send(h.client, &r, -1, NULL, NULL, NULL, &e) < 0)
			fail_msg("%s", e.message);
	}
	expect(hands_publish(&h, &ours, 1, 10), ERR_NONE);
	assert_int_equal(hands_seen(&h, &ours), 1);
}

/* Its own memory is not read either: not dumpable, and nothing it keeps is a key. */
static void E20_hand_keeps_no_key_bytes(void **state)
{
	static const char marker[] = "MARKER-of-a-private-key-0123456789";
	_cleanup_content_ struct content c = {0};
	char path[64], line[256];
	unsigned found = 0;
	struct hand_request r;
	struct err e;
	FILE *maps;
	int mem, memfd;

	(void)state;
	hands_start(&h, (const char *const[]){"--log-level", "debug", NULL});
	assert_int_equal(content_add(&c, "tls.key", marker, strlen(marker), &e), 0);
	r = hands_content_request(&ours, &c, 10, &memfd);
	expect(hands_call(&h, &r, memfd), ERR_NONE);
	expect(hands_ask(&h, HAND_READ, &ours), ERR_NONE);
	closep(&h.memfd);
	snprintf(path, sizeof(path), "/proc/%d/maps", h.pid);
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", h.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_non_null(maps);
	assert_true(mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		char *end;
		unsigned long from = strtoul(line, &end, 16), to = strtoul(end + 1, &end, 16);
		static char bytes[MIB];

		if (strncmp(end + 1, "rw", 2) != 0 || to - from > 64 * MIB)
			continue;
		for (unsigned long at = from; at < to; at += sizeof(bytes) - 64) {
			size_t want = to - at < sizeof(bytes) ? to - at : sizeof(bytes);
			ssize_t n = pread(mem, bytes, want, (off_t)at);

			if (n > 0 && memmem(bytes, (size_t)n, marker, strlen(marker)))
				found++;
		}
	}
	assert_int_equal(found, 0);
	fclose(maps);
	close(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(E8_captured_head_reaches_no_path_but_its_pods_volumes,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		E8_captured_head_finds_and_signals_no_process_of_another_pod, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(wrong_descriptors_are_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(payload_cannot_change_under_the_hand, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(flood_of_requests_is_answered_and_bounded, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(E20_hand_keeps_no_key_bytes, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests_name("hand/server_hostile", tests, NULL, NULL);
}
