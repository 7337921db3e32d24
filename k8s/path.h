/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Percent-encoding; for the files of k8s/ alone. k8s_path stands in client.h. */

#include "base/buf.h"

/* Appends text with all but letters, digits and "-._~" percent-encoded. */
int path_escape(struct buf *b, const char *text, struct err *e) _must_check_;
