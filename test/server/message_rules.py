# SPDX-License-Identifier: MIT
"""In what send_message of the session API differs from smtplib's, rule by rule.
See test_send_message.py.

A rule says why, and makes of how a message went with smtplib how it has to go
with ours. It has to change something wherever it applies: one that does not is
a failure, and so is one that no message needs.
"""
import dataclasses
import email
import email.utils
import inspect
import re

import client

# Does this Python doubt lists of addresses? Since 2023 (CVE-2023-27043).
STRICT = "strict" in inspect.signature(email.utils.getaddresses).parameters
# What it leaves out behind a colon: in later versions a line end too.
BLANKS = b" \t" if email.message_from_string("a:\n b\n")["a"][0] == "\n" \
    else b" \t\r\n"


@dataclasses.dataclass
class Went:
    """How a message went: the class of the error, code and text of the reply,
    who was refused, what was said of it to the server, and its text, without
    its dots and with the last line end."""
    error: str = None
    code: int = None
    reply: str = None
    refused: dict = None
    lines: list = dataclasses.field(default_factory=list)
    text: bytes = None

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    def mail(self, change):
        """With other words in MAIL."""
        return self.but(lines=[" ".join(change(self.lines[0].split(" "))),
                               *self.lines[1:]])

    def sized(self, size):
        """With this SIZE, if there is any."""
        return self.mail(lambda words: [
            f"SIZE={size}" if word.startswith("SIZE=") else word
            for word in words])


class Message:
    """What goes out of a message, by a description of our own: its fields but
    for Bcc, Resent-Bcc and what is no field, and what follows them."""
    FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
    BLIND = re.compile(rb"(?i)(?:resent-)?bcc[ \t]*:")

    def __init__(self, raw):
        lines = re.split(rb"\r\n|\r|\n", raw)
        last = lines.pop()
        lines = [line + b"\r\n" for line in lines + ([last] if last else [])]
        at = 0
        self.fields = []
        while at < len(lines) and self.is_header(lines, at):
            first = at
            at += 1
            while lines[at:] and lines[at].startswith((b" ", b"\t")):
                at += 1
            field = b"".join(lines[first:at])
            if self.FIELD.match(field) and not self.BLIND.match(field):
                self.fields.append(field)
        self.header = b"".join(self.fields)
        self.rest = b"".join(lines[at:])
        self.text = self.header + self.rest

    def is_header(self, lines, at):
        """A field; or a fold that none precedes, one without a name, or the
        "From " of a mailbox, which are no part of the body either."""
        if lines[at].startswith(b"From "):
            return at == 0 or (lines[at + 1:] != [] and
                               self.is_header(lines, at + 1))
        return bool(self.FIELD.match(lines[at])) or \
            lines[at].startswith((b":", b" ", b"\t"))


# ------------------------------------------------------------------ the text

def spaced(m):
    def field(octets):
        name, value = octets[:-2].split(b":", 1)
        first, *folds = value.lstrip(BLANKS).split(b"\r\n")
        return name + b": " + b"\r\n".join(
            [first, *(line for line in folds if line.strip())]) + b"\r\n"

    return b"".join(map(field, m.fields)) + m.rest


def ended(m):
    boundary = re.search(rb'boundary="([^"]*)"', m.header)[1]
    return m.text + b"--" + boundary + b"--\r\n"


# Rule: why, and what smtplib makes of a message.
TEXTS = {
    "blanks": (
        "fields go out as they are; Python's email package writes one blank "
        "behind the colon, and leaves lines of blanks in a field out", spaced),
    "blank line": (
        "none is added behind a header that has none; it is by smtplib",
        lambda m: m.header + b"\r\n" + m.rest),
    "From_": (
        "lines that begin with \"From \" stay as they are; smtplib writes a > "
        "before those of the body",
        lambda m: m.header + re.sub(rb"(?m)^From ", b">From ", m.rest)),
    "From_ as a body": (
        "right behind a header it begins the body and stays as it is; Python's "
        "email package moves the blank line that follows it before it",
        lambda m: m.header + b"\r\n>" + m.rest.replace(b"\r\n", b"", 1)),
    "multipart": (
        "what a multipart message lacks is not added; smtplib ends it", ended),
}


def unfolded(text):
    """Fields in lines of their own, with no more than one blank anywhere."""
    return re.sub(rb"[ \t]+", b" ", re.sub(rb"\r\n(?=[ \t])", b"", text))


def refolded(went, case, _):
    """Only the folds, or there would be other things to be said."""
    m = Message(case.raw)
    if unfolded(went.text) != unfolded(m.text):
        raise AssertionError(f"more than folds: {went.text!r}")
    return with_text(went, m.text)


def with_text(went, text):
    old = re.search(r" SIZE=(\d+)", went.lines[0])
    size = int(old[1]) + len(text) - len(went.text) if old else 0
    return went.but(text=text).sized(size)


def by_text(damage):
    def rule(went, case, _):
        m = Message(case.raw)
        if went.text != damage(m):
            raise AssertionError(f"{went.text!r}, not {damage(m)!r}")
        return with_text(went, m.text)

    return rule


# -------------------------------------------------------------- the envelope

def others(went, case, _):
    """The recipients are others."""
    kept = [line for line in went.lines if not line.startswith("RCPT")]
    return went.but(lines=[
        kept[0], *(f"RCPT TO:<{address}>" for address in case.ours), "DATA"])


