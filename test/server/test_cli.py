# SPDX-License-Identifier: MIT
"""The command line's own promises: arguments, reports, exit statuses, trace;
against the sink, and against a recorder. Arguments: TOOL SINK."""
import os
import signal
import subprocess
import tempfile

import client
import processes
from client import Case, send
from recorder import CLOSE, Recorder
from servers import Sink
from shared import setUpModule, smtp, tearDownModule  # noqa: F401


class Report(Case):
    """What is printed, and where."""

    def test_accepted(self):
        """The whole object, for a message that was accepted."""
        got = send(smtp(), ["a@example.net"], "--no-chunking",
                   message=b"Subject: x\n\n.dot\n")
        number = got.report["reply"]["text"].split()[-1]
        reply = {"code": 250, "enhanced": "2.0.0",
                 "text": f"2.0.0 Ok: queued as {number}"}
        self.assertEqual(got.report, {
            "status": "ok", "outcome": "accepted", "error": None,
            "stage": "DOT", "reply": reply, "sender": client.SENDER,
            "recipients": [{
                "address": "a@example.net", "outcome": "accepted",
                "stage": "DOT", **reply}],
            "omitted": [], "tls": None, "auth": None, "detail": None,
            "attempts": got.report["attempts"],
            "bytes": len(b"Subject: x\r\n\r\n..dot\r\n")})
        self.assertEqual((got.exit, got.err), (0, ""))

    def test_nothing_sent(self):
        """The whole object, where nothing could be tried."""
        got = client.run_json(
            client.argv("nonsense://x", ["a@example.net"], ()))
        self.assertEqual(got.exit, 64)
        self.assertIn("--server", got.report.pop("error"))
        self.assertEqual(got.report, {
            "status": "invalid-argument", "outcome": "not-attempted",
            "stage": None, "reply": None, "sender": None, "recipients": [],
            "omitted": [], "tls": None, "auth": None, "detail": None,
            "attempts": [], "bytes": 0})

    def test_people_accepted(self):
        """Without --json: a line on standard output."""
        code, out, err = client.run(client.argv(
            smtp(), ["a@example.net"], (), json_wanted=False), b"x\n")
        self.assertEqual((code, err), (0, b""))
        self.assertRegex(
            out, rb"\Aaccepted by 127\.0\.0\.1 port \d+: "
            rb"250 2\.0\.0 Ok: queued as \d+\n\Z")

    def people(self, url, *recipients, options=(), sender=client.SENDER):
        """What is said without --json: exit status and lines."""
        code, out, err = client.run(client.argv(
            url, recipients, options, sender, json_wanted=False), b"x\n")
        # All of it goes to one place.
        self.assertTrue(out == b"" or err == b"", (out, err))
        if err:
            self.assertTrue(err.startswith(b"uvsmtp: "), err)
        self.assertEqual(err == b"", code in (0, 67) and b"partial" in out or
                         code == 0)
        return code, (out or err).decode().replace(
            url.split("/")[-1].replace(":", " port "), "SERVER").splitlines()

    def test_people_several(self):
        """Without --json: one reply for several recipients, or several."""
        code, lines = self.people(smtp(), "a@example.net", "b@example.net")
        self.assertEqual((code, len(lines)), (0, 1))
        self.assertRegex(lines[0], r"\Aaccepted by SERVER for 2 recipients: "
                         r"250 2\.0\.0 Ok: queued as \d+\Z")
        with Recorder({"DOT": ["250 one", "250 two"]}, lmtp=True) as recorder:
            code, lines = self.people(recorder.url, "a@example.net",
                                      "long@example.net")
        self.assertEqual((code, lines), (0, [
            "accepted by SERVER for 2 recipients",
            "  a@example.net     accepted: 250 one",
            "  long@example.net  accepted: 250 two"]))

    def test_people_partial(self):
        """Without --json: who was refused, why, and what to do."""
        code, lines = self.people(smtp(), "a@example.net", "nouser@example.net",
                                  "full@example.net")
        self.assertEqual(code, 67)
        self.assertRegex(lines.pop(1), r"  a@example\.net       accepted: 250 ")
        self.assertEqual(lines, [
            "partial: 2 of 3 recipients were not accepted by SERVER",
            "  nouser@example.net  rejected: 550 5.1.1 No such user",
            "  full@example.net    deferred: 452 4.2.2 Mailbox full",
            "To those deferred it can be sent again later.",
            "For those rejected it would be refused again."])

    def test_people_refused(self):
        """Without --json: a failure goes to standard error."""
        self.assertEqual(self.people(smtp(), "nouser@example.net"), (67, [
            "uvsmtp: recipients-refused (at RCPT): SERVER refused every "
            "recipient",
            "  nouser@example.net  rejected: 550 5.1.1 No such user",
            "Nothing was delivered. As it is, it would be refused again."]))
        self.assertEqual(self.people(smtp(), "a@example.net",
                                     sender="tempsender@example.org"), (75, [
            "uvsmtp: sender-refused (at MAIL): SERVER refused the sender: "
            "451 4.7.1 Sender refused for now",
            "Nothing was delivered. It can be sent again later."]))

    def test_people_connection(self):
        """Without --json: a server that isn't there, or won't be."""
        with processes.closed_port() as s:
            url = f"smtp://127.0.0.1:{s.getsockname()[1]}"
            self.assertEqual(self.people(url, "a@example.net"), (75, [
                "uvsmtp: connect-error (at CONNECT): connecting to SERVER "
                "failed: connection refused",
                "Nothing was delivered. It can be sent again later."]))
        with Recorder({"GREETING": "554 5.3.2 go away"}) as recorder:
            self.assertEqual(self.people(recorder.url, "a@example.net"), (69, [
                "uvsmtp: connect-error (at GREETING): SERVER does not serve "
                "us: 554 5.3.2 go away",
                "Nothing was delivered. As it is, it would be refused again."]))
        with Recorder({"MAIL": "silent"}) as recorder:
            self.assertEqual(self.people(recorder.url, "a@example.net",
                                         options=("--timeout", "0.1")), (75, [
                "uvsmtp: timeout (at MAIL): SERVER took too long",
                "Nothing was delivered. It can be sent again later."]))

    def test_people_unknown(self):
        """Without --json: a loss at the worst time."""
        with Recorder({"DOT": CLOSE}) as recorder:
            code, lines = self.people(recorder.url, "a@example.net")
        self.assertEqual(code, 70)
        self.assertEqual(lines, [
            "uvsmtp: delivery-unknown (at DOT): the message had left for "
            "SERVER, but no verdict came: end of file",
            "It may have been delivered: sent again, it may arrive twice."])

    def test_hostile_text(self):
        """A server's text can't disturb a terminal, nor break the JSON."""
        # An escape, no UTF-8, a letter, DEL, CSI (C1), a reversal of the text.
        lines = ["MAIL 550 5.7.1 a\\x1b[31mred\\xff\\xc3\\xa4\\x07 \"\\\\ "
                 "\\x7f\\xc2\\x9b\\xe2\\x80\\xae end"]
        with Sink(client.programs["sink"], script=lines) as server:
            got = send(smtp(server), ["a@example.net"])
            self.check_sent(got, "sender-refused", 69)
            self.assertEqual(got.report["reply"]["text"],
                             "5.7.1 a\x1b[31mred\ufffd\xe4\x07 \"\\ "
                             "\ufffd\x9b\u202e end")
            self.assertRegex(got.out, r"\A[ -~]+\n\Z")
            _, out, err = client.run(client.argv(
                smtp(server), ["a@example.net"], ("--trace",),
                json_wanted=False), b"x\n")
        self.assertRegex(out + err, rb"\A[ -~\n]+\Z")

    def test_hostile_arguments(self):
        """Nor can what we were given ourselves."""
        name = "no\x1b\x7f\x9b\u202e\xe4such"
        got = client.run_json(client.argv(smtp(), ["a@example.net"], [name]))
        self.check_sent(got, "local-error", 66)
        self.assertRegex(got.out, r"\A[ -~]+\n\Z")
        self.assertIn("no\x1b\ufffd\x9b\u202e\xe4such", got.report["error"])
        code, out, err = client.run(client.argv(
            smtp(), ["a@example.net"], [name], json_wanted=False))
        self.assertEqual((code, out), (66, b""))
        self.assertRegex(err, rb"\A[ -~]+\n\Z")

    def test_trace(self):
        """The dialogue on standard error, without the text."""
        got = send(smtp(), ["a@example.net"], "--trace", "--helo", "me.example",
                   "--no-chunking", message=b"Subject: s3cr3t\n\nhello\n")
        lines = got.err.splitlines()
        wanted = ["<- 220 ", "-> EHLO me.example", "<- 250", "-> MAIL FROM:<",
                  "-> RCPT TO:<a@example.net>", "-> DATA", "<- 354",
                  "octets of text", "<- 250", "-> QUIT", "<- 221"]
        at = 0
        for text in wanted:
            found = [n for n in range(at, len(lines)) if text in lines[n]]
            self.assertTrue(found, f"no {text!r} after line {at}: {lines}")
            at = found[0] + 1
        self.assertNotIn("s3cr3t", got.err)
        self.assertEqual(got.out.count("\n"), 1)

    def test_trace_more(self):
        """With the time of each line, and with the text."""
        message = b"Subject: s3cr3t\n\nhello\n"
        got = send(smtp(), ["a@example.net"], "--trace=times", message=message)
        for line in got.err.splitlines():
            self.assertRegex(line, r"\A\S*\d\d:\d\d:\d\d\.\d+ (->|<-|\*\*) ")
        self.assertNotIn("s3cr3t", got.err)
        for options in (["--trace=text"], ["--trace", "--trace=text"]):
            got = send(smtp(), ["a@example.net"], *options, message=message)
            self.assertIn("Subject: s3cr3t", got.err)
        got = send(smtp(), ["a@example.net"], "--trace=times,text",
                   message=message)
        self.assertRegex(got.err, r"\d\d:\d\d:\d\d\.\d+ .*Subject: s3cr3t")


