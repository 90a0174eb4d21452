# SPDX-License-Identifier: MIT
"""What Python makes of a message: smtplib's send_message itself, what it does
piece by piece with single habits of it left out, and the newer one of email's two
address parsers."""

import email
import email.policy
import email.utils
import inspect
import re
import smtplib
from email._header_value_parser import get_address_list

# The habits.
EMPTY = "an empty element is a recipient"
ALL = "of fields of one name only the first counts"
FOLDS = "a fold ends an address"
BLANKS = "a blank before a colon ends the header"
WORDS = "a quoted word among others stays one"
LITERALS = "blanks in a literal stay"
ROUTES = "domains of a route are recipients"
HABITS = (EMPTY, ALL, FOLDS, BLANKS, WORDS, LITERALS, ROUTES)

LINES = re.compile("\r\n|\r|\n")
BLANK_COLON = re.compile(r"(^|(?<=[\r\n]))([!-9;-~]+)[ \t]+:")
PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|@.*|[^"@]+|"', re.DOTALL)
ATOM = r'[^\x00-\x20\x7f()<>\[\]:;@\\,"]'
LABEL = r"[A-Za-z0-9\-_\x80-\U0010ffff]+"
SENDABLE = re.compile(
    rf'({ATOM}+|"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])+")'
    rf'(?:@(?:{LABEL}(?:\.{LABEL})*\.?|\[[!#-;=-Z^-~]+\]))?')
# Debian's has a second judgement of what it has parsed, which makes a list of
# nothing out of one that it doubts; that is left out.
LAX = ({"strict": False} if "strict" in
       inspect.signature(email.utils.getaddresses).parameters else {})
getaddresses = email.utils.getaddresses


class Policy(email.policy.Compat32):
    """The one that messages have unless told otherwise; but that smtplib can
    ask for UTF-8 of it."""

    def clone(self, **keywords):
        keywords.pop("utf8", None)
        return super().clone(**keywords)


class Catching(smtplib.SMTP):
    """Opens nothing; what it would send is its envelope."""

    def __init__(self):
        self.esmtp_features = {"smtputf8": ""}
        self.does_esmtp = True

    def ehlo_or_helo_if_needed(self):
        pass

    def sendmail(self, from_addr, to_addrs, *args):
        self.envelope = from_addr, list(to_addrs)


def decode(data):
    """Python takes octets above 127 for an unknown charset, and puts U+FFFD in
    their place: it is given characters."""
    return data.decode("utf-8", "surrogateescape")


def parse(text):
    return email.message_from_string(text, policy=Policy())


def by_smtplib(data):
    """(sender, recipients), or the name of an exception."""
    catching = Catching()
    email.utils.getaddresses = lambda values: getaddresses(values, **LAX)
    try:
        message = parse(decode(data))
        # With text that is not ASCII it would stop before it sends.
        message.set_payload("")
        catching.send_message(message)
        return catching.envelope
    except (IndexError, TypeError, UnicodeError, ValueError) as e:
        return type(e).__name__
    finally:
        email.utils.getaddresses = getaddresses


def fields_of(data, without):
    """What the fields hold that make the envelope, by their name without
    Resent-; None for two Resent-Date."""
    text = decode(data)
    if BLANKS in without:
        text = BLANK_COLON.sub(r"\2:", text)
    fields = {}
    for name, value in parse(text).raw_items():
        if FOLDS in without:
            value = LINES.sub("", value)
        fields.setdefault(name.lower(), []).append(value)
    dates = len(fields.get("resent-date", []))
    prefix = "resent-" if dates else ""
    return None if dates > 1 else {name: fields.get(prefix + name, []) for name
                                   in ("sender", "from", "to", "bcc", "cc")}


def unquote(word):
    if not word.startswith('"') or word == '"':
        return word
    return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)


def quote(plain):
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def split(address):
    """What the local part stands for, "@" and the domain, and if there are
    quotes."""
    parts = PARTS.findall(address)
    return ("".join(unquote(p) for p in parts if p[0] != "@"),
            "".join(p for p in parts if p[0] == "@"), '"' in address)


def tidy(address, without):
    local, domain, quoted = split(address)
    if WORDS in without and quoted:
        local = quote(local)
    else:
        local = address.removesuffix(domain)
    if LITERALS in without and domain.startswith("@["):
        domain = re.sub("[ \t]", "", domain)
    return local + domain


def by_pieces(data, without):
    """As send_message does it, without some of its habits."""
    fields = fields_of(data, without)
    if fields is None:
        return "ValueError"
    if ALL not in without:
        fields = {name: values[:1] for name, values in fields.items()}

    def read(values):
        found = [a[1] for a in getaddresses(values, **LAX)]
        return [tidy(a, without) for a in found
                if not (EMPTY in without and not a or
                        ROUTES in without and a.startswith("@"))]

    senders = read(fields["sender"]) or read(fields["from"])
    return (senders[0] if senders else None,
            read(fields["to"] + fields["bcc"] + fields["cc"]))


class Judgement:
    """The newer parser's, of one list."""

    def __init__(self, value):
        self.broken = False     # it is none, or the parser gave up
        self.addresses = []
        try:
            parsed, rest = get_address_list(value)
            boxes = parsed.all_mailboxes
            self.addresses = [b.addr_spec for b in boxes
                              if b.token_type != "invalid-mailbox"]
            self.broken = (bool(rest) or len(self.addresses) < len(boxes) or
                           any(type(d).__name__ == "InvalidHeaderDefect" and
                               "with no domain" not in str(d)
                               for d in parsed.all_defects))
        except Exception:   # whatever: it has been seen to raise many kinds
            self.broken = True


def sendable(address):
    """What the library sends."""
    match = SENDABLE.fullmatch(address)
    try:
        return (match is not None and len(address.encode()) <= 254 and
                len(match[1].encode()) <= 64)
    except UnicodeEncodeError:
        return False
