# SPDX-License-Identifier: Apache-2.0
"""What the chart's tests share: helm, and objects of a rendered chart."""

import os
import subprocess

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CHART = os.path.join(ROOT, "charts/certhup")
KUBE_VERSION = "1.37.0"  # capabilities where no cluster is asked
HELMS = {"helm": "helm", "helm3": "helm3"}  # the folder of tests/cluster/programs, and its program
BUILT = {}


class Refused(Exception):
    """helm said no, with its words."""


def built(module, program):
    """The path of a program of tests/cluster/programs; built once, kept in the cache."""
    if module not in BUILT:
        command = [os.path.join(ROOT, "tests/cluster/build"), module]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        BUILT[module] = done.stdout.split("\n")[-2]
    return os.path.join(BUILT[module], program)


def helm(*arguments, module="helm", values=None):
    """Runs helm; values: an object, given as a values file. Returns its output; Refused when it fails."""
    command = [built(module, HELMS[module]), *arguments]
    text = None
    if values is not None:
        command += ["--values", "-"]
        text = yaml.safe_dump(values)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise Refused(done.stderr)
    return done.stdout


def template(values=None, module="helm"):
    """The text of the chart as it would be installed as release certhup in namespace certhup."""
    return helm("template", "certhup", CHART, "--namespace", "certhup", "--kube-version", KUBE_VERSION,
                module=module, values=values or {})


def objects(values=None, module="helm"):
    return [o for o in yaml.safe_load_all(template(values, module)) if o]


def only(found, kind, name=None):
    """The one object of a kind, and of a name where that is given."""
    same = [o for o in found if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    assert len(same) == 1, f"{len(same)} objects of kind {kind}, name {name}"
    return same[0]


def is_hook(found):
    return "helm.sh/hook" in found["metadata"].get("annotations", {})


def notes(values=None, module="helm"):
    """What helm install tells people."""
    out = helm("install", "certhup", CHART, "--namespace", "certhup", "--dry-run=client", module=module,
               values=values or {})
    return out.partition("\nNOTES:\n")[2]
