/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "tests/lib/hands.h"

#include "base/clock.h"
#include "hand/connect.h"
#include "hand/payload.h"
#include "volume/fingerprint.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PATIENCE_MS (30 * SECOND_MS)

void hands_make(struct hands *h)
{
	*h = (struct hands){.memfd = -1};
	snprintf(h->root, sizeof(h->root), "/tmp/kubelet-XXXXXX");
	assert_non_null(mkdtemp(h->root));
	snprintf(h->pods.root, sizeof(h->pods.root), "%s/pods", h->root);
	assert_int_equal(mkdir(h->pods.root, 0750), 0);
	assert_int_equal(mount("tmpfs", h->pods.root, "tmpfs", 0, "mode=0750"), 0);
	h->pods.fd = open(h->pods.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(h->pods.fd >= 0);
	h->pods.tree = (struct volume_tree){.pods_fd = h->pods.fd};
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *at _unused_)
{
	return remove(path);
}

void hands_remove(struct hands *h)
{
	if (h->pid)
		hands_kill(h);
	closep(&h->memfd);
	close(h->pods.fd);
	assert_int_equal(umount2(h->pods.root, MNT_DETACH), 0);
	assert_int_equal(nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *hands_program(void)
{
	static char path[PATH_MAX + 32];
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *tests;

	assert_true(n > 0);
	self[n] = '\0';
	tests = strstr(self, "/tests/");
	assert_non_null(tests);
	*tests = '\0';
	snprintf(path, sizeof(path), "%s/certhup-hand", self);
	return path;
}

static void on_damaged(void *arg, const struct volume_ref *ref _unused_)
{
	((struct hands *)arg)->damaged++;
}

static void on_lost(void *arg, const struct err *e)
{
	struct hands *h = arg;

	h->lost = true;
	h->lost_err = *e;
}

static void on_interest(void *arg _unused_, bool writing _unused_)
{
}

void hands_spawn(struct hands *h, const char *const *args)
{
	static const struct hand_client_events events = {
	    .on_damaged = on_damaged, .on_lost = on_lost, .on_interest = on_interest};
	const char *argv[32] = {"--kubelet-root", h->root, "--log-level", "warn"};
	struct hand_child child;
	size_t n = 4;
	struct err e;

	for (; args && *args; args++)
		argv[n++] = *args;
	if (hand_spawn(hands_program(), argv, &child, &e) < 0 ||
	    hand_client_new(child.fd, UINT32_MAX, &events, h, &h->client, &e) < 0)
		fail_msg("%s", e.message);
	h->pid = child.pid;
	h->lost = false;
}

void hands_start(struct hands *h, const char *const *args)
{
	struct hand_request r = {.op = HAND_HELLO, .protocol = HAND_PROTOCOL};

	hands_spawn(h, args);
	if (hands_call(h, &r, -1) != ERR_NONE)
		fail_msg("hello: %s", h->reply.err.message);
	r = (struct hand_request){.op = HAND_ADOPT};
	if (hands_call(h, &r, -1) != ERR_NONE)
		fail_msg("adopt: %s", h->reply.err.message);
}

int hands_stop(struct hands *h)
{
	struct err e;
	int status = -1;

	h->client = hand_client_free(h->client);
	assert_int_equal(hand_child_wait(h->pid, PATIENCE_MS, &status, &e), 0);
	h->pid = 0;
	return status;
}

void hands_kill(struct hands *h)
{
	kill(h->pid, SIGKILL);
	assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
	h->client = hand_client_free(h->client);
	h->pid = 0;
}

struct volume_ref hands_ref(unsigned number)
{
	struct volume_ref ref = {.name = "tls"};

	snprintf(ref.pod_uid, sizeof(ref.pod_uid), "%08x-0000-4000-8000-000000000000", number);
	return ref;
}

struct volume_ref hands_volume(struct hands *h, unsigned number, const char *options)
{
	struct volume_ref ref = hands_ref(number);

	pods_add(&h->pods, &ref, options);
	return ref;
}

static bool turn(struct hands *h, int64_t end_ms)
{
	int64_t left_ms = end_ms - clock_mono_ms(clock_system());
	struct pollfd p = {.fd = hand_client_fd(h->client), .events = POLLIN};

	if (left_ms <= 0)
		return false;
	poll(&p, 1, left_ms < 20 ? (int)left_ms : 20);
	hand_client_ready(h->client);
	return true;
}

bool hands_wait(struct hands *h, const bool *done, int64_t timeout_ms)
{
	int64_t end_ms = clock_mono_ms(clock_system()) + timeout_ms;

	while (!*done && turn(h, end_ms))
		;
	return *done;
}

bool hands_wait_count(struct hands *h, const unsigned *count, unsigned atleast, int64_t timeout_ms)
{
	int64_t end_ms = clock_mono_ms(clock_system()) + timeout_ms;

	while (*count < atleast && turn(h, end_ms))
		;
	return *count >= atleast;
}

struct waiter {
	struct hands *h;
	bool done;
};

static void on_reply(void *arg, const struct hand_reply *reply, int memfd)
{
	struct waiter *w = arg;

	closep(&w->h->memfd);
	if (memfd >= 0)
		w->h->memfd = fcntl(memfd, F_DUPFD_CLOEXEC, 0);
	w->h->reply = *reply;
	w->done = reply->op != HAND_ADOPT || reply->last;
}

enum err_kind hands_call(struct hands *h, const struct hand_request *r, int memfd)
{
	struct waiter w = {.h = h};
	struct err e;

	if (hand_client_send(h->client, r, memfd, on_reply, &w, NULL, &e) < 0)
		fail_msg("%s", e.message);
	if (!hands_wait(h, &w.done, PATIENCE_MS))
		fail_msg("no answer to %s", hand_op_label(r->op));
	return h->reply.err.kind;
}

enum err_kind hands_ask(struct hands *h, enum hand_op op, const struct volume_ref *ref)
{
	struct hand_request r = {.op = op, .volume = *ref};

	if (op == HAND_WATCH)
		r.watch.on = 1;
	return hands_call(h, &r, -1);
}

struct hand_request hands_content_request(const struct volume_ref *ref, struct content *c,
					  unsigned rv, int *ret_memfd)
{
	struct hand_request r = {.op = HAND_PUBLISH,
				 .volume = *ref,
				 .publish = {.pod_namespace = "default",
					     .pod_name = "web-0",
					     .secret = "web-tls",
					     .secret_uid = "5ec5e7",
					     .owner = {.mode = 0444}}};
	struct err e;

	snprintf(r.publish.resource_version, sizeof(r.publish.resource_version), "%u", rv);
	volume_fingerprint(c, &r.publish.content);
	if (payload_write(c, ret_memfd, &e) < 0)
		fail_msg("%s", e.message);
	return r;
}

struct hand_request hands_publish_request(const struct volume_ref *ref, int n, unsigned rv,
					  int *ret_memfd)
{
	_cleanup_content_ struct content c;

	pair_content(n, &c);
	return hands_content_request(ref, &c, rv, ret_memfd);
}

enum err_kind hands_publish(struct hands *h, const struct volume_ref *ref, int n, unsigned rv)
{
	int memfd;
	struct hand_request r = hands_publish_request(ref, n, rv, &memfd);

	return hands_call(h, &r, memfd);
}

int hands_seen(const struct hands *h, const struct volume_ref *ref)
{
	char path[PODS_PATH];

	pods_path(&h->pods, ref, path);
	return pair_seen(path);
}