class Server(Case):
    """--server, and how it is reached."""

    def check_stored(self, protocol, got, server):
        self.check_sent(got)
        self.assertEqual(server.stored()[-1][1]["protocol"], protocol)

    def test_urls(self):
        """Every form."""
        with Sink(client.programs["sink"]) as server:
            for url, protocol in (
                    (f"smtp://127.0.0.1:{server.smtp}", "ESMTP"),
                    (f"smtp://127.0.0.1:{server.smtp}/", "ESMTP"),
                    (f"smtp://localhost:{server.smtp}", "ESMTP"),
                    (f"127.0.0.1:{server.smtp}", "ESMTP"),
                    (f"lmtp://127.0.0.1:{server.lmtp}", "LMTP"),
                    (f"SMTP://127.0.0.1:{server.smtp}", "ESMTP"),
                    (f"lmTP://127.0.0.1:{server.lmtp}", "LMTP"),
                    (server.lmtp_path, "LMTP"),
                    (f"smtp:{server.smtp_path}", "ESMTP"),
                    (f"Smtp:{server.smtp_path}", "ESMTP")):
                with self.subTest(url):
                    got = send(url, ["a@example.net"], "--tls", "none")
                    self.check_stored(protocol, got, server)

    def test_no_scope(self):
        """An address that can't be reached is no unknown name."""
        got = send("smtp://[fe80::1]", ["a@example.net"])
        self.check_sent(got, "connect-error", 75)

    def test_stages(self):
        """Without a greeting, the report and its recipients tell one stage."""
        with processes.closed_port() as s:
            got = send(f"smtp://127.0.0.1:{s.getsockname()[1]}",
                       ["a@example.net", "b@example.net"])
        self.check_sent(got, "connect-error", 75)
        self.check_stage(got, "CONNECT")
        for greeting, exit_status in (("421 4.3.2 later!close", 75),
                                      ("554 5.3.2 never", 69)):
            with Recorder({"GREETING": greeting}) as recorder:
                got = send(recorder.url, ["a@example.net", "b@example.net"])
            self.check_sent(got, "connect-error", exit_status)
            self.check_stage(got, "GREETING")

    def check_stage(self, got, stage):
        self.assertEqual(got.report["stage"], stage)
        self.assertEqual([r["stage"] for r in got.report["recipients"]],
                         [stage] * 2)

    def test_bind(self):
        """--bind is where we come from."""
        with Recorder() as recorder:
            self.check_sent(send(recorder.url, ["a@example.net"], "--bind",
                                 "127.0.0.2"))
            self.assertEqual(recorder.peers[-1][0], "127.0.0.2")
            port = processes.free_port()
            self.check_sent(send(recorder.url, ["a@example.net"], "--bind",
                                 f"127.0.0.3:{port}"))
            self.assertEqual(recorder.peers[-1], ("127.0.0.3", port))
            # TEST-NET-1 (RFC 5737) is nobody's address.
            got = send(recorder.url, ["a@example.net"], "--bind", "192.0.2.1")
            self.check_sent(got, "connect-error", 75)

    def test_message_timeout(self):
        """--message-timeout is the time for everything."""
        with Recorder({"RCPT": "silent"}) as recorder:
            got = send(recorder.url, ["a@example.net"], "--message-timeout",
                       "0.2")
            self.check_sent(got, "timeout", 75)
            self.assertEqual(got.outcomes(), {"a@example.net": "deferred"})
            self.check_sent(send(recorder.url, ["a@example.net"], "--timeout",
                                 "0.2", "--message-timeout", "1000"),
                            "timeout", 75)

    def test_keepalive(self):
        """--keepalive sets TCP's timer."""
        if not os.path.exists("/proc/net/tcp"):
            self.skipTest("there is no /proc/net/tcp")
        for options, wanted in (((), "00"), (("--keepalive", "100"), "02")):
            with Recorder({"MAIL": "silent"}) as recorder:

                def look(recorder=recorder):
                    recorder.wait_for("MAIL")
                    port = recorder.peers[0][1]
                    with open("/proc/net/tcp", encoding="ascii") as lines:
                        # Local address, and which timer runs until when.
                        return [fields[5][:2] for fields in (
                            line.split() for line in lines)
                            if fields[1] == f"0100007F:{port:04X}" and
                            fields[3] == "01"]

                # The timer of what was sent comes first.
                got = client.interrupt(
                    recorder.url, ["a@example.net"], *options,
                    when=lambda: processes.wait_until(
                        lambda: look() == [wanted], 20, look))
                self.check_sent(got, "cancelled", 130)

    def test_hello(self):
        """Without --helo: a name with a dot, or the address literal."""
        with Recorder() as recorder:
            self.check_sent(send(recorder.url, ["a@example.net"]))
            hello = recorder.sessions[0][0]
        self.assertRegex(hello, r"\AEHLO (\[127\.0\.0\.1\]|[!-~]+\.[!-~]+)\Z")


