# SPDX-License-Identifier: Apache-2.0
"""The image itself: what is in its archive, and that programs that others wrote can use it."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile

from lib.common import ARCHES, PROGRAMS, archive_path, needs_root, program, run, status_of, test

LIMIT = 10 * 1024 * 1024


class Archive:
    """One image of an OCI archive."""

    def __init__(self, path, arch=None):
        with tarfile.open(path) as tar:
            self.members = tar.getmembers()
            self.files = {m.name: tar.extractfile(m).read() for m in self.members if m.isfile()}
        self.top = json.loads(self.files["index.json"])["manifests"][0]
        self.manifest = json.loads(self.blob(self.top))
        if arch:
            part = next(m for m in self.manifest["manifests"] if m["platform"]["architecture"] == arch)
            self.manifest = json.loads(self.blob(part))
        self.config = json.loads(self.blob(self.manifest["config"])) if "config" in self.manifest else None

    def blob(self, descriptor):
        data = self.files["blobs/sha256/" + descriptor["digest"].split(":")[1]]
        assert len(data) == descriptor["size"] and hashlib.sha256(data).hexdigest() == descriptor["digest"].split(":")[1]
        return data

    def layers(self):
        return [gzip.decompress(self.blob(layer)) for layer in self.manifest["layers"]]


@test
def image_holds_both_programs_and_nothing_else():
    for arch in ARCHES:
        (layer,) = Archive(archive_path(arch)).layers()
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            found = {m.name: m for m in tar.getmembers()}
            assert list(found) == ["usr", "usr/bin", "usr/bin/certhup", "usr/bin/certhup-hand"], list(found)
            for name in PROGRAMS:
                with open(program(arch, name), "rb") as f:
                    assert tar.extractfile("usr/bin/" + name).read() == f.read(), name
        for member in found.values():
            assert (member.uid, member.gid, member.mode, member.pax_headers) == (0, 0, 0o755, {}), member.name


@test
def image_is_at_most_10_MiB_on_a_disk():
    for arch in ARCHES:
        archive = Archive(archive_path(arch))
        plain = sum(map(len, archive.layers())) + archive.manifest["config"]["size"] + archive.top["size"]
        assert plain <= LIMIT, f"{arch}: {plain} bytes"
        packed = sum(layer["size"] for layer in archive.manifest["layers"])
        print(f"      linux/{arch}: {plain / 2**20:.2f} MiB, {packed / 2**20:.2f} MiB to pull")


@test
def image_says_how_to_run_it_and_what_it_is():
    for arch in ARCHES:
        archive = Archive(archive_path(arch))
        assert archive.top["platform"] == {"architecture": arch, "os": "linux"}
        assert (archive.config["architecture"], archive.config["os"]) == (arch, "linux")
        run_as = archive.config["config"]
        uid, gid = map(int, run_as["User"].split(":"))
        for number in (uid, gid):  # a user that workloads seldom have
            assert number >= 10000 and number not in (65532, 65534, 65535), number
        assert run_as["Entrypoint"] == ["/usr/bin/certhup"] and "Cmd" not in run_as and run_as["Env"] == ["PATH=/usr/bin"]
        labels = run_as["Labels"]
        for key in ("title", "description", "version", "revision", "created", "licenses"):
            assert labels["org.opencontainers.image." + key], key
        assert archive.top["annotations"]["io.containerd.image.name"].endswith(":" + archive.top["annotations"]["org.opencontainers.image.ref.name"])


@test
def user_of_the_image_is_that_of_the_head():
    said = run(program("amd64", "certhup"), "node", "--help")
    user = Archive(archive_path("amd64")).config["config"]["User"]
    for number in user.split(":"):
        assert f"(default {number})" in said


@test
def other_tools_read_the_image():
    for arch in ARCHES:
        path = archive_path(arch)
        seen = json.loads(run("skopeo", "inspect", f"oci-archive:{path}"))
        assert seen["Digest"] == run("agent/image/layout", "digest", path).strip()
        with tempfile.TemporaryDirectory() as to:  # copies each blob and compares its digest
            run("skopeo", "copy", "--insecure-policy", f"oci-archive:{path}", f"oci:{to}/x:y")


@test
def buildah_runs_the_image():
    needs_root("buildah makes a root directory of it")
    with tempfile.TemporaryDirectory() as to:
        buildah = ["buildah", "--storage-driver", "vfs", "--root", f"{to}/root", "--runroot", f"{to}/run"]
        name = run(*buildah, "--signature-policy", policy(to), "from", "oci-archive:" + archive_path("amd64")).strip().splitlines()[-1]
        try:
            assert run(*buildah, "run", "--isolation", "chroot", name, "--", "/usr/bin/certhup", "version").startswith("certhup ")
            status, said = status_of(*buildah, "run", "--isolation", "chroot", name, "--", "/bin/sh", "-c", "true")
            assert status != 0, said
        finally:
            run(*buildah, "rm", name, check=False)
            run(*buildah, "rmi", "--all", check=False)


def policy(folder):
    path = os.path.join(folder, "policy.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"default": [{"type": "insecureAcceptAnything"}]}, f)
    return path


@test
def names_are_resolved_in_the_image():
    """By /etc/hosts as the kubelet writes it. The static libc has files and dns built in; the probe's answer shows which it asked."""
    needs_root("chroot")
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(f"{root}/usr/bin")
        os.makedirs(f"{root}/etc")
        os.makedirs(f"{root}/dev")
        os.mknod(f"{root}/dev/null", 0o20666, os.makedev(1, 3))
        with open(f"{root}/etc/hosts", "w", encoding="ascii") as f:
            f.write("127.0.0.7 there.example\n")
        run("cp", program("amd64", "certhup"), f"{root}/usr/bin/")
        said = {}
        for name in ("there.example", "absent.example"):
            done = subprocess.run(["unshare", "--net", "chroot", root, "/usr/bin/certhup", "probe", f"{name}:9"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            said[name] = done.stdout
        assert "connect" in said["there.example"] and "resolution" not in said["there.example"], said
        assert "resolution" in said["absent.example"], said

