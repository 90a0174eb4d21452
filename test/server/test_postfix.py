# SPDX-License-Identifier: MIT
"""The command line against Postfix: what it stored is what was sent, and what
it refused is reported. Arguments: TOOL SINK."""
import functools
import socket
import time
import unittest

import client
import processes
import by_auth
import by_message
import by_tls
from client import MODES, Case, send
from recorder import CLOSE, DRIP, SILENT, Recorder
from servers import BOOKS, Dovecot, Postfix, Secured

postfix = None


def setUpModule():
    global postfix
    server = Postfix()
    postfix = server.__enter__()


def tearDownModule():
    if postfix is not None:
        postfix.__exit__()


def url(port=None, host="127.0.0.1"):
    return f"smtp://{host}:{port or postfix.smtp}"


class Delivery(Case):
    """Stored equals sent."""

    def deliver(self, message, *options, host="127.0.0.1", port=None,
                stdin=False, sender=client.SENDER):
        user = postfix.user()
        address = f"{user}@example.test"
        got = send(url(port, host), [address], *options, message=message,
                   stdin=stdin, sender=sender)
        self.check_sent(got)
        self.assertEqual(got.outcomes(), {address: "accepted"})
        self.assertEqual(got.report["outcome"], "accepted")
        self.assertIn("queued as", got.report["reply"]["text"])
        if port != postfix.legacy:
            self.assertEqual(got.report["bytes"],
                             client.wire_octets(message, options))
        raw, = postfix.stored(user)
        self.check_same(client.stored_text(raw), client.headed(message))
        return raw

    def test_large(self):
        """5 MiB in lines of random length, in every mode."""
        message = client.large(5 << 20, seed=1)
        for name, options in MODES.items():
            with self.subTest(name):
                self.deliver(message, *options)

    def test_large_crlf(self):
        """The same with CRLF in the file, which can be sent as it is."""
        message = client.on_the_wire(client.large(5 << 20, seed=2))
        for name, options in MODES.items():
            with self.subTest(name):
                self.deliver(message, *options)

    def test_huge(self):
        """A message of client.HUGE."""
        self.deliver(client.large(client.HUGE, seed=6))

    def test_one_very_long_line(self):
        """A line of 40,000 octets stays one line: we don't fold."""
        message = client.HEAD + b"." * 40000 + b"\r\n"
        for name, options in MODES.items():
            with self.subTest(name):
                self.deliver(message, *options)

    def test_standard_input(self):
        """A file with LF only, through a pipe."""
        self.deliver(client.MESSAGES["bare LF"], stdin=True)
        self.deliver(client.large(1 << 20, seed=3), "-", stdin=True)

    def test_legacy(self):
        """A server whose EHLO offers nothing."""
        for name, message in client.MESSAGES.items():
            with self.subTest(name):
                self.deliver(message, port=postfix.legacy)

    def test_ipv6(self):
        """By IPv6."""
        if not postfix.ipv6:
            self.skipTest("this machine has no ::1")
        for name, options in MODES.items():
            with self.subTest(name):
                raw = self.deliver(client.MESSAGES["dots"], *options,
                                      host="[::1]")
                self.assertIn(b"[IPv6:::1]", raw)

    def test_name(self):
        """By a name that has to be looked up."""
        self.deliver(client.MESSAGES["plain"], host="localhost")

    def test_null_sender(self):
        """The sender of a bounce."""
        raw = self.deliver(client.MESSAGES["plain"], sender="")
        self.assertTrue(raw.startswith(b"Return-Path: <>\n"))

    def test_hello_name(self):
        """--helo is the name that the server notes."""
        raw = self.deliver(client.MESSAGES["plain"], "--helo",
                              "client.example.org")
        self.assertIn(b"Received: from client.example.org (", raw)

    def test_two_recipients(self):
        """One transaction, two copies."""
        users = [postfix.user(), postfix.user()]
        addresses = [f"{user}@example.test" for user in users]
        got = send(url(), addresses, message=client.MESSAGES["dots"])
        self.check_sent(got)
        self.assertEqual([r["address"] for r in got.report["recipients"]],
                         addresses)
        for user in users:
            raw, = postfix.stored(user)
            self.check_same(client.stored_text(raw),
                            client.headed(client.MESSAGES["dots"]))

    def test_hundred_recipients(self):
        """A pipelined group that is larger than a segment."""
        known = [f"{postfix.user()}@example.test" for _ in range(50)]
        unknown = [f"nouser+{n}@example.test" for n in range(50)]
        mixed = [a for pair in zip(known, unknown) for a in pair]
        got = send(url(), mixed)
        self.check_sent(got, "partial", 67)
        self.assertEqual(got.outcomes(), {
            **dict.fromkeys(known, "accepted"),
            **dict.fromkeys(unknown, "rejected")})
        for address in known:
            postfix.stored(address.split("@")[0])


