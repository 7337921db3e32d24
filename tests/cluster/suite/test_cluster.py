# SPDX-License-Identifier: Apache-2.0
"""The cluster itself, before anything of certhup runs on it."""

import socket

from lib import certmanager, kube, machine, programs, workload
from lib.places import families
from lib.suite import Case


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
        certmanager.issuers(space)
        certmanager.certificate(space, "web", ["web.example"], renewing=False)
        secret = certmanager.secret(space, "web")
        kube.apply(*workload.nginx(space, volume={"secret": {"secretName": "web"}}))
        pod = kube.pod_running(space, "web")
        for family in families((socket.AF_INET, socket.AF_INET6)):
            with self.subTest(family=family.name):
                self.assertEqual(workload.served(workload.address(pod, family)), workload.leaf(secret))
        self.assertIn("start worker process", kube.kubectl("logs", "-n", space, "web"))
        self.assertIn("nginx/", kube.exec_in(space, "web", "/usr/sbin/nginx", "-v"))
