/* SPDX-License-Identifier: Apache-2.0 */
#include "command/selftest_agent.h"

#include "base/limits.h"
#include "base/text.h"
#include "command/http_get.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

static void take_address(void *arg, const struct json *pods)
{
	const struct json *items = json_at(pods, "items", NULL);
	char *address = arg;

	for (size_t i = 0; i < json_length(items) && !*address; i++) {
		const char *ip = json_text(json_item(items, i), "status", "podIP", NULL);

		/* Longer than an address can be: it stays empty. */
		if (ip)
			(void)!text_copy(address, AGENT_ADDRESS, ip);
	}
}

static int write_query(struct buf *b, const char *node, const char *labels, struct err *e)
{
	if (buf_add_str(b, "fieldSelector=spec.nodeName%3D", e) < 0 || k8s_escape(b, node, e) < 0 ||
	    buf_add_str(b, "&labelSelector=", e) < 0)
		return -1;
	return k8s_escape(b, labels, e);
}

int agent_find(struct asker *a, const char *node, const char *labels, uint16_t port,
	       char ret_address[static AGENT_ADDRESS], struct err *e)
{
	_cleanup_buf_ struct buf path;
	_cleanup_buf_ struct buf query;
	struct k8s_call call = {.verb = "GET", .retry = true};
	char ip[AGENT_ADDRESS] = "";

	buf_init(&path, 2 * KIB);
	buf_init(&query, 4 * KIB);
	if (k8s_path(&path, e, "api", "v1", "namespaces", k8s_config_namespace(a->config), "pods",
		     NULL) < 0 ||
	    write_query(&query, node, labels, e) < 0)
		return -1;
	call.path = buf_str(&path);
	call.query = buf_str(&query);
	if (ask(a, &call, take_address, ip, e) < 0)
		return err_add(e, "find the agent's pod");
	if (!*ip)
		return err_set(e, ERR_NOT_FOUND,
			       "no pod with labels %s has an address on node %s: does the "
			       "DaemonSet run there?",
			       labels, node);
	snprintf(ret_address, AGENT_ADDRESS, strchr(ip, ':') ? "[%.45s]:%u" : "%.45s:%u", ip,
		 (unsigned)port);
	return 0;
}

/* "10.0.0.7:9402", "[2001:db8::1]:9402" */
static int dial(const char *address, int *ret_fd, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	_cleanup_close_ int fd = -1;
	struct addrinfo *found = NULL;
	char host[LIMIT_HOST_NAME + 1];
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	bool brackets = len > 2 && address[0] == '[' && address[len - 1] == ']';
	int r;

	if (len == 0 || len >= sizeof(host))
		return err_set(e, ERR_INVALID, "%s is not HOST:PORT", address);
	snprintf(host, sizeof(host), "%.*s", (int)(brackets ? len - 2 : len), address + brackets);
	r = getaddrinfo(host, colon + 1, &hints, &found);
	if (r != 0)
		return err_set(e, ERR_UNAVAILABLE, "%s: %s", address, gai_strerror(r));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = fd < 0 ? err_sys(e, "socket") : http_set_deadline(fd, e);
	if (r == 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		r = err_sys(e, "connect");
	freeaddrinfo(found);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int agent_metric(const char *address, const char *series, double *ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf answer;
	size_t name_len = strlen(series);
	const char *body;
	size_t len;

	buf_init(&answer, LIMIT_HTTP_BODY);
	if (dial(address, &fd, e) < 0 || http_get(fd, "/metrics", &answer, &body, &len, e) < 0)
		return err_add(e, "%s", address);
	for (const char *line = body; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, series, name_len) == 0 && line[name_len] == ' ') {
			*ret = strtod(line + name_len, NULL);
			return 0;
		}
	}
	return err_set(e, ERR_NOT_FOUND, "%s/metrics has no %s", address, series);
}
