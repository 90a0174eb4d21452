# SPDX-License-Identifier: MIT
"""The command line on a terminal, and on a pipe: messages that are typed or come
slowly, what is shown of long ones, and how little memory they take. Arguments:
TOOL SINK."""
import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time

import client
import processes
from client import Case
from recorder import Recorder
from slow import Slow
from servers import Sink
from shared import setUpModule, smtp, tearDownModule  # noqa: F401
from terminal import Terminal

PERCENT = re.compile(rb"\r +\d+%  [0-9.]+ [KM]iB of 30\.\d MiB  "
                     rb"[0-9.]+ ([KM]iB|bytes)/s")


@contextlib.contextmanager
def message(mebibytes):
    """A file of so many MiB; some more on the wire."""
    with tempfile.NamedTemporaryFile(suffix=".eml") as f:
        line = b"0123456789" * 7 + b"\n"
        for _ in range(mebibytes):
            f.write(line * (2 ** 20 // len(line) + 1))
        f.flush()
        yield f.name


class Progress(Case):
    """How far a long message is."""

    def start(self, server, name, options, stderr):
        return subprocess.Popen(
            client.argv(server.url, ["a@example.net"], [*options, name],
                        json_wanted=False),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)

    def test_line(self):
        """One line, written over, and gone in the end."""
        for columns in (80, 30):
            for options in ((), ("--no-progress", "--progress")):
                with self.subTest(f"{columns} {options}"), \
                        message(30) as name, Slow() as server, \
                        Terminal(columns) as terminal:
                    process = self.start(server, name, options, terminal.other)
                    terminal.started()
                    terminal.wait_for(PERCENT if columns == 80
                                      else rb"\r +\d+%  [0-9.]+ [KM]iB of ")
                    server.go.set()
                    out = terminal.finish(process)
                    self.assertEqual(process.returncode, 0, terminal.output)
                    self.assertRegex(out, rb"\Aaccepted by .* queued\n\Z")
                    lines, widest = terminal.screen()
                    self.assertEqual(lines, [""])
                    self.assertLess(widest, columns)

    def test_unknown(self):
        """From a pipe, nobody knows how much it will be."""
        with Slow() as server, Terminal() as terminal:
            process = subprocess.Popen(
                client.argv(server.url, ["a@example.net"], (),
                            json_wanted=False),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=terminal.other)
            terminal.started()
            process.stdin.write(b"Subject: x\n\n")
            process.stdin.flush()
            terminal.wait_for(rb"\r14 bytes sent  \d+ bytes/s")
            process.stdin.close()
            server.go.set()
            self.assertIn(b"accepted", terminal.finish(process))
            self.assertEqual(terminal.screen()[0], [""])

    def test_refused(self):
        """An error does not stand behind half a line."""
        with message(30) as name, Slow(verdict=b"550 5.7.1 no") as server, \
                Terminal() as terminal:
            process = self.start(server, name, (), terminal.other)
            terminal.started()
            terminal.wait_for(PERCENT)
            server.go.set()
            terminal.finish(process)
            self.assertEqual(process.returncode, 69)
            lines, _ = terminal.screen()
            self.assertRegex(lines[0], r"\Auvsmtp: data-error \(at DOT\): ")
            self.assertNotIn("%", "".join(lines))

    def test_no_terminal(self):
        """Asked for, it goes to a file too, and beside --json."""
        with message(30) as name, Slow() as server:
            process = self.start(server, name, ("--progress", "--json"),
                                 subprocess.PIPE)
            line = process.stderr.readline()
            server.go.set()
            out, _ = process.communicate(timeout=client.RUN_TIMEOUT)
            self.assertRegex(line, rb"\Auvsmtp: +\d+%  [0-9.]+ [KM]iB of 30")
            self.check_sent(client.result(process, out, b""))

    def test_none(self):
        """Not shown: unasked, beside the trace, where there is no terminal."""
        with contextlib.ExitStack() as stack:
            name = stack.enter_context(message(30))
            runs = []
            for options in (("--no-progress",), ("--json",), ("--trace",),
                            ("--trace", "--progress"), None):
                server = stack.enter_context(Slow())
                terminal = stack.enter_context(Terminal())
                process = self.start(
                    server, name, options or (),
                    subprocess.PIPE if options is None else terminal.other)
                terminal.started()
                runs.append((options, server, terminal, process))
            for _, server, _, _ in runs:
                self.assertTrue(server.text.wait(20))
            time.sleep(1.5)  # when it would have been shown
            for options, server, terminal, process in runs:
                server.go.set()
                terminal.finish(process)
                self.assertEqual(process.returncode, 0)
                self.assertNotIn(b"%", terminal.output, options)
                if options is None:
                    self.assertEqual(process.stderr.read(), b"")
                    process.stderr.close()


class Typed(Case):
    """Standard input is a terminal, or slow."""

    def start(self, recorder, terminal, options=()):
        process = subprocess.Popen(
            client.argv(recorder.url, ["a@example.net"], options,
                        json_wanted=False),
            stdin=terminal.other, stdout=subprocess.PIPE,
            stderr=terminal.other)
        terminal.started()
        terminal.wait_for(b"uvsmtp: type the message; Ctrl-D")
        return process

    def piped(self, recorder, *options):
        return subprocess.Popen(
            client.argv(recorder.url, ["a@example.net"], options),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def test_typed(self):
        """A message is asked for, and nobody called before it has ended."""
        with Recorder() as recorder, Terminal() as terminal:
            process = self.start(recorder, terminal)
            os.write(terminal.mine, b"Subject: x\n\nhello\n")
            terminal.wait_for(b"hello")  # the echo
            self.assertEqual(recorder.sessions, [])
            os.write(terminal.mine, b"\x04")
            self.assertIn(b"accepted", terminal.finish(process))
            self.assertEqual(process.returncode, 0)
            self.assertIn(b"Subject: x\r\n\r\nhello\r\n.\r\n",
                          recorder.sessions[0])

    def test_nonsense(self):
        """Nobody types a message for arguments that won't do."""
        for option in (["--to", "a b@c"], ["--server", "[x]"],
                       ["--helo", ""], ["--rcpt-option", "=x"],
                       ["--envid", "\x01"], ["--submitter", "a b"],
                       ["--hold-until", "soon"], ["--priority", "10"],
                       ["--subject", "\x01"], ["--cc", "a@b"]):
            with Recorder() as recorder, Terminal() as terminal:
                process = subprocess.Popen(
                    client.argv(recorder.url, ["a@example.net"], option,
                                json_wanted=False),
                    stdin=terminal.other, stdout=subprocess.PIPE,
                    stderr=terminal.other)
                terminal.started()
                self.assertEqual(terminal.finish(process), b"")
                self.assertEqual(process.returncode, 64)
                self.assertNotIn(b"type the message", terminal.output)
                self.assertIn(option[0].encode(), terminal.output)

    def test_interrupt(self):
        """Ctrl-C while it is typed."""
        with Recorder() as recorder, Terminal() as terminal:
            process = self.start(recorder, terminal)
            os.write(terminal.mine, b"Subject: x\n\nhello\n")
            terminal.wait_for(b"hello")
            process.send_signal(signal.SIGINT)
            self.assertEqual(terminal.finish(process), b"")
            self.assertEqual(process.returncode, 130)
            self.assertEqual(recorder.sessions, [])
            self.assertIn(b"interrupted before anything was sent",
                          terminal.output)

    def test_pipe(self):
        """A pipe is waited for, then sent on as it comes."""
        with Recorder() as recorder:
            process = self.piped(recorder, "--no-chunking")
            processes.wait_caught(process, signal.SIGINT)
            self.assertEqual(recorder.sessions, [])
            process.stdin.write(b"Subject: x\n\n" + b"hello\n" * 1000)
            process.stdin.flush()
            recorder.wait_for("DATA")
            out, err = process.communicate(b"bye\n",
                                           timeout=client.RUN_TIMEOUT)
            self.check_sent(client.result(process, out, err))
            text, = [x for x in recorder.sessions[0] if isinstance(x, bytes)]
            self.assertTrue(text.endswith(b"hello\r\nbye\r\n.\r\n"))

    def test_pipe_interrupted(self):
        """Ctrl-C in the middle of it: nobody gets half of it."""
        with Recorder() as recorder:
            process = self.piped(recorder, "--no-chunking")
            process.stdin.write(b"Subject: x\n\n")
            process.stdin.flush()
            recorder.wait_for("DATA")
            process.send_signal(signal.SIGINT)
            out, err = process.stdout.read(), process.stderr.read()
            process.wait(client.RUN_TIMEOUT)
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()
            self.check_sent(client.result(process, out, err), "cancelled", 130)
        self.assertEqual([x for x in recorder.sessions[0]
                          if isinstance(x, bytes)], [])

    def test_fifo(self):
        """A named pipe is a FILE too."""
        with Recorder() as recorder, tempfile.TemporaryDirectory() as d:
            name = os.path.join(d, "fifo")
            os.mkfifo(name)
            process = self.piped(recorder, name)
            with open(name, "wb") as f:
                f.write(b"Subject: x\n\nhello\n")
            out, err = process.communicate(timeout=client.RUN_TIMEOUT)
            self.check_sent(client.result(process, out, err))
            self.assertIn(b"Subject: x\r\n\r\nhello\r\n.\r\n",
                          recorder.sessions[0])


class Memory(Case):
    """However long it is."""

    LIMIT = 24 * 1024  # KiB

    def peak(self, server, options, **streams):
        """Sends, and looks at the most memory that it had while the server
        holds its verdict back."""
        process = subprocess.Popen(
            client.argv(f"smtp://127.0.0.1:{server.smtp}", ["slow@example.net"],
                        options), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **streams)
        peak = 0
        while process.poll() is None:
            with contextlib.suppress(OSError, StopIteration), open(
                    f"/proc/{process.pid}/status", encoding="ascii") as lines:
                peak = max(peak, next(int(line.split()[1]) for line in lines
                                      if line.startswith("VmHWM")))
            time.sleep(0.01)
        out, err = process.communicate()
        got = client.result(process, out, err)
        self.check_sent(got)
        self.assertGreater(got.report["bytes"], 100 * 2 ** 20)
        return peak

    def test_memory(self):
        """100 MiB don't take 24, from a file or from a pipe."""
        with open(client.programs["tool"], "rb") as f:
            if b"__asan_init" in f.read():
                self.skipTest("the address sanitizer has memory of its own")
        with message(100) as name:
            for options in ((), ("--no-chunking",)):
                # What is stored is nobody's interest here.
                with self.subTest(options), Sink(client.programs["sink"]) \
                        as server, open(name, "rb") as f:
                    peak = self.peak(server, [*options, name],
                                     stdin=subprocess.DEVNULL)
                    self.assertTrue(0 < peak < self.LIMIT, peak)
                    cat = subprocess.Popen(["cat"], stdin=f,
                                           stdout=subprocess.PIPE)
                    with cat, cat.stdout:
                        peak = self.peak(server, options, stdin=cat.stdout)
                    self.assertTrue(0 < peak < self.LIMIT, peak)


if __name__ == "__main__":
    client.main()
