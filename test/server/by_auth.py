# SPDX-License-Identifier: MIT
"""AUTH with each real server, by session.c. The tests of a server have a class
that inherits from Tests and says which server is meant."""
import functools
import re

import by_tls
import client
import sasl
from connections import Connections
from processes import read, wait_until

ALLOW_PLAINTEXT, NO_INITIAL_RESPONSE = 1, 2
# All that the library has, strongest first.
OURS = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
        "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN", "EXTERNAL")
BY_TOKEN = ("OAUTHBEARER", "XOAUTH2")
TEXT = "Subject: x\n\nlogged in\n"


def each(function):
    """Calls a test for every way to log in, or for the first."""

    @functools.wraps(function)
    def test(self):
        ways = list(self.server.logins().items())
        for name, way in ways[:1] if client.SHORT else ways:
            with self.subTest(way=name):
                function(self, way)

    return test


class Session(Connections):
    """A connection to a port of a server where one can log in, by its way. tls
    and ca: another policy, or whom else to trust."""

    def __init__(self, server, way, tls=None, ca=None, credentials=None):
        super().__init__(way.lmtp, ca=ca or server.ca)
        self.way = way
        self.log = server.log_file
        self.start = len(read(self.log))
        if credentials is not None:
            self.know(**credentials)
        self.got("debug", 1)
        self.got("connect", {"host": way.path or "localhost", "port": way.port,
                             "tls": tls or way.tls,
                             "credentials": credentials is not None})

    def know(self, flags=None, **credentials):
        """From here on these are the credentials."""
        if flags is None:
            clear = self.way.tls == "none" and self.way.path is None
            flags = ALLOW_PLAINTEXT if clear else 0
        self.got("credentials", {**credentials, "flags": flags})

    def logged(self):
        """What the server has written into its log since it was connected."""
        return read(self.log)[self.start:]

    def trace(self):
        return self.errors().splitlines()

    def has_waited(self, mech):
        """Whether there was nothing behind the name of the mechanism."""
        return f"-> AUTH {mech}" in self.trace()

    def tried(self):
        """The mechanisms that it named to the server, in their order."""
        return [line.split()[2] for line in self.trace()
                if line.startswith("-> AUTH ")]

    def finish(self):
        said = super().finish()
        self.check_masked(said)
        return said

    @staticmethod
    def check_masked(said):
        """No trace shows what was said."""
        challenged = False
        for line in said.splitlines():
            if line.startswith("<- "):
                challenged = line.startswith("<- 334")
            elif line.startswith("-> ") and not re.fullmatch(
                    r"\*(\*\*)?" if challenged else
                    r"AUTH [A-Z0-9-]+( \*\*\*)?|(?!AUTH).*", line[3:]):
                raise AssertionError(f"seen in the trace: {line}")


