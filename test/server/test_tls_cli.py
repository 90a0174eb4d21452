# SPDX-License-Identifier: MIT
"""The command line's options for TLS, and what it tells of it, against Python's
ssl. Arguments: TOOL SINK."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading

import client
import processes
import secure
from client import Case, probe, send
from recorder import CLOSE, Recorder
from secure import Secure, identity

TO = ["a@example.net"]
PASSPHRASE = "correct horse"


def verbs(lines):
    return [x.split(" ")[0] for x in lines if isinstance(x, str)]


def answer(hello):
    """What a server says to a client's first words, in TLS 1.2."""
    context = secure.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    try:
        server.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Policies(Case):
    """--tls, and the URL."""

    def test_opportunistic(self):
        """Whoever answers, and what is wrong with that is told."""
        for options in ((), ("--tls", "opportunistic")):
            with Secure() as server:
                got = send(server.url, TO, *options)
                self.check_sent(got)
                self.assertEqual(verbs(server.sessions[0])[:3],
                                 ["EHLO", "STARTTLS", "EHLO"])
            tls = got.report["tls"]
            self.assertEqual((tls["established"], tls["verified"],
                              tls["resumed"], tls["error"], tls["name"]),
                             (True, False, False, None, "localhost"))
            self.assertTrue(tls["problems"])
            self.assertNotIn("wrong-name", tls["problems"])
            self.assertEqual(
                ssl.PEM_cert_to_DER_cert(tls["certificate"]["pem"]),
                identity("server").der)

    def test_opportunistic_without(self):
        """Where it is not offered, or refused, it is clear text."""
        with Recorder() as server:
            got = send(server.url, TO)
            self.check_sent(got)
            self.assertIsNone(got.report["tls"])
        with Secure({"STARTTLS": "454 4.7.0 not now"}) as server:
            got = send(server.url, TO)
            self.check_sent(got)
            self.assertIsNone(got.report["tls"])
            self.assertIn("MAIL", verbs(server.sessions[0]))

    def test_none(self):
        """It may be offered."""
        with Secure() as server:
            got = send(server.url, TO, "--tls", "none")
            self.check_sent(got)
            self.assertIsNone(got.report["tls"])
            self.assertNotIn("STARTTLS", verbs(server.sessions[0]))

    def test_required(self):
        """With the certificate in --ca, and without."""
        with Secure() as server:
            got = send(server.url, TO, "--tls", "required", "--ca",
                       identity("server").cert)
            self.check_sent(got)
            tls = got.report["tls"]
            self.assertEqual(
                (tls["verified"], tls["problems"], tls["name"]),
                (True, [], "localhost"))
            got = send(server.url, TO, "--tls", "required")
            self.check_sent(got, "tls-error", 76)
            self.assertEqual(verbs(server.sessions[1]), ["EHLO", "STARTTLS"])
        self.assertEqual(got.report["stage"], "HANDSHAKE")
        self.assertEqual(got.outcomes(), {TO[0]: "deferred"})
        tls = got.report["tls"]
        self.assertEqual((tls["established"], tls["verified"]), (False, False))
        self.assertTrue(tls["problems"])
        self.assertIn(" failed: ", got.report["error"])
        self.assertFalse(got.report["error"].endswith(": "))

    def test_required_without(self):
        """Nothing is sent where STARTTLS is not to be had."""
        with Recorder() as server:
            got = send(server.url, TO, "--tls", "required")
            self.check_sent(got, "tls-error", 76)
            self.assertEqual(verbs(server.sessions[0]), ["EHLO", "QUIT"])
        self.assertEqual(
            (got.report["stage"], got.report["tls"], got.report["error"]),
            ("STARTTLS", None,
             f"127.0.0.1 port {server.port} does not offer STARTTLS"))
        self.assertEqual(got.outcomes(), {TO[0]: "deferred"})
        for reply, outcome in (("454 4.7.0 not now", "deferred"),
                               ("554 5.7.3 never", "rejected")):
            with Secure({"STARTTLS": reply}) as server:
                got = send(server.url, TO, "--tls", "required")
                self.check_sent(got, "tls-error", 76)
                self.assertNotIn("MAIL", verbs(server.sessions[0]))
            self.assertEqual(
                (got.report["stage"], got.report["reply"]["code"],
                 got.report["error"], got.outcomes()),
                ("STARTTLS", int(reply[:3]),
                 f"localhost port {server.port} refused STARTTLS",
                 {TO[0]: outcome}))

    def test_implicit(self):
        """smtps://, and --tls implicit."""
        trust = ("--ca", identity("server").cert)
        with Secure(implicit=True) as server:
            for url, options in (
                    (server.url, ()), (server.url, ("--tls", "implicit")),
                    (server.url.upper().replace("LOCALHOST", "localhost"), ()),
                    (f"smtp://localhost:{server.port}", ("--tls", "implicit")),
                    (f"127.0.0.1:{server.port}", ("--tls", "implicit"))):
                with self.subTest(url, options=options):
                    got = send(url, TO, *options, *trust)
                    self.check_sent(got)
                    self.assertTrue(got.report["tls"]["verified"])
                    self.assertEqual(verbs(server.sessions[-1])[:2],
                                     ["EHLO", "MAIL"])
            got = send(server.url, TO)
            self.check_sent(got, "tls-error", 76)
            self.assertEqual((got.report["stage"], got.outcomes()),
                             ("WRAP", {TO[0]: "deferred"}))
            self.assertTrue(got.report["tls"]["problems"])

    def test_lmtp(self):
        """LMTP as well, by both ways."""
        for implicit, policy in ((True, "implicit"), (False, "required")):
            with Secure(lmtp=True, implicit=implicit) as server:
                got = send(server.url, TO, "--tls", policy, "--ca",
                           identity("server").cert)
                self.check_sent(got)
                self.assertTrue(got.report["tls"]["verified"])

    def test_unix(self):
        """A Unix socket has no name of its own."""
        path = os.path.join(processes.scratch(), "socket")
        options = ("--tls", "required", "--ca", identity("server").cert)
        with Secure(path=path) as server:
            got = send(f"smtp:{path}", TO)
            self.check_sent(got)
            self.assertIsNone(got.report["tls"])
            for name, status in (("mx.example.test", "ok"),
                                 ("other.example.test", "tls-error")):
                got = send(f"smtp:{path}", TO, *options, "--tls-name", name)
                self.check_sent(got, status, 76 if status != "ok" else 0)
                self.assertEqual(got.report["tls"]["name"], name)
            self.assertEqual(len(server.sessions), 3)


