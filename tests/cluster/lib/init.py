# SPDX-License-Identifier: Apache-2.0
"""The node's first process: puts its file systems and its network up, says so, and then reaps.

usage: init.py HOSTNAME      it goes on when "go" comes on its standard input, and ends when that ends first
"""

import os
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.places import API_SERVICE, CACHE, CGROUP, HOME, NODE, ROOT, families  # noqa: E402

# kubelet sets these for the whole machine; where it finds its values it leaves them. So it sees files of ours.
TUNABLES = {"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
            "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000"}


def do(*command):
    subprocess.run(command, check=True)


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return [(line.split()[4].encode().decode("unicode_escape"), line.split(" - ")[1].split()[0]) for line in f]


def bind_cgroups(into):
    """The node's control groups under /sys/fs/cgroup, as on a machine: a hierarchy's root is the node's own group."""
    tops = [at for at, kind in mounts() if kind in ("cgroup", "cgroup2")]
    if "/sys/fs/cgroup" in tops:
        do("mount", "--bind", f"/sys/fs/cgroup/{CGROUP}", into)
        return
    do("mount", "-t", "tmpfs", "-o", "mode=755", "cgroups", into)
    for top in (t for t in tops if os.path.dirname(t) == "/sys/fs/cgroup"):
        name = os.path.basename(top)
        os.mkdir(f"{into}/{name}")
        do("mount", "--bind", f"{top}/{CGROUP}", f"{into}/{name}")
    for entry in os.scandir("/sys/fs/cgroup"):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), f"{into}/{entry.name}")


def file_systems():
    """This machine's disks as they are, and everything else anew."""
    do("mount", "--make-rprivate", "/")
    root = f"{HOME}/root"
    os.mkdir(root)
    apart = ("/proc", "/sys", "/dev", "/run", "/tmp")
    disks = [at for at, _ in mounts() if at != "/" and not any(at == a or at.startswith(a + "/") for a in apart)]
    do("mount", "--bind", "/", root)
    for at in disks:
        if os.path.exists(root + at):
            do("mount", "--bind", at, root + at)
    do("mount", "--bind", "/tmp", f"{root}/tmp")
    do("mount", "--rbind", "/dev", f"{root}/dev")
    do("mount", "-t", "proc", "proc", f"{root}/proc")
    do("mount", "-t", "sysfs", "sysfs", f"{root}/sys")
    bind_cgroups(f"{root}/sys/fs/cgroup")
    do("mount", "-t", "tmpfs", "-o", "mode=755", "run", f"{root}/run")
    do("mount", "-t", "tmpfs", "-o", "mode=755", "lib", f"{root}/var/lib")  # this machine's own kubelet is none of ours
    for place in (HOME, ROOT, CACHE):
        if not os.path.isdir(root + place):  # hidden by what is new
            os.makedirs(root + place)
            do("mount", "--bind", place, root + place)
    for place in ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log"):
        os.makedirs(HOME + place)
        os.makedirs(root + place, exist_ok=True)
        do("mount", "--bind", HOME + place, root + place)
    os.mkdir(f"{HOME}/memory")
    do("mount", "-t", "tmpfs", "-o", "mode=700", "memory", f"{root}{HOME}/memory")
    os.chdir(root)
    os.mkdir(f"{HOME}/old")
    do("pivot_root", ".", f".{HOME}/old")
    os.chroot(".")
    do("umount", "--lazy", f"{HOME}/old")
    do("mount", "--make-rshared", "/")  # what kubelet mounts for a pod reaches that pod, and Bidirectional works


def tunables():
    for name, value in TUNABLES.items():
        path = f"{HOME}/memory/{name.replace('/', '.')}"
        with open(path, "w", encoding="ascii") as f:
            f.write(value + "\n")
        if os.path.exists(f"/proc/sys/{name}"):
            do("mount", "--bind", path, f"/proc/sys/{name}")


def add_address(address):
    do("ip", "address", "add", address, "dev", "node0", *(["nodad"] if ":" in address else []))


def network():
    do("ip", "link", "set", "lo", "up")
    do("ip", "link", "add", "node0", "type", "bridge")  # the kernel may have no dummy device
    for address in families(NODE):
        add_address(f"{address}/{64 if ':' in address else 24}")
    for address in families(API_SERVICE):
        add_address(f"{address}/{128 if ':' in address else 32}")
    do("ip", "link", "set", "node0", "up")
    for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        if os.path.exists(f"/proc/sys/net/{path}"):
            with open(f"/proc/sys/net/{path}", "w", encoding="ascii") as f:
                f.write("1\n")


def main():
    if os.read(0, 2) != b"go":
        return 1
    socket.sethostname(sys.argv[1])
    file_systems()
    tunables()
    network()
    with open(f"{HOME}/node-is-there", "w", encoding="ascii"):
        pass
    while True:  # reaps whoever is left to the first process
        signal.sigwait([signal.SIGCHLD])
        try:
            while os.waitpid(-1, os.WNOHANG)[0] > 0:
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    sys.exit(main())
