# SPDX-License-Identifier: MIT
"""The command line as a process: standard streams that are closed or broken, and
a resolver that is stuck or fails. Arguments: TOOL SINK."""
import os
import socket
import subprocess
import tempfile

import client
import double
import processes
from client import Case
from recorder import CLOSE, Recorder
from servers import Sink
from shared import setUpModule, smtp, tearDownModule  # noqa: F401


class Streams(Case):
    """What can't be read, and reports that can't be written."""

    def redirected(self, redirection, args):
        """Runs the tool by a shell with this redirection."""
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *args],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=client.RUN_TIMEOUT)
        return done.returncode, done.stdout, done.stderr

    def file(self):
        f = tempfile.NamedTemporaryFile(suffix=".eml")
        self.addCleanup(f.close)
        f.write(b"Subject: x\n\nhello\n")
        f.flush()
        return f.name

    def test_closed(self):
        """Whichever streams were closed, a message is sent, once."""
        for closed in ("<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-",
                       "<&- >&- 2>&-"):
            for options in ((), ("--trace",)):
                with self.subTest(f"{closed} {options}"), Sink(
                        client.programs["sink"]) as server:
                    code, out, err = self.redirected(closed, client.argv(
                        smtp(server), ["a@example.net"],
                        [*options, self.file()]))
                    self.assertEqual(code, 0, err)
                    self.assertEqual(b'"ok"' in out, ">&-" not in
                                     closed.replace("2>&-", ""))
                    self.assertEqual(len(server.stored()), 1)

    def test_no_input(self):
        """A standard input that was closed is no empty message."""
        code, out, err = self.redirected("<&-", client.argv(
            smtp(), ["a@example.net"], ()))
        got = client.result(subprocess.CompletedProcess([], code), out, err)
        self.check_sent(got, "local-error", 66)

    def outcomes(self, run):
        """What run(args) says of sendings whose report is lost: it is an error
        unless the message was taken, or may have been."""
        for options in (("--json",), ()):
            for to, status in ((["a@example.net"], 0),
                               (["a@example.net", "nouser@example.net"], 67)):
                with self.subTest(f"{to} {options}"):
                    code, err = run(client.argv(
                        smtp(), to, [*options, self.file()],
                        json_wanted=False))
                    self.assertEqual(code, status)
                    self.assertIn(b"standard output", err)
        code, err = run(client.argv(smtp(), ["nouser@example.net"],
                                    [self.file()]))
        self.assertEqual(code, 74)
        self.assertIn(b"standard output", err)
        with Recorder({"DOT": CLOSE}) as recorder:
            code, err = run(client.argv(recorder.url, ["a@example.net"],
                                        [self.file()]))
        self.assertEqual(code, 70)
        self.assertIn(b"standard output", err)
        for args in (["--version"], ["--help"], ["send", "--help"]):
            code, err = run([client.programs["tool"], *args])
            self.assertEqual(code, 74)
            self.assertIn(b"standard output", err)

    def test_output_full(self):
        """On a full disk."""
        self.outcomes(lambda args: self.redirected(">/dev/full", args)[::2])

    def test_output_closed(self):
        """Nowhere."""
        self.outcomes(lambda args: self.redirected(">&-", args)[::2])

    def piped(self, args, name):
        """Runs the tool with that stream a pipe that nobody reads."""
        reader, writer = os.pipe()
        os.close(reader)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   name: writer}
        try:
            # Its SIGPIPE has the default disposition: Popen restores it.
            done = subprocess.run(args, stdin=subprocess.DEVNULL, check=False,
                                  timeout=client.RUN_TIMEOUT, **streams)
        finally:
            os.close(writer)
        return done

    def test_output_pipe(self):
        """Into a pipe that nobody reads."""

        def run(args):
            done = self.piped(args, "stdout")
            return done.returncode, done.stderr

        self.outcomes(run)

    def test_error_pipe(self):
        """Nobody need listen to the trace and to complaints."""
        for to, options, status in (
                ("a@example.net", ("--trace", "--json"), 0),
                ("a@example.net", ("--trace",), 0),
                ("nouser@example.net", (), 67)):
            with self.subTest(f"{to} {options}"):
                done = self.piped(client.argv(
                    smtp(), [to], [*options, self.file()], json_wanted=False),
                    "stderr")
                self.assertEqual(done.returncode, status)


class Resolver(Case):
    """Names that can't be looked up."""

    @classmethod
    def setUpClass(cls):
        cls.double = double.Double()

    def setUp(self):
        self.double.forget()

    def environment(self, error=None):
        if error is None:
            return self.double.environment()
        return self.double.environment(DOUBLE_ERROR=str(int(error)))

    def was_called(self):
        processes.wait_until(self.double.was_called, 20,
                             lambda: "the resolver was not asked")

    def test_interrupt(self):
        """Ctrl-C does not wait for the lookup."""
        got = client.interrupt("smtp://name.example", ["a@example.net"],
                               when=self.was_called, env=self.environment())
        self.check_sent(got, "cancelled", 130)
        self.assertEqual(got.outcomes(), {"a@example.net": "not-attempted"})

    def test_timeout(self):
        """Nor does the deadline of connecting."""
        args = client.argv("smtp://name.example", ["a@example.net"],
                           ("--connect-timeout", "0.2"))
        got = client.run_json(args, b"x\n", self.environment())
        self.was_called()
        self.check_sent(got, "timeout", 75)
        self.assertEqual(got.report["stage"], "CONNECT")
        args.remove("--json")
        code, out, err = client.run(args, b"x\n", env=self.environment())
        self.assertEqual((code, out), (75, b""))
        self.assertIn(b"timeout (at CONNECT)", err)

    def test_own_name(self):
        """Nor does anybody wait long for the machine's own name, if it has to
        be looked up: neither the message nor the end of the program."""
        with Sink(client.programs["sink"]) as server:
            code, out, err = client.run(
                client.argv(smtp(server), ["a@example.net"], ("--trace",)),
                b"x\n", env=self.environment())
            got = client.result(subprocess.CompletedProcess([], code), out, err)
            self.check_sent(got, "ok", 0)
            self.assertEqual(len(server.stored()), 1)
        if "." not in socket.gethostname():
            self.was_called()
            self.assertIn(b"EHLO [127.0.0.1]", err)

    def check_unknown(self, url, env=None):
        got = client.run_json(
            client.argv(url, ["a@example.net"], ()), b"x\n", env)
        self.check_sent(got, "unknown-host", 68)

    def test_errors(self):
        """Whatever the resolver says, the host is not known."""
        for name in ("EAI_ADDRFAMILY", "EAI_AGAIN", "EAI_BADFLAGS", "EAI_FAIL",
                     "EAI_FAMILY", "EAI_MEMORY", "EAI_NODATA", "EAI_NONAME",
                     "EAI_OVERFLOW", "EAI_SERVICE", "EAI_SOCKTYPE"):
            with self.subTest(name):
                self.check_unknown(
                    "smtp://name.example",
                    self.environment(getattr(socket, name)))
        self.was_called()

    def test_no_name(self):
        """Octets that no name consists of."""
        self.check_unknown("smtp://a\udcffb.example")


if __name__ == "__main__":
    client.main()
