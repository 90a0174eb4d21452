# SPDX-License-Identifier: MIT
"""Logging in by the command line, and what it tells of it. Arguments: TOOL
SINK."""
import os

import client
import processes
import sasl
from client import Case, probe, send
from recorder import CLOSE, EXTENSIONS, Recorder
from sasl import PASSWORD, PLAINTEXT, TOKEN, USER, Accounts, file, plain
from secure import Secure, context, identity

TO = ["a@example.net"]
WRONG = "wr0ng-secr3t"


def secure(accounts, replies=None, **more):
    return Secure(replies, (*EXTENSIONS, accounts.extension()), auth=accounts,
                  **more)


def user(password=PASSWORD):
    return ("--user", USER, "--password-file", file(password))


def token(text=TOKEN):
    return ("--user", USER, "--token-file", file(text))


def verbs(lines):
    return [x.split(" ")[0] for x in lines if isinstance(x, str)]


class AuthCase(Case):
    """Nothing that is shown holds a secret."""

    def check_silent(self, got, *secrets):
        for secret in (PASSWORD, TOKEN, *secrets):
            for spelling in sasl.spellings(secret):
                self.assertNotIn(spelling, got.out)
                self.assertNotIn(spelling, got.err)

    def check_login(self, got, mech, name=USER):
        self.check_sent(got)
        self.check_silent(got)
        self.assertEqual(got.report["auth"], {"mechanism": mech, "user": name})
        self.assertIsNone(got.report["detail"])

    def check_refused(self, got, server, exit_status=77):
        """Not logged in, and nothing of the message said."""
        self.check_sent(got, "auth-error", exit_status)
        self.check_silent(got)
        self.assertIsNone(got.report["auth"])
        for lines in server.sessions:
            self.assertFalse({"MAIL", "RCPT", "DATA", "BDAT"} &
                             set(verbs(lines)), lines)
        if "recipients" in got.report:
            self.assertEqual(got.outcomes(), {TO[0]: "not-attempted"})


