/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "sandbox/internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int drop_bounding(void)
{
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EINVAL
				   ? 0
				   : -1; /* beyond the last one that this kernel knows */
	return 0;
}

static bool has(const struct __user_cap_data_struct data[static 2], unsigned cap)
{
	return data[cap / 32].effective >> (cap % 32) & 1;
}

int caps_limit(uint64_t mask, struct err *e)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(e, "read the capabilities");
	/* Without SETPCAP the bounding set stays; no_new_privs makes it useless then. */
	if (has(data, CAP_SETPCAP) && drop_bounding() < 0)
		return err_sys(e, "drop the bounding set");
	/* The ambient set falls with the inheritable one. */
	for (unsigned i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(mask >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(e, "drop capabilities");
	return 0;
}
