#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each command of README.md and docs/ runs as it stands there, and the tables of docs/reference.md are those of the code.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${CERTHUP_BUILD_DIR:-build/release}
if [ "$(id -u)" != 0 ]; then
    echo '1..1'
    echo 'SKIP: needs root' >&2
    echo 'ok 1 - commands_of_the_documents_do_what_they_say # SKIP needs root'
    exit 0
fi
exec unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc --propagation private tests/docs/run "$build"