class Mechanisms(AuthCase):
    """Each of them, within TLS and without."""

    SECRETS = {"EXTERNAL": lambda: (), "OAUTHBEARER": token, "XOAUTH2": token}
    OTHERS = {"OAUTHBEARER": lambda: token(WRONG),
             "XOAUTH2": lambda: token(WRONG)}

    def each(self, secrets):
        for mech in sasl.MECHS:
            yield mech, ("--auth", mech, "--trace",
                         *secrets.get(mech, user)())

    def test_success(self):
        """By the one that was asked for."""
        trust = ("--ca", identity("server").cert)
        for mech, options in self.each(self.SECRETS):
            name = None if mech == "EXTERNAL" else USER
            with self.subTest(mech):
                accounts = Accounts()
                with secure(accounts) as server:
                    got = send(server.url, TO, *options, *trust)
                    self.check_login(got, mech, name)
                    lines = server.sessions[0]
                    self.assertEqual(verbs(lines)[:3],
                                     ["EHLO", "STARTTLS", "EHLO"])
                with plain(accounts) as server:
                    got = probe(server.url, *options, PLAINTEXT)
                    self.check_login(got, mech, name)
                self.assertEqual(accounts.logins, [(mech, name or "", "")] * 2)
                self.assertIn(f"-> AUTH {mech}", got.err)

    def test_failure(self):
        """The password or token is wrong."""
        for mech, options in self.each(
                {x: (lambda: user(WRONG)) for x in sasl.MECHS} | self.OTHERS):
            if mech == "EXTERNAL":
                continue
            with self.subTest(mech):
                with plain(Accounts()) as server:
                    got = send(server.url, TO, *options, PLAINTEXT)
                self.check_refused(got, server)
                self.check_silent(got, WRONG)
                self.assertEqual(got.report["reply"]["code"], 535)
                self.assertIn(got.report["stage"], ("AUTH", "AUTH_STEP"))
                bearer = mech in ("OAUTHBEARER", "XOAUTH2")
                self.assertEqual(got.report["detail"],
                                 sasl.ERROR if bearer else None)
                self.assertEqual(got.report["error"], (
                    f"127.0.0.1 port {server.port} refused the login"))
        with plain(Accounts(), {"AUTH": "535 5.7.8 not you"}) as server:
            got = send(server.url, TO, "--auth", "EXTERNAL", PLAINTEXT)
        self.check_refused(got, server)

    def test_strongest(self):
        """The strongest first, of those that are offered and can be used."""
        for mechs, options, mech in (
                (sasl.MECHS, user, "SCRAM-SHA-256"),
                (("LOGIN", "PLAIN", "CRAM-MD5"), user, "CRAM-MD5"),
                (("LOGIN", "PLAIN"), user, "PLAIN"),
                (("LOGIN", "X-NONE"), user, "LOGIN"),
                (sasl.MECHS, token, "OAUTHBEARER"),
                (("PLAIN", "XOAUTH2"), token, "XOAUTH2")):
            with self.subTest(mechs), plain(Accounts(mechs=mechs)) as server:
                self.check_login(send(server.url, TO, *options(), PLAINTEXT),
                                 mech)

    def test_list(self):
        """--auth narrows them down, in any case."""
        for names, mech in (("login,plain", "PLAIN"), ("LOGIN", "LOGIN"),
                            ("cram-md5,Login", "CRAM-MD5")):
            with self.subTest(names), plain(Accounts()) as server:
                got = send(server.url, TO, *user(), PLAINTEXT, "--auth", names)
                self.check_login(got, mech)

    def test_next(self):
        """One is refused, the next is not."""
        replies = ["535 5.7.8 no", "504 5.5.4 no", "235 2.7.0 yes"]
        accounts = Accounts(mechs=("SCRAM-SHA-1", "PLAIN", "LOGIN"))
        with plain(accounts, {"AUTH": replies}) as server:
            got = send(server.url, TO, *user(), PLAINTEXT)
        self.check_login(got, "LOGIN")
        self.assertEqual(
            [x.split(" ")[:2] for x in server.sessions[0]
             if isinstance(x, str) and x.startswith("AUTH")],
            [["AUTH", "SCRAM-SHA-1"], ["AUTH", "PLAIN"], ["AUTH", "LOGIN"]])

    def test_names(self):
        """The name in the URL, and whom to act as."""
        for options, url in (((), "me%40example.org@"),
                             (("--user", USER), ""),
                             (("--user", USER), "%6de%40example.org@")):
            accounts = Accounts()
            with plain(accounts) as server:
                got = send(server.url.replace("://", "://" + url), TO,
                           "--password-file", file(PASSWORD), PLAINTEXT,
                           "--auth", "PLAIN", "--authzid", "boss", *options)
            self.check_login(got, "PLAIN")
            self.assertEqual(accounts.logins, [("PLAIN", USER, "boss")])

    def test_external(self):
        """By a certificate; nobody is asked for anything."""
        mine = identity("client")
        accounts = Accounts(mechs=("EXTERNAL", "PLAIN"))
        for options, authzid in ((("--auth", "EXTERNAL"), ""),
                                 (("--authzid", "boss"), "boss")):
            with secure(accounts, by=context(client=mine)) as server:
                got = send(server.url, TO, "--ca", identity("server").cert,
                           "--cert", mine.cert, "--key", mine.key, *options)
            self.check_login(got, "EXTERNAL", None)
            self.assertEqual(accounts.logins[-1], ("EXTERNAL", "", authzid))

    def test_lmtp(self):
        """LMTP, and Unix sockets, where nobody can listen."""
        path = os.path.join(processes.scratch(), "socket")
        for lmtp, url in ((True, path), (False, f"smtp:{path}")):
            accounts = Accounts()
            with plain(accounts, path=path, lmtp=lmtp):
                self.check_login(send(url, TO, *user()), "SCRAM-SHA-256")
        with plain(Accounts(), lmtp=True) as server:
            self.check_login(send(server.url, TO, *user(), PLAINTEXT),
                             "SCRAM-SHA-256")


