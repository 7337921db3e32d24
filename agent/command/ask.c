/* SPDX-License-Identifier: Apache-2.0 */
#include "command/ask.h"

int asker_init(struct asker *a, const char *kubeconfig, const char *context, struct err *e)
{
	const struct k8s_config_options options = {.kubeconfig = kubeconfig, .context = context};

	*a = (struct asker){0};
	if (loop_new(clock_system(), &a->loop, e) < 0 ||
	    k8s_config_load(&options, &a->config, e) < 0)
		return -1;
	return k8s_client_new(a->loop, a->config, "certhup/" CERTHUP_VERSION, &a->client, e);
}

void asker_done(struct asker *a)
{
	a->client = k8s_client_free(a->client);
	a->config = k8s_config_free(a->config);
	a->loop = loop_free(a->loop);
}

struct question {
	struct loop *loop;
	void (*take)(void *arg, const struct json *object);
	void *arg;
	bool failed;
	struct err e;
};

static void on_answer(void *arg, const struct k8s_answer *answer, const struct err *e)
{
	struct question *q = arg;

	q->failed = e != NULL;
	if (e)
		q->e = *e;
	else if (q->take)
		q->take(q->arg, answer->object);
	loop_stop(q->loop);
}

int ask(struct asker *a, const struct k8s_call *call,
	void (*take)(void *arg, const struct json *object), void *arg, struct err *e)
{
	struct question q = {.loop = a->loop, .take = take, .arg = arg};
	struct k8s_request *request = NULL;
	int r;

	if (k8s_request_start(a->client, call, on_answer, &q, &request, e) < 0)
		return -1;
	r = loop_run(a->loop, e);
	k8s_request_free(request);
	if (r == 0 && q.failed) {
		*e = q.e;
		return -1;
	}
	return r;
}
