# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of README.md and docs/*.md, and running one as its first line says. tests/docs/run tells the kinds."""

import os
import re
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = re.compile(r"^(?: {4}|\t)(?:\$ )?(?:sudo |certhup |kubectl |make |openssl )")
UNTIL_S = 20


class Block:
    def __init__(self, path, line, words):
        self.path, self.line, self.words, self.text = path, line, words, ""

    def where(self):
        return f"{self.path}:{self.line}"

    def option(self, name):
        return next((w.split("=", 1)[1] for w in self.words if w.startswith(name + "=")), None)


def steps_of(path):
    """(kind, block or text) in the order of the document; kinds: fence, scene, and indented for a command in no fence."""
    block = None
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            fence = re.match(r"```(.*)", line)
            scene = re.match(r"<!-- scene: (.*) -->", line)
            if fence and block:
                yield "fence", block
                block = None
            elif fence:
                block = Block(path, number, fence[1].split())
            elif block:
                block.text += line
            elif scene:
                yield "scene", scene[1]
            elif COMMAND.match(line):
                yield "indented", f"{path}:{number}: {line.strip()}"


def run_block(block, home, env):
    """Runs it as its first line says. None, or what went wrong."""
    until, code = block.option("until"), int(block.option("exit") or 0)
    end = time.monotonic() + UNTIL_S
    while True:
        out = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=home, env=env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             timeout=120, check=False)
        if out.returncode == code and (not until or until in out.stdout):
            return None
        if not until or time.monotonic() > end:
            return f"{block.where()}: ended with {out.returncode}, wanted {code}" + \
                (f" and '{until}'" if until else "") + f"\n{out.stdout}"
        time.sleep(0.05)
