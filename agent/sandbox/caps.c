/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "sandbox/internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int read_caps(struct __user_cap_data_struct ret[static 2], struct err *e)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	if (syscall(SYS_capget, &header, ret) < 0)
		return err_sys(e, "read the capabilities");
	return 0;
}

bool caps_pass_on(uint64_t mask)
{
	struct __user_cap_data_struct data[2];
	struct err ignored;

	if (geteuid() == 0)
		return read_caps(data, &ignored) == 0 &&
		       (mask & ~((uint64_t)data[1].permitted << 32 | data[0].permitted)) == 0;
	for (unsigned long cap = 0; mask; cap++, mask >>= 1)
		if (mask & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) != 1)
			return false;
	return true;
}

int caps_drop_bounding(struct err *e)
{
	struct __user_cap_data_struct data[2];

	if (read_caps(data, e) < 0)
		return -1;
	if (!(data[CAP_SETPCAP / 32].effective >> CAP_SETPCAP % 32 & 1))
		return 0;
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* EINVAL: beyond the last one that this kernel knows. */
		return errno == EINVAL ? 0 : err_sys(e, "drop the bounding set");
	}
	return 0;
}

int caps_limit(uint64_t mask, struct err *e)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (read_caps(data, e) < 0)
		return -1;
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
