# SPDX-License-Identifier: Apache-2.0
"""The files of a release, and the documented way to sign and to verify them."""

import glob
import json
import os
import re
import shutil
import tarfile
import tempfile

from lib.archive import Archive
from lib.common import ARCHES, ROOT, archive_path, run, status_of, test

DIST = f"{ROOT}/build/dist"


def version():
    with open(f"{ROOT}/Makefile", encoding="utf-8") as f:
        return re.search(r"^VERSION := (\S+)", f.read(), re.M)[1]


@test
def release_has_all_its_files_and_their_sums():
    v = version()
    sources = [n for n in os.listdir(DIST) if re.fullmatch(rf"certhup-{re.escape(v)}-source(-incomplete)?\.tar", n)]
    wanted = {f"certhup-{v}-image.oci.tar", f"certhup-{v}.tgz", "DIGEST", "LICENSE", "SHA256SUMS", "SOURCE-OFFER.txt", *sources}
    for arch in ARCHES:
        wanted |= {f"certhup-{v}-image-{arch}.oci.tar", f"certhup-{v}-{arch}.spdx.json"}
    assert len(sources) == 1 and set(os.listdir(DIST)) == wanted, os.listdir(DIST)
    run("bash", "-c", f"cd {DIST} && sha256sum --quiet --strict -c SHA256SUMS")
    with open(f"{DIST}/SHA256SUMS", encoding="utf-8") as f:
        assert {line.split()[1] for line in f} == wanted - {"SHA256SUMS"}


@test
def one_archive_holds_the_images_of_both_processors():
    path = f"{DIST}/certhup-{version()}-image.oci.tar"
    index = json.loads(run("skopeo", "inspect", "--raw", f"oci-archive:{path}"))
    with open(f"{DIST}/DIGEST", encoding="ascii") as f:
        assert Archive(path).top["digest"] == f.read().strip()
    assert [m["platform"]["architecture"] for m in index["manifests"]] == list(ARCHES)
    for arch in ARCHES:
        part = next(m for m in index["manifests"] if m["platform"]["architecture"] == arch)
        assert part["digest"] == run("agent/image/layout", "digest", archive_path(arch)).strip()
        seen = json.loads(run("skopeo", "--override-arch", arch, "inspect", f"oci-archive:{path}"))
        assert (seen["Architecture"], seen["Os"]) == (arch, "linux")


@test
def chart_package_is_the_chart_with_the_release_s_version():
    with tarfile.open(f"{DIST}/certhup-{version()}.tgz") as tar:
        names = {m.name for m in tar if m.isfile()}
        chart = tar.extractfile("certhup/Chart.yaml").read().decode()
    for key in ("version", "appVersion"):
        assert re.search(rf"^{key}: [\"']?{re.escape(version())}[\"']?$", chart, re.M), chart
    here = set(run("git", "ls-files", "charts/certhup/templates").split())
    assert {"certhup/" + n.removeprefix("charts/certhup/") for n in here} <= names


@test
def documented_commands_sign_and_verify_a_release():
    """As they stand in docs/supply-chain.md, with a key that is thrown away; and what was changed afterwards is found."""
    with open(f"{ROOT}/docs/supply-chain.md", encoding="utf-8") as f:
        blocks = dict(re.findall(r"^```sh release (\w+)\n(.*?)^```$", f.read(), re.M | re.S))
    assert set(blocks) == {"key", "sign", "verify"}, blocks.keys()
    with tempfile.TemporaryDirectory() as place:
        for path in glob.glob(f"{DIST}/*"):
            shutil.copy(path, place)
        for name in ("key", "sign", "verify"):
            status, said = status_of("bash", "-euc", f"cd '{place}'\n{blocks[name]}")
            assert status == 0, f"{name}: {said}"
        changed = f"{place}/certhup-{version()}-amd64.spdx.json"
        with open(changed, "a", encoding="ascii") as f:
            f.write(" ")
        assert status_of("bash", "-euc", f"cd '{place}'\n{blocks['verify']}")[0] != 0, "a changed file was not found"
        run("bash", "-c", f"cd '{place}' && find . -type f ! -name 'SHA256SUMS*' ! -name '*.pem' -printf '%P\\n' | sort | xargs sha256sum > SHA256SUMS")
        assert status_of("bash", "-euc", f"cd '{place}'\n{blocks['verify']}")[0] != 0, "changed sums were not found"


@test
def no_key_is_in_the_tree():
    said = run("git", "grep", "-lIE", "^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----$", "--", ".", ":!tests", check=False)
    assert not said, said
