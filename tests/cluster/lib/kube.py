# SPDX-License-Identifier: Apache-2.0
"""kubectl for tests, waiting for conditions, and a namespace for each test. All of it runs inside the node."""

import json
import os
import re
import subprocess
import time


DUMP_PODS = 12  # of each namespace: a full node has 110 that are alike


class Failed(AssertionError):
    """A command that failed, or a condition that did not come: the test fails with it."""


def kubectl(*arguments, stdin=None, check=True, seconds=60):
    """Runs kubectl and returns its standard output. stdin: text, or an object that is given as JSON."""
    if stdin is not None and not isinstance(stdin, str):
        stdin = json.dumps(stdin)
    done = subprocess.run(["kubectl", *arguments], input=stdin or "", capture_output=True, text=True, check=False,
                          timeout=seconds)
    if check and done.returncode != 0:
        raise Failed(f"kubectl {' '.join(arguments)}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def get(kind, name=None, namespace=None, selector=None, absent=None):
    """One object, or the list of them. absent: what is returned where there is no such object."""
    where = ["-n", namespace] if namespace else ["-A"] if name is None else []
    which = [name] if name else ["-l", selector] if selector else []
    try:
        found = json.loads(kubectl("get", kind, *which, *where, "-o", "json"))
    except Failed as e:
        if name and "(NotFound)" in str(e):
            return absent
        raise
    return found if name else found["items"]


def apply(*objects, server_side=False):
    """Applies objects, or texts of YAML."""
    for thing in objects:
        kubectl("apply", *(["--server-side"] if server_side else []), "-f", "-", stdin=thing)


def wait_for(what, condition, seconds=60, every=0.2):
    """Calls the condition until it returns something true, and returns that. What it raises counts as not yet."""
    deadline, last = time.monotonic() + seconds, None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (Failed, subprocess.SubprocessError, OSError, ValueError, KeyError, IndexError) as e:
            last = e
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s; last seen: {last!r}")
        time.sleep(every)


def pod_running(namespace, name, seconds=60):
    """Waits until all containers of the pod are ready, and returns the pod."""
    def ready():
        pod = get("pod", name, namespace)
        states = pod["status"].get("containerStatuses", [])
        return pod if states and all(s["ready"] for s in states) else None
    return wait_for(f"pod {namespace}/{name} ready", ready, seconds)


def exec_in(namespace, pod, *command, container=None, check=True):
    """Runs a command in a container and returns what it wrote to its standard output and error."""
    which = ["-c", container] if container else []
    full = ["kubectl", "exec", "-n", namespace, pod, *which, "--", *command]
    done = subprocess.run(full, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=60)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(full)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def events(namespace, reason=None, about=None):
    """The Events of a namespace by both of their APIs, oldest first; of one reason or one object where named."""
    found = get("events.events.k8s.io", namespace=namespace)
    found.sort(key=lambda e: e["metadata"]["creationTimestamp"])
    return [e for e in found if reason in (None, e["reason"]) and about in (None, e["regarding"].get("name"))]


def may_get(namespace, *secrets, account="default", verbs=("get",)):
    """Gives a ServiceAccount the right to these Secrets, as whoever deploys a pod does."""
    rbac = "rbac.authorization.k8s.io"
    for secret in secrets:
        what = {"name": f"{account}-{secret}", "namespace": namespace}
        apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": what,
               "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": list(verbs), "resourceNames": [secret]}]},
              {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": what,
               "roleRef": {"apiGroup": rbac, "kind": "Role", "name": what["name"]},
               "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]})


def pod_volume(pod, volume, kind="empty-dir"):
    """The folder of a pod's volume on the node."""
    return f"/var/lib/kubelet/pods/{pod['metadata']['uid']}/volumes/kubernetes.io~{kind}/{volume}"


def container_pid(pod, container):
    """The first process of a running container, as the node sees it."""
    for status in pod["status"]["containerStatuses"]:
        if status["name"] == container:
            identity = status["containerID"].rsplit("/", 1)[1]
            listed = subprocess.run(["ctr", "-n", "k8s.io", "tasks", "list"], capture_output=True, text=True, check=True).stdout
            return int(re.search(rf"^{identity}\s+(\d+)", listed, re.M)[1])
    raise Failed(f"pod {pod['metadata']['name']} has no container {container}")


class Namespace:
    """A namespace that is deleted at the end: `with Namespace("web", enforce="restricted") as ns:`."""

    def __init__(self, name, enforce=None, labels=None):
        self.name = name
        self.labels = {**(labels or {}), **({"pod-security.kubernetes.io/enforce": enforce} if enforce else {})}

    def __enter__(self):
        there = get("namespace", self.name)
        if there and "deletionTimestamp" in there["metadata"]:  # an earlier test's of that name, or an earlier run's
            wait_for(f"namespace {self.name} gone", lambda: get("namespace", self.name) is None, seconds=90)
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": self.labels}})
        wait_for(f"the account of namespace {self.name}", lambda: get("serviceaccount", "default", self.name))
        return self.name

    def __exit__(self, *_):
        kubectl("delete", "namespace", self.name, "--wait=false", "--ignore-not-found")
        kubectl("delete", "pod", "-n", self.name, "--all", "--grace-period=1", "--wait=false", check=False)

    def remove(self, seconds=90):
        """Deletes it and waits until it is gone with all that is in it."""
        self.__exit__()
        wait_for(f"namespace {self.name} gone", lambda: get("namespace", self.name) is None, seconds)


def dump(namespaces, out):
    """What a failed test needs to be understood: objects, Events and logs, and what certhup says of itself."""
    print(kubectl("get", "pods", "-A", "-o", "wide", check=False), file=out)
    for namespace in namespaces:
        print(f"-- Events of {namespace}\n" + kubectl("get", "events", "-n", namespace, "--sort-by=.metadata.creationTimestamp",
                                                     check=False), file=out)
        for pod in get("pods", namespace=namespace)[:DUMP_PODS]:
            name = pod["metadata"]["name"]
            print(f"-- pod {namespace}/{name}\n" + kubectl("describe", "pod", "-n", namespace, name, check=False), file=out)
            print(kubectl("logs", "-n", namespace, name, "--all-containers", "--prefix", "--tail=60", check=False), file=out)
            print(certhup_status(namespace, pod), file=out)


def certhup_status(namespace, pod):
    """`certhup status` of an agent's pod; nothing of any other."""
    for container in pod["spec"]["containers"]:
        command = (container.get("command") or []) + (container.get("args") or [])
        if [os.path.basename(c) for c in command[:2]] == ["certhup", "node"]:
            said = exec_in(namespace, pod["metadata"]["name"], "certhup", "status", "-o", "wide", container=container["name"],
                           check=False)
            return f"-- certhup status\n{said}"
    return ""


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def text(thing):
    return json.dumps(thing)
