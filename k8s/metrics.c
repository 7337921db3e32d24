/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/metrics.h"

const struct metric metric_requests = {
    .name = K8S_METRIC("api_requests_total"),
    .help = "Requests to the API server by verb and HTTP status; none: no answer came.",
    .type = METRIC_COUNTER,
    .labels = {"verb", "code"},
    .max_series = 64,
};

const struct metric metric_restarts = {
    .name = K8S_METRIC("watch_restarts_total"),
    .help = "Watches that were opened again, by what had ended them; end: the server's own time.",
    .type = METRIC_COUNTER,
    .labels = {"reason"},
    .max_series = 16,
};
