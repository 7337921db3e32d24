/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the node agent knows, asked over its status socket. The document's shape stands in
 * docs/reference.md.
 */

#include "command/options.h"
#include "k8s/json.h"

#define STATUS_SOCKET "/run/certhup/status.sock"

#define OPTION_STATUS_SOCKET(s, member)                                                            \
	{                                                                                          \
		.name = "status-socket", .type = OPTION_TEXT, .at = offsetof(s, member),           \
		.value = "PATH", .otherwise = STATUS_SOCKET,                                       \
		.help = "Where the node agent of this node answers; its own uid and root only"     \
	}

/*
 * Asks once, within LIMIT_HTTP_REQUEST_MS. ret_json is owned.
 *
 * Errors: UNAVAILABLE (nobody answers), DENIED (another uid), TIMEOUT, INVALID (no status document)
 */
int status_fetch(const char *socket_path, struct json **ret_json, struct err *e) _must_check_;

/* Prints the bindings of one pod, named "POD" or "NAMESPACE/POD". Returns an exit code. */
int status_pod(const char *socket_path, const char *pod, bool as_json);
