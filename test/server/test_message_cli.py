# SPDX-License-Identifier: MIT
"""uvsmtp send: the envelope of a header, parameters of MAIL and RCPT, messages
that are written here; against a recorder. Arguments: TOOL SINK."""
import email
import email.policy
import os
import subprocess
import tempfile

import client
from client import Case, send
from recorder import EXTENSIONS, Recorder
from secure import Secure, identity
from terminal import Terminal

MESSAGE = (b"From: Zoe <zoe@example.org>\nTo: bob@example.net, \"C, D\"\n"
           b" <carol@example.net>\nbcc: hidden@example.net,\n"
           b"\tunseen@example.net\nCC: dave@example.net\nSubject: x\n\n"
           b"Bcc: not this one\n.\n")
BARE = (b"From: Zoe <zoe@example.org>\r\nTo: bob@example.net, \"C, D\"\r\n"
        b" <carol@example.net>\r\nCC: dave@example.net\r\nSubject: x\r\n\r\n"
        b"Bcc: not this one\r\n..\r\n.\r\n")
EVERYBODY = ["bob@example.net", "carol@example.net", "hidden@example.net",
             "unseen@example.net", "dave@example.net"]
NAMED = [f"RCPT TO:<{address}>" for address in EVERYBODY]

ALL = (*EXTENSIONS, "DSN", "REQUIRETLS", "SMTPUTF8", "DELIVERBY 60",
       "FUTURERELEASE 86400 2026-12-31T00:00:00Z", "MT-PRIORITY MIXER",
       "AUTH PLAIN")

# Options, and what they put on the MAIL and on the RCPT line.
LINES = [
    (["--dsn-notify", "never"], "", " NOTIFY=NEVER"),
    (["--dsn-notify", "success"], "", " NOTIFY=SUCCESS"),
    (["--dsn-notify", "delay,failure,success"], "",
     " NOTIFY=SUCCESS,FAILURE,DELAY"),
    (["--dsn-ret", "full"], " RET=FULL", ""),
    (["--dsn-ret", "hdrs", "--envid", "a+b=c"], " RET=HDRS ENVID=a+2Bb+3Dc",
     ""),
    (["--smtputf8"], " SMTPUTF8", ""),
    (["--deliver-by", "120"], " BY=120;N", ""),
    (["--deliver-by", "-5:notify"], " BY=-5;N", ""),
    (["--deliver-by", "120:return:trace"], " BY=120;RT", ""),
    (["--deliver-by", "0:trace"], " BY=0;NT", ""),
    (["--hold-for", "3600"], " HOLDFOR=3600", ""),
    (["--hold-until", "2026-12-01T10:00:00+01:00"],
     " HOLDUNTIL=2026-12-01T09:00:00Z", ""),
    (["--priority", "-9"], " MT-PRIORITY=-9", ""),
    (["--priority", "0"], " MT-PRIORITY=0", ""),
    (["--submitter", "a+b@example.org"], " AUTH=a+2Bb@example.org", ""),
    (["--submitter", ""], " AUTH=<>", ""),
    (["--optional-params", "--priority", "3"], " MT-PRIORITY=3", ""),
    (["--dsn-notify", "never", "--rcpt-option", "NOTIFY=DELAY"], "",
     " NOTIFY=DELAY"),
]

# What a server without extensions lacks for them, by its keyword, and whether
# it is something that a message can do without.
LACKING = [
    (["--dsn-notify", "never"], "DSN", True),
    (["--dsn-ret", "full"], "DSN", True),
    (["--envid", "x"], "DSN", True),
    (["--deliver-by", "120"], "DELIVERBY", True),
    (["--priority", "1"], "MT-PRIORITY", True),
    (["--submitter", ""], "AUTH", True),
    (["--hold-for", "5"], "FUTURERELEASE", False),
    (["--smtputf8"], "SMTPUTF8", False),
]

# Out of the range that it advertises.
OUTSIDE = [
    ["--deliver-by", "30:return"],
    ["--hold-for", "86401"],
    ["--hold-until", "2030-01-01T00:00:00Z"],
]


