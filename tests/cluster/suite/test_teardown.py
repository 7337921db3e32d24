# SPDX-License-Identifier: Apache-2.0
"""Nothing is left of a cluster, however it ends. These bring up another one, beside the suite's."""

import json
import os
import signal
import subprocess

from lib import kube
from lib.places import HERE, NAME
from lib.suite import Case

OTHER = f"{NAME[:18]}-t"
HOME = f"/var/lib/certhup-cluster/{OTHER}"


def cluster(*arguments):
    return subprocess.run([f"{HERE}/cluster", *arguments], env={**os.environ, "CERTHUP_CLUSTER": OTHER}, capture_output=True,
                          text=True, check=False, timeout=120)


class Teardown(Case):
    outside = True

    def setUp(self):
        cluster("down")
        self.addCleanup(cluster, "down")

    def bring_up_until(self, server):
        """A bring-up that has just started the server."""
        up = subprocess.Popen([f"{HERE}/cluster", "up"], env={**os.environ, "CERTHUP_CLUSTER": OTHER}, start_new_session=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(up.stdout.close)
        log = f"{HOME}/logs/{server}.log"
        kube.wait_for(f"{server} started", lambda: os.path.exists(log) or up.poll() is not None, every=0.01)
        self.assertIsNone(up.poll(), "the bring-up ended too early")
        return up

    def assert_nothing_left(self):
        left = cluster("left")
        self.assertEqual((left.stdout, left.returncode), ("", 0))

    def test_killed_bring_up_is_taken_by_down(self):
        for server in ("init", "kube-apiserver"):
            with self.subTest(server=server):
                up = self.bring_up_until(server)
                os.killpg(up.pid, signal.SIGKILL)
                up.wait()
                self.assertNotEqual(cluster("left").stdout, "")
                self.assertEqual(cluster("down").returncode, 0)
                self.assert_nothing_left()

    def test_killed_bring_up_is_taken_by_up(self):
        up = self.bring_up_until("kubelet")
        os.killpg(up.pid, signal.SIGKILL)
        up.wait()
        again = cluster("up")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("Ready after", again.stdout)
        self.assertEqual(cluster("down").returncode, 0)
        self.assert_nothing_left()

    def test_interrupted_bring_up_leaves_nothing(self):
        for sent, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(signal=sent.name):
                up = self.bring_up_until("kube-apiserver")
                os.killpg(up.pid, sent)
                self.assertEqual(up.wait(timeout=60), status)
                self.assert_nothing_left()

    def test_failed_bring_up_leaves_nothing_but_its_logs(self):
        up = self.bring_up_until("kube-apiserver")
        with open(f"{HOME}/state.json", encoding="utf-8") as f:
            os.kill(json.load(f)["init"], signal.SIGKILL)
        said, _ = up.communicate(timeout=60)
        self.assertEqual(up.returncode, 1, said)
        self.assertIn("its logs are kept in", said)
        self.assert_nothing_left()
