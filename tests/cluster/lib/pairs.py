# SPDX-License-Identifier: Apache-2.0
"""Pairs of our own, for rotations that cert-manager would not make so fast or all at one moment."""

import base64
import os
import threading

from lib import api, kube, pki
from lib.places import HOME, PKI

FOLDER = f"{HOME}/pairs"


def secret(namespace, name, dns="web.example"):
    """A Secret with a new key and a new certificate, to be applied."""
    os.makedirs(FOLDER, exist_ok=True)
    path = f"{FOLDER}/{name}-{threading.get_ident()}"
    pki.certificate(os.path.relpath(path, PKI), f"/CN={name}", [f"DNS:{dns}"])
    data = {"ca.crt": pki.data("ca.crt")}
    for kind in ("crt", "key"):
        with open(f"{path}.{kind}", "rb") as f:
            data[f"tls.{kind}"] = base64.b64encode(f.read()).decode()
        os.unlink(f"{path}.{kind}")
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name, "namespace": namespace},
            "data": data}


def create(namespace, names):
    """Secrets that were not there."""
    kube.apply({"apiVersion": "v1", "kind": "List", "items": [secret(namespace, name) for name in names]})


def rotate(namespace, names):
    """New pairs for all of these Secrets, put at one moment; returns the Secrets."""
    made = [secret(namespace, name) for name in names]
    api.put_secrets(made)
    return made


class Rotator:
    """Puts new pairs one after the other, until the end of the `with`. `count`: how many times."""

    def __init__(self, namespace, names, every=1.0):
        self.namespace, self.names, self.every = namespace, names, every
        self.count, self.fault = 0, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        try:
            while not self.over.wait(self.every):
                rotate(self.namespace, self.names)
                self.count += 1
        except Exception as e:  # pylint: disable=broad-except # told by check
            self.fault = e

    def check(self):
        """True as long as it goes on."""
        if self.fault:
            raise self.fault
        return True

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join(timeout=60)
        if kind is None:
            self.check()
