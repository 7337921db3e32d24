# SPDX-License-Identifier: Apache-2.0
"""Init container and sidecar in a namespace that enforces `restricted`: a Secret that comes late, never, may not be read, or is unfit.
Exit codes are those of docs/reference.md."""

import calendar
import http.client
import json
import time

from lib import agent, kube, pairs, workload
from lib.suite import Case

SPACE, UID = "restricted", 10001
LATE_S = 60
NO_SECRET, FORBIDDEN, UNFIT, TIME_OVER = 4, 5, 6, 124  # docs/reference.md, exit codes
LOCKED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
NATIVE = {"restartPolicy": "Always",
          "startupProbe": {"httpGet": {"path": "/startupz", "port": 9402}, "periodSeconds": 1, "failureThreshold": 300}}


def container(name, *arguments, **more):
    """A container of certhup that has the volume."""
    return {"name": name, "image": agent.image(), "command": ["certhup", *arguments], "securityContext": LOCKED,
            "volumeMounts": [{"name": "tls", "mountPath": "/tls"}], **more}


def pod(name, init=(), containers=(), annotations=None, account="default"):
    """A pod with a memory volume, which `restricted` lets in. Its own container sleeps where none is given."""
    own = workload.busybox("main", securityContext=LOCKED, volumeMounts=[{"name": "tls", "mountPath": "/tls"}])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE, "annotations": annotations or {}},
            "spec": {"restartPolicy": "Never", "serviceAccountName": account, "terminationGracePeriodSeconds": 1,
                     "securityContext": {"runAsNonRoot": True, "runAsUser": UID, "fsGroup": UID,
                                         "seccompProfile": {"type": "RuntimeDefault"}},
                     "initContainers": list(init), "containers": list(containers) or [own],
                     "volumes": [{"name": "tls", "emptyDir": {"medium": "Memory"}}]}}


def ways(secret, timeout, account="default"):
    """One pod for each way: `certhup init`, a native and a plain sidecar, and --wait-for before an annotated volume."""
    own = [f"--secret={secret}", "--dir=/tls", f"--timeout={timeout}"]
    annotation = {"certhup.io/volumes": json.dumps({"tls": {"secret": secret}})}
    return [pod("init", init=[container("fetch", "init", *own)], account=account),
            pod("native", init=[container("fetch", "sidecar", *own, **NATIVE)], account=account),
            pod("plain", containers=[container("fetch", "sidecar", *own)], account=account),
            pod("gate", init=[container("fetch", "init", "--wait-for=/tls", f"--timeout={timeout}")], annotations=annotation,
                account=account)]


def state(name, which="fetch"):
    """The status of a container, or of an init container."""
    status = kube.get("pod", name, SPACE)["status"]
    return next(s for s in status.get("initContainerStatuses", []) + status.get("containerStatuses", []) if s["name"] == which)


def age(name):
    """Seconds since the container of certhup was started."""
    started = state(name)["state"]["running"]["startedAt"]
    return time.time() - calendar.timegm(time.strptime(started, "%Y-%m-%dT%H:%M:%SZ"))


def answer(name, path):
    """The status of a page of a sidecar."""
    connection = http.client.HTTPConnection(workload.address(kube.get("pod", name, SPACE)), 9402, timeout=5)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


