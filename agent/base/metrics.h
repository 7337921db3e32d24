/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * A registry of counters, gauges and histograms, written out in Prometheus' text format. Series are
 * made when first touched and cost the logarithm of their number; a family bounds how many it may
 * have, so that no label grows memory without end. The registry is one of the two globals (the other is the log level), because every
 * folder counts.
 */

#include "base/buf.h"

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM
};

#define METRIC_LABELS 4

/* Declared as a static constant by whoever counts. */
struct metric {
	const char *name; /* certhup_... in base units */
	const char *help;
	enum metric_type type;
	const char *labels[METRIC_LABELS]; /* names; unused are NULL */
	const double *buckets;             /* histogram: upper bounds, ascending */
	size_t bucket_count;
	size_t max_series; /* further ones are not made, and counted in
			      certhup_metrics_dropped_total */
};

/* Label values in the order of the names; NULL where the metric has none. Copied. */
void metric_add(const struct metric *m, double by, const char *const values[METRIC_LABELS]);
void metric_set(const struct metric *m, double to, const char *const values[METRIC_LABELS]);
void metric_observe(const struct metric *m, double value, const char *const values[METRIC_LABELS]);

/* Makes the series exist with 0, so that a known label set is there from the start. */
void metric_init(const struct metric *m, const char *const values[METRIC_LABELS]);

/* Takes a series away (a binding that is gone). */
void metric_remove(const struct metric *m, const char *const values[METRIC_LABELS]);

/* The value as it stands, for tests and status; 0 where there is none. A histogram's is its count.
 */
double metric_value(const struct metric *m, const char *const values[METRIC_LABELS]);

/* The whole page, families in bytewise order of their names, and series of their label values. What
 * is no UTF-8 in a value, or would control a terminal, becomes U+FFFD. */
int metrics_write(struct buf *b, struct err *e) _must_check_;

/* Forgets everything; for tests. */
void metrics_reset(void);

#define M_LABELS(...) ((const char *const[METRIC_LABELS]){__VA_ARGS__})
