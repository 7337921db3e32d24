# SPDX-License-Identifier: Apache-2.0
"""certhup as the README installs it: its commands as they stand there, then ten rotations by cert-manager."""

import contextlib
import os
import statistics
import sys
import time

from lib import agent, certmanager, helm, kube, timeline, workload
from lib.places import ROOT
from lib.suite import Case

sys.path.insert(0, f"{ROOT}/tests/docs")
from blocks import run_block, steps_of  # noqa: E402 # pylint: disable=wrong-import-position

ROTATIONS = 10
FIRST_ROTATION_S = 60
KUBELET = {"name": "kubelet", "secret": {"secretName": "mutual"}}


def readme():
    """The README's commands that need a cluster, in their order."""
    return [b for kind, b in steps_of("README.md") if kind == "fence" and b.words[:2] == ["sh", "cluster"]]


def run(blocks):
    for block in blocks:
        fault = run_block(block, ROOT, os.environ)
        if fault:
            raise kube.Failed(fault)


class Rotation(Case):
    seconds = 420

    @classmethod
    def setUpClass(cls):
        cls.blocks = readme()
        cls.addClassCleanup(cls.remove)
        cls.certhup = agent.Agent(namespace="certhup")
        cls.installed = time.monotonic()
        run(b for b in cls.blocks if "helm install" in b.text)

    @classmethod
    def remove(cls):
        helm.helm("uninstall", "certhup", "-n", "certhup", "--ignore-not-found", "--wait")
        for name in ("demo", "certhup"):
            kube.Namespace(name).remove()

    def setUp(self):
        self.watch("demo", "certhup")

    def test_10_rotations_are_adopted(self):
        """The first rotation is adopted within a minute of `helm install`, the others as they come; nginx asks its clients for a
        certificate. Beside it, in the same pod, the kubelet's own volume of that Secret."""
        certmanager.issuers("demo")
        certmanager.certificate("demo", "mutual", ["web.example"])
        kube.may_get("demo", "mutual")
        wanted = agent.delivered("mutual", probe_client="true", splay="0s")
        config, pod = workload.nginx("demo", "mutual", annotations=wanted, mutual=True, initContainers=[agent.gate()])
        pod["spec"]["volumes"].append(KUBELET)
        pod["spec"]["containers"][0]["volumeMounts"].append({"name": "kubelet", "mountPath": "/kubelet"})
        kube.apply(config, pod)
        pod = kube.pod_running("demo", "mutual")
        ours, theirs = kube.pod_volume(pod, "tls"), kube.pod_volume(pod, "kubelet", kind="secret")
        with contextlib.ExitStack() as stack:
            places = {"secret": timeline.Secret("demo", "mutual"), "file": timeline.file(ours), "kubelet": timeline.file(theirs)}
            places["served"] = timeline.served(workload.address(pod), after=places["file"])
            for place in places.values():
                stack.enter_context(place)
            self.rotate(pod, ours, places)
        self.tell(places)

    def rotate(self, pod, volume, places):
        """Waits until each leaf of the Secret is adopted; a client of the pod's own pair is served by it."""
        done = [kube.wait_for("the first pair adopted", lambda: self.adopted(places), seconds=30)]
        for number in range(ROTATIONS):
            leaf = kube.wait_for("a rotation", lambda: places["secret"].newest() not in done and places["secret"].newest(), seconds=60)
            kube.wait_for(f"rotation {number + 1} adopted", lambda: self.adopted(places) == leaf, seconds=15)
            done.append(leaf)
            self.assertIn("certhup", workload.request(pod, (f"{volume}/tls.crt", f"{volume}/tls.key")))
            if number == 0:
                seconds = time.monotonic() - self.installed
                print(f"     helm install to the first rotation adopted: {seconds:.1f} s", flush=True)
                self.assertLess(seconds, FIRST_ROTATION_S)
        for reason in ("CertificateStale", "CertificateBroken", "ReloadUnconfirmed", "ReloadFailed", "CertificateRejected"):
            self.assertEqual(kube.events("demo", reason, "mutual"), [], reason)

    def adopted(self, places):
        """The leaf that certhup says is adopted and that we saw served."""
        row = next(r for r in self.certhup.status()["bindings"] if r["pod"] == "mutual")
        return next((leaf for leaf in places["served"].times if row["state"] == "adopted" and
                     workload.fingerprint(leaf) == row["fingerprint"]), None)

    def tell(self, places):
        """Prints the latency of each rotation, and checks ours."""
        columns = ("file", "served", "kubelet")
        print("     rotation   to the file   to the served leaf   kubelet's own volume   (ms from the Secret's update)")
        found = {column: [] for column in columns}
        leaves = list(places["secret"].times)[1:ROTATIONS + 1]
        for number, leaf in enumerate(leaves, 1):
            after = {column: self.since(places, leaf, column) for column in columns}
            print("     {:8}   {:>11}   {:>18}   {:>20}".format(number, *(
                f"{after[c] * 1000:.0f}" if after[c] is not None else "not yet" for c in columns)))
            for column in columns:
                found[column] += [after[column]] if after[column] is not None else []
        for column in columns:
            if found[column]:
                print(f"     {column}: median {statistics.median(found[column]) * 1000:.0f} ms, "
                      f"longest {max(found[column]) * 1000:.0f} ms, {len(found[column])} of {len(leaves)}", flush=True)
        self.assertEqual([len(leaves), len(found["file"]), len(found["served"])], [ROTATIONS] * 3)
        self.assertLess(max(found["served"]), 5)

    def since(self, places, leaf, column):
        """Seconds from the Secret's update until this leaf, or a newer one, was seen."""
        order = list(places["secret"].times)
        newer = order[order.index(leaf):]
        seen = [at for other, at in places[column].times.items() if other in newer]
        return min(seen) - places["secret"].times[leaf] if seen else None

    def test_readme_does_what_it_says(self):
        run(b for b in self.blocks if "helm install" not in b.text)
        pod = kube.pod_running("demo", "web")
        self.assertTrue(workload.serves(pod, "web-tls"))
        before = workload.leaf(kube.get("secret", "web-tls", "demo"))
        certmanager.renew("demo", "web")
        kube.wait_for("a renewal", lambda: workload.leaf(kube.get("secret", "web-tls", "demo")) != before)
        kube.wait_for("the renewal served", lambda: workload.serves(pod, "web-tls"), seconds=40)  # the chart's splay is 10 s
