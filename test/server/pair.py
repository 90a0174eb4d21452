# SPDX-License-Identifier: MIT
"""The same calls to Python's smtplib and to a session of ours (session.c), one
after the other, each with a record of what it came to.

A record has: class (of the exception, None for success), code and text of the
reply, refused (address to [code, text]), sender (of a refusal), heard (by a
mechanism of the test's own: its challenges), connected, and while that is so
esmtp, ehlo, helo and extensions. Fields that a call does not have are None.
Ours has also recipients, each with its outcome and reply, and the whole answer
of session.c."""
import email
import email.policy
import json
import smtplib
import ssl
import subprocess
import tempfile

import client

NAME = "client.example.org"
TIMEOUT = 20  # seconds for each wait: nothing here is meant to take that long


def blank(**fields):
    return {"class": None, "code": None, "text": None, "refused": None,
            "sender": None, "connected": False, "esmtp": None, "ehlo": None,
            "helo": None, "extensions": None, **fields}


def stripped(octets):
    """A reply's text as smtplib has it: without the blanks around a line."""
    if octets is None:
        return None
    text = octets if isinstance(octets, str) else octets.decode("latin-1")
    return "\n".join(line.strip(" \t\r\n") for line in text.split("\n"))


class Answers:
    """An authobject that says what it was made with: first without a challenge,
    None where it has nothing to say then, and behind the challenges answers one
    after the other, the last of them again and again; None fails."""

    def __init__(self, answers, first=None):
        self.first = first
        self.answers = list(answers)
        self.heard = []

    def __call__(self, challenge=None):
        if challenge is not None:
            self.heard.append(challenge.decode("latin-1"))
        if challenge is None or self.first is not None:
            answer, self.first = self.first, None
            return answer
        answer = self.answers[0]
        if len(self.answers) > 1:
            del self.answers[0]
        if answer is None:
            raise ValueError("no answer")
        return answer


