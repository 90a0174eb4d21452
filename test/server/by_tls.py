# SPDX-License-Identifier: MIT
"""What is tried by TLS with each real server. Its tests have a class that
inherits from Tests and says which server is meant."""
import functools
import os
import re
import smtplib
import socket
import ssl

import client
from certificates import HOST, Authority
from connections import Connections
from processes import have_ipv6, listens, read, scratch

# Messages that would show octets that get lost, or come twice.
MESSAGES = ("plain", "looks like the end", "8-bit octets", "blank lines")
LARGE = (1 if client.SHORT else 5) << 20


@functools.cache
def newest():
    """The latest version that the command line can do."""
    code, _, _ = client.run([client.programs["tool"], "probe", "--tls-min",
                             "1.3", "--timeout", "1", "/nonexistent/socket",
                             "--tls", "implicit", "--insecure"])
    return "TLSv1.2" if code == 64 else "TLSv1.3"


@functools.cache
def stranger():
    """An authority that has vouched for nobody."""
    return Authority(os.path.join(scratch(), "tls")).file


def each(function):
    """Calls a test for every way to send to the server by TLS."""

    @functools.wraps(function)
    def test(self):
        for name, way in self.server.secured().items():
            with self.subTest(way=name):
                function(self, way)

    return test


class Tests(client.Case):
    """Over STARTTLS, which is required, and TLS from the first octet."""
    server = None

    def send(self, way, users, *options, host="localhost", ca=None, **how):
        how.setdefault("sender", self.server.SENDER)
        return client.send(
            way.url(host), [self.server.address(user) for user in users],
            *way.options, "--ca", ca or self.server.ca, *options, **how)

    def check_tls(self, tls, **wanted):
        """What the report says of it, all being well but what is wanted."""
        self.assertIsNotNone(tls)
        wanted = {"established": True, "version": newest(), "resumed": False,
                  "verified": True, "problems": [], "error": None, **wanted}
        self.assertEqual({name: tls[name] for name in wanted}, wanted)
        if not wanted["established"]:
            return
        # Forward secrecy: all of TLS 1.3, and what has ECDHE or DHE.
        self.assertRegex(tls["cipher"], r"\ATLS_(ECDHE_|DHE_|AES_|CHACHA20_)")
        chain = read(self.server.chain).decode()
        self.assertEqual(
            ssl.PEM_cert_to_DER_cert(tls["certificate"]["pem"]),
            ssl.PEM_cert_to_DER_cert(chain))
        self.assertIn(HOST, tls["certificate"]["text"])

    def check_stored(self, user, message, version):
        """The server has it, and says that it came by TLS; version None: that
        it did not."""
        raw, = self.server.stored(user)
        self.check_same(self.server.text_of(raw), self.server.wanted(message))
        said = re.search(self.server.BY_TLS, raw[:2000])
        self.assertEqual(said and "TLSv" + said.group(1).decode(), version)

    def deliver(self, way, message, *options, host="localhost", count=1,
                tls=None, **how):
        """Sends a message that is to arrive. tls: what is known of it, but for
        the name of the host."""
        users = [self.server.user() for _ in range(count)]
        got = self.send(way, users, *options, host=host, message=message,
                        **how)
        self.check_sent(got)
        self.assertEqual(set(got.outcomes().values()), {"accepted"})
        self.check_tls(got.report["tls"],
                       **{"name": host.strip("[]"), **(tls or {})})
        for user in users:
            self.check_stored(user, message, got.report["tls"]["version"])
        return got

    def check_refused(self, way, got, user, stage, **tls):
        """Nothing was sent: the next message is the user's first."""
        self.check_sent(got, "tls-error", 76)
        self.assertEqual(got.report["stage"], stage)
        row, = got.report["recipients"]
        self.assertIn(row["outcome"], ("deferred", "rejected"))
        self.assertEqual((row["code"], got.report["bytes"]), (None, 0))
        if tls:
            self.check_tls(got.report["tls"], established=False,
                           verified=False, error=got.report["tls"]["error"],
                           **tls)
        else:
            self.assertIsNone(got.report["tls"])
        message = client.MESSAGES["plain"]
        self.check_sent(self.send(way, [user], message=message))
        self.check_stored(user, message, newest())

    def first(self):
        """The way for what would be the same by the others."""
        return next(iter(self.server.secured().values()))

    @staticmethod
    def handshake(way):
        return "WRAP" if way.implicit else "HANDSHAKE"

    @each
    def test_names(self, way):
        """Verified by a name, and by addresses."""
        message = client.MESSAGES["plain"]
        for host in ("localhost", "127.0.0.1", "[::1]"):
            if host == "[::1]" and not (have_ipv6() and listens(
                    ("::1", way.port), socket.AF_INET6)):
                continue
            with self.subTest(host):
                self.deliver(way, message, host=host)
        self.deliver(way, message, "--tls-name", HOST, tls={"name": HOST})

    @each
    def test_messages(self, way):
        """Stored equals sent, in few writes and in many."""
        for name in MESSAGES:
            for options in ((), ("--no-chunking", "--no-pipelining")):
                with self.subTest(f"{name}, {options}"):
                    self.deliver(way, client.MESSAGES[name], *options)

    @each
    def test_large(self, way):
        """Many records, for two."""
        self.deliver(way, client.large(LARGE, seed=7), count=2)

    @each
    def test_version(self, way):
        """TLS 1.2, where a later one could be had."""
        self.deliver(way, client.MESSAGES["plain"], "--tls-max", "1.2",
                     tls={"version": "TLSv1.2"})

    @each
    def test_other_authority(self, way):
        """A certificate of somebody whom nobody trusts."""
        user = self.server.user()
        got = self.send(way, [user], ca=stranger())
        self.check_refused(way, got, user, self.handshake(way),
                           version=got.report["tls"]["version"],
                           problems=["unknown-ca"], name="localhost")

    @each
    def test_other_name(self, way):
        """A certificate for another server."""
        names = ("mx.example.org", "127.0.0.2", "example.test")
        for name in names if way == self.first() else names[:1]:
            with self.subTest(name):
                user = self.server.user()
                got = self.send(way, [user], "--tls-name", name)
                self.check_refused(way, got, user, self.handshake(way),
                                   version=got.report["tls"]["version"],
                                   problems=["wrong-name"], name=name)

    @each
    def test_insecure(self, way):
        """Whoever answers is taken for the server, and it is said that nothing
        is known of it."""
        self.deliver(way, client.MESSAGES["plain"], "--insecure",
                     ca=stranger(),
                     tls={"verified": False, "problems": ["unknown-ca"]})

    def test_pin(self):
        """The pins that a probe shows are the ones to be given."""
        way = self.first()
        got = client.probe(way.url(), *way.options, "--ca", self.server.ca)
        certificate = got.report["tls"]["certificate"]
        for pin in (certificate["pin"], certificate["fingerprint"]):
            with self.subTest(pin):
                self.deliver(way, client.MESSAGES["plain"], "--pin", pin)
        user = self.server.user()
        pin = "sha256//" + "A" * 43 + "="
        got = self.send(way, [user], "--pin", pin)
        self.check_refused(way, got, user, self.handshake(way),
                           version=got.report["tls"]["version"],
                           problems=["wrong-pin"], name="localhost")

    @each
    def test_resumption(self, way):
        """Connections of one process: sessions are resumed where the server
        does that, and where it does not nothing is lost by trying."""
        resumed = []
        with Connections(way.lmtp, ca=self.server.ca) as c:
            for _ in range(3):
                tls = c.connect(way.port,
                                "implicit" if way.implicit else "required")
                self.assertEqual((tls["version"], tls["verified"]),
                                 (newest(), True))
                resumed.append(tls["resumed"])
                user = self.server.user()
                c.send(self.server.SENDER, self.server.address(user))
                c.got("quit")
                self.assertRegex(self.server.stored(user)[0],
                                 self.server.BY_TLS)
            stats = c.stats()
            self.assertEqual(
                (stats["full"], stats["resumed"], stats["failed"]),
                (resumed.count(False), resumed.count(True), 0))
            if self.server.RESUMES is not None:
                self.assertEqual(resumed, [False] + [self.server.RESUMES] * 2)

    @each
    def test_starttls(self, way):
        """Secured by a call of its own, as by smtplib: what was said before is
        forgotten on both sides, and what is said then is the same.
        smtplib: 34"""
        if way.implicit:
            return
        protocol = smtplib.LMTP if way.lmtp else smtplib.SMTP
        with protocol("localhost", way.port, "[127.0.0.1]") as theirs, \
                Connections(way.lmtp, ca=self.server.ca) as ours:
            theirs.ehlo()
            ours.got("connect", {"host": "localhost", "port": way.port,
                                 "tls": "none"})
            said = ours.got("ehlo")
            self.assertIn("STARTTLS", said["extensions"])
            self.assertIsNone(said["tls"])
            theirs.starttls(context=ssl.create_default_context(
                cafile=self.server.ca))
            said = ours.got("starttls")
            self.assertEqual(said["reply"][0], 220)
            self.assertEqual((said["tls"]["established"],
                              said["tls"]["verified"]), (True, True))
            self.assertEqual(
                (said["esmtp"], said["ehlo"], said["helo"], said["extensions"]),
                (theirs.does_esmtp, theirs.ehlo_resp, theirs.helo_resp,
                 theirs.esmtp_features))
            theirs.ehlo()
            said = ours.got("ehlo")
            self.assertEqual({name.lower() for name in said["extensions"]},
                             set(theirs.esmtp_features))
            self.assertNotIn("STARTTLS", said["extensions"])
            self.assertEqual(ours.ask("starttls")["error"], "EALREADY")
            user = self.server.user()
            ours.send(self.server.SENDER, self.server.address(user))
            ours.got("quit")
        self.assertRegex(self.server.stored(user)[0], self.server.BY_TLS)

    @each
    def test_recipients(self, way):
        """One who is unknown between two who are not."""
        users = [self.server.user(), self.server.UNKNOWN, self.server.user()]
        message = client.MESSAGES["dots"]
        got = self.send(way, users, message=message)
        self.check_sent(got, "partial", 67)
        self.assertEqual(list(got.codes().values()), [250, 550, 250])
        for user in users[::2]:
            self.check_stored(user, message, newest())

    @each
    def test_verdicts(self, way):
        """By LMTP each recipient has a verdict at the end (RFC 2033 4.2)."""
        if not way.lmtp:
            return
        message = client.HEAD + b"x" * 700 + b"\r\n"
        users = [self.server.user(), *self.server.VERDICTS, self.server.user()]
        self.assertGreater(len(users), 2)
        got = self.send(way, users, message=message)
        self.check_sent(got, "partial", 67)
        self.assertEqual(
            [(r["outcome"], r["code"]) for r in got.report["recipients"]],
            [("accepted", 250), *self.server.VERDICTS.values(),
             ("accepted", 250)])
        for user in (users[0], users[-1]):
            self.check_stored(user, message, newest())

    @each
    def test_opportunistic(self, way):
        """Without a word about TLS it is used where it is offered, whoever
        answers; what is wrong is told all the same."""
        if way.implicit:
            return
        message = client.MESSAGES["plain"]
        for options, verified, problems in (
                (("--ca", self.server.ca), True, []),
                (("--ca", stranger()), False, ["unknown-ca"])):
            user = self.server.user()
            got = client.send(way.url(), [self.server.address(user)], *options,
                              message=message, sender=self.server.SENDER)
            self.check_sent(got)
            self.check_tls(got.report["tls"], verified=verified,
                           problems=problems)
            self.check_stored(user, message, newest())

    def test_none(self):
        """--tls none where STARTTLS is offered."""
        way = self.first()
        user = self.server.user()
        message = client.MESSAGES["plain"]
        got = client.send(way.url(), [self.server.address(user)], "--tls",
                          "none", message=message, sender=self.server.SENDER)
        self.check_sent(got)
        self.assertIsNone(got.report["tls"])
        self.check_stored(user, message, None)

    def test_not_offered(self):
        """Required, and from the first octet, at a server that knows nothing
        of TLS."""
        port = self.server.without_tls()
        if port is None:
            self.skipTest("there is no such port")
        way = self.first()
        address = self.server.address
        user = self.server.user()
        got = client.send(f"smtp://localhost:{port}", [address(user)], "--tls",
                          "required", "--ca", self.server.ca)
        self.check_refused(way, got, user, "STARTTLS")
        self.assertEqual(got.report["outcome"], "deferred")
        user = self.server.user()
        got = client.send(f"smtps://localhost:{port}", [address(user)], "--ca",
                          self.server.ca)
        self.check_refused(way, got, user, "WRAP", version=None,
                           name="localhost")

    def check_probe(self, way):
        got = client.probe(way.url(), *way.options, "--ca", self.server.ca)
        self.check_sent(got)
        report = got.report
        self.check_tls(report["tls"], name="localhost")
        self.assertEqual(report["starttls"], None if way.implicit else True)
        self.assertTrue(report["esmtp"])
        # What it offers is what it said within TLS.
        self.assertNotIn("STARTTLS", report["extensions"])
        self.assertIn("8BITMIME", report["extensions"])
        return got

    @each
    def test_probe(self, way):
        """What a probe says of it."""
        self.check_probe(way)
        got = client.probe(way.url(), *way.options, "--ca", stranger())
        self.check_sent(got, "tls-error", 76)
        self.assertEqual(got.report["stage"], self.handshake(way))
        self.assertEqual(got.report["tls"]["problems"], ["unknown-ca"])

    def test_submission(self):
        """Ports that want to know who sends: with TLS, AUTH is offered, and
        without AUTH nothing is taken."""
        ways = self.server.submission()
        if not ways:
            self.skipTest("there are no such ports")
        for name, way in ways.items():
            with self.subTest(name):
                got = self.check_probe(way)
                self.assertIn("PLAIN", got.report["extensions"]["AUTH"])
                got = self.send(way, [self.server.user()])
                self.check_sent(got, "sender-refused", 69)
                self.assertEqual(got.report["stage"], "MAIL")
                self.check_tls(got.report["tls"], name="localhost")
