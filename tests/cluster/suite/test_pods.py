# SPDX-License-Identifier: Apache-2.0
"""Pods of many kinds: whose the files are and who may read them, which container is signalled, and a root that cannot be written."""

import json
import os
import re
import stat
import subprocess

from lib import agent, idmapped, kube, pairs, workload
from lib.suite import Case

SPACE = "pods"
MOUNTS = [{"name": "tls", "mountPath": "/tls", "readOnly": True}]
KEY = "/tls/tls.key"


def pod(name, annotation=None, containers=None, **spec):
    """A pod whose containers sleep and have the volume."""
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": SPACE,
                         "annotations": {"certhup.io/volumes": json.dumps({"tls": {"secret": "web", **(annotation or {})}})}},
            "spec": {"containers": containers or [workload.busybox("main", volumeMounts=MOUNTS)], "terminationGracePeriodSeconds": 1,
                     "volumes": [{"name": "tls", "emptyDir": {"medium": "Memory"}}], **spec}}


def reads(name, container="main"):
    """Whether the container's own user can read the key."""
    said = kube.exec_in(SPACE, name, "/bin/busybox", "head", "-n", "1", KEY, container=container, check=False)
    return "PRIVATE KEY" in said


def owner(volume):
    """uid, gid and mode of the key in a volume."""
    about = os.stat(f"{volume}/tls.key")
    return about.st_uid, about.st_gid, f"{stat.S_IMODE(about.st_mode):04o}"


