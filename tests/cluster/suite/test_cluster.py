# SPDX-License-Identifier: Apache-2.0
"""The cluster itself, before anything of certhup runs on it."""

import signal
import socket

from lib import certmanager, daemons, etcd, kube, machine, programs, workload
from lib.places import HOME, families
from lib.suite import Case


def config_map(name, space):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}}


class Cluster(Case):
    def test_node_is_ready(self):
        node = kube.get("node", "n1")
        conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
        self.assertEqual(conditions["Ready"], "True")
        self.assertEqual(node["status"]["capacity"]["pods"], "250")
        wanted = programs.kubernetes_version(machine.recall()["minor"])
        self.assertEqual(node["status"]["nodeInfo"]["kubeletVersion"], wanted)
        self.assertIn(wanted, kube.kubectl("get", "--raw", "/version"))

    def test_cert_manager_renews(self):
        space = self.namespace("renews")
        certmanager.issuers(space)
        certmanager.certificate(space, "web", ["web.example"])
        seen = []
        for _ in range(3):
            leaf = kube.wait_for("a new leaf", lambda: self.new_leaf(space, seen), seconds=60)
            seen.append(leaf)
        self.assertEqual(len(set(seen)), 3)

    def new_leaf(self, space, seen):
        leaf = workload.leaf(certmanager.secret(space, "web"))
        return leaf if leaf not in seen else None

    def test_nginx_serves_its_secret_volume(self):
        space = self.namespace("serves")
        kube.apply(*workload.nginx(space, volume=self.pair(space)))
        pod = kube.pod_running(space, "web")
        secret = kube.get("secret", "web", space)
        for family in families((socket.AF_INET, socket.AF_INET6)):
            with self.subTest(family=family.name):
                self.assertEqual(workload.served(workload.address(pod, family)), workload.leaf(secret))
        self.assertIn("start worker process", kube.kubectl("logs", "-n", space, "web"))
        self.assertIn("nginx/", kube.exec_in(space, "web", "/usr/sbin/nginx", "-v"))

    def test_servers_stop_and_start(self):
        space = self.namespace("servers")
        kube.apply(*workload.nginx(space, volume=self.pair(space)))
        pod = kube.pod_running(space, "web")
        leaf = workload.served(workload.address(pod))
        for name, sent in (("kubelet", signal.SIGTERM), ("containerd", signal.SIGKILL), ("kube-apiserver", signal.SIGKILL)):
            with self.subTest(server=name):
                before = daemons.pid_of(name)
                daemons.stop(name, sent)
                self.assertIsNone(daemons.pid_of(name))
                self.assertEqual(workload.served(workload.address(pod)), leaf)
                daemons.start(name)
                daemons.wait_ready(name)
                self.assertNotIn(daemons.pid_of(name), (None, before))
        self.assertIn("nginx/", kube.exec_in(space, "web", "/usr/sbin/nginx", "-v"))
        self.assertEqual(kube.get("pod", "web", space)["status"]["containerStatuses"][0]["restartCount"], 0)

    def test_store_is_compacted_and_restored(self):
        space = self.namespace("restored")
        old = kube.get("namespace", space)["metadata"]["resourceVersion"]
        kube.apply(config_map("before", space))
        etcd.compact()
        watch = f"/api/v1/namespaces/{space}/configmaps?watch=1&timeoutSeconds=2&resourceVersion="
        daemons.restart("kube-apiserver", signal.SIGKILL)  # its cache of the past goes, too
        self.assertIn('"code":410', kube.kubectl("get", "--raw", watch + old))
        etcd.save(f"{HOME}/snapshot.db")
        kube.apply(config_map("after", space))
        etcd.restore(f"{HOME}/snapshot.db")
        self.assertIsNotNone(kube.get("configmap", "before", space))
        self.assertIsNone(kube.get("configmap", "after", space))
        kube.apply(*workload.nginx(space, volume=self.pair(space)))
        kube.pod_running(space, "web")

    def pair(self, space):
        """The source of a volume with a pair that does not change."""
        certmanager.issuers(space)
        certmanager.certificate(space, "web", ["web.example"], renewing=False)
        certmanager.secret(space, "web")
        return {"secret": {"secretName": "web"}}
