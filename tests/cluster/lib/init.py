# SPDX-License-Identifier: Apache-2.0
"""The node's first process: puts its file systems and its network up, says so, and then reaps.

usage: init.py HOME HOSTNAME      it goes on when "go" comes on its standard input, and ends when that ends first
"""

import os
import shutil
import signal
import socket
import subprocess
import sys

ADDRESSES = ["10.99.0.1/24", "10.96.0.1/32", "fd00:99::1/64", "fd00:96::1/128"]  # the node's, the API server's Services
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
    mine = f"certhup-cluster-{os.path.basename(sys.argv[1])}"
    tops = [at for at, kind in mounts() if kind in ("cgroup", "cgroup2")]
    if "/sys/fs/cgroup" in tops:
        do("mount", "--bind", f"/sys/fs/cgroup/{mine}", into)
        return
    do("mount", "-t", "tmpfs", "-o", "mode=755", "cgroups", into)
    for top in (t for t in tops if os.path.dirname(t) == "/sys/fs/cgroup"):
        name = os.path.basename(top)
        os.mkdir(f"{into}/{name}")
        do("mount", "--bind", f"{top}/{mine}", f"{into}/{name}")
    for entry in os.scandir("/sys/fs/cgroup"):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), f"{into}/{entry.name}")


def file_systems(home):
    """This machine's disks as they are, and everything else anew."""
    do("mount", "--make-rprivate", "/")
    root = f"{home}/root"
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
    os.makedirs(root + home)
    do("mount", "--bind", home, root + home)
    for place in ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log"):
        os.makedirs(home + place)
        os.makedirs(root + place, exist_ok=True)
        do("mount", "--bind", home + place, root + place)
    os.mkdir(f"{home}/memory")
    do("mount", "-t", "tmpfs", "-o", "mode=700", "memory", f"{root}{home}/memory")
    os.chdir(root)
    os.mkdir(f"{home}/old")
    do("pivot_root", ".", f".{home}/old")
    os.chroot(".")
    do("umount", "--lazy", f"{home}/old")
    do("mount", "--make-rshared", "/")  # what kubelet mounts for a pod reaches that pod, and Bidirectional works


def tunables(home):
    for name, value in TUNABLES.items():
        path = f"{home}/memory/{name.replace('/', '.')}"
        with open(path, "w", encoding="ascii") as f:
            f.write(value + "\n")
        if os.path.exists(f"/proc/sys/{name}"):
            do("mount", "--bind", path, f"/proc/sys/{name}")


def network():
    do("ip", "link", "set", "lo", "up")
    do("ip", "link", "add", "node0", "type", "bridge")  # the kernel may have no dummy device
    for address in ADDRESSES:
        if ":" not in address:
            do("ip", "address", "add", address, "dev", "node0")
        elif os.path.isdir("/proc/sys/net/ipv6"):
            do("ip", "address", "add", address, "dev", "node0", "nodad")
    do("ip", "link", "set", "node0", "up")
    for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        if os.path.exists(f"/proc/sys/net/{path}"):
            with open(f"/proc/sys/net/{path}", "w", encoding="ascii") as f:
                f.write("1\n")


def main():
    home, hostname = sys.argv[1:]
    if os.read(0, 2) != b"go":
        return 1
    socket.sethostname(hostname)
    file_systems(home)
    tunables(home)
    network()
    with open(f"{home}/node-is-there", "w", encoding="ascii"):
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
