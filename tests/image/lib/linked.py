# SPDX-License-Identifier: Apache-2.0
"""What the programs are linked with, from the linker's maps."""

import re

from lib.common import ROOT, each_program, inputs, run, test, tool, unstripped


def linked(arch, name):
    """The files that the linker loaded, and of which archives it took something."""
    with open(unstripped(arch, name) + ".map", encoding="utf-8") as f:
        text = f.read()
    loaded = set(re.findall(r"^LOAD (\S+)$", text, re.M)) - {"linker"}
    taken = set(re.findall(r"^(\S+\.a)\(\S+\)$", text, re.M))
    return loaded, taken


@test
def all_that_is_linked_is_debians_or_ours():
    """Nothing of this machine but the compiler's own objects; above all not a cross compiler's libc."""
    for arch, name in each_program():
        compiler = run(tool(arch, "gcc"), "-print-libgcc-file-name").strip().rsplit("/", 1)[0]
        root, libcurl = inputs(arch)
        loaded, _ = linked(arch, name)
        for path in loaded:
            ours = path.startswith((f"build/static-{arch}/", root + "/root/", libcurl + "/"))
            assert ours or re.fullmatch(re.escape(compiler) + r"/(crt\w+\.o|libgcc\w*\.a)", path), f"{name}: {path}"
        assert any(p.endswith("/libc.a") and p.startswith(root) for p in loaded), name


@test
def hand_is_linked_with_no_parser_and_head_not_with_the_gpl():
    for arch, name in each_program():
        _, taken = linked(arch, name)
        libraries = {re.sub(r"^lib|\.a$", "", p.split("/")[-1]) for p in taken if not p.startswith("build/")}
        if name == "certhup-hand":
            assert libraries == {"inotifytools", "md", "seccomp", "c", "gcc", "gcc_eh"} & libraries, libraries
            assert {"inotifytools", "md", "seccomp", "c"} <= libraries, libraries
        else:
            assert "inotifytools" not in libraries, libraries
            assert {"curl", "ssl", "crypto", "nghttp2", "json-c", "yaml", "event", "seccomp"} <= libraries, libraries


@test
def libcurl_speaks_http_alone():
    for arch in ("amd64", "arm64"):
        symbols = run(tool(arch, "nm"), inputs(arch)[1] + "/lib/libcurl.a")
        handlers = set(re.findall(r" [RrDd] (Curl_handler_\w+)$", symbols, re.M))
        assert handlers == {"Curl_handler_http", "Curl_handler_https", "Curl_handler_dummy"}, handlers
        for absent in ("gss_", "ldap_", "idn2_", "inflate", "BrotliDecoder", "ZSTD_", "psl_"):
            assert not re.search(rf" U {absent}", symbols), absent
        assert " U nghttp2_session_client_new" in symbols and " U SSL_connect" in symbols


@test
def programs_are_built_from_this_tree():
    version = re.search(r"^VERSION := (\S+)", open(f"{ROOT}/Makefile", encoding="utf-8").read(), re.M)[1]
    assert run(f"{ROOT}/build/image/amd64/certhup", "version").strip() == f"certhup {version}"
