# SPDX-License-Identifier: MIT
"""Sessions of TLS that are resumed, with Postfix, as both sides tell it.
Arguments: TOOL SINK; the program of session.c lies in the same build."""
import contextlib
import functools
import re

import by_tls
import client
from client import Case
from connections import NO_RESUMPTION, VERSIONS, Connections
from processes import read, wait_until
from servers import Postfix

postfix = None


class Talkative(Postfix):
    """Its log says which sessions are resumed."""
    LOGLEVEL = 2


def setUpModule():
    global postfix
    server = Talkative()
    postfix = server.__enter__()


def tearDownModule():
    if postfix is not None:
        postfix.__exit__()


def versions():
    return [name for name in VERSIONS if name <= by_tls.newest()]


class Log:
    """What Postfix says of handshakes, from here on. It does so when it comes
    to it: every test waits for its own."""

    def __init__(self):
        self.start = len(read(postfix.daemon.log))

    def handshakes(self, count):
        """For each handshake whether it resumed a session, once there are
        count."""
        def look():
            said = read(postfix.daemon.log)[self.start:].decode()
            found = re.findall(r"Reusing old session|TLS connection "
                               r"(?:established|reused)", said)
            if sum("TLS connection" in line for line in found) < count:
                return None
            return found

        found = wait_until(look, 20, lambda: (
            f"not {count} handshakes: {postfix.daemon.said()}"))
        resumed = []
        for before, line in zip(["", *found], found):
            if "TLS connection" in line:
                resumed.append(before == "Reusing old session")
        return resumed


# Where sessions are resumed: by tickets, or because the server remembers.
PLACES = {
    "STARTTLS, required": ("starttls", "required"),
    "STARTTLS, opportunistic": ("starttls", "opportunistic"),
    "implicit": ("smtps", "implicit"),
    "STARTTLS, stateful": ("stateful", "required"),
}


def each_place(function):
    """Calls a test with each version for each of PLACES."""

    @functools.wraps(function)
    def test(self):
        for version in versions():
            for name, (port, policy) in PLACES.items():
                with self.subTest(f"{version}, {name}"):
                    function(self, version, postfix.port[port], policy)

    return test


class Resumption(Case):
    def connect(self, connections, port, policy, *, version, resumed,
                verified=True):
        """Connects, looks, sends, ends."""
        tls = connections.connect(port, policy)
        self.assertEqual(
            (tls["established"], tls["version"], tls["resumed"],
             tls["verified"], tls["failure"]),
            (True, version, resumed, verified, ""), tls)
        # Also of a session that was resumed without one.
        self.assertGreater(tls["certificate"], 0)
        user = postfix.user()
        connections.send("sender@example.org", f"{user}@example.test")
        connections.got("quit")
        raw, = postfix.stored(user)
        self.assertIn(f"(using {version} with cipher ".encode(), raw)

    def check_stats(self, connections, **wanted):
        stats = connections.stats()
        self.assertEqual({name: stats[name] for name in wanted}, wanted)

    @each_place
    def test_resumed(self, version, port, policy):
        """One full handshake, and no other while the server knows of it."""
        log = Log()
        with Connections(ca=postfix.ca, max_version=VERSIONS[version]) as c:
            for n in range(5):
                self.connect(c, port, policy, version=version, resumed=n > 0)
            self.check_stats(c, full=1, resumed=4, refused=0, failed=0)
            self.assertGreater(c.stats()["cached"], 0)
        self.assertEqual(log.handshakes(5), [False] + [True] * 4)

    def test_restarted(self):
        """A server that has forgotten all of them: full handshakes, which are
        counted, and then it goes on with what came of those."""
        known = []
        with contextlib.ExitStack() as stack:
            for version in versions():
                for port, policy in PLACES.values():
                    c = stack.enter_context(Connections(
                        ca=postfix.ca, max_version=VERSIONS[version]))
                    known.append((c, version, postfix.port[port], policy))
            log = Log()
            for c, version, port, policy in known:
                self.connect(c, port, policy, version=version, resumed=False)
            self.assertEqual(log.handshakes(len(known)), [False] * len(known))
            postfix.restart()
            for c, version, port, policy in known:
                with self.subTest(f"{version}, {port}, {policy}"):
                    log = Log()
                    self.connect(c, port, policy, version=version,
                                 resumed=False)
                    self.check_stats(c, full=2, resumed=0, refused=1, failed=0)
                    self.connect(c, port, policy, version=version,
                                 resumed=True)
                    self.check_stats(c, full=2, resumed=1, refused=1, failed=0)
                    self.assertEqual(log.handshakes(2), [False, True])

    @each_place
    def test_never(self, version, port, policy):
        """Not wanted, or forgotten here."""
        log = Log()
        with Connections(ca=postfix.ca, flags=NO_RESUMPTION,
                         max_version=VERSIONS[version]) as c:
            for _ in range(2):
                self.connect(c, port, policy, version=version, resumed=False)
            self.check_stats(c, full=2, resumed=0, refused=0, cached=0)
            c.got("tls", {"ca": postfix.ca, "max_version": VERSIONS[version]})
            self.connect(c, port, policy, version=version, resumed=False)
            c.got("forget")
            self.check_stats(c, full=1, cached=0)
            self.connect(c, port, policy, version=version, resumed=False)
            self.connect(c, port, policy, version=version, resumed=True)
            self.check_stats(c, full=2, resumed=1, refused=0)
        self.assertEqual(log.handshakes(5), [False] * 4 + [True])

    def test_places(self):
        """What one port gave is of no use at another one, nor under another
        name."""
        for version in versions():
            log = Log()
            with self.subTest(version), Connections(
                    ca=postfix.ca, max_version=VERSIONS[version]) as c:
                for port, policy in (("starttls", "required"),
                                     ("smtps", "implicit")):
                    self.connect(c, postfix.port[port], policy,
                                 version=version, resumed=False)
                tls = c.connect(postfix.port["starttls"], "required",
                                tls_name="mx.example.test")
                self.assertEqual((tls["resumed"], tls["verified"]),
                                 (False, True))
                c.got("quit")
                self.check_stats(c, full=3, resumed=0, refused=0)
                self.assertEqual(log.handshakes(3), [False] * 3)

    def test_trust(self):
        """A session with somebody who has proven nothing is no proof."""
        for version in versions():
            log = Log()
            with self.subTest(version), Connections(
                    ca=by_tls.stranger(), max_version=VERSIONS[version]) as c:
                port = postfix.port["starttls"]
                for n in range(2):
                    self.connect(c, port, "opportunistic", version=version,
                                 resumed=n > 0, verified=False)
                c.got("connect", {"host": "localhost", "port": port,
                                  "tls": "required"})
                answer = c.ask("hello")
                self.assertEqual((answer["error"], answer["stage"]),
                                 ("ETLS", "HANDSHAKE"))
                self.assertFalse(answer["tls"]["established"])
                self.check_stats(c, full=1, resumed=1, failed=1)
                self.assertEqual(log.handshakes(2), [False, True])

    def test_processes(self):
        """A new process has nothing to resume."""
        for _ in range(2):
            log = Log()
            with Connections(ca=postfix.ca) as c:
                self.connect(c, postfix.port["starttls"], "required",
                             version=by_tls.newest(), resumed=False)
            self.assertEqual(log.handshakes(1), [False])


if __name__ == "__main__":
    client.main()
