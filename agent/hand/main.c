/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */

/* certhup-hand: opens what it needs, makes itself small, and serves the head. */

#include "base/log.h"
#include "hand/roots.h"
#include "sandbox/sandbox.h"

#include <signal.h>
#include <sys/prctl.h>

static int limit(struct roots *r, struct err *e)
{
	const struct hand_options *o = &r->options;
	int write_fds[2] = {o->tree.pods_fd, o->state_fd};
	int read_fds[2] = {o->host.proc_fd, o->host.cgroup_fd};
	struct sandbox_hand s = {.chown = true,
				 .kill = (o->ops & 1u << HAND_SIGNAL) && o->host.proc_fd >= 0,
				 .write_fds = write_fds,
				 .read_fds = read_fds,
				 .writes = o->state_fd >= 0 ? 2 : 1,
				 .reads = o->host.proc_fd < 0     ? 0
					  : o->host.cgroup_fd < 0 ? 1
								  : 2};
	struct sandbox_report *report = &r->options.sandbox;

	if (sandbox_hand(&s, report, e) < 0)
		return -1;
	if (!report->seccomp)
		log_warn("sandbox.missing",
			 L_STR(LOG_MESSAGE, "the kernel has no seccomp filters"));
	if (!report->landlock)
		log_warn("sandbox.missing", L_STR(LOG_MESSAGE, "the kernel has no Landlock"));
	/* A head that started us takes us along, whatever becomes of the socket. */
	if (o->socket_fd >= 0 && prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		return err_sys(e, "ask to end with the head");
	return 0;
}

static int fail(const struct err *e)
{
	log_error("hand.failed", L_ERR(e));
	return 1;
}

int main(int argc, char **argv)
{
	_cleanup_(roots_done) struct roots roots = {
	    .lock_fd = -1,
	    .options = {.socket_fd = -1,
			.listen_fd = -1,
			.tree.pods_fd = -1,
			.state_fd = -1,
			.host = {.cgroup_fd = -1, .proc_fd = -1}}};
	struct hand_flags flags;
	struct err e;

	if (flags_parse(argc, argv, &flags, &e) < 0) {
		fprintf(stderr, "certhup-hand: %s\nTry --help.\n", e.message);
		return 2;
	}
	if (flags.help || flags.version) {
		if (flags.help)
			flags_help(stdout);
		else
			puts("certhup-hand " CERTHUP_VERSION);
		return 0;
	}
	log_setup(flags.log_level, flags.log_format);
	if (sandbox_begin(flags.socket_fd, &e) < 0 || roots_open(&flags, &roots, &e) < 0 ||
	    limit(&roots, &e) < 0)
		return fail(&e);
	log_info("hand.started", L_STR(LOG_VERSION, CERTHUP_VERSION),
		 L_STR(LOG_PATH, flags.dir ? flags.dir : flags.kubelet_root));
	return hand_serve(&roots.options, &e) < 0 ? fail(&e) : 0;
}
