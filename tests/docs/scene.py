# SPDX-License-Identifier: Apache-2.0
"""The world in which the documents' commands run: a stand-in API server, /etc and /var/lib of our own, a kubelet that is played."""

import glob
import json
import os
import signal
import subprocess
import tempfile
import time

WAIT_S = 20
CONTAINER = "a" * 64


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def wait_for(what, condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {WAIT_S} s")
        time.sleep(0.02)


class Scene:
    def __init__(self, root, build):
        self.root, self.build = root, build
        self.home = tempfile.mkdtemp(prefix="certhup-docs-")
        self.api, self.bin = os.path.join(self.home, "api"), os.path.join(self.home, "bin")
        self.env = dict(os.environ, PATH=f"{self.bin}:{os.environ['PATH']}", CERTHUP_DOCS_API=self.api,
                        KUBECONFIG=os.path.join(self.api, "kubeconfig"),
                        CERTHUP_DOCS_SERVER=os.path.join(build, "apiserver"), LC_ALL="C.UTF-8")
        self.processes, self.cgroup, self.volume = [], None, None

    def make(self):
        run("ip", "link", "set", "lo", "up")
        self._private_trees()
        os.mkdir(self.bin)
        for name, target in (("certhup", f"{self.build}/certhup"), ("certhup-hand", f"{self.build}/certhup-hand"),
                             ("kubectl", f"{self.root}/tests/docs/kubectl")):
            os.symlink(target, os.path.join(self.bin, name))
        sudo = os.path.join(self.bin, "sudo")
        with open(sudo, "w", encoding="ascii") as f:
            f.write('#!/bin/sh\nexec "$@"\n')
        os.chmod(sudo, 0o755)
        self.start(f"exec {self.build}/apiserver --dir {self.api} --listen 127.0.0.1:0", "api")
        wait_for("the API server", lambda: "READY" in self._log("api"))

    @staticmethod
    def _private_trees():
        """/etc can be written as a node's, and nothing of it stays."""
        copy = tempfile.mkdtemp(prefix="certhup-etc-")
        run("mount", "-t", "tmpfs", "tmpfs", copy)
        run("cp", "-a", "/etc/.", copy)
        run("mount", "--bind", copy, "/etc")
        run("umount", copy)
        os.rmdir(copy)
        for path in ("/run", "/var/lib"):
            run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path)
        os.makedirs("/var/lib/kubelet/pods", 0o750)
        os.makedirs("/var/lib/kubelet/plugins", 0o750)

    def _path(self, name):
        return os.path.join(self.home, f"{name}.log")

    def _log(self, name):
        with open(self._path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def logs(self):
        return [line for path in sorted(glob.glob(os.path.join(self.home, "*.log")))
                for line in [f"-- {os.path.basename(path)}"] + self._log(os.path.basename(path)[:-4]).splitlines()[-12:]]

    def start(self, text, name=None, before=None):
        name = name or f"background-{len(self.processes)}"
        with open(self._path(name), "wb") as log:
            self.processes.append(subprocess.Popen(["bash", "-c", text], cwd=self.home, env=self.env, preexec_fn=before,
                                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def ctl(self, **command):
        return run(f"{self.build}/apiserver", "ctl", self.api, json.dumps(command))

    def play(self, what):
        verb = "kubelet runs the pod "
        if not what.startswith(verb):
            raise ValueError(f"there is no such scene: {what}")
        self._run_pod(what[len(verb):])

    def _run_pod(self, name):
        pod = json.loads(self.ctl(do="get", resource="pods", name=name))
        group = pod["spec"]["securityContext"]["fsGroup"]
        top = f"/var/lib/kubelet/pods/{pod['metadata']['uid']}"
        self.volume = f"{top}/volumes/kubernetes.io~empty-dir/tls"
        os.makedirs(self.volume)
        os.makedirs(f"{top}/plugins/kubernetes.io~empty-dir/tls")
        run("mount", "-t", "tmpfs", "-o", f"mode=2777,gid={group}", "tmpfs", self.volume)
        open(f"{top}/plugins/kubernetes.io~empty-dir/tls/ready", "w", encoding="ascii").close()
        wait_for("the first pair", lambda: os.path.exists(f"{self.volume}/..data/tls.crt"))
        self._start_nginx(pod["metadata"]["uid"], json.loads(self.ctl(do="get", resource="configmaps", name=name)))
        status = {"phase": "Running", "podIP": "127.0.0.1", "containerStatuses": [
            {"name": "nginx", "containerID": f"containerd://{CONTAINER}", "state": {"running": {}}}]}
        self.ctl(do="patch", resource="pods", name=name, patch={"status": status})

    def _start_nginx(self, uid, config):
        where = f"{self.home}/nginx"
        os.mkdir(where)
        temp = " ".join(f"{k}_temp_path {where}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        server = config["data"]["tls.conf"].replace("/tls/", f"{self.volume}/")
        with open(f"{where}/conf", "w", encoding="utf-8") as f:
            f.write(f"daemon off; worker_processes 1; user root; pid {where}/pid; error_log stderr;\n"
                    f"events {{}} http {{ access_log off; {temp} {server} }}\n")
        leaf = f"{self._make_cgroup()}/kubepods/burstable/pod{uid}/{CONTAINER}"
        os.makedirs(leaf)

        def enter():
            with open(f"{leaf}/cgroup.procs", "w", encoding="ascii") as f:
                f.write(str(os.getpid()))
        self.start(f"exec nginx -p {where} -c {where}/conf", "nginx", enter)
        wait_for("nginx", lambda: os.path.exists(f"{where}/pid"))

    def _make_cgroup(self):
        for root in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            path = f"{root}/certhup-docs-{os.path.basename(self.home)}"
            try:
                if os.path.exists(f"{root}/cgroup.procs"):
                    os.mkdir(path)
                    self.cgroup = path
                    return path
            except OSError:
                pass
        raise OSError("no cgroup can be made here")

    def end(self):
        for p in reversed(self.processes):
            p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if self.cgroup:
            for top, _, _ in os.walk(self.cgroup, topdown=False):
                os.rmdir(top)
