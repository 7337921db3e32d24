# SPDX-License-Identifier: Apache-2.0
"""The node: a machine of its own in namespaces (mount, pid, net, ipc, uts, cgroup) of this one.

Its first process is lib/init.py. When that one is killed the kernel ends every process of the node, and with the
last of them go its mounts, interfaces and sockets: nothing has to be found and undone one by one. Only control
groups and the cluster's folder stay; `remove` takes them too. Inside, kubelet and containerd use their usual paths.
"""

import ctypes
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from lib.places import CGROUP, HERE, HOME, KUBECONFIG, LOGS, NAME, STATE

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_NS, NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_PID, NEW_NET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
CGROUPS = "/sys/fs/cgroup"


class Failed(Exception):
    pass


def start_time(pid):
    """When the process started, in clock ticks since the boot: with its number, its name for ever. None: gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def hierarchies():
    """The roots of this machine's control group hierarchies: one on v2, many on v1 and on a hybrid."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        rows = [line.split(" - ") for line in f]
    found = [left.split()[4] for left, right in rows if right.split()[0] in ("cgroup", "cgroup2")]
    return [h for h in found if h == CGROUPS or os.path.dirname(h) == CGROUPS]


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def make_cgroups():
    """A group of the node's own in each hierarchy; this process joins it, to be the root that the node sees."""
    for top in hierarchies():
        mine = f"{top}/{CGROUP}"
        os.makedirs(mine, exist_ok=True)
        if os.path.exists(f"{mine}/cpuset.cpus") and not os.path.exists(f"{mine}/cgroup.controllers"):
            _fill_cpuset(top, mine)
        _give_controllers(top)
        write(f"{mine}/cgroup.procs", "0")


def join_cgroups():
    """Puts this process where the node's own ones are: on v2 only a group without processes can be divided."""
    for top in hierarchies():
        os.makedirs(f"{top}/{CGROUP}/node", exist_ok=True)
        if os.path.exists(f"{top}/{CGROUP}/cpuset.cpus") and not os.path.exists(f"{top}/cgroup.controllers"):
            _fill_cpuset(f"{top}/{CGROUP}", f"{top}/{CGROUP}/node")
        write(f"{top}/{CGROUP}/node/cgroup.procs", "0")
        _give_controllers(f"{top}/{CGROUP}")


def _fill_cpuset(above, group):
    for name in ("cpuset.cpus", "cpuset.mems"):  # v1: empty in a new group, which then takes nobody
        with open(f"{above}/{name}", encoding="ascii") as f:
            write(f"{group}/{name}", f.read())


def _give_controllers(group):
    """v2: the groups below may use whatever this one may."""
    given = _words(f"{group}/cgroup.subtree_control")
    missing = [c for c in _words(f"{group}/cgroup.controllers") if c not in given]
    if missing:
        write(f"{group}/cgroup.subtree_control", " ".join(f"+{c}" for c in missing))


def make(hostname):
    """Makes the node. Returns its first process's pid on this machine. A caller that dies takes it along."""
    enter_read, enter_write = os.pipe()
    pid_read, pid_write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(enter_write)
            os.close(pid_read)
            _become_parent_of_init(hostname, enter_read, pid_write)
            status = 0
        except Exception as e:  # pylint: disable=broad-except # a forked child has nobody to tell
            print(f"cluster: the node cannot be made: {e}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    os.close(enter_read)
    os.close(pid_write)
    with os.fdopen(pid_read) as f:
        pid = f.read()
    os.waitpid(child, 0)
    if not pid:
        os.close(enter_write)
        raise Failed("the node's namespaces cannot be made (root is needed)")
    remember({**recall(), "init": int(pid), "started": start_time(int(pid))})
    os.write(enter_write, b"go")  # from now on it outlives us
    os.close(enter_write)
    return int(pid)


def _become_parent_of_init(hostname, enter_read, pid_write):
    os.setsid()
    make_cgroups()
    if LIBC.unshare(NEW_NS | NEW_CGROUP | NEW_UTS | NEW_IPC | NEW_PID | NEW_NET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    join_cgroups()
    init = os.fork()
    if init == 0:
        os.close(pid_write)
        log = os.open(f"{LOGS}/init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(enter_read, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execv(sys.executable, [sys.executable, f"{HERE}/lib/init.py", hostname])
    os.write(pid_write, str(init).encode())


def remember(state):
    partial = f"{STATE}.new"
    write(partial, json.dumps(state))
    os.rename(partial, STATE)


def recall():
    try:
        with open(STATE, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def init_pid():
    """The first process of the node that is up, or None."""
    state = recall()
    pid = state.get("init")
    return pid if pid and start_time(pid) == state["started"] else None


def inside():
    """Whether this process itself runs in the node, as the suite does."""
    return os.environ.get("CERTHUP_NODE") == NAME


def run(command, **options):
    """Runs a command inside the node, with the cluster's programs on its PATH. Options as of subprocess.run."""
    options.setdefault("check", True)
    if inside():
        return subprocess.run(command, **options)
    pid = init_pid()
    if pid is None:
        raise Failed("no cluster is up: `make cluster-up`")
    enter = ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", f"--wd={os.getcwd()}"]
    path = recall().get("path", "")
    env = {**options.pop("env", os.environ), "CERTHUP_NODE": NAME, "KUBECONFIG": KUBECONFIG,
           "PATH": f"{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run([*enter, "--", *command], env=env, preexec_fn=join_cgroups, **options)


def remove():
    """Ends the node and takes away all that an earlier or a broken run left. Nothing there is no error."""
    pid = init_pid()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while (pid is not None and init_pid() is not None) or not _remove_cgroups():
        if time.monotonic() > deadline:
            raise Failed("the node's processes do not end; see `ps`, then `make cluster-down` again")
        time.sleep(0.05)
    shutil.rmtree(HOME, ignore_errors=True)
    if os.path.isdir(HOME):
        raise Failed(f"{HOME} cannot be removed")
    try:
        os.rmdir(os.path.dirname(HOME))
    except OSError:  # another cluster's folder is there, or none at all
        pass


def _remove_cgroups():
    """Whether none of the node's control groups is left. What lives in one is the node's: it is ended."""
    left = False
    for top in hierarchies():
        for group, _, _ in os.walk(f"{top}/{CGROUP}", topdown=False):
            for line in _words(f"{group}/cgroup.procs"):
                if line != "0" and int(line) != os.getpid():
                    _kill(int(line))
            try:
                os.rmdir(group)
            except OSError:
                left = left or os.path.isdir(group)
    return not left


def _words(path):
    try:
        with open(path, encoding="ascii") as f:
            return f.read().split()
    except OSError:
        return []


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def leftovers():
    """What a node that is gone should not have left on this machine."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        left = [f"mount {line.split()[4]}" for line in f if HOME in line or CGROUP in line]
    for top in hierarchies():
        left += [f"control group {top}/{CGROUP}"] if os.path.isdir(f"{top}/{CGROUP}") else []
    for path in glob.glob("/proc/[0-9]*/cgroup"):
        pid = path.split("/")[2]  # a dead one may wait a moment for this machine's first process
        left += [f"process {pid}"] if f"/{CGROUP}" in " ".join(_words(path)) and start_time(pid) else []
    return left + ([HOME] if os.path.exists(HOME) else [])


def clusters():
    """The names of all clusters that left something, up or not."""
    named = [os.path.basename(p) for p in glob.glob(os.path.dirname(HOME) + "/*")]
    for top in hierarchies():
        named += [os.path.basename(p)[len("certhup-cluster-"):] for p in glob.glob(f"{top}/certhup-cluster-*")]
    return sorted(set(named))
