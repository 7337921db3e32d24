/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Between a request that has come in and the function that serves it.
 */

#include "tests/apiserver/api.h"

/* Serves a call whose user is known. */
void handle_call(struct call *c);
/* Refuses one whose token is unknown. */
void handle_stranger(struct call *c, const struct failure *f);
/* Serves it as its fault says. */
void handle_fault(struct call *c);
