# SPDX-License-Identifier: Apache-2.0
"""What the lint scripts share: which files there are, and C sources without comments and strings."""

import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(pattern=r".*"):
    """The project's files (git's, and new ones that it does not ignore), relative, sorted."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return sorted(f for f in set(out.splitlines())
                  if re.fullmatch(pattern, f) and os.path.isfile(os.path.join(ROOT, f)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def is_script(name):
    """A shell or Python file, with or without an extension."""
    if re.search(r"\.(c|h|md|txt|json|yaml|patch)$", name):
        return False
    return name.endswith((".sh", ".py")) or read(name).startswith("#!")


COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text, strings=False):
    """Blanks comments, and strings unless they are asked for; line numbers stay."""
    def blank(m):
        if strings and m[0][0] in "\"'":
            return m[0]
        return re.sub(r"[^\n]", " ", m[0])
    return COMMENT_OR_STRING.sub(blank, text)


class Place:
    def __init__(self, line):
        cells = [c.strip() for c in line.split("|")]
        self.name, self.licence = cells[0], cells[3]
        self.may, self.third = cells[1].split(), cells[2].split()


def fits(path, place):
    """A place is a folder, or a file without its extension and those named after it (k8s/json: k8s/json_stream.c)."""
    return path.startswith((place + "/", place + ".", place + "_"))


def places():
    rows = [line for line in read("agent/layers").splitlines() if line.strip() and not line.startswith("#")]
    return [Place(r) for r in rows]


def place_of(path, table):
    return max((p for p in table if fits(path, p.name)), key=lambda p: len(p.name), default=None)


def finish(faults):
    for f in faults:
        print(f)
    return 1 if faults else 0
