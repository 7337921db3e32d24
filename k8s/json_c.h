/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* json-c, with those of its names set aside that are ours: its enum json_type and its json_bool. */
#define json_type jsonc_type
#define json_bool jsonc_bool
#include <json-c/json.h>
#undef json_type
#undef json_bool
