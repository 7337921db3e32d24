/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whether the API server is still behind open but silent watches; for the files of k8s/ alone. While
 * any of them is silent for LIMIT_WATCH_SILENCE_MS, one small GET asks for all; when it has no answer
 * in LIMIT_LIVENESS_MS, all are dropped, and begin again each after its own backoff.
 */

struct k8s_client;

/* A stream was opened. */
void liveness_begin(struct k8s_client *c);

void liveness_check(void *client);
