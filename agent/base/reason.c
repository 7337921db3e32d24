/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/reason.h"

static const struct {
	const char *code;
	const char *advice;
} table[REASONS_COUNT] = {
#define REASON_ROW(id, code, advice) [REASON_##id] = {code, advice},
    REASONS(REASON_ROW)
#undef REASON_ROW
};

const char *reason_code(enum reason r)
{
	return table[(unsigned)r < REASONS_COUNT ? r : REASON_NONE].code;
}

const char *reason_advice(enum reason r)
{
	return table[(unsigned)r < REASONS_COUNT ? r : REASON_NONE].advice;
}
