# SPDX-License-Identifier: Apache-2.0
"""What the chart renders, by both versions of helm."""

import copy
import os
import re
import unittest

import yaml

from common import CHART, HELMS, ROOT, Refused, helm, is_hook, notes, objects, only, template

EVERYTHING = {
    "rbac": {"namespaces": ["demo"], "secretNames": {"shop": ["web-tls"]}, "events": "namespaces"},
    "metrics": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "grafana": {"dashboard": {"enabled": True}},
    "networkPolicy": {"enabled": True},
    "hostNetwork": True,
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}],
    "commonLabels": {"team": "pki"},
    "commonAnnotations": {"owner": "pki"},
}
HELM_LABELS = {"name", "instance", "version", "managed-by", "part-of", "component"}


def pod_spec(values=None):
    return only(objects(values), "DaemonSet")["spec"]["template"]["spec"]


def container(spec, name):
    return next(c for c in spec["containers"] if c["name"] == name)


def flags_of(text, command):
    """The flags that a page of docs/reference.md names for a command."""
    page = text.partition(f"### certhup {command}\n")[2].partition("\n### ")[0]
    return set(re.findall(r"--([a-z0-9-]+)", page))


class Render(unittest.TestCase):
    maxDiff = None

    def test_both_helms_render_the_same(self):
        for values in ({}, EVERYTHING):
            self.assertEqual(objects(values, "helm"), objects(values, "helm3"))

    def test_lint_is_strict_and_clean(self):
        for module in HELMS:
            out = helm("lint", "--strict", "--kube-version", "1.37.0", CHART, module=module)
            self.assertIn("1 chart(s) linted, 0 chart(s) failed", out)

    def test_chart_has_the_version_of_the_program(self):
        with open(os.path.join(CHART, "Chart.yaml"), encoding="utf-8") as f:
            chart = yaml.safe_load(f)
        with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as f:
            version = re.search(r"^VERSION := (\S+)", f.read(), re.M)[1]
        self.assertEqual(chart["appVersion"], version)
        self.assertEqual(chart["version"], version)

    def test_every_object_has_the_labels(self):
        for o in objects(EVERYTHING):
            if o["metadata"]["name"] == "more":
                continue
            labels = o["metadata"]["labels"]
            for label in HELM_LABELS:
                self.assertIn(f"app.kubernetes.io/{label}", labels, o["kind"])
            self.assertEqual(labels["team"], "pki")
            self.assertEqual(o["metadata"]["annotations"]["owner"], "pki")

    def test_selector_has_nothing_that_an_upgrade_changes(self):
        selector = only(objects(EVERYTHING), "DaemonSet")["spec"]["selector"]["matchLabels"]
        self.assertEqual({k.rpartition("/")[2] for k in selector}, {"name", "instance", "component"})

    def test_names_fit_for_the_longest_release(self):
        out = helm("template", "r" * 53, CHART, "--kube-version", "1.37.0", values=EVERYTHING)
        for o in yaml.safe_load_all(out):
            self.assertLessEqual(len(o["metadata"]["name"]), 63)
            self.assertRegex(o["metadata"]["name"], r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")

    def test_namespace_can_be_another(self):
        for o in objects({"namespaceOverride": "other"}):
            if o["kind"] not in ("ClusterRole", "ClusterRoleBinding") and "Policy" not in o["kind"]:
                self.assertEqual(o["metadata"]["namespace"], "other")

    def test_image_is_what_was_said(self):
        digest = "sha256:" + "0123456789abcdef" * 4
        wanted = [
            ({}, "localhost/certhup:0.1.0"),
            ({"image": {"registry": "r.example", "tag": "x"}}, "r.example/certhup:x"),
            ({"image": {"registry": "r.example"}, "global": {"imageRegistry": "g.example"}}, "g.example/certhup:0.1.0"),
            ({"image": {"digest": digest}}, f"localhost/certhup@{digest}"),
            ({"image": {"tag": "x", "digest": digest}}, f"localhost/certhup:x@{digest}"),
        ]
        for values, image in wanted:
            self.assertEqual({c["image"] for c in pod_spec(values)["containers"]}, {image})

    def test_pull_secrets_have_both_forms(self):
        spec = pod_spec({"global": {"imagePullSecrets": ["a"]}, "imagePullSecrets": [{"name": "b"}]})
        self.assertEqual(spec["imagePullSecrets"], [{"name": "a"}, {"name": "b"}])

    def test_pods_are_replaced_when_the_configuration_changes(self):
        def checksum(values):
            return only(objects(values), "DaemonSet")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        self.assertEqual(checksum({}), checksum({}))
        self.assertNotEqual(checksum({}), checksum({"defaults": {"splay": "1m"}}))

    def test_flags_and_configuration_are_those_of_the_programs(self):
        with open(os.path.join(ROOT, "docs/reference.md"), encoding="utf-8") as f:
            reference = f.read()
        found = objects({**EVERYTHING, "policy": {"denyRsa": True, "denySha1": True, "issuer": "CN=x"},
                         "metrics": {"enabled": False}})
        spec = only(found, "DaemonSet")["spec"]["template"]["spec"]
        head, hand = container(spec, "head"), container(spec, "hand")
        known = flags_of(reference, "node")
        conf = only(found, "ConfigMap", "certhup")["data"]["certhup.conf"]
        used = {a[2:].partition("=")[0] for a in head["args"][1:]}
        used |= {line.partition(" = ")[0] for line in conf.splitlines()}
        self.assertEqual(used - known, set())
        page = reference.partition("<!-- hand: begin -->")[2].partition("<!-- hand: end -->")[0]
        used = {a[2:].partition("=")[0] for a in hand["args"]}
        self.assertEqual(used - set(re.findall(r"^  --([a-z0-9-]+)", page, re.M)), set())
        for pod in [o for o in objects() if o["kind"] == "Pod"]:
            used = {a[2:].partition("=")[0] for a in pod["spec"]["containers"][0]["args"][1:]}
            self.assertEqual(used - flags_of(reference, "selftest"), set())

    def test_operations_of_the_hand_follow_the_switch(self):
        with open(os.path.join(ROOT, "docs/reference.md"), encoding="utf-8") as f:
            text = re.search(r"Operations for `--ops`: ([^.]*)\.", f.read())[1]
        every = set(re.findall(r"`([a-z-]+)`", text))

        def ops(values):
            arg = next(a for a in container(pod_spec(values), "hand")["args"] if a.startswith("--ops="))
            return set(arg[6:].split(","))
        self.assertEqual(ops({}), every)
        self.assertEqual(every - ops({"signal": {"enabled": False}}), {"find", "signal"})

    def test_memory_of_the_hand_is_its_budget_and_64_more(self):
        for budget in (64, 200):
            hand = container(pod_spec({"hand": {"budget": {"nodeMiB": budget}}}), "hand")
            self.assertEqual(hand["resources"]["limits"]["memory"], f"{budget + 64}Mi")
            self.assertEqual(hand["resources"]["requests"]["memory"], f"{budget + 64}Mi")
            self.assertIn(f"--budget-node={budget * 1024 * 1024}", hand["args"])

    def test_budgets_are_those_of_the_program(self):
        with open(os.path.join(ROOT, "docs/reference.md"), encoding="utf-8") as f:
            program = re.findall(r"^  --budget-(namespace|node) BYTES .*\((\d+) MiB\)$", f.read(), re.M)
        arguments = container(pod_spec(), "hand")["args"]
        self.assertEqual(len(program), 2)
        for which, mib in program:
            self.assertIn(f"--budget-{which}={int(mib) * 1024 * 1024}", arguments)

    def test_token_is_the_heads_alone(self):
        spec = pod_spec()
        self.assertFalse(spec["automountServiceAccountToken"])
        self.assertIn("token", [m["name"] for m in container(spec, "head")["volumeMounts"]])
        self.assertNotIn("token", [m["name"] for m in container(spec, "hand")["volumeMounts"]])

    def test_head_sees_no_host_path(self):
        spec = pod_spec()
        host = {v["name"] for v in spec["volumes"] if "hostPath" in v}
        self.assertEqual(host & {m["name"] for m in container(spec, "head")["volumeMounts"]}, set())

    def test_user_of_the_head_is_what_the_hand_lets_in(self):
        spec = pod_spec({"uid": 70001})
        self.assertEqual(container(spec, "head")["securityContext"]["runAsUser"], 70001)
        self.assertIn("--head-uid=70001", container(spec, "hand")["args"])
        self.assertEqual(spec["securityContext"]["fsGroup"], 70001)

    def test_users_beside_those_of_workloads_are_taken(self):
        for uid in (1, 999, 10000, 65531, 65533, 65535, 4294967294):
            head = container(pod_spec({"uid": uid, "securityContext": {"runAsUser": uid}}), "head")
            self.assertEqual(head["securityContext"]["runAsUser"], uid)

    def test_admission_policy_is_there_without_a_server_to_ask(self):
        for module in HELMS:
            found = objects({}, module)
            policy = only(found, "ValidatingAdmissionPolicy")
            binding = only(found, "ValidatingAdmissionPolicyBinding")
            self.assertEqual(binding["spec"]["policyName"], policy["metadata"]["name"])
            self.assertEqual(binding["spec"]["validationActions"], ["Deny"])
            off = {o["kind"] for o in objects({"admissionPolicy": {"enabled": False}}, module)}
            self.assertEqual({kind for kind in off if "Admission" in kind}, set())

    def test_documents_ask_the_agent_of_the_pods_node(self):
        found = objects()
        agent = only(found, "DaemonSet")["spec"]["template"]["metadata"]["labels"]
        others = [o["metadata"]["labels"] for o in found if o["kind"] == "Pod"]
        texts = [notes()]
        for path in ("README.md", "docs/install.md"):
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                texts.append(f.read())
        for text in texts:
            self.assertNotRegex(text, r"exec[^\n]* ds/")
            chosen = re.search(r"^ *agent=\$\(kubectl.* -l (\S+)[\s\\]+--field-selector \"spec.nodeName=\$node\"", text, re.M)[1]
            chosen = dict(pair.split("=") for pair in chosen.split(","))
            self.assertLessEqual(chosen.items(), agent.items())
            self.assertFalse(any(chosen.items() <= labels.items() for labels in others))

    def test_extra_objects_are_templates(self):
        found = objects({"extraObjects": ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-x'}"]})
        only(found, "ConfigMap", "certhup-x")

    def test_helm_test_is_left_out_where_no_pair_could_pass(self):
        self.assertTrue(any(is_hook(o) for o in objects()))
        for values in ({"policy": {"issuer": "CN=x"}}, {"policy": {"denyEcdsa": True, "denyEd25519": True}},
                       {"rbac": {"create": False}}):
            self.assertFalse(any(is_hook(o) for o in objects(values)))

    def test_nothing_secret_is_rendered(self):
        secrets = [o for o in objects(EVERYTHING) if o["kind"] == "Secret"]
        self.assertEqual([s["data"] for s in secrets], [{"tls.crt": "", "tls.key": ""}])

    def test_rendering_is_the_same_each_time(self):
        self.assertEqual(template(EVERYTHING), template(copy.deepcopy(EVERYTHING)))


class Refusals(unittest.TestCase):
    """refused/NAME.yaml are values that are refused, by the words of refused/NAME.expect.txt, each on a line."""

    def test_wrong_values_are_refused_with_a_reason(self):
        where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "refused")
        names = sorted(f[:-5] for f in os.listdir(where) if f.endswith(".yaml"))
        self.assertGreater(len(names), 10)
        for name in names:
            with open(f"{where}/{name}.yaml", encoding="utf-8") as f:
                values = yaml.safe_load(f)
            with open(f"{where}/{name}.expect.txt", encoding="utf-8") as f:
                words = f.read().splitlines()
            with self.subTest(name), self.assertRaises(Refused) as said:
                template(values)
            for word in words:
                self.assertIn(word, str(said.exception), name)
