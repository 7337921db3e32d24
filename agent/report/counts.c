/* SPDX-License-Identifier: Apache-2.0 */
#include "report/counts.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"

#include <dirent.h>
#include <sys/resource.h>

#define SERIES_OF_SECRETS (4 * LIMIT_SECRETS)
#define SERIES_OF_BINDINGS LIMIT_BINDINGS

/* 0.25 ms to 60 s: the agent's own part is about 1 ms, kubelet's would be a minute. */
static const double latency_buckets[] = {0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
					 0.025,   0.05,   0.1,   0.25,   0.5,   1,
					 2.5,     5,      10,    30,     60};

#define HISTOGRAM                                                                                  \
	.type = METRIC_HISTOGRAM, .buckets = latency_buckets,                                      \
	.bucket_count = ARRAY_LEN(latency_buckets)

const struct metric count_rotation_latency = {
    .name = "certhup_rotation_latency_seconds",
    .help = "From the last byte of a Secret's event read to the rename done. Without waiting that "
	    "was asked for.",
    HISTOGRAM,
    .max_series = 1,
};
const struct metric count_adoption_latency = {
    .name = "certhup_adoption_latency_seconds",
    .help = "From the rename done to the new leaf seen served.",
    HISTOGRAM,
    .max_series = 1,
};
const struct metric count_rotations = {
    .name = "certhup_rotations_total",
    .help = "Publications to volumes by result.",
    .type = METRIC_COUNTER,
    .labels = {"result"},
    .max_series = 8,
};
const struct metric count_rejected = {
    .name = "certhup_rejected_total",
    .help = "Pairs that were not published, by reason code.",
    .type = METRIC_COUNTER,
    .labels = {"reason"},
    .max_series = REASONS_COUNT,
};
const struct metric count_reloads = {
    .name = "certhup_reloads_total",
    .help = "Notifications of processes by action and result.",
    .type = METRIC_COUNTER,
    .labels = {"action", "result"},
    .max_series = 64,
};
const struct metric count_probes = {
    .name = "certhup_probes_total",
    .help = "TLS handshakes with workloads by what was seen.",
    .type = METRIC_COUNTER,
    .labels = {"result"},
    .max_series = 4,
};
const struct metric count_not_after = {
    .name = "certhup_certificate_not_after_timestamp_seconds",
    .help = "End of validity of the leaf in the Secret, in the files and as served.",
    .type = METRIC_GAUGE,
    .labels = {"namespace", "secret", "of"},
    .max_series = SERIES_OF_SECRETS,
};
const struct metric count_not_before = {
    .name = "certhup_certificate_not_before_timestamp_seconds",
    .help = "Begin of validity of the leaf in the Secret.",
    .type = METRIC_GAUGE,
    .labels = {"namespace", "secret"},
    .max_series = SERIES_OF_SECRETS,
};
const struct metric count_unadopted = {
    .name = "certhup_binding_unadopted",
    .help =
	"1 while a probed volume's certificate is not seen served; the series exists only then.",
    .type = METRIC_GAUGE,
    .labels = {"namespace", "pod", "volume", "state"},
    .max_series = SERIES_OF_BINDINGS,
};
const struct metric count_bindings = {
    .name = "certhup_bindings",
    .help = "Volumes that are delivered to, by state.",
    .type = METRIC_GAUGE,
    .labels = {"state"},
    .max_series = 16,
};
const struct metric count_watch_up = {
    .name = "certhup_watch_up",
    .help = "Whether the watch of pods is up, and the share of Secrets whose watch is.",
    .type = METRIC_GAUGE,
    .labels = {"resource"},
    .max_series = 4,
};
const struct metric count_repairs = {
    .name = "certhup_repairs_total",
    .help = "Volumes that their pod had damaged and that were mended.",
    .type = METRIC_COUNTER,
    .max_series = 1,
};
const struct metric count_hand_up = {
    .name = "certhup_hand_up",
    .help = "Whether the hand is connected.",
    .type = METRIC_GAUGE,
    .max_series = 1,
};
const struct metric count_events = {
    .name = "certhup_events_total",
    .help = "Kubernetes Events by result.",
    .type = METRIC_COUNTER,
    .labels = {"result"},
    .max_series = 4,
};

