/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/node.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "cert/gate.h"
#include "k8s/json.h"
#include "volume/read.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define HEAD_READY_MS 20000

static int64_t now_ms(void)
{
	return clock_mono_ms(clock_system());
}

static void nap(void)
{
	const struct timespec t = {.tv_nsec = 5000000};

	nanosleep(&t, NULL);
}

static void make_dir(const char *path, mode_t mode)
{
	assert_int_equal(mkdir(path, mode), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* The head's own user must be able to read them: it is no root. */
static void give_credentials(const struct node_scene *n)
{
	static const char *const names[] = {"",       "/kubeconfig", "/ca.crt",
					    "/token", "/client.crt", "/client.key"};
	char path[NODE_PATH];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s%s", n->api.dir, names[i]);
		assert_int_equal(chown(path, NODE_HEAD_UID, NODE_HEAD_UID), 0);
	}
}

void node_scene_start(struct node_scene *n)
{
	char path[NODE_PATH];

	memset(n, 0, sizeof(*n));
	n->head.out = n->head.err = n->hand.out = n->hand.err = -1;
	snprintf(n->root, sizeof(n->root), "/tmp/node-XXXXXX");
	assert_non_null(mkdtemp(n->root));
	assert_int_equal(mount("tmpfs", n->root, "tmpfs", 0, "mode=0755"), 0);
	snprintf(path, sizeof(path), "%s/pods", n->root);
	make_dir(path, 0750);
	snprintf(path, sizeof(path), "%s/plugins", n->root);
	make_dir(path, 0750);
	snprintf(path, sizeof(path), "%s/run", n->root);
	make_dir(path, 0755);
	snprintf(n->status_socket, sizeof(n->status_socket), "%s/run/status.sock", n->root);
	snprintf(n->hand_socket, sizeof(n->hand_socket), "%s/run/hand.sock", n->root);
	snprintf(n->metrics, sizeof(n->metrics), "127.0.0.1:9402");
	pki_init(&n->pki);
	standin_start(&n->api, NULL);
	give_credentials(n);
	standin_allow(&n->api,
		      "{\"user\":\"system:serviceaccount:default:default\",\"verbs\":[\"get\"],"
		      "\"resources\":[\"secrets\"],\"namespace\":\"default\"}");
	n->has_cgroups = test_cgroups_init(&n->cgroups, "pids");
}

void node_scene_stop(struct node_scene *n)
{
	node_head_stop(n);
	program_done(&n->hand);
	if (n->has_cgroups)
		test_cgroups_done(&n->cgroups);
	standin_stop(&n->api);
	pki_done(&n->pki);
	umount2(n->root, MNT_DETACH);
	rmdir(n->root);
}

static void start_head(struct node_scene *n, const char *const *own, const char *const *more)
{
	const char *words[40] = {"certhup",          "node",
				 "--node-name",      "n1",
				 "--kubeconfig",     n->api.kubeconfig,
				 "--status-socket",  n->status_socket,
				 "--metrics-listen", n->metrics,
				 "--log-level",      "debug"};
	size_t count = 12;

	for (; *own; own++)
		words[count++] = *own;
	for (; more && *more; more++)
		words[count++] = *more;
	words[count] = NULL;
	program_done(&n->head);
	program_start(&n->head, NULL, words);
	if (!program_says(&n->head, "\"pods.synced\"", HEAD_READY_MS))
		fail_msg("the head did not start: %s", program_err(&n->head));
}

void node_head_start(struct node_scene *n, const char *const *more)
{
	start_head(n, WORDS("--kubelet-root", n->root), more);
}

void node_hand_start(struct node_scene *n)
{
	program_done(&n->hand);
	program_start(&n->hand, NULL,
		      WORDS("certhup-hand", "--socket", n->hand_socket, "--head-uid", "64402",
			    "--kubelet-root", n->root));
}

void node_head_start_beside(struct node_scene *n, const char *const *more)
{
	start_head(n, WORDS("--hand-socket", n->hand_socket, "--hand-uid", "0"), more);
}

void node_head_stop(struct node_scene *n)
{
	if (n->head.pid) {
		program_signal(&n->head, SIGTERM);
		assert_int_equal(program_wait(&n->head, HEAD_READY_MS), 0);
	}
	program_done(&n->head);
}

void node_put_secret(struct node_scene *n, const char *name, struct pki_pair *ret)
{
	pki_issue(&n->pki, NULL, PKI_P256, ret);
	standin_put_tls(&n->api, "default", name, ret->tls_crt, ret->tls_key, ret->ca_crt);
}

static void put_pod(struct node_pod *p, const char *wishes)
{
	_cleanup_buf_ struct buf object;
	_cleanup_buf_ struct buf text;
	struct err e;

	buf_init(&object, 64 * KIB);
	buf_init(&text, 64 * KIB);
	assert_int_equal(text_json_string(&text, wishes, strlen(wishes), &e), 0);
	assert_int_equal(
	    buf_printf(&object, &e,
		       "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		       "\"namespace\":\"default\","
		       "\"annotations\":{\"certhup.io/volumes\":%s}},"
		       "\"spec\":{\"nodeName\":\"n1\",\"serviceAccountName\":\"default\","
		       "\"volumes\":[{\"name\":\"tls\",\"emptyDir\":{\"medium\":\"Memory\"}}],"
		       "\"initContainers\":[{\"name\":\"gate\",\"args\":[\"init\",\"--wait-for\","
		       "\"/tls\"]}],"
		       "\"containers\":[{\"name\":\"nginx\",\"volumeMounts\":[{\"name\":\"tls\","
		       "\"mountPath\":\"/tls\"}]}]},"
		       "\"status\":{\"phase\":\"Pending\"}}",
		       p->name, buf_str(&text)),
	    0);
	standin_put(&p->node->api, buf_str(&object));
}

/* The API server gives the uid. */
static void learn_uid(struct node_pod *p)
{
	_cleanup_free_ char *text = standin_get(&p->node->api, "pods", "default", p->name);
	_cleanup_json_ struct json *pod = NULL;
	struct err e;

	assert_non_null(text);
	assert_int_equal(json_parse(text, strlen(text), &pod, &e), 0);
	snprintf(p->uid, sizeof(p->uid), "%s", json_text(pod, "metadata", "uid", NULL));
}

void node_pod_make(struct node_scene *n, unsigned number, const char *wishes, struct node_pod *ret)
{
	char path[2 * NODE_PATH];
	const char *const parts[] = {"",
				     "/volumes",
				     "/volumes/kubernetes.io~empty-dir",
				     "/plugins",
				     "/plugins/kubernetes.io~empty-dir",
				     "/plugins/kubernetes.io~empty-dir/tls"};
	int fd;

	memset(ret, 0, sizeof(*ret));
	ret->nginx.out = ret->nginx.err = -1;
	ret->node = n;
	snprintf(ret->name, sizeof(ret->name), "web-%u", number);
	put_pod(ret, wishes);
	learn_uid(ret);
	snprintf(ret->container_id, sizeof(ret->container_id), "%064u", number);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(path, sizeof(path), "%s/pods/%s%s", n->root, ret->uid, parts[i]);
		make_dir(path, 0755);
	}
	snprintf(ret->volume, sizeof(ret->volume), "%s/pods/%s/volumes/kubernetes.io~empty-dir/tls",
		 n->root, ret->uid);
	make_dir(ret->volume, 0777);
	assert_int_equal(mount("tmpfs", ret->volume, "tmpfs", 0, "mode=0777"), 0);
	snprintf(path, sizeof(path), "%s/pods/%s/plugins/kubernetes.io~empty-dir/tls/ready",
		 n->root, ret->uid);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

void node_pod_tell(struct node_pod *p, const char *phase, bool running)
{
	char patch[1024];

	snprintf(patch, sizeof(patch),
		 "{\"status\":{\"phase\":\"%s\",\"podIP\":\"127.0.0.1\",\"containerStatuses\":[{"
		 "\"name\":\"nginx\","
		 "\"containerID\":\"containerd://%s\",\"state\":{\"%s\":{}}}]}}",
		 phase, p->container_id, running ? "running" : "terminated");
	standin_patch(&p->node->api, "pods", "default", p->name, patch);
}

/* The group that the next program is put into: a child of ours has no other way to know it. */
static char next_group[512];

static bool join_group(void)
{
	char pid[32];

	if (!next_group[0])
		return true;
	snprintf(pid, sizeof(pid), "%d", getpid());
	return test_cgroup_write(next_group, "cgroup.procs", pid);
}

static void write_nginx_config(const struct node_pod *p, const char *dir, char *ret_path,
			       size_t size)
{
	FILE *f;

	snprintf(ret_path, size, "%s/nginx.conf", dir);
	f = fopen(ret_path, "we");
	assert_non_null(f);
	fprintf(
	    f,
	    "daemon off; worker_processes 2; user root; pid %s/nginx.pid; error_log %s/error.log;\n"
	    "events { worker_connections 64; }\n"
	    "http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p; "
	    "fastcgi_temp_path %s/f;\n"
	    " uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
	    " server { listen 127.0.0.1:%u ssl; ssl_certificate %s/tls.crt; ssl_certificate_key "
	    "%s/tls.key;\n"
	    "  ssl_client_certificate %s/ca.crt; ssl_verify_client optional; return 200; } }\n",
	    dir, dir, dir, dir, dir, dir, dir, p->port, p->volume, p->volume, p->volume);
	fclose(f);
}

/* Starts the server in the cgroup of the pod's container. */
static void start_in_pod(struct node_pod *p, const char *const *words)
{
	static const struct program_options options = {.before = join_group};
	char group[256];

	if (p->node->has_cgroups) {
		snprintf(group, sizeof(group), "kubepods/burstable/pod%s/%s", p->uid,
			 p->container_id);
		snprintf(p->cgroup, sizeof(p->cgroup), "%s",
			 test_cgroup_make(&p->node->cgroups, group));
	}
	memcpy(next_group, p->cgroup, sizeof(next_group));
	program_start(&p->nginx, &options, words);
}

void node_pod_run(struct node_pod *p)
{
	struct fingerprint leaf;
	int64_t end = now_ms() + HEAD_READY_MS;
	char dir[2 * NODE_PATH];
	char config[3 * NODE_PATH];

	p->port = (uint16_t)(20000 + strtoul(p->name + 4, NULL, 10));
	snprintf(dir, sizeof(dir), "%s/nginx-%s", p->node->root, p->name);
	make_dir(dir, 0755);
	write_nginx_config(p, dir, config, sizeof(config));
	start_in_pod(p, WORDS("/usr/sbin/nginx", "-p", dir, "-c", config));
	while (!node_pod_serves(p, NULL, &leaf)) {
		if (now_ms() > end)
			fail_msg("nginx does not serve: %s", program_err(&p->nginx));
		nap();
	}
	node_pod_tell(p, "Running", true);
}

void node_pod_run_slow(struct node_pod *p)
{
	int64_t end = now_ms() + HEAD_READY_MS;
	char server[512];
	char port[16];

	/* "BUILD/certhup" -> "BUILD/tests/tools/eager-server" */
	program_path("certhup", server, sizeof(server));
	snprintf(strrchr(server, '/'), 64, "/tests/tools/eager-server");
	p->port = (uint16_t)(20000 + strtoul(p->name + 4, NULL, 10));
	snprintf(port, sizeof(port), "%u", p->port);
	start_in_pod(p, WORDS(server, port, p->volume, "slow"));
	while (!strstr(program_out(&p->nginx), "READY")) {
		if (now_ms() > end)
			fail_msg("the server does not start: %s", program_err(&p->nginx));
		nap();
	}
	node_pod_tell(p, "Running", true);
}

void node_pod_delete(struct node_pod *p)
{
	if (p->nginx.pid) {
		program_signal(&p->nginx, SIGTERM);
		program_wait(&p->nginx, HEAD_READY_MS);
	}
	program_done(&p->nginx);
	standin_delete(&p->node->api, "pods", "default", p->name);
	umount2(p->volume, MNT_DETACH);
}

/* The files of one generation, read as a careful reader does. */
static bool volume_holds(const struct node_pod *p, const struct pki_pair *pair)
{
	_cleanup_content_ struct content c = {0};
	_cleanup_volume_ struct volume v = {.fd = -1};
	struct gate_leaf leaf;
	const struct content_file *crt;
	const struct content_file *key;
	struct err e;

	if (volume_open_path(p->volume, &v, &e) < 0 || volume_read(&v, NULL, &c, NULL, &e) < 0)
		return false;
	crt = content_find(&c, "tls.crt");
	key = content_find(&c, "tls.key");
	if (!crt || !key || gate_read_leaf(crt->bytes.data, crt->bytes.len, &leaf, &e) < 0 ||
	    !fingerprint_equal(&leaf.leaf, &pair->leaf))
		return false;
	assert_int_equal(key->bytes.len, strlen(pair->tls_key));
	assert_memory_equal(key->bytes.data, pair->tls_key, key->bytes.len);
	return true;
}

bool node_pod_has(const struct node_pod *p, const struct pki_pair *pair, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;

	while (!volume_holds(p, pair)) {
		if (now_ms() > end)
			return false;
		nap();
	}
	return true;
}

char *node_status(const struct node_scene *n)
{
	_cleanup_program_ struct program p = {0};

	program_run(&p, NULL,
		    WORDS("certhup", "status", "--status-socket", n->status_socket, "-o", "json"));
	return strdup(program_out(&p));
}

static bool status_is(const struct node_pod *p, const char *state, const struct pki_pair *pair)
{
	_cleanup_free_ char *text = node_status(p->node);
	_cleanup_json_ struct json *doc = NULL;
	const struct json *bindings;
	char hex[FINGERPRINT_HEX] = "";
	struct err e;

	if (json_parse(text, strlen(text), &doc, &e) < 0)
		return false;
	if (pair)
		fingerprint_hex(&pair->leaf, hex);
	bindings = json_at(doc, "bindings", NULL);
	for (size_t i = 0; i < json_length(bindings); i++) {
		const struct json *b = json_item(bindings, i);
		const char *fingerprint = json_text(b, "fingerprint", NULL);

		if (strcmp(json_text(b, "pod", NULL), p->name) == 0 &&
		    strcmp(json_text(b, "state", NULL), state) == 0 &&
		    (!pair || (fingerprint && strcmp(fingerprint, hex) == 0)))
			return true;
	}
	return false;
}

bool node_pod_is(const struct node_pod *p, const char *state, const struct pki_pair *pair,
		 int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;

	while (!status_is(p, state, pair)) {
		if (now_ms() > end)
			return false;
		nap();
	}
	return true;
}

static bool is_event_about(const struct node_pod *p, const char *line, size_t len,
			   const char *reason)
{
	_cleanup_json_ struct json *event = NULL;
	const char *r;
	const char *uid;
	struct err e;

	if (json_parse(line, len, &event, &e) < 0)
		fail_msg("an Event of the stand-in is no JSON: %s", e.message);
	r = json_text(event, "reason", NULL);
	uid = json_text(event, "involvedObject", "uid", NULL);
	if (!uid)
		uid = json_text(event, "regarding", "uid", NULL);
	return r && uid && strcmp(r, reason) == 0 && strcmp(uid, p->uid) == 0;
}

/* One Event a line. */
static bool event_is_there(const struct node_pod *p, const char *reason)
{
	_cleanup_free_ char *text = standin_do(
	    &p->node->api, "{\"do\":\"list\",\"resource\":\"events\",\"namespace\":\"default\"}");

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (len && is_event_about(p, line, len, reason))
			return true;
		line += len + (line[len] == '\n');
	}
	return false;
}

bool node_pod_event(const struct node_pod *p, const char *reason, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;

	while (!event_is_there(p, reason)) {
		if (now_ms() > end)
			return false;
		nap();
	}
	return true;
}
