# SPDX-License-Identifier: Apache-2.0
"""What a test of the suite is, and how its result is told. It is unittest with a deadline, a dump and a closing line."""

import io
import os
import signal
import sys
import time
import traceback
import unittest

from lib import kube
from lib.places import ROOT

DUMPS = os.path.join(ROOT, "build/cluster")
DUMP_LINES = 200  # that are shown; the file has all
# Names of tests that a machine may be unfit for; any other that skips fails.
MAY_SKIP = {"pods A14_pod_with_a_user_namespace_reads_its_files"}


class Case(unittest.TestCase):
    """A test class. Each test has `seconds`, and namespaces of its own that go when it ends."""

    seconds = 300
    outside = False  # True: its tests run on this machine, after the cluster is gone

    def run(self, result=None):
        self.namespaces = []
        signal.signal(signal.SIGALRM, self._too_long)
        signal.alarm(self.seconds)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    def _too_long(self, *_):
        raise kube.Failed(f"not done within {self.seconds} s")

    def namespace(self, name, enforce=None, labels=None):
        """Makes a namespace for this test and returns its name."""
        space = kube.Namespace(name, enforce, labels)
        self.namespaces.append(name)
        self.enterContext(space)
        return name

    def watch(self, *names):
        """Namespaces of others whose Events and logs a failure shows too."""
        self.namespaces += names


def name_of(test):
    """ "cluster node_is_ready" of suite/test_cluster.py, test_node_is_ready."""
    module, _, method = test.id().rsplit(".", 2)
    return f"{module.removeprefix('test_')} {method.removeprefix('test_')}"


class Result(unittest.TestResult):
    """Prints each test's name and seconds, and all that is known of one that failed."""

    def __init__(self):
        super().__init__()
        self.passed, self.failed, self.skips, self.start, self.word = 0, 0, [], 0.0, ""

    def startTest(self, test):
        super().startTest(test)
        self.start, self.word = time.monotonic(), "cut"

    def stopTest(self, test):
        super().stopTest(test)
        print(f"{self.word:4} {name_of(test)} ({time.monotonic() - self.start:.1f} s)", flush=True)
        self.passed += self.word == "ok"
        self.failed += self.word == "FAIL"

    def addSuccess(self, test):
        self.word = "ok"

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._broken(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._broken(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f"     in {subtest._subDescription()}")  # pylint: disable=protected-access # its only name
            self._broken(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        allowed = name_of(test) in MAY_SKIP
        self.word = "skip" if allowed else "FAIL"
        self.skips.append(f"{name_of(test)}: {reason}" + ("" if allowed else " (may not be skipped)"))

    def _broken(self, test, err):
        if issubclass(err[0], KeyboardInterrupt):
            raise err[1]
        signal.alarm(0)
        self.word = "FAIL"
        if not isinstance(test, Case):  # setUpClass or the import of a module
            self.failed += 1
            print(f"FAIL {test}")
        print("".join(f"     {line}\n" for line in "".join(traceback.format_exception(*err)).splitlines()), flush=True)
        self._dump(test)

    def _dump(self, test):
        out = io.StringIO()
        try:
            kube.dump(getattr(test, "namespaces", []), out)
        except Exception as e:  # pylint: disable=broad-except # the API server itself may be what is broken
            print(f"(no more: {e})", file=out)
        os.makedirs(DUMPS, exist_ok=True)
        path = f"{DUMPS}/{test.id()}.log" if isinstance(test, Case) else f"{DUMPS}/suite.log"
        lines = out.getvalue().splitlines()
        with open(path, "w", encoding="utf-8") as f:
            f.write(out.getvalue())
        print("".join(f"     | {line}\n" for line in lines[:DUMP_LINES]), end="")
        if len(lines) > DUMP_LINES:
            print(f"     | ... {len(lines) - DUMP_LINES} more lines in {os.path.relpath(path, ROOT)}", flush=True)


    def counts(self):
        return {"passed": self.passed, "failed": self.failed, "skips": self.skips}

    def add(self, counts):
        """What another process counted."""
        self.passed, self.failed = self.passed + counts["passed"], self.failed + counts["failed"]
        self.skips = counts["skips"] + self.skips

    def note(self, name, faults):
        """A test that is none of unittest's."""
        print(*[f"{'FAIL' if faults else 'ok':4} {name}", *[f"     {fault}" for fault in faults]], sep="\n", flush=True)
        self.passed, self.failed = self.passed + (not faults), self.failed + bool(faults)

    def close(self):
        """The closing lines; returns the exit status."""
        print(*[f"SKIP {skip}" for skip in self.skips], f"\n{self.passed} passed, {self.failed} failed", sep="\n", flush=True)
        return 0 if self.failed == 0 and self.passed else 1


def tests(words, outside=None):
    """All tests whose name holds every word, in the order of their names; those of one side, or both."""
    sys.path.insert(0, os.path.join(ROOT, "tests/cluster/suite"))
    found, todo = [], [unittest.defaultTestLoader.discover(os.path.join(ROOT, "tests/cluster/suite"))]
    while todo:
        thing = todo.pop(0)
        if isinstance(thing, unittest.TestSuite):
            todo = list(thing) + todo
        elif not isinstance(thing, Case):
            found += [thing] if not outside else []  # a module that cannot be imported: a test that fails
        elif outside in (None, thing.outside) and all(w in name_of(thing) for w in words):
            found.append(thing)
    return found


def run(words, outside):
    result = Result()
    unittest.TestSuite(tests(words, outside)).run(result)
    return result
