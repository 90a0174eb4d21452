# SPDX-License-Identifier: MIT
"""A session of TLS that ends at every octet of the server's, by FIN and by RST,
or of which that octet was changed.

What becomes of its message depends on where that was: accepted where the final
reply had gone through whole, unknown where the server had the whole text, else
deferred; and nothing hangs. All sessions of a test run on one loop; each has an
address of its own, 127.1.x.y, by which the server knows where to cut.

The whole of a session is cut when it resumes an earlier one, which costs
little; a full handshake is cut up to its end. Arguments: TOOL SINK DRIVER."""

import above  # noqa: F401
import certs
import client
import world
from dialogue import Dialogue
from peer import FIN, RST, SPOIL, Server, context
from world import (IMPLICIT, NO_CHUNKING, NO_PIPELINING, NO_RESUMPTION,
                   REQUIRED, Case, tearDownModule)  # noqa: F401

AT_ONCE = 8
# Small, so that there is less to cut.
SMALL = certs.dns("m.test", common=b"")


class Cutter:
    """A server that cuts as it is told, and remembers what it has seen."""

    def __init__(self, policy, version):
        self.cuts = {}  # a client's address: (octets, FIN or RST), eager
        self.by_address = {}
        self.server = Server(
            Dialogue(implicit=policy == IMPLICIT, start=self.start,
                     clear=("STARTTLS",), secure=()),
            context(SMALL, version, tickets=1 if version == "1.3" else None),
            threads=AT_ONCE)

    def start(self, peer):
        address = peer.sock.getpeername()[0]
        self.by_address[address] = peer
        peer.wire.cut, peer.wire.eager = self.cuts.get(address, (None, False))


class Cut(Case):
    def run_cuts(self, cutter, policy, cuts):
        """Sessions that end so; each with its peer."""
        server = cutter.server
        addresses = [f"127.1.{n >> 8}.{n & 255}" for n in
                     range(1, len(cuts) + 1)]
        cutter.cuts = dict(zip(addresses, cuts))
        cutter.by_address.clear()
        server.peers.clear()
        answer = world.driver().run(*(
            world.job(server, policy, ("connect", "send", "quit"), "m.test",
                      bind=address, flags=NO_PIPELINING | NO_CHUNKING)
            for address in addresses), at_once=AT_ONCE)
        server.settle()
        return [(cut, got, cutter.by_address[address]) for cut, got, address in
                zip(cuts, answer["jobs"], addresses)]

    def check(self, version, cut, got, peer):
        """What came of one."""
        where = (f"{cut} of {peer.wire.sent}, {peer.where}, {peer.flights}, "
                 f"{got}")
        connect, send, _ = got["calls"]
        self.assertEqual(len(got["calls"]), 3)
        for call in got["calls"]:
            self.assertNotIn(call["status"], ("ETIMEDOUT", "ECANCELED"), where)
        if "text" in peer.where:
            wanted = {"accepted"}
        elif any(isinstance(item, bytes) for item in peer.lines):
            wanted = {"unknown"}
        elif "DATA" in peer.where and cut[1]:
            # The text may have left before the end was seen.
            wanted = {"deferred", "unknown"}
        else:
            wanted = {"deferred"}
        self.assertIn(send["outcome"], wanted, where)
        if wanted == {"unknown"}:
            self.assertEqual(send["status"], "EUNKNOWN", where)
        # A changed octet may be one that counts for nothing.
        if SPOIL not in str(cut):
            self.check_handshake(version, cut, got, peer, where)

    def check_handshake(self, version, cut, got, peer, where):
        """Whether a handshake failed is told too."""
        connect, send, _ = got["calls"]
        if peer.tls is None or peer.wire.whole:
            return  # in clear text, or too close to tell
        flights = 1 if version == "1.3" or peer.tls.session_reused else 2
        failed = len(peer.flights) < flights
        self.assertEqual("ETLS" in (connect["status"], send["status"]), failed,
                         where)
        self.assertEqual(got["tls"]["established"], not failed, where)

    def measure(self, cutter, policy):
        """A session that nobody cuts."""
        (_, got, peer), = self.run_cuts(cutter, policy, [(None, False)])
        self.assertEqual([c["status"] for c in got["calls"]], ["OK"] * 3, got)
        return peer

    def cut(self, policy, resumed):
        for version in world.versions():
            cutter = Cutter(policy, version)
            with self.subTest(version), cutter.server:
                world.driver().settings(flags=0 if resumed else NO_RESUMPTION)
                whole = self.measure(cutter, policy)
                if resumed:
                    whole = self.measure(cutter, policy)
                    self.assertTrue(whole.tls.session_reused)
                self.cut_all(cutter, policy, version, whole, resumed)

    @staticmethod
    def hows(octets, resumed, policy):
        """Full handshakes cost the most: behind STARTTLS, where they are as
        they are without, the ways to end take turns. With sanitizers they do
        everywhere: every octet, by one of them."""
        if resumed and policy == IMPLICIT:
            ways = (FIN, RST, SPOIL)
        else:
            ways = (FIN, RST)
        turns = not resumed and policy != IMPLICIT
        return (ways[octets % len(ways)],) if turns or client.SHORT else ways

    def cut_all(self, cutter, policy, version, whole, resumed):
        # A signature has not always the same length.
        last = whole.wire.sent if resumed else whole.flights[-1] + 8
        first = 0 if resumed or policy == IMPLICIT else whole.where["STARTTLS"]
        cuts = [((octets, how), False) for octets in range(first, last + 1)
                for how in self.hows(octets, resumed, policy)]
        ends = {*whole.flights, *(at for at in whole.where.values()
                                  if isinstance(at, int))}
        ends.discard(whole.wire.sent)
        cuts += [((octets, how), True) for octets in sorted(ends)
                 if octets <= last for how in (FIN, RST)]
        for cut, got, peer in self.run_cuts(cutter, policy, cuts):
            self.check(version, cut, got, peer)


class Resumed(Cut):
    def test_implicit(self):
        """scenario: 45"""
        self.cut(IMPLICIT, True)

    def test_starttls(self):
        """scenario: 45"""
        self.cut(REQUIRED, True)


class Full(Cut):
    def test_implicit(self):
        """scenario: 40"""
        self.cut(IMPLICIT, False)

    def test_starttls(self):
        """scenario: 40"""
        self.cut(REQUIRED, False)


if __name__ == "__main__":
    world.main()
