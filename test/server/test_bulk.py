# SPDX-License-Identifier: MIT
"""The example that sends many messages over many sessions: what it says became
of them is what the server saw, whatever the server does. Arguments: BULK SINK.
"""
import contextlib
import os
import pty
import re
import signal
import subprocess

import client
import processes
from client import Case
from servers import Sink

# More than can be sent before the test does something about it.
ENDLESS = 1000000


class Totals:
    """What a run printed at its end."""

    def __init__(self, process, out, err):
        self.exit = process.returncode
        self.err = err
        first, second = out.splitlines()
        head = re.fullmatch(r"(\d+) messages in [\d.]+ s, \d+ a second; "
                            r"(\d+) connections lost", first)
        self.messages, self.lost = map(int, head.groups())
        self.counts = {}
        for part in second.split(", "):
            name, number = part.rsplit(" ", 1)
            self.counts[name] = int(number)

    def __getattr__(self, name):
        return self.counts[name.replace("_", "-")]


def start(port, messages, sessions):
    return subprocess.Popen(
        [client.programs["tool"], "127.0.0.1", str(port), str(messages),
         str(sessions)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)


# A server that ends in the middle of a handshake can leave its client with a
# connection that only the kernel of the client knows of: nothing ever comes over
# it, and it is the program's deadline of 60 seconds that ends it.
PATIENCE = 90


def finish(process):
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return Totals(process, out, err)


def bulk(port, messages, sessions):
    return finish(start(port, messages, sessions))


def wait_for_some(server):
    """Waits until a few dozen messages have been taken."""
    processes.wait_until(lambda: len(os.listdir(server.store)) > 50, 60,
                         lambda: "nothing is being stored")


class Bulk(Case):

    def sink(self, *options, script=()):
        server = Sink(client.programs["sink"], *options, script=script)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def numbers(self, server):
        """The messages that the server took: each once, to its own reader and
        with its own text."""
        numbers = []
        for text, envelope in server.stored():
            number = int(re.search(rb"bulk\.(\d+)@", text).group(1))
            self.assertEqual(envelope["recipients"],
                             [f"reader{number}@example.net"])
            self.assertIn(b"Dear reader %d!" % number, text)
            numbers.append(number)
        self.assertEqual(len(numbers), len(set(numbers)))
        return set(numbers)

    def check(self, got, **wanted):
        """The counts, of which those not named are 0, and their sum."""
        names = ("accepted", "deferred", "rejected", "not-attempted", "unknown")
        counts = {name: wanted.pop(name.replace("-", "_"), 0)
                  for name in names}
        self.assertEqual(got.counts, counts, got.err)
        self.assertEqual(sum(got.counts.values()), got.messages)
        self.assertEqual(got.exit,
                         0 if got.accepted == got.messages else 1)
        self.assertFalse(wanted)

    def test_all(self):
        """Every message arrives, once, over as many connections as wanted."""
        for options in ((), ("--no-chunking",),
                        ("--no-chunking", "--no-pipelining")):
            with self.subTest(options):
                server = self.sink(*options)
                got = bulk(server.smtp, 300, 7)
                self.check(got, accepted=300)
                self.assertEqual(got.lost, 0)
                self.assertEqual(self.numbers(server), set(range(1, 301)))
                summary = server.summary()
                self.assertEqual(summary["messages"], 300)
                self.assertEqual(summary["connections"], 7)

    def test_idle_sessions(self):
        """A session that no message is left for does not connect."""
        server = self.sink()
        self.check(bulk(server.smtp, 3, 10), accepted=3)
        self.assertEqual(server.summary()["connections"], 3)

    def test_refused(self):
        """Refused messages are told apart; the sessions go on."""
        server = self.sink(script=[
            "RCPT TO:<reader3@ 550 5.1.1 no such reader",
            "RCPT TO:<reader5@ 450 4.2.1 reading something else",
            "RCPT TO:<reader7@ 554 5.7.1 not to be read"])
        got = bulk(server.smtp, 50, 3)
        self.check(got, accepted=47, rejected=2, deferred=1)
        self.assertEqual(self.numbers(server), set(range(1, 51)) - {3, 5, 7})
        self.assertIn("message 3: ", got.err)
        self.assertIn(": 550", got.err)
        self.assertEqual(server.summary()["connections"], 3)

    def test_sent_away(self):
        """421 to a message: tried once more, then left for later. A session
        that is sent away twice in a row stays away."""
        script = ["RCPT TO:<reader4@ 421 4.3.2 go away !close"]
        server = self.sink(script=script)
        self.check(bulk(server.smtp, 10, 1), accepted=3, deferred=1,
                   not_attempted=6)
        self.assertEqual(self.numbers(server), {1, 2, 3})
        self.assertEqual(server.summary()["connections"], 2)
        server = self.sink(script=script)
        self.check(bulk(server.smtp, 10, 2), accepted=9, deferred=1)
        self.assertEqual(self.numbers(server), set(range(1, 11)) - {4})

    def test_closed_behind_each(self):
        """The server leaves after each message: the next one finds out, and
        arrives over a new connection, once."""
        server = self.sink("--no-chunking", "--no-pipelining",
                           script=["DOT 250 2.0.0 enough !close"])
        self.check(bulk(server.smtp, 40, 4), accepted=40)
        self.assertEqual(self.numbers(server), set(range(1, 41)))
        self.assertEqual(server.summary()["connections"], 40)

    def test_no_verdict(self):
        """The server leaves instead of a verdict: nothing is sent again."""
        server = self.sink("--no-chunking", script=["DOT !close"])
        self.check(bulk(server.smtp, 10, 2), unknown=4, not_attempted=6)
        self.assertEqual(server.summary()["connections"], 4)

    def test_no_greeting(self):
        """A server that has no time for us is asked twice by each session."""
        for script, count in (("GREETING 421 4.3.2 busy !close", "deferred"),
                              ("GREETING 554 5.3.2 no mail here", "rejected")):
            with self.subTest(script):
                server = self.sink(script=[script])
                got = bulk(server.smtp, 20, 2)
                self.assertEqual(got.accepted, 0)
                self.assertEqual(got.unknown, 0)
                self.assertEqual(got.exit, 1)
                self.assertGreater(got.counts[count], 0)
                self.assertEqual(server.summary()["connections"], 4)

    def test_nobody_there(self):
        with processes.closed_port() as s:
            got = bulk(s.getsockname()[1], 20, 5)
        self.assertEqual(got.accepted + got.rejected + got.unknown, 0)
        self.assertEqual(got.lost, 10)
        self.assertIn("connection refused", got.err)

    def test_gone_midway(self):
        """The server ends while messages are under way."""
        for options in ((), ("--no-chunking", "--no-pipelining")):
            with self.subTest(options):
                server = self.sink(*options)
                process = start(server.smtp, ENDLESS, 10)
                try:
                    wait_for_some(server)
                    server.daemon.stop()
                finally:
                    got = finish(process)
                self.assertEqual(sum(got.counts.values()), ENDLESS)
                taken = len(self.numbers(server))
                self.assertGreaterEqual(taken, got.accepted)
                self.assertLessEqual(taken, got.accepted + got.unknown)
                self.assertLessEqual(got.unknown, 10)
                self.assertEqual(got.rejected, 0)
                self.assertEqual(got.exit, 1)

    def test_interrupted(self):
        """Each session finishes its message: no verdict is lost."""
        server = self.sink()
        process = start(server.smtp, ENDLESS, 10)
        try:
            wait_for_some(server)
            process.send_signal(signal.SIGINT)
        finally:
            got = finish(process)
        taken = len(self.numbers(server))
        self.check(got, accepted=taken, not_attempted=ENDLESS - taken)

    def test_terminal(self):
        """On a terminal, progress is one line, written over."""
        server = self.sink()
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", 0) as terminal:
            with os.fdopen(theirs, "wb", 0) as stderr:
                process = subprocess.Popen(
                    [client.programs["tool"], "127.0.0.1", str(server.smtp),
                     "2000", "20"], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=stderr)
            shown = b""
            # Linux ends a terminal that nobody has open any more with EIO.
            with contextlib.suppress(OSError):
                while got := terminal.read(4096):
                    shown += got
        self.assertEqual(process.wait(client.RUN_TIMEOUT), 0)
        self.assertIn(b"\r", shown)
        self.assertNotIn(b"\n", shown)

    def test_usage(self):
        for args in ((), ("127.0.0.1", "25", "1"),
                     ("127.0.0.1", "70000", "1", "1"),
                     ("127.0.0.1", "25", "0", "1"),
                     ("127.0.0.1", "25", "1", "x")):
            with self.subTest(args):
                code, out, err = client.run([client.programs["tool"], *args])
                self.assertEqual((code, out), (64, b""))
                self.assertIn(b"usage: bulk", err)


if __name__ == "__main__":
    client.main()
