/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/client.h"

#include "k8s/client_internal.h"
#include "k8s/liveness.h"
#include "k8s/metrics.h"
#include "k8s/request.h"

#include <string.h>

int k8s_client_new(struct loop *loop, struct k8s_config *config, const char *user_agent,
		   struct k8s_client **ret, struct err *e)
{
	_cleanup_(k8s_client_freep) struct k8s_client *c = NULL;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_INTERNAL, "libcurl does not start");
	c = calloc(1, sizeof(*c));
	if (!c) {
		curl_global_cleanup();
		return err_sys(e, "make an API client");
	}
	c->loop = loop;
	c->config = config;
	c->last_status_ms = -1;
	c->times = (struct k8s_times){.backoff_ms = LIMIT_BACKOFF_MIN_MS,
				      .backoff_max_ms = LIMIT_BACKOFF_MAX_MS,
				      .first_event_ms = LIMIT_WATCH_FIRST_EVENT_MS,
				      .silence_ms = LIMIT_WATCH_SILENCE_MS,
				      .liveness_ms = LIMIT_LIVENESS_MS,
				      .poll_ms = LIMIT_POLL_MS,
				      .quiet_ms = LIMIT_WATCH_QUIET_MS};
	c->watch_min_s = LIMIT_WATCH_TIMEOUT_MIN_S;
	c->watch_max_s = LIMIT_WATCH_TIMEOUT_MAX_S;
	TAILQ_INIT(&c->queue);
	TAILQ_INIT(&c->streams);
	TAILQ_INIT(&c->queue_of_watches);
	c->user_agent = strdup(user_agent);
	if (!c->user_agent)
		return err_sys(e, "make an API client");
	if (multi_new(loop, LIMIT_REQUEST_CONNECTIONS, &c->requests, e) < 0 ||
	    multi_new(loop, 0, &c->watches, e) < 0 ||
	    loop_timer_new(loop, request_pump, c, &c->pump, e) < 0 ||
	    loop_timer_new(loop, liveness_check, c, &c->liveness, e) < 0)
		return -1;
	*ret = TAKE(c);
	return 0;
}

struct k8s_client *k8s_client_free(struct k8s_client *c)
{
	if (!c)
		return NULL;
	k8s_request_free(c->liveness_request);
	loop_timer_free(c->liveness);
	loop_timer_free(c->pump);
	multi_free(c->requests);
	multi_free(c->watches);
	free(c->user_agent);
	free(c);
	curl_global_cleanup();
	return NULL;
}

bool k8s_client_is_up(const struct k8s_client *c)
{
	return c->last_status_ms >= 0 && loop_now(c->loop) - c->last_status_ms < MINUTE_MS;
}

void client_count(struct k8s_client *c, const char *verb, int code)
{
	char text[16] = "none";

	if (code) {
		c->last_status_ms = loop_now(c->loop);
		snprintf(text, sizeof(text), "%d", code);
	}
	metric_add(&metric_requests, 1, M_LABELS(verb, text));
}
