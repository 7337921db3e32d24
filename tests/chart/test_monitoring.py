# SPDX-License-Identifier: Apache-2.0
"""Alerts and dashboard: promtool's word on them, and every metric and label in them is one that the agent has."""

import json
import os
import re
import subprocess
import tempfile
import unittest

import yaml

from common import CHART, HERE, KUBE_VERSION, ROOT, helm, objects, only

MADE_BY_PROMETHEUS = {"job", "instance", "node", "le"}
BUCKETS = re.compile(r"_(bucket|sum|count)$")


def reference():
    with open(os.path.join(ROOT, "docs/reference.md"), encoding="utf-8") as f:
        return f.read()


def known_metrics():
    """{name: (type, labels)} of docs/reference.md, which a test compares with the code."""
    table = reference().partition("<!-- metrics: begin -->")[2].partition("<!-- metrics: end -->")[0]
    found = {}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", table, re.M):
        values = {label: re.findall(r"`([^`]*)`", rest) for label, rest in re.findall(r"`(\w+)`((?:: [^;]*)?)", labels)}
        found[name] = (kind, values)
    return found


def rule(values=None):
    return only(objects({"metrics": {"prometheusRule": {"enabled": True, **(values or {})}}}), "PrometheusRule")["spec"]


def rules(values=None):
    return {r["alert"]: r for g in rule(values)["groups"] for r in g["rules"]}


def queries():
    """(where, query) of the alerts and the dashboard."""
    for name, r in rules().items():
        yield name, r["expr"]
    with open(os.path.join(CHART, "files/dashboard.json"), encoding="utf-8") as f:
        dashboard = json.load(f)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.sub(r"label_values\((\w+), (\w+)\)", r"\1", variable["query"]["query"])


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