class Trust(Case):
    """Whom it believes."""

    def attempt(self, server, *options, env=None):
        """The probe's TLS; the exit status must fit."""
        got = probe(server.url, "--tls", "required", *options, env=env)
        ok = got.report["tls"]["established"]
        self.check_sent(got, *(("ok", 0) if ok else ("tls-error", 76)))
        return got.report["tls"]

    def test_authorities(self):
        """--ca as a file or a directory, and OpenSSL's variables."""
        folder = os.path.join(processes.scratch(), "authorities")
        empty = os.path.join(processes.scratch(), "nothing")
        os.mkdir(folder)
        os.mkdir(empty)
        right, wrong = identity("server").cert, identity("other").cert
        shutil.copy(wrong, folder)
        shutil.copy(right, folder)
        with open(os.path.join(folder, "README"), "w", encoding="ascii") as f:
            f.write("no certificate\n")
        with Secure() as server:
            for options, env, verified in (
                    (("--ca", right), {}, True),
                    (("--ca", wrong), {}, False),
                    (("--ca", folder), {}, True),
                    ((), {"SSL_CERT_FILE": right}, True),
                    ((), {"SSL_CERT_FILE": wrong}, False),
                    ((), {"SSL_CERT_DIR": folder}, True),
                    ((), {"SSL_CERT_FILE": wrong, "SSL_CERT_DIR": folder},
                     True),
                    (("--ca", wrong), {"SSL_CERT_FILE": right}, False),
                    (("--ca", right), {"SSL_CERT_FILE": "/none/such"}, True)):
                with self.subTest(options, env=env):
                    tls = self.attempt(server, *options,
                                       env={**os.environ, **env})
                    self.assertEqual(tls["verified"], verified)
                    self.assertEqual(tls["problems"] == [], verified)

    def test_insecure(self):
        """Whoever answers, under every policy."""
        with Secure() as server:
            tls = self.attempt(server, "--insecure")
            self.assertEqual((tls["established"], tls["verified"]),
                             (True, False))
            self.assertTrue(tls["problems"])

    def test_names(self):
        """--tls-name instead of the host."""
        trust = ("--ca", identity("server").cert)
        with Secure() as server:
            for name, problems in (
                    ("mx.example.test", []), ("MX.Example.TEST", []),
                    ("127.0.0.1", []), ("127.0.0.2", ["wrong-name"]),
                    ("x.example.test", ["wrong-name"])):
                with self.subTest(name):
                    tls = self.attempt(server, *trust, "--tls-name", name)
                    self.assertEqual(
                        (tls["name"].lower(), tls["problems"]),
                        (name.lower(), problems))

    def test_pins(self):
        """--pin, alone with --insecure or beside the rest."""
        mine, other = identity("server"), identity("other")
        digits = mine.fingerprint()[len("sha256:"):]
        colons = "sha256:" + ":".join(re.findall("..", digits.upper()))
        trust = ("--ca", mine.cert)
        with Secure() as server:
            for options, established in (
                    ((*trust, "--pin", mine.pin()), True),
                    ((*trust, "--pin", mine.fingerprint()), True),
                    ((*trust, "--pin", colons), True),
                    ((*trust, "--pin", other.pin()), False),
                    ((*trust, "--pin", other.fingerprint()), False),
                    ((*trust, "--pin", other.pin(), "--pin", mine.pin()), True),
                    (("--insecure", "--pin", mine.pin()), True),
                    (("--insecure", "--pin", other.pin()), False),
                    (("--pin", mine.pin()), False)):
                with self.subTest(options):
                    tls = self.attempt(server, *options)
                    self.assertEqual(tls["established"], established)
                    self.assertEqual("wrong-pin" in tls["problems"],
                                     not established and
                                     options[0] != "--pin")

    def test_pins_shown(self):
        """What a probe shows is what --pin takes."""
        with Secure() as server:
            certificate = self.attempt(server)["certificate"]
            self.assertEqual(certificate["pin"], identity("server").pin())
            self.assertEqual(
                certificate["fingerprint"].replace(":", "").lower(),
                identity("server").fingerprint().replace(":", ""))
            for pin in (certificate["pin"], certificate["fingerprint"]):
                self.assertTrue(self.attempt(server, "--insecure", "--pin",
                                             pin)["established"])

    def test_versions(self):
        """--tls-min, --tls-max and --tls-ciphers."""
        # Not the one that it would be without a word.
        suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
        with Secure() as server:
            for options in (("--tls-max", "1.2"),
                            ("--tls-min", "1.2", "--tls-max", "1.2")):
                tls = self.attempt(server, "--insecure", *options)
                self.assertEqual(tls["version"], "TLSv1.2")
            tls = self.attempt(server, "--insecure", "--tls-max", "1.2",
                               "--tls-ciphers", suite)
            self.assertEqual(tls["cipher"], suite)
            code, _, err = client.run(
                [client.programs["tool"], "probe", "--insecure", "--tls",
                 "required", "--tls-min", "1.3", server.url])
            if code == 64:  # a library without it
                self.assertIn(b"--tls-min 1.3: ", err)
            else:
                self.assertEqual(self.attempt(
                    server, "--insecure", "--tls-min", "1.3")["version"],
                    "TLSv1.3")
        old = secure.context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with Secure(by=old) as server:
            self.assertEqual(self.attempt(server, "--insecure")["version"],
                             "TLSv1.2")
            if code != 64:
                self.assertFalse(self.attempt(
                    server, "--insecure", "--tls-min", "1.3")["established"])


