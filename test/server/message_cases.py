# SPDX-License-Identifier: MIT
"""What send_message of smtplib and of the session API are compared on: messages
whose header says who they are from and for. See test_send_message.py; how the
two differ is in message_rules.py."""
import dataclasses

ME = b"From: me@example.org\r\n"
YOU = b"To: you@example.net\r\n"
HEAD = ME + YOU + b"Subject: x\r\n"
BODY = b"\r\nhello\r\n"
MANY = 10000


@dataclasses.dataclass
class Case:
    """A message, the arguments beside it, and the names of the rules by which
    ours differs from smtplib, in the order in which they apply; ours: the
    recipients then. policy: of Python's email package. replies: the server's.
    only: the sets of extensions that it is tried with, all if there is none."""
    raw: bytes
    rules: tuple = ()
    ours: list = None
    ours_from: str = "me@example.org"
    sender: str = None
    to: list = None
    mail: tuple = ()
    rcpt: tuple = ()
    policy: str = "compat32"
    replies: dict = dataclasses.field(default_factory=dict)
    only: tuple = ()


def case(raw, *rules, **more):
    return Case(raw if isinstance(raw, bytes) else raw.encode(), rules, **more)


def header(fields, *rules, **more):
    """A message with a header that a body follows."""
    if isinstance(fields, str):
        fields = fields.encode()
    return case(fields + BODY, *rules, **more)


def text(words, *rules, **more):
    """A plain header, and this body."""
    return case(HEAD + b"\r\n" + words, *rules, **more)


def senders():
    """Sender and From, and what is given. smtplib: 41"""
    return {
        "From": header(HEAD),
        "From with a name": header(b"From: Me <me@example.org>\r\n" + YOU),
        "From of two": header(
            b"From: me@example.org, second@example.org\r\n" + YOU),
        "From of two, and Sender": header(
            b"From: me@example.org, second@example.org\r\n"
            b"Sender: third@example.org\r\n" + YOU),
        "Sender of two": header(
            b"Sender: a@example.org, b@example.org\r\n" + HEAD),
        "Sender before From": header(b"Sender: Me <s@example.org>\r\n" + HEAD),
        "Sender is empty": header(
            b"Sender:\r\n" + HEAD, "empty Sender", ours=["you@example.net"]),
        "From twice": header(
            b"From: first@example.org\r\nFrom: second@example.org\r\n" + YOU),
        "From as a group": header(
            b"From: We: a@example.org, b@example.org;\r\n" + YOU),
        "From is missing": header(YOU, "no sender"),
        "From is empty": header(b"From:\r\n" + YOU, "no sender"),
        "From is a comment": header(b"From: (me)\r\n" + YOU, "no sender"),
        "From is no address": header(
            b"From: me and you\r\n" + YOU, "malformed"),
        "From without a domain": header(b"From: postmaster\r\n" + YOU),
        "null sender": header(b"From: <>\r\n" + YOU, "malformed"),
        "null sender, given": header(HEAD, sender="<>"),
        "empty sender, given": header(HEAD, sender=""),
        "sender given": header(HEAD, sender="other@example.org"),
        "sender given with a name": header(
            HEAD, sender="Other <other@example.org>"),
        "sender given, From is missing": header(YOU, sender="o@example.org"),
        "recipients given": header(
            HEAD, to=["a@example.net", "B <b@example.net>"]),
        "one recipient given as a string": header(HEAD, to="a@example.net"),
        "recipients given, To is missing": header(ME, to=["a@example.net"]),
        "recipients given, To is malformed": header(
            ME + b"To: you@@example.net\r\n", to=["a@example.net"]),
        "sender given, From is malformed": header(
            b"From: me@@example.org\r\n" + YOU, sender="o@example.org"),
        "both given, no header": case(
            b"hello\r\n", "blank line", sender="me@example.org",
            to=["you@example.net"]),
        "both given, and Bcc": header(
            HEAD + b"Bcc: secret@example.net\r\n", sender="o@example.org",
            to=["a@example.net"]),
        "nobody given": header(HEAD, "nobody given", to=[]),
    }


