/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * CERTHUP_TEST=NAME in the environment makes any test program run that one test alone ("*" and "?" are wildcards). Linked into
 * every test program by the Makefile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void test_filter(void);

__attribute__((constructor)) void test_filter(void)
{
	const char *name = getenv("CERTHUP_TEST");

	if (name && *name)
		cmocka_set_test_filter(name);
}
