# SPDX-License-Identifier: Apache-2.0
"""The SBOM and the sources: compared with the linker's maps, Debian's packages, and the files of the image."""

import glob
import hashlib
import json
import os
import re
import tarfile

from lib.common import ARCHES, OUT, archive_path, each_program, inputs, program, run, test
from lib.linked import linked


def sbom(arch):
    with open(f"{OUT}/certhup-{arch}.spdx.json", encoding="utf-8") as f:
        return json.load(f)


def linked_with(document, name):
    return {r["relatedSpdxElement"].removeprefix("SPDXRef-Package-") for r in document["relationships"]
            if r["relationshipType"] == "STATIC_LINK" and r["spdxElementId"] == "SPDXRef-File-" + name}


@test
def sbom_is_spdx_with_all_that_it_must_have():
    for arch in ARCHES:
        document = sbom(arch)
        assert (document["spdxVersion"], document["dataLicense"], document["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"]) and document["creationInfo"]["creators"]
        ids = ["SPDXRef-DOCUMENT"] + [e["SPDXID"] for e in document["packages"] + document["files"]]
        assert len(set(ids)) == len(ids) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids), ids
        for relation in document["relationships"]:
            assert relation["spdxElementId"] in ids and relation["relatedSpdxElement"] in ids, relation
        for package in document["packages"]:
            for key in ("name", "versionInfo", "downloadLocation", "licenseConcluded", "licenseDeclared", "copyrightText"):
                assert package[key], f"{package['name']}: {key}"
        digest = run("agent/image/layout", "digest", archive_path(arch)).strip()
        assert document["packages"][0]["checksums"][0]["checksumValue"] == digest.split(":")[1]


@test
def sbom_names_each_library_that_was_linked_and_no_other():
    """A library's file is looked for in the packages that apt fetched, by their own lists."""
    for arch, name in each_program():
        root, libcurl = inputs(arch)
        owners = set()
        for path in {os.path.realpath(p) for p in linked(arch, name)[1] if not p.startswith("build/")}:
            if path.startswith(os.path.realpath(libcurl)):
                owners.add("curl")
            elif path.startswith(os.path.realpath(root)):
                inside = "." + path.removeprefix(os.path.realpath(root) + "/root")
                (deb,) = [d for d in glob.glob(f"{root}/deb/*.deb") if re.search(rf" {re.escape(inside)}$", run("dpkg-deb", "-c", d), re.M)]
                owners.add(run("dpkg-deb", "-f", deb, "Package").strip())
            else:
                owners.add(run("dpkg", "-S", path).split(":")[0])
        assert linked_with(sbom(arch), name) == owners, f"{arch} {name}"
        (entry,) = [f for f in sbom(arch)["files"] if f["fileName"].endswith("/" + name)]
        with open(program(arch, name), "rb") as f:
            assert entry["checksums"][0]["checksumValue"] == hashlib.sha256(f.read()).hexdigest()


@test
def versions_and_licences_are_those_of_debian():
    for arch in ARCHES:
        root, _ = inputs(arch)
        for package in sbom(arch)["packages"][1:]:
            debs = [d for d in glob.glob(f"{root}/deb/*.deb") if os.path.basename(d).startswith(package["name"] + "_")]
            for deb in debs:
                assert package["versionInfo"] == run("dpkg-deb", "-f", deb, "Version").strip(), package["name"]
            assert len(package["attributionTexts"][0]) > 1000, package["name"]
        licences = {p["name"]: p["licenseConcluded"] for p in sbom(arch)["packages"]}
        assert licences["libinotifytools0-dev"] == "GPL-2.0-only"
        concluded = {f["fileName"]: f["licenseConcluded"] for f in sbom(arch)["files"]}
        assert concluded == {"./usr/bin/certhup": "Apache-2.0", "./usr/bin/certhup-hand": "GPL-2.0-only"}
        assert "libinotifytools0-dev" in linked_with(sbom(arch), "certhup-hand") - linked_with(sbom(arch), "certhup")


@test
def source_archive_holds_this_tree_and_debians_sources():
    """An archive that lacks a file says so in its name, and in MISSING which, where from, and its sum."""
    (path,) = glob.glob(f"{OUT}/certhup-*-source.tar") + glob.glob(f"{OUT}/certhup-*-source-incomplete.tar")
    with tarfile.open(path) as tar:
        names = {m.name.split("/", 1)[1] for m in tar if "/" in m.name}
        missing = [m for m in tar.getmembers() if m.name.endswith("/debian/MISSING")]
        lines = tar.extractfile(missing[0]).read().decode().splitlines() if missing else []
    assert path.endswith("-incomplete.tar") == bool(lines), path
    absent = {os.path.basename(line.split()[0]).replace("%7e", "~") for line in lines}
    assert {"certhup/Makefile", "certhup/agent/image/build", "certhup/agent/hand/main.c", "certhup/LICENSE"} <= names
    for package in sbom("amd64")["packages"][1:]:
        source, version = package["sourceInfo"].split("=")
        if source.startswith("gcc-"):
            continue
        dsc = f"{source}_{re.sub(r'^[0-9]+:', '', version)}.dsc"
        assert f"debian/{dsc}" in names or dsc in absent, dsc
        assert any(n.startswith(f"debian/{source}_") and ".orig.tar" in n for n in names) or absent, source
    with open(f"{OUT}/SOURCE-OFFER.txt", encoding="utf-8") as f:
        assert os.path.basename(path).replace("-incomplete", "") in f.read()
