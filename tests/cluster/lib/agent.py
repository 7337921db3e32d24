# SPDX-License-Identifier: Apache-2.0
"""certhup itself: installed by its chart, asked by its own commands."""

import json
import re

from lib import kube
from lib.helm import helm
from lib.places import ROOT

CHART = f"{ROOT}/charts/certhup"
NAMESPACE = "certhup-system"


def delivered(secret, **keys):
    """The annotation of a pod whose volume `tls` gets a Secret, is reloaded by SIGHUP and probed on 8443. keys: others,
    or None for one that is left out."""
    others = {key.replace("_", "-"): value for key, value in keys.items()}
    wanted = {"secret": secret, "reload": "signal:HUP", "probe": "tls:8443", **others}
    return {"certhup.io/volumes": json.dumps({"tls": {key: value for key, value in wanted.items() if value is not None}})}


def image():
    """The name of certhup's image, as the chart has it."""
    with open(f"{CHART}/Chart.yaml", encoding="utf-8") as f:
        return "localhost/certhup:" + re.search(r'^appVersion: "?([\w.-]+)', f.read(), re.M)[1]


def gate():
    """The init container that holds a pod until its volume has a pair."""
    return {"name": "wait", "image": image(), "imagePullPolicy": "IfNotPresent", "command": ["certhup"],
            "args": ["init", "--wait-for=/tls", "--timeout=60s"], "volumeMounts": [{"name": "tls", "mountPath": "/tls"}]}


class Agent:
    """A release of the chart for the time of a test: `with Agent(namespaces=[space]) as agent:`. values: further ones."""

    def __init__(self, namespaces=(), version=4, name="certhup", namespace=NAMESPACE, **values):
        self.name, self.version, self.namespace = name, version, namespace
        self.values = {"rbac": {"namespaces": list(namespaces)}, "defaults": {"splay": "0s"}, **values}

    def __enter__(self):
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.upgrade(self.values)
        return self

    def upgrade(self, values):
        """Installs it with these values, in place of what is there."""
        helm("upgrade", "--install", self.name, CHART, "-n", self.namespace, values=values, version=self.version)
        self.ready()

    def __exit__(self, *_):
        helm("uninstall", self.name, "-n", self.namespace, "--wait", "--ignore-not-found", version=self.version)

    def ready(self, seconds=60):
        """Waits until the DaemonSet's newest pod is ready, and returns it."""
        kube.kubectl("rollout", "status", f"daemonset/{self.name}", "-n", self.namespace, f"--timeout={seconds}s",
                     seconds=seconds + 5)
        return self.pod()

    def pod(self):
        pods = kube.get("pod", namespace=self.namespace, selector=f"app.kubernetes.io/instance={self.name}")
        there = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
        if not there:
            raise kube.Failed(f"the DaemonSet {self.name} has no pod now")
        return there[0]

    def status(self):
        """The rows of `certhup status`, which ends with 3 when somebody should look."""
        command = ["certhup", "status", "-o", "json"]
        return json.loads(kube.kubectl("exec", "-n", self.namespace, self.pod()["metadata"]["name"], "-c", "head", "--", *command,
                                       check=False))

    def logs(self, container="head"):
        return kube.kubectl("logs", "-n", self.namespace, self.pod()["metadata"]["name"], "-c", container)
