/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/pair.h"

#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void pair_start(struct pair *p, talk_fn fn)
{
	metrics_reset();
	talker_start(&p->t, fn, NULL);
	bench_start(&p->b, p->t.kubeconfig, NULL);
}

void pair_stop(struct pair *p)
{
	bench_stop(&p->b);
	talker_stop(&p->t);
}

struct err pair_call(struct pair *p, const struct k8s_call *c, int code)
{
	struct bench_answer a;

	bench_call(&p->b, c, &a);
	if (a.code != code)
		fail_msg("code %d, not %d: %s", a.code, code, a.e.message);
	bench_answer_done(&a);
	return a.e;
}
