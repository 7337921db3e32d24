# SPDX-License-Identifier: Apache-2.0
"""The unit tests of arm64 under qemu-user, linked like the image's programs. It has no openat2, seccomp, Landlock and no mounts of
its own, and cannot start other programs of arm64: tests/image/emulated.txt names what that leaves out."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from lib.common import ROOT, Skip, inputs, needs_root, run, test


def emulator(arch):
    if arch == "amd64":
        return []
    path = shutil.which("qemu-aarch64-static")
    if not path:
        raise Skip("needs qemu-user-static")
    return [path]


def build_tests(arch, *targets):
    """Targets below build/static-ARCH, with a static cmocka."""
    root, libcurl = inputs(arch)
    cmocka = run("tests/image/cmocka", arch, root).strip()
    run("make", "-s", "-j2", f"BUILD=static-{arch}", f"SYSROOT={root}", f"LIBCURL={libcurl}", f"CPPFLAGS=-isystem {cmocka}/include",
        f"LDFLAGS=-L{cmocka}/lib", *[f"build/static-{arch}/{t}" for t in targets])


def rows():
    with open(f"{ROOT}/tests/image/emulated.txt", encoding="utf-8") as f:
        return [line.rstrip("\n").split(None, 2) for line in f if line.strip() and not line.startswith("#")]


def unit_tests():
    """program -> its tests, from the sources."""
    found = {}
    for line in run("git", "ls-files", "-co", "--exclude-standard", "tests/unit/*/test_*.c").split():
        with open(f"{ROOT}/{line}", encoding="utf-8") as f:
            found[line[len("tests/"):-2]] = re.findall(r"\bcmocka_unit_test\w*\(\s*(\w+)", f.read())
    return found


def one_program(program, tests):
    """(test, verdict, output) of each test; one start for all of a program, or one for each when some are left out."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", LC_ALL="C.UTF-8", CERTHUP_BUILD_DIR=f"{ROOT}/build/static-arm64")
    verdicts = []
    for name in tests or [None]:
        if name:
            env["CERTHUP_TEST"] = name
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--ipc", "--uts",
                               sys.executable, "tests/run", "--inside", *emulator("arm64"), f"build/static-arm64/tests/{program}"],
                              cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, errors="replace")
        for word, test_name, rest in re.findall(r"^(not ok|ok) \d+ - (\w+)(.*)$", done.stdout, re.M):
            verdicts.append((test_name, "skip" if "# SKIP" in rest else word, done.stdout))
        if done.returncode and all(v[1] != "not ok" for v in verdicts):
            verdicts.append((name or program, f"status {done.returncode}", done.stdout))
    return verdicts


@test
def unit_tests_of_arm64_pass_under_qemu():
    needs_root("namespaces of its own for each test program")
    emulator("arm64")
    left_out, wanted, results, faults = rows(), {}, [], []
    for program, tests in unit_tests().items():
        why = {t: next((r[2] for r in left_out if fnmatch.fnmatch(program, r[0]) and fnmatch.fnmatch(t, r[1])), None) for t in tests}
        results += [(f"arm64 {program} {t}", w) for t, w in why.items() if w]
        if not all(why.values()):
            wanted[program] = [t for t in tests if not why[t]] if any(why.values()) else []
    build_tests("arm64", *[f"tests/{p}" for p in wanted])
    with ThreadPoolExecutor(2) as pool:
        for program, verdicts in zip(wanted, pool.map(lambda p: one_program(p, wanted[p]), wanted)):
            for name, verdict, said in verdicts:
                if verdict not in ("ok", "skip"):
                    faults.append(f"{program} {name}: {verdict}\n{said[-1500:]}")
                results.append((f"arm64 {program} {name}", "the test skips itself there" if verdict == "skip" else None))
            done = {v[0] for v in verdicts}
            missing = set(wanted[program] or unit_tests()[program]) - done
            faults += [f"{program} {name}: did not run" for name in sorted(missing)]
    assert not faults, "\n".join(faults)
    stale = [r[:2] for r in left_out if not any(fnmatch.fnmatch(p, r[0]) and any(fnmatch.fnmatch(t, r[1]) for t in ts)
                                                for p, ts in unit_tests().items())]
    assert not stale, f"tests/image/emulated.txt names tests that are not there: {stale}"
    return results
