# SPDX-License-Identifier: Apache-2.0
"""docs/examples on the node: the images that they name, packed from Debian's packages and from the programs there, and their pods."""

import os
import shutil
import subprocess

from lib import certmanager, go, images, kube, workload
from lib.places import HOME, ROOT

FOLDER = f"{ROOT}/docs/examples"
POSTGRES = "/usr/lib/postgresql/15"
# What the official image's own script does with these variables.
POSTGRES_START = f"""#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/password
    {POSTGRES}/bin/initdb --no-sync --locale=C --encoding=UTF8 --username=postgres --pwfile=/tmp/password --pgdata="$PGDATA"
fi
exec {POSTGRES}/bin/postgres -c 'listen_addresses=*' "$@"
"""
POSTGRES_TLS = b"\0\0\0\x08\x04\xd2\x16\x2f"  # SSLRequest; the answer is S
JAVA = f"{HOME}/java"  # the trimmed Java is found by this path in its image, too


def _pack(name, tree, entrypoint, known_as):
    images.tag(images.pack(name, tree, entrypoint), known_as)


def haproxy_image():
    tree = images.Tree()
    tree.program("/usr/sbin/haproxy")
    _pack("haproxy:1", tree, ["/usr/sbin/haproxy"], "docker.io/library/haproxy:2.6")


def postgres_image():
    tree = images.Tree()
    for program in (f"{POSTGRES}/bin/postgres", f"{POSTGRES}/bin/initdb", f"{POSTGRES}/lib/plpgsql.so",
                    f"{POSTGRES}/lib/dict_snowball.so", "/bin/sh"):
        tree.program(program)
    tree.below("/usr/share/postgresql/15")
    tree.text("etc/passwd", images.PASSWD + "postgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh\n")
    tree.text("start", POSTGRES_START, 0o755)
    _pack("postgres:1", tree, ["/start"], "docker.io/library/postgres:15")


def go_image():
    """The Go program of docs/examples."""
    program = f"{HOME}/go-server"
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0", "GOWORK": "off"}
    subprocess.run([go.find(), "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "."], check=True,
                   cwd=f"{FOLDER}/go", env=env)
    tree = images.Tree()
    tree.file(program, "server")
    _pack("go-server:1", tree, ["/server"], "registry.example.com/go-server:1")


def java_image():
    """The Java program of docs/examples, and as much of a JDK as it needs."""
    shutil.rmtree(JAVA, ignore_errors=True)
    subprocess.run(["jlink", "--add-modules=java.base,jdk.crypto.ec", "--strip-debug", "--no-header-files", "--no-man-pages",
                    f"--output={JAVA}"], check=True)
    subprocess.run(["javac", "-d", f"{JAVA}/app", f"{FOLDER}/java/Server.java"], check=True)
    tree = images.Tree()
    tree.below(JAVA)
    start = [f"{JAVA}/bin/java", "-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{JAVA}/app", "Server"]
    _pack("java-server:1", tree, start, "registry.example.com/java-server:1")


def apply(name, namespace):
    kube.kubectl("apply", "-n", namespace, "-f", f"{FOLDER}/{name}.yaml")


def remove(name, namespace):
    kube.kubectl("delete", "-n", namespace, "-f", f"{FOLDER}/{name}.yaml", "--grace-period=1", "--wait=false", "--ignore-not-found")


def pod(name, namespace, seconds=90):
    """The newest ready pod of an example."""
    def ready():
        found = [p for p in kube.get("pod", namespace=namespace, selector=f"app={name}") if "deletionTimestamp" not in p["metadata"]]
        states = found[0]["status"].get("containerStatuses", []) if len(found) == 1 else []
        return found[0] if states and all(s["ready"] for s in states) else None
    return kube.wait_for(f"example {name} ready", ready, seconds)


def issue(namespace):
    """The Certificate, the account and its rights that all examples share."""
    apply("certificate", namespace)
    certmanager.secret(namespace, "web-tls")


def leaf(namespace):
    return workload.leaf(kube.get("secret", "web-tls", namespace))


def renew(namespace):
    """Has cert-manager issue a new pair, and returns its leaf."""
    before = leaf(namespace)
    certmanager.renew(namespace, "web")
    return kube.wait_for("a renewal", lambda: leaf(namespace) not in (before, None) and leaf(namespace))


def postgres_hello(plain):
    """Asks PostgreSQL for TLS on a connection."""
    plain.sendall(POSTGRES_TLS)
    if plain.recv(1) != b"S":
        raise OSError("PostgreSQL does not speak TLS")
