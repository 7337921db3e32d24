# SPDX-License-Identifier: Apache-2.0
"""The agent ends in the midst of rotations: no reader sees a torn pair, and no reload that is owed is lost."""

import contextlib
import os
import signal
import time

from lib import agent, kube, pairs, timeline, workload
from lib.suite import Case

SPACE = "killed"
PROBED, UNPROBED = ["probed-0", "probed-1"], ["unprobed-0", "unprobed-1"]  # pods, and Secrets of the same names
PODS = PROBED + UNPROBED
BACK_S = 90  # kubelet waits 10, 20 and 40 s before it starts a container that ends again and again
ROTATIONS = 3  # before and after the first end
STATE = "/var/lib/kubelet/plugins/csi.certhup.io/state"


class Killed(Case):
    """Two of the pods have no probe: nothing but the signal that was owed makes them serve the last pair."""

    @classmethod
    def setUpClass(cls):
        space = kube.Namespace(SPACE)
        cls.enterClassContext(space)
        kube.may_get(SPACE, *PODS)
        pairs.create(SPACE, PODS)
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=[SPACE]))
        for name in PODS:
            wanted = agent.delivered(name) if name in PROBED else agent.delivered(name, probe=None, settle="1s")
            kube.apply(*workload.nginx(SPACE, name, annotations=wanted, initContainers=[agent.gate()]))
        cls.pods = {name: kube.pod_running(SPACE, name) for name in PODS}

    def setUp(self):
        self.watch(SPACE, agent.NAMESPACE)
        self.commanding("delete", "pod", self.certhup.pod()["metadata"]["name"])()  # kubelet makes a new one wait for no earlier ends
        self.certhup.ready()

    def test_head_killed_in_the_midst_of_rotations(self):
        self.survives(lambda: self.killing("head"))

    def test_hand_killed_in_the_midst_of_rotations(self):
        self.survives(lambda: self.killing("hand"))

    def test_both_killed_in_the_midst_of_rotations(self):
        self.survives(lambda: self.killing("head", "hand"))

    def test_pod_deleted_in_the_midst_of_rotations(self):
        self.survives(lambda: self.commanding("delete", "pod", self.certhup.pod()["metadata"]["name"], "--grace-period=0", "--force"))

    def test_rollout_in_the_midst_of_rotations(self):
        self.survives(lambda: self.commanding("rollout", "restart", "daemonset/certhup"))

    def killing(self, *containers):
        """What kills these containers of the agent at once: their pids are found before."""
        pod = kube.wait_for("the agent's containers run", self.certhup.ready, BACK_S)
        pids = [kube.container_pid(pod, container) for container in containers]
        return lambda: [os.kill(pid, signal.SIGKILL) for pid in pids]

    def commanding(self, *command):
        return lambda: kube.kubectl(*command, "-n", agent.NAMESPACE)

    def survives(self, prepare):
        """Ends the agent amid pairs that come one after the other, and they go on to come; then once more right when the last pairs
        are being written, and no other comes: nothing but what was owed makes them served where there is no probe."""
        volumes = {name: kube.pod_volume(pod, "tls") for name, pod in self.pods.items()}
        with contextlib.ExitStack() as stack:
            readers = {name: stack.enter_context(timeline.Pairs(volume)) for name, volume in volumes.items()}
            with pairs.Rotator(SPACE, PODS) as rotator:
                self.some_rotations(rotator, readers)
                prepare()()
                self.some_rotations(rotator, readers)
            end, files = prepare(), sum(len(r.times) for r in readers.values())
            last = {s["metadata"]["name"]: workload.leaf(s) for s in pairs.rotate(SPACE, PODS)}
            kube.wait_for("a file", lambda: sum(len(r.times) for r in readers.values()) > files, BACK_S, every=0.0005)
            end()
            owed, begin = sum(self.owes(name) for name in PODS), time.monotonic()
            for name in self.pods:
                kube.wait_for(f"the last pair served by {name}", lambda n=name: self.serves(n, last), BACK_S)
            seconds = time.monotonic() - begin
        print(f"     {rotator.count + 1} rotations, {sum(r.reads for r in readers.values())} pairs read; {owed} reloads were owed at the "
              f"last end, and all was served {seconds:.1f} s after it", flush=True)
        for name, reader in readers.items():
            self.assertEqual(reader.torn, [], name)
            self.assertGreater(reader.reads, 100, name)
            self.tidy(volumes[name])
        self.well_again()

    def owes(self, name):
        """Whether the hand's record says that a signal is owed to the pod."""
        with open(f"{STATE}/{self.pods[name]['metadata']['uid']}/tls", encoding="utf-8") as f:
            return "\nowed_signal 0\n" not in f.read()

    def serves(self, name, last):
        return workload.served(workload.address(self.pods[name])) == last[name]

    def some_rotations(self, rotator, readers):
        """Until some more pairs are in the files; returns at the moment when one of these changes."""
        reader = readers[UNPROBED[0]]
        wanted = len(reader.times) + ROTATIONS
        kube.wait_for("rotations", lambda: rotator.check() and len(reader.times) >= wanted, BACK_S, every=0.001)

    def tidy(self, volume):
        """At most the generation that is served and the one before it, and nothing half done."""
        names = os.listdir(volume)
        self.assertLessEqual(len([n for n in names if n.startswith("..2")]), 2, names)
        self.assertNotIn("..data_tmp", names)

    def well_again(self):
        def well():
            status = self.certhup.status()
            states = {row["pod"]: row["state"] for row in status["bindings"]}
            wrong = [pod for pod, state in states.items() if state not in (["adopted"] if pod in PROBED else ["notified", "delivered"])]
            if not status["ready"] or wrong or len(states) != len(PODS):
                raise kube.Failed(f"ready: {status['ready']}, {states}")
            return True
        kube.wait_for("agent ready, every pair adopted", well, BACK_S)
        self.certhup.ready()
