# SPDX-License-Identifier: Apache-2.0
"""Images of workloads without a network or a daemon: a program of this machine and what it links, in one layer. The archive
is written by what writes certhup's own image.
"""

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess
import tarfile

from lib import machine
from lib.places import HOME, ROOT

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
PASSWD = "root:x:0:0:root:/:/\nnobody:x:65534:65534:nobody:/:/\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


def _layout():
    loader = importlib.machinery.SourceFileLoader("layout", f"{ROOT}/agent/image/layout")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("layout", loader))
    loader.exec_module(module)
    return module


layout = _layout()


def linked(program):
    """The libraries that a program of this machine loads at its start, its loader among them."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout)


class Tree:
    """The files of an image."""

    def __init__(self):
        self.entries = {}  # name: (bytes or None for a folder, mode); a folder stands before what is in it
        self.folder("tmp", 0o1777)
        self.text("etc/passwd", PASSWD)
        self.text("etc/group", GROUP)

    def folder(self, name, mode=0o755):
        """A folder, and those above it."""
        name = name.strip("/")
        if name and f"{name}/" not in self.entries:
            self.folder(os.path.dirname(name))
            self.entries[f"{name}/"] = (None, mode)

    def _put(self, name, data, mode):
        self.folder(os.path.dirname(name))
        self.entries[name] = (data, mode)

    def text(self, name, text, mode=0o644):
        self._put(name, text.encode(), mode)

    def file(self, path, name=None):
        """A file of this machine; a link as the file that it leads to."""
        name = (name or path).lstrip("/")
        if name not in self.entries:
            with open(path, "rb") as f:
                self._put(name, f.read(), 0o755 if os.access(path, os.X_OK) else 0o644)

    def program(self, path, name=None):
        """A program, or a module that one loads, with the libraries that it needs."""
        self.file(path, name)
        for library in linked(path):
            self.file(library)

    def below(self, path):
        """All files below a folder of this machine; programs and modules among them with what they need."""
        for top, _, files in os.walk(path):
            for full in (os.path.join(top, name) for name in files):
                if os.path.isfile(full):
                    (self.program if ".so" in full or os.access(full, os.X_OK) else self.file)(full)


def archive(tree, name, path, entrypoint, user):
    """Writes the archive of the image docker.io/local/NAME."""
    layer = layout.tar_of([(entry, *what) for entry, what in tree.entries.items()], 0)
    config = layout.as_json({
        "architecture": ARCH, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layout.sha256(layer)]},
        "config": {"Entrypoint": entrypoint, "User": user, "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}})
    manifest = layout.as_json({
        "schemaVersion": 2, "mediaType": layout.OCI + "manifest.v1+json",
        "config": layout.descriptor("config.v1+json", config), "layers": [layout.descriptor("layer.v1.tar", layer)]})
    blobs = {layout.sha256(blob): blob for blob in (layer, config, manifest)}
    with contextlib.redirect_stdout(None):  # it prints the digest
        layout.write_archive(path, layout.descriptor("manifest.v1+json", manifest), blobs, f"docker.io/local/{name}", 0)


def load(path):
    """Gives the node the images of an archive, as a pull would."""
    machine.run(["ctr", "-n", "k8s.io", "images", "import", path], capture_output=True)


def tag(name, other):
    """Gives an image of the node another name."""
    machine.run(["ctr", "-n", "k8s.io", "images", "tag", "--force", name, other], capture_output=True)


def pack(name, tree, entrypoint, user="0:0"):
    """An image docker.io/local/NAME of the tree, loaded into the node. Pods name it with imagePullPolicy: Never."""
    path = f"{HOME}/images/{name.replace(':', '-')}.tar"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    archive(tree, name, path, entrypoint, user)
    load(path)
    return f"docker.io/local/{name}"


def pause():
    program = f"{HOME}/pause"
    subprocess.run(["gcc", "-static", "-Os", "-o", program, f"{ROOT}/tests/cluster/programs/pause/pause.c"], check=True)
    tree = Tree()
    tree.file(program, "pause")
    return pack("pause:1", tree, ["/pause"])


def certhup_archive():
    """The image that `make image` wrote for this machine's processor."""
    path = f"{ROOT}/build/image/certhup-{ARCH}.oci.tar"
    if not os.path.exists(path):
        raise machine.Failed(f"the image is missing: `make image ARCHES={ARCH}`")
    return path


def load_certhup():
    """Gives the node certhup's image by the name that the chart has for it; returns that name."""
    path = certhup_archive()
    load(path)
    with tarfile.open(path) as tar:
        built = json.load(tar.extractfile("index.json"))["manifests"][0]["annotations"]["io.containerd.image.name"]
    name = "localhost/certhup:" + built.rpartition(":")[2]
    if name != built:
        tag(built, name)
    return name
