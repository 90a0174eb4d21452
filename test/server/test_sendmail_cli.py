# SPDX-License-Identifier: MIT
"""The command line as a sendmail, called as PHP, cron, git, mutt and mail(1) do
it; against a recorder. Arguments: TOOL SINK."""
import email
import email.policy
import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time

import client
import processes
from client import Case
from recorder import EXTENSIONS, Recorder

LOGIN = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
# What PHP's mail() hands over if nobody gives it a From, or cron.
PHP = (b"To: bob@example.net\nSubject: hello\n"
       b"X-PHP-Originating-Script: 0:x.php\n\nhello\n")
CRON = (b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@vm> true\n"
        b"MIME-Version: 1.0\n\nhello\n.\nmore\n")
FULL = (b"From: Zoe <zoe@example.org>\nTo: bob@example.net\n"
        b"Bcc: unseen@example.net\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n"
        b"Message-ID: <1@example.org>\n\nhello\n")
HEADER = ["bob@example.net", "unseen@example.net"]


class SendmailCase(Case):
    """A link to the tool that is called sendmail, and a server."""

    @classmethod
    def setUpClass(cls):
        cls.recorder = Recorder(extensions=(*EXTENSIONS, "DSN"))
        cls.recorder.__enter__()
        cls.addClassCleanup(cls.recorder.__exit__)
        cls.name = os.path.join(processes.scratch(), "sendmail")
        os.symlink(client.programs["tool"], cls.name)
        cls.env = {**os.environ, "UVSMTP_SERVER": cls.recorder.url}

    def call(self, *args, message=FULL):
        return client.run([self.name, *args], message, self.env)

    def new(self):
        """What came since the last time."""
        lines = [x for session in self.recorder.sessions for x in session]
        del self.recorder.sessions[:]
        return lines

    def check_call(self, args, sender, recipients, message=FULL):
        """Nothing is said; what the server got as the message, and as its
        MAIL."""
        self.assertEqual(self.call(*args, message=message), (0, b"", b""))
        return self.check_got(sender, recipients)

    def check_send(self, args, sender, recipients):
        """The same by uvsmtp send."""
        self.assertEqual(client.run([client.programs["tool"], "send", *args],
                                    FULL, self.env), (0, b"", b""))
        return self.check_got(sender, recipients)

    def check_got(self, sender, recipients):
        lines = self.new()
        commands = [x for x in lines if isinstance(x, str)]
        mail, = [x for x in commands if x.startswith("MAIL")]
        self.assertEqual(mail.split()[1], f"FROM:<{sender}>")
        self.assertEqual([x.split()[1] for x in commands
                          if x.startswith("RCPT")],
                         [f"TO:<{x}>" for x in recipients])
        text, = [x for x in lines if isinstance(x, bytes)]
        return text, mail

    def refused(self, args, exit_status, words, message=FULL):
        """It says why, and calls nobody."""
        code, out, err = self.call(*args, message=message)
        self.assertEqual((code, out), (exit_status, b""), (args, err))
        self.assertIn(words, err.decode(), args)
        self.assertEqual(err.count(b"\n"), 1)
        self.assertEqual(self.new(), [], args)


