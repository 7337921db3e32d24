/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/metrics.h"

#include "base/text.h"

#include <inttypes.h>
#include <search.h>
#include <string.h>
#include <sys/queue.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

struct series {
	union {
		char *values[METRIC_LABELS];    /* owned; NULL behind the last */
		const char *key[METRIC_LABELS]; /* of one that is only compared with */
	};
	double value;       /* histogram: sum */
	uint64_t count;     /* histogram only */
	uint64_t buckets[]; /* histogram only: bucket_count */
};

struct family {
	LIST_ENTRY(family) next;
	const struct metric *metric;
	void *series; /* tree of tsearch(3), in bytewise order of the values */
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
	if (before)
		LIST_INSERT_AFTER(before, f, next);
	else
		LIST_INSERT_HEAD(&families, f, next);
	return f;
}

static int by_values(const void *a, const void *b)
{
	const struct series *x = a;
	const struct series *y = b;

	for (int i = 0; i < METRIC_LABELS && x->values[i]; i++) {
		int order = strcmp(x->values[i], y->values[i]);

		if (order != 0)
			return order;
	}
	return 0;
}

static struct series *find(const struct family *f, const char *const values[METRIC_LABELS])
{
	struct series key = {0};
	struct series *const *found;

	for (int i = 0; i < METRIC_LABELS && f->metric->labels[i]; i++)
		key.key[i] = values && values[i] ? values[i] : "";
	found = tfind(&key, &f->series, by_values);
	return found ? *found : NULL;
}

static void series_free(void *arg)
{
	struct series *s = arg;

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
	s = calloc(1, sizeof(*s) + f->metric->bucket_count * sizeof(s->buckets[0]));
	if (!s)
		return NULL;
	for (int i = 0; i < METRIC_LABELS && f->metric->labels[i]; i++) {
		s->values[i] = strdup(values && values[i] ? values[i] : "");
		if (!s->values[i]) {
			series_free(s);
			return NULL;
		}
	}
	if (!tsearch(s, &f->series, by_values)) {
		series_free(s);
		return NULL;
	}
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
	for (size_t i = 0; i < m->bucket_count; i++)
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
	tdelete(s, &f->series, by_values);
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

/* C0 without the newline, DEL, and C1: a terminal would obey them. */
static bool is_control(const char *v)
{
	unsigned char c = (unsigned char)*v;

	return (c < ' ' && c != '\n') || c == 0x7f || (c == 0xc2 && (unsigned char)v[1] < 0xa0);
}

static int write_label_value(struct buf *b, const char *v, struct err *e)
{
	size_t len = strlen(v);

	while (len) {
		size_t n = text_utf8_length(v, len);
		int r;

		if (!n || is_control(v))
			r = buf_add_str(b, REPLACEMENT, e);
		else if (*v == '\\' || *v == '"')
			r = buf_printf(b, e, "\\%c", *v);
		else if (*v == '\n')
			r = buf_add_str(b, "\\n", e);
		else
			r = buf_add(b, v, n, e);
		if (r < 0)
			return -1;
		v += n ? n : 1;
		len -= n ? n : 1;
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

struct writing {
	struct buf *b;
	const struct metric *metric;
	struct err *e;
	int result;
};

static int write_series(const struct writing *w, const struct series *s)
{
	if (w->metric->type == METRIC_HISTOGRAM)
		return write_histogram(w->b, w->metric, s, w->e);
	if (buf_add_str(w->b, w->metric->name, w->e) < 0 ||
	    write_labels(w->b, w->metric, s, NULL, w->e) < 0)
		return -1;
	return buf_printf(w->b, w->e, " %.17g\n", s->value);
}

static void visit(const void *node, VISIT which, void *arg)
{
	struct writing *w = arg;

	if (w->result == 0 && (which == postorder || which == leaf))
		w->result = write_series(w, *(struct series *const *)node);
}

static int write_family(struct buf *b, const struct family *f, struct err *e)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	const struct metric *m = f->metric;
	struct writing w = {b, m, e, 0};

	if (!f->series)
		return 0;
	if (buf_printf(b, e, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
		       types[m->type]) < 0)
		return -1;
	twalk_r(f->series, visit, &w);
	return w.result;
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

		tdestroy(f->series, series_free);
		free(f);
		f = next_family;
	}
}