def dialogue(recorder):
    """The lines of its newest session, and the texts."""
    lines = recorder.sessions[-1]
    return ([x for x in lines if isinstance(x, str)],
            [x for x in lines if isinstance(x, bytes)])


def said(recorder, verb):
    return [x for x in dialogue(recorder)[0] if x.startswith(verb)]


class Server(Case):
    """A recorder that offers everything, for all tests of a class."""
    extensions = ALL

    @classmethod
    def setUpClass(cls):
        cls.recorder = Recorder(extensions=cls.extensions)
        cls.recorder.__enter__()
        cls.addClassCleanup(cls.recorder.__exit__)

    def refused(self, got, status, exit_status, *words):
        """It says so, and no message went out."""
        self.check_sent(got, status, exit_status)
        for word in words:
            self.assertIn(word, got.report["error"])
            self.assertIn(word, got.report["detail"])
        self.assertEqual(got.report["outcome"], "rejected")
        self.assertEqual(said(self.recorder, "MAIL"), [])

    def people(self, *args, message=b"x\n"):
        """What is said without --json: exit status and standard error."""
        code, out, err = client.run(
            [client.programs["tool"], "send", "--server", self.recorder.url,
             *args], message)
        self.assertEqual(out, b"")
        return code, err.decode().splitlines()