class Own(Case):
    """--cert, --key and --key-passphrase-file."""

    def setUp(self):
        self.mine = identity("client")
        self.locked = identity("locked", passphrase=PASSPHRASE)

    def send(self, who, *options):
        """Sends to a server that asks for that one's certificate."""
        context = secure.context(client=who)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with Secure(by=context) as server:
            return send(server.url, TO, "--tls", "required", "--ca",
                        identity("server").cert, *options)

    def file(self, text):
        path = os.path.join(processes.scratch(), "passphrase")
        processes.write(path, text)
        return path

    def test_shown(self):
        """To a server that insists on one."""
        both = os.path.join(processes.scratch(), "both.pem")
        with open(self.mine.key, encoding="ascii") as f:
            processes.write(both, self.mine.pem + f.read())
        self.check_sent(self.send(self.mine, "--cert", self.mine.cert, "--key",
                                  self.mine.key))
        self.check_sent(self.send(self.mine, "--cert", both))
        got = self.send(self.mine)
        self.check_sent(got, "tls-error", 76)
        self.assertIn("failed: the server refused", got.report["error"])

    def test_passphrase(self):
        """An encrypted key."""
        own = ("--cert", self.locked.cert, "--key", self.locked.key)
        for text in (PASSPHRASE, PASSPHRASE + "\n", PASSPHRASE + "\r\n",
                     PASSPHRASE + "\nmore\n"):
            self.check_sent(self.send(self.locked, *own,
                                      "--key-passphrase-file",
                                      self.file(text)))
        for options in ((), ("--key-passphrase-file", self.file("wrong\n")),
                        ("--key-passphrase-file", self.file(""))):
            got = self.send(self.locked, *own, *options)
            self.check_sent(got, "local-error", 66)
            self.assertIn(f"--key {self.locked.key}: ", got.report["error"])
            self.assertNotIn("wrong\n", got.report["error"])

    def test_mismatch(self):
        """The key of another certificate, and a certificate without any."""
        for options in (("--key", self.mine.key), ("--key", self.mine.cert),
                        ()):
            got = self.send(self.mine, "--cert", self.locked.cert, *options)
            self.check_sent(got, "local-error", 66)
            self.assertIn(f"--cert {self.locked.cert}", got.report["error"])


