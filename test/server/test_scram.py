# SPDX-License-Identifier: MIT
"""SCRAM and CRAM-MD5 against servers that others wrote: GNU SASL's gsasl, at the
end of a pipe, and a server of RFC 5802 over Python's hashlib, for what gsasl has
no option for: channel binding and what a server that is wrong says.

usage: test_scram.py MECHANISM_DRIVER [unittest arguments]"""
import base64
import shlex
import shutil
import subprocess
import sys
import unittest

from scram_server import Server, b64

DRIVER = shlex.split(sys.argv.pop(1))  # may be run by another, as valgrind
GSASL = shutil.which("gsasl")
TIMEOUT = 30
BINDING = "0123456789abcdef" * 2


class Client:
    """The mechanism's side."""

    def __init__(self, mech, user, password, authzid="", offered="",
                 binding=""):
        self.process = subprocess.Popen(
            [*DRIVER, mech, user, password, authzid, offered, binding],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait(TIMEOUT)
        if failure[0] is None and status != 0:
            raise AssertionError(f"the driver ended with {status}")

    def answer(self):
        """How it goes on, and the response, or what is wrong."""
        word, _, rest = self.process.stdout.readline().rstrip("\n").partition(
            " ")
        return word, rest if word == "error" else base64.b64decode(rest)

    def tell(self, challenge):
        self.process.stdin.write(b64(challenge) + "\n")
        self.process.stdin.flush()
        return self.answer()


class Gsasl:
    """gsasl as the server; a line each way at a time."""

    def __init__(self, mech, password, *args):
        self.process = subprocess.Popen(
            [GSASL, "--server", "--mechanism", mech, "--quiet", "--password",
             password, *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != mech + "\n":
            raise AssertionError("gsasl: " + self.process.stderr.read())
        self.greeting = base64.b64decode(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def tell(self, response):
        self.process.stdin.write(b64(response) + "\n")
        self.process.stdin.flush()
        return base64.b64decode(self.process.stdout.readline())

    def ends(self, *responses):
        """Its exit status, behind these; content, it reads an empty line of a
        session, without which it fails."""
        self.process.communicate(
            "".join(b64(response) + "\n" for response in responses) + "\n",
            TIMEOUT)
        return self.process.returncode


NAMES = ["user", "a,b=c", "=2C,=3D", "Ada Lovelace", "\"~!@", "x" * 200]


@unittest.skipIf(GSASL is None, "no gsasl")
class GnuSasl(unittest.TestCase):
    def scram(self, mech, user, ours, theirs, *args, authzid=""):
        with Client(mech, user, ours, authzid, mech) as client, \
                Gsasl(mech, theirs, *args) as server:
            word, first = client.answer()
            self.assertEqual(word, "continue")
            word, final = client.tell(server.tell(first))
            self.assertEqual(word, "continue")
            verifier = server.tell(final)
            if ours != theirs:
                self.assertEqual(verifier, b"")
                self.assertNotEqual(server.ends(), 0)
                return
            word, response = client.tell(verifier)
            self.assertEqual((word, response), ("send", b""))
            self.assertEqual(server.ends(response), 0)

    def test_scram(self):
        for mech in ("SCRAM-SHA-1", "SCRAM-SHA-256"):
            for user in NAMES:
                with self.subTest(mech=mech, user=user):
                    self.scram(mech, user, "pencil", "pencil")
            for password in (",=", " p q ", "y" * 300, "\\\"'~"):
                with self.subTest(mech=mech, password=password):
                    self.scram(mech, "user", password, password)
            with self.subTest(mech=mech, authzid="b,o=ss"):
                self.scram(mech, "user", "pencil", "pencil", authzid="b,o=ss")

    def test_counts_and_salts(self):
        for mech in ("SCRAM-SHA-1", "SCRAM-SHA-256"):
            for count in (4096, 4097, 10000, 100000):
                for salt in (b"\0", b"salt" * 30):
                    with self.subTest(mech=mech, count=count, salt=salt):
                        self.scram(mech, "user", "pencil", "pencil",
                                   "--iteration-count", str(count), "--salt",
                                   b64(salt))

    def test_wrong_password(self):
        for mech in ("SCRAM-SHA-1", "SCRAM-SHA-256"):
            for ours, theirs in (("Pencil", "pencil"), ("pencil", "pencil2"),
                                 ("x", "y" * 100)):
                with self.subTest(mech=mech, ours=ours):
                    self.scram(mech, "user", ours, theirs)

    def cram(self, user, ours, theirs):
        with Client("CRAM-MD5", user, ours) as client, \
                Gsasl("CRAM-MD5", theirs) as server:
            word, response = client.tell(server.greeting)
            self.assertEqual(word, "send")
            return server.ends(response)

    def test_cram_md5(self):
        for user in NAMES:
            # The name ends at the first blank for gsasl.
            if " " in user:
                continue
            with self.subTest(user=user):
                self.assertEqual(self.cram(user, "pencil", "pencil"), 0)
                self.assertNotEqual(self.cram(user, "pencil", "Pencil"), 0)
        self.assertEqual(self.cram("user", "z" * 64, "z" * 64), 0)
        self.assertEqual(self.cram("user", "z" * 65, "z" * 65), 0)


MECHS = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1")


class Rfc5802(unittest.TestCase):
    def login(self, mech, server, user, authzid="", offered=None, binding=""):
        offered = mech if offered is None else offered
        with Client(mech, user, "pencil", authzid, offered,
                    binding) as client:
            word, first = client.answer()
            self.assertEqual(word, "continue")
            word, final = client.tell(server.first(first))
            self.assertEqual(word, "continue")
            return client.tell(server.final(final))

    def test_all(self):
        for mech in MECHS:
            for authzid in ("", "boss", "a,=b"):
                for user in NAMES:
                    with self.subTest(mech=mech, user=user, authzid=authzid):
                        server = Server(mech, "pencil",
                                        binding=BINDING.encode())
                        self.assertEqual(
                            self.login(mech, server, user, authzid,
                                       binding=BINDING), ("send", b""))
                        self.assertEqual(server.user, user)
                        self.assertEqual(server.authzid, authzid or None)

    def test_flag(self):
        for mech in MECHS[1:]:
            for offered, binding, flag in (
                    (mech, "", "n"), (mech, BINDING, "y"),
                    (mech + " SCRAM-SHA-256-PLUS", BINDING, "n"),
                    (mech + " SCRAM-SHA-256-PLUS", "", "n")):
                with self.subTest(mech=mech, offered=offered, binding=binding):
                    server = Server(mech, "pencil", "PLUS" in offered)
                    self.assertEqual(
                        self.login(mech, server, "user", "", offered,
                                   binding), ("send", b""))
                    self.assertEqual(server.header[0], flag)

    def test_other_connection(self):
        """Somebody between us: what binds is not the same at both ends."""
        server = Server(MECHS[0], "pencil", binding=b"x" * 32)
        with self.assertRaisesRegex(AssertionError, "c="):
            self.login(MECHS[0], server, "user", binding=BINDING)

    def test_wrong_password(self):
        for mech in MECHS:
            server = Server(mech, "Pencil", binding=BINDING.encode())
            with self.assertRaisesRegex(AssertionError, "wrong proof"):
                self.login(mech, server, "user", binding=BINDING)

    def test_server_without_password(self):
        """It accepts everything and can prove nothing."""
        for mech in MECHS[1:]:
            server = Server(mech, "pencil")
            with Client(mech, "user", "pencil", "", mech) as client:
                first = client.answer()[1]
                client.tell(server.first(first))
                word, why = client.tell(server.lie())
                self.assertEqual(word, "error")
                self.assertIn("did not prove", why)


if __name__ == "__main__":
    if GSASL is None:
        # What is left is run, and fails or is told to be not all.
        ok = unittest.main(exit=False).result.wasSuccessful()
        sys.exit(77 if ok else 1)
    unittest.main()