class Envelope(Server):
    """Of whom the header speaks."""

    def check_envelope(self, got, sender, recipients, text=BARE):
        self.check_sent(got)
        self.assertEqual(got.report["sender"], sender)
        self.assertEqual([r["address"] for r in got.report["recipients"]],
                         recipients)
        self.assertEqual(said(self.recorder, "MAIL")[0].split()[1],
                         f"FROM:<{sender}>")
        self.assertEqual(said(self.recorder, "RCPT"),
                         [f"RCPT TO:<{r}>" for r in recipients])
        self.assertEqual(dialogue(self.recorder)[1], [text])

    def test_sources(self):
        """From a file, from a pipe, or typed; Bcc stays here."""
        for stdin in (False, True):
            got = send(self.recorder.url, [], message=MESSAGE, sender=None,
                       stdin=stdin)
            self.check_envelope(got, "zoe@example.org", EVERYBODY)
        with Terminal() as terminal:
            process = subprocess.Popen(
                client.argv(self.recorder.url, [], (), sender=None),
                stdin=terminal.other, stdout=subprocess.PIPE,
                stderr=terminal.other)
            terminal.started()
            terminal.wait_for(b"uvsmtp: type the message; Ctrl-D")
            os.write(terminal.mine, MESSAGE + b"\x04")
            out = terminal.finish(process)
        got = client.result(process, out, b"")
        self.check_envelope(got, "zoe@example.org", EVERYBODY)

    def test_given(self):
        """What is given stands in its place, and Bcc stays here all the same,
        unless nothing is asked of the header."""
        url = self.recorder.url
        got = send(url, ["e@example.net"], message=MESSAGE, sender=None)
        self.check_envelope(got, "zoe@example.org", ["e@example.net"])
        got = send(url, [], message=MESSAGE, sender="me@example.org")
        self.check_envelope(got, "me@example.org", EVERYBODY)
        got = send(url, [], message=MESSAGE, sender="", stdin=True)
        self.check_envelope(got, "", EVERYBODY)
        got = send(url, ["e@example.net"], message=MESSAGE)
        whole = client.on_the_wire(MESSAGE).replace(b"\r\n.\r\n",
                                                    b"\r\n..\r\n.\r\n")
        self.check_envelope(got, client.SENDER, ["e@example.net"], whole)

    def test_resent(self):
        """A message that is sent again."""
        message = (b"Resent-Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
                   b"Resent-From: me@example.org\r\n"
                   b"Resent-To: you@example.net\r\n"
                   b"Resent-Bcc: unseen@example.net\r\n"
                   b"From: zoe@example.org\r\nTo: me@example.org\r\n\r\nx\r\n")
        got = send(self.recorder.url, [], message=message, sender=None)
        self.check_envelope(
            got, "me@example.org", ["you@example.net", "unseen@example.net"],
            message.replace(b"Resent-Bcc: unseen@example.net\r\n", b"")
            + b".\r\n")

    def test_refused(self):
        """Headers that make no envelope; nothing of them is sent."""
        twice = b"Resent-Date: Thu, 1 Jan 2026 00:00:00 +0000\n" * 2
        for message, words in (
                (b"", "sender"), (b"no header at all\n", "sender"),
                (b"To: a@b.example\n\nx\n", "sender"),
                (b"From: a@b.example\n\nx\n", "recipient"),
                (b"From: a@b.example\nTo: undisclosed-recipients:;\n\nx\n",
                 "recipient"),
                (b"From: a@b.example\nTo: <c@d.example\n\nx\n", ""),
                (b"From: <a@b.example\nTo: c@d.example\n\nx\n", ""),
                (twice + b"From: a@b.example\nTo: c@d.example\n\nx\n", "")):
            with self.subTest(message):
                got = send(self.recorder.url, [], message=message, sender=None)
                self.refused(got, "invalid-message", 65, words)
                self.assertEqual(got.report["recipients"], [])
        code, lines = self.people(message=b"From: a@b.example\n\nx\n")
        self.assertEqual(code, 65)
        self.assertRegex(lines[0], r"\Auvsmtp: invalid-message \(at MAIL\): "
                         r"[^(]*recipient")
        self.assertEqual(lines[1:], ["Nothing was delivered."])

    def test_too_long(self):
        """A header of more than a MiB."""
        message = (b"From: a@b.example\nTo: c@d.example\n" +
                   b"X: 0123456789abcdef\n" * 60000 + b"\nx\n")
        for stdin in (False, True):
            got = send(self.recorder.url, [], message=message, sender=None,
                       stdin=stdin)
            self.check_sent(got, "invalid-message", 65)
            self.assertEqual(said(self.recorder, "MAIL"), [])

    def test_nobody_there(self):
        """Where no server is, nobody knows of whom the header speaks."""
        with Recorder({"GREETING": "554 5.3.2 no"}) as recorder:
            got = send(recorder.url, [], message=MESSAGE, sender=None)
            self.check_sent(got, "connect-error", 69)
            self.assertEqual(got.report["recipients"], [])
        with Recorder({"GREETING": "421 4.3.2 no"}) as recorder:
            code, _, err = client.run(client.argv(
                recorder.url, [], (), None, json_wanted=False), MESSAGE)
        self.assertEqual((code, err.decode().splitlines()[1:]), (
            75, ["Nothing was delivered. It can be sent again later."]))

    def test_refusals(self):
        """Recipients of the header are reported on as others are."""
        with Recorder({"RCPT": ["250 ok", "550 5.1.1 who?", "250 ok", "250 ok",
                                "452 4.2.2 full"]}) as recorder:
            got = send(recorder.url, [], message=MESSAGE, sender=None)
        self.check_sent(got, "partial", 67)
        self.assertEqual(list(got.outcomes().items()), list(zip(
            EVERYBODY, ["accepted", "rejected", "accepted", "accepted",
                        "deferred"], strict=True)))