class Monitoring(unittest.TestCase):
    maxDiff = None

    def selectors(self, query):
        """(metric, {label: values}) of each selector in a query."""
        for name, inside in re.findall(r"\b((?:certhup|process)_\w+)(?:\{([^}]*)\})?", query):
            pairs = re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', inside or "")
            yield name, {label: value.split("|") for label, value in pairs}

    def test_queries_name_metrics_and_labels_that_there_are(self):
        known = known_metrics()
        seen = 0
        for where, query in queries():
            for name, labels in self.selectors(query):
                seen += 1
                family = name if name in known else BUCKETS.sub("", name)
                self.assertIn(family, known, where)
                self.assertTrue(family == name or known[family][0] == "histogram", where)
                for label, values in labels.items():
                    if label in MADE_BY_PROMETHEUS:
                        continue
                    self.assertIn(label, known[family][1], f"{where}: {name}")
                    there = known[family][1][label]
                    if there and not any(v.startswith("$") for v in values):
                        self.assertLessEqual(set(values), set(there), f"{where}: {name}")
        self.assertGreater(seen, 40)

    def test_rates_are_of_counters_only(self):
        known = known_metrics()
        for where, query in queries():
            for name in re.findall(r"(?:rate|increase)\((\w+)", query):
                kind = known.get(name, known.get(BUCKETS.sub("", name)))[0]
                self.assertIn(kind, ("counter", "histogram"), where)

    def test_every_query_is_promql(self):
        text = {"groups": [{"name": "dashboard", "rules": []}]}
        for number, (_, query) in enumerate(queries()):
            expr = query.replace("$__rate_interval", "5m").replace("$node", ".*").replace("$namespace", ".*")
            text["groups"][0]["rules"].append({"record": f"q{number}", "expr": expr})
        with tempfile.TemporaryDirectory() as top:
            path = os.path.join(top, "queries.yaml")
            with open(path, "w", encoding="utf-8") as f:
                yaml.safe_dump(text, f)
            done = promtool("check", "rules", "--lint=none", path)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_promtool_takes_the_rules_and_their_tests(self):
        with tempfile.TemporaryDirectory() as top:
            with open(os.path.join(top, "rules.yaml"), "w", encoding="utf-8") as f:
                yaml.safe_dump(rule(), f)
            with open(os.path.join(HERE, "alerts.test.yaml"), encoding="utf-8") as f:
                tests = f.read()
            with open(os.path.join(top, "tests.yaml"), "w", encoding="utf-8") as f:
                f.write(tests)
            check = promtool("check", "rules", "--lint=all", "--lint-fatal", os.path.join(top, "rules.yaml"))
            self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
            done = promtool("test", "rules", os.path.join(top, "tests.yaml"))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_fires_in_a_test_and_is_silent_in_another(self):
        with open(os.path.join(HERE, "alerts.test.yaml"), encoding="utf-8") as f:
            tests = yaml.safe_load(f)["tests"]
        cases = [c for t in tests for c in t["alert_rule_test"]]
        fires = {c["alertname"] for c in cases if c["exp_alerts"]}
        silent = {c["alertname"] for c in cases if not c["exp_alerts"]}
        self.assertEqual(fires, set(rules()))
        self.assertEqual(silent, set(rules()))

    def test_every_alert_has_a_runbook_and_a_row(self):
        with open(os.path.join(ROOT, "docs/monitoring.md"), encoding="utf-8") as f:
            table = f.read().partition("<!-- alerts: begin -->")[2].partition("<!-- alerts: end -->")[0]
        rows = re.findall(r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \| (\w+) \| (.*) \|$", table, re.M)
        wanted = [(n, n, r["labels"]["severity"], r["for"], r["annotations"]["description"]) for n, r in rules().items()]
        self.assertEqual(rows, wanted)
        pages = {f[:-3] for f in os.listdir(os.path.join(ROOT, "docs/runbooks"))}
        self.assertEqual(pages, set(rules()))

    def test_runbooks_name_events_and_results_that_there_are(self):
        events = set(re.findall(r"^\| `(\w+)` \| (?:Normal|Warning)", reference(), re.M))
        for name in rules():
            with open(os.path.join(ROOT, f"docs/runbooks/{name}.md"), encoding="utf-8") as f:
                page = f.read()
            self.assertLessEqual(set(re.findall(r"reason=(\w+)", page)), events, name)

    def test_command_of_the_document_prints_the_rules(self):
        with open(os.path.join(ROOT, "docs/monitoring.md"), encoding="utf-8") as f:
            command = re.search(r"^helm (template .*)$", f.read(), re.M)[1].split()
        out = helm(*[CHART if word == "charts/certhup" else word for word in command], "--kube-version", KUBE_VERSION)
        self.assertEqual(yaml.safe_load(out)["spec"], rule())

    def test_values_change_the_alerts(self):
        found = rules({"disabled": ["CerthupVersionSkew"], "thresholds": {"expiring": 0.33},
                       "overrides": {"CerthupHandDown": {"for": "10m", "severity": "page"}},
                       "runbookUrl": "https://git.example.com/docs/runbooks/"})
        self.assertNotIn("CerthupVersionSkew", found)
        self.assertIn("< 0.33", found["CerthupCertificateExpiring"]["expr"])
        self.assertEqual(found["CerthupHandDown"]["for"], "10m")
        self.assertEqual(found["CerthupHandDown"]["labels"], {"severity": "page"})
        self.assertEqual(found["CerthupHandDown"]["annotations"]["runbook_url"],
                         "https://git.example.com/docs/runbooks/CerthupHandDown.md")
        self.assertNotIn("$THRESHOLD", str(found))

    def test_monitors_choose_the_agents_pods(self):
        labels = only(objects(), "DaemonSet")["spec"]["template"]["metadata"]["labels"]
        for monitor, kind in (("podMonitor", "PodMonitor"), ("serviceMonitor", "ServiceMonitor")):
            found = objects({"metrics": {monitor: {"enabled": True, "labels": {"release": "x"}}}})
            spec = only(found, kind)["spec"]
            self.assertEqual(only(found, kind)["metadata"]["labels"]["release"], "x")
            endpoint = spec.get("podMetricsEndpoints", spec.get("endpoints"))[0]
            self.assertIs(endpoint["honorLabels"], True)
            if kind == "PodMonitor":
                self.assertLessEqual(spec["selector"]["matchLabels"].items(), labels.items())
            else:
                service = only(found, "Service")
                self.assertLessEqual(spec["selector"]["matchLabels"].items(), service["metadata"]["labels"].items())
                self.assertLessEqual(service["spec"]["selector"].items(), labels.items())

    def test_dashboard_is_a_config_map_that_the_sidecar_finds(self):
        found = objects({"grafana": {"dashboard": {"enabled": True}}})
        board = only(found, "ConfigMap", "certhup-dashboard")
        self.assertEqual(board["metadata"]["labels"]["grafana_dashboard"], "1")
        panels = json.loads(board["data"]["certhup.json"])["panels"]
        self.assertEqual(len({p["id"] for p in panels}), len(panels))