class People(client.PeopleCase):
    """Without --json."""

    def test_accepted(self):
        """A line tells of it."""
        trust = ("--tls", "required", "--ca", identity("server").cert)
        with Secure() as server:
            for options, words in ((trust, r"verified as localhost"),
                                   ((), r"not verified: .+")):
                code, out, err = self.send(server.url, *options)
                self.assertEqual((code, err), (0, ""))
                self.assertRegex(out, (
                    rf"\Aaccepted by localhost port {server.port}: 250 queued\n"
                    rf"  TLS: TLSv1\.[23], TLS_\w+, {words}\n\Z"))

    def test_failed(self):
        """Why, and what can be done."""
        with Secure() as server:
            code, out, err = self.send(server.url, "--tls", "required")
        where = f"localhost port {server.port}"
        self.assertEqual((code, out), (76, ""))
        self.assertRegex(err, (
            rf"\Auvsmtp: tls-error \(at TLS handshake\): TLS with {where} "
            r"failed: .+\n"
            r"Nothing was delivered\. Is it the right server\? uvsmtp probe "
            r"--insecure shows its\ncertificate; --ca or --pin trusts it\.\n"
            r"\Z"))
        with Secure(implicit=True) as server:
            code, out, err = self.send(server.url)
        self.assertEqual((code, out), (76, ""))
        self.assertTrue(err.startswith(
            "uvsmtp: tls-error (at TLS handshake before the greeting): TLS "
            f"with localhost port {server.port} failed: "), err)
        with Recorder() as server:
            code, out, err = self.send(server.url, "--tls", "required")
        self.assertEqual((code, out), (76, ""))
        self.assertEqual(err, (
            f"uvsmtp: tls-error (at STARTTLS): 127.0.0.1 port {server.port} "
            "does not offer STARTTLS\n"
            "Nothing was delivered. It can be sent again later.\n"))

    def test_no_tls(self):
        """The other end does not speak it."""
        with Recorder() as server:
            code, out, err = self.send(f"smtps://127.0.0.1:{server.port}")
        self.assertEqual((code, out), (76, ""))
        self.assertRegex(err, r"tls-error \(at TLS handshake before the "
                              r"greeting\): .* failed: .+; if it wants "
                              r"STARTTLS")

    def test_alert(self):
        """Why the server refused is told, though it has left right after."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"smtps://127.0.0.1:{listener.getsockname()[1]}"

            def refuse():
                for begun in (False, True):
                    s, _ = listener.accept()
                    with s:
                        flight = answer(s.recv(65536)) if begun else b""
                        # Fatal: handshake_failure (RFC 5246 7.2).
                        s.sendall(flight + bytes.fromhex("15030300020228"))
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(65536):
                            pass

            thread = threading.Thread(target=refuse, daemon=True)
            thread.start()
            for _ in range(2):
                code, _, err = self.send(url, "--insecure")
                self.assertEqual(code, 76)
                self.assertIn("the server refused: handshake failure", err)
                self.assertNotIn("if it wants STARTTLS", err)
            thread.join(10)

    def test_cut(self):
        """A connection that is cut off within TLS is lost, and it says how."""
        with Secure({"MAIL": CLOSE}) as server:
            code, out, err = self.send(server.url)
            self.assertEqual((code, out), (75, ""))
            self.assertRegex(
                err, r"\Auvsmtp: disconnected \(at MAIL\): the connection to "
                     rf"localhost port {server.port} was lost: .*close_notify")
        with Secure({"DOT": CLOSE}) as server:
            code, out, err = self.send(server.url)
            self.assertEqual((code, out), (70, ""))
            self.assertRegex(err, r"but no verdict came: .*close_notify")

    def test_probe(self):
        """Version, suite, certificate, and what is offered within."""
        mine = identity("server")
        with Secure(extensions=("SIZE 1000",)) as server:
            code, out, err = self.run_tool("probe", server.url)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\n  TLS        TLSv1\.[23], TLS_\w+, not "
                              r"verified: .+\n")
        self.assertRegex(out, r"greeting [\d.]+ ms, EHLO [\d.]+ ms \(TLS "
                              r"[\d.]+ ms\)\n")
        self.assertIn("\n  SIZE 1000  messages of up to 1000 bytes\n", out)
        self.assertNotIn("encryption on request", out)
        head, _, certificate = out.partition("\n\nCertificate\n")
        self.assertIn("SIZE", head)
        self.assertIn("mx.example.test", certificate)
        self.assertIn(f"\n  its key is --pin {mine.pin()}\n", certificate)
        self.assertRegex(certificate, r"\n  this certificate is --pin "
                                      r"sha256:[0-9a-fA-F:]+\n\Z")

    def test_probe_implicit(self):
        """The greeting comes after the handshake."""
        with Secure(implicit=True) as server:
            code, out, err = self.run_tool("probe", "--insecure", server.url)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"greeting [\d.]+ ms \(TLS [\d.]+ ms\), EHLO "
                              r"[\d.]+ ms\n")

    def test_probe_failed(self):
        """The certificate is shown also where it is not trusted."""
        mine = identity("server")
        with Secure() as server:
            code, out, err = self.run_tool("probe", "--tls", "required",
                                           server.url)
        self.assertEqual(code, 76)
        self.assertIn("  TLS        failed: the certificate", out)
        self.assertIn("tls-error (at TLS handshake): ", err)
        self.assertIn(f"\n  its key is --pin {mine.pin()}\n", out)
        with Secure(implicit=True) as server:
            code, out, err = self.run_tool("probe", server.url)
        self.assertEqual(code, 76)
        self.assertIn("tls-error (at TLS handshake before the greeting): ", err)
        self.assertIn(f"\n  its key is --pin {mine.pin()}\n", out)

    def test_hostile(self):
        """A certificate can't disturb a terminal."""
        evil = identity("evil\x1b[2Jname\x9b\u202e", extension=secure.NAMES +
                        ",DNS:a\x1b[31mb,URI:x\x07\x7f")
        with Secure(by=secure.context(evil)) as server:
            for options in ((), ("--json",), ("--trace",)):
                code, out, _ = self.run_tool("probe", *options, server.url)
                self.assertEqual(code, 0)
                self.assertIn("sha256//", out.replace("\\/", "/"))
            self.send(server.url, "--tls", "required")

    def test_version(self):
        """--version says whose TLS it is."""
        code, out, err = self.run_tool("--version")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\Auvsmtp \d+\.\d+\.\d+, Mbed TLS \d.*\n\Z")