class Parameters(Server):
    """What is asked of the server beyond delivery."""

    def test_lines(self):
        """Each on its line, whoever says the envelope."""
        for options, mail, rcpt in LINES:
            with self.subTest(options):
                self.check_sent(send(self.recorder.url, ["bob@example.net"],
                                     *options))
                line, = said(self.recorder, "MAIL")
                self.assertTrue(line.endswith(mail), line)
                self.assertEqual(said(self.recorder, "RCPT"),
                                 [NAMED[0] + rcpt])
        self.check_sent(send(self.recorder.url, [], "--dsn-notify", "failure",
                             "--envid", "x", message=MESSAGE, sender=None))
        self.assertTrue(said(self.recorder, "MAIL")[0].endswith(" ENVID=x"))
        self.assertEqual(said(self.recorder, "RCPT"),
                         [f"{line} NOTIFY=FAILURE" for line in NAMED])

    def test_all(self):
        """All at once, in order."""
        self.check_sent(send(
            self.recorder.url, ["bob@example.net"], "--submitter", "a@b.example",
            "--priority", "4", "--hold-for", "60", "--deliver-by", "90:return",
            "--envid", "x", "--dsn-ret", "hdrs", "--smtputf8", "--mail-option",
            "X=Y"))
        self.assertTrue(said(self.recorder, "MAIL")[0].endswith(
            " SMTPUTF8 RET=HDRS ENVID=x BY=90;R HOLDFOR=60 MT-PRIORITY=4 "
            "AUTH=a@b.example X=Y"), said(self.recorder, "MAIL"))

    def test_outside(self):
        """Beyond what the server allows."""
        for options in OUTSIDE:
            with self.subTest(options):
                got = send(self.recorder.url, ["bob@example.net"], *options)
                self.refused(got, "not-supported", 69)
                self.assertIsNotNone(got.report["detail"])

    def test_require_tls(self):
        """Only by TLS with a server that has proven who it is."""
        for options in (["--require-tls"],
                        ["--require-tls", "--optional-params"]):
            got = send(self.recorder.url, ["bob@example.net"], *options)
            self.refused(got, "tls-error", 76, "TLS")
        code, lines = self.people("--require-tls", "--from", "a@b.example",
                                  "--to", "c@d.example")
        self.assertEqual(code, 76)
        self.assertIn(got.report["detail"], lines[0])
        with Secure(extensions=ALL, implicit=True) as server:
            self.check_sent(send(server.url, ["bob@example.net"], "--ca",
                                 identity("server").cert, "--require-tls"))
            line, = said(server, "MAIL")
            self.assertTrue(line.endswith(" REQUIRETLS"), line)
            server.extensions = ()
            got = send(server.url, ["bob@example.net"], "--ca",
                       identity("server").cert, "--require-tls")
            self.check_sent(got, "not-supported", 69)
            self.assertIn("REQUIRETLS", got.report["detail"])

    def test_8bit(self):
        """Octets above 127."""
        message = "Subject: x\n\ngrün\n".encode()
        self.check_sent(send(self.recorder.url, ["bob@example.net"],
                             "--refuse-8bit", message=message))
        self.assertTrue(said(self.recorder, "MAIL")[0].endswith(
            " BODY=8BITMIME"))
        with Recorder(extensions=()) as recorder:
            self.check_sent(send(recorder.url, ["bob@example.net"],
                                 message=message, stdin=True))
            self.assertIn("grün\r\n".encode(), dialogue(recorder)[1][0])
            got = send(recorder.url, ["bob@example.net"], "--refuse-8bit",
                       message=message)
            self.check_sent(got, "not-supported", 69)
            self.assertIsNotNone(got.report["detail"])
            self.assertFalse(any("grün".encode() in x
                                 for x in dialogue(recorder)[1]))
            self.check_sent(send(recorder.url, ["bob@example.net"],
                                 "--refuse-8bit"))

    def test_all_or_nothing(self):
        """One refusal is that of all, and it says whose it was."""
        refusal = ["250 ok", "550 5.1.1 who?", "250 ok"]
        to = ["a@b.example", "c@d.example", "e@f.example"]
        for options, extensions, status, codes in (
                ([], EXTENSIONS, "partial", [250, 550, 250]),
                (["--all-or-nothing"], EXTENSIONS, "recipients-refused",
                 [250, 550, 250]),
                (["--all-or-nothing"], (), "recipients-refused",
                 [250, 550, None])):
            with Recorder({"RCPT": list(refusal)}, extensions) as recorder:
                got = send(recorder.url, to, *options)
                self.check_sent(got, status, 67)
                self.assertEqual([r["code"] for r in got.report["recipients"]],
                                 codes)
                self.assertEqual({r["outcome"] for r in
                                  got.report["recipients"]}, {"rejected"} if
                                 options else {"accepted", "rejected"})
                self.assertEqual(len(dialogue(recorder)[1]), not options)
        with Recorder({"RCPT": list(refusal)}) as recorder:
            code, out, err = client.run(
                [client.programs["tool"], "send", "--server", recorder.url,
                 "--all-or-nothing", "--from", "",
                 *(word for rcpt in to for word in ("--to", rcpt))], b"x\n")
            self.assertEqual((code, out), (67, b""))
            lines = err.decode().splitlines()
            self.assertIn("refused 1 of 3 recipients, so that nobody gets it",
                          lines[0])
            self.assertEqual(lines[1:4], [
                "  a@b.example  rejected, since not everybody was accepted",
                "  c@d.example  rejected: 550 5.1.1 who?",
                "  e@f.example  rejected, since not everybody was accepted"])

    def test_pipe(self):
        """What came through a pipe can't be sent again: who is too many is
        deferred, and the others are not kept from it."""
        to = ["a@b.example", "c@d.example", "e@f.example"]
        for replies, extensions, outcomes in (
                (["250 ok", "452 4.5.3 enough", "250 ok"], (),
                 ["accepted", "deferred", "accepted"]),
                ("250 ok", ("LIMITS RCPTMAX=2",),
                 ["accepted", "accepted", "deferred"])):
            for stdin in True, False:
                with self.subTest(extensions, stdin=stdin), \
                        Recorder({"RCPT": replies}, extensions) as recorder:
                    got = send(recorder.url, to, stdin=stdin)
                    self.assertEqual(
                        [r["outcome"] for r in got.report["recipients"]],
                        outcomes if stdin else ["accepted"] * 3)

    def test_no_more(self):
        """Why some were not asked for is told."""
        with Recorder(extensions=("LIMITS RCPTMAX=1 MAILMAX=2",)) as recorder:
            got = send(recorder.url, ["a@b.example", "c@d.example",
                                      "e@f.example"])
            self.check_sent(got, "partial", 67)
            self.assertEqual([r["outcome"] for r in got.report["recipients"]],
                             ["accepted", "accepted", "not-attempted"])
            self.assertIn("no more messages", got.report["detail"])
            self.assertIn(got.report["detail"], got.report["error"])


