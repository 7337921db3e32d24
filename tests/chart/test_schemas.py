# SPDX-License-Identifier: Apache-2.0
"""kubeconform, with strict schemas made from the OpenAPI document of the module k8s.io/kubernetes."""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from common import ROOT, built, objects, only, template
from test_render import EVERYTHING

sys.path.insert(0, os.path.join(ROOT, "tests/cluster"))
from lib import go  # noqa: E402  pylint: disable=wrong-import-position

# Resources of the Prometheus operator, whose schemas are no part of Kubernetes.
ELSEWHERE = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
PREFIX = "#/definitions/"


def openapi():
    """The document of the version of Kubernetes that the cluster's suite runs."""
    module = os.path.join(ROOT, "tests/cluster/programs/kubernetes")
    done = subprocess.run([go.find(), "mod", "download", "-json", "k8s.io/kubernetes"], cwd=module, check=True,
                          capture_output=True, text=True, env={**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"})
    where = json.loads(done.stdout)["Dir"]
    with open(os.path.join(where, "api/openapi-spec/swagger.json"), encoding="utf-8") as f:
        return json.load(f)["definitions"]


def strict(schema):
    """A definition of OpenAPI 2 as JSON schema that takes no other keys than it names."""
    if isinstance(schema, list):
        return [strict(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    done = {k: strict(v) for k, v in schema.items() if k != "format" and not k.startswith("x-kubernetes")}
    if "properties" in done and "additionalProperties" not in done:
        done["additionalProperties"] = False
    return done


def write_schemas(top):
    definitions = openapi()
    every = {name: strict(d) for name, d in definitions.items()}
    for name, d in definitions.items():
        for gvk in d.get("x-kubernetes-group-version-kind", []):
            group = gvk["group"].split(".")[0]
            file = f"{gvk['kind'].lower()}{'-' + group if group else ''}-{gvk['version']}.json"
            used = needed(PREFIX + name, every, {})
            with open(os.path.join(top, file), "w", encoding="utf-8") as f:
                json.dump({"$ref": PREFIX + name, "definitions": used}, f)


def needed(ref, every, have):
    """The definitions that one refers to, itself included."""
    name = ref.removeprefix(PREFIX)
    if name in have:
        return have
    have[name] = every[name]
    queue = [every[name]]
    while queue:
        at = queue.pop()
        if isinstance(at, dict):
            if isinstance(at.get("$ref"), str):
                needed(at["$ref"], every, have)
            queue += at.values()
        elif isinstance(at, list):
            queue += at
    return have


class Schemas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        write_schemas(cls.top.name)

    @classmethod
    def tearDownClass(cls):
        cls.top.cleanup()

    def conform(self, text):
        command = [built("kubeconform", "kubeconform"), "-summary", "-skip", ",".join(ELSEWHERE), "-schema-location",
                   self.top.name + "/{{ .ResourceKind }}{{ .KindSuffix }}.json", "-"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    def test_objects_are_what_kubernetes_knows(self):
        for values in ({}, EVERYTHING, {"signal": {"enabled": False}, "rbac": {"scope": "cluster"}},
                       {"metrics": {"serviceMonitor": {"enabled": True}}}):
            done = self.conform(template(values))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            count = sum(o["kind"] not in ELSEWHERE for o in objects(values))
            self.assertIn(f"Valid: {count}, Invalid: 0, Errors: 0", done.stdout)

    def test_manifests_of_the_documents_are_what_kubernetes_knows(self):
        for name in ("install", "migrate", "rights"):
            with open(os.path.join(ROOT, f"docs/{name}.md"), encoding="utf-8") as f:
                found = [b for b in re.findall(r"^```yaml\n(.*?)^```", f.read(), re.M | re.S) if b.startswith("apiVersion:")]
            self.assertTrue(found, name)
            done = self.conform("---\n".join(found))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("Skipped: 0", done.stdout)

    def test_admission_policy_is_among_them(self):
        for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
            policy = only(objects(), kind)
            done = self.conform(yaml.safe_dump(policy))
            self.assertIn("Valid: 1, Invalid: 0, Errors: 0, Skipped: 0", done.stdout)
            policy["spec"]["policyNames"] = ["x"]
            self.assertNotEqual(self.conform(yaml.safe_dump(policy)).returncode, 0)

    def test_key_that_kubernetes_does_not_know_is_found(self):
        daemonset = next(o for o in objects() if o["kind"] == "DaemonSet")
        for change in ("hostPid", "serviceAcountName"):
            wrong = copy.deepcopy(daemonset)
            wrong["spec"]["template"]["spec"][change] = True
            done = self.conform(yaml.safe_dump(wrong))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(change, done.stdout)

    def test_value_of_another_type_is_found(self):
        daemonset = next(o for o in objects() if o["kind"] == "DaemonSet")
        daemonset["spec"]["template"]["spec"]["hostPID"] = "true"
        self.assertNotEqual(self.conform(yaml.safe_dump(daemonset)).returncode, 0)
