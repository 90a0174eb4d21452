# SPDX-License-Identifier: MIT
"""Who vouches for a certificate, for what, since when; pins, the verify hook,
certificates of our own. Arguments: TOOL SINK DRIVER."""
import os

import above  # noqa: F401
import certs
import processes
import world
from certs import Spec
from dialogue import Dialogue, implicit
from peer import Server, context
from world import (EXPIRED, FUTURE, INSECURE, NO_TRUST, NOT_A_CA, OPPORTUNISTIC,
                   REFUSED, REQUIRED, SELF_SIGNED, UNKNOWN_CA, WEAK, WRONG_NAME,
                   WRONG_PIN, WRONG_USE, Case, tearDownModule)  # noqa: F401

GOOD = ["good", "good, RSA", "small", "server", "both purposes", "three",
        "three, with the root"]

# Certificate: what is wrong with it, by any of these sets.
BAD = {
    "expired": [EXPIRED],
    "future": [FUTURE],
    "self-signed": [SELF_SIGNED, SELF_SIGNED | UNKNOWN_CA],
    "other authority": [UNKNOWN_CA],
    "three, the middle not sent": [UNKNOWN_CA],
    "by no authority": [NOT_A_CA, NOT_A_CA | UNKNOWN_CA],
    "by no authority, silent": [NOT_A_CA, NOT_A_CA | UNKNOWN_CA],
    "by one that may not sign": [NOT_A_CA, NOT_A_CA | UNKNOWN_CA,
                                 NOT_A_CA | WRONG_USE],
    "for clients": [WRONG_USE],
    "SHA-1": [WEAK],
    "RSA 1024": [WEAK],
    "middle expired": [EXPIRED],
}


def hosted(spec):
    """What a server shows for it. Python does not serve what is too weak unless
    it is told to."""
    return context(spec, weak=spec in ("SHA-1", "RSA 1024"))


class Asking(Case):
    def ask(self, how, policy=world.IMPLICIT, settings=None, **job):
        """A session with a server of this context: what came of it, and the
        peer."""
        answer = world.driver().settings(**(settings or {}))
        self.assertEqual(answer["error"], "OK", answer)
        plan = Dialogue(implicit=policy == world.IMPLICIT)
        with Server(plan, how) as server:
            got = world.driver().one(world.job(server, policy, **job))
            return got, server.settle()


