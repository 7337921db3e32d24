# SPDX-License-Identifier: Apache-2.0
"""Whoever may change pods, but not read Secrets, gets no key by certhup; and a right that is taken away ends deliveries."""

import contextlib
import time

from lib import agent, certmanager, kube, workload
from lib.suite import Case

SPACE = "rights"
MALLORY = f"system:serviceaccount:{SPACE}:mallory"
ANNOTATION = "certhup.io/volumes"


class Rights(Case):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(kube.Namespace(SPACE))
        cls.certhup = cls.enterClassContext(agent.Agent(namespaces=[SPACE], admissionPolicy={"enabled": False}))
        certmanager.issuers(SPACE)
        for name in ("web", "other"):
            certmanager.certificate(SPACE, name, [f"{name}.example"], renewing=False)
            certmanager.secret(SPACE, name)
        kube.kubectl("create", "serviceaccount", "mallory", "-n", SPACE)
        kube.kubectl("create", "role", "mallory", "-n", SPACE, "--verb=get,list,watch,patch,update",
                     "--resource=pods,pods/status")
        kube.kubectl("create", "rolebinding", "mallory", "-n", SPACE, "--role=mallory", f"--serviceaccount={SPACE}:mallory")

    def setUp(self):
        self.watch(SPACE, agent.NAMESPACE)
        said = kube.kubectl("auth", "can-i", "get", "secrets", "-n", SPACE, "--as", MALLORY, check=False)
        self.assertEqual(said.strip(), "no")

    def pod(self, name, secret=None, account="default"):
        """Makes a pod that goes at the end of the test, with an account of its own where another one is named."""
        if account != "default":
            kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": SPACE}})
        kube.apply(workload.holder(SPACE, name, secret, account))
        self.addCleanup(kube.kubectl, "delete", "pod", name, "-n", SPACE, "--wait=false")
        return kube.pod_running(SPACE, name)

    def mallory_annotates(self, name, secret, *more):
        patch = kube.text({"metadata": {"annotations": {ANNOTATION: secret and kube.text({"tls": {"secret": secret}})}}})
        kube.kubectl("patch", "pod", name, "-n", SPACE, "--type=merge", "-p", patch, "--as", MALLORY, *more)

    def refused(self, reason, name, about, seconds=30):
        """Waits for the Event that names the Secret."""
        def told():
            return [e for e in kube.events(SPACE, reason, name) if about in e["note"]]
        return kube.wait_for(f"{reason} of pod {name} that names {about}", told, seconds)

    def test_6_annotation_added_later_gets_nothing(self):
        pod = self.pod("later")
        self.mallory_annotates("later", "web")
        self.refused("SecretNotAllowed", "later", "Secret web")
        self.assertIsNone(workload.held(pod))

    def test_6_annotation_pointed_at_another_secret_gets_nothing(self):
        kube.may_get(SPACE, "web", account="app")
        pod = self.pod("pointed", "web", account="app")
        kube.wait_for("the pair delivered", lambda: workload.holds(pod, "web"), seconds=30)
        self.mallory_annotates("pointed", "other")
        self.refused("SecretNotAllowed", "pointed", "Secret other")
        self.assertTrue(workload.holds(pod, "web"))

    def test_6_policy_of_the_chart_refuses_a_changed_annotation(self):
        policy = {**self.certhup.values, "admissionPolicy": {"enabled": True}}
        kube.may_get(SPACE, "web", account="fixed")
        pod = self.pod("fixed", "web", account="fixed")
        self.pod("plain")
        self.certhup.upgrade(policy)
        self.addCleanup(self.certhup.upgrade, self.certhup.values)

        def in_force():
            """It is some seconds after it was made."""
            with contextlib.suppress(kube.Failed):
                self.mallory_annotates("plain", "web", "--dry-run=server")
                return False
            return True
        kube.wait_for("the policy in force", in_force, seconds=30)
        for name, secret in (("fixed", "other"), ("fixed", None), ("plain", "web")):
            for more in ([], ["--subresource=status"]):
                with self.subTest(pod=name, secret=secret, more=more):
                    self.assertRaisesRegex(kube.Failed, "stays as it was", self.mallory_annotates, name, secret, *more)
        kube.kubectl("annotate", "pod", "plain", "-n", SPACE, "other=thing", "--as", MALLORY)
        kube.wait_for("the pair delivered", lambda: workload.holds(pod, "web"), seconds=30)

    def test_6_pair_of_a_ca_is_delivered_only_where_its_secret_says_so(self):
        kube.may_get(SPACE, "root", account="ca")
        pod = self.pod("ca", account="ca")
        self.mallory_annotates("ca", "root")
        note = self.refused("CertificateRejected", "ca", "Secret root")[0]["note"]
        self.assertIn("ca", note)
        self.assertIsNone(workload.held(pod))
        allow = ["annotate", "secret", "root", "-n", SPACE, "certhup.io/allow-ca=true"]
        self.assertRaisesRegex(kube.Failed, "Forbidden", kube.kubectl, *allow, "--as", MALLORY)
        kube.kubectl(*allow)
        self.addCleanup(kube.kubectl, "annotate", "secret", "root", "-n", SPACE, "certhup.io/allow-ca-")
        kube.wait_for("the CA delivered", lambda: workload.holds(pod, "root"), seconds=30)

    def test_6_secret_that_names_an_account_is_delivered_to_it_alone(self):
        certmanager.certificate(SPACE, "shared", ["shared.example"], renewing=False, secretTemplate={
            "annotations": {"certhup.io/allow-service-accounts": "named, another"}})
        certmanager.secret(SPACE, "shared")
        named, unnamed = self.pod("named", "shared", account="named"), self.pod("unnamed", "shared", account="unnamed")
        kube.wait_for("the pair delivered", lambda: workload.holds(named, "shared"), seconds=30)
        self.refused("SecretNotAllowed", "unnamed", "Secret shared")
        self.assertIsNone(workload.held(unnamed))
        kube.kubectl("annotate", "secret", "web", "-n", SPACE, "certhup.io/allow-service-accounts=*")
        self.addCleanup(kube.kubectl, "annotate", "secret", "web", "-n", SPACE, "certhup.io/allow-service-accounts-")
        wild = self.pod("wild", "web", account="wild")
        self.refused("SecretNotAllowed", "wild", "Secret web")
        self.assertIsNone(workload.held(wild))
        self.assertIsNone(workload.held(unnamed))

    def test_6_right_withdrawn_while_the_watch_is_open_ends_deliveries(self):
        """A yes holds for 60 s (docs/concepts.md); the watch itself stays open and goes on telling."""
        certmanager.certificate(SPACE, "often", ["often.example"])
        certmanager.secret(SPACE, "often")
        self.addCleanup(kube.kubectl, "delete", "certificate", "often", "-n", SPACE)
        kube.may_get(SPACE, "often", account="once")
        pod = self.pod("once", "often", account="once")
        kube.wait_for("the pair delivered", lambda: workload.holds(pod, "often"), seconds=30)
        kube.kubectl("delete", "rolebinding", "once-often", "-n", SPACE)
        withdrawn = time.monotonic()
        self.refused("SecretNotAllowed", "once", "Secret often", seconds=100)
        seconds = time.monotonic() - withdrawn
        print(f"     the right was felt to be gone after {seconds:.0f} s", flush=True)
        last = workload.held(pod)
        self.assertNotEqual(workload.leaf(kube.get("secret", "often", SPACE)), last)
        kube.may_get(SPACE, "often", account="once")
        kube.wait_for("the newest delivered", lambda: workload.holds(pod, "often"), seconds=60)

    def test_6_agents_own_right_withdrawn_while_the_watch_is_open(self):
        for account in ("first", "second"):
            kube.may_get(SPACE, "other", account=account)
        first = self.pod("first", "other", account="first")
        kube.wait_for("the pair delivered", lambda: workload.holds(first, "other"), seconds=30)
        binding = kube.get("rolebinding", "certhup", SPACE)
        again = {key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
        again["metadata"] = {key: binding["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
        self.addCleanup(kube.apply, again)
        kube.kubectl("delete", "rolebinding", "certhup", "-n", SPACE)
        second = self.pod("second", "other", account="second")
        self.refused("NamespaceNotCovered", "second", "Secret other")
        self.assertIsNone(workload.held(second))
        self.assertTrue(workload.holds(first, "other"))
        kube.apply(again)
        kube.wait_for("the pair delivered", lambda: workload.holds(second, "other"), seconds=60)
