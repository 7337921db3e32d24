# SPDX-License-Identifier: Apache-2.0
"""The main way: the chart's DaemonSet, an annotated emptyDir, cert-manager's rotations, nginx."""

from lib import agent, certmanager, kube, workload
from lib.suite import Case


class Delivery(Case):
    def test_rotations_are_adopted(self):
        space = self.namespace("delivery")
        self.watch(agent.NAMESPACE)
        certhup = self.enterContext(agent.Agent(namespaces=[space]))
        certmanager.issuers(space)
        certmanager.certificate(space, "web", ["web.example"])
        kube.may_get(space, "web")
        kube.apply(*workload.nginx(space, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
        pod = kube.pod_running(space, "web")
        seen = set()
        for _ in range(3):
            kube.wait_for("a new leaf served", lambda: self.new_leaf(pod, seen), seconds=40)
        row = kube.wait_for("state adopted", lambda: [b for b in certhup.status()["bindings"] if b["state"] == "adopted"])[0]
        self.assertEqual((row["namespace"], row["pod"], row["volume"], row["secret"]), (space, "web", "tls", "web"))
        told = {event["reason"] for event in kube.events(space, about="web")}
        self.assertLessEqual({"CertificateRotated", "ReloadSent", "CertificateAdopted"}, told)

    def new_leaf(self, pod, seen):
        """Whether the server shows what the Secret has, and that is new."""
        leaf = workload.served(workload.address(pod))
        if leaf in seen or not workload.serves(pod, "web"):
            return False
        seen.add(leaf)
        return True
