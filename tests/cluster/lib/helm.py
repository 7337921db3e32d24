# SPDX-License-Identifier: Apache-2.0
"""helm for tests: version 4, or 3."""

import json
import subprocess

from lib.kube import Failed


def helm(*arguments, version=4, values=None, seconds=180):
    """Runs helm and returns its output. values: an object, given as a values file."""
    program = "helm" if version == 4 else "helm3"
    more = ["--values", "-"] if values is not None else []
    done = subprocess.run([program, *arguments, *more], input=json.dumps(values or {}), capture_output=True, text=True,
                          check=False, timeout=seconds)
    if done.returncode != 0:
        raise Failed(f"{program} {' '.join(arguments)}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done.stdout
