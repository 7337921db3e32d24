/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Names to addresses, once, before there is a sandbox; for the files of k8s/ alone. */

#include "base/err.h"

/* ret: "host:port:address,..." as CURLOPT_RESOLVE wants it, owned; NULL when host is an address
 * already. Errors: UNAVAILABLE. */
int resolve_host(const char *host, const char *port, char **ret, struct err *e) _must_check_;
