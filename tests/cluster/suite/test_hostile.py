# SPDX-License-Identifier: Apache-2.0
"""A pod that owns its volume and attacks whoever writes it, from inside a real container: cases E1 to E5; and F5, the end of certhup.
In full they are in tests/unit/volume; here is what only a real kubelet, runtime and hand can show."""

import os
import threading
import time
import urllib.request

from lib import agent, hostile, kube, pairs, workload
from lib.suite import Case

SPACE, QUIET = "hostile", "quiet"
REPAIRS = 6  # LIMIT_REPAIRS_PER_MINUTE
SOON_S = 15  # a machine that is busy with the rest, and the hand's retries, which double


class Hostile(Case):
    @classmethod
    def setUpClass(cls):
        hostile.image()
        for space in (SPACE, QUIET):
            cls.enterClassContext(kube.Namespace(space))
            kube.may_get(space, "web")
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=[SPACE, QUIET]))

    def setUp(self):
        """The attacker, and a pod in another namespace: its volumes are the prey, and it has to be served in time."""
        self.watch(SPACE, QUIET, agent.NAMESPACE)
        self.addCleanup(self.clean)
        for space in (SPACE, QUIET):
            kube.apply(pairs.secret(space, "web"), hostile.pod(space, "evil" if space == SPACE else "victim"))
        evil, victim = kube.pod_running(SPACE, "evil"), kube.pod_running(QUIET, "victim")
        self.evil = evil["metadata"]["uid"]
        self.volume, self.prey = kube.pod_volume(evil, "tls"), kube.pod_volume(victim, "own")
        self.neighbour = kube.pod_volume(victim, "tls")
        self.way = f"../../../../{victim['metadata']['uid']}/volumes/kubernetes.io~empty-dir/own"
        hostile.fill_decoy(self.prey)
        self.assertEqual(os.path.realpath(f"{self.volume}/{self.way}"), self.prey)
        for space, volume in ((SPACE, self.volume), (QUIET, self.neighbour)):
            leaf = workload.leaf(kube.get("secret", "web", space))
            kube.wait_for(f"the first pair of {space}", lambda v=volume, w=leaf: hostile.generation_leaf(v) == w)
        self.before = hostile.picture(self.prey)
        self.restarts = self.restart_counts()

    def clean(self):
        for space in (SPACE, QUIET):
            kube.kubectl("delete", "pods,secrets", "-n", space, "--all", "--grace-period=0", "--force", "--wait=true")

    def restart_counts(self):
        return {s["name"]: s["restartCount"] for s in self.certhup.pod()["status"]["containerStatuses"]}

    def tearDown(self):
        self.assertEqual(hostile.picture(self.prey), self.before)
        self.assertEqual(self.restart_counts(), self.restarts)

    def attack(self, script, **more):
        return hostile.shell(SPACE, "evil", script, **more)

    def told(self, reason):
        """The Events of one reason about this test's pod."""
        return [e for e in kube.events(SPACE, reason, "evil") if e["regarding"]["uid"] == self.evil]

    def arrives(self, what, volume=None, space=SPACE, seconds=SOON_S):
        """A new pair is put and gets there."""
        leaf, start = workload.leaf(pairs.rotate(space, ["web"])[0]), time.monotonic()
        volume = volume or self.volume
        kube.wait_for(f"a new pair after {what}", lambda: hostile.generation_leaf(volume) == leaf, seconds, every=0.05)
        return time.monotonic() - start

    def neighbour_is_served(self, what):
        took = self.arrives(f"{what}: the neighbour's", self.neighbour, QUIET, seconds=5)
        print(f"     {what}: the neighbour's rotation took {took:.2f} s", flush=True)

    def test_E1_data_link_is_never_followed(self):
        long = "/".join(["x" * 200] * 20)[:4000]
        for text in (self.way, f"{self.way}/tls", f"/var/lib/kubelet/pods/{self.way.removeprefix('../../../../')}", "/etc", "../../..",
                     "..data", "nowhere", long):
            with self.subTest(link=text[:60]):
                self.attack(f"ln -sfn {text} /tls/x; mv -fT /tls/x /tls/..data")
                self.arrives("such a link")
        # The exploit of the writer that trusted the link: names at the target are taken for ones to be removed.
        self.attack(f"cd /tls; rm -rf ..data; ln -s {self.way} ..data; "
                    "for name in shadow deep tls; do : > $name; done")
        self.arrives("the exploit")

    def test_E2_race_of_swaps_touches_nothing_outside(self):
        flips = []
        flip = threading.Thread(target=lambda: flips.append(int(self.attack(f"hostile flip /tls {self.way} 10"))))
        flip.start()
        with pairs.Rotator(SPACE, ["web"], every=0.1) as rotator:
            flip.join(timeout=60)
        print(f"     {flips[0]} swaps by the pod in 10 s, {rotator.count} new pairs", flush=True)
        self.assertGreater(flips[0], 50000)
        self.assertGreater(rotator.count, 20)
        self.arrives("the race", seconds=90)  # six repairs a minute are the most

    def put(self, command, names=hostile.NAMES):
        """Makes a thing and has it stand at each of the names, however quickly they are mended."""
        self.attack("cd /tls; echo mine > mine; put() { for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf $2; mv -T $1 $2 && return; done 2>&1; "
                    f"return 1; }}; for name in {' '.join(names)}; do rm -rf thing; {command}; put thing $name; done")

    def test_E3_what_stands_in_the_way_blocks_nobody(self):
        kinds = {"a FIFO": "mkfifo thing", "a socket": "hostile socket thing", "a device": "mknod thing c 1 3",
                 "a hard link": "ln mine thing", "an empty folder": "mkdir thing"}
        for kind, command in kinds.items():
            with self.subTest(kind=kind):
                self.put(command)
                took = self.arrives(kind)
                print(f"     {kind} at each name: the next pair took {took:.2f} s", flush=True)
                self.assertEqual(self.attack("cat /tls/mine"), "mine\n")

    def test_E3_folder_with_entries_is_removed_or_told(self):
        """At certhup's own names it has to go; at a reader's name it may be the pod's own work, and stays until the pod removes it."""
        full = "mkdir -p thing/in/it; echo > thing/in/it/file"
        self.put(full, names=("..data", "..data_tmp"))
        self.arrives("full folders")
        self.put(full, names=("tls.crt",))
        pairs.rotate(SPACE, ["web"])
        told = kube.wait_for("Event VolumeNotWritable", lambda: self.told("VolumeNotWritable"), seconds=30)
        self.assertIn("tls.crt is a directory with entries", told[0]["note"])
        self.neighbour_is_served("a full folder")
        self.attack("rm -rf /tls/tls.crt")
        self.arrives("the folder is gone", seconds=40)

    def test_E4_full_volume_keeps_the_old_pair(self):
        old = hostile.generation_leaf(self.volume)
        self.attack("dd if=/dev/zero of=/tls/fill bs=4096 || true")
        pairs.rotate(SPACE, ["web"])
        kube.wait_for("Event VolumeNotWritable", lambda: self.told("VolumeNotWritable"), seconds=30)
        self.assertEqual(hostile.generation_leaf(self.volume), old)
        self.neighbour_is_served("a full volume")
        self.attack("rm /tls/fill")
        self.arrives("there was room again", seconds=40)

    def test_E4_100000_entries_hold_nobody_up(self):
        self.attack("hostile entries /tls 100000", seconds=120)
        self.neighbour_is_served("100000 entries")
        took = self.arrives("100000 entries", seconds=30)
        print(f"     among 100000 entries the next pair took {took:.2f} s", flush=True)

    def test_E5_wrecked_files_are_mended_at_a_bounded_rate(self):
        pids = [kube.container_pid(self.certhup.pod(), name) for name in ("hand", "head")]
        cpu, repairs = [hostile.cpu_seconds(pid) for pid in pids], self.repairs()
        looks = int(self.attack("hostile wreck /tls 20"))
        used, repairs = [hostile.cpu_seconds(pid) - then for pid, then in zip(pids, cpu)], self.repairs() - repairs
        print(f"     {looks} attacks in 20 s: {repairs:.0f} repairs; CPU of the hand {used[0]:.2f} s, of the head {used[1]:.2f} s", flush=True)
        self.assertGreater(looks, 50000)
        self.assertGreater(repairs, 0)
        self.assertLessEqual(repairs, REPAIRS)
        self.assertLess(sum(used), 4)
        self.neighbour_is_served("wrecks")
        leaf = workload.leaf(kube.get("secret", "web", SPACE))
        kube.wait_for("the files mended", lambda: hostile.generation_leaf(self.volume) == leaf, seconds=90)
        self.assertEqual(len(self.told("VolumeDamaged")), 1, "one Event that counts up")

    def repairs(self):
        """certhup_repairs_total of the agent."""
        with urllib.request.urlopen(f"http://{workload.address(self.certhup.pod())}:9402/metrics", timeout=5) as page:
            return sum(float(line.split()[1]) for line in page.read().decode().splitlines() if line.startswith("certhup_repairs_total "))


