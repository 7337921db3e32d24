/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/resolve.h"

#include "base/buf.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

static void addrinfo_freep(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

static bool is_address(const char *host)
{
	unsigned char any[sizeof(struct in6_addr)];

	return host[0] == '[' || inet_pton(AF_INET, host, any) == 1;
}

int resolve_host(const char *host, const char *port, char **ret, struct err *e)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	_cleanup_(addrinfo_freep) struct addrinfo *list = NULL;
	_cleanup_buf_ struct buf b = {.max = 4 * KIB};
	int count = 0;
	int r;

	*ret = NULL;
	if (is_address(host))
		return 0;
	r = getaddrinfo(host, port, &hints, &list);
	if (r != 0)
		return err_set(e, ERR_UNAVAILABLE,
			       "resolve %s: %s (is the name right, and does the DNS answer?)", host,
			       gai_strerror(r));
	if (buf_printf(&b, e, "%s:%s:", host, port) < 0)
		return -1;
	for (const struct addrinfo *a = list; a && count < LIMIT_ADDRESSES; a = a->ai_next) {
		char text[INET6_ADDRSTRLEN];

		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST) != 0)
			continue;
		if (buf_printf(&b, e, a->ai_family == AF_INET6 ? "%s[%s]" : "%s%s",
			       count ? "," : "", text) < 0)
			return -1;
		count++;
	}
	*ret = strdup(buf_str(&b));
	return *ret ? 0 : err_sys(e, "resolve %s", host);
}
