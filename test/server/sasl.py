# SPDX-License-Identifier: MIT
"""The server's side of AUTH (RFC 4954), for the recorder: who may log in, and by
which mechanisms, with nothing but Python's own library."""
import base64
import hmac
import os
import re

import processes
from recorder import EXTENSIONS, Recorder
from scram_server import Server

# Where there is no TLS.
PLAINTEXT = "--allow-plaintext-auth"
USER = "me@example.org"
PASSWORD = "s3cr3t pass"
TOKEN = "ya29.t0k3n-and_more/+=="
# What a server says of a token that it does not take (RFC 7628 3.2.2).
ERROR = '{"status":"401","schemes":"bearer","scope":"https://mail.example/"}'

MECHS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "OAUTHBEARER", "XOAUTH2",
         "PLAIN", "LOGIN", "EXTERNAL")


class Cancelled(Exception):
    """The client said "*"."""


class Refused(Exception):
    """Whatever it said is not what it should be."""


class Accounts:
    """Who may log in; logins has whoever did: mechanism, user, and whom to act
    as. refusal: what is said to others, and hook: a function that may say
    something else to the line of an AUTH command."""

    def __init__(self, user=USER, password=PASSWORD, token=TOKEN, mechs=MECHS,
                 refusal="535 5.7.8 who?"):
        self.user = user
        self.password = password
        self.token = token
        self.mechs = mechs
        self.refusal = refusal
        self.proof = True  # SCRAM's last message proves the server
        self.logins = []

    def extension(self):
        return "AUTH " + " ".join(self.mechs)

    def answer(self, dialogue, line):
        """Plays AUTH, unless a reply is planned; whether the connection
        stays."""
        if "AUTH" in dialogue.recorder.replies:
            return dialogue.say("AUTH", "250 ok") is not None
        words = line.split(" ")
        mech = words[1]
        if mech not in self.mechs:
            return dialogue.say("AUTH", "504 5.5.4 no such mechanism") is not None
        talk = Talk(dialogue, *words[2:3])
        try:
            user, authzid = getattr(self, "_" + mech.lower().replace("-", "_"))(
                talk)
        except Cancelled:
            reply = "501 5.7.0 cancelled"
        except (Refused, ValueError):
            reply = self.refusal
        except EOFError:
            return False
        else:
            self.logins.append((mech, user, authzid))
            reply = "235 2.7.0 welcome"
        return dialogue.say("AUTH", reply) is not None

    def _check(self, user, password):
        if (user, password) != (self.user, self.password):
            raise Refused

    def _plain(self, talk):
        authzid, user, password = talk.first().split(b"\0")
        self._check(user.decode(), password.decode())
        return user.decode(), authzid.decode()

    def _login(self, talk):
        user = talk.initial
        if user is None:
            user = talk.ask(b"User Name\0")
        self._check(user.decode(), talk.ask(b"Password\0").decode())
        return user.decode(), ""

    def _cram_md5(self, talk):
        challenge = b"<1896.697170952@mx.example.net>"
        user, _, digest = talk.ask(challenge).rpartition(b" ")
        wanted = hmac.new(self.password.encode(), challenge, "md5").hexdigest()
        if (user.decode(), digest.decode()) != (self.user, wanted):
            raise Refused
        return user.decode(), ""

    def _external(self, talk):
        return "", talk.first().decode()

    def _bearer(self, talk, user, token):
        if (user, token) != (self.user, self.token):
            talk.ask(ERROR.encode())
            raise Refused
        return user, ""

    def _xoauth2(self, talk):
        found = re.fullmatch(rb"user=(.*)\1auth=Bearer (.*)\1\1"
                             .replace(rb"\1", b"\x01"), talk.first())
        if found is None:
            raise Refused
        return self._bearer(talk, *(x.decode() for x in found.groups()))

    def _oauthbearer(self, talk):
        found = re.fullmatch(b"n,(?:a=(.*))?,\x01(?:host=[^\x01]*\x01)?"
                             b"(?:port=[0-9]+\x01)?auth=Bearer (.*)\x01\x01",
                             talk.first())
        if found is None:
            raise Refused
        return self._bearer(talk, *(x.decode() for x in found.groups()))

    def _scram(self, talk, mech):
        server = Server(mech, self.password)
        try:
            proof = server.final(talk.ask(server.first(talk.first())))
        except AssertionError:
            raise Refused from None
        if server.user != self.user:
            raise Refused
        talk.ask(proof if self.proof else server.lie())
        return server.user, server.authzid or ""

    def _scram_sha_256(self, talk):
        return self._scram(talk, "SCRAM-SHA-256")

    def _scram_sha_1(self, talk):
        return self._scram(talk, "SCRAM-SHA-1")


