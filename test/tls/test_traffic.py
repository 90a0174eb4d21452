# SPDX-License-Identifier: MIT
"""Sessions within TLS: how they end, large messages, records.
Arguments: TOOL SINK DRIVER."""
import hashlib
import time

import above  # noqa: F401
import client
import world
from dialogue import EXTENSIONS, Dialogue, implicit
from peer import FIN, RST, Over, Server, context
from world import (NO_CHUNKING, NO_PIPELINING, Case, send,
                   tearDownModule)  # noqa: F401

SERIAL = ("--no-pipelining", "--no-chunking")


def then(text, how):
    """Instead of a reply: text in a record, if any, then the end: "notify"
    (close_notify), FIN or RST alone."""

    def act(peer):
        if text:
            peer.send(text)
        if how == "notify":
            peer.notify()
            how_ends = FIN
        else:
            how_ends = how
        peer.wire.end(how_ends)
        raise Over("ended")

    return act


def broken(peer):
    """Instead of a reply: one whose record is wrong in its last octet."""
    peer.tls.write(b"250 2.0.0 queued\r\n")
    data = bytearray(peer.outgoing.read())
    data[-1] ^= 1
    peer.wire.send(bytes(data))
    peer.wait()


def clear(peer):
    """Instead of a reply: one in clear text, as from somebody else."""
    peer.wire.send(b"250 2.0.0 queued\r\n")
    peer.wait()


def alert(peer):
    """The same with an alert that nobody has protected."""
    peer.wire.send(b"\x15\3\3\0\2\2\x28")
    peer.wait()


class Ends(Case):
    """A reply that was cut is none, whoever cut it: an end without close_notify
    may be an attacker's."""

    def ask(self, version, policy="implicit", **replies):
        plan = Dialogue(implicit=policy == "implicit", replies=replies)
        with Server(plan, context("good", version)) as server:
            got = send(server, policy, *SERIAL)
            return got, server.settle()

    def test_truncated(self):
        """Within the final reply. scenario: 45"""
        for version in world.versions():
            for how in ("notify", FIN, RST):
                for text in ("", "250", "250 queued", "250 queued\r",
                             "250-queued\r\n", "250-queued\r\n250 as 7"):
                    with self.subTest(f"{version} {how} {text!r}"):
                        got, _ = self.ask(version, text=then(text, how))
                        self.check_end(got, "delivery-unknown", "unknown")
                with self.subTest(f"{version} {how} whole"):
                    got, _ = self.ask(version, text=then("250 ok\r\n", how))
                    self.check_end(got, "ok", "accepted")

    def test_in_the_text(self):
        """While the text goes out: more than sockets hold. scenario: 45"""
        message = b"Subject: x\n\n" + b"0123456789abcdef\n" * (8 << 16)
        for version in world.versions():
            for how in ("notify", FIN, RST):
                def halfway(peer, how=how):
                    peer.say("354 go ahead")
                    while len(peer.got) < 100000:
                        peer._more()
                    then("", how)(peer)

                with self.subTest(f"{version} {how}"), Server(
                        implicit(replies={"DATA": halfway}),
                        context("good", version)) as server:
                    got = client.send(
                        world.url(server), ["a@example.net"],
                        *world.options("implicit"), *SERIAL,
                        message=message)
                    self.check_end(got, "disconnected", "deferred")

    def test_causes(self):
        """Which end it was is told: close_notify is the end of the stream, all
        else one of TLS or of the connection."""
        world.driver().settings()
        for version in world.versions():
            for how, causes in (("notify", ("EOF",)), (FIN, ("ETLS",)),
                                (RST, ("ECONNRESET",))):
                for verb, status in (("RCPT", "EDISCONNECTED"),
                                     ("text", "EUNKNOWN")):
                    plan = implicit(replies={verb: then("", how)})
                    with self.subTest(f"{version} {how} {verb}"), Server(
                            plan, context("good", version)) as server:
                        got = world.driver().one(world.job(
                            server, calls=("connect", "send"),
                            flags=NO_PIPELINING | NO_CHUNKING))
                        self.check_status(got, status)
                        self.assertIn(got["cause"], causes)

    def test_broken(self):
        """A record that was tampered with, or is none."""
        for version in world.versions():
            for act in (broken, clear, alert):
                with self.subTest(f"{version} {act.__name__}"):
                    got, _ = self.ask(version, text=act)
                    self.check_end(got, "delivery-unknown", "unknown")
                    self.assertTrue(got.report["tls"]["error"])
                    got, _ = self.ask(version, RCPT=act)
                    self.check_end(got, "disconnected", "deferred")

    def test_greeted_and_left(self):
        """A greeting that comes with the last of the handshake, and the end
        with it, is told all the same."""

        def leave(peer):
            peer.secure()
            peer.tls.write(b"421 4.3.2 too busy\r\n")
            then("", "notify")(peer)

        world.driver().settings()
        for version in world.versions():
            with self.subTest(version), Server(
                    leave, context("good", version)) as server:
                got = world.driver().one(world.job(server))
                self.check_status(got, "ECONNECT")
                self.assertEqual(got["code"], 421)

    def test_after(self):
        """Once it was accepted, nothing that happens changes that."""
        for how in ("notify", FIN, RST):
            got, _ = self.ask(None, QUIT=then("", how))
            self.check_end(got, "ok", "accepted")
        got, _ = self.ask(None, QUIT=clear)
        self.check_end(got, "ok", "accepted")

    def test_polite(self):
        """We say close_notify ourselves, after QUIT, and the answer to a
        refused message leaves whole too."""
        for version in world.versions():
            for replies in ({}, {"RCPT": "550 no"}, {"text": "550 no"}):
                _, peer = self.ask(version, **replies)
                self.assertIn("close_notify", peer.where, peer.where)
                self.assertIn("QUIT", peer.verbs)


