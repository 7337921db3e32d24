# SPDX-License-Identifier: Apache-2.0
"""docs/rights.md against what the chart renders, and against its notes."""

import os
import re
import unittest

from common import ROOT, Refused, helm, is_hook, notes, objects, only, CHART, KUBE_VERSION

import yaml

LEAST = {"signal": {"enabled": False}, "rbac": {"events": "none"}}
BASELINE_CAPABILITIES = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
                         "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
                      "secret"}


def rows(mark):
    with open(os.path.join(ROOT, "docs/rights.md"), encoding="utf-8") as f:
        text = f.read()
    block = text.partition(f"<!-- {mark}: begin -->\n")[2].partition(f"<!-- {mark}: end -->")[0]
    for line in block.splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def words(cell):
    return set(re.findall(r"`([^`]*)`", cell))


def rendered(setting=None, values=None):
    more = ["--set", setting] if setting else []
    out = helm("template", "certhup", CHART, "--namespace", "certhup", "--kube-version", KUBE_VERSION, *more,
               values=values or {})
    return [o for o in yaml.safe_load_all(out) if o]


def rights(found, account):
    """{"secrets: get, watch (demo)"} that an account of namespace certhup has by these objects."""
    have = set()
    for binding in found:
        if not binding["kind"].endswith("RoleBinding"):
            continue
        if not any(s["name"] == account and s["namespace"] == "certhup" for s in binding["subjects"]):
            continue
        where = "*" if binding["kind"] == "ClusterRoleBinding" else binding["metadata"]["namespace"]
        role = next(o for o in found if o["kind"] == binding["roleRef"]["kind"]
                    and o["metadata"]["name"] == binding["roleRef"]["name"]
                    and o["metadata"].get("namespace", "*") == where)
        for rule in role["rules"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    verbs = ", ".join(rule["verbs"])
                    have.add(f"{resource}{'/' if name else ''}{name}: {verbs} ({where})")
    return have


def agent_pod(found):
    return only(found, "DaemonSet")["spec"]["template"]["spec"]


def capabilities(spec):
    return {c for container in spec["containers"]
            for c in container["securityContext"].get("capabilities", {}).get("add", [])}


def host(spec):
    """Host paths and namespaces; a path that every mount has read-only says so."""
    have = {key for key in ("hostPID", "hostNetwork", "hostIPC") if spec.get(key)}
    for volume in spec.get("volumes", []):
        if "hostPath" in volume:
            mounts = [m for c in spec["containers"] for m in c["volumeMounts"] if m["name"] == volume["name"]]
            read_only = all(m.get("readOnly") for m in mounts)
            have.add(volume["hostPath"]["path"] + (", read-only" if read_only else ""))
    return have


def faults_of_baseline(spec):
    """What Pod Security's level baseline forbids. Source: the Pod Security Standards."""
    faults = {key for key in ("hostPID", "hostNetwork", "hostIPC") if spec.get(key)}
    faults |= {f"hostPath {v['name']}" for v in spec.get("volumes", []) if "hostPath" in v}
    for c in spec["containers"]:
        context = c.get("securityContext", {})
        faults |= {f"{c['name']}: {a}" for a in context.get("capabilities", {}).get("add", [])
                   if a not in BASELINE_CAPABILITIES}
        faults |= {f"{c['name']}: privileged"} if context.get("privileged") else set()
        faults |= {f"{c['name']}: hostPort" for p in c.get("ports", []) if p.get("hostPort")}
        if context.get("seccompProfile", {}).get("type") == "Unconfined":
            faults.add(f"{c['name']}: seccomp")
    return faults


def faults_of_restricted(spec):
    faults = faults_of_baseline(spec)
    faults |= {f"volume {v['name']}" for v in spec.get("volumes", [])
               if not (set(v) - {"name"}) <= RESTRICTED_VOLUMES}
    for c in spec["containers"]:
        context = c.get("securityContext", {})
        wanted = {
            "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "runAsUser": context.get("runAsUser") != 0,
            "drop": context.get("capabilities", {}).get("drop") == ["ALL"],
            "add": set(context.get("capabilities", {}).get("add", [])) <= {"NET_BIND_SERVICE"},
            "seccomp": context.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
        }
        faults |= {f"{c['name']}: {what}" for what, holds in wanted.items() if not holds}
    return faults


class Rights(unittest.TestCase):
    maxDiff = None

    def cost(self, setting, least):
        """What a switch adds to the least that can be installed; all of it where there is no less."""
        with_it = [o for o in rendered(setting, LEAST) if not is_hook(o)]
        without = [o for o in rendered(None, LEAST) if not is_hook(o)] if not least else []
        pod, before = agent_pod(with_it), agent_pod(without) if without else {"containers": []}
        return (rights(with_it, "certhup") - rights(without, "certhup"),
                capabilities(pod) - capabilities(before),
                host(pod) - host(before),
                "privileged" if faults_of_baseline(pod) - faults_of_baseline(before) else "")

    def test_each_switch_costs_what_the_table_says(self):
        seen = list(rows("rights"))
        self.assertGreater(len(seen), 7)
        for switch, right, capability, where, level, _ in seen:
            setting = re.match(r"`([^`]*)`", switch)[1]
            if setting == "csi.enabled=true":
                self.assertRaises(Refused, rendered, setting)
                continue
            with self.subTest(setting):
                cost = self.cost(setting, setting.startswith("emptydir"))
                self.assertEqual(cost, (words(right), words(capability), words(where), level))

    def test_defaults_are_what_the_table_says(self):
        by_default = rendered()
        for row in rows("rights"):
            setting = re.match(r"`([^`]*)`", row[0])[1]
            if "(default)" in row[0]:
                self.assertEqual(rendered(setting), by_default, setting)
            elif not setting.startswith("csi"):
                self.assertNotEqual(rendered(setting), by_default, setting)

    def test_by_default_no_secret_may_be_read(self):
        found = [o for o in objects() if not is_hook(o)]
        self.assertEqual([r for r in rights(found, "certhup") if "secret" in r], [])

    def test_account_of_the_test_is_there_for_the_test_alone(self):
        found = objects()
        for account, right, level in rows("selftest"):
            name = re.match(r"`([^`]*)`", account)[1]
            while_it_runs = rights(found, name) - rights([o for o in found if not is_hook(o)], name)
            self.assertEqual(while_it_runs, words(right), name)
            if level:
                pods = [o["spec"] for o in found if o["kind"] == "Pod" and o["spec"]["serviceAccountName"] == name]
                self.assertEqual(len(pods), 2)
                self.assertEqual([faults_of_restricted(p) for p in pods], [set(), set()])
        for o in found:
            if "selftest" in o["metadata"]["name"]:
                policy = o["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
                self.assertEqual(policy, "before-hook-creation,hook-succeeded", o["metadata"]["name"])

    def test_head_alone_would_be_restricted(self):
        spec = agent_pod(objects())
        head = [c for c in spec["containers"] if c["name"] == "head"]
        mounted = {m["name"] for m in head[0]["volumeMounts"]}
        alone = {"containers": head, "volumes": [v for v in spec["volumes"] if v["name"] in mounted]}
        self.assertEqual(faults_of_restricted(alone), set())

    def test_nothing_is_privileged_or_gains_privileges(self):
        for c in agent_pod(rendered("hostNetwork=true"))["containers"]:
            context = c["securityContext"]
            self.assertNotIn("privileged", context)
            self.assertIs(context["allowPrivilegeEscalation"], False)
            self.assertIs(context["readOnlyRootFilesystem"], True)
            self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertEqual(context["capabilities"]["drop"], ["ALL"])

    def test_names_narrow_a_namespace_that_is_in_both_lists(self):
        found = objects({"rbac": {"namespaces": ["demo"], "secretNames": {"demo": ["web-tls"]}}})
        self.assertNotIn("secrets: get, watch (demo)", rights(found, "certhup"))
        self.assertIn("secrets/web-tls: get, watch (demo)", rights(found, "certhup"))

    def test_events_can_be_written_in_the_namespaces_alone(self):
        found = [o for o in objects({"rbac": {"namespaces": ["demo"], "events": "namespaces"}}) if not is_hook(o)]
        self.assertEqual({r for r in rights(found, "certhup") if r.startswith("events")}, {"events: create, patch (demo)"})


class Notes(unittest.TestCase):
    def told(self, setting, values=None):
        """The words of the notes with one more switch, on one line."""
        out = helm("install", "certhup", CHART, "--namespace", "certhup", "--dry-run=client", "--set", setting,
                   values=values or {}).partition("\nNOTES:\n")[2]
        return re.sub(r"\s+", " ", out)

    def test_notes_say_of_each_switch_what_the_table_says(self):
        for row in rows("rights"):
            setting = re.match(r"`([^`]*)`", row[0])[1]
            if setting.startswith("csi"):
                continue
            with self.subTest(setting):
                told = self.told(setting)
                name = setting.partition("=")[0].replace(".demo", "")
                entry = re.search(rf" {re.escape(name)} = .*?stolen node: [^.]*\.", told)
                self.assertIsNotNone(entry, told)
                for cell in row[1:4]:
                    for word in words(cell):
                        self.assertIn(word, entry[0])
                self.assertIn(f"Pod Security: {row[4]}" if row[4] else "costs", entry[0])
                self.assertIn(f"stolen node: {row[5]}.", entry[0])

    def test_what_is_off_costs_nothing_in_the_notes(self):
        told = self.told("signal.enabled=false")
        self.assertNotIn("KILL", told)
        self.assertNotIn("hostPID", told)

    def test_notes_say_whether_the_admission_policy_is_on(self):
        self.assertIn("admissionPolicy.enabled = true: certhup.io/volumes of a pod stays", self.told("admissionPolicy.enabled=true"))
        self.assertIn("admissionPolicy.enabled = false: whoever may patch", self.told("admissionPolicy.enabled=false"))

    def test_notes_say_what_is_missing(self):
        self.assertIn("--set 'rbac.namespaces={demo}'", notes())
        self.assertNotIn("WHAT IS MISSING", self.told("rbac.namespaces={demo}"))
        self.assertIn("WARNING: rbac.scope=cluster", self.told("rbac.scope=cluster"))
        self.assertIn("WARNING: with hostNetwork", self.told("hostNetwork=true"))

    def test_policy_of_the_notes_is_that_of_the_document(self):
        told = notes()
        text = re.search(r"( *apiVersion: networking.k8s.io.*?)(?:\n\n|\Z)", told, re.S)[1]
        policy = yaml.safe_load(re.sub(r"^  ", "", text, flags=re.M))
        with open(os.path.join(ROOT, "docs/rights.md"), encoding="utf-8") as f:
            document = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", f.read(), re.S)[-1])
        self.assertEqual(policy, document)
        chosen = document["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
        labels = only(objects(), "DaemonSet")["spec"]["template"]["metadata"]["labels"]
        self.assertLessEqual(chosen.items(), labels.items())
