# SPDX-License-Identifier: Apache-2.0
"""Bringing the cluster up and down."""

import contextlib
import fcntl
import os
import shutil
import signal
import time

from lib import daemons, images, machine, pki, programs
from lib.places import HOME, LOGS, NAME, ROOT


@contextlib.contextmanager
def alone():
    """One bring-up or teardown on this machine at a time. The lock is on a folder that is always there."""
    folder = os.open("/var/lib", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def make_node():
    os.makedirs(LOGS, mode=0o700)
    machine.make("n1")
    deadline = time.monotonic() + 20
    while not os.path.exists(f"{HOME}/node-is-there"):
        if machine.init_pid() is None or time.monotonic() > deadline:
            raise machine.Failed(f"the node does not come up\n{daemons.log_end('init')}")
        time.sleep(0.02)


def start_all():
    for name in ("etcd", "containerd", "kube-apiserver"):
        daemons.start(name)
    daemons.wait_ready("containerd")
    images.pause()
    daemons.wait_ready("kube-apiserver")
    for name in ("kube-controller-manager", "kube-scheduler", "kubelet"):
        daemons.start(name)
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}{.spec.taints}"
    daemons.wait_ready("kubelet", lambda: daemons.says("kubectl", "get", "node", "n1", "-o", ready) == "True")
    account = ("kubectl", "get", "serviceaccount", "default", "-o", "name")  # which pods need
    daemons.wait_ready("kube-controller-manager", lambda: daemons.says(*account))


def up(minor=""):
    """Builds what is missing, takes away what an earlier run left, and returns the seconds until Ready."""
    if os.geteuid() != 0:
        raise machine.Failed("root is needed, for namespaces, mounts and control groups")
    folders = programs.build_all(minor)
    with alone():
        start = time.monotonic()
        machine.remove()
        try:
            os.makedirs(HOME, mode=0o700)
            machine.remember({"path": ":".join(folders), "minor": minor})
            pki.make()
            daemons.configure()
            make_node()
            start_all()
        except BaseException:
            keep_logs()
            machine.remove()
            raise
    return time.monotonic() - start


def keep_logs():
    """The logs of a cluster that did not come up, where the next run's do not replace them."""
    kept = f"{ROOT}/build/cluster/logs-{NAME}"
    shutil.rmtree(kept, ignore_errors=True)
    if os.path.isdir(LOGS):
        shutil.copytree(LOGS, kept)
        print(f"cluster: its logs are kept in {os.path.relpath(kept, ROOT)}", flush=True)


def down():
    """Ends the cluster and takes everything away."""
    with alone():
        machine.remove()


def status():
    """Lines that tell what is there."""
    others = [name for name in machine.clusters() if name != NAME]
    lines = [f"cluster {name}: see CERTHUP_CLUSTER={name} tests/cluster/cluster status" for name in others]
    if machine.init_pid() is None:
        return lines + [f"cluster {NAME}: down"]
    lines.append(f"cluster {NAME}: up, its first process is {machine.init_pid()}, all of it in {HOME}")
    return lines + [f"  {name}: {daemons.pid_of(name) or 'not running'}" for name in daemons.ORDER]


def shell():
    """A shell inside the node, with kubectl, helm and ctr."""
    env = {**os.environ, "PS1": f"[{NAME}] \\w# "}
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the shell's
    return machine.run(["bash", "--norc", "-i"], check=False, env=env).returncode
