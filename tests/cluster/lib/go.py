# SPDX-License-Identifier: Apache-2.0
"""Finds a Go that can build the cluster's programs, or fetches it."""

import glob
import os
import re
import shutil
import subprocess
import tempfile

from lib.places import CACHE, ROOT

NEEDED = (1, 26)          # what the programs' go.mod ask for
TOOLCHAIN = "1.26.8"      # what is fetched where no such Go is there
BOOTSTRAP = (1, 16)       # the oldest that fetches it; Debian 12 has 1.19
ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}


class NoGo(Exception):
    pass


def version_of(go):
    """(1, 26) of "go version go1.26.8 linux/amd64"; (0, 0) where it does not run."""
    try:
        out = subprocess.run([go, "version"], capture_output=True, text=True, check=True,
                             env={**os.environ, "GOTOOLCHAIN": "local"}, cwd="/").stdout
    except (OSError, subprocess.CalledProcessError):
        return (0, 0)
    found = re.search(r"\bgo(\d+)\.(\d+)", out)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def candidates():
    found = [shutil.which("go"), "/usr/local/go/bin/go", *sorted(glob.glob("/usr/lib/go-*/bin/go"), reverse=True)]
    return [go for go in found if go and os.path.exists(go)]


def fetched():
    return os.path.join(CACHE, "go", TOOLCHAIN, "bin", "go")


def fetch(bootstrap):
    """The toolchain as a module, its sum checked by the old Go; module archives keep no modes."""
    name = f"golang.org/toolchain@v0.0.1-go{TOOLCHAIN}.linux-{ARCHES[os.uname().machine]}"
    print(f"build: fetching Go {TOOLCHAIN}", flush=True)
    with tempfile.TemporaryDirectory() as top:
        env = {**os.environ, "GOTOOLCHAIN": "local", "GOPATH": top, "GOMODCACHE": f"{top}/mod", "GOFLAGS": "-modcacherw"}
        done = subprocess.run([bootstrap, "mod", "download", name], env=env, cwd=top, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise NoGo(f"Go {TOOLCHAIN} cannot be fetched: {done.stderr.strip()}")
        tree = f"{top}/mod/{name}"
        for tool in glob.glob(f"{tree}/bin/*") + glob.glob(f"{tree}/pkg/tool/*/*"):
            os.chmod(tool, 0o755)
        place = os.path.dirname(os.path.dirname(fetched()))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        partial = f"{place}.{os.getpid()}"
        shutil.copytree(tree, partial, symlinks=True)
        try:
            os.rename(partial, place)
        except OSError:  # another run was quicker
            shutil.rmtree(partial)
    return fetched()


def find():
    """The path of a Go that is new enough."""
    there = [fetched(), *candidates()]
    for go in there:
        if version_of(go) >= NEEDED:
            return go
    old = [go for go in there if version_of(go) >= BOOTSTRAP]
    if not old:
        subprocess.run([f"{ROOT}/tests/deps", "tests/cluster/packages-go.txt"], check=True)
        old = [go for go in candidates() if version_of(go) >= BOOTSTRAP]
    if not old:
        raise NoGo(f"no Go {NEEDED[0]}.{NEEDED[1]} here, nor one that could fetch it; install one and go on")
    return fetch(old[0])