class Policies(AuthCase):
    """Never where others can listen, unless that is allowed by name."""

    def test_required(self):
        """Opportunistic TLS will not do, where nobody has chosen it or has."""
        for options in ((), ("--tls", "opportunistic"), ("--tls", "required")):
            with self.subTest(options):
                with plain(Accounts()) as server:
                    got = send(server.url, TO, *user(), *options)
                self.check_sent(got, "tls-error", 76)
                self.assertEqual(verbs(server.sessions[0]), ["EHLO", "QUIT"])
                self.assertIn("does not offer STARTTLS", got.report["error"])
                with secure(Accounts()) as server:
                    got = send(server.url, TO, *user(), *options)
                self.check_sent(got, "tls-error", 76)
                self.assertEqual(got.report["stage"], "HANDSHAKE")
                self.assertEqual(verbs(server.sessions[0]),
                                 ["EHLO", "STARTTLS"])

    def test_pins(self):
        """So a pin is no contradiction."""
        with secure(Accounts()) as server:
            got = send(server.url, TO, *user(), "--insecure", "--pin",
                       identity("server").pin())
            self.check_login(got, "SCRAM-SHA-256")

    def test_none(self):
        """--tls none: nothing is said, whatever the mechanism."""
        for mech in ("PLAIN", "CRAM-MD5", "SCRAM-SHA-256"):
            with secure(Accounts()) as server:
                got = send(server.url, TO, *user(), "--tls", "none", "--auth",
                           mech)
                self.check_refused(got, server)
            self.assertEqual(verbs(server.sessions[0]), ["EHLO", "QUIT"])
            self.assertEqual(
                (got.report["error"], got.report["reply"], got.report["stage"]),
                (f"nobody logs in at localhost port {server.port} without TLS",
                 None, "AUTH"))
            got = None
            with secure(Accounts()) as server:
                got = send(server.url, TO, *user(), "--tls", "none", "--auth",
                           mech, PLAINTEXT)
                self.check_login(got, mech)

    def test_allowed(self):
        """--allow-plaintext-auth leaves the policy as it was."""
        with plain(Accounts()) as server:
            self.check_login(send(server.url, TO, *user(), PLAINTEXT),
                             "SCRAM-SHA-256")
        with secure(Accounts()) as server:
            got = send(server.url, TO, *user(), PLAINTEXT)
            self.check_login(got, "SCRAM-SHA-256")
            self.assertIs(got.report["tls"]["verified"], False)
            got = send(server.url, TO, *user(), PLAINTEXT, "--tls", "required")
            self.check_sent(got, "tls-error", 76)

    def test_insecure(self):
        """--insecure: the caller does not want it to be proven."""
        with secure(Accounts()) as server:
            self.check_login(send(server.url, TO, *user(), "--insecure"),
                             "SCRAM-SHA-256")

    def test_implicit(self):
        """smtps://"""
        with secure(Accounts(), implicit=True) as server:
            self.check_login(send(server.url, TO, *user(), "--ca",
                                  identity("server").cert), "SCRAM-SHA-256")
            got = send(server.url, TO, *user())
            self.check_sent(got, "tls-error", 76)
            self.assertEqual(server.sessions[1], [])

    def test_nobody(self):
        """Where nobody is named nobody logs in, whatever is offered."""
        with plain(Accounts()) as server:
            got = send(server.url, TO)
            self.check_sent(got)
            self.assertIsNone(got.report["auth"])
            self.assertNotIn("AUTH", verbs(server.sessions[0]))