static const struct metric build_info = {
    .name = "certhup_build_info",
    .help = "Always 1; the labels say which build this is.",
    .type = METRIC_GAUGE,
    .labels = {"version"},
    .max_series = 1,
};
static const struct metric process_cpu = {
    .name = "process_cpu_seconds_total",
    .help = "Total user and system CPU time spent in seconds.",
    .type = METRIC_COUNTER,
    .max_series = 1,
};
static const struct metric process_resident = {
    .name = "process_resident_memory_bytes",
    .help = "Resident memory size in bytes.",
    .type = METRIC_GAUGE,
    .max_series = 1,
};
static const struct metric process_virtual = {
    .name = "process_virtual_memory_bytes",
    .help = "Virtual memory size in bytes.",
    .type = METRIC_GAUGE,
    .max_series = 1,
};
static const struct metric process_fds = {
    .name = "process_open_fds",
    .help = "Number of open file descriptors.",
    .type = METRIC_GAUGE,
    .max_series = 1,
};
static const struct metric process_max_fds = {
    .name = "process_max_fds",
    .help = "Maximum number of open file descriptors.",
    .type = METRIC_GAUGE,
    .max_series = 1,
};
static const struct metric process_start = {
    .name = "process_start_time_seconds",
    .help = "Start time of the process since unix epoch in seconds.",
    .type = METRIC_GAUGE,
    .max_series = 1,
};

static void init_each(const struct metric *m, const char *const *values)
{
	for (; *values; values++)
		metric_init(m, M_LABELS(*values));
}

static void init_reloads(void)
{
	static const char *const actions[] = {"signal:HUP", "signal:USR1", "signal:USR2"};

	for (size_t a = 0; a < ARRAY_LEN(actions); a++) {
		for (unsigned r = 0; r < SIGNAL_RESULTS; r++)
			metric_init(
			    &count_reloads,
			    M_LABELS(actions[a], signal_result_label((enum signal_result)r)));
		metric_init(&count_reloads, M_LABELS(actions[a], "failed"));
	}
}

void counts_init(const char *version)
{
	static const char *const states[] = {"waiting", "delivered", "notified",    "adopted",
					     "stale",   "broken",    "unconfirmed", NULL};

	init_each(&count_rotations,
		  (const char *const[]){"published", "unchanged", "failed", "rolled_back", NULL});
	init_each(&count_probes, (const char *const[]){"seen", "no_connection", "broken", NULL});
	init_each(&count_events, (const char *const[]){"sent", "dropped", "failed", NULL});
	init_each(&count_bindings, states);
	init_each(&count_watch_up, (const char *const[]){"pods", "secrets", NULL});
	for (unsigned r = REASON_NONE + 1; r < REASONS_COUNT; r++)
		metric_init(&count_rejected, M_LABELS(reason_code((enum reason)r)));
	init_reloads();
	metric_init(&count_rotation_latency, NULL);
	metric_init(&count_adoption_latency, NULL);
	metric_init(&count_repairs, NULL);
	metric_set(&count_hand_up, 0, NULL);
	metric_set(&build_info, 1, M_LABELS(version));
	metric_set(&process_start, (double)clock_wall_ms(clock_system()) / 1000, NULL);
}

/* "/proc/self/statm": total and resident pages. */
static void count_memory(void)
{
	_cleanup_buf_ struct buf b;
	double page = (double)sysconf(_SC_PAGESIZE);
	char *rest;
	struct err e;

	buf_init(&b, 256);
	if (file_read(-1, "/proc/self/statm", &b, &e) < 0)
		return;
	metric_set(&process_virtual, (double)strtoull(buf_str(&b), &rest, 10) * page, NULL);
	metric_set(&process_resident, (double)strtoull(rest, NULL, 10) * page, NULL);
}

static void count_descriptors(void)
{
	struct rlimit limit;
	DIR *dir = opendir("/proc/self/fd");
	int n = -3; /* ".", ".." and the directory's own */

	if (dir) {
		while (readdir(dir))
			n++;
		closedir(dir);
		metric_set(&process_fds, n, NULL);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metric_set(&process_max_fds, (double)limit.rlim_cur, NULL);
}

void counts_process(void)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) == 0)
		metric_set(&process_cpu,
			   (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
			       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6,
			   NULL);
	count_memory();
	count_descriptors();
}
