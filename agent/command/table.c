/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"

const struct command *const command_table[COMMANDS + 1] = {
    &command_node,   &command_init,  &command_sidecar,  &command_status,  &command_inspect,
    &command_verify, &command_probe, &command_selftest, &command_version,
};
