# SPDX-License-Identifier: Apache-2.0
"""Real cert-manager as the source of the suite's Secrets: its CRDs and its controllers, no webhook."""

import glob
import os

from lib import daemons, kube, machine

# 1h is the shortest duration, 5m the shortest renewBefore; the gap between the two is free.
EVERY_20_S = {"duration": "1h", "renewBefore": "59m40s"}
CRDS = ["certificates", "certificaterequests", "issuers", "clusterissuers"]


def install():
    """The CRDs, the namespace of cluster-wide Secrets, and the controllers as one more server of the node."""
    folder = next(p for p in machine.recall()["path"].split(":") if os.path.isdir(f"{p}/crds"))
    kube.kubectl("apply", "--server-side", *(f"--filename={crd}" for crd in sorted(glob.glob(f"{folder}/crds/*.yaml"))))
    for crd in CRDS:
        kube.kubectl("wait", "--for=condition=Established", f"crd/{crd}.cert-manager.io", "--timeout=30s")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}})
    daemons.stop("cert-manager")
    daemons.start("cert-manager")


def cm(kind, name, namespace, spec):
    return {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def issuers(namespace):
    """A self-signed root in the namespace, and the issuer `ca` that signs with it."""
    root = {"isCA": True, "commonName": f"{namespace} root", "secretName": "root", "privateKey": {"algorithm": "ECDSA"},
            "duration": "24h", "issuerRef": {"name": "selfsigned"}}
    kube.apply(cm("Issuer", "selfsigned", namespace, {"selfSigned": {}}), cm("Certificate", "root", namespace, root),
               cm("Issuer", "ca", namespace, {"ca": {"secretName": "root"}}))


def certificate(namespace, name, names, renewing=True, **more):
    """A Certificate into the Secret of its own name: a new key and a new certificate every 20 seconds if it renews."""
    spec = {"secretName": name, "dnsNames": names, "issuerRef": {"name": "ca"},
            "privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Always"}, **(EVERY_20_S if renewing else {}), **more}
    kube.apply(cm("Certificate", name, namespace, spec))


def secret(namespace, name, seconds=60):
    """The Secret, when cert-manager has issued it."""
    def issued():
        found = kube.get("secret", name, namespace)
        return found if found and found["data"].get("tls.crt") else None
    return kube.wait_for(f"Secret {namespace}/{name} issued", issued, seconds)


def renew(namespace, name):
    """Asks for a renewal at once, as `cmctl renew` does."""
    condition = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "asked for by a test",
                 "lastTransitionTime": kube.now()}
    kube.kubectl("patch", "certificate", name, "-n", namespace, "--subresource=status", "--type=merge", "-p",
                 kube.text({"status": {"conditions": [condition]}}))
