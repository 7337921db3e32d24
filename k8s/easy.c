/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/easy.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

void easy_lists_done(struct easy_lists *l)
{
	curl_slist_free_all(l->headers);
	curl_slist_free_all(l->resolve);
	curl_slist_free_all(l->connect_to);
	*l = (struct easy_lists){0};
}

static int add(struct curl_slist **list, const char *text, struct err *e)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (!longer)
		return err_set(e, ERR_EXHAUSTED, "prepare a request: no memory");
	*list = longer;
	return 0;
}

int easy_add_header(struct easy_lists *l, struct err *e, const char *fmt, ...)
{
	char line[LIMIT_TOKEN + 64];
	va_list ap;
	int len;
	int r;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	r = len < 0 || (size_t)len >= sizeof(line)
		? err_set(e, ERR_EXHAUSTED, "a request header is too long")
		: add(&l->headers, line, e);
	explicit_bzero(line, sizeof(line));
	return r;
}

/* A peer that is gone is noticed within 45 s, whether bytes are under way or not. Best effort: the
 * liveness of watches does not depend on it. */
static int on_new_socket(void *arg _unused_, curl_socket_t fd, curlsocktype purpose _unused_)
{
	const struct {
		int level;
		int option;
		int value;
	} all[] = {
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, LIMIT_TCP_KEEPIDLE_S},
	    {IPPROTO_TCP, TCP_KEEPINTVL, LIMIT_TCP_KEEPINTVL_S},
	    {IPPROTO_TCP, TCP_KEEPCNT, LIMIT_TCP_KEEPCNT},
	    {IPPROTO_TCP, TCP_USER_TIMEOUT, LIMIT_TCP_USER_TIMEOUT_MS},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		(void)setsockopt(fd, all[i].level, all[i].option, &all[i].value,
				 sizeof(all[i].value));
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

/* As a blob: libcurl keeps what it read from a CA file for 24 hours. One that is not set would leave
 * the machine's own roots in force. */
static int set_blob(CURL *easy, CURLoption option, const struct credential *c, struct err *e)
{
	struct curl_blob blob = {
	    .data = c->bytes.data, .len = c->bytes.len, .flags = CURL_BLOB_COPY};

	if (c->bytes.data && curl_easy_setopt(easy, option, &blob) != CURLE_OK)
		return err_set(e, ERR_EXHAUSTED, "prepare a request: no memory");
	return 0;
}

static int set_credentials(CURL *easy, struct k8s_config *c, struct easy_lists *lists,
			   struct err *e)
{
	if (credential_refresh(&c->ca, false, NULL, e) < 0 ||
	    credential_refresh(&c->cert, false, NULL, e) < 0 ||
	    credential_refresh(&c->key, false, NULL, e) < 0 ||
	    credential_refresh(&c->token, false, NULL, e) < 0)
		return -1;
	if (set_blob(easy, CURLOPT_CAINFO_BLOB, &c->ca, e) < 0 ||
	    set_blob(easy, CURLOPT_SSLCERT_BLOB, &c->cert, e) < 0 ||
	    set_blob(easy, CURLOPT_SSLKEY_BLOB, &c->key, e) < 0)
		return -1;
	if (c->ca.bytes.data)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	if (c->token.bytes.data)
		return easy_add_header(lists, e, "Authorization: Bearer %s",
				       (const char *)c->token.bytes.data);
	return 0;
}

static int set_addresses(CURL *easy, const struct k8s_config *c, struct easy_lists *lists,
			 struct err *e)
{
	if ((c->resolve && add(&lists->resolve, c->resolve, e) < 0) ||
	    (c->proxy_resolve && add(&lists->resolve, c->proxy_resolve, e) < 0) ||
	    (c->connect_to && add(&lists->connect_to, c->connect_to, e) < 0) ||
	    (c->host_header && add(&lists->headers, c->host_header, e) < 0))
		return -1;
	curl_easy_setopt(easy, CURLOPT_RESOLVE, lists->resolve);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, lists->connect_to);
	/* "" turns off the proxies of the environment. */
	curl_easy_setopt(easy, CURLOPT_PROXY, c->proxy ? c->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, c->no_proxy ? c->no_proxy : "");
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	return 0;
}

int easy_set_server(CURL *easy, struct k8s_config *c, struct easy_lists *lists, struct err *e)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* One watch on a connection for now: packing many on HTTP/2 needs a liveness of its own. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->insecure ? 0L : 2L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)LIMIT_CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
	if (set_addresses(easy, c, lists, e) < 0)
		return -1;
	return set_credentials(easy, c, lists, e);
}

int easy_failure(const struct k8s_config *c, CURLcode r, const char *text, struct err *e)
{
	static const struct {
		CURLcode code;
		enum err_kind kind;
		const char *next;
	} rows[] = {
	    {CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE,
	     "host names are resolved when the program starts: use an address, or start it again"},
	    {CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE, "check the proxy's name"},
	    {CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE,
	     "is the API server up, and does a network policy or firewall stand between?"},
	    {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT,
	     "is the API server up, and does a network policy or firewall stand between?"},
	    {CURLE_PEER_FAILED_VERIFICATION, ERR_UNAVAILABLE,
	     "check the CA (certificate-authority, or ca.crt of the service account), the name in "
	     "the server's certificate and the clocks"},
	    {CURLE_SSL_CACERT_BADFILE, ERR_INVALID,
	     "certificate-authority or ca.crt holds no usable PEM certificate"},
	    {CURLE_SSL_CERTPROBLEM, ERR_INVALID,
	     "the client certificate and key of the kubeconfig do not work together, or are no "
	     "PEM"},
	    {CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE,
	     "no TLS with it: is this the port of an API server, and does it take the client "
	     "certificate?"},
	    {CURLE_OUT_OF_MEMORY, ERR_EXHAUSTED, "memory is gone"},
	    {CURLE_PARTIAL_FILE, ERR_UNAVAILABLE, "the answer ended too early"},
	    {CURLE_GOT_NOTHING, ERR_UNAVAILABLE, "the connection was closed without an answer"},
	    {CURLE_RECV_ERROR, ERR_UNAVAILABLE, "the connection broke"},
	    {CURLE_SEND_ERROR, ERR_UNAVAILABLE, "the connection broke"},
	};
	const char *what = text[0] ? text : curl_easy_strerror(r);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == r)
			return err_set(e, rows[i].kind, "%s: %s (%s)", c->server, what,
				       rows[i].next);
	return err_set(e, ERR_UNAVAILABLE, "%s: %s", c->server, what);
}
