/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the API server's refusals mean; for the files of k8s/ alone. */

#include "k8s/transfer.h"

/* Fills e from how an exchange ended, kind NONE when it went well. Returns 0 then, else -1. */
int status_judge(const struct transfer_end *end, struct err *e) _must_check_;

/* The same for a Status object with its code in it (a watch's ERROR event). Returns -1. */
int status_of_object(int code, const struct json *status, struct err *e);

/* Retry-After of the headers, else of the Status, in ms; -1 when neither says it. */
int64_t status_retry_after(const struct transfer_end *end);
/* A LIST or WATCH from a resourceVersion that the server has not reached. */
bool status_is_too_large_rv(int code, const struct json *status);
