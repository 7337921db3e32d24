# SPDX-License-Identifier: Apache-2.0
"""Addresses of both families: of the API server that the agent speaks to, and of the pods that it probes."""

import ipaddress

from lib import agent, certmanager, daemons, kube, workload
from lib.places import NODE, families
from lib.suite import Case

SPACE = "addresses"
SERVICES = families(("10.96.0.1", "fd00:96::1"))  # the API server's
NODES = families(NODE)


class Addresses(Case):
    def setUp(self):
        self.watch(agent.NAMESPACE)
        self.namespace(SPACE)
        certmanager.issuers(SPACE)
        certmanager.certificate(SPACE, "web", ["web.example"], renewing=False)
        certmanager.secret(SPACE, "web")
        kube.may_get(SPACE, "web")

    def adopted(self, certhup, name, without=None):
        """A pod whose pair is adopted, and after it a rotation. without: a line of nginx's configuration that it lacks."""
        config, pod = workload.nginx(SPACE, name, annotations=agent.delivered("web"), initContainers=[agent.gate()])
        if without:
            self.assertIn(without, config["data"]["nginx.conf"])
            config["data"]["nginx.conf"] = config["data"]["nginx.conf"].replace(without, "")
            del pod["spec"]["containers"][0]["readinessProbe"]
        kube.apply(config, pod)
        pod = kube.pod_running(SPACE, name)
        self.wait_adopted(certhup, pod)
        before = workload.held(pod)
        certmanager.renew(SPACE, "web")
        kube.wait_for("a rotation delivered", lambda: workload.held(pod) != before, seconds=40)
        self.wait_adopted(certhup, pod)
        return pod

    def wait_adopted(self, certhup, pod):
        def state():
            row = next(r for r in certhup.status()["bindings"] if r["pod"] == pod["metadata"]["name"])
            return row["state"] == "adopted" and row["fingerprint"] == workload.fingerprint(workload.held(pod))
        kube.wait_for("adopted", state, seconds=40)

    def test_11_api_server_by_each_of_its_addresses(self):
        for address in SERVICES:
            url = f"https://[{address}]:443" if ":" in address else f"https://{address}:443"
            host = [{"name": "KUBERNETES_SERVICE_HOST", "value": address}]
            with self.subTest(url=url), agent.Agent([SPACE], extraEnv=host) as certhup:
                self.assertIn(f'"url":"{url}"', certhup.logs())
                self.adopted(certhup, f"by-{ipaddress.ip_address(address).version}")
                print(f"     adopted by {url}", flush=True)

    def test_11_pods_of_either_family_first(self):
        """The node's first address decides which of a pod's addresses is its first, `status.podIP`."""
        certhup = self.enterContext(agent.Agent([SPACE]))
        self.addCleanup(self.kubelet)
        for order in (NODES, NODES[::-1]) if len(NODES) > 1 else (NODES,):
            with self.subTest(order=order):
                self.kubelet(f"--node-ip={','.join(order)}")
                pod = self.adopted(certhup, f"first-{ipaddress.ip_address(order[0]).version}")
                ips = [entry["ip"] for entry in pod["status"]["podIPs"]]
                self.assertEqual([":" in ip for ip in ips], [":" in ip for ip in order])
                print(f"     adopted at {ips[0]}, the first of {len(ips)} addresses", flush=True)

    def test_11_server_that_listens_on_one_family_only(self):
        certhup = self.enterContext(agent.Agent([SPACE]))
        for family, without in (("4", " listen [::]:8443 ssl;"), ("6", "listen 8443 ssl;"))[:len(NODES)]:
            with self.subTest(family=family):
                self.adopted(certhup, f"only-{family}", without)

    def kubelet(self, *arguments):
        daemons.stop("kubelet")
        daemons.start("kubelet", *arguments)
        daemons.wait_ready("kubelet")
