# SPDX-License-Identifier: Apache-2.0
"""The API client against this kube-apiserver, and what it gets compared with what it gets from the stand-in."""

import difflib
import json
import os
import re
import subprocess
import tempfile

from lib import kube
from lib.places import NODE, PKI, ROOT, families
from lib.suite import Case

# What differs between two runs of one server, too.
OF_A_RUN = [
    (r"certhup-client-[0-9a-f]{8}", "NAME"), (r"certhup\.io/test-[0-9a-f]{8}", "TYPE"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UID"), (r'("resourceVersion": ?")\d+"', r'\1RV"'),
    (r"(Too large resource version: \d+, current:) \d+", r"\1 RV"), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
]
# Where this server may answer otherwise than the stand-in: (a pattern of lines, why). At most five.
MAY_DIFFER = []


def lines(record):
    """A record of test_client, one member of an object a line, by names; a line that is said again at once counts once."""
    out = []
    for line in record.splitlines():
        for pattern, mask in OF_A_RUN:
            line = re.sub(pattern, mask, line)
        told = json.dumps(json.loads(line), indent=1, sort_keys=True).splitlines() if line.startswith("  {") else [line]
        out += told if told != out[-1:] else []
    return out


class Client(Case):
    def setUp(self):
        self.home = self.enterContext(tempfile.TemporaryDirectory())
        self.namespaces = ["default"]
        kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "certhup-nobody", "namespace": "default"}})
        self.addCleanup(kube.kubectl, "delete", "serviceaccount", "certhup-nobody", "-n", "default")
        self.token = kube.kubectl("create", "token", "certhup-nobody", "-n", "default").strip()

    def kubeconfig(self, address):
        """One with the contexts that test_client asks for; the server by this address."""
        path = f"{self.home}/kubeconfig"
        users = {"admin": {"client-certificate": f"{PKI}/admin.crt", "client-key": f"{PKI}/admin.key"},
                 "nobody": {"token": self.token}, "stranger": {"token": "stranger-token"}}
        host = f"[{address}]" if ":" in address else address
        text = kube.text({
            "apiVersion": "v1", "kind": "Config", "current-context": "admin",
            "clusters": [{"name": "c", "cluster": {"server": f"https://{host}:443", "certificate-authority": f"{PKI}/ca.crt"}}],
            "users": [{"name": name, "user": user} for name, user in users.items()],
            "contexts": [{"name": name, "context": {"cluster": "c", "user": name}} for name in users]})
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
        return path

    def check_client(self, *arguments):
        """`make check-client`; returns how many tests passed, and its record."""
        record = f"{self.home}/record"
        env = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        env["CERTHUP_CLIENT_RECORD"] = record
        done = subprocess.run(["make", "-s", "-C", ROOT, "check-client", *arguments], env=env, capture_output=True, text=True,
                              check=False, timeout=200)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("SKIP", done.stderr)
        with open(record, encoding="utf-8") as f:
            text = f.read()
        os.unlink(record)
        return int(re.search(r"PASSED.* (\d+) test", done.stderr + done.stdout)[1]), text

    def differences(self, stand_in, real):
        found = difflib.ndiff(lines(stand_in), lines(real))
        return [line for line in found if line[0] in "+-" and not any(re.search(p, line) for p, _ in MAY_DIFFER)]

    def test_client_suite_gets_the_same_answers_as_from_the_stand_in(self):
        self.assertLessEqual(len(MAY_DIFFER), 5)
        passed, stand_in = self.check_client()
        for address in families(NODE):
            with self.subTest(address=address):
                here, real = self.check_client(f"KUBECONFIG={self.kubeconfig(address)}")
                differences = self.differences(stand_in, real)
                print(f"     {here} tests at {address}, {len(lines(real))} lines of answers, {len(differences)} differences",
                      flush=True)
                self.assertEqual(here, passed)
                self.assertEqual(differences, [])
