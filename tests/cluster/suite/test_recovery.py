# SPDX-License-Identifier: Apache-2.0
"""The API server and its store come and go: pods keep what they have, and certhup goes on by itself, with no restart."""

import re
import signal
import time

from lib import agent, certmanager, daemons, etcd, kube, workload
from lib.places import HOME
from lib.suite import Case

SPACE = "recovery"
AWAY_S = 10
CLIENTS_S = 60  # the longest pause of a client that finds no server: 30 s, and as much again at random


class Recovery(Case):
    seconds = 240

    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(kube.Namespace(SPACE))
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=[SPACE]))
        certmanager.issuers(SPACE)
        certmanager.certificate(SPACE, "web", ["web.example"], renewing=False)
        certmanager.secret(SPACE, "web")
        kube.may_get(SPACE, "web")
        kube.apply(*workload.nginx(SPACE, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
        cls.pod = kube.pod_running(SPACE, "web")
        cls.agent_pod = cls.certhup.pod()

    def setUp(self):
        self.watch(SPACE, agent.NAMESPACE)
        kube.wait_for("adopted", self.adopted, seconds=60)

    def row(self):
        return next(row for row in self.certhup.status()["bindings"] if row["pod"] == "web")

    def adopted(self):
        """The resourceVersion that is adopted, if that is the Secret's."""
        row, secret = self.row(), kube.get("secret", "web", SPACE)
        same = row["state"] == "adopted" and row["fingerprint"] == workload.fingerprint(workload.leaf(secret))
        return same and workload.serves(self.pod, "web") and secret["metadata"]["resourceVersion"]

    def rotate(self, seconds=CLIENTS_S):
        """A rotation, to its end; returns the seconds from the Secret's update until it was adopted."""
        before = workload.leaf(kube.get("secret", "web", SPACE))
        certmanager.renew(SPACE, "web")
        kube.wait_for("a renewal", lambda: workload.leaf(kube.get("secret", "web", SPACE)) != before, CLIENTS_S, every=0.05)
        start = time.monotonic()
        kube.wait_for("the rotation adopted", self.adopted, seconds)
        return time.monotonic() - start

    def assert_never_restarted(self):
        now = self.certhup.pod()
        self.assertEqual(now["metadata"]["uid"], self.agent_pod["metadata"]["uid"])
        self.assertEqual([s["restartCount"] for s in now["status"]["containerStatuses"]], [0, 0])

    def requests(self):
        """How many requests the agent has made, by its own count."""
        page = kube.kubectl("get", "--raw", f"/api/v1/namespaces/{agent.NAMESPACE}/pods/{self.agent_pod['metadata']['name']}:9402"
                            "/proxy/metrics")
        return sum(float(n) for n in re.findall(r"^certhup_api_requests_total\{.*\} (\S+)$", page, re.M))

    def away(self, sig):
        """The API server goes and comes back; meanwhile nothing of the pod changes."""
        asked, held = self.requests(), workload.held(self.pod)
        daemons.stop("kube-apiserver", sig)
        try:
            deadline = time.monotonic() + AWAY_S
            while time.monotonic() < deadline:
                self.assertEqual(workload.held(self.pod), held)
                self.assertEqual(workload.served(workload.address(self.pod)), held)
                time.sleep(0.5)
        finally:
            daemons.start("kube-apiserver")
        daemons.wait_ready("kube-apiserver")
        ready, took = time.monotonic(), self.rotate()
        since = self.requests() - asked
        print(f"     {sig.name}: the first rotation after it adopted {took:.1f} s after the Secret's update, "
              f"{time.monotonic() - ready:.1f} s after the server was ready; {since:.0f} requests of the agent", flush=True)
        self.assertLess(since, 60, "no stampede")
        self.assert_never_restarted()

    def test_5_api_server_stopped_by_sigterm(self):
        self.away(signal.SIGTERM)

    def test_5_api_server_killed(self):
        self.away(signal.SIGKILL)

    def test_5_store_compacted_while_the_api_server_is_away(self):
        """The resourceVersion from which the watch of pods goes on is no longer known: 410, and a new list."""
        held = workload.held(self.pod)
        daemons.stop("kube-apiserver", signal.SIGKILL)
        daemons.start("kube-apiserver")
        daemons.wait_ready("kube-apiserver")
        etcd.compact()
        daemons.restart("kube-apiserver", signal.SIGKILL)
        self.assertEqual(workload.held(self.pod), held)
        kube.may_get(SPACE, "web", account="late")
        kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "late", "namespace": SPACE}})
        kube.apply(workload.holder(SPACE, "late", "web", account="late"))
        self.addCleanup(kube.kubectl, "delete", "pod", "late", "-n", SPACE, "--wait=false")
        late = kube.pod_running(SPACE, "late")
        start = time.monotonic()  # one pause before the watch is asked for again, another after its 410
        kube.wait_for("the pod that came after it delivered to", lambda: workload.holds(late, "web"), seconds=2 * CLIENTS_S + 10)
        print(f"     a pod that came after it delivered to after {time.monotonic() - start:.1f} s", flush=True)
        print(f"     the first rotation after it adopted {self.rotate():.1f} s after the Secret's update", flush=True)
        self.assert_never_restarted()

    def test_5_restore_of_an_older_snapshot(self):
        """resourceVersions go back: nothing older is published until two reads, 10 s apart, have shown it."""
        kept = kube.get("secret", "web", SPACE)
        snapshot = f"{HOME}/memory/snapshot"
        etcd.save(snapshot)
        for _ in range(2):
            self.rotate()
        newest, newest_rv = workload.held(self.pod), int(self.row()["resourceVersion"])
        self.assertLess(int(kept["metadata"]["resourceVersion"]), newest_rv)
        etcd.restore(snapshot)
        restored = time.monotonic()
        self.assertEqual(workload.leaf(kube.get("secret", "web", SPACE)), workload.leaf(kept), "cert-manager has rotated already")

        def told():
            """The Event; until it comes the files are of the newest pair."""
            now = workload.held(self.pod)
            found = kube.events(SPACE, "ResourceVersionReset", "web")
            if now != newest:  # the Event may have come after the file was read
                self.assertTrue(found or kube.events(SPACE, "ResourceVersionReset", "web"), "published before it was proven")
            return found
        note = kube.wait_for("ResourceVersionReset", told, seconds=90)[0]["note"]
        seconds = time.monotonic() - restored
        print(f"     taken as restored {seconds:.0f} s after the servers were back", flush=True)
        self.assertIn(f"resourceVersion {kept['metadata']['resourceVersion']}, lower than before", note)
        kube.wait_for("what the Secret has, adopted", self.adopted, seconds=60)
        self.assertEqual(workload.held(self.pod), workload.leaf(kept))
        print(f"     the first rotation after it adopted {self.rotate():.1f} s after the Secret's update", flush=True)
        self.assert_never_restarted()
