/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once

/* This process and all that it starts see a kernel without Landlock and without seccomp filters.
 * Cannot be undone. -1 where that is not to be had. */
int old_kernel_become(void);