class Poor(Server):
    """A server that offers nothing of it."""
    extensions = ("PIPELINING",)

    def test_lacking(self):
        """The message is not sent, and it says what was missing."""
        for options, keyword, optional in LACKING:
            with self.subTest(options):
                got = send(self.recorder.url, ["bob@example.net"], *options)
                self.refused(got, "not-supported", 69, keyword)
                self.assertEqual(got.report["omitted"], [])
                got = send(self.recorder.url, ["bob@example.net"],
                           "--optional-params", *options)
                if not optional:
                    self.refused(got, "not-supported", 69, keyword)
                    continue
                self.check_sent(got)
                self.assertEqual(got.report["omitted"], [keyword])
                self.assertEqual(
                    said(self.recorder, "MAIL") + said(self.recorder, "RCPT"),
                    [f"MAIL FROM:<{client.SENDER}>", NAMED[0]])

    def test_people(self):
        """Without --json."""
        options = ["--from", "a@b.example", "--to", "c@d.example",
                   "--priority", "3", "--envid", "x"]
        code, lines = self.people(*options)
        self.assertEqual(code, 69)
        self.assertRegex(lines[0],
                         r"\Auvsmtp: not-supported \(at MAIL\): .*DSN")
        self.assertEqual(lines[1:], ["Nothing was delivered. As it is, it "
                                     "would be refused again."])
        code, out, err = client.run(
            [client.programs["tool"], "send", "--server", self.recorder.url,
             *options, "--optional-params"], b"x\n")
        self.assertEqual((code, err), (0, b""))
        self.assertEqual(out.decode().splitlines()[1:],
                         ["  not offered, left out: DSN, MT-PRIORITY"])


