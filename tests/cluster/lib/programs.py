# SPDX-License-Identifier: Apache-2.0
"""The cluster's programs: built from Go modules with committed sums, into a cache outside the checkout.

Each folder of tests/cluster/programs is one small module, because the programs' dependencies disagree. Its
`tool` lines name the packages to build; a folder with Go files of its own is built itself. What is built lies
in CACHE/cluster/MODULE-KEY, where KEY is the hash of everything that it is made from.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import time

from lib import go
from lib.places import CACHE, HERE

PROGRAMS = os.path.join(HERE, "programs")
NAMES = {"go.etcd.io/etcd/server/v3": "etcd", "helm.sh/helm/v3/cmd/helm": "helm3"}  # else as Go names them
ALL = ["kubernetes", "etcd", "cert-manager", "helm", "helm3", "kubeconform"]
FLAGS = ["-trimpath", "-buildvcs=false"]


class Failed(Exception):
    pass


def kubernetes(minor):
    """The module of Kubernetes: the one by default, or that of another minor, as `oldest`."""
    return f"kubernetes-{minor}" if minor else "kubernetes"


def modules(minor=""):
    return [kubernetes(minor) if m == "kubernetes" else m for m in ALL]


def read(module, name):
    with open(os.path.join(PROGRAMS, module, name), encoding="utf-8") as f:
        return f.read()


def tools(module):
    """{package: name of its program}"""
    text = read(module, "go.mod")
    block = re.search(r"^tool \(\n(.*?)^\)", text, re.M | re.S)
    found = re.findall(r"^tool (\S+/\S+)", text, re.M) + (block[1].split() if block else [])
    return {p: NAMES.get(p) or re.sub(r"/v\d+$", "", p).rsplit("/", 1)[1] for p in found} or {".": module}


def version(module, of):
    found = re.search(rf"^\s*(?:require )?{re.escape(of)} (v\S+)", read(module, "go.mod"), re.M)
    return found[1]


def kubernetes_version(minor=""):
    return version(kubernetes(minor), "k8s.io/kubernetes")


def ldflags(module):
    flags = "-s -w"
    if module.startswith("kubernetes"):  # else it calls itself v0.0.0, which clients and charts refuse
        full = version(module, "k8s.io/kubernetes")
        major, minor = full.lstrip("v").split(".")[:2]
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            flags += f" -X {package}.gitVersion={full} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
    return flags


def place(module):
    """The folder with the module's programs, whether it is there or not."""
    made_of = hashlib.sha256(" ".join([*FLAGS, ldflags(module), *sorted(NAMES.values())]).encode())
    for name in sorted(os.listdir(os.path.join(PROGRAMS, module))):
        made_of.update(f"{name}\0{read(module, name)}\0".encode())
    return os.path.join(CACHE, "cluster", f"{module}-{made_of.hexdigest()[:16]}")


def compile_all(module, into):
    using = go.find()
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0", "GOWORK": "off"}
    top = os.path.join(PROGRAMS, module)
    for package, name in tools(module).items():
        command = [using, "build", *FLAGS, "-ldflags", ldflags(module), "-o", f"{into}/{name}", package]
        done = subprocess.run(command, cwd=top, env=env, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if not line.startswith("go: downloading")]
            raise Failed(f"{name} cannot be built:\n" + "\n".join(said[-30:]))
    if module == "cert-manager":
        where = subprocess.run([using, "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager"], cwd=top,
                               env=env, capture_output=True, text=True, check=True).stdout.strip()
        os.mkdir(f"{into}/crds")
        for crd in glob.glob(f"{where}/deploy/crds/*.yaml"):
            shutil.copyfile(crd, f"{into}/crds/{os.path.basename(crd)}")


def build(module):
    """Builds the module unless it is there, and returns its folder. A build that is cut short leaves nothing."""
    ready = place(module)
    if os.path.isdir(ready):
        return ready
    os.makedirs(os.path.dirname(ready), exist_ok=True)
    with open(f"{ready.rsplit('-', 1)[0]}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(ready):
            return ready
        for old in glob.glob(f"{ready}.partial-*"):
            shutil.rmtree(old)
        start, partial = time.monotonic(), f"{ready}.partial-{os.getpid()}"
        print(f"build: {module} ({', '.join(tools(module).values())})", flush=True)
        os.mkdir(partial)
        try:
            compile_all(module, partial)
            os.rename(partial, ready)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        print(f"build: {module}: {time.monotonic() - start:.0f} s", flush=True)
    return ready


def build_all(minor=""):
    return [build(module) for module in modules(minor)]