class Theirs:
    """smtplib. Its single commands return the reply and leave it to the caller
    to judge it; here that is done as its own sendmail and constructor do."""

    # The codes of success, and what smtplib raises for others.
    JUDGED = {
        "connect": ({220}, "SMTPConnectError"),
        "ehlo": ({250}, "SMTPHeloError"),
        "helo": ({250}, "SMTPHeloError"),
        "mail": ({250}, "SMTPSenderRefused"),
        "rcpt": ({250, 251}, "SMTPRecipientsRefused"),
        "data": ({250}, "SMTPDataError"),
        "rset": (range(200, 300), "SMTPResponseException"),
        "noop": (range(200, 300), "SMTPResponseException"),
    }
    # What else it raises, at headers that it did not expect.
    BROKEN = {"send_message": (IndexError, TypeError)}

    def __init__(self, lmtp=False, name=NAME, timeout=TIMEOUT, source=None):
        kind = smtplib.LMTP if lmtp else smtplib.SMTP
        self.session = kind(local_hostname=name, timeout=timeout,
                            source_address=source)

    def call(self, name, *args):
        record = blank()
        self.heard = None
        try:
            got = getattr(self, "do_" + name, self.plain(name))(*args)
            if isinstance(got, tuple):
                record["code"], record["text"] = got[0], stripped(got[1])
                codes, kind = self.JUDGED.get(name, ({got[0]}, None))
                if got[0] not in codes:
                    record["class"] = kind
            elif isinstance(got, dict):
                record["refused"] = self.map(got)
            elif isinstance(got, bytes):
                record["text"] = stripped(got)
            elif isinstance(got, bool):
                record["has"] = got
        except smtplib.SMTPException as error:
            record["class"] = type(error).__name__
            if isinstance(error, smtplib.SMTPResponseException):
                record["code"] = error.smtp_code
                text = error.smtp_error
                record["text"] = stripped(text)
            if isinstance(error, smtplib.SMTPSenderRefused):
                record["sender"] = error.sender
            if isinstance(error, smtplib.SMTPRecipientsRefused):
                record["refused"] = self.map(error.recipients)
        except (ValueError, OverflowError, OSError,
                *self.BROKEN.get(name, ())) as error:
            record["class"] = type(error).__name__
        record["heard"] = self.heard
        self.look(record)
        return record

    @staticmethod
    def map(refused):
        return {address: [code, stripped(text)]
                for address, (code, text) in refused.items()}

    def plain(self, name):
        return getattr(self.session, name, None)

    def look(self, record):
        s = self.session
        record["connected"] = s.sock is not None
        if not record["connected"]:
            return
        record["esmtp"] = s.does_esmtp
        record["ehlo"] = stripped(s.ehlo_resp)
        record["helo"] = stripped(s.helo_resp)
        record["extensions"] = {
            keyword: " ".join(params.split()) if keyword == "auth" else params
            for keyword, params in s.esmtp_features.items()}

    def do_connect(self, target):
        """As the constructor: whoever is not greeted is not connected."""
        got = self.session.connect(target["host"], target.get("port", 0))
        if got[0] != 220:
            self.session.close()
        return got

    def do_hello(self):
        self.session.ehlo_or_helo_if_needed()

    def do_sendmail(self, sender, to, text, mail_options=(), rcpt_options=()):
        return self.session.sendmail(
            sender, to, text if text.isascii() else text.encode(),
            mail_options, rcpt_options)

    def do_send_message(self, sender, to, octets, mail_options=(),
                        rcpt_options=(), policy="compat32"):
        message = email.message_from_bytes(
            octets.encode("latin-1"), policy=getattr(email.policy, policy))
        return self.session.send_message(message, sender, to, mail_options,
                                         rcpt_options)

    def trust(self, ca):
        """A server of which there will be a certificate in this file. smtplib
        knows a name to look for in it only from its constructor."""
        self.session._host = "localhost"
        self.trusted = ssl.create_default_context(cafile=ca)

    def do_starttls(self):
        return self.session.starttls(context=self.trusted)

    def do_login(self, user, password, how=None):
        return self.session.login(
            user, password, initial_response_ok=(how or {}).get("initial",
                                                                True))

    def do_auth(self, mechanism, user, password, how=None):
        """By a method of the session's, or with answers that are known
        beforehand."""
        how = how or {}
        s = self.session
        s.user, s.password = user, password
        own = Answers(**how["own"]) if "own" in how else None
        method = own or getattr(
            s, "auth_" + mechanism.lower().replace("-", "_"))
        try:
            return s.auth(mechanism, method,
                          initial_response_ok=how.get("initial", True))
        finally:
            self.heard = own and own.heard

    def do_end(self):
        with self.session:
            pass

    def do_debug(self, level):
        self.session.set_debuglevel(level)

    def do_idle(self):
        """smtplib has no loop: it notices at the next call."""

    def finish(self):
        self.session.close()


