# SPDX-License-Identifier: Apache-2.0
"""The API server asked by HTTP itself, where starting kubectl would take longer than what is measured."""

import contextlib
import http.client
import json
import ssl

from lib import kube
from lib.places import NODE, PKI


def connect():
    """A connection as the cluster's administrator."""
    context = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
    context.load_cert_chain(f"{PKI}/admin.crt", f"{PKI}/admin.key")
    connection = http.client.HTTPSConnection(NODE[0], context=context)
    connection.connect()
    return connection


def put_secrets(secrets):
    """Replaces Secrets that are there, one right after the other."""
    with contextlib.closing(connect()) as connection:
        for secret in secrets:
            meta = secret["metadata"]
            path = f"/api/v1/namespaces/{meta['namespace']}/secrets/{meta['name']}"
            connection.request("PUT", path, json.dumps(secret), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read().decode()
            if answer.status != 200:
                raise kube.Failed(f"PUT {path}: {answer.status} {said}")
