# SPDX-License-Identifier: Apache-2.0
"""The chart on a real API server: both helms, its own test, its rights, its admission policy, the documents' manifests."""

import json
import os
import re
import subprocess
import urllib.request

from lib import agent, certmanager, kube, workload
from lib.helm import helm
from lib.places import ROOT
from lib.suite import Case

ACCOUNT = f"system:serviceaccount:{agent.NAMESPACE}:certhup"
EVERYTHING = {"rbac": {"namespaces": ["default"], "secretNames": {"kube-system": ["a", "b"]}, "events": "namespaces"},
              "networkPolicy": {"enabled": True}, "grafana": {"dashboard": {"enabled": True}}, "hostNetwork": True,
              "metrics": {"port": 19402}}

# Families that have series only while something is wrong, or after it was.
ONLY_IN_TROUBLE = {"certhup_binding_unadopted", "certhup_watch_restarts_total"}


def dry_run(text, *more):
    """Asks the API server whether it would take objects, each of their keys included."""
    kube.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", *more, "-f", "-", stdin=text)


def documents():
    """(name of the document, YAML) of each block of manifests that stands in the documents."""
    found = []
    for top, _, files in os.walk(f"{ROOT}/docs"):
        for file in files:
            with open(os.path.join(top, file), encoding="utf-8") as f:
                blocks = re.findall(r"^```yaml\n(.*?)^```", f.read(), re.M | re.S) if file.endswith(".md") else []
            found += [(file, b) for b in blocks if re.search(r"^apiVersion:", b, re.M)]
    return found


def may(verb, resource, namespace="default"):
    """Whether certhup's account may."""
    return kube.kubectl("auth", "can-i", verb, resource, "-n", namespace, f"--as={ACCOUNT}", check=False).strip() == "yes"