def plain(accounts, replies=None, **more):
    """A recorder that offers AUTH, and no TLS."""
    return Recorder(replies, (*EXTENSIONS, accounts.extension()),
                    auth=accounts, **more)


def file(text, mode=0o600):
    """A file with a secret."""
    path = os.path.join(processes.scratch(), "secret")
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


class Talk:
    """Challenges and responses of one exchange."""

    def __init__(self, dialogue, initial=None):
        self.dialogue = dialogue
        self.initial = None
        if initial is not None:
            self.initial = b"" if initial == "=" else \
                base64.b64decode(initial, validate=True)

    def first(self):
        """What the client says first."""
        return self.ask(b"") if self.initial is None else self.initial

    def ask(self, challenge):
        text = base64.b64encode(challenge).decode()
        self.dialogue.connection.sendall(f"334 {text}\r\n".encode())
        line = self.dialogue.stream.readline()
        if not line:
            raise EOFError
        line = line.decode().removesuffix("\r\n")
        self.dialogue.note(line)
        if line == "*":
            raise Cancelled
        return base64.b64decode(line, validate=True)


# The challenges of mechanisms, in base64, before whatever comes is taken. The
# first one is left out when there is an initial response.
CHALLENGES = {
    "CRAM-MD5": ["PDE4OTYuNjk3MTcwOTUyQHJlY29yZGVyPg=="],
    "PLAIN": [""],
    "LOGIN": ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"],
}


class Anybody:
    """Asks what CHALLENGES has, and lets in whoever answers, but for what is
    planned: the recorder's replies to "AUTH X" for a mechanism X, or AUTH for
    all, to RESPONSE for what comes behind a 334, and to CANCEL for a lone "*"
    there. What came is noted with the 334 before it."""

    def answer(self, dialogue, line):
        words = line.upper().split(" ")
        left = list(CHALLENGES.get(words[1], ()))
        usual = "235 ok" if left else "504 no such mechanism"
        del left[:len(words) - 2]
        verb = " ".join(words[:2])
        if verb not in dialogue.recorder.replies:
            verb = "AUTH"
        while True:
            reply = dialogue.say(verb, f"334 {left.pop(0)}" if left else usual)
            if reply is None or not reply.startswith("334"):
                return reply is not None
            answer = dialogue.stream.readline()
            if not answer.endswith(b"\r\n"):
                return False
            text = answer[:-2].decode("utf-8", "backslashreplace")
            dialogue.note(f"334 {text}")
            verb = "RESPONSE"
            if text == "*":
                verb, usual, left = "CANCEL", "501 cancelled", []


def spellings(secret):
    """What a secret looks like in a dialogue, whole, for a search."""
    found = {secret, base64.b64encode(secret.encode()).decode()}
    for before in ("", "x", "xx"):
        text = base64.b64encode((before + secret).encode()).decode()
        # Without what depends on its neighbours.
        found.add(text[4 if before else 0:-4])
    if min(len(x) for x in found) < 8:
        raise ValueError("too short to be looked for")
    return found
