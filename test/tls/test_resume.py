# SPDX-License-Identifier: MIT
"""Sessions of TLS that are resumed, and those that must not be.
Arguments: TOOL SINK DRIVER."""
import time
import unittest

import above  # noqa: F401
import certs
import world
from dialogue import Dialogue, implicit
from peer import Server, context
from world import (IMPLICIT, INSECURE, NO_RESUMPTION, OPPORTUNISTIC, REQUIRED,
                   Case, tearDownModule)  # noqa: F401

NOTHING = {"full": 0, "resumed": 0, "refused": 0, "failed": 0, "cached": 0}


def ways():
    """Version and tickets: 0 is TLS 1.2 by the server's own memory."""
    yield from (("1.2", None), ("1.2", 0))
    if "1.3" in world.versions():
        yield from (("1.3", 2), ("1.3", 1))


class Resumption(Case):
    def setUp(self):
        self.settings()

    def settings(self, **settings):
        answer = world.driver().settings(**settings)
        self.assertEqual(answer["error"], "OK", answer)

    def go(self, server, policy=IMPLICIT, resumed=None, status="OK", **more):
        """A session with a message; whether it was a resumed one is what both
        sides say."""
        calls = more.pop("calls", ("connect", "send", "quit"))
        got = world.driver().one(world.job(server, policy, calls, **more))
        self.check_status(got, status)
        peer = server.settle()
        if resumed is not None:
            self.assertEqual(got["tls"]["resumed"], resumed, got)
            self.assertEqual(peer.tls.session_reused, resumed)
        return got

    def test_resumed(self):
        """The next session with the same server. Tickets of TLS 1.3 come after
        the handshake, among replies. scenario: 43, scenario: 44"""
        for policy in (IMPLICIT, REQUIRED, OPPORTUNISTIC):
            for version, tickets in ways():
                self.settings()
                plan = Dialogue(implicit=policy == IMPLICIT)
                with self.subTest(f"{policy} {version} {tickets}"), Server(
                        plan, context("good", version,
                                      tickets=tickets)) as server:
                    first = self.go(server, policy, False)
                    for _ in range(3):
                        got = self.go(server, policy, True)
                    # It is what the first has shown.
                    for fact in ("verified", "certificate", "version", "name",
                                 "problems", "words"):
                        self.assertEqual(got["tls"][fact], first["tls"][fact],
                                         fact)
                    self.assertEqual(
                        {k: got["stats"][k] for k in NOTHING if k != "cached"},
                        {"full": 1, "resumed": 3, "refused": 0, "failed": 0})
                    self.assertGreater(got["stats"]["cached"], 0)

    def test_no_tickets(self):
        """A server of TLS 1.3 that gives none."""
        if "1.3" not in world.versions():
            raise unittest.SkipTest("the library has no TLS 1.3")
        with Server(implicit(), context("good", "1.3", tickets=0)) as server:
            for _ in range(2):
                self.go(server, resumed=False)

    def test_short(self):
        """A session that ends before any reply has read no ticket."""
        for version, tickets in ways():
            self.settings()
            with self.subTest(f"{version} {tickets}"), Server(
                    implicit(), context("good", version,
                                        tickets=tickets)) as server:
                for _ in range(3):
                    self.go(server, calls=("connect", "noop"))

    def test_refused(self):
        """A server that has forgotten: a full handshake, and its certificate is
        looked at. scenario: 44"""
        for version, tickets in ways():
            self.settings()
            with self.subTest(f"{version} {tickets}"), Server(
                    implicit(), None) as server:
                for spec in ("good", "good", "good, RSA"):
                    server.context = context(spec, version, tickets=tickets)
                    got = self.go(server, resumed=False)
                    self.go(server, resumed=True)
                self.assertEqual(got["stats"]["refused"], 2)
                server.context = context("expired", version, tickets=tickets)
                got = self.go(server, status="ETLS",
                              calls=("connect",))
                self.assertEqual(got["stats"]["failed"], 1)
                server.context = context("good", version, tickets=tickets)
                self.go(server, resumed=False)

    def test_other_version(self):
        """A server that can't do any more what the session was made with. Mbed
        TLS offers nothing else then; the next try is a new one."""
        if "1.3" not in world.versions():
            raise unittest.SkipTest("the library has no TLS 1.3")
        with Server(implicit(), None) as server:
            for version in ("1.3", "1.2", "1.3"):
                server.context = context("good", version)
                got = world.driver().one(world.job(server))
                if got["status"] == "ETLS":
                    got = world.driver().one(world.job(server))
                self.check_status(got, "OK")
                self.assertFalse(got["tls"]["resumed"])
                self.assertEqual(got["tls"]["version"], "TLSv" + version)

    def test_not_shared(self):
        """Nothing is resumed for another host, name, port or policy: what an
        opportunistic session took for the server was proven by nobody."""
        for version, tickets in ways():
            self.settings()
            how = context(certs.Spec(names=("dns:mx.example.test",
                                            "dns:other.example.test")),
                          version, tickets=tickets)
            with self.subTest(f"{version} {tickets}"), Server(
                    Dialogue(), how) as server, Server(
                        Dialogue(), how) as second:
                self.go(server, OPPORTUNISTIC, False)
                self.go(server, REQUIRED, False)
                self.go(server, REQUIRED, True)
                self.go(server, OPPORTUNISTIC, True)
                self.go(server, REQUIRED, False, name="other.example.test")
                self.go(server, REQUIRED, False, host="localhost")
                self.go(second, REQUIRED, False)
                self.go(server, REQUIRED, True)

    def test_not_trusted(self):
        """A session that was let pass is not resumed where it would not be."""
        for version, tickets in ways():
            self.settings()
            with self.subTest(f"{version} {tickets}"), Server(
                    Dialogue(), context("self-signed", version,
                                        tickets=tickets)) as server:
                got = self.go(server, OPPORTUNISTIC, False)
                again = self.go(server, OPPORTUNISTIC, True)
                self.assertEqual(again["tls"]["problems"],
                                 got["tls"]["problems"])
                self.assertFalse(again["tls"]["verified"])
                got = self.go(server, REQUIRED, status="ETLS",
                              calls=("connect", "hello"))
                self.assertFalse(got["tls"]["resumed"])
                # Other settings have sessions of their own.
                self.settings(flags=INSECURE)
                self.go(server, REQUIRED, False)

    def test_off(self):
        with Server(implicit(), context("good")) as server:
            self.settings(flags=NO_RESUMPTION)
            for _ in range(2):
                got = self.go(server, resumed=False)
            self.assertEqual(got["stats"], NOTHING | {"full": 2})

    def test_forgotten(self):
        for version, tickets in ways():
            self.settings()
            with self.subTest(f"{version} {tickets}"), Server(
                    implicit(), context("good", version,
                                        tickets=tickets)) as server:
                self.go(server, resumed=False)
                self.go(server, resumed=True)
                stats = world.driver().ask(forget=True)["stats"]
                self.assertEqual(stats["cached"], 0)
                self.go(server, resumed=False)

    def test_age(self):
        """A second is over when we have slept for two."""
        self.settings(cache_age=1)
        with Server(implicit(), context("good")) as server:
            self.go(server, resumed=False)
            time.sleep(2.2)
            self.go(server, resumed=False)

    def test_size(self):
        """The cache has so many places, and the oldest goes."""
        self.settings(cache_size=2)
        names = [f"{word}.example.test" for word in "abc"]
        how = context(certs.dns(*names))
        with Server(implicit(), how) as server:
            for name in names:
                got = self.go(server, name=name, resumed=False)
                self.assertLessEqual(got["stats"]["cached"], 2)
            self.go(server, name="c.example.test", resumed=True)
            self.go(server, name="a.example.test", resumed=False)

    def test_hook(self):
        """The verify hook is asked about full handshakes only."""
        self.settings(verdict=0)
        with Server(implicit(), context("good")) as server:
            self.assertEqual(len(self.go(server, resumed=False)["seen"]), 1)
            self.assertEqual(len(self.go(server, resumed=True)["seen"]), 0)
            world.driver().ask(forget=True)
            self.assertEqual(len(self.go(server, resumed=False)["seen"]), 1)

    def test_at_once(self):
        """Many on one loop, of which each gets what it asked for."""
        for version, tickets in ways():
            self.settings()
            with self.subTest(f"{version} {tickets}"), Server(
                    implicit(), context("good", version, tickets=tickets),
                    threads=8) as server:
                jobs = [world.job(server, calls=("connect", "send", "quit"))
                        for _ in range(40)]
                answer = world.driver().run(*jobs, at_once=8)
                for got in answer["jobs"]:
                    self.assertEqual([call["status"] for call in got["calls"]],
                                     ["OK"] * 3)
                server.settle()
                stats = answer["stats"]
                self.assertEqual(stats["full"] + stats["resumed"], 40)
                reused = sum(p.tls.session_reused for p in server.peers)
                self.assertEqual(stats["resumed"], reused)


if __name__ == "__main__":
    world.main()