class Flow(Case):
    """Large and slow."""

    def test_slow_reader(self):
        """A server that reads slowly, and stops now and then: what waits to be
        sent waits as it is. scenario: 46"""
        message = client.large(2 << 20, 11)
        wire = client.on_the_wire(message)
        for version in world.versions():
            for chunking in (True, False):
                def slowly(peer):
                    whole, pauses = peer._feed, iter(range(30))

                    def feed():
                        # Pauses that let its buffers run full, not many.
                        if next(pauses, None) is not None:
                            time.sleep(0.02)
                        whole()

                    peer._feed = feed

                plan = implicit(
                    start=slowly, secure=EXTENSIONS + (
                        ("CHUNKING",) if chunking else ()))
                with self.subTest(f"{version} {chunking}"), Server(
                        plan, context("good", version),
                        window=65536) as server:
                    got = client.send(world.url(server), ["a@example.net"],
                                      *world.options("implicit"),
                                      message=message)
                    self.check_end(got, "ok", "accepted")
                    text = b"".join(item for item in server.settle().lines
                                    if isinstance(item, bytes))
                    if not chunking:
                        text = text.replace(b"\r\n..", b"\r\n.")
                    self.assertEqual(len(text), len(wire))
                    self.assertEqual(hashlib.sha256(text).digest(),
                                     hashlib.sha256(wire).digest())

    def test_dripped(self):
        """A whole session, each of the server's octets in a segment of its own
        and read alone. scenario: 46"""
        world.driver().settings(read_max=1)
        for version in world.versions():
            for policy in (world.IMPLICIT, world.REQUIRED):
                def drip(peer):
                    peer.wire.drip = 1

                plan = Dialogue(implicit=policy == world.IMPLICIT, start=drip)
                with self.subTest(f"{version} {policy}"), Server(
                        plan, context("good", version)) as server:
                    got = world.driver().one(world.job(
                        server, policy, ("connect", "send", "send", "quit")))
                    self.assertEqual(
                        [call["status"] for call in got["calls"]], ["OK"] * 4)
                    self.assertEqual(server.settle().verbs.count("MAIL"), 2)
        world.driver().settings()

    def test_records(self):
        """What is said at once shares a record, and a text fills its own."""
        for version in world.versions():
            with self.subTest(version):
                self.check_records(version)

    def check_records(self, version):
        raw = bytearray()

        def tap(peer):
            sock = peer.sock

            class Tap:
                def recv(self, n):
                    data = sock.recv(n)
                    raw.extend(data)
                    return data

                def __getattr__(self, name):
                    return getattr(sock, name)

            peer.sock = Tap()

        world.driver().settings()
        plan = implicit(start=tap)
        with Server(plan, context("good", version)) as server:
            got = world.driver().one(world.job(
                server, calls=("connect", "send", "quit"), size=1 << 20,
                flags=NO_CHUNKING))
            self.check_status(got, "OK")
            server.settle()
        sizes = list(self.records(raw))
        # EHLO, the envelope, the text, QUIT; the handshake of TLS 1.3 too.
        full = [size for size in sizes if size > 16000]
        self.assertGreater(len(full), 55, sizes)
        self.assertLess(len(sizes) - len(full), 12, sizes)

    @staticmethod
    def records(raw):
        """The sizes of those with application data."""
        at = 0
        while at < len(raw):
            size = int.from_bytes(raw[at + 3:at + 5], "big")
            if raw[at] == 23:
                yield size
            at += 5 + size


if __name__ == "__main__":
    world.main()