def recipients():
    """To, Cc and Bcc, and how lists are written."""
    return {
        "To, Cc and Bcc": header(
            ME + b"Cc: c1@example.net, c2@example.net\r\n"
            b"Bcc: b1@example.net, b2@example.net\r\n"
            b"To: t1@example.net, t2@example.net\r\n"),
        "Cc alone": header(ME + b"Cc: c@example.net\r\n"),
        "Bcc alone": header(ME + b"Bcc: b@example.net\r\n"),
        "To twice": header(
            HEAD + b"To: second@example.net\r\n", "all fields",
            ours=["you@example.net", "second@example.net"]),
        "Cc and Bcc twice": header(
            HEAD + b"Cc: c1@example.net\r\nCC: c2@example.net\r\n"
            b"Bcc: b1@example.net\r\nbcc: b2@example.net\r\n", "all fields",
            ours=["you@example.net", "b1@example.net", "b2@example.net",
                  "c1@example.net", "c2@example.net"]),
        "To is missing": header(ME, "no recipient"),
        "To is empty": header(ME + b"To:\r\n", "no recipient"),
        "an address twice": header(
            HEAD + b"Cc: you@example.net\r\n"),
        "an address in other case": header(
            HEAD + b"Cc: YOU@EXAMPLE.NET\r\n"),
        "names": header(
            ME + b"To: You <you@example.net>, \"Last, First\" "
            b"<lf@example.net>,\r\n J. R. Dot <jrd@example.net>\r\n"),
        "names with brackets": header(
            ME + b"To: \"You <not@example.net>\" <you@example.net>\r\n"),
        "names with a backslash": header(
            ME + b"To: \"a \\\" , <b@c> \\\\\" <you@example.net>\r\n"),
        "encoded-words": header(
            ME + b"To: =?utf-8?q?G=C3=BC=2C_x=40y?= <you@example.net>,\r\n"
            b" =?utf-8?b?w7w=?= <two@example.net>\r\n"),
        "comments": header(
            ME + b"To: (one, two@example.net) you@example.net (really),\r\n"
            b" Three (3 \\) (nested, x@y)) <three@example.net>\r\n", "doubts",
            ours=["you@example.net", "three@example.net"]),
        "comments within an address": header(
            ME + b"To: you(me)@(at)example(dot).net\r\n"),
        "a group": header(
            ME + b"To: Friends: a@example.net, B <b@example.net>;\r\n"),
        "a group between others": header(
            ME + b"To: x@example.net, Friends: a@example.net,\r\n"
            b" b@example.net;, y@example.net\r\n"),
        "an empty group": header(
            ME + b"To: undisclosed-recipients:;\r\n", "no recipient"),
        "an empty group and Bcc": header(
            ME + b"To: undisclosed-recipients: ;\r\nBcc: b@example.net\r\n",
            "nobody", ours=["b@example.net"]),
        "a quoted group's name": header(
            ME + b"To: \"Fr, iends\": a@example.net;\r\n"),
        "a quoted local part": header(
            ME + b"To: \"you there\"@example.net, \"a@b\"@example.net\r\n"),
        "a quoted local part that need not be": header(
            ME + b"To: \"you\"@example.net, \"a.b\"@example.net\r\n"),
        "a quoted local part with quotes": header(
            ME + b"To: \"a\\\"b\"@example.net, \"c\\\\d\"@example.net\r\n"),
        "a literal": header(
            ME + b"To: you@[192.0.2.1]\r\n", "doubts",
            ours=["you@[192.0.2.1]"]),
        "an IPv6 literal": header(
            ME + b"To: you@[IPv6:2001:db8::1]\r\n", "doubts",
            ours=["you@[IPv6:2001:db8::1]"]),
        "a route": header(
            ME + b"To: <@relay.example:you@example.net>\r\n"),
        "a route of two": header(
            ME + b"To: You <@a.example,@b.example:you@example.net>\r\n",
            "route", ours=["you@example.net"]),
        "blanks around the parts": header(
            ME + b"To: you . there @ example . net\r\n"),
        "commas without addresses": header(
            ME + b"To: , a@example.net,, ,b@example.net,\r\n", "nobody",
            ours=["a@example.net", "b@example.net"]),
        "odd characters": header(
            ME + b"To: !#$%&'*+-/=?^_`{|}~@example.net, a+b@example.net\r\n"),
        "a long address": header(
            ME + b"To: " + b"y" * 64 + b"@" + b"d" * 60 + b"." + b"e" * 60 +
            b".example\r\n", "folds"),
        "too long an address": header(
            ME + b"To: " + b"y" * 6000 + b"@example.net\r\n", "malformed"),
        "folded": header(
            ME + b"To: a@example.net,\r\n b@example.net,\r\n\tc@example.net,"
            b"\r\n   d@example.net\r\n"),
        "folded at the colon": header(
            b"From:\r\n me@example.org\r\nTo:\r\n\tyou@example.net\r\n",
            "blanks"),
        "folded within names": header(
            ME + b"To: You\r\n There <you@example.net>, \"Two\r\n Lines\"\r\n"
            b" <two@example.net>\r\n"),
        "folded within an address": header(
            ME + b"To: you@\r\n example.net\r\n"),
        "folded by a line of blanks": header(
            ME + b"To: a@example.net,\r\n \r\n b@example.net\r\n", "blanks"),
        "no blank behind the colon": header(
            b"From:me@example.org\r\nTo:you@example.net\r\nSubject:x\r\n",
            "blanks"),
        "many blanks behind the colon": header(
            b"From: \t me@example.org  \r\nTo:   you@example.net\t\r\n",
            "blanks"),
        "names of fields in any case": header(
            b"FROM: me@example.org\r\ntO: you@example.net\r\n"
            b"cC: c@example.net\r\n"),
        "no comma": header(
            ME + b"To: a@example.net b@example.net\r\n", "malformed"),
        "two at signs": header(ME + b"To: you@@example.net\r\n", "malformed"),
        "no domain behind the at": header(ME + b"To: you@\r\n", "malformed"),
        "no local part": header(ME + b"To: @example.net\r\n", "malformed"),
        "an open bracket": header(
            ME + b"To: <you@example.net\r\n", "malformed"),
        "an open quote": header(ME + b"To: \"you@example.net\r\n", "malformed"),
        "an open comment": header(
            ME + b"To: (you@example.net\r\n", "malformed"),
        "dots that need not be": header(
            ME + b"To: you..there@example.net, .you@example.net\r\n"),
        "a hundred": header(
            ME + b"To: " + b",\r\n ".join(
                b"r%d@example.net" % n for n in range(100)) + b"\r\n"),
        "ten thousand": header(
            ME + b"To: " + b",\r\n ".join(
                b"r%d@example.net" % n for n in range(MANY)) + b"\r\n",
            only=("CHUNKING",)),
        "one refused": header(
            ME + b"To: a@example.net, b@example.net\r\nBcc: c@example.net\r\n",
            replies={"RCPT": ["250 ok", "550 5.1.1 no", "450 4.2.1 later"]}),
        "all refused": header(
            HEAD + b"Cc: c@example.net\r\n", replies={"RCPT": "550 no"}),
        "sender refused": header(HEAD, replies={"MAIL": "550 5.1.8 no"}),
        "text refused": header(HEAD, replies={"DOT": "554 5.6.0 no"}),
    }


