# SPDX-License-Identifier: Apache-2.0
"""What can happen to a cluster's store: compaction, and an older snapshot that is put in its place. Inside the node."""

import json
import shutil
import subprocess

from lib import daemons, kube
from lib.places import HOME

DATA = f"{HOME}/memory/etcd"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise kube.Failed(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def revision():
    """The store's newest revision: what resourceVersions are made of."""
    return json.loads(run("etcdctl", "endpoint", "status", "-w", "json"))[0]["Status"]["header"]["revision"]


def compact():
    """Forgets all history: a watch that asks for any of it is told 410."""
    run("etcdctl", "compact", str(revision()))


def save(path):
    """Writes a snapshot; a path below HOME goes with the cluster."""
    run("etcdctl", "snapshot", "save", path)


def restore(path, *options):
    """Puts a snapshot in the store's place, as after a disaster: what was written since is gone, and the resourceVersions
    of then are given again (unless options as --bump-revision say otherwise). The cluster's own servers start anew with it,
    as they are told to be; certhup is left alone."""
    stopped = [name for name in daemons.ORDER if name != "containerd" and daemons.pid_of(name)]
    for name in reversed(stopped):
        daemons.stop(name)
    shutil.rmtree(DATA)
    run("etcdutl", "snapshot", "restore", path, "--data-dir", DATA, *options)
    for name in stopped:
        daemons.start(name)
        daemons.wait_ready(name)