class Refusals(AuthCase):
    """What a server makes of it."""

    def attempt(self, reply, *options, mech="PLAIN"):
        with plain(Accounts(), {"AUTH": reply}) as server:
            got = send(server.url, TO, *user(), PLAINTEXT, "--auth", mech,
                       *options)
        self.check_silent(got)
        return got, server

    def test_codes(self):
        """For good, or for now."""
        for code, exit_status in ((535, 77), (534, 77), (538, 77), (530, 77),
                                  (500, 77), (504, 77), (454, 75), (432, 75)):
            with self.subTest(code):
                got, server = self.attempt(f"{code} 5.7.8 told\x1b[2Jyou")
                self.check_refused(got, server, exit_status)
                self.assertEqual(got.report["reply"]["code"], code)
                self.assertEqual(got.report["reply"]["text"],
                                 "5.7.8 told\x1b[2Jyou")
                self.assertNotIn("\x1b", got.out)
                self.assertIn("refused the login", got.report["error"])
                self.assertEqual(
                    got.report["error"].endswith("for now"), code < 500)

    def test_already(self):
        """503: somebody has logged in."""
        got, _ = self.attempt("503 5.5.1 already")
        self.check_login(got, "PLAIN")

    def test_premature(self):
        """250 is no success, and neither is a 235 that proves nothing."""
        got, server = self.attempt("250 2.0.0 ok")
        self.check_refused(got, server)
        accounts = Accounts()
        accounts.proof = False
        with plain(accounts) as server:
            got = send(server.url, TO, *user(), PLAINTEXT)
        self.check_refused(got, server)
        self.assertEqual([x for x in verbs(server.sessions[0])
                          if x == "AUTH"], ["AUTH"])
        got, server = self.attempt("235 2.7.0 yes", mech="SCRAM-SHA-256")
        self.check_refused(got, server)

    def test_lost(self):
        """The connection is."""
        got, server = self.attempt(CLOSE)
        self.check_sent(got, "disconnected", 75)
        self.assertEqual(got.outcomes(), {TO[0]: "not-attempted"})
        got, server = self.attempt("421 4.3.2 bye !close")
        self.assertEqual(got.exit, 75)
        self.assertNotIn("MAIL", verbs(server.sessions[0]))

    def test_lost_later(self):
        """That somebody had logged in is told also when the session is lost."""
        for verb, status, exit_status in (("MAIL", "disconnected", 75),
                                          ("DOT", "delivery-unknown", 70)):
            with plain(Accounts(), {verb: CLOSE}) as server:
                got = send(server.url, TO, *user(), PLAINTEXT)
            self.check_sent(got, status, exit_status)
            self.assertEqual(got.report["auth"], {"mechanism": "SCRAM-SHA-256",
                                                  "user": USER})

    def test_silent(self):
        """Nothing is said: the deadline is that of every wait."""
        got, _ = self.attempt("silent", "--timeout", "0.5")
        self.check_sent(got, "timeout", 75)

    def test_not_offered(self):
        """No AUTH, or not what was asked for: nothing weaker instead."""
        for mechs, options, words in (
                ((), (), "does not offer AUTH"),
                (("PLAIN", "LOGIN"), ("--auth", "SCRAM-SHA-256,CRAM-MD5"),
                 "offers no mechanism that can be used, only PLAIN LOGIN"),
                (("XOAUTH2",), (), "only XOAUTH2")):
            extensions = EXTENSIONS if not mechs else (
                *EXTENSIONS, "AUTH " + " ".join(mechs))
            with self.subTest(mechs), Recorder(
                    extensions=extensions) as server:
                got = send(server.url, TO, *user(), PLAINTEXT, *options)
                self.check_sent(got, "not-supported", 69)
                self.assertEqual(verbs(server.sessions[0]), ["EHLO", "QUIT"])
                self.assertEqual(got.report["stage"], "AUTH")
                self.assertTrue(got.report["error"].endswith(words), got.out)
                got = probe(server.url, *user(), PLAINTEXT, *options)
                self.check_sent(got, "not-supported", 69)
                self.assertTrue(got.report["error"].endswith(words), got.out)

    def test_detail(self):
        """What comes before a refusal can't disturb a terminal."""
        evil = sasl.ERROR.replace("401", "4\x1b[2J\x7f\u202e\n")
        with self.subTest("json"):
            original, sasl.ERROR = sasl.ERROR, evil
            try:
                with plain(Accounts()) as server:
                    got = send(server.url, TO, *token(WRONG), PLAINTEXT,
                               "--auth", "XOAUTH2")
                    self.check_refused(got, server)
                    code, out, err = client.run(
                        client.argv(server.url, TO, (
                            *token(WRONG), PLAINTEXT, "--auth", "XOAUTH2"),
                                    json_wanted=False), b"x\n")
            finally:
                sasl.ERROR = original
        self.assertEqual(got.report["detail"], evil.replace("\x7f", "\ufffd"))
        self.assertTrue(got.out.isascii())
        self.assertNotIn("\x1b", got.out)
        self.assertEqual((code, out), (77, b""))
        self.assertRegex(err, rb"\A[ -~\n]*\Z")
        self.assertIn(rb"  reason: ", err)

    def test_trace(self):
        """The trace shows that something was said, and no more."""
        got, _ = self.attempt("535 no", "--trace=times,text")
        self.assertIn("-> AUTH PLAIN ***\n", got.err)
        with plain(Accounts(mechs=("LOGIN",))) as server:
            got = send(server.url, TO, *user(), PLAINTEXT, "--trace")
        self.check_login(got, "LOGIN")
        self.assertIn("-> AUTH LOGIN ***\n", got.err)
        self.assertIn("-> ***\n", got.err)