class Written(Server):
    """A message that is written here."""

    def write(self, *options, text=b"", stdin=True):
        """Sends one; what went over the wire, as Python reads it."""
        got = client.run_json(
            [client.programs["tool"], "send", "--json", "--server",
             self.recorder.url, *options], text)
        self.check_sent(got)
        text, = dialogue(self.recorder)[1]
        text = text.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
        return got, email.message_from_bytes(text,
                                             policy=email.policy.default)

    def test_written(self):
        """Everything said on the command line."""
        got, message = self.write(
            "--from", "Zoë <zoe@example.org>", "--to",
            "Bob <bob@example.net>, carol@example.net", "--to",
            "dave@example.net", "--cc", "E <e@example.net>", "--bcc",
            "Hidden <hidden@example.net>", "--subject", "Es ist so weit: grün",
            "--text", "Grüße\n.\nbis morgen")
        self.assertEqual(got.report["sender"], "zoe@example.org")
        self.assertEqual(list(got.outcomes()), [
            "bob@example.net", "carol@example.net", "dave@example.net",
            "e@example.net", "hidden@example.net"])
        self.assertEqual(message["Subject"], "Es ist so weit: grün")
        self.assertEqual(
            [(a.display_name, a.addr_spec)
             for field in ("From", "To", "Cc")
             for a in message[field].addresses],
            [("Zoë", "zoe@example.org"), ("Bob", "bob@example.net"),
             ("", "carol@example.net"), ("", "dave@example.net"),
             ("E", "e@example.net")])
        self.assertEqual(message.get_content().replace("\r\n", "\n").rstrip(),
                         "Grüße\n.\nbis morgen")
        self.assertIsNone(message["Bcc"])
        self.assertNotIn("hidden", str(message).lower())
        self.assertTrue(message["Date"].datetime)
        self.assertRegex(message["Message-ID"], r"\A<.+@example\.org>\Z")

    def test_text(self):
        """From standard input, from a file, or none."""
        options = ["--from", "a@b.example", "--to", "c@d.example",
                   "--subject", "x"]
        _, message = self.write(*options, text=b"one\ntwo\n")
        self.assertEqual(message.get_content(), "one\r\ntwo\r\n")
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"from a file\n")
            f.flush()
            _, message = self.write(*options, f.name)
            self.assertEqual(message.get_content(), "from a file\r\n")
        _, message = self.write(*options, "--text", "")
        self.assertEqual(message.get_content().strip(), "")
        _, message = self.write(*options[:-2], "--text", "no subject")
        self.assertIsNone(message["Subject"])
        _, message = self.write("--from", "a@b.example", "--bcc",
                                "c@d.example", "--text", "to nobody")
        self.assertIsNone(message["To"])

    def test_stdin_unused(self):
        """With --text nobody waits for standard input."""
        process = subprocess.Popen(
            client.argv(self.recorder.url, ["c@d.example"], ["--text", "x"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        with process:
            out = process.stdout.read()
            process.wait(client.RUN_TIMEOUT)
            self.check_sent(client.result(process, out, b""))

    def test_secret(self):
        """Then standard input is free for a password."""
        with Recorder({"AUTH": "235 ok"}, ("AUTH PLAIN",)) as recorder:
            options = ("--user", "me", "--password-fd", "0",
                       "--allow-plaintext-auth", "--subject", "x")
            for more, status in (((), 66), (("--text", "x"), 0)):
                got = client.run_json(client.argv(
                    recorder.url, ["c@d.example"], [*options, *more]), b"pass")
                self.assertEqual(got.exit, status, got.report)
            self.assertEqual(got.report["auth"]["mechanism"], "PLAIN")

    def test_bad_text(self):
        """A text that is none."""
        before = len(self.recorder.sessions)
        for text, words in ((b"\xff\n", "UTF-8"), (b"a\0b\n", "NUL"),
                            (b"a\x1b[2Jb\n", "control character")):
            got = client.run_json(client.argv(
                self.recorder.url, ["c@d.example"], ["--subject", "x"]), text)
            self.check_sent(got, "invalid-message", 65)
            self.assertIn(words, got.report["error"])
        got = send(self.recorder.url, ["c@d.example"], "--subject", "x",
                   "/dev/zero", stdin=True)
        self.check_sent(got, "local-error", 66)
        self.assertIn("/dev/zero: file too large", got.report["error"])
        self.assertEqual(len(self.recorder.sessions), before)


if __name__ == "__main__":
    client.main()
