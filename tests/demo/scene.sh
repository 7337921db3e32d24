# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the steps of tests/demo/run are made of. Sourced by it; runs in namespaces of its own.
: "${build:?tests/demo/run sets it}"

declare -A port=([web-1]=8441 [web-2]=8442 [web-3]=8443 [web-4]=8444 [deaf]=8445)
declare -A uid volume
head_uid=64402 # what certhup node becomes when it is started as root
pair=0         # the number of the pair that was made last
steps=0
hand_pid='' head_pid='' load_pid=''

bold='' dim='' good='' off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' good=$'\e[32m' off=$'\e[0m'
fi

# Now, because a process 1 without a handler never gets the signal.
trap 'exit 143' TERM INT

say_what_comes() {
    printf '%s\n' \
        'certhup at work: a stand-in API server, four pods with a real nginx each, one Secret that is renewed again and again.' \
        'Everything happens in namespaces of its own. "ok" follows what was waited for, and how long it took. Ctrl-C stops.'
}
step() { steps=$((steps + 1)); printf '\n%s%d. %s%s\n' "$bold" "$steps" "$*" "$off"; }
say() { printf '   %s\n' "$*"; }
show() {
    say "${dim}\$ $(basename "$1") ${*:2}${off}"
    "$@" | sed 's/^/     /'
}
show_volume() { (cd "${volume[$1]}" && show ls -lAgo --time-style=+); }
fail() {
    printf '\nThe demonstration failed: %s\nThe last lines of the logs:\n' "$*" >&2
    tail -n 12 "$scene"/*.log >&2 || true
    exit 1
}
progress() { [ ! -t 1 ] || printf '\r   %s ' "$1"; }

clean_up() {
    local pids
    trap - EXIT
    pids=$(jobs -p)
    # shellcheck disable=SC2086 # one word for each
    [ -z "$pids" ] || kill $pids 2>/dev/null || true
    wait 2>/dev/null || true
    for group in "$cgroup"/*/*/*/* "$cgroup"/*/*/* "$cgroup"/*/* "$cgroup"/* "$cgroup"; do
        [ ! -d "$group" ] || rmdir "$group" 2>/dev/null || true
    done
    umount -R "$scene" 2>/dev/null || umount -l "$scene" 2>/dev/null || true
    rmdir "$scene" 2>/dev/null || true
}

# A hierarchy in which groups can be made: the pids controller's of v1, or the unified one.
choose_cgroup() {
    local root
    for root in /sys/fs/cgroup/pids /sys/fs/cgroup/unified /sys/fs/cgroup; do
        if [ -e $root/cgroup.procs ] && mkdir "$root/certhup-demo-$$" 2>/dev/null; then
            cgroup=$root/certhup-demo-$$
            return
        fi
    done
    fail 'no cgroup can be made here'
}

make_scene() {
    ip link set lo up
    scene=$(mktemp -d)
    cgroup=/nonexistent
    trap clean_up EXIT
    mount -t tmpfs -o mode=0755 certhup-demo "$scene"
    choose_cgroup
    mkdir -p "$scene"/{kubelet/pods,kubelet/plugins,run,pki,nginx}
    chmod 0750 "$scene/kubelet/pods"
    "$build/apiserver" --dir "$scene/api" --listen 127.0.0.1:0 --with-parent >"$scene/api.log" 2>&1 &
    wait_quietly grep -q READY "$scene/api.log"
    chown -R $head_uid:$head_uid "$scene/api" # the head's user reads its credentials
    ctl '{"do":"allow","rule":{"user":"system:serviceaccount:default:default","verbs":["get"],"resources":["secrets"]}}'
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=certhup demo CA' \
        -keyout "$scene/pki/ca.key" -out "$scene/pki/ca.crt" 2>/dev/null
    : >"$scene/delivered"
}

ctl() { "$build/apiserver" ctl "$scene/api" "$1"; }

# A new key and a leaf for servers and clients, which is on the list of delivered ones before anybody can see it.
next_pair() {
    pair=$((pair + 1))
    local to=$scene/pki/$pair
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=web $pair" -keyout "$to.key" -out "$to.csr" 2>/dev/null
    openssl x509 -req -in "$to.csr" -CA "$scene/pki/ca.crt" -CAkey "$scene/pki/ca.key" -days 7 -out "$to.crt" -extfile <(
        echo 'subjectAltName=DNS:localhost,IP:127.0.0.1'
        echo 'extendedKeyUsage=serverAuth,clientAuth'
        echo 'basicConstraints=CA:FALSE'
    ) 2>/dev/null
    leaf=$(openssl x509 -in "$to.crt" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f)
    echo "$leaf" >>"$scene/delivered"
}

put_files() { # name, certificate, key
    ctl "{\"do\":\"put\",\"object\":{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"$1\",\"namespace\":\"default\"},
        \"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":\"$(base64 -w0 "$2")\",\"tls.key\":\"$(base64 -w0 "$3")\",
        \"ca.crt\":\"$(base64 -w0 "$scene/pki/ca.crt")\"}}}"
}
put_pair() { put_files "$1" "$scene/pki/$pair.crt" "$scene/pki/$pair.key"; }
put_mismatch() { put_files "$1" "$scene/pki/$pair.crt" "$scene/pki/$((pair - 1)).key"; }

make_pod() { # name, wishes
    local wishes=${2//\"/\\\"} dir
    ctl "{\"do\":\"put\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",
        \"metadata\":{\"name\":\"$1\",\"namespace\":\"default\",\"annotations\":{\"certhup.io/volumes\":\"$wishes\"}},
        \"spec\":{\"nodeName\":\"demo\",\"serviceAccountName\":\"default\",\"securityContext\":{\"fsGroup\":0},
        \"volumes\":[{\"name\":\"tls\",\"emptyDir\":{\"medium\":\"Memory\"}}],
        \"initContainers\":[{\"name\":\"gate\",\"args\":[\"init\",\"--wait-for\",\"/tls\"]}],
        \"containers\":[{\"name\":\"server\",\"volumeMounts\":[{\"name\":\"tls\",\"mountPath\":\"/tls\"}]}]},
        \"status\":{\"phase\":\"Pending\"}}}"
    uid[$1]=$(ctl "{\"do\":\"get\",\"resource\":\"pods\",\"name\":\"$1\"}" | sed 's/.*"uid":"\([^"]*\)".*/\1/')
    dir=$scene/kubelet/pods/${uid[$1]}
    volume[$1]=$dir/volumes/kubernetes.io~empty-dir/tls
    mkdir -p "${volume[$1]}" "$dir/plugins/kubernetes.io~empty-dir/tls"
    mount -t tmpfs -o mode=0777 tmpfs "${volume[$1]}"
    touch "$dir/plugins/kubernetes.io~empty-dir/tls/ready"
}

container_id() { printf '%064d' "${port[$1]}"; }

pod_runs() {
    ctl "{\"do\":\"patch\",\"resource\":\"pods\",\"name\":\"$1\",\"patch\":{\"status\":{\"phase\":\"Running\",\"podIP\":\"127.0.0.1\",
        \"containerStatuses\":[{\"name\":\"server\",\"containerID\":\"containerd://$(container_id "$1")\",\"state\":{\"running\":{}}}]}}}"
}

in_cgroup() { # pod, command: in the cgroup of its container, as a process of its own
    local group
    group=$cgroup/kubepods/burstable/pod${uid[$1]}/$(container_id "$1")
    mkdir -p "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec "${@:2}"
    ) >>"$scene/$1.log" 2>&1 &
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start_nginx() {
    local dir=$scene/nginx/$1
    mkdir "$dir"
    cat >"$dir/nginx.conf" <<CONFIG
daemon off; worker_processes 1; user root; pid $dir/pid; error_log stderr;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $dir/a; proxy_temp_path $dir/b; fastcgi_temp_path $dir/c; uwsgi_temp_path $dir/d; scgi_temp_path $dir/e;
    server {
        listen 127.0.0.1:${port[$1]} ssl backlog=1024;
        ssl_certificate ${volume[$1]}/tls.crt; ssl_certificate_key ${volume[$1]}/tls.key;
        ssl_client_certificate ${volume[$1]}/ca.crt; ssl_verify_client on;
        return 200;
    }
}
CONFIG
    in_cgroup "$1" nginx -p "$dir" -c "$dir/nginx.conf"
    wait_quietly listens "${port[$1]}"
    pod_runs "$1"
}

start_deaf() {
    in_cgroup deaf "$build/tests/tools/eager-server" "${port[deaf]}" "${volume[deaf]}" deaf
    wait_quietly listens "${port[deaf]}"
    pod_runs deaf
}

start_hand() {
    "$build/certhup-hand" --socket "$scene/run/hand.sock" --head-uid $head_uid --kubelet-root "$scene/kubelet" \
        >>"$scene/hand.log" 2>&1 &
    hand_pid=$!
}

start_head() {
    "$build/certhup" node --node-name demo --kubeconfig "$scene/api/kubeconfig" --hand-socket "$scene/run/hand.sock" \
        --status-socket "$scene/run/status.sock" --metrics-listen 127.0.0.1:9402 >>"$scene/head.log" 2>&1 &
    head_pid=$!
}

reap() { wait "$1" 2>/dev/null || true; }

kill_head() {
    kill -9 "$head_pid"
    reap "$head_pid"
    say 'certhup node was killed'
}

# The processes in which the hand writes are stopped when ..data_tmp is made, and before it is renamed to ..data: then the hand dies.
kill_hand_in_mid_write() { # pod
    local tracer
    disown "$hand_pid" # the shell would print a word of its own about a job that was killed
    strace -f -qq -o /dev/null -e trace=symlinkat -e inject=symlinkat:signal=STOP -p "$hand_pid" 2>"$scene/strace.log" &
    tracer=$!
    wait_quietly grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$hand_pid/status"
    put_pair web-tls
    wait_quietly test -L "${volume[$1]}/..data_tmp"
    kill -9 "$hand_pid"
    reap "$tracer"
    say "certhup-hand was killed; what the volume of $1 holds now:"
    show_volume "$1"
    say 'Readers still get the pair before, whole: ..data_tmp was not yet renamed to ..data.'
    check_served "$1"
}

no_leftovers() {
    local pod n
    for pod in web-1 web-2 web-3 web-4; do
        [ ! -e "${volume[$pod]}/..data_tmp" ] || fail "a temporary link was left in $pod"
        n=$(find "${volume[$pod]}" -maxdepth 1 -name '..20*' | wc -l)
        [ "$n" -le 2 ] || fail "$n generations are in $pod: the new one and the one before are allowed"
    done
}

status() { "$build/certhup" status --status-socket "$scene/run/status.sock" -o json 2>/dev/null || true; }

# So many bindings of this Secret have the state.
status_count() { # secret, state, count
    [ "$(status | tr -d '\n ' | grep -o '{"namespace"[^}]*}' | grep "\"secret\":\"$1\"" | grep -c "\"state\":$2")" = "$3" ]
}
# So many bindings are seen to serve the pair that was made last.
adopted() {
    [ "$(status | tr -d '\n ' | grep -o '{"namespace"[^}]*}' | grep '"secret":"web-tls"' | grep "$leaf" | grep -c '"state":"adopted"')" = "$1" ]
}
status_has() { status | grep -q "$1"; }
why_rejected() { status | grep -m1 '"lastError": *"rejected' | sed 's/.*"lastError": *"//; s/",*$//'; }

# Waits up to 20 s for a condition, without a word.
wait_quietly() {
    local i
    for ((i = 0; i < 1000; i++)); do
        if "$@"; then return 0; fi
        sleep 0.02
    done
    fail "this did not come true within 20 s: $*"
}
wait_for() { # what, condition
    local start=${EPOCHREALTIME/./}
    wait_quietly "${@:2}"
    say "${good}ok${off} $1 (after $(((${EPOCHREALTIME/./} - start) / 1000)) ms)"
}

# The server still serves the pair that was good last.
check_served() {
    local seen
    seen=$("$build/certhup" probe "127.0.0.1:${port[$1]}" --client-dir "${volume[$1]}" --expect-dir "${volume[$1]}" 2>&1) ||
        fail "$1 does not serve what its volume holds: $seen"
    say "${good}ok${off} $1 serves the last good pair"
}

start_load() {
    "$build/tests/tools/handshakes" --ca "$scene/pki/ca.crt" --client "${volume[web-1]}" --delivered "$scene/delivered" \
        --clients 3 --least 5000 \
        "${port[web-1]}" "${port[web-2]}" "${port[web-3]}" "${port[web-4]}" >"$scene/load" 2>"$scene/load.log" &
    load_pid=$!
}
finish_load() {
    kill -TERM "$load_pid"
    reap "$load_pid"
    [ ! -t 1 ] || printf '\r'
    say "$(cat "$scene/load")"
}
result() {
    local counted failed
    counted=$(sed 's/handshakes: \([0-9]*\),.*/\1/' "$scene/load")
    failed=$(sed 's/.*failed: //' "$scene/load")
    printf '\n%s%s%s\n' "$bold" "$(cat "$scene/load")" "$off"
    [ "$failed" = 0 ] || fail "handshakes failed: $(cat "$scene/load.log")"
    [ "$counted" -ge 5000 ] || fail "only $counted handshakes were made: at least 5,000 are wanted"
}

metric() { # name: of the metrics page
    local line
    exec 3<>/dev/tcp/127.0.0.1/9402
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
    while IFS= read -r line <&3; do
        case $line in "$1 "*) echo "${line#* }" ;; esac
    done
    exec 3>&-
}
latencies() {
    local name ms=()
    for name in rotation adoption; do
        ms+=("$(awk -v s="$(metric certhup_${name}_latency_seconds_sum)" -v n="$(metric certhup_${name}_latency_seconds_count)" \
            'BEGIN { printf "%.1f", n ? 1000 * s / n : 0 }')")
    done
    echo "latency, mean of all of the above since certhup node was killed: event to file ${ms[0]} ms, file to served ${ms[1]} ms"
}
