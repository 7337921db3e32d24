/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/process.h"

const char *signal_result_label(enum signal_result r)
{
	static const char *const labels[SIGNAL_RESULTS] = {
	    [SIGNAL_SENT] = "sent",           [SIGNAL_NO_PROCESS] = "no_process",
	    [SIGNAL_AMBIGUOUS] = "ambiguous", [SIGNAL_NO_HANDLER] = "no_handler",
	    [SIGNAL_STOPPED] = "stopped",     [SIGNAL_GONE] = "gone",
	    [SIGNAL_DENIED] = "denied",
	};

	return (unsigned)r < SIGNAL_RESULTS ? labels[r] : "unknown";
}
