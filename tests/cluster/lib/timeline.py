# SPDX-License-Identifier: Apache-2.0
"""When a leaf was first seen at each place of its way: in the Secret, in a volume on the node, served. And pairs that are torn."""

import contextlib
import json
import os
import socket
import ssl
import threading
import time

from lib import api, workload

LOOK_S = 0.005


class Place:
    """Looks at a place until the end of the `with`, in a thread. `times`: leaf (DER) to when it was first seen there."""

    def __init__(self, look, every=LOOK_S):
        self.look, self.every, self.times, self.fault = look, every, {}, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        try:
            while not self.over.is_set():
                self.note(self.look())
                self.over.wait(self.every)
        except Exception as e:  # pylint: disable=broad-except # told at the end of the `with`
            self.fault = e

    def note(self, leaf):
        if leaf is not None:
            self.times.setdefault(leaf, time.monotonic())

    def newest(self):
        return next(reversed(self.times), None)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join(timeout=10)
        if self.fault and kind is None:
            raise self.fault


class Secret(Place):
    """A Secret's leaves, by a watch of our own: what certhup and the kubelet are told, when they are told."""

    def __init__(self, namespace, name):
        super().__init__(None)
        self.connection = api.connect()
        self.socket = self.connection.sock
        self.connection.request("GET", f"/api/v1/namespaces/{namespace}/secrets?watch=1&timeoutSeconds=3600"
                                       f"&fieldSelector=metadata.name%3D{name}")

    def _work(self):
        try:
            for line in self.connection.getresponse():
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED") and event["object"].get("data", {}).get("tls.crt"):
                    self.note(workload.leaf(event["object"]))
            raise EOFError("the watch of the Secret has ended")
        except Exception as e:  # pylint: disable=broad-except # told at the end of the `with`
            self.fault = None if self.over.is_set() else e

    def __exit__(self, kind, *more):
        self.over.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        super().__exit__(kind, *more)


def first_of(path):
    """The leaf of a PEM file, or None where there is none yet."""
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding="ascii") as f:
            return workload.first(f.read())
    return None


def file(volume, every=LOOK_S):
    """The leaf in a volume's folder on the node."""
    return Place(lambda: first_of(f"{volume}/..data/tls.crt"), every)


def served(address, after=None, pair=None, port=8443):
    """The leaf that a server shows. after: another place; looked at only while that has a leaf that was not seen here yet."""
    def look():
        if after is not None and after.newest() in place.times:
            return None
        with contextlib.suppress(OSError):
            return workload.served(address, port=port, pair=pair, seconds=2)
        return None
    place = Place(look, every=0.02)
    return place


class Pairs(Place):
    """Reads key and certificate of a volume over and over, as a careful server does (..data opened once), and counts the
    `reads` and what was `torn`. A generation that goes while it is read is read anew."""

    def __init__(self, volume):
        super().__init__(self._read)
        self.volume, self.reads, self.torn = volume, 0, []

    def _read(self):
        try:
            folder = os.open(f"{self.volume}/..data", os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return None  # nothing was delivered yet, or the pod has gone
        try:
            here = f"/proc/self/fd/{folder}"
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(f"{here}/tls.crt", f"{here}/tls.key")
            self.reads += 1
            return first_of(f"{here}/tls.crt")
        except ssl.SSLError as e:
            self.torn.append(f"{os.readlink(here)}: {e}")
        except FileNotFoundError:
            if os.path.exists(f"/proc/self/fd/{folder}/tls.crt"):
                self.torn.append(f"{os.readlink(here)}: a file of the pair is missing")
        finally:
            os.close(folder)
        return None
