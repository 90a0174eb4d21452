# SPDX-License-Identifier: MIT
"""Handshakes that go wrong, and servers that offer too little.
Arguments: TOOL SINK DRIVER."""
import base64
import os
import random
import socket
import ssl
import struct
import subprocess
import time
import warnings

import above  # noqa: F401
import certs
import der
import processes
import world
from dialogue import Dialogue, implicit
from peer import FIN, RST, Over, Server, context
from world import Case, probe, send, tearDownModule  # noqa: F401


def record(kind, data, version=0x0303):
    return struct.pack("!BHH", kind, version, len(data)) + data


def message(kind, data):
    """Of the handshake."""
    return bytes([kind]) + len(data).to_bytes(3, "big") + data


def server_hello(version=0x0303, suite=0xc02b, compression=0):
    """ECDHE-ECDSA-AES128-GCM-SHA256 of TLS 1.2, unless told otherwise."""
    return record(22, message(2, struct.pack(
        "!H32sBHBH", version, bytes(range(32)), 0, suite, compression, 0)))


def shorts(data):
    return list(struct.unpack(f"!{len(data) // 2}H", data))


def offered(hello):
    """The suites of a ClientHello (RFC 8446 4.1.2), and its extensions by
    number."""
    at = 5 + 4 + 2 + 32  # record, message, version, random
    at += 1 + hello[at]  # session
    size = int.from_bytes(hello[at:at + 2], "big")
    suites = shorts(hello[at + 2:at + 2 + size])
    at += 2 + size
    at += 1 + hello[at] + 2  # compression, size of what follows
    extensions = {}
    while at < len(hello):
        kind, size = struct.unpack_from("!HH", hello, at)
        extensions[kind] = hello[at + 4:at + 4 + size]
        at += 4 + size
    return suites, extensions


def instead(data):
    """A server that answers ClientHello like this."""

    def start(peer):
        peer.got += peer.sock.recv(65536)
        peer.send(data)
        peer.wait()

    return start


GARBAGE = {
    "SMTP": b"220 mx.example.test ESMTP\r\n",
    "HTTP": b"HTTP/1.0 400 Bad Request\r\n\r\n",
    "noise": random.Random(7).randbytes(4096),
    "zeros": bytes(70000),
    "ones": b"\xff" * 70000,
    "a record of length 0, for ever": record(22, b"") * 5000,
    "a record too long": struct.pack("!BHH", 22, 0x0303, 0xffff) + b"x" * 65535,
    "a message too long": record(22, b"\2\xff\xff\xff" + b"x" * 16000) * 20,
    "data before the handshake": record(23, b"250 ok\r\n"),
    "a fatal alert": record(21, b"\2\x28"),
    "close_notify": record(21, b"\1\0"),
    "HelloRequest for ever": record(22, message(0, b"")) * 2000,
    "Finished at once": record(22, message(20, bytes(12))),
    "SSL 3": server_hello(0x0300),
    "TLS 1.0": server_hello(0x0301),
    "TLS 1.1": server_hello(0x0302),
    "a version to come": server_hello(0x0305),
    "compression": server_hello(compression=1),
    "no encryption": server_hello(suite=0x003b),
    "no encryption, ECDHE": server_hello(suite=0xc006),
    "nobody's": server_hello(suite=0xc018),  # ECDH_anon
    "export": server_hello(suite=0x0003),
    "RC4": server_hello(suite=0x0005),
    "triple DES": server_hello(suite=0x000a),
    "no such suite": server_hello(suite=0xfefe),
}


def prime(size):
    """For DHE: RFC 2409 6.2 (1024 bits), RFC 3526 3 (2048), which begin
    alike."""
    end = {1024: "ece65381", 2048:
           "ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dc"
           "a3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18"
           "217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28fb5c55df06f4c52"
           "c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aacaa68"}
    return int("ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc"
               "74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f"
               "14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f4"
               "06b7edee386bfb5a899fa5ae9f24117c4b1fe649286651" + end[size] +
               "ffffffffffffffff", 16)


