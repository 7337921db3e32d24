/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void set_gives_minus_one_and_fills_kind_and_message(void **state _unused_)
{
	struct err e = {.kind = ERR_TIMEOUT, .sys = EIO};

	assert_int_equal(err_set(&e, ERR_INVALID, "key '%s' is %d", "tls.crt", 7), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.message, "key 'tls.crt' is 7");
}

static void sys_takes_errno_as_it_was_before_the_call(void **state _unused_)
{
	struct err e;

	errno = ENOENT;
	assert_int_equal(err_sys(&e, "open %s", "x"), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.message, "open x: No such file or directory");
}

static void kind_follows_from_errno(void **state _unused_)
{
	static const struct {
		int sys;
		enum err_kind kind;
	} rows[] = {
	    {ENOENT, ERR_NOT_FOUND},
	    {ESRCH, ERR_NOT_FOUND},
	    {EACCES, ERR_DENIED},
	    {EPERM, ERR_DENIED},
	    {EROFS, ERR_DENIED},
	    {ENOSPC, ERR_EXHAUSTED},
	    {EDQUOT, ERR_EXHAUSTED},
	    {EMFILE, ERR_EXHAUSTED},
	    {ENOMEM, ERR_EXHAUSTED},
	    {ETIMEDOUT, ERR_TIMEOUT},
	    {EEXIST, ERR_CONFLICT},
	    {EBUSY, ERR_CONFLICT},
	    {ECONNREFUSED, ERR_UNAVAILABLE},
	    {EPIPE, ERR_UNAVAILABLE},
	    {ELOOP, ERR_INVALID},
	    {EINVAL, ERR_INVALID},
	    {EIO, ERR_INTERNAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e;

		assert_int_equal(err_sys_num(&e, rows[i].sys, "x"), -1);
		assert_int_equal(e.kind, rows[i].kind);
		assert_int_equal(e.sys, rows[i].sys);
	}
}

static void context_goes_in_front_and_keeps_kind(void **state _unused_)
{
	struct err e;

	err_set(&e, ERR_DENIED, "no");
	assert_int_equal(err_add(&e, "volume %s", "tls"), -1);
	assert_int_equal(err_add(&e, "pod %s", "web-0"), -1);
	assert_int_equal(err_tail(&e, "tried %d times", 3), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_string_equal(e.message, "pod web-0: volume tls: no; tried 3 times");
}

static void long_texts_are_cut_and_terminated(void **state _unused_)
{
	char text[2 * ERR_MESSAGE_SIZE];
	struct err e;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_INTERNAL, "%s", text);
	assert_int_equal(strlen(e.message), ERR_MESSAGE_SIZE - 1);
	err_add(&e, "%s", text);
	assert_int_equal(strlen(e.message), ERR_MESSAGE_SIZE - 1);
	err_tail(&e, "%s", text);
	assert_int_equal(strlen(e.message), ERR_MESSAGE_SIZE - 1);
	errno = EIO;
	err_sys(&e, "%s", text);
	assert_int_equal(strlen(e.message), ERR_MESSAGE_SIZE - 1);
}

static void each_kind_has_one_meaning(void **state _unused_)
{
	for (int k = 0; k < ERR_KINDS; k++) {
		const struct err_meaning *m = err_meaning((enum err_kind)k);

		assert_non_null(m->label);
		assert_in_range(m->grpc, 0, 16);
		for (int other = 0; other < k; other++)
			assert_string_not_equal(m->label, err_meaning((enum err_kind)other)->label);
	}
	assert_ptr_equal(err_meaning((enum err_kind)99), err_meaning(ERR_INTERNAL));
	assert_false(err_meaning(ERR_INVALID)->may_retry);
	assert_true(err_meaning(ERR_UNAVAILABLE)->may_retry);
}

static void clear_leaves_nothing(void **state _unused_)
{
	struct err e;

	err_set(&e, ERR_INVALID, "x");
	err_clear(&e);
	assert_int_equal(e.kind, ERR_NONE);
	assert_string_equal(e.message, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(set_gives_minus_one_and_fills_kind_and_message),
	    cmocka_unit_test(sys_takes_errno_as_it_was_before_the_call),
	    cmocka_unit_test(kind_follows_from_errno),
	    cmocka_unit_test(context_goes_in_front_and_keeps_kind),
	    cmocka_unit_test(long_texts_are_cut_and_terminated),
	    cmocka_unit_test(each_kind_has_one_meaning),
	    cmocka_unit_test(clear_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