class People(client.PeopleCase):
    """Without --json."""

    def test_accepted(self):
        """A line tells of it."""
        with plain(Accounts()) as server:
            code, out, err = self.send(server.url, *user(), PLAINTEXT)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, (
            f"accepted by 127.0.0.1 port {server.port}: 250 queued\n"
            f"  AUTH: {USER} by SCRAM-SHA-256\n"))
        with plain(Accounts()) as server:
            code, out, err = self.send(server.url, "--auth", "EXTERNAL",
                                       PLAINTEXT)
        self.assertIn("\n  AUTH: by EXTERNAL\n", out)

    def test_refused(self):
        """Why, and what can be done."""
        for reply, options, exit_status, words, advice in (
                ("535 5.7.8 who?", user(), 77, "refused the login",
                 " Are the user and password right?"),
                ("535 5.7.8 who?", token(), 77, "refused the login",
                 " Is the token still good?"),
                ("534 5.7.9 weak", user(), 77, "refused the login", ""),
                ("454 4.7.0 later", user(), 75, "refused the login for now",
                 " It can be sent again later.")):
            accounts = Accounts(mechs=("XOAUTH2", "PLAIN"))
            with self.subTest(reply), plain(accounts,
                                            {"AUTH": reply}) as server:
                got = self.send(server.url, *options, PLAINTEXT)
                where = f"127.0.0.1 port {server.port}"
                self.assertEqual(got, (exit_status, "", (
                    f"uvsmtp: auth-error (at AUTH): {where} {words}: {reply}\n"
                    f"Nothing was delivered.{advice}\n")))

    def test_token(self):
        """The reason that the server gave."""
        with plain(Accounts()) as server:
            code, out, err = self.send(server.url, *token(WRONG), PLAINTEXT,
                                       "--auth", "XOAUTH2")
        self.assertEqual((code, out), (77, ""))
        self.assertIn(f"refused the login: 535 5.7.8 who?\n"
                      f"  reason: {sasl.ERROR}\n", err)

    def test_no_tls(self):
        """What can be done."""
        with plain(Accounts()) as server:
            where = f"127.0.0.1 port {server.port}"
            self.assertEqual(self.send(server.url, *user()), (76, "", (
                f"uvsmtp: tls-error (at STARTTLS): {where} does not offer "
                "STARTTLS\n"
                "Nothing was delivered. A login wants TLS; "
                "--allow-plaintext-auth does without, for\n"
                "all to read who are on the way.\n")))
            _, _, err = self.send(server.url, *user(), "--tls", "required")
            self.assertNotIn(PLAINTEXT, err)
            self.assertEqual(
                self.send(server.url, *user(), "--tls", "none"), (77, "", (
                    f"uvsmtp: auth-error (at AUTH): nobody logs in at {where} "
                    "without TLS\n"
                    "Nothing was delivered. --tls required secures it; "
                    "--allow-plaintext-auth does without,\n"
                    "for all to read who are on the way.\n")))
            _, _, err = self.run_tool("probe", *user(), server.url)
            self.assertIn("does not offer STARTTLS\nA login wants TLS; --allow",
                          err)

    def test_not_offered(self):
        """What is, and where there may be more."""
        with Recorder(extensions=("AUTH PLAIN",)) as server:
            _, _, err = self.send(server.url, *user(), PLAINTEXT, "--auth",
                                  "LOGIN")
        self.assertEqual(err, (
            f"uvsmtp: not-supported (at AUTH): 127.0.0.1 port {server.port} "
            "offers no mechanism that can be used, only PLAIN\n"
            "Nothing was delivered. Many servers offer it only within TLS.\n"))
        with Secure(extensions=EXTENSIONS) as server:
            _, _, err = self.send(server.url, *user(), "--insecure")
        self.assertRegex(err, r"does not offer AUTH\n  TLS: .*\n"
                              r"Nothing was delivered\.\n\Z")

    def test_probe(self):
        """Who, and by what."""
        accounts = Accounts()
        with plain(accounts) as server:
            code, out, err = self.run_tool("probe", *user(), PLAINTEXT,
                                           server.url)
            self.assertEqual((code, err), (0, ""))
            self.assertIn(f"\n  login      {USER} by SCRAM-SHA-256\n", out)
            self.assertRegex(out, r", EHLO [\d.]+ ms, AUTH [\d.]+ ms\n")
            self.assertEqual(verbs(server.sessions[0])[-1], "QUIT")
            code, out, err = self.run_tool("probe", *user(WRONG), PLAINTEXT,
                                           "--auth", "PLAIN", server.url)
        self.assertEqual((code, err), (77, (
            f"uvsmtp: auth-error (at AUTH): 127.0.0.1 port {server.port} "
            "refused the login: 535 5.7.8 who?\n"
            "Are the user and password right?\n")))
        self.assertNotIn("login      ", out)
        self.assertIn("log-in by these mechanisms", out)


