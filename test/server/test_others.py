# SPDX-License-Identifier: MIT
"""The command line against a server of others.py: stored is what was sent, and
who was refused is told so. Arguments: NAME TOOL SINK, the name in SERVERS."""
import functools
import re
import smtplib
import sys

import client
import by_auth
import by_message
import others
import by_tls
from client import SHORT, Case, send

MESSAGES = {
    **client.MESSAGES,
    "NUL": client.HEAD + b"one\0two\r\nthree\r\n",
    "a very long line": client.HEAD + b"." + b"x" * 40000 + b"\r\n",
}

# A class of others.py, and an instance while the tests run.
kind = None
server = None


def setUpModule():
    global server
    starting = kind()
    server = starting.__enter__()


def tearDownModule():
    if server is not None:
        server.__exit__()


def each(function):
    """Lets a function be called for every way to the server in every mode, or
    in the first, each time as a subtest, with the way and the options."""

    @functools.wraps(function)
    def test(self, *arguments):
        for name, way in server.ways().items():
            modes = list(way.modes.items())
            for mode, options in modes[:1] if SHORT else modes:
                with self.subTest(f"{name}, {mode}"):
                    function(self, *arguments, way, options)

    return test


def by_smtplib(protocol, port):
    """A session that needs no DNS for its name."""
    return protocol("127.0.0.1", port, "[127.0.0.1]",
                    timeout=client.RUN_TIMEOUT)


class Tests(Case):
    """What the tests have in common."""

    def send(self, url, users, options=(), **how):
        how.setdefault("sender", server.SENDER)
        return send(url, [server.address(user) for user in users],
                    *server.CLEAR, *options, **how)

    def check_accepted(self, got, users):
        self.check_sent(got)
        self.assertEqual(got.report["outcome"], "accepted")
        self.assertEqual(
            [(r["address"], r["outcome"], r["code"])
             for r in got.report["recipients"]],
            [(server.address(user), "accepted", 250) for user in users])

    def check_stored(self, user, message):
        raw, = server.stored(user)
        self.check_same(server.text_of(raw), server.wanted(message))
        return raw

    def deliver(self, url, message, options=(), count=1, **how):
        """Sends a message that is to arrive, and returns what was stored."""
        users = [server.user() for _ in range(count)]
        got = self.send(url, users, options, message=message, **how)
        self.check_accepted(got, users)
        return [self.check_stored(user, message) for user in users]

    @staticmethod
    def last_stage(way, options):
        """Where a text ends."""
        chunks = way.modes is client.MODES and "--no-chunking" not in options
        return "BDAT_LAST" if chunks else "DOT"

    def check_row(self, row, refusal, stage):
        """What the report says of a recipient who was refused."""
        self.assertEqual(
            (row["outcome"], row["stage"], row["code"], row["enhanced"]),
            (refusal.outcome, stage, refusal.code, refusal.enhanced))
        self.assertIn(refusal.text, row["text"])