class Callers(SendmailCase):
    """The lines that programs call it by."""

    def test_cron(self):
        """Those of cron."""
        for args in (["-i", "-t", "-f", "a@example.org"],
                     ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f",
                      "a@example.org"],
                     ["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "-t",
                      "-fa@example.org"]):
            with self.subTest(args):
                text, _ = self.check_call(args, "a@example.org", ["root"],
                                          CRON)
                self.assertIn(b"\r\nFrom: root (Cron Daemon)\r\n", text)
                self.assertTrue(text.endswith(b"\r\nhello\r\n..\r\nmore\r\n"
                                              b".\r\n"), text)
        self.check_call(["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t",
                         "-f", "root"], "root", ["root"], CRON)
        text, _ = self.check_call(["-i", "-f", "root", "root"], "root",
                                  ["root"], b"From the machine.\n")
        self.assertIn(f"root@{socket.gethostname()}\r\n".encode(), text)
        self.assertIn(b"\r\n\r\nFrom the machine.\r\n", text)

    def test_php(self):
        """PHP's: with and without a sender."""
        self.check_call(["-t", "-i"], LOGIN, ["bob@example.net"], PHP)
        for args in (["-t", "-i", "-fa@example.org"],
                     ["-ti", "-f", "a@example.org"],
                     ["-t", "-i", "-r", "a@example.org"]):
            text, _ = self.check_call(args, "a@example.org",
                                      ["bob@example.net"], PHP)
            self.assertIn(b"From: a@example.org\r\n", text)

    def test_git(self):
        """git send-email's, as it calls a command that is given to it."""
        tool = client.programs["tool"]
        command = f"{tool} send --server {self.recorder.url}"
        for own in ([], ["-f", "a@example.org"]):
            done = subprocess.run(
                ["sh", "-c", f'{command} "$@"', "-", *own, "-i",
                 "you@example.net", "list@example.net"],
                input=FULL, capture_output=True, check=False,
                timeout=client.RUN_TIMEOUT)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (0, b"", b""))
            text, _ = self.check_got(
                "a@example.org" if own else "zoe@example.org",
                ["you@example.net", "list@example.net"])
            self.assertNotIn(b"unseen", text)

    def test_mutt(self):
        """mutt's, mail(1)'s and their like."""
        for args in (["-oem", "-oi", "-f", "a@example.org", "--",
                      "b@example.net", "c@example.net"],
                     ["-i", "-fa@example.org", "b@example.net",
                      "c@example.net"],
                     ["-f", "<a@example.org>", "-em", "-m", "-n", "-U", "-G",
                      "-c", "-x", "-bm", "-h", "17", "-L", "x", "-O", "x=y",
                      "-p", "x", "-Ac", "-C", "/none", "-X", "/none", "-oMrx",
                      "b@example.net", "c@example.net"]):
            with self.subTest(args):
                text, _ = self.check_call(args, "a@example.org",
                                          ["b@example.net", "c@example.net"])
                self.assertNotIn(b"unseen", text)
                self.assertTrue(text.startswith(b"From: Zoe"), text)


