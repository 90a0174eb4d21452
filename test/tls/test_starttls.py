# SPDX-License-Identifier: MIT
"""STARTTLS, and those who would rather have none: what is said in clear text
before, beside and instead of it. Arguments: TOOL SINK DRIVER."""
import os
import socket
import threading

import above  # noqa: F401
import client
import dialogue
import peer as peers
import processes
import world
from certs import HOST
from dialogue import EXTENSIONS, Dialogue, implicit
from peer import Over, Server, context
from world import Case, send, tearDownModule  # noqa: F401

PLAIN = ("required", "opportunistic")


def injected(text):
    """220, and more in the same segment; then everything is noted that still
    comes."""

    def reply(peer):
        peer.send(b"220 go ahead\r\n" + text)
        peer.wait()

    return reply


def late(text):
    """220, and more once the client has begun the handshake."""

    def reply(peer):
        peer.say("220 go ahead")
        peer.got += peer.sock.recv(65536)
        peer.send(text)
        peer.wait()

    return reply


class Starttls(Case):
    def ask(self, policy, *options, **plan):
        """A message by the command line: its result, and the server's side."""
        with Server(Dialogue(**plan), context("good")) as server:
            got = send(server, policy, *options)
            peer = server.settle()
            self.assertEqual(len(server.peers), 1)  # it comes once
            return got, peer

    def check_exposed(self, peer, verbs=("EHLO", "STARTTLS", "QUIT", "NOOP")):
        """Nothing else has left in clear text."""
        self.assertLessEqual(set(peer.verbs), set(verbs), peer.lines)

    # ------------------------------------------------------------- granted

    def test_good(self):
        """scenario: 32"""
        for policy in PLAIN:
            got, peer = self.ask(policy)
            self.check_end(got, "ok", "accepted")
            self.assertEqual(peer.verbs[:4],
                             ["EHLO", "STARTTLS", "EHLO", "MAIL"])
            self.assertIn("close_notify", peer.where)
            self.assertEqual(got.report["tls"]["verified"], True)

    def test_forgotten(self):
        """What was offered in clear text is not used within. scenario: 32"""
        got, peer = self.ask("required", clear=(*EXTENSIONS, "CHUNKING",
                                                "STARTTLS"), secure=())
        self.check_end(got, "ok", "accepted")
        self.assertEqual(peer.said[3], "MAIL FROM:<sender@example.org>")
        self.assertNotIn("BDAT", peer.verbs)
        got, peer = self.ask("required", clear=("STARTTLS",),
                             secure=(*EXTENSIONS, "CHUNKING"))
        self.assertIn(" SIZE=", peer.said[3])
        self.assertIn("BDAT", peer.verbs)

    def test_offered_again(self):
        """Within TLS it is ignored. scenario: 34"""
        for policy in PLAIN:
            got, peer = self.ask(policy, secure=(*EXTENSIONS, "STARTTLS"))
            self.check_end(got, "ok", "accepted")
            self.assertEqual(peer.verbs.count("STARTTLS"), 1)
        world.driver().settings()
        with Server(Dialogue(secure=("STARTTLS",)), context("good")) as server:
            got = world.driver().one(world.job(
                server, world.REQUIRED, ("connect", "send", "hello", "send")))
            self.check_status(got, "OK")
            self.assertEqual(server.settle().verbs.count("STARTTLS"), 1)
        with Server(Dialogue(secure=("STARTTLS",)), context("good")) as server:
            got = world.driver().one(world.job(
                server, world.REQUIRED, ("connect", "hello", "starttls")))
            self.check_status(got, "EALREADY")
            self.assertEqual(server.settle().verbs.count("STARTTLS"), 1)

    def test_new_greeting(self):
        """EHLO refused within TLS: HELO may follow there. And 220 before EHLO,
        which no server says, is no reply."""
        got, peer = self.ask("required", replies={
            "EHLO": ["250-mx\r\n250 STARTTLS", "502 not again"]})
        self.check_end(got, "ok", "accepted")
        self.assertEqual(peer.verbs[:5],
                         ["EHLO", "STARTTLS", "EHLO", "HELO", "MAIL"])

    def test_lmtp(self):
        with Server(Dialogue(lmtp=True), context("good")) as server:
            got = send(server, "required", scheme="lmtp")
            self.check_end(got, "ok", "accepted")
            self.assertEqual(server.settle().verbs[:4],
                             ["LHLO", "STARTTLS", "LHLO", "MAIL"])

    # ----------------------------------------------------------- prevented

    def test_no_helo(self):
        """EHLO refused, TLS required: no HELO. scenario: 23"""
        for code, outcome in ((500, "rejected"), (502, "rejected"),
                              (550, "rejected"), (451, "deferred"),
                              (421, "deferred")):
            with self.subTest(code):
                got, peer = self.ask("required",
                                     replies={"EHLO": f"{code} no"})
                self.check_end(got, "helo-error", outcome)
                self.check_exposed(peer)
                self.assertEqual(peer.verbs.count("EHLO"), 1)

    def test_not_offered(self):
        """CVE-2016-0772, CVE-2021-22946, CVE-2021-38502. scenario: 39"""
        for clear in (EXTENSIONS, (), ("XSTARTTLS", "STARTTLSX", "START TLS")):
            got, peer = self.ask("required", clear=clear)
            self.check_end(got, "tls-error", "deferred")
            self.assertEqual(got.report["stage"], "STARTTLS")
            self.check_exposed(peer, ("EHLO", "QUIT"))
            self.assertIsNone(got.report["tls"])
            got, peer = self.ask("opportunistic", clear=clear)
            self.check_end(got, "ok", "accepted")
            self.assertNotIn("STARTTLS", peer.verbs)
            self.assertIsNone(got.report["tls"])

    def test_refused(self):
        """scenario: 35, scenario: 36"""
        for code, outcome in ((454, "deferred"), (421, "deferred"),
                              (501, "rejected"), (503, "rejected"),
                              (554, "rejected")):
            with self.subTest(code):
                replies = {"STARTTLS": f"{code} 5.7.0 no"}
                got, peer = self.ask("required", replies=replies)
                self.check_end(got, "tls-error", outcome)
                self.assertEqual(
                    (got.report["stage"], got.report["reply"]["code"]),
                    ("STARTTLS", code))
                self.check_exposed(peer)
                if code == 421:
                    continue
                got, peer = self.ask("opportunistic", replies=replies)
                self.check_end(got, "ok", "accepted")
                self.assertIsNone(got.report["tls"])
                self.assertEqual(peer.verbs.count("STARTTLS"), 1)

    def test_not_220(self):
        """Another success is none. scenario: 38"""
        for policy in PLAIN:
            for code in (250, 200, 221, 354, 334, 199):
                with self.subTest(f"{policy} {code}"):
                    got, peer = self.ask(
                        policy, replies={"STARTTLS": f"{code} ok"})
                    self.assertIn(got.status, ("tls-error", "protocol-error"))
                    self.check_exposed(peer)

    def test_explicit(self):
        """uvsmtp_starttls is a call like smtplib's."""
        world.driver().settings()
        for replies, status in (
                ({}, "OK"), ({"STARTTLS": "454 no"}, "ERESPONSE"),
                ({"STARTTLS": "501 no"}, "ERESPONSE"),
                ({"EHLO": "250 mx"}, "ENOTSUPPORTED")):
            with self.subTest(status), Server(
                    Dialogue(replies=replies), context("good")) as server:
                got = world.driver().one(world.job(
                    server, world.NONE, ("connect", "starttls", "send")))
                self.assertEqual(got["calls"][1]["status"], status)
                # Without a policy the session goes on in clear text.
                self.assertEqual(got["calls"][2]["status"], "OK")
                peer = server.settle()
                self.assertEqual(peer.tls is not None, status == "OK")
                if status == "OK":
                    self.assertEqual(peer.verbs[:4], [
                        "EHLO", "STARTTLS", "EHLO", "MAIL"])
        for policy in (world.NONE, world.OPPORTUNISTIC):
            with Server(Dialogue(), context("expired")) as server:
                got = world.driver().one(world.job(
                    server, policy, ("connect", "starttls", "send")))
                self.check_status(got, "ETLS")
                self.assertNotEqual(got["calls"][2]["status"], "OK")
                self.assertNotIn("MAIL", server.settle().verbs)

    def test_exposed(self):
        """Where TLS is required no other call says anything before."""
        world.driver().settings()
        for call, clear in (("helo", ()), ("mail", ("EHLO", "QUIT")),
                            ("send", ("EHLO", "QUIT"))):
            with self.subTest(call), Server(
                    Dialogue(clear=()), context("good")) as server:
                got = world.driver().one(world.job(
                    server, world.REQUIRED, ("connect", call)))
                self.check_status(got, "ETLS")
                self.check_exposed(server.settle(), clear)

    # ------------------------------------------------------------ injected

    def test_same_segment(self):
        """CVE-2011-0411, CVE-2021-22947, CVE-2021-38371 and their like: replies
        in clear text that wait for the handshake to be over. scenario: 37"""
        for policy in PLAIN:
            for text in (b"250 injected\r\n", b"2", b"\r", b"\n", b"\0",
                         b"250-fragment", b"250-a\r\n250 SIZE 1\r\n",
                         b"220 again\r\n",
                         b"220 2\r\n250-STARTTLS\r\n250 x\r\n",
                         b"250 a\r\n" * 100, b"\x16\3\3\0\4"):
                with self.subTest(f"{policy} {text[:20]}"):
                    got, peer = self.ask(
                        policy, replies={"STARTTLS": injected(text)})
                    self.check_end(got, "protocol-error", "deferred")
                    self.assertEqual(peer.verbs, ["EHLO", "STARTTLS"])
                    self.assertEqual(peer.got, b"")  # no ClientHello even

    def test_later_segment(self):
        """Then it falls into the handshake. scenario: 37"""
        for policy in PLAIN:
            for text in (b"250 injected\r\n", b"250-fragment",
                         b"220 go\r\n250 ok\r\n"):
                with self.subTest(f"{policy} {text}"):
                    got, peer = self.ask(policy,
                                         replies={"STARTTLS": late(text)})
                    self.check_end(got, "tls-error", "deferred")
                    self.assertEqual(peer.verbs, ["EHLO", "STARTTLS"])
        # Less than a record is waited for, as long as a handshake may take.
        world.driver().settings()
        with Server(Dialogue(replies={"STARTTLS": late(b"2")}),
                    context("good")) as server:
            got = world.driver().one(world.job(
                server, world.REQUIRED, ("connect", "send"), timeout=300))
            self.check_status(got, "ETIMEDOUT")
            self.assertEqual(server.settle().verbs, ["EHLO", "STARTTLS"])

    def test_behind_refusal(self):
        """What follows a refusal is a reply to nothing. scenario: 37"""
        for policy in PLAIN:
            for text in ("454 no\r\n235 2.7.0 ok\r\n250 ok", "454 no\r\n250 ok",
                         "501 no\r\n220 yes"):
                with self.subTest(f"{policy} {text}"):
                    got, peer = self.ask(policy, replies={"STARTTLS": text})
                    if policy == "opportunistic":
                        self.check_end(got, "protocol-error", "deferred")
                    self.assertIn(got.status, ("protocol-error", "tls-error"))
                    self.check_exposed(peer)

    def test_ahead(self):
        """A greeting or reply to EHLO that says more than was asked for: IMAP's
        PREAUTH trick, CVE-2020-12398."""
        hello = "250-mx\r\n250 STARTTLS"
        for policy in PLAIN:
            for replies in ({"greeting": "235 2.7.0 welcome back"},
                            {"greeting": "250 ok"},
                            {"EHLO": hello + "\r\n220 go ahead"},
                            {"EHLO": hello + "\r\n220 go ahead\r\n250 ok"},
                            {"EHLO": "235 2.7.0 welcome back"},
                            {"EHLO": "220 go ahead"}):
                with self.subTest(f"{policy} {replies}"):
                    got, peer = self.ask(policy, replies=replies)
                    self.assertIn(got.status, ("protocol-error", "helo-error"))
                    self.check_exposed(peer)

    # -------------------------------------------------------------- failed

    def test_no_way_back(self):
        """A handshake that fails ends the connection, whatever the policy: only
        the caller begins anew, and in clear text if he says so."""

        def alert(peer):
            peer.say("220 go ahead")
            peer.got += peer.sock.recv(65536)
            peer.send(b"\x15\3\3\0\2\2\x28")
            peer.wait()

        for policy in PLAIN:
            got, peer = self.ask(policy, replies={"STARTTLS": alert})
            self.check_end(got, "tls-error", "deferred")
            self.assertEqual(got.report["stage"], "HANDSHAKE")
            self.assertTrue(got.report["tls"]["error"])
            self.assertEqual(peer.verbs, ["EHLO", "STARTTLS"])

    def test_closed(self):
        """scenario: 40"""

        def after(reply):
            def act(peer):
                peer.say("220 go ahead")
                if reply is not None:
                    peer.got += peer.sock.recv(65536)
                    peer.send(reply)
                raise Over("closed")
            return act

        for policy in PLAIN:
            for name, reply in (("at once", after(None)),
                                ("after ClientHello", after(b"")),
                                ("garbage", after(b"500 what?\r\n")),
                                ("half a record", after(b"\x16\3\3\0\x30ab"))):
                with self.subTest(f"{policy} {name}"):
                    got, peer = self.ask(policy, replies={"STARTTLS": reply})
                    self.check_end(got, "tls-error", "deferred")
                    self.assertEqual(got.report["stage"], "HANDSHAKE")
                    self.assertEqual(peer.verbs, ["EHLO", "STARTTLS"])
            got, peer = self.ask(policy, replies={"STARTTLS": dialogue.close})
            self.check_end(got, "disconnected", "deferred")