def failed(went, *_):
    return Went(error="EMESSAGE")


def sent(went, case, extensions):
    """Goes out, to these recipients."""
    text = Message(case.raw).text
    words = [f"MAIL FROM:<{case.sender or case.ours_from}>"]
    if "SIZE" in extensions:
        words.append(f"SIZE={len(text)}")
    if "8BITMIME" in extensions and not text.isascii():
        words.append("BODY=8BITMIME")
    if not "".join([*words, *case.ours]).isascii():
        words.append("SMTPUTF8")
    return Went(refused={}, text=text, lines=[
        " ".join(words), *(f"RCPT TO:<{rcpt}>" for rcpt in case.ours), "DATA"])


def body(went, *_):
    """BODY before SMTPUTF8 and what the caller gives."""
    def change(words):
        at = 3 if words[2:] and words[2].startswith("SIZE=") else 2
        return [*words[:at], "BODY=8BITMIME", *words[at:]]

    return went.mail(change)


def swapped(words):
    at = words.index("SMTPUTF8")
    return [*words[:at], *words[at + 1:at + 2], words[at], *words[at + 2:]]


def once(words):
    return list(dict.fromkeys(words))


def everywhere(*_):
    return True


def with_8bitmime(_, extensions):
    return "8BITMIME" in extensions


def with_smtputf8(_, extensions):
    return "SMTPUTF8" in extensions


def with_libidn2(_, extensions):
    return client.IDN and "SMTPUTF8" not in extensions


def with_size(_, extensions):
    return "SIZE" in extensions


# Rule: why; where it applies; what it makes of how it went.
RULES = {
    **{name: (why, everywhere, by_text(damage))
       for name, (why, damage) in TEXTS.items()},
    "folds": (
        "fields are never folded anew; smtplib folds what is longer than 78 "
        "octets", everywhere, refolded),
    "final line end": (
        "counts in SIZE; smtplib adds it later", with_size,
        lambda went, *_: went.sized(len(went.text))),
    "all fields": (
        "all To, Cc and Bcc count; of each smtplib takes the first",
        everywhere, others),
    "nobody": (
        "an empty group, an empty field and what is missing between two commas "
        "are nobody; smtplib says RCPT TO:<>", everywhere, others),
    "route": (
        "is left out (RFC 5321 C); smtplib makes addresses of its parts",
        everywhere, others),
    "doubts": (
        "lists are parsed as RFC 5322 has them; newer Pythons doubt those with "
        "literals, or commas in comments, and say RCPT TO:<>",
        lambda *_: STRICT, others),
    "obsolete": (
        "blanks before the colon (RFC 5322 4.5) are no reason to let a Bcc "
        "out; smtplib takes the field for the body's beginning",
        everywhere, sent),
    "folded quotes": (
        "a fold within a quoted local part is a blank; smtplib takes the "
        "string apart", everywhere, others),
    "empty Sender": (
        "is none, and From counts; smtplib says MAIL FROM:<>, or raises "
        "IndexError", everywhere, sent),
    "no sender": (
        "fails the message; smtplib says MAIL FROM:<None>, or <>, or raises "
        "IndexError", everywhere, failed),
    "no recipient": (
        "fails the message; smtplib begins one, and resets it, or says RCPT "
        "TO:<>", everywhere, failed),
    "nobody given": (
        "is refused at once, and never for the header's; smtplib begins a "
        "message for nobody, and resets it", everywhere,
        lambda *_: Went(error="refused EINVAL")),
    "malformed": (
        "an address that is none fails the message; smtplib sends to what it "
        "makes of it", everywhere, failed),
    "not asked": (
        "a header is not looked at where all was given; smtplib looks for a "
        "second Resent-Date", everywhere, sent),
    "long header": (
        "one of more than a megabyte fails the message", everywhere, failed),
    "resent twice": (
        "fails the message; smtplib raises ValueError", everywhere, failed),
    "BODY": (
        "BODY=8BITMIME is said where a text has octets above 127; smtplib "
        "says it with SMTPUTF8 only", with_8bitmime, body),
    "unseen": (
        "BODY=8BITMIME is said of a text, too, that is too long to be looked "
        "through before", with_8bitmime, body),
    "order": (
        "BODY comes before SMTPUTF8; in smtplib behind it", with_smtputf8,
        lambda went, *_: went.mail(swapped)),
    "once": (
        "parameters are said once, whoever asks for them; smtplib's and the "
        "caller's are said both", with_smtputf8,
        lambda went, *_: went.mail(once)),
    "A-label": (
        "a domain in UTF-8 is said in ASCII where SMTPUTF8 is not offered; "
        "smtplib wants SMTPUTF8", with_libidn2, sent),
    "compat32": (
        "there is one policy here; with smtplib and Python's default one "
        "addresses in UTF-8 are a TypeError", with_smtputf8, sent),
}


def expected(went, case, extensions):
    """How it has to go with ours."""
    for name in case.rules:
        _, applies, rule = RULES[name]
        if not applies(case, extensions):
            continue
        changed = rule(went, case, extensions)
        if changed == went:
            raise AssertionError(f"no difference by {name!r}: {went}")
        went = changed
    return went