class Meaning(SendmailCase):
    """What the options mean."""

    def test_recipients(self):
        """Arguments, those of the header, or both; what begins with a dash."""
        self.check_call(["-t"], "zoe@example.org", HEADER)
        # Who is in both gets it once.
        self.check_call(["-t", "a@example.net", "bob@example.net"],
                        "zoe@example.org", ["a@example.net", *HEADER])
        self.check_call(["-t", "unseen@example.net", "a@example.net"],
                        "zoe@example.org", ["unseen@example.net",
                                            "a@example.net", HEADER[0]])
        self.check_call(["a@example.net"], "zoe@example.org",
                        ["a@example.net"])
        self.check_call(["--", "-t@example.net"], "zoe@example.org",
                        ["-t@example.net"])
        # Behind an argument nothing is an option.
        self.check_call(["a@example.net", "-t"], "zoe@example.org",
                        ["a@example.net", "-t"])
        self.check_send(["-i", "a@example.net", "--server=x", "-t"],
                        "zoe@example.org",
                        ["a@example.net", "--server=x", "-t"])
        # But to find out that they are recipients.
        self.check_send(["a@example.net", "-i", "b@example.net"],
                        "zoe@example.org", ["a@example.net", "b@example.net"])
        self.check_call(["--to", "a@example.net", "b@example.net"],
                        "zoe@example.org", ["a@example.net", "b@example.net"])

    def test_sender(self):
        """-f, the header, or who we are."""
        self.check_call(["-t", "-f", "a@example.org"], "a@example.org", HEADER)
        self.check_call(["-t", "-f", ""], "", HEADER)
        self.check_call(["-t", "-f", "<>"], "", HEADER)
        for message in (b"To: x\n\n", b"", b"hello\n", b"From: (nobody\n\nx\n"):
            self.check_call(["a@example.net"], LOGIN, ["a@example.net"],
                            message)

    def test_missing(self):
        """From, Date and Message-ID are added, and nothing else."""
        text, _ = self.check_call(["-t", "-F", "Zoë \"Z\" \\"], LOGIN,
                                  ["bob@example.net"], PHP)
        self.assertTrue(text.endswith(PHP.replace(b"\n", b"\r\n") + b".\r\n"))
        message = email.message_from_bytes(text, policy=email.policy.default)
        author, = message["From"].addresses
        self.assertEqual((author.display_name, author.addr_spec),
                         ("Zoë \"Z\" \\", LOGIN))
        self.assertLess(abs(time.time() - message["Date"].datetime.timestamp()),
                        600)
        self.assertRegex(message["Message-ID"],
                         rf"\A<.+@{socket.gethostname()}>\Z")
        self.assertEqual(len(message.keys()), 6)
        # What is there is not added, however it is written.
        for name in ("from", "DATE", "Message-Id"):
            text, _ = self.check_call(
                ["-f", "a@example.org", "b@example.net"], "a@example.org",
                ["b@example.net"],
                f"{name}: first line\n folded: too\nX: y\n\nx\n".encode())
            message = email.message_from_bytes(text)
            self.assertEqual(sorted(x.lower() for x in message.keys()),
                             ["date", "from", "message-id", "x"])
            self.assertIn("first line", message[name])
        # RFC 5322 4.5.
        text, _ = self.check_call(["a@example.net"], "b@example.net",
                                  ["a@example.net"],
                                  b"From : b@example.net\n\nx\n")
        self.assertNotIn(b"From:", text)
        text, _ = self.check_call(["-t"], "zoe@example.org", HEADER)
        self.assertEqual(text, FULL.replace(b"\n", b"\r\n").replace(
            b"Bcc: unseen@example.net\r\n", b"") + b".\r\n")

    def test_no_header(self):
        """What is no message becomes the text of one."""
        for message in (b"disk full\n", b"\ndisk full\n", b" disk full\n"):
            text, _ = self.check_call(["root"], LOGIN, ["root"], message)
            got = email.message_from_bytes(text)
            self.assertEqual({*got.keys()}, {"From", "Date", "Message-ID"})
            self.assertEqual(got.get_payload(),
                             message.decode().lstrip("\n").replace(
                                 "\n", "\r\n") + ".\r\n")
        text, _ = self.check_call(
            ["a@example.net"], "zoe@example.org", ["a@example.net"],
            b"From zoe Thu Jan  1 00:00:00 2026\n" + FULL)
        self.assertTrue(text.startswith(b"From: Zoe"), text)

    def test_dsn(self):
        """-N, -R and -V, where that is offered."""
        args = ["-N", "success,delay", "-R", "hdrs", "-V", "x", "-f",
                "a@example.org", "b@example.net"]
        self.assertEqual(self.call(*args), (0, b"", b""))
        lines = self.new()
        self.assertTrue(any(
            str(x).startswith("MAIL") and x.endswith(" RET=HDRS ENVID=x")
            for x in lines), lines)
        self.assertIn("RCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY", lines)
        with Recorder(extensions=()) as plain:
            self.assertEqual(self.call("--server", plain.url, *args),
                             (0, b"", b""))
            self.assertIn("RCPT TO:<b@example.net>", plain.sessions[0])

    def test_verbose(self):
        """-v shows the dialogue; --json says what became of it."""
        code, out, err = self.call("-v", "-t")
        self.assertEqual((code, out), (0, b""))
        self.assertIn(b"-> MAIL FROM:<zoe@example.org>", err)
        got = client.run_json([self.name, "--json", "-t"], FULL, self.env)
        self.assertEqual(list(got.outcomes()), HEADER)
        self.new()

    def test_file(self):
        """As uvsmtp send, a path is the message."""
        with tempfile.NamedTemporaryFile(suffix=".eml") as f:
            f.write(FULL)
            f.flush()
            self.check_send(["-t", f.name], "zoe@example.org", HEADER)
            # Not by that name, as nobody means it there.
            self.check_call(["-t", f.name], "zoe@example.org",
                            [f.name, *HEADER])


