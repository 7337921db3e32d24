# SPDX-License-Identifier: Apache-2.0
"""Hardening of the programs, read from the ELF files that are in the image, and from the objects that they were linked from."""

import re

from lib.common import ARCHES, ROOT, each_program, inputs, program, run, test, tool, unstripped


def elf(arch, name, *options):
    return run("readelf", "-W", *options, program(arch, name))


@test
def programs_are_static_and_position_independent():
    for arch, name in each_program():
        assert re.search(r"Type:\s+DYN", elf(arch, name, "-h")), name
        assert re.search(r"\(FLAGS_1\).*\bPIE\b", elf(arch, name, "-d")), name
        assert "INTERP" not in elf(arch, name, "-l") and "(NEEDED)" not in elf(arch, name, "-d"), name


@test
def relocations_are_done_at_the_start_and_then_read_only():
    for arch, name in each_program():
        assert "GNU_RELRO" in elf(arch, name, "-l"), name
        assert re.search(r"BIND_NOW|\(FLAGS_1\).*\bNOW\b", elf(arch, name, "-d")), name
        assert "(TEXTREL)" not in elf(arch, name, "-d"), name


@test
def nothing_is_writable_and_executable():
    for arch, name in each_program():
        headers = elf(arch, name, "-l")
        assert re.search(r"GNU_STACK\s.*\bRW\s+0x", headers), f"{name}: the stack"
        for flags in re.findall(r"^\s+LOAD(?:\s+0x\w+){5}\s+([RWE ]{3})", headers, re.M):
            assert not ("W" in flags and "E" in flags), f"{name}: a segment is {flags}"


@test
def libc_calls_are_fortified_and_stacks_protected():
    for arch, name in each_program():
        symbols = set(re.findall(r" (\w+)$", run(tool(arch, "nm"), unstripped(arch, name)), re.M))
        assert "__stack_chk_fail" in symbols, name
    for arch in ARCHES:
        # Where the compiler sees that a call is in bounds it makes the plain one; that it looked shows where it could not see.
        said = run(tool(arch, "nm"), "-A", *own_objects(arch))
        checked = set(re.findall(r" U (__\w+_chk)$", said, re.M))
        assert {"__memcpy_chk", "__snprintf_chk", "__vsnprintf_chk"} <= checked, f"{arch}: {checked}"
        assert not re.findall(r"(\S+): +U (v?sprintf|strcpy|strcat|gets)$", said, re.M), arch


def own_objects(arch):
    """The project's own objects that were linked."""
    found = run("find", f"{ROOT}/build/static-{arch}/agent", f"{ROOT}/build/static-{arch}/k8s", "-name", "*.o").split()
    assert len(found) > 100
    return found


def properties(arch, path):
    """Of each object in a file: its branch protection note."""
    wanted = {"amd64": r"x86 feature:.*\bIBT\b.*\bSHSTK\b", "arm64": r"AArch64 feature:.*\bBTI\b.*\bPAC\b"}[arch]
    parts = re.split(r"^File: ", run("readelf", "-nW", path), flags=re.M) or [""]
    return [bool(re.search(wanted, part)) for part in (parts[1:] or parts)]


@test
def own_code_and_libcurl_hold_to_branch_protection():
    """CET on amd64, BTI and PAC on arm64. Only what we compile: the note of a whole program is the least of its parts, and Debian 12's
    libc has none."""
    for arch in ARCHES:
        for path in own_objects(arch) + [inputs(arch)[1] + "/lib/libcurl.a"]:
            assert all(properties(arch, path)), f"{arch}: {path}"


@test
def functions_begin_where_branches_may_land():
    """What the notes promise, in the code of the program that is shipped: each function of ours begins with endbr64 or its like."""
    start = {"amd64": r"endbr64", "arm64": r"paciasp|bti\s+(c|jc)"}
    for arch, name in each_program():
        for symbol in ("main", "sandbox_begin"):
            code = run(tool(arch, "objdump"), "-d", "--no-show-raw-insn", f"--disassemble={symbol}", unstripped(arch, name))
            first = re.search(rf"^\w+ <{symbol}>:\n\s*\w+:\s+(.*)$", code, re.M)
            assert re.match(start[arch], first[1]), f"{arch} {name} {symbol}: {first[1]}"


@test
def every_free_wipes():
    """Nothing but malloc's own inside and wipe.c calls libc's free and realloc."""
    own = {"__wrap_free", "__wrap_realloc", "__libc_realloc", "realloc", "__malloc_arena_thread_freeres", "__libc_free", "free", "cfree"}
    for arch, name in each_program():
        code = run(tool(arch, "objdump"), "-d", "--no-show-raw-insn", unstripped(arch, name))
        function, callers = "", set()
        for line in code.splitlines():
            begins = re.fullmatch(r"\w+ <(.*)>:", line)
            if begins:
                function = begins[1]
            elif re.search(r"\b(call|jmp|bl|b)\s+\w+ <(__libc_free|__free|cfree|free|__libc_realloc|realloc)>$", line):
                callers.add(function)
        # Our own calls go through the GOT on arm64 (-fno-plt), wipe.c's to libc's free too.
        assert "__wrap_free" in callers or arch == "arm64", f"{arch} {name}: the wiping free is not there"
        assert re.search(r" T __wrap_free$", run(tool(arch, "nm"), unstripped(arch, name)), re.M), f"{arch} {name}"
        assert callers <= own, f"{arch} {name}: {sorted(callers - own)}"


@test
def programs_are_stripped_and_name_no_folder_of_the_build():
    for arch, name in each_program():
        with open(program(arch, name), "rb") as f:
            data = f.read()
        assert ROOT.encode() not in data, name
        for folder in inputs(arch):
            assert folder.encode() not in data, f"{name} names {folder}"
        assert ".symtab" not in elf(arch, name, "-S"), name
