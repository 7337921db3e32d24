/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/metrics.h"

#include <inttypes.h>
#include <string.h>
#include <sys/queue.h>

struct series {
	LIST_ENTRY(series) next;
	char *values[METRIC_LABELS]; /* owned */
	double value;                /* histogram: sum */
	uint64_t count;              /* histogram only */
	uint64_t buckets[METRIC_BUCKETS];
};

struct family {
	LIST_ENTRY(family) next;
	const struct metric *metric;
	LIST_HEAD(, series) series;
	size_t series_count;
};

static LIST_HEAD(, family) families = LIST_HEAD_INITIALIZER(families);

static const struct metric dropped = {
    .name = "certhup_metrics_dropped_total",
    .help = "Series that were not made because their family has its maximum.",
    .type = METRIC_COUNTER,
    .max_series = 1,
};

/* The family, made where missing and kept in order of names. NULL when memory is gone. */
static struct family *family_of(const struct metric *m)
{
	struct family *before = NULL;
	struct family *f;

	LIST_FOREACH (f, &families, next) {
		int order = strcmp(f->metric->name, m->name);

		if (order == 0)
			return f;
		if (order < 0)
			before = f;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->metric = m;
	LIST_INIT(&f->series);
	if (before)
		LIST_INSERT_AFTER(before, f, next);
	else
		LIST_INSERT_HEAD(&families, f, next);
	return f;
}

static bool same_values(const struct metric *m, const struct series *s,
			const char *const values[METRIC_LABELS])
{
	for (int i = 0; i < METRIC_LABELS && m->labels[i]; i++)
		if (strcmp(s->values[i], values && values[i] ? values[i] : "") != 0)
			return false;
	return true;
}

static struct series *find(const struct family *f, const char *const values[METRIC_LABELS])
{
	struct series *s;

	LIST_FOREACH (s, &f->series, next)
		if (same_values(f->metric, s, values))
			return s;
	return NULL;
}

static void series_free(struct series *s)
{
	for (int i = 0; i < METRIC_LABELS; i++)
		free(s->values[i]);
	free(s);
}

static struct series *make(struct family *f, const char *const values[METRIC_LABELS])
{
	struct series *s;

	if (f->series_count >= f->metric->max_series) {
		if (f->metric != &dropped)
			metric_add(&dropped, 1, NULL);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	for (int i = 0; i < METRIC_LABELS && f->metric->labels[i]; i++) {
		s->values[i] = strdup(values && values[i] ? values[i] : "");
		if (!s->values[i]) {
			series_free(s);
			return NULL;
		}
	}
	LIST_INSERT_HEAD(&f->series, s, next);
	f->series_count++;
	return s;
}

static struct series *series_of(const struct metric *m, const char *const values[METRIC_LABELS])
{
	struct family *f = family_of(m);
	struct series *s;