class Tests(client.Case):
    """Who logs in may send, by each mechanism that the server offers, and who
    does not may not."""
    server = None

    def by_password(self):
        return [mech for mech in self.server.MECHS if mech not in BY_TOKEN]

    def by_token(self):
        return [mech for mech in self.server.MECHS if mech in BY_TOKEN]

    def first(self):
        """Somebody who may log in."""
        user, password = next(iter(self.server.PEOPLE.items()))
        return {"user": user, "password": password}

    def bearer(self, **how):
        user = next(iter(self.server.PEOPLE))
        return {"user": user, "token": self.server.token(user, **how)}

    # ------------------------------------------------------------ what is seen

    def check_logged_in(self, answer, mech):
        self.assertEqual((answer["error"], answer["auth"]), ("OK", mech),
                         answer)

    def check_refused(self, answer, code=535, cause=None):
        """Refused by the server, or with code None before it was asked."""
        self.assertEqual(
            (answer["error"], answer["class"], answer["auth"]),
            ("EAUTH", "SMTPAuthenticationError", None), answer)
        reply = answer["reply"] or [None]
        self.assertEqual((reply[0], cause or answer["cause"]),
                         (code, answer["cause"]), answer)

    def check_sends(self, session, user):
        """A message is accepted, and the server says whose it is."""
        box = self.server.user()
        answer = session.got("sendmail", self.server.SENDER,
                             [f"{box}@example.test"], TEXT)
        self.assertEqual(answer["outcome"], "accepted")
        raw = self.server.arrived(box)
        self.assertIn(b"logged in", raw)
        if self.server.WHOM is not None:
            whom = self.server.WHOM % re.escape(user.encode())
            wait_until(lambda: re.search(
                whom, raw + session.logged()), 20, lambda: (
                    f"no {whom} in {raw}, {self.server.daemon.said()}"))

    def check_sends_nothing(self, session):
        """A message comes to nothing before it reaches the server."""
        before = session.trace()
        answer = session.ask("sendmail", self.server.SENDER,
                             [f"{self.server.user()}@example.test"], TEXT)
        self.check_refused(answer, code=answer["reply"] and answer["reply"][0])
        self.assertEqual(answer["outcome"], "not-attempted")
        self.assertEqual([row[2] for row in answer["recipients"]],
                         ["not-attempted"])
        sent = [line for line in session.trace()[len(before):]
                if line.startswith("-> ")]
        self.assertEqual(sent, [])

    # ---------------------------------------------------------------- passwords

    @each
    def test_offered(self, way):
        """What the server offers is what is tried below."""
        with Session(self.server, way) as s:
            offered = s.got("hello")["extensions"]["AUTH"].split()
            self.assertEqual({mech for mech in offered if mech in OURS},
                             set(self.server.MECHS))
            got = s.ask("mail", self.server.SENDER, [])
            self.assertEqual(got["error"], "ESENDER")

    @each
    def test_mechanisms(self, way):
        """Everybody, by each mechanism; and somebody who waits to be asked."""
        people = [(*who, 0) for who in self.server.PEOPLE.items()]
        people.append((*people[0][:2], NO_INITIAL_RESPONSE))
        for mech in self.by_password():
            for user, password, flag in people:
                with self.subTest(f"{mech}, {user}, {flag}"), \
                        Session(self.server, way) as s:
                    s.know(user=user, password=password)
                    got = s.ask("auth", mech, flag)
                    self.check_logged_in(got, mech)
                    self.assertEqual(s.has_waited(mech), flag != 0 or
                                     mech == "CRAM-MD5")
                    self.check_sends(s, user)

    @each
    def test_acting(self, way):
        """Somebody who may act as others, and somebody who may not."""
        if not self.server.ACTING:
            self.skipTest("nobody may act as another")
        master, password = self.server.MASTER
        (user, theirs), other = list(self.server.PEOPLE.items())[:2]
        for mech in self.server.ACTING:
            for whom in self.server.PEOPLE:
                with self.subTest(f"{mech}, {whom}"), \
                        Session(self.server, way) as s:
                    s.know(user=master, password=password, authzid=whom,
                           mechs=mech)
                    self.check_logged_in(s.ask("login"), mech)
                    self.check_sends(s, whom)
        with Session(self.server, way) as s:
            s.know(user=user, password=theirs, authzid=other[0],
                   mechs=self.server.ACTING[0])
            self.check_refused(s.ask("login"))

    @each
    def test_wrong_password(self, way):
        """Refused; nothing is sent until a login succeeds, in the same
        session."""
        who = self.first()
        for mech in self.by_password():
            with self.subTest(mech), Session(self.server, way) as s:
                for wrong in ({"password": "not the password"},
                              {"user": "nobody@example.test"}):
                    s.know(**{**who, **wrong}, mechs=mech)
                    got = s.ask("login")
                    self.check_refused(got)
                    self.assertIn(got["stage"], ("AUTH", "AUTH_STEP"))
                    self.check_sends_nothing(s)
                self.assertEqual(s.tried(), [mech] * 2)
                s.know(**who, mechs=mech)
                self.check_logged_in(s.ask("login"), mech)
                self.check_sends(s, who["user"])

    @each
    def test_choice(self, way):
        """The strongest that is offered; or of those that are allowed."""
        strongest = self.by_password()
        for mechs, wanted in ((None, strongest[0]),
                              ("plain,login external", "PLAIN"),
                              (" ".join(reversed(strongest)), strongest[0])):
            with self.subTest(mechs), Session(self.server, way) as s:
                s.know(**self.first(), **({"mechs": mechs} if mechs else {}))
                self.check_logged_in(s.ask("login"), wanted)
                self.assertEqual(s.tried(), [wanted])

    @each
    def test_one_after_the_other(self, way):
        """Refused by all of them, strongest first."""
        with Session(self.server, way) as s:
            s.know(**{**self.first(), "password": "not the password"})
            self.check_refused(s.ask("login"))
            self.assertEqual(s.tried(), self.by_password())

    @each
    def test_not_offered(self, way):
        """What is asked for and not offered is an error, and nothing is said;
        nothing weaker is tried."""
        with Session(self.server, way) as s:
            for mech in OURS:
                if mech in self.server.MECHS:
                    continue
                token = {"token": "x"} if mech in BY_TOKEN else {}
                s.know(**self.first(), **token, mechs=mech)
                got = s.ask("login")
                self.assertEqual((got["error"], got["stage"], got["auth"]),
                                 ("ENOTSUPPORTED", "AUTH", None))
            self.assertEqual(s.tried(), [])
            s.know(**self.first())
            self.check_logged_in(s.ask("login"), self.by_password()[0])

    @each
    def test_twice(self, way):
        """A session logs in once; to say the target's credentials again is to
        have done so, and nobody becomes somebody else."""
        (user, password), other = list(self.server.PEOPLE.items())[:2]
        who = {"user": user, "password": password}
        strongest = self.by_password()[0]
        for target in (None, who):
            with Session(self.server, way, credentials=target) as s:
                if target is None:
                    s.know(**who)
                self.check_logged_in(s.ask("login"), strongest)
                again = s.ask("login")
                s.know(user=other[0], password=other[1])
                for got, error in ((again, "OK" if target else "EALREADY"),
                                   (s.ask("login"), "EALREADY")):
                    self.assertEqual((got["error"], got["auth"]),
                                     (error, strongest))
                self.assertEqual(s.tried(), [strongest])
                self.check_sends(s, user)

    @each
    def test_target(self, way):
        """Credentials of a target: a message logs in by itself, and so does
        hello. Where TLS may be had it is required."""
        who = self.first()
        tls = way.tls.replace("required", "opportunistic")
        for call in ("sendmail", "hello"):
            with Session(self.server, way, tls=tls, credentials=who) as s:
                if call == "hello":
                    self.check_logged_in(s.ask("hello"), self.by_password()[0])
                self.check_sends(s, who["user"])
                self.assertEqual(s.tried(), self.by_password()[:1])
        wrong = {**who, "password": "not the password"}
        with Session(self.server, way, credentials=wrong) as s:
            box = self.server.user()
            got = s.ask("sendmail", self.server.SENDER,
                        [f"{box}@example.test"], TEXT)
            self.check_refused(got)
            self.assertEqual(got["outcome"], "not-attempted")
            self.assertEqual(s.tried(), self.by_password())
            self.check_sends_nothing(s)

    @each
    def test_who_listens(self, way):
        """Nothing is said where others can hear it, or to somebody who has not
        proven who it is; not without being told to."""
        places = {"none": [("none", None)], "implicit": [],
                  "required": [("none", None),
                               ("opportunistic", by_tls.stranger())]}
        for tls, ca in places[way.tls] if way.path is None else []:
            with self.subTest(tls), \
                    Session(self.server, way, tls=tls, ca=ca) as s:
                for mechs in ({}, *({"mechs": m} for m in self.by_password())):
                    s.know(**self.first(), **mechs, flags=0)
                    got = s.ask("login")
                    self.check_refused(got, code=None, cause="ETLS")
                self.assertEqual(s.tried(), [])
                self.check_sends_nothing(s)
        if way.tls == "required":
            with Session(self.server, way, tls="opportunistic",
                         ca=by_tls.stranger()) as s:
                s.know(**self.first(), flags=ALLOW_PLAINTEXT)
                self.check_logged_in(s.ask("login"), self.by_password()[0])

    def by_command(self, way, user, *options):
        """What the command line comes to, and who was to have a message."""
        box = self.server.user()
        return box, client.send(
            way.url(), [f"{box}@example.test"], *way.options(self.server.ca),
            "--user", user, *options, message=client.MESSAGES["plain"],
            sender=self.server.SENDER)

    @each
    def test_command_line(self, way):
        """The same by uvsmtp send."""
        user, password = list(self.server.PEOPLE.items())[1]
        for mech in (None, self.by_password()[-1]):
            options = () if mech is None else ("--auth", mech)
            box, got = self.by_command(way, user, "--password-file",
                                       sasl.file(password), *options)
            self.check_sent(got)
            self.assertEqual(got.report["auth"], {
                "mechanism": mech or self.by_password()[0], "user": user})
            self.assertIn(b"this is plain", self.server.arrived(box))
        _, got = self.by_command(way, user, "--password-file",
                                 sasl.file("not the password"))
        self.check_sent(got, "auth-error", 77)
        self.assertEqual((got.report["reply"]["code"], got.report["auth"]),
                         (535, None))
        if not self.by_token():
            return
        box, got = self.by_command(way, user, "--token-file",
                                   sasl.file(self.server.token(user)))
        self.check_sent(got)
        self.assertEqual(got.report["auth"]["mechanism"], self.by_token()[0])
        _, got = self.by_command(
            way, user, "--token-file",
            sasl.file(self.server.token(user, good=False)))
        self.check_sent(got, "auth-error", 77)
        self.assertIn('"status":', got.report["detail"])

    # ------------------------------------------------------------------- tokens

    def has_tokens(self):
        if not self.by_token():
            self.skipTest("the server knows nothing of tokens")

    @each
    def test_tokens(self, way):
        """Right ones: one that fits into the command, and one that does not."""
        self.has_tokens()
        for mech in self.by_token():
            for remark in self.server.REMARKS:
                for flag in (0, NO_INITIAL_RESPONSE):
                    with self.subTest(f"{mech}, {len(remark)}, {flag}"), \
                            Session(self.server, way) as s:
                        who = self.bearer(remark=remark)
                        s.know(**who)
                        self.check_logged_in(s.ask("auth", mech, flag), mech)
                        self.assertEqual(s.has_waited(mech),
                                         flag != 0 or remark != "")
                        self.check_sends(s, who["user"])

    @each
    def test_wrong_token(self, way):
        """The server says why before it refuses."""
        self.has_tokens()
        for mech in self.by_token():
            with self.subTest(mech), Session(self.server, way) as s:
                s.know(**self.bearer(good=False), mechs=mech)
                got = s.ask("login")
                self.check_refused(got)
                self.assertEqual(got["stage"], "AUTH_STEP")
                self.assertRegex(got["detail"],
                                 r'"status":"(401|invalid_token)"')
                self.assertEqual(s.tried(), [mech])
                self.check_sends_nothing(s)
                s.know(**self.bearer())
                self.check_logged_in(s.ask("login"), self.by_token()[0])

    @each
    def test_token_hook(self, way):
        """Asked once, and once more after a refusal."""
        self.has_tokens()
        user = next(iter(self.server.PEOPLE))
        good, bad = (self.server.token(user, good=x) for x in (True, False))
        for mech in self.by_token():
            with self.subTest(mech), Session(self.server, way) as s:
                for answers, asked in (([None], [0]), ([bad, None], [0, 1]),
                                       ([bad, bad], [0, 1])):
                    s.know(user=user, tokens=answers, mechs=mech)
                    got = s.ask("login")
                    self.assertEqual((got["error"], got["asked"]),
                                     ("EAUTH", asked), got)
                    self.check_sends_nothing(s)
                self.assertEqual(s.tried(), [mech] * 3)
                s.know(user=user, tokens=[bad, good], mechs=mech)
                got = s.ask("login")
                self.check_logged_in(got, mech)
                self.assertEqual(got["asked"], [0, 1])
                self.assertEqual(s.tried(), [mech] * 5)
                self.check_sends(s, user)
            with self.subTest(mech), Session(self.server, way) as s:
                s.know(user=user, tokens=[good], mechs=mech)
                got = s.ask("login")
                self.check_logged_in(got, mech)
                self.assertEqual((got["asked"], s.tried()), ([0], [mech]))

    @each
    def test_token_choice(self, way):
        """The stronger; and with a password too, which is stronger than all."""
        self.has_tokens()
        for more, wanted in (({}, self.by_token()[0]),
                             (self.first(), self.server.MECHS[0])):
            with Session(self.server, way) as s:
                s.know(**{**self.bearer(), **more})
                self.check_logged_in(s.ask("login"), wanted)
