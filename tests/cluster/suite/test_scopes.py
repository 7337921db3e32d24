# SPDX-License-Identifier: Apache-2.0
"""Each scope of rights that the chart gives: what is delivered, and what the agent's account cannot read. And what is refused
by the node's policy, and a port that nobody may connect to.
"""

import socket
import subprocess

from lib import agent, certmanager, kube, workload
from lib.places import NODE
from lib.suite import Case

ONE, TWO = "scope-one", "scope-two"
ACCOUNT = f"{agent.NAMESPACE}/certhup"
# scope: (values of rbac, Secrets that are delivered)
SCOPES = {
    "none": ({"namespaces": []}, set()),
    "namespaces": ({"namespaces": [ONE]}, {(ONE, "web"), (ONE, "other")}),
    "secretNames": ({"namespaces": [], "secretNames": {ONE: ["web"]}}, {(ONE, "web")}),
    "cluster": ({"scope": "cluster", "namespaces": []}, {(ONE, "web"), (ONE, "other"), (TWO, "web"), (TWO, "other")}),
}
ALL = sorted(SCOPES["cluster"][1])


class Scopes(Case):
    @classmethod
    def setUpClass(cls):
        cls.certhup = cls.enterClassContext(agent.Agent())
        for space in (ONE, TWO):
            cls.enterClassContext(kube.Namespace(space))
            certmanager.issuers(space)
            for name in ("web", "other"):
                certmanager.certificate(space, name, [f"{name}.example"], renewing=False)
                kube.may_get(space, name)

    def setUp(self):
        self.watch(ONE, TWO, agent.NAMESPACE)
        for space, name in ALL:
            certmanager.secret(space, name)

    def values(self, rbac):
        return {"defaults": {"splay": "0s"}, "rbac": rbac}

    def reads(self, token, *what):
        """Whether a request with the agent's own token is answered, and not refused."""
        server = [f"--server=https://{NODE[0]}:443", "--insecure-skip-tls-verify", f"--token={token}"]
        command = ["kubectl", "--kubeconfig=/dev/null", *server, "get", *what, "-o", "name"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode != 0:
            self.assertIn("Forbidden", done.stderr)
        return done.returncode == 0

    def test_10_scopes_of_rights(self):
        for scope, (rbac, wanted) in SCOPES.items():
            with self.subTest(scope=scope):
                self.certhup.upgrade(self.values(rbac))
                self.check(scope, rbac, wanted)

    def check(self, scope, rbac, wanted):
        pods = {}
        for space, name in ALL:
            kube.apply(workload.holder(space, f"{scope.lower()}-{name}", name))
        for space, name in ALL:
            pods[space, name] = kube.pod_running(space, f"{scope.lower()}-{name}")
        for place, pod in pods.items():
            if place in wanted:
                kube.wait_for(f"{place} delivered", lambda p=pod, s=place[1]: workload.holds(p, s), seconds=40)
            else:
                covered = place[0] in list(rbac["namespaces"]) + list(rbac.get("secretNames", {}))
                reason = "SecretUnreadable" if covered else "NamespaceNotCovered"
                kube.wait_for(f"{reason} of {place}", lambda p=pod, r=reason: kube.events(
                    p["metadata"]["namespace"], r, p["metadata"]["name"]), seconds=30)
                self.assertIsNone(workload.held(pod), place)
        readable = self.readable()
        told = ", ".join("/".join(place) for place in sorted(readable)) or "no Secret"
        print(f"     {scope}: the agent's account reads {told}", flush=True)
        self.assertEqual(readable, wanted)
        for space in (ONE, TWO):
            kube.kubectl("delete", "pods", "-n", space, "--all", "--wait=false")

    def readable(self):
        """The Secrets that the agent's token reads by name. It never lists them, nor reads those of its own namespace."""
        space, account = ACCOUNT.split("/")
        token = kube.kubectl("create", "token", account, "-n", space).strip()
        for where in (["-A"], ["-n", ONE], ["-n", space]):
            self.assertFalse(self.reads(token, "secrets", *where), where)
        self.assertTrue(self.reads(token, "pods", "-n", ONE))
        self.assertFalse(self.reads(token, "configmaps", "-n", ONE))
        return {(s, name) for s, name in ALL if self.reads(token, "secret", name, "-n", s)}


class Refusals(Case):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(kube.Namespace("refused"))
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=["refused"], policy={"denyRsa": True}))
        certmanager.issuers("refused")

    def setUp(self):
        self.watch("refused", agent.NAMESPACE)

    def issue(self, algorithm):
        certmanager.certificate("refused", "pair", ["pair.example"], renewing=False,
                                privateKey={"algorithm": algorithm, "rotationPolicy": "Always"})

    def test_10_policy_of_the_node_refuses_a_pair(self):
        self.issue("ECDSA")
        certmanager.secret("refused", "pair")
        kube.may_get("refused", "pair")
        kube.apply(workload.holder("refused", "policy", "pair"))
        pod = kube.pod_running("refused", "policy")
        kube.wait_for("the first pair delivered", lambda: workload.holds(pod, "pair"), seconds=30)
        before = workload.held(pod)
        self.issue("RSA")
        told = kube.wait_for("CertificateRejected", lambda: kube.events("refused", "CertificateRejected", "policy"), seconds=60)
        self.assertIn("RSA", told[0]["note"])
        self.assertEqual(workload.held(pod), before)
        self.assertFalse(workload.holds(pod, "pair"))
        self.issue("ECDSA")
        kube.wait_for("the next fit pair delivered", lambda: workload.holds(pod, "pair"), seconds=60)

    def test_10_blocked_probe_port_is_unconfirmed_and_not_broken(self):
        for target in ("DROP", "REJECT"):
            with self.subTest(target=target):
                self.block(f"blocked-{target.lower()}", target)

    def block(self, name, target):
        """What a NetworkPolicy does: the agent's packets to the pod's port go nowhere."""
        certmanager.certificate("refused", name, [f"{name}.example"], renewing=False)
        certmanager.secret("refused", name)
        kube.may_get("refused", name)
        wanted = agent.delivered(name, settle="5s")
        kube.apply(*workload.nginx("refused", name, annotations=wanted, initContainers=[agent.gate()]))
        pod = kube.pod_running("refused", name)
        kube.wait_for("adopted", lambda: self.state(name) == "adopted", seconds=40)
        rules = [(program, ["FORWARD", "-d", address, "-p", "tcp", "--dport", "8443", "-j", target]) for program, address in (
            ("iptables", workload.address(pod)), ("ip6tables", workload.address(pod, socket.AF_INET6))) if address]
        for program, rule in rules:
            subprocess.run([program, "-w", "-I", *rule], check=True)
        try:
            certmanager.renew("refused", name)
            kube.wait_for("unconfirmed", lambda: self.state(name) == "unconfirmed", seconds=60)
            kube.wait_for("ReloadUnconfirmed", lambda: kube.events("refused", "ReloadUnconfirmed", name), seconds=10)
            self.assertTrue(workload.serves(pod, name), "nginx has it, and we are not blocked")
        finally:
            for program, rule in rules:
                subprocess.run([program, "-w", "-D", *rule], check=True)
        for reason in ("CertificateBroken", "CertificateStale", "CertificateRolledBack"):
            self.assertEqual(kube.events("refused", reason, name), [], reason)
        certmanager.renew("refused", name)
        kube.wait_for("adopted again", lambda: self.state(name) == "adopted" and workload.serves(pod, name), seconds=90)

    def state(self, pod):
        return next(row["state"] for row in self.certhup.status()["bindings"] if row["pod"] == pod)
