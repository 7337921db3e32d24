/* SPDX-License-Identifier: Apache-2.0 */
#include "report/page.h"

#include "event/http.h"
#include "report/counts.h"

#include <string.h>

struct page {
	struct http_server *server;
	struct page_callbacks callbacks;
	void *arg;
};

/* What a page says does not matter when memory is gone; the status does. */
static int say(struct buf *body, int status, const char *text)
{
	struct err ignored;

	return buf_printf(body, &ignored, "%s\n", text) < 0 ? 500 : status;
}

static int metrics(struct page *p, struct buf *body, const char **ret_content_type)
{
	struct err e;

	counts_process();
	if (p->callbacks.before_metrics)
		p->callbacks.before_metrics(p->arg);
	if (metrics_write(body, &e) < 0) {
		buf_reset(body);
		return say(body, 500, e.message);
	}
	*ret_content_type = "text/plain; version=0.0.4; charset=utf-8";
	return 200;
}

static int ready(struct page *p, struct buf *body)
{
	char why[PAGE_WHY_SIZE] = "not ready";

	if (!p->callbacks.is_ready || p->callbacks.is_ready(p->arg, why))
		return say(body, 200, "ok");
	return say(body, 503, why);
}

static int started(struct page *p, struct buf *body)
{
	return p->callbacks.is_started(p->arg) ? say(body, 200, "ok")
					       : say(body, 503, "nothing was delivered yet");
}

static int answer(void *arg, const char *path, struct buf *body, const char **ret_content_type)
{
	struct page *p = arg;

	if (strcmp(path, "/metrics") == 0 && !p->callbacks.health_only)
		return metrics(p, body, ret_content_type);
	if (strcmp(path, "/healthz") == 0)
		return say(body, 200, "ok");
	if (strcmp(path, "/readyz") == 0)
		return ready(p, body);
	if (strcmp(path, "/startupz") == 0 && p->callbacks.is_started)
		return started(p, body);
	if (p->callbacks.health_only)
		return say(body, 404, "try /healthz or /readyz: /metrics is switched off");
	return say(body, 404,
		   p->callbacks.is_started ? "try /metrics, /healthz, /readyz or /startupz"
					   : "try /metrics, /healthz or /readyz");
}

int page_new(struct loop *loop, const char *listen, const struct page_callbacks *callbacks,
	     void *arg, struct page **ret, struct err *e)
{
	struct page *p = calloc(1, sizeof(*p));

	if (!p)
		return err_sys(e, "metrics page");
	p->callbacks = *callbacks;
	p->arg = arg;
	if (http_server_new(loop,
			    &(struct http_options){.listen = listen, .handler = answer, .arg = p},
			    &p->server, e) < 0) {
		free(p);
		return err_add(e, "metrics page");
	}
	*ret = p;
	return 0;
}

struct page *page_free(struct page *p)
{
	if (p)
		http_server_free(p->server);
	free(p);
	return NULL;
}

uint16_t page_port(const struct page *p)
{
	return http_server_port(p->server);
}
