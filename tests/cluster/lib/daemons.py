# SPDX-License-Identifier: Apache-2.0
"""The cluster's servers on the node: their settings, and starting, stopping and killing each, also from a test."""

import json
import os
import signal
import time

from lib import machine
from lib.places import HOME, KUBECONFIG, LOGS, NODE, PKI, PODS, SERVICES, families

# In the order of their start; they are stopped the other way about.
ORDER = ["etcd", "containerd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "cert-manager"]
READY_S = 120  # on 2 busy cores; some seconds where nothing else runs
PAUSE = "docker.io/local/pause:1"
CNI_BIN = "/usr/lib/cni"

CONTAINERD = f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true # some sandboxes lack CAP_SYS_RESOURCE
  disable_apparmor = true       # a profile that is loaded would stay on this machine
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_BIN}"
    conf_dir = "{HOME}/cni"
"""
KUBELET = {
    "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "cgroupDriver": "cgroupfs", "failSwapOn": False, "failCgroupV1": False, "enforceNodeAllocatable": [],
    "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    "imageGCHighThresholdPercent": 100, "maxPods": 250, "readOnlyPort": 0, "serializeImagePulls": False,
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "authentication": {"x509": {"clientCAFile": f"{PKI}/ca.crt"}, "webhook": {"enabled": True}},
    "authorization": {"mode": "Webhook"},
    "tlsCertFile": f"{PKI}/kubelet-serving.crt", "tlsPrivateKeyFile": f"{PKI}/kubelet-serving.key",
    "clusterDNS": ["10.96.0.10"], "clusterDomain": "cluster.local",  # nobody answers there; without, each pod has an Event
    "resolvConf": f"{HOME}/resolv.conf", "volumePluginDir": "/var/lib/kubelet/volumeplugins",
}


def network():
    ipam = {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": net}] for net in families(PODS)],
            "routes": [{"dst": net} for net in families(("0.0.0.0/0", "::/0"))]}
    return {"cniVersion": "1.0.0", "name": "node", "plugins": [{"type": "ptp", "mtu": 1500, "ipam": ipam}]}


def commands():
    api = {
        "etcd-servers": "http://127.0.0.1:2379", "secure-port": "443", "bind-address": families(("0.0.0.0", "::"))[-1],
        "advertise-address": NODE[0], "service-cluster-ip-range": ",".join(families(SERVICES)), "allow-privileged": "true",
        "authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction", "client-ca-file": f"{PKI}/ca.crt",
        "tls-cert-file": f"{PKI}/apiserver.crt", "tls-private-key-file": f"{PKI}/apiserver.key",
        "service-account-issuer": "https://kubernetes.default.svc", "service-account-key-file": f"{PKI}/accounts.pub",
        "service-account-signing-key-file": f"{PKI}/accounts.key", "kubelet-preferred-address-types": "InternalIP",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet.crt", "kubelet-client-key": f"{PKI}/apiserver-kubelet.key",
        "kubelet-certificate-authority": f"{PKI}/ca.crt",
    }
    manager = {
        "root-ca-file": f"{PKI}/ca.crt", "service-account-private-key-file": f"{PKI}/accounts.key",
        "cluster-signing-cert-file": f"{PKI}/ca.crt", "cluster-signing-key-file": f"{PKI}/ca.key",
        "use-service-account-credentials": "true", "leader-elect": "false", **kubeconfigs("controller-manager"),
    }
    kubelet = {
        "config": f"{HOME}/kubelet.json", "kubeconfig": f"{HOME}/kubelet.conf", "hostname-override": "n1",
        "node-ip": ",".join(families(NODE)),
    }
    return {
        "etcd": ["etcd", f"--data-dir={HOME}/memory/etcd", "--unsafe-no-fsync", "--listen-peer-urls=http://127.0.0.1:2380"],
        "containerd": ["containerd", "--config", f"{HOME}/containerd.toml"],
        "kube-apiserver": ["kube-apiserver", *flags(api)],
        "kube-controller-manager": ["kube-controller-manager", *flags(manager)],
        "kube-scheduler": ["kube-scheduler", *flags({"leader-elect": "false", **kubeconfigs("scheduler")})],
        "kubelet": ["kubelet", *flags(kubelet)],
        "cert-manager": ["cert-manager", f"--kubeconfig={KUBECONFIG}"],
    }


def kubeconfigs(user):
    return {k: f"{HOME}/{user}.conf" for k in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")}


def flags(table):
    return [f"--{name}={value}" for name, value in table.items()]


def configure():
    files = {"containerd.toml": CONTAINERD, "kubelet.json": json.dumps(KUBELET, indent=2),
             "cni/10-node.conflist": json.dumps(network(), indent=2), "resolv.conf": ""}
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{HOME}/{name}"), exist_ok=True)
        machine.write(f"{HOME}/{name}", text)


def pid_file(name):
    return f"{HOME}/{name}.pid"


def pid_of(name):
    """The server's pid as the node sees it, or None. Works inside the node and outside."""
    script = 'read -r pid < "$1" && [ "$(cat /proc/$pid/comm)" = "$2" ] && echo $pid'
    done = machine.run(["sh", "-c", script, "sh", pid_file(name), name[:15]], check=False, capture_output=True, text=True)
    return int(done.stdout) if done.stdout.strip() else None