class Probe(AuthCase):
    """A probe's object."""

    def test_facts(self):
        """Hello first, then the login, and how long it took."""
        with secure(Accounts()) as server:
            got = probe(server.url, *user(), "--insecure")
            self.check_login(got, "SCRAM-SHA-256")
            self.assertGreater(got.report["ms"]["auth"], 0)
            self.assertEqual(verbs(server.sessions[0])[-1], "QUIT")
            got = probe(server.url, "--insecure")
            self.assertIsNone(got.report["auth"])
            self.assertIsNone(got.report["ms"]["auth"])

    def test_failed(self):
        """All else is told all the same."""
        with plain(Accounts()) as server:
            got = probe(server.url, *user(WRONG), PLAINTEXT, "--auth",
                        "PLAIN")
            self.check_refused(got, server)
        self.assertEqual((got.report["stage"], got.report["reply"]["code"]),
                         ("AUTH", 535))
        self.assertIn("AUTH", got.report["extensions"])
        self.assertGreater(got.report["ms"]["auth"], 0)
        with plain(Accounts(), {"EHLO": "554 no", "HELO": "554 no"}) as server:
            got = probe(server.url, *user(), PLAINTEXT)
            self.check_sent(got, "helo-error", 69)
            self.assertIsNone(got.report["ms"]["auth"])


if __name__ == "__main__":
    client.main()
