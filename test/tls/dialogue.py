# SPDX-License-Identifier: MIT
"""What a mail server says to its clients, with changes: for peer.Server."""
import dataclasses
import typing

from peer import Over

EXTENSIONS = ("PIPELINING", "SIZE 10000000", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclasses.dataclass
class Dialogue:
    """A mail server. replies: instead of its usual one to a verb ("greeting"
    and "text" are verbs here), a text, octets, or a function of the peer; a
    list: one for each time."""
    implicit: bool = False
    clear: tuple = (*EXTENSIONS, "STARTTLS")  # what it offers before TLS
    secure: tuple = EXTENSIONS  # and within
    replies: dict = dataclasses.field(default_factory=dict)
    start: typing.Callable = None  # called with each peer first
    lmtp: bool = False

    def __call__(self, peer):
        session = Session(self, peer)
        if self.start is not None:
            self.start(peer)
        if self.implicit:
            peer.secure()
        session.answer("greeting", "220 mx.example.test ESMTP")
        while session.command(peer.line()):
            pass


class Session:
    """One client's."""

    def __init__(self, plan, peer):
        self.plan = plan
        self.peer = peer
        self.times = {}
        self.recipients = 0

    def answer(self, verb, usual):
        """True if the answer was the usual one."""
        reply = self.plan.replies.get(verb)
        if isinstance(reply, (list, tuple)):
            n = self.times.get(verb, 0)
            self.times[verb] = n + 1
            reply = reply[min(n, len(reply) - 1)]
        try:
            if callable(reply):
                reply(self.peer)
            elif isinstance(reply, bytes):
                self.peer.send(reply)
            else:
                self.peer.say(usual if reply is None else reply)
        except Over:
            if self.peer.wire.whole:
                self.peer.where[verb] = self.peer.wire.sent
            raise
        self.peer.where[verb] = self.peer.wire.sent
        return reply is None

    def hello(self, verb):
        lines = ["mx.example.test"]
        if verb != "HELO":
            lines += (self.plan.clear if self.peer.tls is None
                      else self.plan.secure)
        last = len(lines) - 1
        self.answer(verb, "\r\n".join(
            f"250{' ' if i == last else '-'}{line}"
            for i, line in enumerate(lines)))

    def command(self, line):
        verb = line.split(" ")[0].upper()
        if verb in ("EHLO", "HELO", "LHLO"):
            self.hello(verb)
        elif verb == "STARTTLS":
            if self.answer(verb, "220 go ahead"):
                self.peer.secure()
        elif verb == "DATA":
            if self.answer(verb, "354 go ahead"):
                self.peer.text()
                self.verdict()
        elif verb == "BDAT":
            self.peer.octets(int(line.split(" ")[1]))
            if line.upper().endswith(" LAST"):
                self.verdict()
            else:
                self.answer(verb, "250 2.0.0 more")
        elif verb == "QUIT":
            self.answer(verb, "221 2.0.0 bye")
            self.leave()
            return False
        else:
            self.recipients += verb == "RCPT"
            self.answer(verb, "250 2.0.0 ok")
        return True

    def verdict(self):
        for _ in range(self.recipients if self.plan.lmtp else 1):
            self.answer("text", "250 2.0.0 queued")
        self.recipients = 0

    def leave(self):
        """Once the client has."""
        try:
            self.peer.wait()
        except Over:
            if self.peer.tls is not None:
                self.peer.notify()


def implicit(**more):
    return Dialogue(implicit=True, **more)


def close(_peer):
    """Instead of a reply: the end, without a word."""
    raise Over("closed")


def silent(peer):
    """Instead of a reply: nothing."""
    peer.wait()