class Ours:
    """The session API, through a child process. smtplib secures a connection
    only when it is told to: so does this."""

    PROGRAM = "tool"
    # smtplib says one thing at a time, and knows no BDAT.
    PIPELINING = False
    CHUNKING = False

    def __init__(self, lmtp=False, name=NAME, timeout=TIMEOUT, source=None):
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [client.programs[self.PROGRAM]], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.said)
        self.bind = {"bind_host": source[0], "bind_port": source[1]} \
            if source else {}
        config = {"lmtp": lmtp, "name": name, "timeout": int(timeout * 1000),
                  "tls": "none"}
        self.ask("session", {**config, "pipelining": self.PIPELINING,
                             "chunking": self.CHUNKING})

    def trust(self, ca):
        self.ask("tls", {"ca": ca})

    def ask(self, *call):
        """Makes a call and returns what session.c says of it."""
        self.process.stdin.write(json.dumps(call).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"no answer to {call}: {self.errors()}")
        return json.loads(line)

    def errors(self):
        self.said.seek(0)
        return self.said.read().decode("utf-8", "replace")

    def call(self, name, *args):
        if name == "connect":
            args = ({"tls": "none", **args[0], **self.bind},)
        if name in ("sendmail", "send_message") and isinstance(args[1], str):
            args = (args[0], [args[1]], *args[2:])
        if name == "send_message":
            name, args = "message", (self.message(*args),)
        answer = None
        if name in ("login", "auth"):
            args, answer = self.credentials(*args)
        if answer is None or answer["accepted"]:
            answer = self.ask(name, *args)
        record = blank(**{key: answer.get(key) for key in (
            "class", "refused", "sender", "has", "heard") if key in answer})
        if answer["class"] is None and answer["error"] != "OK":
            record["class"] = answer["error"]
        if not answer["accepted"]:
            record["class"] = "refused " + answer["error"]
        if answer.get("reply"):
            record["code"], record["text"] = answer["reply"]
            record["text"] = stripped(record["text"])
        if record["refused"] is not None:
            record["refused"] = {address: [code, stripped(text)] for
                                 address, (code, text) in
                                 record["refused"].items()}
        record["recipients"] = [
            [address, outcome, *(reply or [None, None])] for
            address, _, outcome, _, reply in answer.get("recipients", ())]
        self.look(record, answer)
        record["answer"] = answer
        return record

    @staticmethod
    def message(sender, to, octets, mail_options=(), rcpt_options=(), _=None):
        """What send_message has in smtplib, for a call of ours."""
        return {"from": sender, "to": to, "text": octets, "octets": True,
                "mail_options": mail_options, "rcpt_options": rcpt_options,
                "by_header": True}

    def credentials(self, *args):
        """Makes them of what login and auth have in smtplib; the arguments
        that our call has, and the answer. smtplib asks nobody whether it may
        log in in clear text; here it is said, unless how has it that it may
        not."""
        *mechanism, user, password, how = (
            args if isinstance(args[-1], dict) else (*args, {}))
        flags = (1 if how.get("allow", True) else 0) | \
            (0 if how.get("initial", True) else 2) | \
            (4 if how.get("force", False) else 0)
        who = {"user": user, "password": password}
        if not mechanism:
            return (), self.ask("credentials", {**who, "flags": flags})
        own = {"name": mechanism[0], **how["own"]} if "own" in how else None
        return (own or mechanism[0], flags), self.ask("credentials", who)

    @staticmethod
    def look(record, answer):
        record["connected"] = answer.get("state") not in (
            None, "CONNECT", "CLOSED")
        if not record["connected"]:
            return
        if not answer["open"]:
            raise AssertionError(f"no descriptor: {answer}")
        record["esmtp"] = answer["esmtp"]
        for key in ("ehlo", "helo"):
            reply = answer[key]
            record[key] = None if reply is None else stripped(reply[1])
        record["extensions"] = {keyword.lower(): params for keyword, params
                                in answer["extensions"].items()}

    def finish(self):
        """The end of the child must be a clean one."""
        self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait(client.RUN_TIMEOUT)
        said = self.errors()
        self.said.close()
        if status != 0:
            raise AssertionError(f"session: exit {status}, {said}")
        return said


class InGroups(Ours):
    """The same, with as much in one go as the server allows."""
    PIPELINING = True


class InChunks(InGroups):
    """The same, by BDAT."""
    CHUNKING = True


class InTarget(InGroups):
    """The same, where the target has the credentials: a login then is what
    comes behind a hello."""

    def __init__(self, *args, login=(), **more):
        super().__init__(*args, **more)
        self.login = login  # its arguments

    def call(self, name, *args):
        if name == "connect":
            _, answer = self.credentials(*self.login)
            if not answer["accepted"]:
                raise AssertionError(f"no credentials: {answer}")
            args = ({**args[0], "credentials": True},)
        if name == "login":
            name, args = "hello", ()
        return super().call(name, *args)
