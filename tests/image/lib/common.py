# SPDX-License-Identifier: Apache-2.0
"""What the image's tests share: the list of tests, commands, and where things are."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
OUT = os.path.join(ROOT, "build/image")
ARCHES = ("amd64", "arm64")
PROGRAMS = ("certhup", "certhup-hand")
TRIPLET = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
TESTS = []


class Skip(Exception):
    """Why a test cannot run here."""


def test(function):
    """Puts a function into the list of tests, under its name. It may return rows (name, why it was skipped or None)."""
    TESTS.append((function.__name__, function))
    return function


def run(*command, check=True, **more):
    """Its output; fails with what it said."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, **more)
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr}{done.stdout}"
    return done.stdout


def status_of(*command, **more):
    """Status and all that it said."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, **more)
    return done.returncode, done.stdout


def tool(arch, name):
    return f"{TRIPLET[arch]}-{name}"


def program(arch, name):
    return os.path.join(OUT, arch, name)


def unstripped(arch, name):
    return os.path.join(ROOT, f"build/static-{arch}", name)


def archive_path(arch):
    return os.path.join(OUT, f"certhup-{arch}.oci.tar")


def each_program():
    return [(arch, name) for arch in ARCHES for name in PROGRAMS]


def needs_root(why):
    if os.geteuid() != 0:
        raise Skip(f"needs root: {why}")


def inputs(arch):
    """The folders that this processor's programs were linked from: Debian's packages, libcurl."""
    with open(os.path.join(ROOT, f"build/static-{arch}/inputs"), encoding="utf-8") as f:
        return f.read().split()[:2]