def blind():
    """Bcc and Resent-Bcc, which nobody is to see. smtplib: 41"""
    secret = b"secret@example.net"
    return {
        "Bcc first": header(b"Bcc: " + secret + b"\r\n" + HEAD),
        "Bcc last": header(HEAD + b"Bcc: " + secret + b"\r\n"),
        "Bcc in any case": header(
            HEAD + b"BCC: " + secret + b"\r\nX-Bcc: seen\r\n"),
        "Bcc folded": header(
            ME + b"bCc: a@example.net,\r\n\t" + secret + b",\r\n b@example.net"
            b"\r\n" + YOU),
        "Bcc folded, by LF": header(
            ME + b"Bcc: a@example.net,\n " + secret + b"\n" + YOU),
        "Bcc folded by a line of blanks": header(
            ME + b"Bcc: " + secret + b",\r\n \t\r\n b@example.net\r\n" + YOU),
        "Bcc is empty": header(
            HEAD + b"Bcc:\r\nX: y\r\n", "nobody", ours=["you@example.net"]),
        "Bcc of blanks": header(
            HEAD + b"Bcc: \r\n \r\nX: y\r\n", "nobody",
            ours=["you@example.net"]),
        "Bcc with a blank before the colon": header(
            HEAD + b"Bcc : " + secret + b"\r\nX: y\r\n", "obsolete",
            ours=["you@example.net", "secret@example.net"]),
        "Bcc with a tab before the colon": header(
            HEAD + b"bcc\t: " + secret + b",\r\n b@example.net\r\nX: y\r\n",
            "obsolete", ours=["you@example.net", "secret@example.net",
                              "b@example.net"]),
        "Bcc in the body": case(
            HEAD + b"\r\nBcc: " + secret + b"\r\n"),
        "Bcc ends the message": case(
            HEAD + b"Bcc: " + secret, "blank line"),
        "Bcc ends the message, folded": case(
            HEAD + b"Bcc: a@example.net,\r\n " + secret + b"\r\n",
            "blank line"),
        "Resent-Bcc where nothing is resent": header(
            HEAD + b"Resent-Bcc: " + secret + b"\r\n"),
        "Bcc in a message of another": case(
            HEAD + b"Content-Type: message/rfc822\r\n\r\nBcc: " + secret +
            b"\r\nSubject: inner\r\n\r\nhello\r\n"),
    }