class Trouble(SendmailCase):
    """What is said when it does not go well."""

    def test_refused(self):
        """What can't be done."""
        for args, words in (
                ([], "no recipient: give some as arguments, or -t"),
                (["-i"], "no recipient"),
                (["-bs"], "-bs: this is no server"),
                (["-bd", "-q1h"], "-bd: this is no server"),
                (["-bp"], "-bp: there is no queue"),
                (["-q"], "-q: there is no queue"),
                (["-bi"], "-bi: only -bm"), (["-bt"], "-bt: only -bm"),
                (["-I"], "-I: only sending"),
                (["-Z"], "-Z: there is no such option"),
                (["--nonsense"], "--nonsense: there is no such option"),
                (["-t", "-f"], "-f: its argument is missing"),
                (["-t", "-f", "a b"], "-f a b: malformed"),
                (["a b"], "recipient a b: malformed"),
                (["-N", "x", "a"], "-N x: it can be never")):
            with self.subTest(args):
                self.refused(args, 64, words)
        self.refused(["-t"], 65, "names no recipient", b"Subject: x\n\nx\n")
        self.refused(["-t"], 65, "", b"To: <a@b.example\n\nx\n")
        self.refused(["-t"], 65, "", b"Resent-Date: x\nResent-Date: y\n"
                     b"To: a@b.example\n\nx\n")

    def test_variable(self):
        """A server that is none; --server outranks it; empty, it is not
        there."""
        for url, words in (("smtp://x:70000", "UVSMTP_SERVER smtp://x:70000: "
                            "the port is not in 1..65535"),
                           ("smtp://a:s3cr3t@x", "a password does not belong"),
                           ("smtp://[x]", "UVSMTP_SERVER smtp://[x]: the host "
                            "can't be used")):
            code, out, err = client.run([self.name, "-t"], FULL,
                                        {**os.environ, "UVSMTP_SERVER": url})
            self.assertEqual((code, out), (64, b""))
            self.assertIn(words, err.decode())
            self.assertNotIn(b"s3cr3t", err)
            code, out, err = client.run(
                [self.name, "-t", "--server", self.recorder.url], FULL,
                {**os.environ, "UVSMTP_SERVER": url})
            self.assertEqual((code, out, err), (0, b"", b""))
        self.assertEqual(len(self.recorder.sessions), 3)
        self.new()
        code, out, err = client.run(
            [self.name, "--nonsense"], FULL,
            {**os.environ, "UVSMTP_SERVER": ""})
        self.assertEqual(code, 64)
        # For uvsmtp send it is the same, and nothing to probe.
        code, _, err = client.run([client.programs["tool"], "send"], FULL,
                                  self.env)
        self.assertEqual((code, err), (0, b""))
        self.new()
        code, _, err = client.run([client.programs["tool"], "probe"], b"",
                                  self.env)
        self.assertEqual(code, 64)
        self.assertEqual(self.new(), [])

    def test_server(self):
        """What the server refuses, on standard error."""
        with Recorder({"RCPT": ["250 ok", "550 5.1.1 who?"]}) as recorder:
            code, out, err = self.call("--server", recorder.url, "a", "b")
            self.assertEqual((code, out), (67, b""))
            self.assertRegex(err, rb"\Auvsmtp: partial: 1 of 2 recipients")
        with Recorder({"RCPT": "550 5.1.1 who?"}) as recorder:
            code, out, err = self.call("--server", recorder.url, "a")
            self.assertEqual((code, out), (67, b""))
            self.assertRegex(err, rb"\Auvsmtp: recipients-refused")
        with processes.closed_port() as s:
            url = f"smtp://127.0.0.1:{s.getsockname()[1]}"
            code, out, err = self.call("--server", url, "-t")
            self.assertEqual((code, out), (75, b""))
            self.assertRegex(err, rb"\Auvsmtp: connect-error")

    def test_half(self):
        """Nobody is called before the message has come whole."""
        process = subprocess.Popen(
            [self.name, "-t"], env=self.env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(FULL)
        process.stdin.flush()
        processes.wait_caught(process, signal.SIGINT)
        self.assertEqual(self.new(), [])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=client.RUN_TIMEOUT)
        self.assertEqual((process.returncode, out), (130, b""))
        self.assertIn(b"interrupted before anything was sent", err)
        self.assertEqual(self.new(), [])


if __name__ == "__main__":
    client.main()
