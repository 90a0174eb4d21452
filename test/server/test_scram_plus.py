# SPDX-License-Identifier: MIT
"""SCRAM-SHA-256-PLUS by the command line, whose path is the argument: OpenSSL's
s_server does TLS and says what binds the connection, the dialogue is ours.

Where the library has no exporter (Mbed TLS 2.28), and with TLS 1.2, the login
has to stop before anything of it is said."""
import base64
import os
import queue
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import certificates
from scram_server import Server, b64

TOOL = sys.argv.pop(1)
TIMEOUT = 30  # until it has hung
PLUS = "SCRAM-SHA-256-PLUS"
NEW = b"Mbed TLS 2." not in subprocess.run(
    [TOOL, "--version"], capture_output=True, check=True).stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Peer:
    """One connection to s_server, which writes what comes between remarks of
    its own."""

    def __init__(self, folder):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}",
             "-naccept", "1", "-cert", f"{folder}/ec.pem", "-key",
             f"{folder}/ec.key", "-keymatexport", "EXPORTER-Channel-Binding",
             "-keymatexportlen", "32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.wait(rb"ACCEPT")

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip(b"\r\n"))
        self.lines.put(None)

    def wait(self, pattern):
        """The next line that matches; None: there is none."""
        while True:
            line = self.lines.get(timeout=TIMEOUT)
            if line is None:
                return None
            match = re.fullmatch(pattern, line)
            if match:
                return match

    def say(self, text):
        self.process.stdin.write(text.encode() + b"\r\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.process.stdout.close()


class ScramPlus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        certificates.make(cls.folder.name)
        cls.password = os.path.join(cls.folder.name, "password")
        with open(cls.password, "w", encoding="ascii") as file:
            file.write("pencil\n")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def start(self, *options):
        peer = Peer(self.folder.name)
        self.addCleanup(peer.close)
        tool = subprocess.Popen(
            [TOOL, "send", "--server", f"smtps://localhost:{peer.port}",
             "--ca", f"{self.folder.name}/ca.pem", "--user", "user",
             "--password-file", self.password, "--from", "a@example.org",
             "--to", "b@example.org", *options, "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.addCleanup(tool.stdout.close)
        self.addCleanup(tool.wait)
        self.addCleanup(tool.kill)
        tool.stdin.write(b"Subject: x\n\nx\n")
        tool.stdin.close()
        return peer, tool

    @staticmethod
    def greet(peer, offered):
        found = peer.wait(rb"\s+Keying material: ([0-9A-F]{64})")
        peer.say("220 mx.example.org ESMTP")
        peer.wait(rb"EHLO .*")
        peer.say("250-mx.example.org\r\n250 AUTH " + offered)
        return bytes.fromhex(found[1].decode())

    def login(self, peer, server, mech):
        found = peer.wait(rb"AUTH (\S+) (\S+)")
        self.assertEqual(found[1].decode(), mech)
        peer.say("334 " + b64(server.first(base64.b64decode(found[2]))))
        found = peer.wait(rb"([A-Za-z0-9+/]+=*)")
        peer.say("334 " + b64(server.final(base64.b64decode(found[1]))))
        peer.wait(rb"")
        peer.say("235 2.7.0 welcome")
        self.assertIsNotNone(peer.wait(rb"MAIL FROM:<a@example.org>.*"))

    @unittest.skipUnless(NEW, "no exporter")
    def test_bound(self):
        peer, _ = self.start()
        binding = self.greet(peer, PLUS + " SCRAM-SHA-256 PLAIN")
        server = Server(PLUS, "pencil", True, binding)
        self.login(peer, server, PLUS)
        self.assertEqual(server.header, "p=tls-exporter,,")

    def test_not_offered(self):
        """Who could bind says so, in case somebody has hidden the offer."""
        peer, _ = self.start()
        self.greet(peer, "SCRAM-SHA-256")
        server = Server("SCRAM-SHA-256", "pencil")
        self.login(peer, server, "SCRAM-SHA-256")
        self.assertEqual(server.header, "y,," if NEW else "n,,")

    def test_next(self):
        """With TLS 1.2 there is nothing to bind to: the next one it is."""
        peer, _ = self.start("--tls-max", "1.2")
        self.greet(peer, PLUS + " SCRAM-SHA-256")
        server = Server("SCRAM-SHA-256", "pencil", True)
        self.login(peer, server, "SCRAM-SHA-256")
        self.assertEqual(server.header, "n,,")

    def test_only(self):
        """And if it is to be no other, nothing is said of it."""
        peer, tool = self.start("--tls-max", "1.2", "--auth", PLUS)
        self.greet(peer, PLUS + " SCRAM-SHA-256 PLAIN")
        line = peer.wait(rb"(AUTH|MAIL|QUIT).*")
        self.assertEqual(line and line[0], b"QUIT")
        peer.say("221 bye")
        out = tool.stdout.read()
        self.assertEqual(tool.wait(TIMEOUT), 77, out)


if __name__ == "__main__":
    unittest.main()