class Uninstalled(Case):
    def test_F5_uninstall_leaves_the_files(self):
        space = self.namespace("uninstalled")
        self.watch(agent.NAMESPACE)
        kube.may_get(space, "web")
        kube.apply(pairs.secret(space, "web"))
        with agent.Agent(namespaces=[space]):
            kube.apply(*workload.nginx(space, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
            pod = kube.pod_running(space, "web")
            pairs.rotate(space, ["web"])
            kube.wait_for("a rotation", lambda: workload.serves(pod, "web"), seconds=30)
            volume = kube.pod_volume(pod, "tls")
            before = hostile.picture(volume)
        kube.wait_for("certhup gone", lambda: not kube.get("pod", namespace=agent.NAMESPACE), seconds=60)
        self.assertEqual(hostile.picture(volume), before)
        self.assertTrue(workload.serves(pod, "web"))
        with agent.Agent(namespaces=[space]) as again:
            kube.wait_for("the volume taken over", lambda: [b for b in again.status()["bindings"] if b["state"] == "adopted"],
                          seconds=30)
            self.assertEqual(hostile.picture(volume), before, "the same content is not written again")
            pairs.rotate(space, ["web"])
            kube.wait_for("a rotation after that", lambda: workload.serves(pod, "web"), seconds=30)
