# SPDX-License-Identifier: Apache-2.0
"""A pod that owns its volume and means ill, and what it would like to reach."""

import hashlib
import json
import os
import stat
import subprocess

from lib import images, kube, workload
from lib.places import HOME, HERE

NAMES = ("..data", "..data_tmp", "tls.crt", "tls.key", "ca.crt")  # that certhup makes; generations have random ones


def image():
    """The small tools, and tests/cluster/programs/hostile."""
    program = f"{HOME}/hostile"
    subprocess.run(["gcc", "-static", "-Os", "-D_GNU_SOURCE", "-o", program, f"{HERE}/programs/hostile/hostile.c"], check=True)
    tree = images.Tree()
    tree.program("/bin/busybox")
    tree.file(program, "bin/hostile")
    images.pack("hostile:1", tree, ["/bin/busybox"])


def pod(namespace, name, secret="web", size="8Mi"):
    """A root container with the runtime's own capabilities, whose volume is delivered to and writable; and a volume of its own."""
    container = workload.busybox("main", image="docker.io/local/hostile:1",
                                 volumeMounts=[{"name": v, "mountPath": f"/{v}"} for v in ("tls", "own")])
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace,
                         "annotations": {"certhup.io/volumes": json.dumps({"tls": {"secret": secret}})}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1,
                     "volumes": [{"name": "tls", "emptyDir": {"medium": "Memory", "sizeLimit": size}},
                                 {"name": "own", "emptyDir": {}}]}}


def shell(namespace, name, script, seconds=60, check=True):
    """Runs a script in the pod and returns what it says."""
    full = ["kubectl", "exec", "-n", namespace, name, "--", "/bin/busybox", "sh", "-euc", script]
    done = subprocess.run(full, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=seconds)
    if check and done.returncode != 0:
        raise kube.Failed(f"{script}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def fill_decoy(folder):
    """Files and folders by the names that certhup uses, and others, that nobody may touch."""
    for sub in ("", "tls", "deep/er"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
        for name in ("tls.crt", "tls.key", "ca.crt", "shadow"):
            with open(f"{folder}/{sub}/{name}", "w", encoding="ascii") as f:
                f.write(f"decoy {sub}/{name}\n")
            os.chmod(f"{folder}/{sub}/{name}", 0o640)


def picture(folder):
    """All that can be seen of a tree; any write, chown, chmod, link or unlink in it changes this."""
    seen = {}
    for top, folders, files in os.walk(folder):
        for path in [top, *(os.path.join(top, name) for name in folders + files)]:
            about = os.lstat(path)
            text = os.readlink(path) if stat.S_ISLNK(about.st_mode) else ""
            if stat.S_ISREG(about.st_mode):
                with open(path, "rb") as f:
                    text = hashlib.sha256(f.read()).hexdigest()
            seen[os.path.relpath(path, folder)] = (about.st_mode, about.st_uid, about.st_gid, about.st_nlink, about.st_ino,
                                                   about.st_mtime_ns, about.st_ctime_ns, text)
    return seen


def generation_leaf(volume):
    """The leaf of the generation that a volume shows, or None: nothing that its pod made is followed out of it."""
    with open_folder(volume) as folder:
        try:
            name = os.readlink("..data", dir_fd=folder.fd)
            if "/" in name:
                return None
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder.fd)
        except OSError:
            return None
        with open_folder(fd) as generation:
            try:
                with os.fdopen(os.open("tls.crt", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=generation.fd)) as f:
                    return workload.first(f.read())
            except (OSError, ValueError):
                return None


class open_folder:  # pylint: disable=invalid-name # used as a function
    """A folder's descriptor for the time of a `with`."""

    def __init__(self, folder):
        self.fd = folder if isinstance(folder, int) else os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def cpu_seconds(pid):
    """CPU time of a process and of its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
