# SPDX-License-Identifier: Apache-2.0
"""The manifests of docs/examples as they stand there, in a namespace that enforces `restricted`: each server takes a renewal."""

from lib import agent, examples, kube, workload
from lib.suite import Case

SPACE = "examples"


class Examples(Case):
    seconds = 180

    @classmethod
    def setUpClass(cls):
        space = kube.Namespace(SPACE, enforce="restricted")
        cls.enterClassContext(space)
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=[SPACE]))
        examples.issue(SPACE)

    def setUp(self):
        self.watch(SPACE, agent.NAMESPACE)

    def begin(self, name):
        """Applies an example and returns its pod."""
        self.addCleanup(examples.remove, name, SPACE)
        examples.apply(name, SPACE)
        return examples.pod(name, SPACE)

    def follows(self, name, port=8443, hello=None, state="adopted"):
        """The example serves its first pair and the next one; what certhup says of it then is `state`."""
        pod = self.begin(name)
        serves = lambda: workload.served(workload.address(pod), port, hello=hello)  # noqa: E731
        kube.wait_for(f"{name} serves the first pair", lambda: serves() == examples.leaf(SPACE))
        leaf = examples.renew(SPACE)
        kube.wait_for(f"{name} serves the renewed pair", lambda: serves() == leaf, seconds=30)
        if state:
            row = lambda: next(b for b in self.certhup.status()["bindings"] if b["pod"] == pod["metadata"]["name"])  # noqa: E731
            kube.wait_for(f"the state of {name}", lambda: row()["state"] == state and
                          row()["fingerprint"] == workload.fingerprint(leaf), seconds=30)
        again = examples.pod(name, SPACE)
        self.assertEqual([s["restartCount"] for s in again["status"]["containerStatuses"]],
                         [0] * len(again["status"]["containerStatuses"]))
        return pod

    def test_nginx_follows(self):
        self.follows("nginx")

    def test_nginx_sidecar_follows(self):
        """A native sidecar: nginx starts behind /startupz, and is signalled in the shared process namespace."""
        pod = self.follows("nginx-sidecar", state=None)
        started = {s["name"]: s for s in pod["status"]["initContainerStatuses"]}["certhup"]
        self.assertEqual((started["started"], started["restartCount"]), (True, 0))

    def test_nginx_init_has_the_pair_of_its_start(self):
        pod = self.begin("nginx-init")
        first = examples.leaf(SPACE)
        self.assertEqual(workload.served(workload.address(pod)), first)
        second = examples.renew(SPACE)
        self.assertEqual(workload.served(workload.address(pod)), first)
        kube.kubectl("delete", "pod", "-n", SPACE, pod["metadata"]["name"], "--grace-period=1", "--wait=true")
        pod = examples.pod("nginx-init", SPACE)
        self.assertEqual(workload.served(workload.address(pod)), second)

    def test_haproxy_follows(self):
        examples.haproxy_image()
        self.follows("haproxy")

    def test_postgresql_follows(self):
        examples.postgres_image()
        self.follows("postgresql", port=5432, hello=examples.postgres_hello, state="notified")

    def test_go_follows(self):
        examples.go_image()
        self.follows("go")

    def test_java_follows(self):
        examples.java_image()
        self.follows("java")

    def test_job_ends_with_its_sidecar(self):
        """A plain sidecar in a Job: a renewal is served while the worker works, and when it has ended the sidecar does."""
        examples.go_image()
        pod = self.begin("job")
        leaf = examples.renew(SPACE)
        kube.wait_for("the worker serves the renewed pair", lambda: workload.served(workload.address(pod)) == leaf, seconds=25)
        done = lambda: kube.get("job", "job", SPACE)["status"].get("succeeded") == 1  # noqa: E731
        kube.wait_for("the Job is complete", done, seconds=60)
        ended = {s["name"]: s["state"]["terminated"] for s in kube.get("pod", pod["metadata"]["name"], SPACE)["status"]["containerStatuses"]}
        self.assertEqual({name: how["exitCode"] for name, how in ended.items()}, {"worker": 0, "certhup": 0})
