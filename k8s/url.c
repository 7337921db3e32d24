/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/url.h"

#include <string.h>

#include <curl/curl.h>

static void curlu_freep(CURLU **u)
{
	curl_url_cleanup(*u);
}

/* libcurl's strings go back by curl_free, ours by free. */
static int get(CURLU *u, CURLUPart part, char **ret)
{
	char *value = NULL;

	if (curl_url_get(u, part, &value, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return -1;
	*ret = strdup(value);
	curl_free(value);
	return *ret ? 0 : -1;
}

int url_parse(const char *text, struct url *ret, struct err *e)
{
	_cleanup_(curlu_freep) CURLU *u = curl_url();
	CURLUcode r;
	size_t len;

	if (!u)
		return err_set(e, ERR_EXHAUSTED, "no memory to parse a URL");
	r = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
	if (r != CURLUE_OK)
		return err_set(e, ERR_INVALID, "no URL: %s", curl_url_strerror(r));
	if (get(u, CURLUPART_SCHEME, &ret->scheme) < 0 || get(u, CURLUPART_HOST, &ret->host) < 0 ||
	    get(u, CURLUPART_PATH, &ret->path) < 0)
		return err_set(e, ERR_INVALID, "no URL: it needs a scheme and a host");
	if (get(u, CURLUPART_PORT, &ret->port) < 0)
		return err_set(e, ERR_INVALID, "no URL: it needs a port");
	for (len = strlen(ret->path); len && ret->path[len - 1] == '/'; len--)
		ret->path[len - 1] = '\0';
	return 0;
}

void url_done(struct url *u)
{
	free(u->scheme);
	free(u->host);
	free(u->port);
	free(u->path);
	*u = (struct url){0};
}
