# SPDX-License-Identifier: Apache-2.0
"""Images of workloads without a network, a daemon or a Dockerfile: a program of this machine and what it links, as an
OCI archive. `ctr` takes such an archive; what is in it is a tar of files and three small JSON texts.
"""

import hashlib
import io
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


def linked(program):
    """The libraries that a program of this machine loads at its start, its loader among them."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout)


class Tree:
    """The files of an image's one layer."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT)
        self.there = set()
        for name, mode in {"tmp": 0o1777, "etc": 0o755}.items():
            self.directory(name, mode)
        self.text("etc/passwd", PASSWD)
        self.text("etc/group", GROUP)

    def _above(self, name):
        if "/" in name:
            self.directory(name.rsplit("/", 1)[0])

    def _entry(self, name, kind, mode):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = kind, mode
        self.there.add(name)
        return entry

    def directory(self, name, mode=0o755):
        if name not in self.there:
            self._above(name)
            self.tar.addfile(self._entry(name, tarfile.DIRTYPE, mode))

    def text(self, name, text, mode=0o644):
        self._above(name)
        entry = self._entry(name, tarfile.REGTYPE, mode)
        entry.size = len(text.encode())
        self.tar.addfile(entry, io.BytesIO(text.encode()))

    def file(self, path, name=None):
        """A file of this machine; a link as the file that it leads to."""
        name = (name or path).lstrip("/")
        if name in self.there:
            return
        self._above(name)
        entry = self._entry(name, tarfile.REGTYPE, 0o755 if os.access(path, os.X_OK) else 0o644)
        entry.size = os.path.getsize(path)
        with open(path, "rb") as f:
            self.tar.addfile(entry, f)

    def program(self, path, name=None):
        """A program, or a module that one loads, with the libraries that it needs."""
        self.file(path, name)
        for library in linked(path):
            self.file(library)

    def folder(self, path):
        """All files below a folder of this machine; libraries among them with what they need."""
        for top, _, files in os.walk(path):
            for name in files:
                full = os.path.join(top, name)
                if os.path.isfile(full):
                    (self.program if ".so" in name else self.file)(full)

    def done(self):
        self.tar.close()
        return self.buffer.getvalue()


def archive(layer, name, path, entrypoint, user="0:0"):
    """Writes the archive of an image docker.io/local/NAME. The same files give the same bytes."""
    digest = hashlib.sha256(layer).hexdigest()
    config = {"architecture": ARCH, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
              "config": {"Entrypoint": entrypoint, "User": user, "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}}
    blobs = {digest: layer}

    def blob(data, kind):
        data = data if isinstance(data, bytes) else json.dumps(data, sort_keys=True).encode()
        sha = hashlib.sha256(data).hexdigest()
        blobs[sha] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{sha}", "size": len(data)}

    manifest = blob({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                     "config": blob(config, "config.v1+json"), "layers": [blob(layer, "layer.v1.tar")]}, "manifest.v1+json")
    manifest["annotations"] = {"io.containerd.image.name": f"docker.io/local/{name}", "org.opencontainers.image.ref.name":
                               f"docker.io/local/{name}"}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
             "index.json": json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode(),
             **{f"blobs/sha256/{sha}": data for sha, data in blobs.items()}}
    with tarfile.open(path, "w") as tar:
        for file, data in files.items():
            entry = tarfile.TarInfo(file)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))


def load(path):
    """Gives the node the images of an archive, as a pull would."""
    machine.run(["ctr", "-n", "k8s.io", "images", "import", path], capture_output=True)


def pack(name, tree, entrypoint, user="0:0"):
    """An image docker.io/local/NAME of the tree, loaded into the node. Pods name it with imagePullPolicy: Never."""
    path = f"{HOME}/images/{name.replace(':', '-')}.tar"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    archive(tree.done(), name, path, entrypoint, user)
    load(path)
    return f"docker.io/local/{name}"


def pause():
    program = f"{HOME}/pause"
    subprocess.run(["gcc", "-static", "-Os", "-o", program, f"{ROOT}/tests/cluster/programs/pause/pause.c"], check=True)
    tree = Tree()
    tree.file(program, "pause")
    return pack("pause:1", tree, ["/pause"])