def resent():
    """The Resent- fields. smtplib: 41"""
    date = b"Resent-Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    one = (b"Resent-From: again@example.org\r\n"
           b"Resent-To: r1@example.net\r\nResent-Cc: r2@example.net\r\n"
           b"resent-bcc: r3@example.net,\r\n r4@example.net\r\n")
    return {
        "resent": header(date + one + HEAD + b"Bcc: b@example.net\r\n"),
        "resent, with a Resent-Sender": header(
            b"Resent-Sender: rs@example.org\r\n" + date + one + HEAD),
        "resent, the fields apart": header(HEAD + one + date),
        "resent twice": header(date + one + date + one + HEAD, "resent twice"),
        "resent twice, dates only": header(
            date + date.lower() + HEAD, "resent twice"),
        "resent twice, both given": header(
            date + date + HEAD, "not asked", sender="o@example.org",
            to=["a@example.net"], ours=["a@example.net"]),
        "resent twice, recipients given": header(
            date + date + HEAD, "resent twice", to=["a@example.net"]),
        "no Resent-Date": header(one + HEAD),
        "an empty Resent-Date": header(
            b"Resent-Date:\r\n" + one + HEAD, "blanks"),
        "resent to nobody": header(
            date + b"Resent-From: again@example.org\r\n" + HEAD,
            "no recipient"),
        "resent by nobody": header(
            date + b"Resent-To: r1@example.net\r\n" + HEAD, "no sender"),
        "resent, fields twice": header(
            date + one + b"Resent-To: r5@example.net\r\n" + HEAD,
            "all fields", ours=[f"r{n}@example.net" for n in (1, 5, 3, 4, 2)]),
        "resent, recipients given": header(
            date + one + HEAD, to=["a@example.net"]),
    }


def bodies():
    """What comes behind the header, and where it begins."""
    multipart = (
        HEAD + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n"
        b" boundary=\"=_b\"\r\n\r\npreamble\r\n--=_b\r\n\r\none\r\n"
        b"--=_b\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--=_b--\r\n"
        b"epilogue\r\n")
    return {
        "no final line end": text(b"one\r\ntwo", "final line end"),
        "a dot without a line end": text(b"one\r\n.", "final line end"),
        "a header without a line end": case(
            ME + YOU + b"Subject: x", "blank line"),
        "no blank line": case(HEAD, "blank line"),
        "no body": case(HEAD + b"\r\n"),
        "a body of blank lines": text(b"\r\n\r\n\r\n"),
        "no blank line before the body": case(
            HEAD + b"not a field\r\nBcc: b@example.net\r\n", "blank line"),
        "no header": case(b"\r\nhello\r\n", "no sender"),
        "no header, both given": case(
            b"\r\nhello\r\n", sender="me@example.org", to=["you@example.net"]),
        "nothing": case(b"", "no sender"),
        "nothing, both given": case(
            b"", "blank line", sender="me@example.org", to=["you@example.net"]),
        "dots": text(b".\r\n..\r\n...\r\n.a\r\nb.\r\n \r\n. \r\n.\r\n"),
        "a dot first": case(
            b".\r\nhello\r\n", "blank line", sender="me@example.org",
            to=["you@example.net"]),
        "bare LF": text(b"one\n.\n\ntwo\n.three\n"),
        "bare CR": text(b"one\rtwo\r\r.\r.three\r\n.\r"),
        "LF only": case((HEAD + b"\r\none\r\n.\r\n").replace(b"\r", b"")),
        "CR only": case((HEAD + b"\r\none\r\n.\r\n").replace(b"\n", b"")),
        "mixed line ends": case(
            ME.replace(b"\r", b"") + YOU.replace(b"\n", b"") +
            b"Subject: x\r\n\none\n\r\ntwo\r\r\nthree\n\rfour\r\n\n.\r"),
        "a NUL": text(b"a\x00b\r\n"),
        "controls": text(b"a\x01\x1b\t\x7fb\x0c\x0b\x1c\r\n"),
        "long lines": text(
            (b"x" * 2000 + b"\r\n." + b"y" * 2000 + b"\r\n") * 3),
        "a megabyte": text((b"." + b"x" * 900 + b"\r\n") * 1100,
                            only=("SIZE", "CHUNKING")),
        "more than a megabyte": text(
            (b"." + b"x" * 900 + b"\r\n") * 1200, "unseen",
            only=("SIZE", "CHUNKING")),
        "a From line in the body": text(
            b"From here on\r\n>From there\r\nx\r\nFrom\r\nFrom x\r\n",
            "From_"),
        "a mailbox's From line": header(
            b"From me@example.org Mon Jan  1 00:00:00 2024\r\n" + HEAD),
        "a From line in the header": header(
            ME + b"From me@example.org Mon Jan  1 00:00:00 2024\r\n" + YOU),
        "a From line behind the header": header(
            HEAD + b"From me@example.org Mon Jan  1 00:00:00 2024\r\n",
            "From_ as a body"),
        "multipart": case(multipart),
        "multipart, not ended": case(
            multipart[:multipart.index(b"--=_b--")], "multipart"),
        "multipart, no boundary": case(
            HEAD + b"Content-Type: multipart/mixed\r\n\r\n--x\r\none\r\n"),
    }