@client.add_tests(Delivery, "stored", {
    f"{name}, {mode}": (message, options)
    for name, message in client.MESSAGES.items()
    for mode, options in MODES.items()})
def stored(case, message, options):
    case.deliver(message, *options)


def each_mode(function):
    @functools.wraps(function)
    def test(self):
        for name, options in MODES.items():
            with self.subTest(name):
                function(self, options)

    return test


class Refusal(Case):
    """What Postfix refuses, in every mode."""

    def send(self, recipients, options, **how):
        return send(url(how.pop("port", None)),
                    [f"{r}@example.test" for r in recipients], *options, **how)

    @each_mode
    def test_one_of_two(self, options):
        """One recipient refused, one accepted: partial."""
        user = postfix.user()
        got = self.send(["nouser", user], options)
        self.check_sent(got, "partial", 67)
        refused, accepted = got.report["recipients"]
        self.assertEqual(
            (refused["outcome"], refused["stage"], refused["code"],
             refused["enhanced"]), ("rejected", "RCPT", 550, "5.1.1"))
        self.assertIn("No such user here", refused["text"])
        self.assertEqual(
            (accepted["outcome"], accepted["code"], accepted["enhanced"]),
            ("accepted", 250, "2.0.0"))
        self.assertEqual(len(postfix.stored(user)), 1)

    @each_mode
    def test_all(self, options):
        """Every recipient refused, at least one for good."""
        got = self.send(["nouser", "policy", "tempfail"], options)
        self.check_sent(got, "recipients-refused", 67)
        self.assertEqual(list(got.codes().values()), [550, 554, 450])
        self.assertEqual(list(got.outcomes().values()),
                         ["rejected", "rejected", "deferred"])

    @each_mode
    def test_all_for_now(self, options):
        """Every recipient refused, all of them for now."""
        got = self.send(["tempfail"], options)
        self.check_sent(got, "recipients-refused", 75)
        self.assertEqual(list(got.codes().values()), [450])
        self.assertEqual(got.report["outcome"], "deferred")

    @each_mode
    def test_one_for_now(self, options):
        """One accepted, one refused for now."""
        user = postfix.user()
        got = self.send([user, "tempfail"], options)
        self.check_sent(got, "partial", 67)
        self.assertEqual(list(got.outcomes().values()),
                         ["accepted", "deferred"])
        self.assertEqual(len(postfix.stored(user)), 1)

    @each_mode
    def test_closing(self, options):
        """421 in the middle: nothing was delivered, so nobody was accepted."""
        user = postfix.user()
        got = self.send([user, "closing", user], options)
        self.assertEqual(got.exit, 75, got.report)
        self.assertEqual(
            [r["outcome"] for r in got.report["recipients"]],
            ["deferred", "deferred", "not-attempted"], got.report)
        self.assertEqual(got.report["recipients"][1]["code"], 421)

    @each_mode
    def test_sender(self, options):
        """The sender refused."""
        got = self.send([postfix.user()], options,
                        sender="badsender@example.org")
        self.check_sent(got, "sender-refused", 69)
        self.assertEqual(got.report["stage"], "MAIL")
        self.assertEqual(got.report["reply"]["code"], 550)
        self.assertEqual(got.report["reply"]["enhanced"], "5.7.1")
        self.assertEqual(got.report["outcome"], "rejected")

    @each_mode
    def test_sender_for_now(self, options):
        """The sender refused for now."""
        got = self.send([postfix.user()], options,
                        sender="tempsender@example.org")
        self.check_sent(got, "sender-refused", 75)
        self.assertEqual(got.report["outcome"], "deferred")

    @each_mode
    def test_content(self, options):
        """The text refused."""
        got = self.send(["spam"], options)
        self.check_sent(got, "data-error", 69)
        self.assertEqual(got.report["reply"]["code"], 550)
        self.assertIn(got.report["stage"], ("DOT", "BDAT_LAST"))
        self.assertEqual(list(got.outcomes().values()), ["rejected"])

    @each_mode
    def test_content_for_now(self, options):
        """The text refused for now."""
        got = self.send(["datatemp"], options)
        self.check_sent(got, "data-error", 75)
        self.assertEqual(got.report["reply"]["code"], 451)
        self.assertEqual(list(got.outcomes().values()), ["deferred"])

    @each_mode
    def test_too_large(self, options):
        """A text that is larger than the SIZE that the server offers."""
        got = self.send([postfix.user()], options, port=postfix.small,
                        message=client.large(70000, seed=4))
        self.assertEqual(got.exit, 69, got.report)
        self.assertEqual(got.report["outcome"], "rejected")
        self.assertIn(got.status, ("sender-refused", "not-supported"))

    @each_mode
    def test_unknown_parameter(self, options):
        """--mail-option and --rcpt-option reach the server as they are."""
        got = self.send([postfix.user()],
                        [*options, "--mail-option", "XNONSENSE=1"])
        self.check_sent(got, "sender-refused", 69)
        self.assertEqual(got.report["reply"]["code"], 555)
        got = self.send([postfix.user()],
                        [*options, "--rcpt-option", "XNONSENSE=1"])
        self.check_sent(got, "recipients-refused", 67)
        self.assertEqual(list(got.codes().values()), [555])
        got = self.send([postfix.user()],
                        [*options, "--mail-option", "RET=HDRS",
                         "--mail-option", "ENVID=one",
                         "--rcpt-option", "NOTIFY=FAILURE"])
        self.check_sent(got)