class Delivery(Tests):
    """Stored equals sent."""

    @each
    def test_several(self, way, options):
        """Three recipients, a copy each."""
        self.deliver(way.url, MESSAGES["dots"], options, count=3)

    def test_hundred(self):
        """More recipients than go into a segment."""
        way = next(iter(server.ways().values()))
        self.deliver(way.url, MESSAGES["plain"], count=100)

    @each
    def test_null_sender(self, way, options):
        """The sender of a bounce."""
        raw, = self.deliver(way.url, MESSAGES["plain"], options, sender="")
        self.assertRegex(raw, server.NULL_SENDER)

    def test_other_sender(self):
        """No message but one with the null sender looks like that."""
        way = next(iter(server.ways().values()))
        raw, = self.deliver(way.url, MESSAGES["plain"])
        self.assertIsNone(re.match(server.NULL_SENDER, raw))

    def test_large(self):
        """A message of client.HUGE."""
        way = next(iter(server.ways().values()))
        self.deliver(way.url, client.large(client.HUGE, seed=6))

    @each
    def test_standard_input(self, way, options):
        """A file with LF only, through a pipe."""
        self.deliver(way.url, MESSAGES["bare LF"], options, stdin=True)

    def test_old(self):
        """A server that knows HELO only, and one whose EHLO offers nothing."""
        for name in ("legacy", "bare"):
            if name not in server.PORTS:
                continue
            with by_smtplib(smtplib.SMTP, server.port[name]) as session:
                code, _ = session.ehlo()
                self.assertEqual(code == 250, name == "bare")
                self.assertLessEqual(set(session.esmtp_features), {"size"})
            for message in ("dots", "bare LF", "8-bit octets", "no body"):
                with self.subTest(f"{name}, {message}"):
                    self.deliver(server.url(name), MESSAGES[message])

    def text_by_smtplib(self, protocol, port, message):
        """Sends by smtplib; what was stored, or the code of the refusal."""
        user = server.user()
        with by_smtplib(protocol, port) as session:
            try:
                session.sendmail(server.SENDER, [server.address(user)],
                                 client.on_the_wire(message))
            except smtplib.SMTPDataError as error:
                return error.smtp_code
        return server.text_of(server.stored(user)[0])

    def text_by_us(self, url, message):
        user = server.user()
        got = self.send(url, [user], message=message)
        if got.status == "data-error":
            return got.report["reply"]["code"]
        return server.text_of(server.stored(user)[0])

    def test_smtplib(self):
        """What smtplib sends comes to the same."""
        if SHORT:
            self.skipTest("once is enough")
        protocols = [("smtp", smtplib.SMTP)]
        if "lmtp" in server.PORTS:
            protocols.append(("lmtp", smtplib.LMTP))
        for name, protocol in protocols:
            for title, message in MESSAGES.items():
                if title == "empty":
                    continue  # smtplib makes a blank line of that
                with self.subTest(f"{name}, {title}"):
                    theirs = self.text_by_smtplib(
                        protocol, server.port[name], message)
                    ours = self.text_by_us(server.url(name), message)
                    if isinstance(theirs, int):
                        self.assertEqual(ours, theirs)
                    else:
                        self.check_same(ours, theirs)


@client.add_tests(Delivery, "stored", {
    name: (name, message) for name, message in MESSAGES.items()})
@each
def stored(case, name, message, way, options):
    refused = server.REFUSED.get(name)
    if refused is None:
        case.deliver(way.url, message, options)
        return
    got = case.send(way.url, [server.user()], options, message=message)
    case.check_sent(got, "data-error", 69)
    row, = got.report["recipients"]
    case.assertEqual((row["outcome"], row["code"], row["enhanced"]),
                     ("rejected", *refused))


