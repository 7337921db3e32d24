/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How the files of cert/ say no. Every step of judging returns 0 or -1; -1 is either an unfit input
 * (the verdict's reason is set) or a fault of ours (the reason is NONE and e is filled).
 */

#include "cert/gate.h"

void verdict_set(struct gate_verdict *v, enum reason reason, const char *fmt, ...) _printf_(3, 4);

/* Sets reason and detail and is -1. Never give it bytes of the input. */
#define verdict_unfit(v, reason, ...) (verdict_set((v), (reason), __VA_ARGS__), -1)

/* Empties OpenSSL's error queue. True when the failure was about memory, not about the input. */
bool verdict_out_of_memory(void);

/* A call of OpenSSL failed on this input: EXHAUSTED when memory is gone, else the reason. */
#define verdict_openssl(v, e, reason, ...)                                                         \
	(verdict_out_of_memory() ? err_set((e), ERR_EXHAUSTED, "out of memory in OpenSSL")         \
				 : verdict_unfit((v), (reason), __VA_ARGS__))
