#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/run itself: what it makes of programs that fail, crash, hang and leave things behind.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo '1..1'; echo 'ok 1 - runner # SKIP needs root: namespaces'; exit 0; }
tree=$(mktemp -d "${TMPDIR:-/tmp}/runner-XXXXXX")
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/tests/integration"
cp "$root/tests/run" "$tree/tests/"
echo '# no rows' > "$tree/tests/programs"
count=0

# program NAME: a test script, from stdin.
program() {
    { echo '#!/bin/bash'; cat; } > "$tree/tests/integration/$1.sh"
    chmod +x "$tree/tests/integration/$1.sh"
}

# expect NAME STATUS WORDS... -- ARGUMENTS...: tests/run ends so and says each of the words.
expect() {
    local name=$1 status=$2 words=() said got verdict=ok
    shift 2
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    said=$("$tree/tests/run" "$@" 2>&1)
    got=$?
    [ "$got" = "$status" ] || verdict='not ok'
    for word in "${words[@]}"; do
        grep -qF -- "$word" <<< "$said" || { verdict='not ok'; echo "# lacks: $word"; }
    done
    count=$((count + 1))
    echo "$verdict $count - $name"
    [ "$verdict" = ok ] || echo "# status $got: ${said//$'\n'/$'\n# '}"
    rm -f "$tree"/tests/integration/*.sh
}

program good <<< 'echo 1..2; echo ok 1 - one; echo ok 2 - two'
expect results_are_counted_and_named 0 'ok    integration/good one' '2 passed, 0 failed' --

program bad <<< 'echo 1..2; echo why it failed; echo not ok 1 - one; echo ok 2 - two; exit 1'
program good <<< 'echo 1..1; echo "secret of the good"; echo ok 1 - one'
expect a_failure_shows_its_output 1 'FAIL  integration/bad one' 'why it failed' '2 passed, 1 failed' --

program skips <<< 'echo 1..2; echo "SKIP: no such kernel" >&2; echo not ok 1 \# SKIP one; echo ok 2 - two \# SKIP no time'
expect skips_are_named_with_their_reason 0 'integration/skips one: no such kernel' 'integration/skips two: no time' \
    '0 passed, 0 failed, 2 skipped' --

program crash <<< 'echo 1..2; echo ok 1 - one; kill -SEGV $$'
expect a_crash_is_a_failure 1 'status 139 after 1 of 2 tests' '1 passed, 1 failed' --

program late <<< 'echo 1..1; echo ok 1 - one; exit 23'
expect a_bad_status_after_good_tests_is_a_failure 1 'status 23' --

program silent <<< 'exit 0'
expect a_program_without_tests_is_a_failure 1 'after 0 of 0 tests' --

program hang <<< 'echo 1..1; sleep 1000 & sleep 1000'
expect a_program_that_hangs_is_stopped 1 'its time was over' -- --timeout 0.5

program leaves <<< 'sleep 77777 & echo x > /tmp/left; mount -t tmpfs x /mnt; echo 1..1; echo ok 1 - one'
expect what_is_left_behind_does_not_count 0 '1 passed' --
program clean <<< 'echo 1..1; if [ -e /tmp/left ] || pgrep -f "sleep 77777" || grep " /mnt " /proc/mounts; then echo not; fi; echo ok 1 - one'
count=$((count + 1)) verdict=ok
! pgrep -f 'sleep 77777' || verdict='not ok'
echo "$verdict $count - no_process_outlives_its_program"
expect what_was_left_is_gone_for_the_next 0 '1 passed' --

program net <<< 'echo 1..1; (exec 3<> /dev/tcp/127.0.0.1/1) 2>&1 | grep -q refused && echo ok 1 - loopback'
expect the_loopback_is_up 0 'ok    integration/net loopback' --

# shellcheck disable=SC2016 # expanded inside
program sysctl <<< 'echo 1..1; [ "$(cat /proc/sys/fs/protected_symlinks)$(cat /proc/sys/fs/protected_fifos)" = 11 ] && echo ok 1 - links'
expect links_are_protected_as_on_nodes 0 'ok    integration/sysctl links' --

program one <<< 'echo 1..1; echo ok 1 - one'
program two <<< 'echo 1..1; echo ok 1 - one'
expect words_choose_programs 0 'integration/two one' '1 passed' -- integration two

expect no_test_of_such_a_name_is_an_error 2 'no test has such a name' -- nothing_of_the_kind

echo "1..$count"
