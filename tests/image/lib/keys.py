# SPDX-License-Identifier: Apache-2.0
"""The project's own integration tests, with the programs of the image in place of the release build's."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from lib.common import PROGRAMS, ROOT, needs_root, program, run, test


def with_programs_of_the_image(name):
    """Runs build/release/tests/NAME with the image's programs; the names of its tests."""
    needs_root("a hand with its capabilities, mounts, cgroups")
    run("make", "-s", "-j2", "BUILD=release", f"build/release/tests/{name}", "build/release/apiserver", "tools")
    with tempfile.TemporaryDirectory(dir=f"{ROOT}/build") as build:
        for each in PROGRAMS:
            shutil.copy(program("amd64", each), build)
        os.symlink(f"{ROOT}/build/release/apiserver", f"{build}/apiserver")
        os.symlink(f"{ROOT}/build/release/tests", f"{build}/tests")
        env = dict(os.environ, CERTHUP_BUILD_DIR=build, CMOCKA_MESSAGE_OUTPUT="TAP", LC_ALL="C.UTF-8")
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--ipc", "--uts",
                               sys.executable, "tests/run", "--inside", f"build/release/tests/{name}"],
                              cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    said = re.findall(r"^(not ok|ok) \d+ - (\w+)", done.stdout, re.M)
    assert done.returncode == 0 and said and all(word == "ok" for word, _ in said), done.stdout[-4000:]
    return [(f"{test_name} (programs of the image)", None) for _, test_name in said]


@test
def key_scan_finds_nothing_in_the_image_s_programs():
    return with_programs_of_the_image("integration/test_keys")


@test
def node_s_own_tests_pass_with_the_image_s_programs():
    return with_programs_of_the_image("integration/test_node")
