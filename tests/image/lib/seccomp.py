# SPDX-License-Identifier: Apache-2.0
"""The system call filters of the two processors, compared by name."""

import re

from lib.common import ROOT, run, test
from lib.emulated import build_tests, emulator

# Calls that arm64 never had, and what its libc makes instead. None: libc needs no call for it (the vdso answers).
OLD = {
    "access": "faccessat", "chmod": "fchmodat", "dup2": "dup3", "epoll_wait": "epoll_pwait", "inotify_init": "inotify_init1",
    "lstat": "newfstatat", "mkdir": "mkdirat", "open": "openat", "poll": "ppoll", "readlink": "readlinkat", "rename": "renameat",
    "select": "pselect6", "stat": "newfstatat", "time": None, "unlink": "unlinkat"}


def filters(arch, side):
    """name -> what the filter does with it, as libseccomp makes it for that processor."""
    said = run(*emulator(arch), f"{ROOT}/build/static-{arch}/tests/tools/filters", side)
    native = {"amd64": "x86_64", "arm64": "aarch64"}[arch]
    (part,) = [p for p in said.split("# filter for arch ")[1:] if p.startswith(native + " ")]
    rows = re.findall(r'# filter for syscall "(\w+)" \(\d+\)[^\n]*\n(.*?)(?=# filter for syscall|# default action)', part, re.S)
    assert len(rows) > 50 and "action ERRNO(1)" in part.split("# default action")[1], f"{arch} {side}: not a filter"
    return {name: sorted(set(re.findall(r"action (\w+)", body.split("# filter for")[0]))) for name, body in rows}


@test
def filters_of_arm64_are_those_of_amd64_by_name():
    for arch in ("amd64", "arm64"):
        build_tests(arch, "tests/tools/filters")
    for side in ("head", "hand"):
        amd64, arm64 = filters("amd64", side), filters("arm64", side)
        only = set(amd64) - set(arm64)
        assert only <= set(OLD), f"{side}: amd64 alone allows {sorted(only - set(OLD))}"
        assert not set(arm64) - set(amd64), f"{side}: arm64 alone allows {sorted(set(arm64) - set(amd64))}"
        for name in only:
            assert OLD[name] is None or OLD[name] in arm64, f"{side}: arm64 makes {OLD[name]} for {name}, and may not"
        for name in set(arm64) & set(amd64):
            assert arm64[name] == amd64[name], f"{side}: {name}"