class Chart(Case):
    def test_both_helms_install_and_test_it(self):
        self.watch(agent.NAMESPACE)
        for version in (4, 3):
            with self.subTest(helm=version), agent.Agent(version=version):
                out = helm("test", "certhup", "-n", agent.NAMESPACE, "--timeout", "120s", version=version)
                self.assertEqual(len(re.findall(r"^Phase: +Succeeded", out, re.M)), out.count("TEST SUITE:"), out)
                for kind in ("pod", "serviceaccount", "secret", "role", "rolebinding"):
                    left = [o["metadata"]["name"] for o in kube.get(kind, namespace=agent.NAMESPACE)]
                    self.assertEqual([name for name in left if "selftest" in name], [])

    def test_helm_test_fails_where_nothing_is_delivered(self):
        self.watch(agent.NAMESPACE)
        with agent.Agent(selftest={"timeout": "2s"}) as certhup:
            pod = certhup.pod()["metadata"]["name"]
            nowhere = json.dumps({"spec": {"template": {"spec": {"nodeSelector": {"no-such-node": "there"}}}}})
            kube.kubectl("patch", "daemonset", "certhup", "-n", agent.NAMESPACE, "--type=merge", "-p", nowhere)
            kube.wait_for("the agent gone", lambda: kube.get("pod", pod, agent.NAMESPACE) is None)
            with self.assertRaises(kube.Failed):
                helm("test", "certhup", "-n", agent.NAMESPACE, "--timeout", "60s")
            logs = kube.kubectl("logs", "-n", agent.NAMESPACE, "certhup-selftest-rotate")
            self.assertIn("the time is over, and /tls has no pair", logs)
            for kind in ("serviceaccount", "secret", "role", "rolebinding"):
                left = [o["metadata"]["name"] for o in kube.get(kind, namespace=agent.NAMESPACE)]
                self.assertEqual([name for name in left if "selftest" in name], [])
            kube.kubectl("delete", "pod", "-n", agent.NAMESPACE, "certhup-selftest-rotate", "--wait")

    def test_server_takes_every_object(self):
        space = self.namespace("dry")
        # The account of the test's pods: those of a dry run are not there.
        kube.kubectl("create", "serviceaccount", "certhup-selftest", "-n", space)
        for values in ({}, EVERYTHING, {"rbac": {"scope": "cluster"}, "signal": {"enabled": False}}):
            for version in (4, 3):
                out = helm("template", "certhup", agent.CHART, "-n", space, "--kube-version", "1.37.0", values=values,
                           version=version)
                dry_run(out)

    def test_manifests_of_the_documents_are_taken(self):
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}})
        self.watch("demo")
        self.addCleanup(kube.kubectl, "delete", "namespace", "demo", "--wait=false")
        found = documents()
        self.assertGreaterEqual({name for name, _ in found}, {"install.md", "rights.md"})
        for name, text in found:
            with self.subTest(name):
                dry_run(text, "-n", "demo")

    def test_each_scope_reads_what_it_names(self):
        other, space = self.namespace("other"), self.namespace("covered")
        cases = [
            ({"namespaces": []}, set()),
            ({"namespaces": [space]}, {(space, "secrets/web"), (space, "secrets/else")}),
            ({"namespaces": [], "secretNames": {space: ["web"]}}, {(space, "secrets/web")}),
            ({"scope": "cluster"}, {(n, s) for n in (space, other) for s in ("secrets/web", "secrets/else")}),
        ]
        for rbac, wanted in cases:
            with self.subTest(rbac), agent.Agent(rbac=rbac):
                have = {(n, s) for n in (space, other) for s in ("secrets/web", "secrets/else") if may("get", s, n)}
                self.assertEqual(have, wanted)
                for namespace in (space, other):
                    for verb in ("list", "create", "update", "patch", "delete"):
                        self.assertFalse(may(verb, "secrets", namespace), verb)
                    self.assertFalse(may("create", "pods/exec", namespace))

    def test_pod_in_a_namespace_without_a_role_is_told(self):
        space = self.namespace("bare")
        self.watch(agent.NAMESPACE)
        with agent.Agent() as certhup:
            certmanager.issuers(space)
            certmanager.certificate(space, "web", ["web.example"], renewing=False)
            kube.may_get(space, "web")
            kube.apply(*workload.nginx(space, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
            told = kube.wait_for("NamespaceNotCovered", lambda: kube.events(space, "NamespaceNotCovered", "web"))
            self.assertIn(f"no right in namespace {space}", told[0]["note"])
            # The command that the notes name mends it, and nothing needs a restart.
            helm("upgrade", certhup.name, agent.CHART, "-n", agent.NAMESPACE, "--reuse-values", "--set",
                 f"rbac.namespaces={{{space}}}")
            kube.pod_running(space, "web", seconds=90)

    def test_annotation_stays_as_the_pod_was_made(self):
        space = self.namespace("fixed")
        with agent.Agent():
            for name, annotations in (("with", agent.delivered("web")), ("without", {})):
                pod = workload.nginx(space, name, annotations=annotations, nodeSelector={"no-such-node": "there"})
                kube.apply(*pod)
            kube.wait_for("the policy", lambda: not self.annotate(space, "with", "certhup.io/volumes={}"))
            refused = (("with", "certhup.io/volumes-"), ("without", "certhup.io/volumes={}"))
            for name, change in refused:
                self.assertFalse(self.annotate(space, name, change), change)
            self.assertFalse(self.annotate(space, "with", "certhup.io/volumes={}", "--subresource=status"))
            self.assertTrue(self.annotate(space, "with", "other=1"))
            self.assertTrue(self.annotate(space, "without", "other=1"))

    def annotate(self, space, pod, change, *more):
        """Whether the API server lets an annotation be changed; a refusal has to be the policy's."""
        name, _, value = change.rstrip("-").partition("=")
        patch = json.dumps({"metadata": {"annotations": {name: None if change.endswith("-") else value}}})
        done = subprocess.run(["kubectl", "patch", "pod", pod, "-n", space, "--type=merge", "-p", patch, *more],
                              capture_output=True, text=True, check=False, timeout=30)
        if done.returncode != 0:
            self.assertIn("certhup.io/volumes stays as it was when the pod was made", done.stderr)
        return done.returncode == 0

    def test_queries_ask_for_what_a_scrape_has(self):
        space = self.namespace("scraped")
        self.watch(agent.NAMESPACE)
        with agent.Agent(namespaces=[space]) as certhup:
            certmanager.issuers(space)
            certmanager.certificate(space, "web", ["web.example"], renewing=False)
            kube.may_get(space, "web")
            kube.apply(*workload.nginx(space, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
            kube.pod_running(space, "web")
            kube.wait_for("state adopted", lambda: [b for b in certhup.status()["bindings"] if b["state"] == "adopted"])
            with urllib.request.urlopen(f"http://{workload.address(certhup.pod())}:9402/metrics", timeout=10) as page:
                there = set(re.findall(r"^(\w+)", page.read().decode(), re.M))
        asked = set()
        for file in ("dashboard.json", "alerts.yaml"):
            with open(f"{agent.CHART}/files/{file}", encoding="utf-8") as f:
                asked |= set(re.findall(r"\b(?:certhup|process)_[a-z_]+", f.read()))
        self.assertGreater(len(asked), 15)
        self.assertEqual(asked - there - ONLY_IN_TROUBLE, set())

    def test_uninstall_leaves_the_pods_their_files(self):
        space = self.namespace("left")
        self.watch(agent.NAMESPACE)
        with agent.Agent(namespaces=[space]):
            certmanager.issuers(space)
            certmanager.certificate(space, "web", ["web.example"], renewing=False)
            kube.may_get(space, "web")
            kube.apply(*workload.nginx(space, annotations=agent.delivered("web"), initContainers=[agent.gate()]))
            pod = kube.pod_running(space, "web")
            before = sorted(os.listdir(kube.pod_volume(pod, "tls")))
        left = kube.get("pod", namespace=agent.NAMESPACE)
        kube.wait_for("the agent gone", lambda: not [p for p in left if kube.get("pod", p["metadata"]["name"],
                                                                              agent.NAMESPACE)])
        self.assertEqual(sorted(os.listdir(kube.pod_volume(pod, "tls"))), before)
        self.assertTrue(workload.serves(pod, "web"))
        for kind in ("clusterrole", "clusterrolebinding", "validatingadmissionpolicy"):
            names = [o["metadata"]["name"] for o in kube.get(kind)]
            self.assertEqual([n for n in names if n.startswith("certhup")], [])
