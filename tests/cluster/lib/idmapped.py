# SPDX-License-Identifier: Apache-2.0
"""A folder as a pod with `hostUsers: false` sees it: through an idmapped mount, from a user namespace."""

import contextlib
import ctypes
import os
import subprocess

from lib import kube

LIBC = ctypes.CDLL(None, use_errno=True)
OPEN_TREE, MOUNT_SETATTR = 428, 442  # system calls, the same on all machines
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_EMPTY_PATH, MOUNT_ATTR_IDMAP = 1, 0o2000000, 0x1000, 0x100000
MAP = "0 100000 65536\n"  # inside, outside, how many: as kubelet gives each pod


class MountAttr(ctypes.Structure):  # pylint: disable=too-few-public-methods
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def _call(number, *arguments):
    done = LIBC.syscall(ctypes.c_long(number), *arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


@contextlib.contextmanager
def user_namespace():
    """The path of a user namespace, for the time of the `with`."""
    holder = subprocess.Popen(["unshare", "--user", "sleep", "300"])
    try:
        path = f"/proc/{holder.pid}/ns/user"
        kube.wait_for("a user namespace", lambda: os.readlink(path) != os.readlink("/proc/self/ns/user"), seconds=10, every=0.01)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{holder.pid}/{name}", "w", encoding="ascii") as f:
                f.write(MAP)
        yield path
    finally:
        holder.kill()
        holder.wait()


def mount(folder, namespace):
    """The descriptor of an idmapped mount of the folder, which is nowhere to be seen and goes with it."""
    tree = _call(OPEN_TREE, ctypes.c_int(-100), folder.encode(), ctypes.c_uint(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC))
    with open(namespace, "rb") as user:
        attr = MountAttr(attr_set=MOUNT_ATTR_IDMAP, userns_fd=user.fileno())
        _call(MOUNT_SETATTR, ctypes.c_int(tree), b"", ctypes.c_uint(AT_EMPTY_PATH), ctypes.byref(attr),
              ctypes.c_size_t(ctypes.sizeof(attr)))
    return tree


def read(tree, namespace, uid, gid, name):
    """What a user of the namespace reads, or None where it may not."""
    command = ["nsenter", f"--user={namespace}", f"--setuid={uid}", f"--setgid={gid}", "cat", f"/proc/self/fd/{tree}/{name}"]
    done = subprocess.run(command, pass_fds=[tree], capture_output=True, text=True, check=False)
    if done.returncode != 0 and "Permission denied" not in done.stderr:
        raise kube.Failed(f"{' '.join(command)}: {done.stderr}")
    return done.stdout if done.returncode == 0 else None
