#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demonstration ends as it says, at least 5,000 handshakes and none failed; it stops on Ctrl-C; and it leaves nothing behind.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${CERTHUP_BUILD_DIR:-build/release}
echo '1..3'
out=$(mktemp)
trap 'rm -f "$out"' EXIT
number=0
failed=0
verdict() { # status, name
    local word='ok'
    number=$((number + 1))
    if [ "$1" != 0 ]; then
        word='not ok' failed=1
        sed 's/^/# /' "$out"
    fi
    echo "$word $number - $2"
}

status=0
setpriv --reuid=65534 --regid=65534 --clear-groups make -s demo > "$out" 2>&1 || status=$?
[ "$status" = 2 ] && head -n 1 "$out" | grep -q '^make demo needs root: '
verdict $? demo_without_root_says_so_first

if [ "$(id -u)" != 0 ]; then
    echo 'SKIP: needs root' >&2
    echo 'ok 2 - demo_stops_on_interrupt_and_leaves_nothing # SKIP needs root'
    echo 'ok 3 - demo_ends_without_a_failed_handshake # SKIP needs root'
    exit "$failed"
fi
groups() { find /sys/fs/cgroup -maxdepth 2 -name 'certhup-demo-*' | sort; }
processes() { pgrep -fc "$(realpath "$build")/(apiserver|certhup)|nginx: master" || true; }
before=$(groups)
running=$(processes)

env --default-signal=INT tests/demo/run "$build" > "$out" 2>&1 &
demo=$!
for _ in $(seq 1500); do
    ! grep -q '^3\. ' "$out" || break
    sleep 0.02
done
kill -INT $demo
status=0
wait $demo || status=$?
[ "$status" = 130 ] && grep -q '^3\. ' "$out" && grep -q '^Stopped; nothing is left behind\.$' "$out" &&
    ! grep -q 'failed' "$out" && [ "$(groups)" = "$before" ] && [ "$(processes)" = "$running" ]
verdict $? demo_stops_on_interrupt_and_leaves_nothing

status=0
tests/demo/run "$build" > "$out" 2>&1 || status=$?
[ "$status" = 0 ] && grep -qE '^handshakes: [0-9]+, failed: 0$' "$out" && ! grep -q Killed "$out" && [ "$(groups)" = "$before" ]
verdict $? demo_ends_without_a_failed_handshake
exit "$failed"
