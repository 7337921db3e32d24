/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the system call filters of head and hand as libseccomp makes them for this processor, and loads none (the link replaces
 * seccomp_load).
 *
 *     filters head|hand
 */

#include "sandbox/internal.h"

#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int __wrap_seccomp_load(scmp_filter_ctx ctx);
int __wrap_seccomp_load(scmp_filter_ctx ctx)
{
	return seccomp_export_pfc(ctx, STDOUT_FILENO);
}

int main(int argc, char **argv)
{
	struct err e;
	bool on;
	int r;

	if (argc != 2) {
		fputs("usage: filters head|hand\n", stderr);
		return 2;
	}
	r = strcmp(argv[1], "hand") == 0 ? filter_hand(&on, &e) : filter_head(&on, &e);
	if (r < 0)
		fprintf(stderr, "filters: %s\n", e.message);
	return r < 0;
}
