/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A scripted server and a client for it. */

#include "tests/lib/bench.h"
#include "tests/lib/talker.h"

struct pair {
	struct talker t;
	struct bench b;
};

void pair_start(struct pair *p, talk_fn fn);
void pair_stop(struct pair *p);

/* One request, of which only code and error matter; fails the test when the code is another. */
struct err pair_call(struct pair *p, const struct k8s_call *c, int code);