class Restricted(Case):
    @classmethod
    def setUpClass(cls):
        workload.busybox_image()
        cls.enterClassContext(kube.Namespace(SPACE, enforce="restricted"))
        cls.enterClassContext(agent.Agent(namespaces=[SPACE]))

    def setUp(self):
        self.watch(SPACE, agent.NAMESPACE)
        self.addCleanup(self.clean)

    def clean(self):
        kube.kubectl("delete", "pods,secrets", "-n", SPACE, "--all", "--grace-period=1", "--wait=true")

    def may(self, *secrets):
        kube.may_get(SPACE, *secrets, verbs=["get", "watch"])

    def ended(self, name, seconds=60):
        """Exit code and last sentence of the container of certhup in a pod."""
        def terminated():  # a native sidecar is started again
            now = state(name)
            return now["state"].get("terminated") or now["lastState"].get("terminated")
        over = kube.wait_for(f"{name} ended", terminated, seconds)
        return over["exitCode"], over.get("message", "")

    def events(self, name, reason):
        return kube.wait_for(f"Event {reason} of pod {name}", lambda: kube.events(SPACE, reason, name), seconds=30)

    def assert_ends(self, wanted):
        """wanted: pod: (exit code, words of the last sentence)."""
        for name, (code, words) in wanted.items():
            with self.subTest(pod=name):
                got, message = self.ended(name)
                self.assertEqual(got, code, message)
                for word in words:
                    self.assertIn(word, message)

    def test_namespace_refuses_what_is_not_restricted(self):
        loose = pod("loose")
        del loose["spec"]["containers"][0]["securityContext"]
        with self.assertRaisesRegex(kube.Failed, "violates PodSecurity"):
            kube.apply(loose)

    def test_secret_late_by_60_s(self):
        self.may("late")
        pods = ways("late", "5m")
        kube.apply(*pods)
        names = [p["metadata"]["name"] for p in pods]
        for name in names:
            kube.wait_for(f"{name} waits {LATE_S} s", lambda name=name: age(name) >= LATE_S, seconds=LATE_S + 60)
        self.assertFalse(state("native")["started"])
        self.assertEqual(answer("plain", "/startupz"), 503)
        for name in ("init", "native", "gate"):
            self.assertIn("waiting", state(name, "main")["state"], name)
        self.events("gate", "SecretNotFound")
        start = time.monotonic()
        kube.apply(pairs.secret(SPACE, "late"))
        for name in ("init", "native", "gate"):
            kube.wait_for(f"{name} goes on", lambda name=name: state(name, "main")["ready"], seconds=30)
            self.assertEqual(kube.exec_in(SPACE, name, "/bin/busybox", "id", "-u", container="main").strip(), str(UID))
            print(f"     {name}: the pod runs {time.monotonic() - start:.1f} s after the Secret came", flush=True)
        self.assertEqual([self.ended(name)[0] for name in ("init", "gate")], [0, 0])
        kube.wait_for("the plain sidecar is started", lambda: answer("plain", "/startupz") == 200, seconds=10)
        self.assertTrue(state("native")["started"])
        self.events("gate", "CertificateRotated")

    def test_secret_that_never_comes(self):
        self.may("never")
        kube.apply(*ways("never", "6s"))
        none = (NO_SECRET, ["the time is over", "never", "--secret"])
        self.assert_ends({"init": none, "native": none, "plain": none, "gate": (TIME_OVER, ["the time is over", "/tls"])})
        self.events("gate", "SecretNotFound")

    def test_secret_that_may_not_be_read(self):
        kube.apply(pairs.secret(SPACE, "closed"), *ways("closed", "6s"))
        denied = (FORBIDDEN, ["the time is over", "closed"])
        self.assert_ends({"init": denied, "native": denied, "plain": denied, "gate": (TIME_OVER, ["the time is over", "/tls"])})
        self.events("gate", "SecretNotAllowed")

    def test_pair_that_is_unfit(self):
        self.may("unfit")
        secret = pairs.secret(SPACE, "unfit")
        secret["data"]["tls.key"] = pairs.secret(SPACE, "other")["data"]["tls.key"]
        kube.apply(secret, *ways("unfit", "6s"))
        unfit = (UNFIT, ["the time is over", "key_mismatch"])
        self.assert_ends({"init": unfit, "native": unfit, "plain": unfit, "gate": (TIME_OVER, ["the time is over", "/tls"])})
        self.events("gate", "CertificateRejected")

    def test_pod_without_a_gate_is_told(self):
        self.may("open")
        kube.apply(pairs.secret(SPACE, "open"), pod("open", annotations={"certhup.io/volumes": '{"tls": {"secret": "open"}}'}))
        self.events("open", "NoStartGate")
        self.events("open", "CertificateRotated")
