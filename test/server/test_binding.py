# SPDX-License-Identifier: MIT
"""SCRAM within TLS, bound to it and not, against GNU SASL's library over
OpenSSL; and what a server does that is none. Arguments: TOOL SINK; the program
of session.c lies in the same build."""
import base64
import functools
import unittest

import by_tls
import client
from bound import MECHS, PLUS, Context, GnuSasl
from certificates import Authority
from connections import VERSIONS, Connections
from processes import scratch
from recorder import EXTENSIONS
from secure import Secure

USER, PASSWORD = "bob,=2c@example.test", "p@ss w0rd, ="


@functools.cache
def certificate():
    """Whom to trust, and what proves the server."""
    authority = Authority(f"{scratch()}/tls")
    return authority.file, Context(*authority.issue())


def binds():
    """Whether this build can: Mbed TLS 3.6 can export keys, 2.28 can't."""
    return by_tls.newest() == "TLSv1.3"


def unbound(_true):
    """A server that knows of nothing to bind to."""
    return None


def accounts_for(mech, password, **how):
    """A server whose strongest mechanism is mech."""
    return GnuSasl(password, (mech, "CRAM-MD5", "PLAIN", "LOGIN"),
                   **({} if mech == PLUS else {"binding": unbound}), **how)


class Server(Secure):
    def __init__(self, accounts, implicit=False):
        super().__init__(None, (*EXTENSIONS, accounts.extension()), implicit,
                         by=certificate()[1], auth=accounts)


class Session(Connections):
    """Logs in to a server, by one connection after the other."""

    def __init__(self, **settings):
        super().__init__(ca=certificate()[0], **settings)
        self.got("debug", 1)

    def login(self, server, **more):
        """What came of it, and what is known of the TLS."""
        tls = self.connect(server.port,
                           "implicit" if server.implicit else "required")
        self.got("credentials", {"user": USER, "password": PASSWORD, **more})
        return self.ask("login"), tls

    def told(self):
        """What the server was told behind AUTH, and since."""
        lines = [line for line in self.errors().splitlines()
                 if line.startswith("-> ")]
        at = [n for n, line in enumerate(lines) if line.startswith("-> AUTH")]
        return lines[at[0]:] if at else []


class Binding(client.Case):
    def check_login(self, accounts, mech, implicit=False, **how):
        """A login that succeeds, and then a message."""
        with Server(accounts, implicit) as server, Session(**how) as session:
            got, _ = session.login(server)
            self.assertEqual((got["error"], got["auth"]), ("OK", mech), got)
            self.assertEqual(accounts.logins, [mech])
            session.send("a@example.org", "b@example.org")

    def check_refused(self, accounts, tried, detail=None, version=None, **who):
        """A login that fails, and no message behind it."""
        settings = {"max_version": VERSIONS[version]} if version else {}
        with Server(accounts) as server, Session(**settings) as session:
            got, _ = session.login(server, **who)
            self.assertEqual((got["error"], got["auth"]), ("EAUTH", None), got)
            if detail is not None:
                self.assertIn(detail, got["detail"])
            got = session.ask("sendmail", "a@example.org", ["b@example.org"],
                              "Subject: x\n\nhello\n")
            self.assertEqual((got["error"], got["outcome"]),
                             ("EAUTH", "not-attempted"))
            said = session.told()
        self.assertEqual([line.split(" ")[2] for line in said
                          if line.startswith("-> AUTH")], tried)
        self.assertEqual([line for line in said if "MAIL" in line], [])

    def need_binding(self):
        if not binds():
            self.skipTest("this Mbed TLS has no exporter")

    def test_bound(self):
        """The strongest is what binds, where that can be."""
        for implicit in (False, True):
            self.check_login(GnuSasl(PASSWORD), PLUS if binds() else MECHS[1],
                             implicit)

    def test_resumed(self):
        """A session of TLS that is resumed binds too."""
        self.need_binding()
        accounts = GnuSasl(PASSWORD)
        with Server(accounts) as server, Session() as session:
            for resumed in (False, True):
                got, tls = session.login(server)
                self.assertEqual((got["auth"], tls["resumed"]),
                                 (PLUS, resumed), got)
                session.got("quit")

    def test_older(self):
        """With TLS 1.2 nothing is bound."""
        self.check_login(GnuSasl(PASSWORD), MECHS[1],
                         max_version=VERSIONS["TLSv1.2"])

    def test_nothing_else(self):
        """And if it is to be bound, nothing is said."""
        self.check_refused(GnuSasl(PASSWORD), [], version="TLSv1.2", mechs=PLUS)

    def test_not_offered(self):
        """A server that can't bind."""
        for mech in MECHS[1:]:
            self.check_login(GnuSasl(PASSWORD, (mech,), unbound), mech)

    def test_other_connection(self):
        """Somebody between us: the server is bound to another connection, and
        we say nothing that is not bound (RFC 5802 6)."""
        self.need_binding()
        accounts = GnuSasl(PASSWORD, binding=lambda true: true[::-1])
        self.check_refused(accounts, [PLUS])

    def test_hidden(self):
        """Somebody between us hides that the server binds: it is told that we
        would have, and refuses (RFC 5802 6)."""
        self.need_binding()
        accounts = GnuSasl(PASSWORD, offers=MECHS[1:2])
        self.check_refused(accounts, [MECHS[1]])

    def test_wrong_password(self):
        """By each of them."""
        for mech in MECHS if binds() else MECHS[1:]:
            with self.subTest(mech):
                self.check_refused(accounts_for(mech, "another"), [mech],
                                   mechs=mech)

    def test_wrong_proof(self):
        """A server that does not have the password: nothing else is tried,
        though it offers everything."""
        proofs = {
            "another": lambda true: b"v=" + base64.b64encode(
                base64.b64decode(true[2:])[::-1]),
            "short": lambda true: b"v=" + base64.b64encode(
                base64.b64decode(true[2:])[:-1]),
            "empty": lambda true: b"v=",
            "an error": lambda true: b"e=other-error",
            "none": lambda true: b"",
        }
        for mech in MECHS if binds() else MECHS[1:]:
            for name, forge in proofs.items():
                with self.subTest(f"{mech}, {name}"):
                    accounts = accounts_for(mech, PASSWORD, forge=forge)
                    self.check_refused(accounts, [mech], detail=None if
                                       name == "none" else "SCRAM: ")


if __name__ == "__main__":
    client.main()
