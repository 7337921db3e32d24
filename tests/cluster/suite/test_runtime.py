# SPDX-License-Identifier: Apache-2.0
"""What a node's own servers do to certhup: kubelet and containerd restarted, and groups laid out as other runtimes do."""

import contextlib
import os

from lib import agent, daemons, kube, machine, pairs, timeline, workload
from lib.suite import Case

SPACE = "runtime"
LAYOUTS = {  # UID_ is the pod's uid with "_", as systemd's driver writes it
    "containerd, systemd": "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid_}.slice/cri-containerd-{id}.scope",
    "CRI-O, systemd": "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid_}.slice/crio-{id}.scope/container",
    "CRI-O, cgroupfs": "kubepods/besteffort/pod{uid}/crio-{id}",
    "kind": "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{uid_}.slice/cri-containerd-{id}.scope",
    "containerd, mixed": "system.slice/containerd.service/kubepods-pod{uid_}.slice:cri-containerd:{id}",
}


class Runtime(Case):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(kube.Namespace(SPACE))
        kube.may_get(SPACE, "web")
        pairs.create(SPACE, ["web"])
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=[SPACE]))
        kube.apply(*workload.nginx(SPACE, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
        cls.pod = kube.pod_running(SPACE, "web")

    def setUp(self):
        self.watch(SPACE, agent.NAMESPACE)

    def test_kubelet_restarted(self):
        self.goes_on("kubelet")

    def test_containerd_restarted(self):
        self.goes_on("containerd")

    def goes_on(self, server):
        """Rotations are adopted while the server is away and after it is back; the pods are not touched by that."""
        before = self.containers()
        with timeline.Pairs(kube.pod_volume(self.pod, "tls")) as reader:
            self.rotation_adopted()
            daemons.stop(server)
            try:
                self.rotation_adopted(f"while {server} is away")
            finally:
                daemons.start(server)
            kube.wait_for("the node Ready", self.node_is_ready, seconds=60)
            self.rotation_adopted(f"after {server} is back")
            self.certhup.ready()
            self.rotation_adopted("when the agent's pod is Ready")
        self.assertEqual(reader.torn, [])
        self.assertEqual(self.containers(), before)

    def containers(self):
        """The ids of all containers that matter, and how often they were started again."""
        pods = kube.get("pod", namespace=SPACE) + kube.get("pod", namespace=agent.NAMESPACE)
        return {(p["metadata"]["name"], s["name"]): (s["containerID"], s["restartCount"])
                for p in pods for s in p["status"]["containerStatuses"]}

    def node_is_ready(self):
        """By a heartbeat from after the restart: an exec goes through kubelet and containerd."""
        return "nginx" in kube.exec_in(SPACE, "web", "/usr/sbin/nginx", "-v")

    def rotation_adopted(self, when="first"):
        leaf = workload.leaf(pairs.rotate(SPACE, ["web"])[0])
        kube.wait_for(f"a rotation served, {when}", lambda: workload.served(workload.address(self.pod)) == leaf, seconds=30)

    def test_other_runtimes_cgroup_layouts(self):
        """nginx's processes moved into groups as other runtimes and drivers lay them out: each reload still finds them. This machine
        has no systemd, so the groups are made by hand."""
        identity = self.pod["status"]["containerStatuses"][0]["containerID"].rsplit("/", 1)[1]
        uid = self.pod["metadata"]["uid"]
        home = groups_of(kube.container_pid(self.pod, "nginx"))
        self.assertTrue(home)
        for name, layout in LAYOUTS.items():
            with self.subTest(layout=name), contextlib.ExitStack() as stack:
                path = layout.format(uid=uid, uid_=uid.replace("-", "_"), id=identity)
                there = {top: make_group(top, path, stack) for top in home}
                stack.callback(move, there, home)
                move(home, there)
                self.rotation_adopted(name)
                self.assertEqual([home[top] for top in home if processes(home[top])], [])


def groups_of(pid):
    """The folder of the process's group in each hierarchy, but that of cpuset, whose new groups take nobody before they are set."""
    found = {}
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
        lines = [line.strip().split(":", 2) for line in f]
    for top in machine.hierarchies():
        name = os.path.basename(top)
        for _, controllers, path in lines:
            if name != "cpuset" and name in (controllers or "unified").removeprefix("name=").split(",") or top == machine.CGROUPS:
                found[top] = top + path
    return found


def make_group(top, path, stack):
    """Makes a group and those above it; the stack removes what was made."""
    group = top
    for name in path.split("/"):
        group = f"{group}/{name}"
        if not os.path.isdir(group):
            os.mkdir(group)
            stack.callback(kube.wait_for, f"{group} empty", lambda g=group: os.rmdir(g) is None, 10)
    return group


def processes(group):
    with open(f"{group}/cgroup.procs", encoding="ascii") as f:
        return f.read().split()


def move(source, target):
    """Moves all processes from one group to the other in each hierarchy, also those that are forked meanwhile."""
    for top in source:
        while processes(source[top]):
            for pid in processes(source[top]):
                with contextlib.suppress(ProcessLookupError):
                    machine.write(f"{target[top]}/cgroup.procs", pid)
