/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The metrics and health page: /metrics, /healthz, /readyz and /startupz over event/http.h.
 */

#include "event/loop.h"

#define PAGE_WHY_SIZE 256

struct page;

struct page_callbacks {
	/* True when ready; else why holds a sentence, which /readyz answers with 503. NULL: always ready. */
	bool (*is_ready)(void *arg, char why[static PAGE_WHY_SIZE]);
	/* True after the first delivery, for /startupz. NULL: there is no such page. */
	bool (*is_started)(void *arg);
	/* Sets what is only known now, before /metrics is written. NULL: nothing. */
	void (*before_metrics)(void *arg);
	/* There is no /metrics. */
	bool health_only;
};

/* listen as event/http.h has it. /healthz answers 200 as long as the loop turns: it never depends on the API server. */
int page_new(struct loop *loop, const char *listen, const struct page_callbacks *callbacks,
	     void *arg, struct page **ret, struct err *e) _must_check_;
struct page *page_free(struct page *p);
uint16_t page_port(const struct page *p);