class Trust(Asking):
    def test_good(self):
        for version in world.versions():
            for spec in GOOD:
                with self.subTest(f"{spec} {version}"):
                    got, peer = self.ask(context(spec, version))
                    self.check_status(got, "OK")
                    self.assertEqual(got["tls"]["version"], "TLSv" + version)
                    self.assertTrue(got["tls"]["verified"])
                    self.assertEqual(
                        (got["tls"]["problems"], got["tls"]["words"],
                         got["tls"]["error"]), (0, "", ""))
                    self.assertEqual(got["tls"]["certificate"],
                                     len(certs.make(spec).der))
                    # Both ends speak of the same suite.
                    self.assertTrue(got["tls"]["cipher"].startswith("TLS_"))
                    self.assertEqual(peer.tls.version(), "TLSv" + version)

    def test_bad(self):
        """Refused, and each for its reason. scenario: 41"""
        words = {}
        for version in world.versions():
            for spec, problems in BAD.items():
                with self.subTest(f"{spec} {version}"):
                    got, peer = self.ask(context(
                        spec, version, weak=spec in ("SHA-1", "RSA 1024")))
                    self.check_status(got, "ETLS")
                    self.assertEqual(got["stage"], "WRAP")
                    self.assertIn(got["tls"]["problems"], problems, got)
                    self.assertFalse(got["tls"]["verified"])
                    self.assertNotEqual(got["tls"]["words"], "")
                    self.assertEqual(peer.lines, [])
                    self.assertIn("alert", str(peer.error).lower())
                    words[got["tls"]["problems"]] = got["tls"]["words"]
        self.assertEqual(len(words), len(set(words.values())), words)

    def test_opted_out(self):
        """Insecure, or an opportunistic policy: it goes on, and what is wrong
        is told. scenario: 41"""
        for spec, problems in BAD.items():
            for policy, settings in ((world.IMPLICIT, {"flags": INSECURE}),
                                     (REQUIRED, {"flags": INSECURE}),
                                     (OPPORTUNISTIC, {})):
                with self.subTest(f"{spec} {policy}"):
                    got, peer = self.ask(hosted(spec), policy, settings)
                    self.check_status(got, "OK")
                    self.assertIn(got["tls"]["problems"], problems)
                    self.assertEqual(
                        (got["tls"]["verified"], got["tls"]["established"]),
                        (False, True))
                    self.assertIn("NOOP", peer.verbs)

    def test_wrong_twice(self):
        """All that is wrong is told at once."""
        got, _ = self.ask(context(Spec(
            names=("dns:other.example.test",), begins=-9, ends=-1)))
        self.check_status(got, "ETLS")
        self.assertEqual(got["tls"]["problems"], EXPIRED | WRONG_NAME)
        self.assertIn("; ", got["tls"]["words"])

    def test_self_signed_trusted(self):
        """One that is trusted itself."""
        got, _ = self.ask(context("self-signed"),
                          settings={"ca": "self-signed"})
        self.check_status(got, "OK")
        self.assertTrue(got["tls"]["verified"])

    def test_no_authority(self):
        """Nobody is trusted: nobody is who he says. CVE-2019-8337."""
        nobody = {"ca": None, "bare": True}
        for policy in (world.IMPLICIT, REQUIRED):
            with self.subTest(policy):
                got, peer = self.ask(context("good"), policy, nobody)
                self.check_status(got, "ETLS")
                self.assertEqual(
                    (got["tls"]["problems"], got["tls"]["verified"]),
                    (NO_TRUST, False))
                self.assertIn("no trusted certificate is configured",
                              got["tls"]["error"])
                self.assertLessEqual(set(peer.verbs), {"EHLO", "STARTTLS"})
                # The settings that trust somebody are others.
                got, _ = self.ask(context("good"), policy)
                self.check_status(got, "OK")
        got, _ = self.ask(context("good"), OPPORTUNISTIC, nobody)
        self.check_status(got, "OK")
        self.assertEqual((got["tls"]["problems"], got["tls"]["verified"]),
                         (NO_TRUST, False))

    def test_others_authorities(self):
        """The system's, which have not heard of ours; a directory of none."""
        for policy in (world.IMPLICIT, REQUIRED):
            with self.subTest(policy):
                got, peer = self.ask(context("good"), policy, {"ca": None})
                self.check_status(got, "ETLS")
                self.assertIn(got["tls"]["problems"], (UNKNOWN_CA, NO_TRUST))
                self.assertLessEqual(set(peer.verbs), {"EHLO", "STARTTLS"})
        answer = world.driver().settings(ca=None, ca_dir=processes.scratch())
        self.assertEqual(answer["error"], "ETLS")

    def test_directory(self):
        """Authorities of a directory, beside files that are none; and from
        memory."""
        directory = processes.scratch()
        processes.write(os.path.join(directory, "README"), "no certificate\n")
        pem = processes.read(certs.trusted()).decode()
        processes.write(os.path.join(directory, "a.pem"), pem)
        got, _ = self.ask(context("good"),
                          settings={"ca": None, "ca_dir": directory})
        self.check_status(got, "OK")
        world.driver().ask(settings={"ca": pem})
        with Server(implicit(), context("three")) as server:
            self.check_status(world.driver().one(world.job(server)), "OK")


