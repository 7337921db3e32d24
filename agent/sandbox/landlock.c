/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "sandbox/internal.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>

/* What newer kernels than the build's headers know. */
#define FS_REFER (1u << 13)     /* ABI 2 */
#define FS_TRUNCATE (1u << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1u << 15) /* ABI 5 */
#define SCOPE_ABSTRACT_UNIX_SOCKET (1u << 0)
#define SCOPE_SIGNAL (1u << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;             /* ABI 6 */
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | FS_REFER | FS_TRUNCATE)
#define FS_ALL                                                                                     \
	(FS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                    \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | FS_IOCTL_DEV)

static uint64_t known_fs(long abi)
{
	uint64_t fs = FS_ALL;

	if (abi < 2)
		fs &= ~(uint64_t)FS_REFER;
	if (abi < 3)
		fs &= ~(uint64_t)FS_TRUNCATE;
	if (abi < 5)
		fs &= ~(uint64_t)FS_IOCTL_DEV;
	return fs;
}

static size_t attr_size(long abi)
{
	if (abi < 4)
		return offsetof(struct ruleset_attr, handled_access_net);
	return abi < 6 ? offsetof(struct ruleset_attr, scoped) : sizeof(struct ruleset_attr);
}

static int add_rule(int ruleset, const struct landlock_rule *rule, uint64_t handled, struct err *e)
{
	struct landlock_path_beneath_attr beneath = {
	    .allowed_access = (rule->write ? FS_WRITE : FS_READ) & handled,
	    .parent_fd = rule->fd,
	};

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		return err_sys(e, "allow a directory by Landlock");
	return 0;
}

int landlock_limit(const struct landlock_rule *rules, size_t count, bool scope_signals,
		   int *ret_abi, struct err *e)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset_attr attr = {0};
	_cleanup_close_ int ruleset = -1;

	*ret_abi = 0;
	if (abi < 1)
		return 0;
	attr.handled_access_fs = known_fs(abi);
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | (scope_signals ? SCOPE_SIGNAL : 0);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0);
	if (ruleset < 0)
		return err_sys(e, "make a Landlock ruleset");
	for (size_t i = 0; i < count; i++)
		if (add_rule(ruleset, &rules[i], attr.handled_access_fs, e) < 0)
			return -1;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_sys(e, "enter the Landlock ruleset");
	*ret_abi = (int)abi;
	return 0;
}