class Trouble(Case):
    """Servers that aren't there, say nothing, or leave."""

    def test_connection_refused(self):
        """Nobody listens."""
        with processes.closed_port() as s:
            got = send(url(s.getsockname()[1]), ["a@example.test"])
        self.check_sent(got, "connect-error", 75)
        self.assertEqual(got.report["stage"], "CONNECT")
        self.assertIsNone(got.report["reply"])
        self.assertIn("refused", got.report["error"])
        self.assertEqual(got.outcomes(), {"a@example.test": "deferred"})

    def test_no_such_socket(self):
        """A Unix socket that isn't there."""
        got = send("/nonexistent/lmtp.sock", ["a@example.test"])
        self.check_sent(got, "connect-error", 75)

    def test_unknown_host(self):
        """A name that stands for nothing (RFC 6761 6.4)."""
        try:
            socket.getaddrinfo("host.invalid", 25)
            self.skipTest("the resolver of this machine knows every name")
        except socket.gaierror:
            pass  # unknown, or there is no resolver: that counts as unknown too
        got = send("smtp://host.invalid", ["a@example.test"])
        self.check_sent(got, "unknown-host", 68)

    def silence(self, when, reply=SILENT):
        """A timeout, in bounded time: the deadline is a second, and even a busy
        machine needs no twenty."""
        with Recorder({when: reply}) as recorder:
            start = time.monotonic()
            got = send(recorder.url, ["a@example.test"], "--timeout", "1",
                       "--no-chunking")
            took = time.monotonic() - start
        self.assertGreater(took, 0.9)
        self.assertLess(took, 20)
        return got

    def test_timeout_greeting(self):
        """A server that accepts the connection and says nothing."""
        got = self.silence("GREETING")
        self.check_sent(got, "timeout", 75)
        self.assertEqual(got.outcomes(), {"a@example.test": "deferred"})

    def test_timeout_dripping(self):
        """A reply that never ends: the deadline is that of all of it."""
        self.check_sent(self.silence("GREETING", DRIP), "timeout", 75)
        self.check_sent(self.silence("MAIL", DRIP), "timeout", 75)

    def test_timeout_mail(self):
        """Silence after MAIL."""
        self.check_sent(self.silence("MAIL"), "timeout", 75)

    def test_timeout_final(self):
        """Silence after the text: nobody knows."""
        got = self.silence("DOT")
        self.check_sent(got, "delivery-unknown", 70)
        self.assertEqual(got.outcomes(), {"a@example.test": "unknown"})

    def test_lost_after_the_text(self):
        """The server is gone right after the end of the text."""
        for options in ((), ("--no-pipelining",)):
            with self.subTest(options), Recorder({"DOT": CLOSE}) as recorder:
                got = send(recorder.url, ["a@example.test"], *options)
                self.check_sent(got, "delivery-unknown", 70)
                self.assertEqual(got.report["outcome"], "unknown")
                self.assertEqual(got.outcomes(), {"a@example.test": "unknown"})
        with Recorder({"DOT": CLOSE},
                      extensions=("PIPELINING", "CHUNKING")) as recorder:
            got = send(recorder.url, ["a@example.test"])
            self.check_sent(got, "delivery-unknown", 70)
            self.assertEqual(got.report["stage"], "BDAT_LAST")

    def test_lost_earlier(self):
        """The server is gone before the text could be sent."""
        for when in ("GREETING", "EHLO", "MAIL", "RCPT", "DATA"):
            with self.subTest(when), Recorder({when: CLOSE}) as recorder:
                got = send(recorder.url, ["a@example.test"])
                self.assertIn(got.status, ("disconnected", "connect-error"))
                self.assertEqual(got.exit, 75)
                self.assertEqual(got.outcomes(),
                                 {"a@example.test": "deferred"})

    def test_greeting(self):
        """421 as the greeting, 554 as the greeting."""
        with Recorder({"GREETING": "421 4.3.2 busy !close"}) as recorder:
            got = send(recorder.url, ["a@example.test"])
            self.check_sent(got, "connect-error", 75)
            self.assertEqual(got.report["reply"]["code"], 421)
        with Recorder({"GREETING": "554 5.3.2 no mail here"}) as recorder:
            got = send(recorder.url, ["a@example.test"])
            self.check_sent(got, "connect-error", 69)
            self.assertEqual(got.report["reply"],
                             {"code": 554, "enhanced": "5.3.2",
                              "text": "5.3.2 no mail here"})

    def test_nonsense(self):
        """Not a reply."""
        with Recorder({"EHLO": "hello yourself"}) as recorder:
            got = send(recorder.url, ["a@example.test"])
            self.check_sent(got, "protocol-error", 76)

    def test_interrupt(self):
        """Ctrl-C while the server is silent ends at once, with a report."""
        for when in ("GREETING", "EHLO", "MAIL", "RCPT", "DATA"):
            with self.subTest(when), Recorder({when: SILENT}) as recorder:
                got = client.interrupt(
                    recorder.url, ["a@example.test"], "--no-pipelining",
                    when=lambda when=when, recorder=recorder:
                    recorder.wait_for("" if when == "GREETING" else when))
                self.check_sent(got, "cancelled", 130)
                self.assertIn(list(got.outcomes().values()),
                              (["deferred"], ["not-attempted"]))

    def test_interrupt_at_the_end(self):
        """Ctrl-C while the verdict is awaited: it may have been delivered."""
        with Recorder({"DOT": SILENT}) as recorder:
            got = client.interrupt(
                recorder.url, ["a@example.test"],
                when=recorder.wait_for_text)
            self.check_sent(got, "delivery-unknown", 70)
            self.assertEqual(got.outcomes(), {"a@example.test": "unknown"})


