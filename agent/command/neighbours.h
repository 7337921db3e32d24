/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

/*
 * Whether the containers of our pod share one process namespace (shareProcessNamespace: true), so
 * that their processes can be seen and signalled. proc: "/proc".
 *
 * Errors: INVALID  they do not, or it is the node's (hostPID), where names are no proof of anything
 */
int neighbours_shared(const char *proc, struct err *e) _must_check_;