	if (!f)
		return NULL;
	s = find(f, values);
	return s ? s : make(f, values);
}

void metric_add(const struct metric *m, double by, const char *const values[METRIC_LABELS])
{
	struct series *s = series_of(m, values);

	if (s)
		s->value += by;
}

void metric_set(const struct metric *m, double to, const char *const values[METRIC_LABELS])
{
	struct series *s = series_of(m, values);

	if (s)
		s->value = to;
}

void metric_observe(const struct metric *m, double value, const char *const values[METRIC_LABELS])
{
	struct series *s = series_of(m, values);

	if (!s)
		return;
	s->value += value;
	s->count++;
	for (size_t i = 0; i < m->bucket_count && i < METRIC_BUCKETS; i++)
		if (value <= m->buckets[i])
			s->buckets[i]++;
}

void metric_init(const struct metric *m, const char *const values[METRIC_LABELS])
{
	(void)series_of(m, values);
}

void metric_remove(const struct metric *m, const char *const values[METRIC_LABELS])
{
	struct family *f = family_of(m);
	struct series *s = f ? find(f, values) : NULL;

	if (!s)
		return;
	LIST_REMOVE(s, next);
	f->series_count--;
	series_free(s);
}

double metric_value(const struct metric *m, const char *const values[METRIC_LABELS])
{
	struct family *f = family_of(m);
	struct series *s = f ? find(f, values) : NULL;

	if (!s)
		return 0;
	return m->type == METRIC_HISTOGRAM ? (double)s->count : s->value;
}

static int write_label_value(struct buf *b, const char *v, struct err *e)
{
	for (; *v; v++) {
		int r;

		if (*v == '\\' || *v == '"')
			r = buf_printf(b, e, "\\%c", *v);
		else if (*v == '\n')
			r = buf_add_str(b, "\\n", e);
		else
			r = buf_add(b, v, 1, e);
		if (r < 0)
			return -1;
	}
	return 0;
}

/* {a="x",b="y",le="0.5"}: nothing where there is no label. */
static int write_labels(struct buf *b, const struct metric *m, const struct series *s,
			const char *le, struct err *e)
{
	bool any = false;

	for (int i = 0; i < METRIC_LABELS && m->labels[i]; i++) {
		if (buf_printf(b, e, "%s%s=\"", any ? "," : "{", m->labels[i]) < 0 ||
		    write_label_value(b, s->values[i], e) < 0 || buf_add_str(b, "\"", e) < 0)
			return -1;
		any = true;
	}
	if (le) {
		if (buf_printf(b, e, "%sle=\"%s\"", any ? "," : "{", le) < 0)
			return -1;
		any = true;
	}
	return any ? buf_add_str(b, "}", e) : 0;
}

static int write_histogram(struct buf *b, const struct metric *m, const struct series *s,
			   struct err *e)
{
	for (size_t i = 0; i <= m->bucket_count; i++) {
		char le[32] = "+Inf";
		uint64_t n = i == m->bucket_count ? s->count : s->buckets[i];

		if (i < m->bucket_count)
			snprintf(le, sizeof(le), "%g", m->buckets[i]);
		if (buf_printf(b, e, "%s_bucket", m->name) < 0 ||
		    write_labels(b, m, s, le, e) < 0 || buf_printf(b, e, " %" PRIu64 "\n", n) < 0)
			return -1;
	}
	if (buf_printf(b, e, "%s_sum", m->name) < 0 || write_labels(b, m, s, NULL, e) < 0 ||
	    buf_printf(b, e, " %.17g\n%s_count", s->value, m->name) < 0 ||
	    write_labels(b, m, s, NULL, e) < 0)
		return -1;
	return buf_printf(b, e, " %" PRIu64 "\n", s->count);
}

static int write_family(struct buf *b, const struct family *f, struct err *e)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	const struct metric *m = f->metric;
	const struct series *s;

	if (LIST_EMPTY(&f->series))
		return 0;
	if (buf_printf(b, e, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
		       types[m->type]) < 0)
		return -1;
	LIST_FOREACH (s, &f->series, next) {
		int r;

		if (m->type == METRIC_HISTOGRAM)
			r = write_histogram(b, m, s, e);
		else if (buf_add_str(b, m->name, e) < 0 || write_labels(b, m, s, NULL, e) < 0)
			r = -1;
		else
			r = buf_printf(b, e, " %.17g\n", s->value);
		if (r < 0)
			return -1;
	}
	return 0;
}

int metrics_write(struct buf *b, struct err *e)
{
	const struct family *f;

	LIST_FOREACH (f, &families, next)
		if (write_family(b, f, e) < 0)
			return err_add(e, "metrics page");
	return 0;
}

void metrics_reset(void)
{
	struct family *f = LIST_FIRST(&families);

	LIST_INIT(&families);
	while (f) {
		struct family *next_family = LIST_NEXT(f, next);
		struct series *s = LIST_FIRST(&f->series);

		while (s) {
			struct series *next_series = LIST_NEXT(s, next);

			series_free(s);
			s = next_series;
		}
		free(f);
		f = next_family;
	}
}
