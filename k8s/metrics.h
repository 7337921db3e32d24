/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the client counts; for the files of k8s/ alone. The names begin with the prefix of the
 * program that the client is built into: the registry takes constants, and a hook that passes names
 * in would make each user repeat them.
 */

#include "base/metrics.h"

#define K8S_METRIC(name) "certhup_" name

extern const struct metric metric_requests;
extern const struct metric metric_restarts;