class Tls(by_tls.Tests):
    """The same by TLS."""

    def setUp(self):
        self.server = postfix

    def test_own_certificate(self):
        """A server that wants to know who sends: Postfix completes the
        handshake all the same, and then says no."""
        way = Secured(postfix.port["acquainted"])
        user = postfix.user()
        got = self.send(way, [user])
        self.check_sent(got, "helo-error", 75)
        self.assertEqual(got.report["reply"]["code"], 421)
        self.check_tls(got.report["tls"], name="localhost")
        cert, key = postfix.client
        self.check_sent(self.send(way, [user], "--cert", cert, "--key", key))
        raw, = postfix.stored(user)
        self.assertIn(b'(Client CN "somebody", Issuer "Test authority" '
                      b"(verified OK))", raw)

    def test_required_there(self):
        """The server takes nothing before STARTTLS, and says so."""
        port = postfix.port["required"]
        got = send(url(port), [f"{postfix.user()}@example.test"], "--tls",
                   "none")
        self.check_sent(got, "sender-refused", 69)
        self.assertEqual(got.report["reply"]["code"], 530)

    def test_both_wait(self):
        """Clear text at a port where TLS is the first thing: both sides wait,
        and the deadline ends it."""
        got = send(url(postfix.port["smtps"]), ["a@example.test"], "--timeout",
                   "1")
        self.check_sent(got, "timeout", 75)
        self.assertEqual(got.report["stage"], "GREETING")


