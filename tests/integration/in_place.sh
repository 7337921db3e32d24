#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The counter of the demonstration can count: over a plain writer that writes in place, the same clients see handshakes fail.
# The server reads its pair at each handshake.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${CERTHUP_BUILD_DIR:-build/release}
work=$(mktemp -d)
server='' load=''
clean_up() {
    for pid in $server $load; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

make_pair() { # file
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
    openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -days 7 -out "$work/$1.crt" \
        -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') 2>/dev/null
    openssl x509 -in "$work/$1.crt" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f >>"$work/delivered"
}
wait_for() {
    for _ in $(seq 500); do
        if "$@"; then return 0; fi
        sleep 0.02
    done
    echo "did not come true: $*" >&2
    return 1
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
start() { # port, directory
    "$build/tests/tools/eager-server" "$1" "$2" >/dev/null &
    server=$!
    wait_for listens "$1"
    "$build/tests/tools/handshakes" --ca "$work/ca.crt" --client "$work/client" --delivered "$work/delivered" --clients 2 "$1" \
        >"$work/count" 2>"$work/why" &
    load=$!
}
stop() {
    kill "$load" && wait "$load"
    load=''
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=''
}
failed() { sed 's/.*failed: //' "$work/count"; }

echo '1..1'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=CA' -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
make_pair a
make_pair b
mkdir -p "$work/client/..1" "$work/plain"
cp "$work/a.crt" "$work/client/..1/tls.crt"
cp "$work/a.key" "$work/client/..1/tls.key"
ln -s ..1 "$work/client/..data"
cp "$work/ca.crt" "$work/plain/ca.crt"

cp "$work/a.crt" "$work/plain/tls.crt"
cp "$work/a.key" "$work/plain/tls.key"
start 8451 "$work/plain"
for _ in $(seq 300); do
    for pair in b a; do
        cat "$work/$pair.crt" >"$work/plain/tls.crt"
        cat "$work/$pair.key" >"$work/plain/tls.key"
    done
done
stop
plain=$(failed)
echo "# in place, 600 rotations: $(cat "$work/count")"

if [ "$plain" -gt 0 ]; then
    echo 'ok 1 - handshakes_fail_over_a_plain_in_place_writer'
else
    echo 'not ok 1 - handshakes_fail_over_a_plain_in_place_writer'
    exit 1
fi
