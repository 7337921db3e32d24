# SPDX-License-Identifier: Apache-2.0
"""Runs a checker over C files, two at a time, and remembers by content which files it found nothing in."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from common import ROOT, files

# What every checker sees; the Makefile's own warnings are the compiler's business.
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", '-DCERTHUP_VERSION="lint"', "-Iagent", "-I."]
CACHE = os.path.join(ROOT, "build/lint")


def preprocessed(path):
    """All that the compiler would see of a file, its headers included."""
    return subprocess.run(["gcc", *FLAGS, "-E", path], cwd=ROOT, check=True, capture_output=True).stdout


def is_new(path, salt):
    """The file's mark in the cache, and whether it is missing."""
    with open(os.path.join(ROOT, path), "rb") as f:
        own = f.read()  # comments too: they may hold a checker's directives
    mark = os.path.join(CACHE, hashlib.sha256(salt + own + preprocessed(path)).hexdigest())
    return mark, not os.path.exists(mark)


def check_all(checker, pattern, config=()):
    """Runs the checker with each file in the place of {}; prints what it says of the bad ones. Returns an exit status.

    Words on the command line choose the files whose path holds one of them."""
    version = subprocess.run([checker[0], "--version"], check=True, capture_output=True).stdout
    salt = version + repr(checker).encode() + b"".join(open(os.path.join(ROOT, c), "rb").read() for c in config)
    os.makedirs(CACHE, exist_ok=True)

    def one(path):
        mark, new = is_new(path, salt)
        if not new:
            return 0
        r = subprocess.run([a.replace("{}", path) for a in checker], cwd=ROOT, text=True, errors="replace",
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if r.returncode == 0 and "warning:" not in r.stdout:
            open(mark, "w").close()
            return 0
        print(r.stdout, end="", flush=True)
        return 1

    chosen = [f for f in files(pattern) if not sys.argv[1:] or any(w in f for w in sys.argv[1:])]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return max(pool.map(one, chosen), default=0)
