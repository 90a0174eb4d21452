# SPDX-License-Identifier: MIT
"""What the tests of this directory share: the programs, the driver, checks."""
import json
import os
import subprocess
import sys
import unittest

import above  # noqa: F401
import certs
import client
import processes

# uvsmtp_tls_policy
DEFAULT, NONE, OPPORTUNISTIC, REQUIRED, IMPLICIT = range(5)
# uvsmtp_tls_flags
INSECURE, NO_RESUMPTION = 1, 2
# uvsmtp_session_flags
LMTP, NO_PIPELINING, NO_CHUNKING = 1, 2, 4
# uvsmtp_tls_problem
(EXPIRED, FUTURE, WRONG_NAME, SELF_SIGNED, UNKNOWN_CA, NOT_A_CA, WRONG_USE,
 WEAK, REVOKED, WRONG_PIN, NO_TRUST, REFUSED, OTHER) = (
     1 << n for n in range(13))

_driver = []


class Driver:
    """The program of driver.c."""

    def __init__(self):
        self.process = subprocess.Popen(
            [client.programs["driver"]], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, close_fds=False)

    def ask(self, **question):
        line = json.dumps(question) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f"the driver ended: {self.process.wait()}")
        return json.loads(answer)

    def settings(self, **settings):
        """New ones; "ca" as in certs.SPECS, None for the system's."""
        if "ca" not in settings:
            settings["ca"] = "ca"
        ca = settings.pop("ca")
        if ca is not None:
            settings["ca_file"] = certs.trusted(ca)
        return self.ask(settings=settings)

    def run(self, *jobs, at_once=1):
        return self.ask(jobs=jobs, at_once=at_once)

    def one(self, job):
        """The result of a single job; beside it that of the first call which
        failed, or of the last."""
        answer = self.run(job)
        result = answer["jobs"][0]
        result |= {"seen": answer["seen"], "stats": answer["stats"]}
        calls = result["calls"]
        for call in [c for c in calls if c["status"] != "OK"] or calls[-1:]:
            return call | result
        return result

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(client.RUN_TIMEOUT)


def driver():
    """One for all tests of a program."""
    if not _driver:
        _driver.append(Driver())
    return _driver[-1]


def tearDownModule():
    """It must end well: nothing is left of the loop."""
    while _driver:
        status = _driver.pop().stop()
        if status != 0:
            raise AssertionError(f"the driver's exit status is {status}")


def versions():
    """Those that the library can do."""
    latest = driver().ask(library=True)["version"]
    return ("1.2", "1.3") if latest >= 0x0304 else ("1.2",)


def job(server, policy=IMPLICIT, calls=("connect", "hello", "noop"),
        name=certs.HOST, **more):
    return {"host": "127.0.0.1", "port": server.port, "tls": policy,
            "name": name, "calls": calls, **more}


def url(server, scheme="smtp"):
    return f"{scheme}://127.0.0.1:{server.port}"


def options(policy, ca="ca", name=certs.HOST):
    """The command line's."""
    out = ["--tls", policy]
    if ca is not None:
        out += ["--ca", certs.trusted(ca)]
    if name is not None:
        out += ["--tls-name", name]
    return out


def send(server, policy, *more, scheme="smtp", ca="ca", name=certs.HOST):
    """A message by the command line."""
    return client.send(url(server, scheme), ["a@example.net"],
                       *options(policy, ca, name), *more)


def probe(server, policy, *more, scheme="smtp", ca="ca", name=certs.HOST):
    return client.probe(url(server, scheme), *options(policy, ca, name), *more)


class Case(client.Case):
    def check_status(self, result, *statuses):
        self.assertIn(result.get("status", result.get("refused")), statuses,
                      result)

    def check_end(self, got, status, outcome=None):
        """Of the command line."""
        self.assertEqual(got.status, status, f"{got.report} {got.err}")
        if outcome is not None:
            self.assertEqual(got.report["outcome"], outcome, got.report)


def main():
    """argv: the tool, the sink, the driver; then names of tests."""
    if len(sys.argv) < 4:
        print(f"usage: {sys.argv[0]} TOOL SINK DRIVER [TEST...]",
              file=sys.stderr)
        sys.exit(64)
    try:
        processes.program("openssl", "openssl")
    except unittest.SkipTest as why:
        print(why)
        sys.exit(77)
    client.programs["driver"] = os.path.abspath(sys.argv.pop(3))
    client.main()


__all__ = ["processes", "tearDownModule"]
