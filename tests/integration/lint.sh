#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lint refuses what it is there for: each fault is planted in a small tree of its own, where the script must name it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d "${TMPDIR:-/tmp}/lint-XXXXXX")
trap 'rm -rf "$tree"' EXIT
count=0

hand='/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */'
apache='/* SPDX-License-Identifier: Apache-2.0 */'

# A tree without a fault.
plant_tree() {
    rm -rf "$tree" && mkdir -p "$tree"/{agent/base,agent/volume,agent/cert,k8s,charts,docs,tests/unit/volume}
    cp -r "$root/tests/lint" "$tree/tests/"
    cp "$root/agent/layers" "$tree/agent/"
    cp "$root"/{Makefile,README.md,LICENSE} "$tree/"
    touch "$tree"/{charts,docs,k8s}/README.md
    printf '# cases\nA2\n' > "$tree/tests/cases.txt"
    mkdir "$tree/tests/mutants" && printf 'Case: A2\n' > "$tree/tests/mutants/A2.patch"
    printf '%s\n' "$hand" 'int a;' > "$tree/agent/base/err.h"
    printf '%s\n' "$hand" '#include "base/err.h"' '#include <stdio.h>' > "$tree/agent/volume/writer.c"
    printf '%s\n' "$apache" '#include <openssl/x509.h>' > "$tree/agent/cert/gate.c"
    printf '%s\n' "$hand" 'cmocka_unit_test(A''2_x)' > "$tree/tests/unit/volume/test_writer.c"
    git -C "$tree" init -q
}

# expect NAME CHECK WORDS: the check fails and its words are in what it says; with WORDS "" it passes.
expect() {
    local said status verdict='not ok'
    said=$("$tree/tests/lint/check-$2" 2>&1)
    status=$?
    if [ -z "$3" ]; then
        [ "$status" = 0 ] && verdict=ok
    elif [ "$status" != 0 ] && grep -qF -- "$3" <<< "$said"; then
        verdict=ok
    fi
    count=$((count + 1))
    echo "$verdict $count - $1"
    [ "$verdict" = ok ] || echo "# ${said//$'\n'/$'\n# '}"
    plant_tree
}

plant_tree
for check in layers tree banned cases; do
    expect "a_clean_tree_passes_$check" "$check" ''
done

echo '#include "cert/gate.h"' >> "$tree/agent/volume/writer.c"
expect an_arrow_that_the_table_lacks_is_refused layers 'agent/volume/writer.c:4: includes cert/gate.h'
echo '# include  "../cert/gate.h"' >> "$tree/agent/base/err.h"
expect an_arrow_by_a_relative_path_is_refused layers 'agent/base/err.h:3'
echo '#include <openssl/ssl.h>' >> "$tree/agent/volume/writer.c"
expect a_third_party_header_of_another_folder_is_refused layers 'which belongs to agent/cert'
echo '#include <zlib.h>' >> "$tree/agent/cert/gate.c"
expect a_third_party_header_of_no_folder_is_refused layers 'which belongs to no place'
echo '#include "tests/lib/pki.h"' >> "$tree/agent/cert/gate.c"
expect the_programs_do_not_include_tests layers 'includes tests/lib/pki.h'
mkdir "$tree/agent/extra" && echo "$apache" > "$tree/agent/extra/x.c"
expect a_folder_without_a_row_is_refused layers 'no row of agent/layers'
sed -i 's/^agent\/base  .*/agent\/base | cert | | hand/' "$tree/agent/layers"
expect an_upward_arrow_in_the_table_is_refused layers 'may include cert, which does not stand above'
echo '/* #include "cert/gate.h" */' >> "$tree/agent/volume/writer.c"
expect a_comment_is_no_include layers ''

sed -i 's/ OR GPL-2.0-only//' "$tree/agent/volume/writer.c"
expect a_file_of_the_hand_without_its_second_licence_is_refused tree 'agent/volume/writer.c:1'
sed -i 's/Apache-2.0/MIT/' "$tree/agent/cert/gate.c"
expect another_licence_is_refused tree 'agent/cert/gate.c:1'
mkdir "$tree/src" && touch "$tree/src/x.txt"
expect a_new_name_at_the_top_level_is_refused tree 'src: does not belong'
rm "$tree/charts/README.md"
expect a_missing_name_at_the_top_level_is_refused tree 'charts: is missing'
yes ';' | head -n 400 >> "$tree/agent/cert/gate.c"
expect a_long_file_is_refused tree 'has 402 lines'

echo 'int f(void) { return atoi("1"); }' >> "$tree/agent/cert/gate.c"
expect a_banned_function_is_refused banned 'atoi is banned'
echo 'void f(void) { exit(1); }' >> "$tree/agent/cert/gate.c"
expect exit_outside_main_is_refused banned 'exit outside a main'
echo 'long f(void) { return time(0); }' >> "$tree/agent/cert/gate.c"
expect a_clock_outside_base_is_refused banned 'time reads a clock'
echo 'const char *f = "system(x)"; /* gets() */' >> "$tree/agent/cert/gate.c"
expect strings_and_comments_are_no_calls banned ''

echo 'A3' >> "$tree/tests/cases.txt"
expect a_case_without_a_test_is_refused cases 'A3: no test'
rm "$tree/tests/mutants/A2.patch"
expect a_case_without_a_mutant_is_refused cases 'A2: tests/mutants'
echo 'A3 pending because' >> "$tree/tests/cases.txt"
expect a_pending_case_may_lack_its_test cases ''
sed -i 's/^A2$/A2 pending because/' "$tree/tests/cases.txt"
expect a_pending_mark_on_a_tested_case_is_refused cases 'A2: is marked pending'

echo "1..$count"
