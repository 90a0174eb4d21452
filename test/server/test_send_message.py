# SPDX-License-Identifier: MIT
"""smtplib's send_message and ours make the same of the same message: who it is
from and for, by its header, and what of it goes out. Arguments: the program of
session.c, SINK.

Each message is sent by both to a server that writes down what it is told, with
one set of extensions after the other. What the server was told of the message,
its text, and what the caller is told must be equal, octet for octet, but for
the rules that the message names (message_rules.py).
"""
import functools
import re

import client
from both import plain
from message_cases import CASES
from message_rules import RULES, Message, Went, expected
from pair import InChunks, InGroups, Ours, Theirs
from recorder import Recorder

SIZE = "SIZE 10000000"
# What the server offers, and how ours talks to it.
SETS = {
    "nothing": (Ours, ()),
    "SIZE": (Ours, (SIZE,)),
    "UTF-8": (Ours, ("8BITMIME", "SMTPUTF8")),
    "PIPELINING": (InGroups, ("PIPELINING", SIZE, "8BITMIME")),
    "CHUNKING": (InChunks, ("PIPELINING", SIZE, "8BITMIME", "SMTPUTF8",
                            "ENHANCEDSTATUSCODES", "CHUNKING")),
}


def undotted(text):
    """A text as DATA has it, without its end and its dots."""
    if not (b"\r\n" + text).endswith(b"\r\n.\r\n"):
        raise AssertionError(f"no end: {text[-20:]!r}")
    lines = re.sub(rb"(?m)^\.\.", b".", text[:-3])
    if re.sub(rb"(?m)^\.", b"..", lines) != text[:-3]:
        raise AssertionError(f"dots: {text!r}")
    return lines


def went(record, told):
    """What came of a message, from the record of the call and what the server
    was told."""
    told = plain(told)
    texts = [item for item in told if isinstance(item, bytes)]
    lines = [item for item in told if isinstance(item, str) and
             not item.startswith(("EHLO ", "QUIT"))]
    text = None
    if "DATA" in lines and texts:
        text = undotted(texts[0])
    elif texts:
        text = b"".join(texts)
    lines = [line for line in lines if not line.startswith("BDAT ")]
    return Went(record["class"], record["code"], record["text"],
                record["refused"], lines, text)


class Side:
    """smtplib, or ours, which sends one message after the other."""

    def __init__(self, recorder, kind):
        self.recorder = recorder
        self.kind = kind
        self.one = None

    def send(self, case):
        """How the message goes; an error if that can't be said."""
        self.recorder.replies = {
            verb: list(reply) if isinstance(reply, list) else [reply]
            for verb, reply in case.replies.items()}
        self.one = self.one or self.kind()
        try:
            self.one.call("connect", {"host": "127.0.0.1",
                                      "port": self.recorder.port})
            record = self.one.call(
                "send_message", case.sender, case.to,
                case.raw.decode("latin-1"), case.mail, case.rcpt, case.policy)
            self.one.call("quit")
            if record["class"] == "EMESSAGE" and (
                    record["answer"]["outcome"] != "rejected" or
                    not record["answer"].get("detail")):
                raise AssertionError(f"rejected why? {record}")
            return went(record, self.recorder.sessions[-1])
        except AssertionError as error:
            return self.finish() or error
        finally:
            # smtplib remembers more than it should.
            if self.kind is Theirs:
                self.finish()

    def finish(self):
        """None, or what went wrong."""
        one, self.one = self.one, None
        try:
            if one is not None:
                one.finish()
        except AssertionError as error:
            return error
        return None


@functools.cache
def played(name):
    """All messages with this set of extensions, by both; and what went wrong at
    the end."""
    kind, extensions = SETS[name]
    results = {}
    with Recorder(extensions=extensions) as recorder:
        sides = [Side(recorder, Theirs), Side(recorder, kind)]
        for title, case in CASES.items():
            if name in case.only or not case.only:
                results[title] = [side.send(case) for side in sides]
        return results, [side.finish() for side in sides]


def in_group(one, refused):
    """DATA and RSET are where a group has them, and what is refused is so when
    more has been said."""
    if refused:
        return one.but(lines=[], text=None)
    return one.but(lines=[line for line in one.lines
                          if line.startswith(("MAIL", "RCPT"))])


def check(case, message, name):
    kind, offered = SETS[name]
    extensions = {line.split(" ")[0] for line in offered}
    theirs, ours = played(name)[0][message]
    for result in (theirs, ours):
        if isinstance(result, Exception):
            raise result
    wanted = expected(theirs, CASES[message], extensions)
    if kind is not Ours:
        wanted, ours = [in_group(one, CASES[message].replies)
                        for one in (wanted, ours)]
    if None not in (ours.text, wanted.text):
        case.check_same(ours.text, wanted.text)
    # What smtplib does not say is not compared.
    case.assertEqual(ours.but(**{field: None for field in (
        "code", "reply", "refused") if getattr(wanted, field) is None}), wanted)


class Messages(client.Case):
    """Each message, by both."""
    maxDiff = 4000

    def test_rules(self):
        """Each rule is needed, and each one needed is there."""
        named = {rule for case in CASES.values() for rule in case.rules}
        self.assertEqual(named, set(RULES))

    def test_end(self):
        """Nothing is left over, nothing was amiss."""
        for name in SETS:
            self.assertEqual(played(name)[1], [None, None], name)

    def test_size(self):
        """smtplib's SIZE is the length of its text before dots are doubled,
        without a last line end that is missing. smtplib: 35"""
        for title, (theirs, _) in played("SIZE")[0].items():
            if isinstance(theirs, Exception) or theirs.text is None:
                continue
            found = re.search(r" SIZE=(\d+)", theirs.lines[0])
            with self.subTest(title):
                self.assertIn(int(found[1]), (len(theirs.text),
                                              len(theirs.text) - 2))

    def test_text(self):
        """What goes out is what is described beside the rules."""
        for name in SETS:
            for title, (_, ours) in played(name)[0].items():
                if isinstance(ours, Exception) or ours.text is None:
                    continue
                with self.subTest(title, name=name):
                    self.check_same(ours.text, Message(CASES[title].raw).text)


@client.add_tests(Messages, "message", {name: (name,) for name in CASES})
def same(case, message):
    for name in CASES[message].only or SETS:
        with case.subTest(extensions=name):
            check(case, message, name)


if __name__ == "__main__":
    client.main()