def eight_bits():
    """Octets above 127: in addresses, in other fields, in the body.
    smtplib: 42"""
    def smtp(fields, *rules, **more):
        return header(fields, *rules, policy="SMTP", **more)

    return {
        "a body in UTF-8": text("Grüße, 日本語\r\n".encode(), "BODY"),
        "a body in Latin-1": text(b"Gr\xfc\xdfe\r\n", "BODY"),
        "a body of all octets": text(bytes(
            c for c in range(256) if c not in b"\r\n") + b"\r\n", "BODY"),
        "a subject in UTF-8": header(HEAD + "X: Grüße\r\n".encode(), "BODY"),
        "a subject in Latin-1": header(HEAD + b"X: Gr\xfc\xdfe\r\n", "BODY"),
        "a name in UTF-8": header(
            "From: Zoë <me@example.org>\r\nTo: Ünal <you@example.net>\r\n",
            "BODY"),
        "a name in Latin-1": header(
            b"From: Zo\xeb <me@example.org>\r\n" + YOU, "BODY"),
        "a long field in UTF-8": header(
            HEAD + b"X: " + "Grüße ".encode() * 30 + b"\r\n", "BODY"),
        "a comment in UTF-8": header(
            ME + "To: (ü) you@example.net\r\n".encode(), "BODY"),
        "UTF-8, a local part": smtp(
            ME + "To: jürgen@example.net\r\n".encode(), "order"),
        "UTF-8, the sender": smtp(
            "From: zoë@example.org\r\n".encode() + YOU, "order"),
        "UTF-8, in Bcc": smtp(
            HEAD + "Bcc: jürgen@example.net\r\n".encode(), "order"),
        "UTF-8, a domain": smtp(
            ME + "To: you@bücher.example\r\n".encode(), "A-label", "order",
            ours=["you@xn--bcher-kva.example"]),
        "UTF-8, the sender's domain": smtp(
            "From: me@bücher.example\r\n".encode() + YOU, "A-label", "order",
            ours=["you@example.net"], ours_from="me@xn--bcher-kva.example"),
        "UTF-8, both parts": smtp(
            ME + "To: jürgen@bücher.example\r\n".encode(), "order"),
        "UTF-8, a quoted local part": smtp(
            ME + "To: \"jür gen\"@example.net\r\n".encode(), "order"),
        "UTF-8, other scripts": smtp(
            ME + "To: 用户@例子.example, χρήστης@example.net\r\n".encode(),
            "order"),
        "UTF-8, a subject too": smtp(
            ME + "To: jürgen@example.net\r\nSubject: Grüße\r\n".encode(),
            "order"),
        "UTF-8, recipients given": smtp(
            HEAD, "order", to=["jürgen@example.net"]),
        "UTF-8, sender given": smtp(HEAD, "order", sender="zoë@example.org"),
        "UTF-8, the older policy": header(
            ME + "To: jürgen@example.net\r\n".encode(), "compat32",
            ours=["jürgen@example.net"]),
        "UTF-8 that is none": header(
            ME + b"To: j\xfcrgen@example.net\r\n", "malformed"),
        "an address in an encoded-word": header(
            ME + b"To: =?utf-8?q?j=C3=BCrgen?=@example.net\r\n"),
        "option SMTPUTF8": header(HEAD, mail=["SMTPUTF8"]),
        "option smtputf8": header(HEAD, mail=["smtputf8"]),
        "option BODY": header(HEAD, mail=["BODY=8BITMIME"]),
        "options SMTPUTF8 and BODY, as they are needed": smtp(
            ME + "To: jürgen@example.net\r\n".encode(), "once",
            mail=["SMTPUTF8", "BODY=8BITMIME"]),
        "options": header(
            HEAD, mail=["RET=HDRS", "ENVID=a+2Bb"], rcpt=["NOTIFY=NEVER"]),
    }


