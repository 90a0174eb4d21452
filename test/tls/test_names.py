# SPDX-License-Identifier: MIT
"""Whose certificate is it? RFC 9525, and what came of doing it otherwise.
Arguments: TOOL SINK DRIVER."""
import unittest

import above  # noqa: F401
import certs
import client
import processes
import world
from certs import HOST, Spec, dns
from dialogue import implicit
from peer import Server, context
from world import Case, tearDownModule  # noqa: F401

WILDCARD = "*.example.test"

# The name that is looked for: the names in certificates that have it.
RIGHT = {
    HOST: [
        [HOST], [HOST.upper()], ["Mx.eXample.Test"], [WILDCARD],
        ["other.example.test", HOST], [HOST, "other.example.test"],
        ["a.example.test", "b.example.test", "*.example.test"],
        [f"a{n}.example.test" for n in range(60)] + [HOST],
    ],
    HOST.upper(): [[HOST], [WILDCARD]],
    "a-b.example.test": [["a-b.example.test"], [WILDCARD]],
}

# And names that are others'.
WRONG = {
    HOST: [
        # CVE-2010-1194: libESMTP looked whether one contains the other.
        "other.example.test", "mx.example.tes", "x.example.test",
        "mx.example.test.evil.test", "evil-mx.example.test",
        "evilmx.example.test", "evil.mx.example.test", "x.example.tes",
        "example.test", "test", "mx", "mx.example", "mx.example.test.",
        # CVE-2009-2408: what is behind a NUL counts too.
        HOST + "\0.evil.test", HOST + "\0", "\0" + HOST, "mx\0.example.test",
        "*\0.example.test", "*.example.test\0.evil.test",
        # Other octets that somebody could skip.
        "", ".", " " + HOST, HOST + " ", HOST + "\r\n", HOST + "/",
        HOST + ":25", "smtp://" + HOST, "[mx.example.test]",
        # RFC 9525 6.3: one whole label, the leftmost, and nothing else.
        "m*.example.test", "*x.example.test", "m*x.example.test",
        "mx*.example.test", "*mx.example.test", "**.example.test",
        "mx.*.test", "mx.example.*", "*.*.test", "*.*.*", "*", "*.", "*.test",
        "*.mx.example.test", "*.example.tes", "*.xample.test",
        "*example.test", "*mx.example.test", ".example.test",
    ],
    "example.test": ["*.test", WILDCARD, "mx.example.test", ".example.test"],
    "a.mx.example.test": [WILDCARD, "*.*.example.test", "a.*.example.test"],
    "xn--mnchen-3ya.example.test": [
        "xn--*.example.test", "münchen.example.test"],
}

# Addresses: (the one looked for, certificate, is it right?)
ADDRESSES = [
    ("127.0.0.1", Spec(names=("ip:127.0.0.1",)), True),
    ("127.0.0.1", Spec(names=("ip:10.0.0.1", "dns:a.test", "ip:127.0.0.1")),
     True),
    ("::1", Spec(names=("ip:::1",)), True),
    ("0:0:0:0:0:0:0:1", Spec(names=("ip:::1",)), True),
    ("127.0.0.1", Spec(names=("ip:127.0.0.2",)), False),
    ("127.0.0.1", Spec(names=("ip:::1",)), False),
    ("::1", Spec(names=("ip:127.0.0.1",)), False),
    ("::1", Spec(names=("ip:::2",)), False),
    # An address is no name: Mbed TLS 4.1 compares all names as text first.
    ("127.0.0.1", dns("127.0.0.1"), False),
    ("127.0.0.1", dns("*.0.0.1"), False),
    ("127.0.0.1", dns("*"), False),
    ("::1", dns("::1"), False),
    ("127.0.0.1", dns(HOST), False),
    ("127.0.0.1", Spec(names=(), common=b"127.0.0.1"), False),
    ("127.0.0.1", Spec(names=("uri:smtp://127.0.0.1",)), False),
    ("127.0.0.1", Spec(names=("uri:127.0.0.1",)), False),
    # Addresses of other lengths, those of which one begins the other too.
    ("127.0.0.1", Spec(names=("ip:::ffff:127.0.0.1",)), False),
    ("127.0.0.1", Spec(names=("ip:7f00:1::",)), False),
    ("127.0.0.1", Spec(names=("raw ip:127.0.0.1",)), False),
    ("127.0.0.1", Spec(names=("raw ip:",)), False),
    ("127.0.0.1", Spec(names=("raw ip:\x7f\0\0",)), False),
    ("127.0.0.1", Spec(names=("raw ip:\x7f\0\0\x01\x01",)), False),
    ("::1", Spec(names=("ip:0.0.0.0",)), False),
    # A name is no address, though it may have its octets.
    ("mx.t", Spec(names=("raw ip:mx.t",)), False),
    (HOST, Spec(names=("ip:127.0.0.1",)), False),
]