class Facts(Case):
    """A probe's object."""

    def test_starttls(self):
        """Whether it was offered, and how long the handshake took."""
        with Secure() as server:
            got = probe(server.url)
            self.check_sent(got)
            ms = got.report["ms"]
            self.assertTrue(0 < ms["tls"] < ms["hello"], ms)
            self.assertIs(got.report["starttls"], True)
            self.assertNotIn("STARTTLS", got.report["extensions"])
            got = probe(server.url, "--tls", "none")
            self.assertIs(got.report["starttls"], True)
            self.assertIn("STARTTLS", got.report["extensions"])
        with Secure(implicit=True) as server:
            got = probe(server.url, "--insecure")
            self.check_sent(got)
            self.assertIsNone(got.report["starttls"])
            ms = got.report["ms"]
            # The greeting can come together with the end of the handshake, and
            # each of the two is rounded.
            self.assertTrue(0 < ms["tls"] <= ms["greeting"] + 1, ms)
        with Recorder() as server:
            got = probe(server.url, "--tls", "required")
            self.check_sent(got, "tls-error", 76)
            self.assertIs(got.report["starttls"], False)

    def test_certificate(self):
        """What openssl finds in it."""
        with Secure() as server:
            got = probe(server.url)
        certificate = got.report["tls"]["certificate"]
        path = os.path.join(processes.scratch(), "found.pem")
        processes.write(path, certificate["pem"])
        done = subprocess.run(
            ["openssl", "x509", "-in", path, "-noout", "-fingerprint",
             "-sha256"], check=True, capture_output=True, text=True)
        self.assertEqual(done.stdout.split("=")[1].strip().replace(":", "")
                         .lower(),
                         certificate["fingerprint"][7:].replace(":", "")
                         .lower())
        self.assertIn("mx.example.test", certificate["text"])


if __name__ == "__main__":
    client.main()