class Sockets(Case):
    """A socket that the caller has brought, and one that has no host."""

    def pair(self, plan, policy, how="good", tcp=False, **target):
        """A session over a pair of sockets."""
        if tcp:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                theirs = socket.create_connection(listener.getsockname())
                ours, _ = listener.accept()
        else:
            ours, theirs = socket.socketpair()
        server = Server(plan, context(how))
        peer = peers.Peer(server, ours, 0)
        ours.settimeout(peers.PATIENCE)
        server.peers.append(peer)
        thread = threading.Thread(target=server._serve, args=(peer,))
        thread.start()
        os.set_inheritable(theirs.fileno(), True)
        fd = theirs.fileno()
        drive = world.Driver()
        theirs.close()
        drive.settings()
        got = drive.one({"fd": fd, "tls": policy, "name": HOST,
                         "calls": ("open", "send"), **target})
        self.assertEqual(drive.stop(), 0)
        thread.join(peers.PATIENCE)
        return got, peer

    def test_handed_over(self):
        """TLS is done there too (nodemailer 1835)."""
        for plan, policy in ((Dialogue(), world.REQUIRED),
                             (Dialogue(), world.OPPORTUNISTIC),
                             (implicit(), world.IMPLICIT)):
            with self.subTest(policy):
                got, peer = self.pair(plan, policy)
                self.check_status(got, "OK")
                self.assertTrue(got["tls"]["verified"])
                self.assertIsNotNone(peer.tls)

    def test_defaults(self):
        """What a port's number asks for, where nothing else is said: a
        certificate that is not right shows it."""
        for port, policy in ((465, world.IMPLICIT), (587, world.REQUIRED),
                             (25, world.OPPORTUNISTIC),
                             (2525, world.OPPORTUNISTIC),
                             (0, world.OPPORTUNISTIC)):
            with self.subTest(port):
                got, peer = self.pair(
                    Dialogue(implicit=policy == world.IMPLICIT),
                    world.DEFAULT, "self-signed", tcp=True, host=HOST,
                    port=port)
                if policy == world.OPPORTUNISTIC:
                    self.check_status(got, "OK")
                    self.assertFalse(got["tls"]["verified"])
                    self.assertIn("MAIL", peer.verbs)
                    continue
                self.check_status(got, "ETLS")
                self.assertEqual(got["stage"], "WRAP" if port == 465
                                 else "HANDSHAKE")
                self.assertNotIn("MAIL", peer.verbs)
        # Nor is a word said where it is not offered.
        got, peer = self.pair(Dialogue(clear=()), world.DEFAULT, tcp=True,
                              host=HOST, port=587)
        self.check_status(got, "ETLS")
        self.assertLessEqual(set(peer.verbs), {"EHLO", "QUIT"})

    def test_nameless(self):
        """Who has no name can't prove it: Mbed TLS has let that pass for years
        (CVE-2025-27809)."""
        path = os.path.join(processes.scratch(), "socket")
        world.driver().settings()
        for plan, policy in ((Dialogue(), world.REQUIRED),
                             (implicit(), world.IMPLICIT),
                             (Dialogue(), world.OPPORTUNISTIC)):
            with self.subTest(policy), Server(
                    plan, context("good"), address=path) as server:
                got = world.driver().one({"host": path, "tls": policy,
                                          "calls": ("connect", "send")})
                if policy == world.OPPORTUNISTIC:
                    self.check_status(got, "OK")
                    self.assertEqual(
                        (got["tls"]["name"], got["tls"]["verified"]),
                        (None, False))
                else:
                    self.check_status(got, "ETLS")
                    self.assertEqual(got["cause"], "EINVAL")
                    self.assertNotIn("MAIL", server.settle().verbs)
            os.unlink(path)

    def test_unix(self):
        """By default there is no TLS on a Unix socket; asked for, it needs a
        name."""
        path = os.path.join(processes.scratch(), "socket")
        with Server(Dialogue(lmtp=True), context("good"),
                    address=path) as server:
            got = client.send(path, ["a@example.net"])
            self.check_end(got, "ok", "accepted")
            self.assertIsNone(server.settle().tls)
        os.unlink(path)
        with Server(Dialogue(lmtp=True), context("good"),
                    address=path) as server:
            got = client.send(path, ["a@example.net"],
                              *world.options("required"))
            self.check_end(got, "ok", "accepted")
            self.assertIsNotNone(server.settle().tls)