def hostile():
    """Headers that want to be something else."""
    return {
        "a line of SMTP in a fold": header(
            ME + b"To: you@example.net,\r\n RCPT TO:<x@example.net>\r\n",
            "malformed"),
        "a line of SMTP behind a CR": header(
            ME + b"To: you@example.net\rRCPT TO:<x@example.net>\r\n",
            "blank line"),
        "a line of SMTP within quotes": header(
            ME + b"To: \"you\r\n RCPT TO:<x>\"@example.net\r\n",
            "folded quotes", ours=['"you RCPT TO:<x>"@example.net']),
        "a line end within quotes": header(
            ME + b"To: \"you\\\r\n \"@example.net\r\n", "folded quotes",
            ours=['"you "@example.net']),
        "a NUL in an address": header(
            ME + b"To: you\x00@example.net\r\n", "malformed"),
        "a control in an address": header(
            ME + b"To: y\x01ou@example.net, \"a\x07b\"@example.net\r\n",
            "malformed"),
        "an end of data in the header": case(
            HEAD + b".\r\nMAIL FROM:<x@example.org>\r\n", "blank line"),
        "an end of data in a fold": header(
            HEAD + b"X: y\r\n .\r\n .\r\nZ: z\r\n"),
        "smuggling": text(b"a\n.\r\nMAIL FROM:<x@y>\r.\r\nb\r\n.\nc\r\n.\r"),
        "a parameter behind the bracket": header(
            ME + b"To: <you@example.net> NOTIFY=NEVER\r\n", "malformed"),
        "a parameter within the bracket": header(
            ME + b"To: <you@example.net SIZE=1>\r\n", "malformed"),
        "brackets within brackets": header(
            ME + b"To: <<you@example.net>>\r\n", "malformed"),
        "a name of a field with odd octets": header(
            HEAD + b"X!#$%&'*: y\r\n"),
        "a name of a field with a blank": header(
            HEAD + b"X y: z\r\nBcc: b@example.net\r\n", "blank line"),
        "a name of a field with 8 bits": header(
            HEAD + b"X\xfc: z\r\nBcc: b@example.net\r\n", "blank line",
            "BODY"),
        "a name of a field with a NUL": header(
            HEAD + b"X\x00: z\r\nBcc: b@example.net\r\n", "blank line"),
        "no name of a field": header(HEAD + b": z\r\nX: y\r\n"),
        "a fold first": header(b" folded\r\n" + HEAD),
        "a long name of a field": header(
            HEAD + b"X" * 3000 + b": y\r\n", "folds"),
        "a long field": header(
            HEAD + b"X: " + b"y" * 3000 + b"\r\n", "folds"),
        "a long field of words": header(
            HEAD + b"X: " + b"word " * 600 + b"end\r\n", "folds"),
        "a header without an end": case(
            HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(5000)),
            "blank line", only=("SIZE", "CHUNKING")),
        "a header of more than a megabyte": header(
            HEAD + b"".join(b"X: %s\r\n" % (b"y" * 2000) for _ in range(600)),
            "long header", only=("SIZE",)),
        "nested comments": header(
            ME + b"To: " + b"(" * 400 + b")" * 400 + b" you@example.net\r\n",
            "folds"),
        "many quotes": header(
            ME + b"To: " + b"\"\" " * 400 + b"<you@example.net>\r\n", "folds"),
        "many commas": header(
            ME + b"To: you@example.net" + b"," * 500 + b"\r\n", "folds",
            "nobody", ours=["you@example.net"]),
    }


CASES = {f"{part.__name__}: {name}": message
         for part in (senders, recipients, blind, resent, bodies, eight_bits,
                      hostile)
         for name, message in part().items()}
