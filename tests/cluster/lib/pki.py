# SPDX-License-Identifier: Apache-2.0
"""The cluster's certificates and kubeconfigs, made anew at each bring-up by openssl."""

import base64
import os
import subprocess

from lib.places import API_SERVICE, HOME, KUBECONFIG, NODE, PKI

SERVER = f"https://{NODE[0]}:443"
API_NAMES = ["DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:localhost",
             *[f"IP:{address}" for address in ("127.0.0.1", "::1", *NODE, *API_SERVICE)]]
USERS = {  # file: subject
    "admin": "/O=system:masters/CN=admin",
    "kubelet": "/O=system:nodes/CN=system:node:n1",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "apiserver-kubelet": "/O=system:masters/CN=apiserver-kubelet",
}


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)


def certificate(name, subject, names=(), ca="ca"):
    """A key and a certificate for it: PKI/NAME.key, PKI/NAME.crt. The CA itself where it has no other."""
    options = ["-CA", f"{PKI}/{ca}.crt", "-CAkey", f"{PKI}/{ca}.key", "-addext", "basicConstraints=critical,CA:FALSE",
               "-addext", "extendedKeyUsage=serverAuth,clientAuth"] if ca else ["-addext", "keyUsage=critical,keyCertSign"]
    if names:
        options += ["-addext", "subjectAltName=" + ",".join(names)]
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", subject,
            "-keyout", f"{PKI}/{name}.key", "-out", f"{PKI}/{name}.crt", *options)


def data(name):
    with open(f"{PKI}/{name}", "rb") as f:
        return base64.b64encode(f.read()).decode()


def kubeconfig(user, path, server=SERVER):
    text = f"""apiVersion: v1
kind: Config
clusters:
- name: certhup
  cluster:
    server: {server}
    certificate-authority-data: {data("ca.crt")}
users:
- name: {user}
  user:
    client-certificate-data: {data(user + ".crt")}
    client-key-data: {data(user + ".key")}
contexts:
- name: certhup
  context:
    cluster: certhup
    user: {user}
current-context: certhup
"""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(text)


def make():
    os.makedirs(PKI, mode=0o700)
    certificate("ca", "/CN=certhup-cluster-ca", ca="")
    certificate("apiserver", "/CN=kube-apiserver", API_NAMES)
    certificate("kubelet-serving", "/CN=n1", ["DNS:n1", *[f"IP:{address}" for address in NODE]])
    for user, subject in USERS.items():
        certificate(user, subject)
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{PKI}/accounts.key")
    openssl("pkey", "-in", f"{PKI}/accounts.key", "-pubout", "-out", f"{PKI}/accounts.pub")
    for user in ("kubelet", "controller-manager", "scheduler"):
        kubeconfig(user, f"{HOME}/{user}.conf")
    kubeconfig("admin", KUBECONFIG)
