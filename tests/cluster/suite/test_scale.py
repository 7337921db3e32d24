# SPDX-License-Identifier: Apache-2.0
"""A full node: one rotation of all Secrets at the same moment."""

import contextlib
import glob
import time

from lib import agent, api, kube, pairs, timeline, workload
from lib.suite import Case

PODS, SECRETS = 110, 20
FULL, NEIGHBOUR = "full", "neighbour"
ADOPTED_S = 60       # on 2 cores, where 110 nginx start their workers anew at the same time
NEIGHBOUR_S = 15


class Scale(Case):
    seconds = 600

    def test_110_pods_of_20_secrets_adopt_one_rotation_of_all(self):
        self.watch(agent.NAMESPACE)
        names = [f"web-{n:02}" for n in range(SECRETS)]
        for space, secrets in ((FULL, names), (NEIGHBOUR, ["web"])):
            self.namespace(space)
            kube.may_get(space, *secrets)
            pairs.create(space, secrets)
        certhup = self.enterContext(agent.Agent(namespaces=[FULL, NEIGHBOUR]))
        begin = time.monotonic()
        pods = self.fill(names)
        self.settled(certhup, "the first pairs adopted")
        print(f"     {PODS} pods of {SECRETS} Secrets Running and adopted: {time.monotonic() - begin:.0f} s", flush=True)
        self.rotate(certhup, pods, names)

    def fill(self, names):
        """The pods; returns them by namespace and name."""
        objects = [o for n in range(PODS) for o in self.server(FULL, f"pod-{n:03}", names[n % SECRETS])]
        objects += self.server(NEIGHBOUR, "web", "web")
        kube.apply({"apiVersion": "v1", "kind": "List", "items": objects})
        kube.wait_for("all pods Running", self.running, seconds=360, every=2)
        return {p["metadata"]["name"]: p for p in self.all_pods()}

    def server(self, space, name, secret):
        config, pod = workload.nginx(space, name, annotations=agent.delivered(secret), initContainers=[agent.gate()])
        del pod["spec"]["containers"][0]["readinessProbe"]  # 110 of them would keep the node busy
        return [config, pod]

    def all_pods(self):
        return kube.get("pod", namespace=FULL) + kube.get("pod", namespace=NEIGHBOUR)

    def running(self):
        pods = self.all_pods()
        return len(pods) == PODS + 1 and all(p["status"]["phase"] == "Running" for p in pods)

    def settled(self, certhup, what, leaves=None, seconds=ADOPTED_S):
        """Waits until every binding is adopted, and has these leaves where they are given."""
        def all_adopted():
            rows = certhup.status()["bindings"]
            good = [r for r in rows if r["state"] == "adopted" and (leaves is None or r["fingerprint"] in leaves)]
            if len(good) != PODS + 1:
                raise kube.Failed(f"{len(good)} of {len(rows)} adopted, {[r for r in rows if r not in good][:3]}")
            return True
        kube.wait_for(what, all_adopted, seconds, every=0.5)

    def rotate(self, certhup, pods, names):
        reloads = {name: self.reloads(pod) for name, pod in pods.items()}
        with contextlib.ExitStack() as stack:
            files = {name: stack.enter_context(timeline.file(kube.pod_volume(pod, "tls"), every=0.05)) for name, pod in pods.items()}
            neighbour = stack.enter_context(timeline.Secret(NEIGHBOUR, "web"))
            served = stack.enter_context(timeline.served(workload.address(pods["web"]), after=files["web"]))
            made = [pairs.secret(FULL, name) for name in names]
            made.insert(SECRETS // 2, pairs.secret(NEIGHBOUR, "web"))
            begin = time.monotonic()
            api.put_secrets(made)
            put = time.monotonic()
            self.settled(certhup, "the rotation adopted", {workload.fingerprint(workload.leaf(s)) for s in made})
            adopted = time.monotonic()
        last = max(max(place.times.values()) for place in files.values())
        print(f"     {SECRETS + 1} Secrets put in {(put - begin) * 1000:.0f} ms; the last of {PODS + 1} volumes {last - put:+.1f} s after, "
              f"all adopted {adopted - put:+.1f} s after", flush=True)
        self.in_time(neighbour, served)
        self.assertEqual({name: self.reloads(pod) - reloads[name] for name, pod in pods.items()}, dict.fromkeys(pods, 1))

    def in_time(self, neighbour, served):
        leaf = neighbour.newest()
        seconds = served.times[leaf] - neighbour.times[leaf]
        print(f"     a neighbour's own rotation in the midst of it: served after {seconds * 1000:.0f} ms", flush=True)
        self.assertLess(seconds, NEIGHBOUR_S)

    def reloads(self, pod):
        """How many SIGHUPs nginx has told of."""
        meta = pod["metadata"]
        count = 0
        for path in glob.glob(f"/var/log/pods/{meta['namespace']}_{meta['name']}_{meta['uid']}/nginx/*.log"):
            with open(path, encoding="utf-8") as f:
                count += f.read().count("signal 1 (SIGHUP) received")
        return count