class Messages(by_message.Tests):
    """What is said of a message."""

    def setUp(self):
        self.server = postfix

    def reports(self, s, to, **params):
        """What comes back of a message: for each report who is in it, with what
        became of the message and whom it was for, and the report."""
        sender = self.box()
        answer = s.ask("message", {
            "from": sender[1], "to": to, "text": "Subject: x\n\nis back\n",
            "params": {"envid": "one", **params}})
        self.check_accepted(answer)
        found = []
        for report in postfix.stored(sender[0], 2):
            ours, *theirs = by_message.delivery_status(report)
            self.assertEqual(ours["original-envelope-id"], "one")
            found.append(([(block["action"], block["original-recipient"])
                           for block in theirs], report))
        return sorted(found)

    def test_some_reports(self):
        """Each recipient with a wish of its own, two of which are for a
        report; and what that has of the message."""
        _, good = self.boxes(2)
        bad = [f"{name}@gone.test" for name in ("one", "two", "three")]
        to = [{"address": address, "notify": notify} for address, notify in zip(
            good + bad, (by_message.SUCCESS, by_message.NEVER,
                         by_message.FAILURE, by_message.NEVER,
                         by_message.SUCCESS))]
        with self.session("smtp") as s:
            for ret in by_message.RET_FULL, by_message.RET_HDRS:
                (done, _), (failed, report) = self.reports(s, to, ret=ret)
                self.assertEqual(done, [("delivered", f"rfc822;{good[0]}")])
                self.assertEqual(failed, [("failed", f"rfc822;{bad[0]}")])
                self.assertEqual(b"is back" in report,
                                 ret == by_message.RET_FULL)

    def test_utf8_reports(self):
        """Whom a message was for, in UTF-8 (RFC 6533 3)."""
        box = postfix.user()
        address = f"{box}ü@{BOOKS}"
        to = [{"address": address, "orcpt": address},
              {"address": "one@gone.test", "orcpt": "grüße+=@example.test"}]
        with self.session("smtp") as s:
            found = self.reports(s, to, notify=by_message.SUCCESS |
                                 by_message.FAILURE)
        self.assertEqual([rows for rows, _ in found], [
            [("delivered", f"utf-8;{address}")],
            [("failed", "utf-8;grüße+=@example.test")]])

    def test_too_many_for_all(self):
        """What would need further transactions is nothing."""
        _, addresses = self.boxes(4)
        with self.session("few") as s:
            answer = self.message(s, addresses,
                                  flags=by_message.ALL_OR_NOTHING)
            self.assertEqual((answer["error"], answer["outcome"]),
                             ("ERECIPIENTS", "deferred"), answer)
            self.assertEqual([row[2] for row in answer["recipients"]],
                             ["deferred"] * 4)
            self.check_accepts(s)
            self.assertEqual(len(s.sent("BDAT")), 1)

    def test_too_large(self):
        """More than the server says that it takes."""
        with self.session("small") as s:
            self.check_refused(s, "ENOTSUPPORTED", "EMSGSIZE",
                               [self.box()[1]], "x" * 70 * 1000)
            self.check_accepts(s)


class Auth(by_auth.Tests):
    """Those who log in: Postfix asks Dovecot about them."""

    @classmethod
    def setUpClass(cls):
        cls.server = postfix
        dovecot = Dovecot().__enter__()
        # Not before Postfix has ended, which does not let go of it.
        unittest.addModuleCleanup(dovecot.stop)
        postfix.ask(dovecot)

    def test_another(self):
        """Who becomes another client has to log in again, and does."""
        way, who = postfix.logins()["clear"], self.first()
        with by_message.Session(postfix, way, credentials=who) as s:
            self.check_sends(s, who["user"])
            s.got("xclient", [["ADDR", "192.0.2.7"],
                              ["NAME", "spike.example.com"]])
            self.check_sends(s, who["user"])
            self.assertEqual(len(s.tried()), 2)
            self.assertRegex(s.logged(), rb"client=spike\.example\.com"
                             rb"\[192\.0\.2\.7\], sasl_method=")

    def test_submitter(self):
        """AUTH= of MAIL says who has submitted a message (RFC 4954 5)."""
        way = postfix.logins()["submission"]
        with by_message.Session(postfix, way, credentials=self.first()) as s:
            for auth, sent in (("a=b+c@example.test", "a+3Db+2Bc@example.test"),
                               ("", "<>")):
                answer = s.got("message", {
                    "from": client.SENDER, "text": by_message.ASCII,
                    "to": [f"{postfix.user()}@example.test"],
                    "params": {"auth": auth}})
                self.assertEqual(answer["outcome"], "accepted")
                self.assertIn(f"AUTH={sent}", s.sent("MAIL")[-1].split(" "))
                # It says who that was, but not that nobody knows.
                if auth:
                    self.assertIn(f"sasl_sender={sent}\n".encode(), s.logged())


if __name__ == "__main__":
    client.main()
