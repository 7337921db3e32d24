# SPDX-License-Identifier: Apache-2.0
"""Where things are: in the checkout, in the cache, of one cluster, and in its network."""

import hashlib
import os
import re

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # tests/cluster
ROOT = os.path.dirname(os.path.dirname(HERE))

_cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME") or "/root", ".cache")
CACHE = os.environ.get("CERTHUP_CACHE") or os.path.join(_cache, "certhup")

# Each checkout has a cluster of its own by default, so that two do not end each other's.
_own = re.sub(r"[^a-z0-9]+", "-", os.path.basename(ROOT).lower())[:10].strip("-")
NAME = os.environ.get("CERTHUP_CLUSTER") or f"{_own}-{hashlib.sha256(ROOT.encode()).hexdigest()[:4]}"
if not re.fullmatch(r"[a-z0-9-]{1,20}", NAME):
    raise SystemExit("cluster: CERTHUP_CLUSTER is a name of at most 20 small letters, digits and dashes")

HOME = f"/var/lib/certhup-cluster/{NAME}"  # all of a cluster but its control groups; a disk, as a node's is
CGROUP = f"certhup-cluster-{NAME}"         # its control group, in every hierarchy
STATE = f"{HOME}/state.json"
LOGS = f"{HOME}/logs"
PKI = f"{HOME}/pki"
KUBECONFIG = f"{HOME}/admin.conf"

# IPv4 and IPv6. The API server's Service addresses are the node's own, too: so pods reach it with no kube-proxy.
NODE = ("10.99.0.1", "fd00:99::1")
API_SERVICE = ("10.96.0.1", "fd00:96::1")
SERVICES = ("10.96.0.0/16", "fd00:96::/112")
PODS = ("10.98.0.0/22", "fd00:98::/64")  # for 250 pods, and those that are on their way out


def families(pair):
    """Of an IPv4 and an IPv6 value those that the kernel has."""
    return pair[:2 if os.path.isdir("/proc/sys/net/ipv6") else 1]
