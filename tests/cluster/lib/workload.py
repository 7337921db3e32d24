# SPDX-License-Identifier: Apache-2.0
"""Servers as pods: their images, packed from Debian's packages, their manifests, and what they serve."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import socket
import ssl

from lib import images, kube

NGINX_CONF = """daemon off; master_process on; worker_processes 1; pid /tmp/nginx.pid; error_log stderr notice;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  %s
}
"""
SERVER = """server {
    listen 8443 ssl; listen [::]:8443 ssl;
    ssl_certificate /tls/tls.crt; ssl_certificate_key /tls/tls.key;
    %s
    location / { return 200 "certhup\\n"; }
  }"""
MUTUAL = "ssl_client_certificate /tls/ca.crt; ssl_verify_client on;"


def nginx_image():
    tree = images.Tree()
    tree.program("/usr/sbin/nginx")
    tree.folder("var/log/nginx")
    tree.text("etc/nginx/nginx.conf", NGINX_CONF % "include /etc/nginx/conf.d/*.conf;")
    name = images.pack("nginx:1", tree, ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf", "-e", "stderr"])
    images.tag(name, "docker.io/library/nginx:1")  # which the documents' pods name


def nginx(namespace, name="web", volume=None, annotations=None, mutual=False, **spec):
    """The ConfigMap and the pod of an nginx that serves /tls on 8443. volume: the source of /tls, a memory emptyDir where
    none is named. spec: further fields of the pod's spec."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-conf", "namespace": namespace},
              "data": {"nginx.conf": NGINX_CONF % (SERVER % (MUTUAL if mutual else ""))}}
    container = {
        "name": "nginx", "image": "docker.io/local/nginx:1", "imagePullPolicy": "Never",
        "ports": [{"containerPort": 8443}], "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}, {"name": "conf", "mountPath": "/etc/nginx"},
                         {"name": "tmp", "mountPath": "/tmp"}],
    }
    volumes = [{"name": "tls", **(volume or {"emptyDir": {"medium": "Memory"}})}, {"name": "tmp", "emptyDir": {}},
               {"name": "conf", "configMap": {"name": f"{name}-conf"}}]
    pod = {"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}, "annotations": annotations or {}},
           "spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1, **spec}}
    return config, pod


def served(address, port=8443, pair=None, seconds=5, hello=None):
    """The DER of the leaf that a server shows. pair: files of a client certificate and its key. hello: what to do on the
    connection before TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if pair:
        context.load_cert_chain(*pair)
    with socket.create_connection((address, port), timeout=seconds) as plain:
        if hello:
            hello(plain)
        with context.wrap_socket(plain) as tls:
            return tls.getpeercert(binary_form=True)


def request(pod, pair, port=8443):
    """What the pod's server answers to GET / of a client that shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(*pair)
    connection = http.client.HTTPSConnection(address(pod), port, context=context, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode()}"


def first(pem):
    """The DER of the first certificate of a PEM text."""
    return ssl.PEM_cert_to_DER_cert(pem[:pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n")


def leaf(secret):
    """The DER of a Secret's leaf."""
    return first(base64.b64decode(secret["data"]["tls.crt"]).decode())


def fingerprint(der):
    return hashlib.sha256(der).hexdigest()


def address(pod, family=socket.AF_INET):
    """The pod's address of one family, or None."""
    for entry in pod["status"].get("podIPs", []):
        if (":" in entry["ip"]) == (family == socket.AF_INET6):
            return entry["ip"]
    return None


def serves(pod, secret):
    """Whether the pod serves the leaf that the Secret has now."""
    der = leaf(kube.get("secret", secret, pod["metadata"]["namespace"]))
    return served(address(pod)) == der


def holder(namespace, name, secret=None, account="default"):
    """A pod that only has the memory volume `tls`; with a Secret's name, annotated to get it."""
    annotations = {"certhup.io/volumes": json.dumps({"tls": {"secret": secret}})} if secret else {}
    container = {"name": "holder", "image": "docker.io/local/pause:1", "imagePullPolicy": "Never",
                 "volumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
            "spec": {"containers": [container], "volumes": [{"name": "tls", "emptyDir": {"medium": "Memory"}}],
                     "serviceAccountName": account, "terminationGracePeriodSeconds": 1}}


def held(pod, volume="tls"):
    """The DER of the leaf in a pod's volume, or None while it is empty."""
    folder = kube.pod_volume(pod, volume)
    if not os.listdir(folder):
        return None
    with open(f"{folder}/tls.crt", encoding="ascii") as f:
        return first(f.read())


def holds(pod, secret):
    """Whether the pod's volume has the leaf that the Secret has now."""
    return held(pod) == leaf(kube.get("secret", secret, pod["metadata"]["namespace"]))


def busybox_image():
    """A shell and the small tools, for pods that do something by hand."""
    tree = images.Tree()
    tree.program("/bin/busybox")
    return images.pack("busybox:1", tree, ["/bin/busybox"])


def busybox(name, *command, **more):
    """A container of it."""
    return {"name": name, "image": "docker.io/local/busybox:1", "imagePullPolicy": "Never",
            "command": ["/bin/busybox", *(command or ("sleep", "3600"))], **more}