class Defaults(Case):
    def test_port(self):
        """Elsewhere than on 465 and 587 TLS is taken where it is offered, and
        whoever answers is taken for the server."""
        for certificate in ("good", "self-signed"):
            with Server(Dialogue(), context(certificate)) as server:
                got = client.send(world.url(server), ["a@example.net"])
                self.check_end(got, "ok", "accepted")
                self.assertIsNotNone(server.settle().tls)
                self.assertFalse(got.report["tls"]["verified"])
        with Server(Dialogue(clear=()), context("good")) as server:
            got = client.send(world.url(server), ["a@example.net"])
            self.check_end(got, "ok", "accepted")

    def test_none(self):
        with Server(Dialogue(), context("good")) as server:
            got = client.send(world.url(server), ["a@example.net"],
                              "--tls", "none")
            self.check_end(got, "ok", "accepted")
            self.assertNotIn("STARTTLS", server.settle().verbs)

    def test_smtps(self):
        with Server(implicit(), context("good")) as server:
            got = client.send(world.url(server, "smtps"), ["a@example.net"],
                              "--ca", world.certs.trusted())
            self.check_end(got, "ok", "accepted")
            peer = server.settle()
            self.assertEqual(peer.verbs[0], "EHLO")
            self.assertTrue(got.report["tls"]["verified"])


if __name__ == "__main__":
    world.main()
