# SPDX-License-Identifier: MIT
"""The command line against Dovecot's LMTP server: a verdict for each recipient,
and stored is what was sent. Arguments: TOOL SINK."""
import imaplib
import re

import client
import by_auth
import by_message
import by_tls
from client import MODES, Case
from by_message import Session
from servers import Dovecot, Login

dovecot = None


def setUpModule():
    global dovecot
    server = Dovecot()
    dovecot = server.__enter__()


def tearDownModule():
    if dovecot is not None:
        dovecot.__exit__()


def send(url, recipients, *options, **how):
    """Without TLS, which the server offers."""
    return client.send(url, recipients, "--tls", "none", *options, **how)


def places():
    """The server by TCP and by its Unix socket."""
    return {"TCP": f"lmtp://127.0.0.1:{dovecot.lmtp}", "Unix": dovecot.path}


def ways():
    return [(f"{place}, {mode}", url, options)
            for place, url in places().items()
            for mode, options in MODES.items()]


class Delivery(Case):
    def check_stored(self, user, message):
        raw, = dovecot.stored(user)
        self.check_same(client.stored_text(raw), client.normalised(message))

    def check_two(self, message, url, options, **how):
        """Two recipients; each gets a copy, and a reply of its own."""
        users = [dovecot.user(), dovecot.user()]
        got = send(url, users, *options, message=message, **how)
        self.check_sent(got)
        self.assertEqual([r["address"] for r in got.report["recipients"]],
                         users)
        for r in got.report["recipients"]:
            self.assertEqual((r["outcome"], r["code"], r["enhanced"]),
                             ("accepted", 250, "2.0.0"))
            self.assertIn(f"<{r['address']}>", r["text"])
            self.assertIn("Saved", r["text"])
        for user in users:
            self.check_stored(user, message)
        return got

    def test_large(self):
        """2 MiB for two recipients, in every way."""
        message = client.large(2 << 20, seed=5)
        for name, url, options in ways():
            with self.subTest(name):
                self.check_two(message, url, options)

    def test_huge(self):
        """A message of client.HUGE for two recipients."""
        self.check_two(client.large(client.HUGE, seed=6), dovecot.path, ())

    def test_standard_input(self):
        """A file with LF only, through a pipe."""
        for name, url in places().items():
            with self.subTest(name):
                self.check_two(client.MESSAGES["bare LF"], url, (), stdin=True)

    def test_null_sender(self):
        """The sender of a bounce."""
        for name, url in places().items():
            with self.subTest(name):
                user = dovecot.user()
                self.check_sent(send(url, [user], sender=""))
                raw, = dovecot.stored(user)
                self.assertTrue(raw.startswith(b"Return-Path: <>\n"))

    def test_one_unknown(self):
        """One of two refused at RCPT: one final reply."""
        for name, url, options in ways():
            with self.subTest(name):
                user = dovecot.user()
                got = send(url, ["nobody", user], *options,
                           message=client.MESSAGES["dots"])
                self.check_sent(got, "partial", 67)
                refused, accepted = got.report["recipients"]
                self.assertEqual(
                    (refused["outcome"], refused["stage"], refused["code"],
                     refused["enhanced"]), ("rejected", "RCPT", 550, "5.1.1"))
                self.assertEqual((accepted["outcome"], accepted["code"]),
                                 ("accepted", 250))
                self.assertIn(f"<{user}>", accepted["text"])
                self.check_stored(user, client.MESSAGES["dots"])

    def test_all_unknown(self):
        """Nobody accepted at RCPT: there is no text to send."""
        for name, url, options in ways():
            with self.subTest(name):
                got = send(url, ["nobody", "none"], *options)
                self.check_sent(got, "recipients-refused", 67)
                self.assertEqual(got.codes(), {"nobody": 550, "none": 550})
                self.assertEqual(got.report["outcome"], "rejected")

    def test_final_replies_differ(self):
        """Saved, over quota, broken, unknown: each has its own verdict, in the
        order of the recipients."""
        message = client.HEAD + b"x" * 700 + b"\r\n"
        for name, url, options in ways():
            with self.subTest(name):
                first, last = dovecot.user(), dovecot.user()
                got = send(url, [first, "full", "nobody", "broken", last],
                           *options, message=message)
                self.check_sent(got, "partial", 67)
                self.assertEqual(got.outcomes(), {
                    first: "accepted", "full": "rejected",
                    "nobody": "rejected", "broken": "deferred",
                    last: "accepted"})
                self.assertEqual(got.codes(), {
                    first: 250, "full": 552, "nobody": 550, "broken": 451,
                    last: 250})
                rows = {r["address"]: r for r in got.report["recipients"]}
                self.assertIn("Quota exceeded", rows["full"]["text"])
                self.assertEqual(rows["full"]["enhanced"], "5.2.2")
                self.assertEqual(rows["nobody"]["stage"], "RCPT")
                final = "DOT" if "--no-chunking" in options else "BDAT_LAST"
                self.assertEqual(
                    [rows[a]["stage"] for a in (first, "full", "broken", last)],
                    [final] * 4)
                self.check_stored(first, message)
                self.check_stored(last, message)

    def test_all_final_replies_refuse(self):
        """Accepted at RCPT, refused at the end."""
        message = client.HEAD + b"x" * 700 + b"\r\n"
        for name, url, options in ways():
            with self.subTest(name):
                got = send(url, ["broken", "full"], *options, message=message)
                self.check_sent(got, "data-error", 75)
                self.assertEqual(got.report["outcome"], "deferred")
                self.assertEqual(got.outcomes(),
                                 {"broken": "deferred", "full": "rejected"})
                self.assertEqual(got.codes(), {"broken": 451, "full": 552})
                got = send(url, ["full"], *options, message=message)
                self.check_sent(got, "data-error", 69)

    def test_same_recipient_twice(self):
        """Each RCPT counts, even for one address (RFC 2033 4.2)."""
        for name, url, options in ways():
            with self.subTest(name):
                user = dovecot.user()
                got = send(url, [user, user], *options)
                self.check_sent(got)
                self.assertEqual(
                    [r["outcome"] for r in got.report["recipients"]],
                    ["accepted", "accepted"])

    def test_hundred_recipients(self):
        """A hundred final replies."""
        users = [dovecot.user() for _ in range(100)]
        got = send(dovecot.path, users, message=client.MESSAGES["dots"])
        self.check_sent(got)
        self.assertEqual(got.outcomes(), dict.fromkeys(users, "accepted"))
        for r in got.report["recipients"]:
            self.assertIn(f"<{r['address']}>", r["text"])
        self.check_stored(users[-1], client.MESSAGES["dots"])

    def test_smtp_spoken_to_lmtp(self):
        """An SMTP client at an LMTP server: EHLO and HELO are refused."""
        for where in (f"smtp://127.0.0.1:{dovecot.lmtp}",
                      f"smtp:{dovecot.path}"):
            with self.subTest(where):
                got = send(where, ["user0"])
                self.assertEqual((got.status, got.exit), ("helo-error", 69))
                self.assertEqual(got.report["stage"], "HELO")


