/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* URLs, taken apart by libcurl; for the files of k8s/ alone. */

#include "base/err.h"

struct url {
	char *scheme; /* lower case */
	char *host;   /* an IPv6 address in brackets */
	char *port;   /* the scheme's own where none is given */
	char *path;   /* "" or "/prefix", no slash at its end */
};

/* ret is empty before, and to be given to url_done also on failure. Query and fragment are dropped.
 * Errors: INVALID. */
int url_parse(const char *text, struct url *ret, struct err *e) _must_check_;
void url_done(struct url *u);
