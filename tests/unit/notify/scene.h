/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/*
 * What the tests of real processes share: a cgroup tree of their own with two pods in it, and the
 * machine's processes.
 */

#include "base/process.h"
#include "notify/process.h"
#include "tests/lib/cgroups.h"
#include "tests/lib/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>

#define UID_A "0f2b7c1a-6f0e-4a53-9d0b-3b1c5a7e9f10"
#define UID_A_ "0f2b7c1a_6f0e_4a53_9d0b_3b1c5a7e9f10"
#define UID_B "1f2b7c1a-6f0e-4a53-9d0b-3b1c5a7e9f11"
#define UID_B_ "1f2b7c1a_6f0e_4a53_9d0b_3b1c5a7e9f11"
#define ID_A "aaaaaaaaaaaaaaaa0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B "bbbbbbbbbbbbbbbb0123456789abcdef0123456789abcdef0123456789abcdef"

#define GROUP_A "kubepods/burstable/pod" UID_A "/" ID_A
#define GROUP_A2 "kubepods/burstable/pod" UID_A "/" ID_B /* another container of the pod */
#define GROUP_B "kubepods/burstable/pod" UID_B "/" ID_B

struct scene {
	struct test_cgroups groups;
	struct notify_host host;
};

/* controller as for test_cgroups_init. Skips the test where it cannot be. */
static inline void scene_open(struct scene *s, const char *controller)
{
	struct err e = {0};

	if (!test_cgroups_init(&s->groups, controller)) {
		fprintf(stderr, "SKIP: no %s cgroup hierarchy that we may write\n",
			*controller ? controller : "unified");
		skip();
	}
	if (notify_host_open(s->groups.root, "/proc", &s->host, &e) < 0)
		fail_msg("%s", e.message);
}

static inline void scene_close(struct scene *s)
{
	notify_host_close(&s->host);
	test_cgroups_done(&s->groups);
}

static inline struct process_query query_for(const char *comm)
{
	struct process_query q = {.pod_uid = UID_A, .container_id = ID_A};

	snprintf(q.comm, sizeof(q.comm), "%s", comm);
	return q;
}

/* Starts a process in a group, with handlers. */
static inline void scene_start(struct scene *s, struct target *t, const char *group,
			       struct target_plan plan)
{
	if (group)
		plan.cgroup = test_cgroup_make(&s->groups, group);
	assert_true(target_start(t, &plan));
}

static inline enum signal_result scene_find(struct scene *s, const char *comm, struct process *ret)
{
	const struct process_query q = query_for(comm);
	enum signal_result result;
	struct err e = {0};

	if (process_find(&s->host, &q, ret, &result, &e) < 0)
		fail_msg("%s", e.message);
	return result;
}

static inline enum signal_result scene_signal(struct scene *s, const char *comm, int signal)
{
	const struct process_query q = query_for(comm);
	enum signal_result result;
	struct process p;
	struct err e = {0};

	if (process_signal(&s->host, &q, signal, &p, &result, &e) < 0)
		fail_msg("%s", e.message);
	return result;
}
