/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/verdict.h"

#include <stdarg.h>

#include <openssl/err.h>

void verdict_set(struct gate_verdict *v, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	v->reason = reason;
	va_start(ap, fmt);
	vsnprintf(v->detail, sizeof(v->detail), fmt, ap);
	va_end(ap);
}

bool verdict_out_of_memory(void)
{
	bool found = false;
	unsigned long code;

	while ((code = ERR_get_error()) != 0)
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			found = true;
	return found;
}
