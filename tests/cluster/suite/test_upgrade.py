# SPDX-License-Identifier: Apache-2.0
"""helm upgrade to another build of another version, and back, while a certificate rotates."""

import json
import os
import shutil
import subprocess
import tempfile

from lib import agent, certmanager, images, kube, workload
from lib.helm import helm
from lib.places import ROOT
from lib.suite import Case

NEXT = "0.1.1-next"


def run(*command, cwd=ROOT):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise kube.Failed(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout.strip()


def build_next(top):
    """An image of another version, from what `make image` has compiled: only the files that say the version are compiled anew."""
    arch = images.ARCH
    for part in ("Makefile", "agent", "k8s", f"build/static-{arch}"):
        to = os.path.join(top, part)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        run("cp", "-a", part, to)
    for path in run("grep", "-rl", "--include=*.c", "CERTHUP_VERSION", "agent", "k8s", cwd=top).splitlines():
        os.utime(os.path.join(top, path))
    sysroot = run("agent/image/sysroot", arch).splitlines()[-1]
    libcurl = run("agent/image/libcurl", arch, sysroot).splitlines()[-1]
    run("make", "-s", f"BUILD=static-{arch}", f"SYSROOT={sysroot}", f"LIBCURL={libcurl}", f"VERSION={NEXT}", "all", cwd=top)
    archive = os.path.join(top, "next.oci.tar")
    run("agent/image/layout", "image", "--arch", arch, "--name", f"localhost/certhup:{NEXT}", "--time", "0", "--user",
        "64402:64402", "--label", "org.opencontainers.image.created=1970-01-01T00:00:00Z", "--out", archive,
        f"{top}/build/static-{arch}/certhup", f"{top}/build/static-{arch}/certhup-hand")
    images.load(archive)


class Upgrade(Case):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="certhup-next-")
        self.addCleanup(shutil.rmtree, self.top)

    def test_upgrade_and_back_lose_no_rotation(self):
        build_next(self.top)
        chart = helm("package", agent.CHART, "--version", NEXT, "--app-version", NEXT, "--destination", self.top)
        chart = chart.strip().rpartition(" ")[2]
        space = self.namespace("upgraded")
        self.watch(agent.NAMESPACE)
        certhup = self.enterContext(agent.Agent(namespaces=[space]))
        certmanager.issuers(space)
        certmanager.certificate(space, "web", ["web.example"], renewing=False)
        kube.may_get(space, "web")
        kube.apply(*workload.nginx(space, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
        self.pod = kube.pod_running(space, "web")
        kube.wait_for("the first pair served", lambda: workload.serves(self.pod, "web"))
        first = self.version(certhup)
        self.assertNotEqual(first, NEXT)
        for command, version in ((("upgrade", "certhup", chart, "--reset-then-reuse-values"), NEXT),
                                 (("rollback", "certhup", "1"), first)):
            with self.subTest(command[0]):
                self.change(certhup, space, command, version)
        # Each change reloaded the server for the rotations that it had, and for nothing else.
        told = sum(e.get("series", {}).get("count", 1) for e in kube.events(space, "CertificateRotated", "web"))
        self.assertEqual(told, 1 + self.rotations)

    rotations = 0

    def change(self, certhup, space, command, version):
        """Changes the version; one rotation comes while no agent is there, one after."""
        old = certhup.pod()["metadata"]["name"]
        helm(*command, "-n", agent.NAMESPACE)
        kube.wait_for("the old agent going", lambda: self.is_going(old))
        self.rotate(space)
        certhup.ready()
        kube.wait_for("the rotation of the gap served", lambda: workload.serves(self.pod, "web"), seconds=60)
        self.assertEqual(self.version(certhup), version)
        self.rotate(space)
        kube.wait_for("the rotation after it served", lambda: workload.serves(self.pod, "web"), seconds=60)
        kube.wait_for("state adopted", lambda: all(b["state"] == "adopted" for b in certhup.status()["bindings"]), seconds=60)

    def is_going(self, name):
        pod = kube.get("pod", name, agent.NAMESPACE)
        return pod is None or "deletionTimestamp" in pod["metadata"]

    def rotate(self, space):
        """Renews, and waits until the Secret has the new pair."""
        before = workload.leaf(kube.get("secret", "web", space))
        certmanager.renew(space, "web")
        kube.wait_for("a new pair", lambda: workload.leaf(kube.get("secret", "web", space)) != before)
        self.rotations += 1

    def version(self, certhup):
        out = kube.exec_in(agent.NAMESPACE, certhup.pod()["metadata"]["name"], "certhup", "version", "-o", "json", container="head")
        return json.loads(out)["version"]