@client.add_tests(Delivery, "stored", {
    f"{name}, {mode}": (message, options)
    for name, message in client.MESSAGES.items()
    for mode, options in MODES.items()})
def stored(case, message, options):
    for name, url in places().items():
        with case.subTest(name):
            case.check_two(message, url, options)


class Tls(by_tls.Tests):
    """The same by TLS."""

    def setUp(self):
        self.server = dovecot


class Messages(by_message.Tests):
    """What is said of a message."""

    def setUp(self):
        self.server = dovecot


class Auth(by_auth.Tests):
    """Those who log in."""

    def setUp(self):
        self.server = dovecot

    def test_too_many(self):
        """The submission server takes three recipients at a time. In a group
        it would relay to the first of those that it refuses, too."""
        addresses = [f"{dovecot.user()}@example.test" for _ in range(8)]
        way = dovecot.logins()["submission"]
        with Session(dovecot, way, credentials=self.first()) as s:
            answer = s.got("message", {
                "from": client.SENDER, "to": addresses, "text": "x\n",
                "flags": by_message.NO_PIPELINING})
        self.assertEqual([row[:3] for row in answer["recipients"]],
                         [[address, "OK", "accepted"] for address in addresses])
        came = [envelope["recipients"] for _, envelope in dovecot.relay.stored()
                if envelope["recipients"][0] in addresses]
        self.assertEqual(came, [addresses[i:i + 3] for i in range(0, 8, 3)])

    def url(self, text):
        """Puts a message into the mailbox of who logs in first; an IMAP URL by
        which they may send it (RFC 4467)."""
        user, password = self.first().values()
        imap = imaplib.IMAP4("127.0.0.1", dovecot.port["imap"])
        with imap:
            imap.login(user, password)
            _, (said,) = imap.append("INBOX", None, None, text)
            uid = re.search(rb"APPENDUID \d+ (\d+)", said).group(1).decode()
            _, (said,) = imap.xatom(
                "GENURLAUTH", f'"imap://{user}@mx.example.test/INBOX/;UID='
                f'{uid};URLAUTH=submit+{user}"', "INTERNAL")
            _, (said,) = imap.response("GENURLAUTH")
        return said.decode().strip('"')

    def test_by_url(self):
        """The server fetches pieces of a message by itself (RFC 4468)."""
        box = dovecot.user()
        first = self.url(b"Subject: x\r\n\r\n")
        last = self.url(b"from the store\r\n")
        with Session(dovecot, Login(dovecot.lmtp, "none", lmtp=True)) as s:
            s.got("mail", client.SENDER, [])
            self.assertEqual(s.ask("burl", first, True)["error"],
                             "ENOTSUPPORTED")
        way = dovecot.logins()["submission"]
        with Session(dovecot, way, credentials=self.first()) as s:
            s.got("hello")
            forged = first[:-1] + ("1" if first[-1] == "0" else "0")
            for url, good in (forged, False), (first, True):
                s.got("mail", client.SENDER, [])
                s.got("rcpt", f"{box}@example.test", [])
                answer = s.ask("burl", url, False)
                self.assertEqual(answer["error"], "OK" if good else "EDATA")
                if not good:
                    self.assertEqual(answer["reply"][0], 554)
                    s.got("rset")
            answer = s.got("burl", last, True)
            self.assertEqual(answer["outcome"], "accepted")
            self.assertTrue(dovecot.arrived(box).endswith(
                b"\r\nSubject: x\r\n\r\nfrom the store\r\n"))


if __name__ == "__main__":
    client.main()