class Pods(Case):
    @classmethod
    def setUpClass(cls):
        workload.busybox_image()
        cls.enterClassContext(kube.Namespace(SPACE))
        kube.may_get(SPACE, "web")
        kube.apply(pairs.secret(SPACE, "web"))
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=[SPACE]))

    def setUp(self):
        self.watch(SPACE, agent.NAMESPACE)

    def start(self, *pods):
        """Starts pods, waits until each has the pair, and returns their volumes."""
        for one in pods:
            self.addCleanup(kube.kubectl, "delete", "pod", "-n", SPACE, one["metadata"]["name"], "--grace-period=1", "--wait=false")
        kube.apply(*pods)
        volumes = [kube.pod_volume(kube.pod_running(SPACE, one["metadata"]["name"]), "tls") for one in pods]
        self.hold(volumes, workload.leaf(kube.get("secret", "web", SPACE)))
        return volumes

    def hold(self, volumes, leaf):
        for volume in volumes:
            kube.wait_for("the pair", lambda v=volume: self.leaf(v) == leaf, seconds=30)

    def leaf(self, volume):
        with open(f"{volume}/tls.crt", encoding="ascii") as f:
            return workload.first(f.read())

    def test_owner_and_mode_follow_the_pod(self):
        """docs/concepts.md, Owner and mode; after a rotation they are the same."""
        user = lambda uid: {"securityContext": {"runAsUser": uid}}  # noqa: E731
        two = [workload.busybox(name, volumeMounts=MOUNTS, securityContext={"runAsUser": uid}) for name, uid in
               (("main", 1001), ("other", 1002))]
        kinds = {
            "fsgroup": (pod("fsgroup", securityContext={"runAsUser": 1001, "fsGroup": 2001}), (0, 2001, "0440")),
            "runasuser": (pod("runasuser", **user(1001)), (1001, 1001, "0400")),
            "neither": (pod("neither"), (0, 0, "0444")),
            "two-users": (pod("two-users", containers=two), (0, 0, "0444")),
            "two-users-fsgroup": (pod("two-users-fsgroup", containers=two, securityContext={"fsGroup": 2002}), (0, 2002, "0440")),
            "asked": (pod("asked", {"owner": "1003:2003", "mode": "0440"}, **user(1003)), (1003, 2003, "0440")),
        }
        volumes = dict(zip(kinds, self.start(*(one for one, _ in kinds.values()))))
        for when in ("at the start", "after a rotation"):
            for name, (_, wanted) in kinds.items():
                with self.subTest(pod=name, when=when):
                    got = owner(volumes[name])
                    self.assertEqual((got[0], got[2]), (wanted[0], wanted[2]))
                    self.assertTrue(got[1] == wanted[1] or name == "runasuser", got)
                    self.assertTrue(reads(name))
            if when == "at the start":
                self.hold(volumes.values(), workload.leaf(pairs.rotate(SPACE, ["web"])[0]))
        self.assertTrue(reads("two-users-fsgroup", "other"))

    def test_named_container_is_signalled_and_no_other(self):
        """Two nginx containers with one volume: the one that is named reloads, the other does not."""
        config, both = workload.nginx(SPACE, "both", annotations=agent.delivered("web", container="nginx"), initContainers=[agent.gate()])
        config["data"]["other.conf"] = config["data"]["nginx.conf"].replace("8443", "8444").replace("/tmp/", "/tmp/other-")
        first = both["spec"]["containers"][0]
        both["spec"]["containers"].append({
            **first, "name": "other", "command": ["/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/nginx/other.conf"],
            "ports": [{"containerPort": 8444}], "readinessProbe": {"tcpSocket": {"port": 8444}, "periodSeconds": 1}})
        self.addCleanup(kube.kubectl, "delete", "configmap", "-n", SPACE, "both-conf")
        kube.apply(config)
        self.start(both)
        running = kube.pod_running(SPACE, "both")
        old = workload.leaf(kube.get("secret", "web", SPACE))
        self.assertEqual(workload.served(workload.address(running), 8444), old)
        new = workload.leaf(pairs.rotate(SPACE, ["web"])[0])
        kube.wait_for("the named container serves it", lambda: workload.served(workload.address(running)) == new, seconds=30)
        self.assertEqual(workload.served(workload.address(running), 8444), old)

    def test_root_that_cannot_be_written(self):
        locked = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 1001,
                  "capabilities": {"drop": ["ALL"]}}
        config, one = workload.nginx(SPACE, "locked", annotations=agent.delivered("web"), initContainers=[
            {**agent.gate(), "securityContext": locked}], securityContext={"fsGroup": 1001})
        one["spec"]["containers"][0]["securityContext"] = locked
        self.addCleanup(kube.kubectl, "delete", "configmap", "-n", SPACE, "locked-conf")
        kube.apply(config)
        self.start(one)
        running = kube.pod_running(SPACE, "locked")
        new = workload.leaf(pairs.rotate(SPACE, ["web"])[0])
        kube.wait_for("it serves the new pair", lambda: workload.served(workload.address(running)) == new, seconds=30)

    def test_A14_pod_with_a_user_namespace_reads_its_files(self):
        node = kube.get("node", "n1")["status"]
        containerd = re.search(r"containerd://v?(\d+)", node["nodeInfo"]["containerRuntimeVersion"])
        runc = re.search(r"runc version (\d+)\.(\d+)", subprocess.run(["runc", "--version"], capture_output=True, text=True, check=True).stdout)
        if int(containerd[1]) < 2 or (int(runc[1]), int(runc[2])) < (1, 2):
            self.skipTest(f"hostUsers: false needs containerd 2 and runc 1.2; here are {node['nodeInfo']['containerRuntimeVersion']} and "
                          f"{runc[0]}. A14_idmapped_volume_is_read_with_the_pods_own_ids stands in")
        volume, = self.start(pod("userns", securityContext={"runAsUser": 1001, "fsGroup": 2001}, hostUsers=False))
        self.assertEqual(owner(volume), (0, 2001, "0440"))
        self.assertTrue(reads("userns"))

    def test_A14_idmapped_volume_is_read_with_the_pods_own_ids(self):
        """What kubelet and runtime make of hostUsers: false: an idmapped mount of the volume, read from a user namespace."""
        volume, = self.start(pod("idmapped", securityContext={"runAsUser": 1001, "fsGroup": 2001}))
        with idmapped.user_namespace() as namespace:
            tree = idmapped.mount(volume, namespace)
            self.addCleanup(os.close, tree)
            about = os.stat("tls.key", dir_fd=tree)
            self.assertEqual((about.st_uid, about.st_gid), (100000, 102001))
            for when in ("at the start", "after a rotation"):
                with self.subTest(when=when):
                    self.assertIn("PRIVATE KEY", idmapped.read(tree, namespace, 1001, 2001, "tls.key"))
                    self.assertIsNone(idmapped.read(tree, namespace, 1002, 2002, "tls.key"))
                    leaf = workload.leaf(kube.get("secret", "web", SPACE))
                    self.assertEqual(workload.first(idmapped.read(tree, namespace, 1001, 2001, "tls.crt")), leaf)
                if when == "at the start":
                    self.hold([volume], workload.leaf(pairs.rotate(SPACE, ["web"])[0]))