# What else people have written names into.
OTHERS = [
    (HOST, "URI", False),
    (HOST, Spec(names=("mail:" + HOST,)), False),
    (HOST, Spec(names=("mail:a@" + HOST,)), False),
    (HOST, "CN only", False),
    (HOST, "CN only, wildcard", False),
    (HOST, "CN beside another SAN", False),
    (HOST, Spec(names=("uri:smtp://other.example.test",),
                common=HOST.encode()), False),
    (HOST, Spec(names=("ip:127.0.0.1",), common=HOST.encode()), False),
]


class Names(Case):
    def look(self, name, certificate, right):
        """Whether it is taken for that of name."""
        made = certs.make(certificate)
        with self.subTest(f"{name!r} and {made.spec.names}"), Server(
                implicit(), context(certificate)) as server:
            got = world.driver().one(world.job(server, name=name))
            peer = server.settle()
            if right:
                self.check_status(got, "OK")
                self.assertTrue(got["tls"]["verified"], got)
                self.assertEqual(got["tls"]["problems"], 0, got)
                return
            self.check_status(got, "ETLS")
            self.assertEqual((got["stage"], got["tls"]["established"]),
                             ("WRAP", False), got)
            if "raw ip" in str(made.spec.names) and not got["tls"]["problems"]:
                return  # Mbed TLS 3.6 does not even read it
            self.assertEqual(got["tls"]["problems"], world.WRONG_NAME, got)
            self.assertIn(name, got["tls"]["words"])
            # It is not told anything, but why.
            self.assertEqual(peer.lines, [])
            self.assertIn("alert", str(peer.error).lower())

    def setUp(self):
        self.assertEqual(world.driver().settings()["error"], "OK")

    def test_right(self):
        for name, sets in RIGHT.items():
            for names in sets:
                self.look(name, dns(*names), True)

    def test_wrong(self):
        """scenario: 41"""
        for name, others in WRONG.items():
            for other in others:
                self.look(name, dns(other), False)

    def test_addresses(self):
        for case in ADDRESSES:
            self.look(*case)

    def test_others(self):
        for case in OTHERS:
            self.look(*case)

    def test_idn(self):
        """Names that are not ASCII are compared as A-labels; without libidn2
        they are refused, and the server hears nothing."""
        name = "münchen.example.test"
        with Server(implicit(), context("IDN")) as server:
            got = world.driver().one(world.job(server, name=name))
            if not client.IDN:
                self.check_status(got, "ETLS")
                self.assertEqual((got["cause"], got["tls"]),
                                 ("ENOTSUP", None))
                self.assertEqual(server.settle().got, b"")
                return
            self.check_status(got, "OK")
            self.assertEqual(
                (got["tls"]["name"], got["tls"]["verified"]),
                ("xn--mnchen-3ya.example.test", True))
            server.settle()
            self.check_end(world.probe(server, "implicit", name=name), "ok")
        with self.subTest("raw UTF-8"), Server(
                implicit(), context(dns(name))) as server:
            got = world.driver().one(world.job(server, name=name))
            self.check_status(got, "ETLS")
            self.assertEqual(got["tls"]["problems"], world.WRONG_NAME)

    def test_default(self):
        """Without another name it is the host's, literal or not."""
        for host, certificate, right in (
                ("127.0.0.1", Spec(names=("ip:127.0.0.1",)), True),
                ("127.0.0.1", dns(HOST), False),
                ("localhost", dns("localhost"), True),
                ("localhost", Spec(names=("ip:127.0.0.1",)), False)):
            with self.subTest(f"{host} {right}"), Server(
                    implicit(), context(certificate)) as server:
                got = world.driver().one(
                    world.job(server, name=None) | {"host": host})
                self.check_status(got, "OK" if right else "ETLS")
                self.assertEqual(got["tls"]["name"], host)

    def test_ipv6(self):
        """A literal in brackets is looked for without them."""
        if not processes.have_ipv6():
            raise unittest.SkipTest("the loopback has no IPv6")
        for host in ("::1", "[::1]"):
            for certificate, right in ((Spec(names=("ip:::1",)), True),
                                       (dns("::1"), False),
                                       (dns("[::1]"), False)):
                with self.subTest(f"{host} {right}"), Server(
                        implicit(), context(certificate),
                        address="::1") as server:
                    got = world.driver().one(
                        world.job(server, name=None) | {"host": host})
                    self.check_status(got, "OK" if right else "ETLS")
                    self.assertEqual(got["tls"]["name"], "::1")

    def test_settings(self):
        """The settings have a name too, which counts less than the target's."""
        world.driver().settings(name=HOST)
        with Server(implicit(), context(dns(HOST))) as server:
            self.check_status(
                world.driver().one(world.job(server, name=None)), "OK")
            self.check_status(
                world.driver().one(world.job(server, name="a.test")), "ETLS")


if __name__ == "__main__":
    world.main()