class Pins(Asking):
    """What a pin says counts beside all else."""

    def test_pins(self):
        own = certs.make("good")
        other = certs.make("other")
        colons = ":".join(own.pin()[7:][n:n + 2] for n in range(0, 64, 2))
        for pins, right in (
                ([own.pin()], True), ([own.key_pin()], True),
                (["sha256:" + colons], True), ([own.pin().upper().replace(
                    "SHA256", "sha256")], True),
                ([other.pin(), own.key_pin()], True),
                ([other.pin()], False), ([other.key_pin()], False),
                ([other.pin(), other.key_pin()], False),
                # Not that of its issuer.
                ([certs.make("ca").pin()], False)):
            for flags in (0, INSECURE):
                with self.subTest(f"{pins} {flags}"):
                    got, peer = self.ask(
                        context("good"),
                        settings={"pins": pins, "flags": flags})
                    if right:
                        self.check_status(got, "OK")
                        continue
                    self.check_status(got, "ETLS")
                    self.assertEqual(got["tls"]["problems"], WRONG_PIN)
                    self.assertEqual(peer.lines, [])

    def test_right_pin_wrong_name(self):
        own = certs.make("other authority")
        got, _ = self.ask(context("other authority"),
                          settings={"pins": [own.pin()]})
        self.check_status(got, "ETLS")
        self.assertEqual(got["tls"]["problems"], UNKNOWN_CA)
        got, _ = self.ask(context("other authority"), settings={
            "pins": [own.pin()], "flags": INSECURE})
        self.check_status(got, "OK")

    def test_opportunistic(self):
        """A pin that was given is no wish."""
        got, _ = self.ask(context("good"), OPPORTUNISTIC, settings={
            "pins": [certs.make("other").pin()]})
        self.check_status(got, "ETLS")

    def test_nonsense(self):
        for pin in ("", "sha256", "sha256:", "sha256:" + "0" * 63,
                    "sha256:" + "0" * 65, "sha256:" + "g" * 64, "sha256//",
                    "sha256//AAAA", "sha1:" + "0" * 40, "0" * 64):
            with self.subTest(pin):
                answer = world.driver().settings(pins=[pin])
                self.assertEqual(answer["error"], "EINVAL")


class Hook(Asking):
    """The verify hook has the last word."""

    def test_asked(self):
        """Once, with the whole chain and what the library thinks of it."""
        for spec, problems, count in (("three", 0, 2), ("good", 0, 1),
                                      ("expired", EXPIRED, 1),
                                      ("three, with the root", 0, 3)):
            with self.subTest(spec):
                got, _ = self.ask(context(spec), settings={"verdict": 0})
                self.check_status(got, "ETLS" if problems else "OK")
                seen, = got["seen"]
                self.assertEqual((seen["name"], seen["problems"]),
                                 (certs.HOST, problems))
                self.assertEqual(len(seen["chain"]), count)
                self.assertEqual(seen["chain"][0],
                                 len(certs.make(spec).der))

    def test_trusts(self):
        """What DANE says of a certificate sets the rest aside."""
        for spec in BAD:
            with self.subTest(spec):
                got, _ = self.ask(hosted(spec), settings={"verdict": 1})
                self.check_status(got, "OK")
                self.assertEqual(len(got["seen"]), 1)

    def test_refuses(self):
        """Whatever the policy. -13 is EACCES here."""
        for policy in (OPPORTUNISTIC, REQUIRED, world.IMPLICIT):
            for flags in (0, INSECURE):
                with self.subTest(f"{policy} {flags}"):
                    got, peer = self.ask(
                        context("good"), policy,
                        {"verdict": -13, "flags": flags})
                    self.check_status(got, "ETLS")
                    self.assertEqual(got["cause"], "EACCES")
                    self.assertTrue(got["tls"]["problems"] & REFUSED)
                    self.assertNotIn("NOOP", peer.verbs)


class Own(Asking):
    """Certificates of ours. smtplib: 10"""

    def test_shown(self):
        own = certs.make("client")
        for version in world.versions():
            with self.subTest(version):
                got, peer = self.ask(
                    context("good", version, client_ca="ca"),
                    settings={"cert_file": own.cert, "key_file": own.key})
                self.check_status(got, "OK")
                self.assertEqual(peer.tls.getpeercert(True), own.der)

    def test_memory(self):
        own = certs.make("client")
        got, peer = self.ask(
            context("good", client_ca="ca"),
            settings={"cert": processes.read(own.cert).decode(),
                      "key": processes.read(own.key).decode()})
        self.check_status(got, "OK")
        self.assertEqual(peer.tls.getpeercert(True), own.der)

    def test_missing(self):
        """A server that wants one and gets none. In TLS 1.3 we hear of it when
        our side is done already."""
        for version in world.versions():
            with self.subTest(version):
                got, peer = self.ask(context("good", version, client_ca="ca"))
                self.check_status(got, "ETLS" if version == "1.2"
                                  else "EDISCONNECTED", "ETLS")
                self.assertIn("ETLS", (got["status"], got["cause"]))
                self.assertNotEqual(got["tls"]["error"], "")
                self.assertEqual(peer.lines, [])

    def test_wrong_key(self):
        own = certs.make("client")
        answer = world.driver().settings(
            cert_file=own.cert, key_file=certs.key("client2"))
        self.assertEqual(answer["error"], "ETLS")

if __name__ == "__main__":
    world.main()