class Handshake(Case):
    def check_refused(self, server, policy="implicit", *options):
        got = probe(server, policy, *options)
        self.check_end(got, "tls-error")
        self.assertTrue(got.report["tls"]["error"])
        self.assertEqual(server.settle().lines, [])
        return got

    def check_serves(self, server, version, ciphers):
        """It does serve those who take what it has: so a refusal is ours."""
        how = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        how.check_hostname = False
        how.verify_mode = ssl.CERT_NONE
        how.set_ciphers(ciphers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            how.minimum_version = how.maximum_version = version
        with socket.create_connection(
                ("127.0.0.1", server.port)) as plain, how.wrap_socket(
                    plain) as tls:
            self.assertEqual(tls.recv(3), b"220")

    def test_offered(self):
        """The groups that cost least first, suites with forward secrecy and
        hashes from SHA-256 on; TLS 1.3 resumes with a key exchange only."""

        def hear(peer):
            peer.got += peer.sock.recv(65536)
            raise Over("heard")

        for most in world.versions():
            with self.subTest(most), Server(hear) as server:
                probe(server, "implicit", "--tls-max", most)
                suites, extensions = offered(server.settle().got)
                self.assertEqual(shorts(extensions[10][2:])[:2],
                                 [0x1d, 0x17])  # X25519, P-256
                self.assertEqual({n >> 8 for n in shorts(extensions[13][2:])}
                                 - {4, 5, 6, 8}, set())
                self.assertIn(0xff, suites)  # RFC 5746 3.3
                suites.remove(0xff)
                self.assertEqual(
                    {n >> 8 for n in suites},
                    {0xc0, 0xcc, 0x13} if most == "1.3" else {0xc0, 0xcc})
                self.assertEqual(suites[0],
                                 0x1303 if most == "1.3" else 0xcca9)
                if most == "1.3":
                    self.assertEqual(extensions[43], b"\4\3\4\3\3")
                    self.assertEqual(extensions[45], b"\1\1")
                    self.assertEqual(shorts(extensions[51][2:4]), [0x1d])

    def test_garbage(self):
        """scenario: 40"""
        for name, data in GARBAGE.items():
            with self.subTest(name), Server(instead(data)) as server:
                self.check_refused(server)

    def test_cut(self):
        """Gone before, within and behind ServerHello. scenario: 40"""
        for cut in (0, 1, 4, 5, 6, 50, 100):
            for how in (FIN, RST):
                def start(peer, cut=cut, how=how):
                    peer.wire.cut = (cut, how)
                    peer.wire.eager = True

                with self.subTest(f"{cut} {how}"), Server(
                        implicit(start=start), context("good")) as server:
                    self.check_refused(server)

    def test_old(self):
        """Servers that can do TLS 1.1 at most (RFC 8996)."""
        for version, number in (("1", ssl.TLSVersion.TLSv1),
                                ("1.1", ssl.TLSVersion.TLSv1_1)):
            with self.subTest(version), Server(
                    implicit(), context("good, RSA", version, weak=True)
                    ) as server:
                self.check_serves(server, number, "ALL:@SECLEVEL=0")
                self.check_refused(server)
                self.assertIsNotNone(server.settle().error)

    def test_weak(self):
        """Servers that have no suite that is good enough."""
        for identity, ciphers in (
                ("good", "eNULL:@SECLEVEL=0"),
                ("good, RSA", "eNULL:@SECLEVEL=0"),
                ("good, RSA", "aNULL:@SECLEVEL=0"),
                ("good, RSA", "kRSA")):
            with self.subTest(f"{identity}, {ciphers}"), Server(
                    implicit(), context(identity, "1.2", ciphers)) as server:
                self.check_serves(server, ssl.TLSVersion.TLSv1_2, ciphers)
                self.check_refused(server)

    def test_small_group(self):
        """DHE, where it is asked for, and the server chooses how small
        (CVE-2015-4000)."""
        suite = "DHE-RSA-AES128-GCM-SHA256"
        for size in (1024, 2048):
            path = os.path.join(processes.scratch(), "dh.pem")
            data = der.sequence(der.number(prime(size)), der.number(2))
            processes.write(path, "-----BEGIN DH PARAMETERS-----\n" +
                            base64.encodebytes(data).decode() +
                            "-----END DH PARAMETERS-----\n")
            how = context("good, RSA", "1.2", suite + ":@SECLEVEL=0")
            how.load_dh_params(path)
            with self.subTest(size), Server(implicit(), how) as server:
                self.check_serves(server, ssl.TLSVersion.TLSv1_2,
                                  suite + ":@SECLEVEL=0")
                options = ("--tls-ciphers",
                           "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256")
                if size == 2048:
                    self.check_end(probe(server, "implicit", *options), "ok")
                else:
                    self.check_refused(server, "implicit", *options)

    def test_suites(self):
        """Both kinds of key, with the suites that mail servers have."""
        for identity, ciphers in (
                ("good, RSA", "ECDHE-RSA-AES128-GCM-SHA256"),
                ("good, RSA", "ECDHE-RSA-AES256-GCM-SHA384"),
                ("good, RSA", "ECDHE-RSA-CHACHA20-POLY1305"),
                ("good", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                ("good", "ECDHE-ECDSA-CHACHA20-POLY1305")):
            with self.subTest(ciphers), Server(
                    implicit(), context(identity, "1.2", ciphers)) as server:
                got = probe(server, "implicit")
                self.check_end(got, "ok")
                # Named as the IANA does.
                wanted = ciphers.replace("AES", "AES_").replace("-", "_")
                wanted = wanted.replace("RSA_", "RSA_WITH_").replace(
                    "ECDSA_", "ECDSA_WITH_")
                self.assertIn(
                    got.report["tls"]["cipher"].removesuffix("_SHA256"),
                    "TLS_" + wanted.removesuffix("_SHA256"))

    def test_server_order(self):
        """A server of TLS 1.2 that goes by its own order of signatures. Mbed
        TLS 3.6.6 needs to be told that it is TLS 1.2."""
        how = context("good, RSA", "1.2")
        how.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        world.driver().settings(max_version=0x0303)
        with Server(implicit(), how) as server:
            self.check_status(world.driver().one(world.job(server)), "OK")

    def check_late(self, server, policy, stage):
        """The deadline of the handshake, and of nothing else, passes."""
        world.driver().settings()
        got = world.driver().one(world.job(
            server, policy, ("connect", "send"), timeout=300))
        self.check_status(got, "ETIMEDOUT")
        self.assertEqual(got["stage"], stage)
        self.assertFalse(got["tls"]["established"])

    def test_silent(self):
        """A handshake that never ends has a deadline."""

        def never(peer):
            peer.got += peer.sock.recv(65536)
            peer.wait()

        def half(peer):
            peer.got += peer.sock.recv(65536)
            peer.send(server_hello()[:-3])
            peer.wait()

        for function in (never, half):
            with Server(function) as server:
                self.check_late(server, world.IMPLICIT, "WRAP")
        with Server(Dialogue(replies={"STARTTLS": lambda peer: (
                peer.say("220 go"), never(peer))})) as server:
            self.check_late(server, world.REQUIRED, "HANDSHAKE")

    def test_endless(self):
        """Nor does one that drips go on for longer: the deadline is that of the
        whole. At this pace it would take minutes."""

        def slowly(peer):
            peer.got += peer.sock.recv(65536)
            for octet in record(22, message(2, bytes(3000))):
                peer.send(bytes([octet]))
                time.sleep(0.05)

        with Server(slowly) as server:
            self.check_late(server, world.IMPLICIT, "WRAP")

    def test_warnings(self):
        """Records without end that say nothing end with the deadline, or
        before."""

        def flood(peer):
            peer.got += peer.sock.recv(65536)
            while True:
                peer.send(record(21, b"\1\x5a") * 100)

        with Server(flood) as server:
            got = probe(server, "implicit", "--timeout", "2")
            self.assertIn(got.status, ("tls-error", "timeout"))

    def test_server_name(self):
        """Which server is meant is said by name (RFC 6066 3), but not for an
        address. scenario: 42"""
        for name, said in (("mx.example.test", "mx.example.test"),
                           ("127.0.0.1", None), ("::1", None)):
            seen = []
            how = context("good")
            how.sni_callback = lambda _tls, name, _how, seen=seen: (
                seen.append(name))
            with self.subTest(name), Server(implicit(), how) as server:
                self.check_end(probe(server, "implicit", name=name), "ok")
                self.assertEqual(seen, [said])

    def test_implicit(self):
        """Before the greeting; and a server that speaks first is none.
        scenario: 42, smtplib: 9"""
        with Server(implicit(), context("good")) as server:
            got = send(server, "implicit")
            self.check_end(got, "ok", "accepted")
            self.assertEqual(server.settle().verbs[:2], ["EHLO", "MAIL"])
        with Server(Dialogue(), context("good")) as server:
            self.check_end(send(server, "implicit"), "tls-error", "deferred")


class Signed(Case):
    """A server of our own hand, up to ServerKeyExchange: signed with what was
    not offered (CVE-2026-25834 and RFC 9155)."""

    # hash and signature, the numbers of RFC 5246 7.4.1.4.1
    ALGORITHMS = {
        "sha256": (4, 3, True), "sha1": (2, 3, False), "md5": (1, 3, False),
        "sha224": (3, 3, False),
    }

    @staticmethod
    def point():
        """A public key on P-256."""
        return certs.public("ec")[-65:]

    def exchange(self, peer, word):
        hello = peer.sock.recv(65536)
        client_random = hello[11:43]
        number, kind, _ = self.ALGORITHMS[word]
        curve = b"\3\0\x17\x41" + self.point()
        signature = der.sign(
            certs.key("ec"), word if word != "md5" else "sha1",
            client_random + bytes(range(32)) + curve)
        own = certs.make("good").der
        chain = len(own).to_bytes(3, "big") + own
        peer.send(
            server_hello() +
            record(22, message(11, len(chain).to_bytes(3, "big") + chain)) +
            record(22, message(12, curve + bytes([number, kind]) + struct.pack(
                "!H", len(signature)) + signature)) +
            record(22, message(14, b"")))
        answer = peer.sock.recv(65536)
        # A ClientKeyExchange, or an alert.
        peer.where["answer"] = answer[:1]
        raise Over("seen")

    def test_signatures(self):
        for most in (0, 0x0303):
            with self.subTest(most):
                self.check_signatures(most)

    def check_signatures(self, most):
        for word, (_, _, good) in self.ALGORITHMS.items():
            with self.subTest(word), Server(
                    lambda peer, word=word: self.exchange(peer, word)
                    ) as server:
                world.driver().settings(max_version=most)
                got = world.driver().one(world.job(server))
                self.check_status(got, "ETLS")
                self.assertEqual(server.settle().where["answer"],
                                 b"\x16" if good else b"\x15", got)


class Openssl(Case):
    """What only another server's program can do."""

    def serve(self, *options):
        """s_server, with its standard input to speak through."""
        own = certs.make("good")
        port = processes.free_port()
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
             own.cert, "-key", own.key, "-crlf", "-naccept", "1", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, bufsize=0)
        self.addCleanup(self.end, process)
        self.said = b""
        self.until(process, b"ACCEPT")
        return port, process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def until(self, process, *words):
        """Reads what it prints until one of these; which."""
        while True:
            for word in words:
                if word in self.said:
                    return word
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return None
            self.said += data

    def client(self, port, *options):
        args = [world.client.programs["tool"], "probe", "--json",
                f"smtp://127.0.0.1:{port}", *world.options("implicit"),
                *options]
        return subprocess.Popen(args, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL)

    def finish(self, run):
        out, err = run.communicate(timeout=world.client.RUN_TIMEOUT)
        return world.client.result(run, out, err, world.client.check_probe)

    def test_renegotiation(self):
        """Asked for by the server, it is refused or ignored."""
        port, process = self.serve("-tls1_2")
        run = self.client(port)
        self.until(process, b"CIPHER is")
        os.write(process.stdin.fileno(), b"220 hello\n")
        self.until(process, b"EHLO")
        self.said = b""
        os.write(process.stdin.fileno(), b"R\n")
        self.until(process, b"no renegotiation", b"CIPHER is")
        # Whether the session goes on is the server's choice; a second
        # handshake there was none.
        self.assertNotIn(b"CIPHER is", self.said)
        self.assertIn(b"no renegotiation", self.said)
        self.end(process)
        self.assertIn(self.finish(run).status,
                      ("tls-error", "disconnected", "helo-error"))


if __name__ == "__main__":
    world.main()
