/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the text of a flag has to look like: for option.accepts, each with its sentence for option.right. */

#include "base/defs.h"

#include <stdbool.h>

/* RFC 1123, as the API server has it. */
#define WORD_NAME_RIGHT                                                                            \
	"a name of lower-case letters, digits, - and . that begins and ends with a letter or a "   \
	"digit"
bool word_is_name(const char *text);

/* event/listen.h; empty: nowhere. */
#define WORD_LISTEN_RIGHT                                                                          \
	"a numeric address with a port, like 127.0.0.1:9402 or :9402, nor empty for nowhere"
bool word_is_listen(const char *text);

#define WORD_SUBDIR_RIGHT "the plain name of one directory, nor \".\" for none"
bool word_is_subdir(const char *text);

/* Where our state is below the kubelet's plugins. */
#define WORD_DRIVER_RIGHT "the name of a CSI driver, like csi.certhup.io"
bool word_is_driver(const char *text);