class Arguments(Case):
    """What the arguments mean, and the message's source."""

    def test_good_values(self):
        """Options that change nothing here."""
        for options in (["--tls", "none"], ["--timeout", "0.5e2"],
                        ["--connect-timeout", "2.5"], ["--helo", "[127.0.0.1]"],
                        ["--mail-option", "BODY=8BITMIME"],
                        ["--message-timeout", "60"], ["--in-turn"],
                        ["--progress"], ["--no-progress"],
                        ["--keepalive", "60"]):
            with self.subTest(options):
                self.check_sent(send(smtp(), ["a@example.net"], *options))

    def test_help(self):
        """--help and --version are no errors."""
        tool = client.programs["tool"]
        for args in (["--help"], ["send", "--help"], ["--version"]):
            with self.subTest(args):
                code, out, err = client.run([tool, *args])
                self.assertEqual((code, err), (0, b""))
                self.assertIn(b"uvsmtp", out)

    def test_sources(self):
        """File, standard input, and "-" for it."""
        message = client.HEAD + b"text\r\n"
        with Sink(client.programs["sink"]) as server:
            for how in (((), False), ((), True), (("-",), True)):
                options, stdin = how
                got = send(smtp(server), ["a@example.net"], *options,
                           message=message, stdin=stdin)
                self.check_sent(got)
                self.check_same(server.stored()[-1][0], message)
            self.assertEqual(len(server.stored()), 3)

    def test_envelope(self):
        """Addresses and options reach the server as they are."""
        with Sink(client.programs["sink"]) as server:
            self.check_sent(send(smtp(server), ["a@example.net"],
                                 sender="<in.brackets@example.org>"))
            self.check_sent(send(smtp(server), ["\"a b\"@example.net"],
                                 sender=""))
            got = [envelope for _, envelope in server.stored()]
        self.assertEqual(got[0]["mail_from"], "in.brackets@example.org")
        self.assertEqual((got[1]["mail_from"], got[1]["recipients"]),
                         ("", ["\"a b\"@example.net"]))
        with Recorder() as recorder:
            self.check_sent(send(
                recorder.url, ["a@example.net", "b@example.net"],
                "--mail-option", "RET=HDRS", "--mail-option", "ENVID=QQ",
                "--rcpt-option", "NOTIFY=NEVER", "--no-pipelining"))
            lines = recorder.sessions[0]
        mail = [x for x in lines if x[:4] == "MAIL"]
        self.assertEqual(len(mail), 1)
        self.assertTrue(mail[0].endswith(" RET=HDRS ENVID=QQ"), mail)
        self.assertEqual([x for x in lines if x[:4] == "RCPT"],
                         ["RCPT TO:<a@example.net> NOTIFY=NEVER",
                          "RCPT TO:<b@example.net> NOTIFY=NEVER"])

    def test_signal_while_reading(self):
        """Nothing is sent, and it says so, when the message never ends."""
        for signum in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                client.argv(smtp(), ["a@example.net"], ()),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
            bit = 1 << (signum - 1)
            status = f"/proc/{process.pid}/status"
            caught = 0
            while not caught:  # until it has taken the signal over
                with open(status, encoding="ascii") as lines:
                    caught = bit & next(int(line.split()[1], 16)
                                        for line in lines
                                        if line.startswith("SigCgt"))
            process.send_signal(signum)
            out, err = process.communicate(timeout=client.RUN_TIMEOUT)
            got = client.result(process, out, err)
            self.assertEqual((got.exit, got.report["status"]),
                             (130, "cancelled"))

    def test_signals(self):
        """SIGTERM ends a run as SIGINT does."""
        for signum in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signum), Recorder({"MAIL": "silent"}) as recorder:
                got = client.interrupt(
                    recorder.url, ["a@example.net"], signum=signum,
                    when=lambda recorder=recorder: recorder.wait_for("MAIL"))
                self.check_sent(got, "cancelled", 130)


if __name__ == "__main__":
    client.main()