class Refusal(Tests):
    """Recipients and others who are refused."""

    def words(self, final):
        """Those who are refused at the end of the text, or before; but for the
        one who ends the session."""
        return {word: r for word, r in server.WORDS.items()
                if r.final == final and word != "closing"}

    @each
    def test_beside(self, way, options):
        """One refused between two who are not."""
        for word, refusal in self.words(final=False).items():
            users = [server.user(), word, server.user()]
            got = self.send(way.url, users, options,
                            message=MESSAGES["dots"])
            self.check_sent(got, "partial", 67)
            self.assertEqual(
                [r["outcome"] for r in got.report["recipients"]],
                ["accepted", refusal.outcome, "accepted"])
            self.check_row(got.report["recipients"][1], refusal, "RCPT")
            for user in users[::2]:
                self.check_stored(user, MESSAGES["dots"])

    @each
    def test_all(self, way, options):
        """All refused, some for good."""
        words = self.words(final=False)
        got = self.send(way.url, words, options)
        self.check_sent(got, "recipients-refused", 67)
        for row, refusal in zip(got.report["recipients"], words.values()):
            self.check_row(row, refusal, "RCPT")

    @each
    def test_all_for_now(self, way, options):
        """All refused for now."""
        words = {word: r for word, r in self.words(final=False).items()
                 if r.code < 500}
        if not words:
            self.skipTest("no such recipients")
        got = self.send(way.url, words, options)
        self.check_sent(got, "recipients-refused", 75)
        self.assertEqual(got.report["outcome"], "deferred")
        self.assertEqual(set(got.outcomes().values()), {"deferred"})

    @each
    def test_closing(self, way, options):
        """421 in the middle: nothing was delivered, so nobody was accepted."""
        refusal = server.WORDS.get("closing")
        if refusal is None:
            self.skipTest("no such recipient")
        user = server.user()
        got = self.send(way.url, [user, "closing", "nouser"], options)
        self.assertEqual(got.exit, 75, got.report)
        first, second, third = got.report["recipients"]
        self.assertEqual(first["outcome"], "deferred")
        self.check_row(second, refusal, "RCPT")
        self.assertEqual(third["outcome"], "not-attempted")

    @each
    def test_sender(self, way, options):
        """The sender refused, for good and for now."""
        if not server.SENDERS:
            self.skipTest("no such senders")
        for sender, refusal in server.SENDERS.items():
            got = self.send(way.url, [server.user()] * 2, options,
                            sender=f"{sender}@example.org")
            self.check_sent(got, "sender-refused",
                            75 if refusal.code < 500 else 69)
            for row in got.report["recipients"]:
                self.check_row(row, refusal, "MAIL")

    @each
    def test_at_the_end(self, way, options):
        """Refused at the end of the text: by SMTP it is all of them, by LMTP
        each has a verdict (RFC 2033 4.2)."""
        words = self.words(final=True)
        if not words:
            self.skipTest("no such recipients")
        user = server.user()
        got = self.send(way.url, [user, *words], options)
        rows = got.report["recipients"]
        stage = self.last_stage(way, options)
        if way.lmtp:
            self.check_sent(got, "partial", 67)
            for row, refusal in zip(rows[1:], words.values()):
                self.check_row(row, refusal, stage)
            self.assertEqual((rows[0]["outcome"], rows[0]["stage"]),
                             ("accepted", stage))
            self.assertIn(f"<{server.address(user)}>", rows[0]["text"])
            self.assertEqual(len(server.stored(user)), 1)
        else:
            refusal, = [r for r in words.values()
                        if r.code == got.report["reply"]["code"]]
            self.check_sent(got, "data-error",
                            75 if refusal.code < 500 else 69)
            for row in rows:
                self.check_row(row, refusal, stage)

    def test_too_large(self):
        """A text that is larger than the SIZE that the server offers."""
        small = "small" in server.PORTS
        limit = others.SMALL if small else others.SIZE_MIB << 20
        message = client.HEAD + (b"x" * 70 + b"\r\n") * (limit // 72)
        self.assertGreater(len(message), limit)
        self.assertLess(len(message), limit + 100)
        url = server.url("small" if small else "smtp")
        got = self.send(url, [server.user()], message=message)
        self.assertEqual((got.exit, got.report["outcome"]), (69, "rejected"),
                         got.report)
        self.assertIn(got.status, ("sender-refused", "not-supported"))
        if small:
            self.deliver(url, message[:-200])


@client.add_tests(Refusal, "word", {word: (word,) for word in others.WORDS})
@each
def word_alone(case, word, way, options):
    """A recipient who is refused, alone."""
    refusal = server.WORDS.get(word)
    if refusal is None:
        case.skipTest("no such recipient")
    status = "data-error" if refusal.final else "recipients-refused"
    exit_status = (75 if refusal.code < 500 else
                   69 if refusal.final else 67)
    got = case.send(way.url, [word], options)
    case.check_sent(got, status, exit_status)
    case.assertEqual(got.report["outcome"], refusal.outcome)
    row, = got.report["recipients"]
    case.check_row(row, refusal, case.last_stage(way, options)
                   if refusal.final else "RCPT")


class Tls(by_tls.Tests):
    """The same by TLS."""

    def setUp(self):
        self.server = server


class Messages(by_message.Tests):
    """What is said of a message."""

    def setUp(self):
        self.server = server


class Auth(by_auth.Tests):
    """Those who log in."""

    def setUp(self):
        self.server = server


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in others.SERVERS:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(others.SERVERS)} TOOL SINK")
    kind = others.SERVERS[sys.argv.pop(1)]
    client.main()