def start(name, *more):
    """Starts a server, with further arguments where a test wants them. Its log goes on."""
    script = 'log=$1 pid=$2; shift 2; setsid "$@" >> "$log" 2>&1 < /dev/null & echo $! > "$pid"'
    machine.run(["sh", "-c", script, "sh", f"{LOGS}/{name}.log", pid_file(name), *commands()[name], *more])


def stop(name, sig=signal.SIGTERM, seconds=90):
    """Ends a server and waits until it is gone; its port is free then. One that is not there is no error. On SIGTERM the API
    server lets requests finish, which may take it a minute."""
    pid = pid_of(name)
    if pid is None:
        return
    machine.run(["kill", f"-{int(sig)}", str(pid)], check=False, capture_output=True)
    deadline = time.monotonic() + seconds
    while pid_of(name) is not None:
        if time.monotonic() > deadline:
            raise machine.Failed(f"{name} does not end within {seconds} s of signal {int(sig)}; see {LOGS}/{name}.log")
        time.sleep(0.05)


def says(*command):
    """What a command on the node prints; nothing if it fails."""
    done = machine.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def runtime_is_ready():
    """containerd answers before its CRI part does, and a kubelet that comes in between ends."""
    return "Start streaming server" in log_end("containerd", 500).rpartition("starting containerd")[2]


READY = {
    "etcd": lambda: bool(says("etcdctl", "endpoint", "health")),
    "containerd": runtime_is_ready,
    "kube-apiserver": lambda: says("kubectl", "get", "--raw", "/readyz") == "ok",
    "kubelet": lambda: says("kubectl", "get", "--raw", "/api/v1/nodes/n1/proxy/healthz") == "ok",
}


def wait_ready(name, condition=None, seconds=READY_S):
    """Waits until a server does its work, or for another condition while it runs. One that has ended is told with its log."""
    condition = condition or READY.get(name, lambda: True)
    deadline = time.monotonic() + seconds
    while not condition():
        over = time.monotonic() > deadline
        if over or pid_of(name) is None:
            raise machine.Failed(f"{name} {f'is not ready after {seconds} s' if over else 'has ended'}\n{log_end(name)}")
        time.sleep(0.1)


def restart(name, sig=signal.SIGTERM):
    stop(name, sig)
    start(name)
    wait_ready(name)


def log_end(name, lines=20):
    try:
        with open(f"{LOGS}/{name}.log", encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-lines:])
    except OSError:
        return ""
