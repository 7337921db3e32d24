# SPDX-License-Identifier: Apache-2.0
"""Two builds are the same, byte for byte."""

import hashlib
import os
import shutil
import tempfile

from lib.archive import Archive
from lib.common import ARCHES, OUT, ROOT, archive_path, run, test


def cache():
    return os.environ.get("CERTHUP_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "certhup")


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


@test
def build_elsewhere_gives_the_same_digest():
    """Another folder, another cache (so libcurl is built anew from what Debian ships), another umask, zone and language."""
    built_from = Archive(archive_path("amd64")).config["config"]["Labels"]["org.opencontainers.image.revision"]
    assert built_from == run("git", "rev-parse", "HEAD").strip(), f"commit, and make image again: build/image is of {built_from}"
    with tempfile.TemporaryDirectory(prefix="another-place-") as place:
        tree, other = f"{place}/deep/er/tree", f"{place}/cache"
        run("git", "clone", "-q", "--no-hardlinks", ROOT, tree)
        run("cp", "-r", f"{cache()}/image/apt", f"{cache()}/image/sources", "--target-directory", made(f"{other}/image"))
        for name in os.listdir(f"{cache()}/image"):
            if name.startswith("debian-"):
                shutil.copytree(f"{cache()}/image/{name}", f"{other}/image/{name}", symlinks=True)
        env = dict(os.environ, CERTHUP_CACHE=other, TZ="Asia/Kolkata", LANG="C.UTF-8", LC_ALL="C.UTF-8", CCACHE_DISABLE="1")
        run("bash", "-c", f"umask 077 && cd '{tree}' && make -s image", env=env)
        for arch in ARCHES:
            here, there = archive_path(arch), f"{tree}/build/image/certhup-{arch}.oci.tar"
            one, two = (run("agent/image/layout", "digest", p).strip() for p in (here, there))
            print(f"      linux/{arch}: {one} here, {two} there")
            assert one == two and sha256(here) == sha256(there), arch
            assert sha256(f"{OUT}/certhup-{arch}.spdx.json") == sha256(f"{tree}/build/image/certhup-{arch}.spdx.json"), arch


def made(folder):
    os.makedirs(folder)
    return folder
