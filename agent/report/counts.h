/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Every metric of the agent, by the names of docs/reference.md. Known label sets exist with 0 from the start (counts_init).
 */

#include "base/limits.h"
#include "base/metrics.h"
#include "base/reason.h"

extern const struct metric
    count_rotation_latency; /* histogram, seconds: last byte read -> rename done */
extern const struct metric
    count_adoption_latency; /* histogram, seconds: rename done -> seen served */
extern const struct metric
    count_rotations; /* total{result="published|unchanged|failed|rolled_back"} */
extern const struct metric count_rejected; /* total{reason} */
extern const struct metric count_reloads;  /* total{action,result} */
extern const struct metric count_probes;   /* total{result="seen|no_connection|broken"} */
extern const struct metric
    count_not_after; /* timestamp_seconds{namespace,secret,of="secret|file|served"} */
extern const struct metric count_not_before; /* timestamp_seconds{namespace,secret} */
extern const struct metric
    count_unadopted; /* certhup_binding_unadopted{namespace,pod,volume,state}: 1 while so */
extern const struct metric count_bindings; /* certhup_bindings{state} */
extern const struct metric
    count_watch_up; /* certhup_watch_up{resource}: share of watches that are up, 0 to 1 */
extern const struct metric count_repairs; /* total */
extern const struct metric count_hand_up; /* 0 or 1 */
extern const struct metric count_events;  /* total{result="sent|dropped|failed"} */

/* Sets certhup_build_info, start time, and every known label set to 0. */
void counts_init(const char *version);
/* process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, ...: read now, before a page is written. */
void counts_process(void);
