# SPDX-License-Identifier: MIT
"""What smtplib and the session API are compared on: scripts of calls, and in
one place how the two differ. See test_differential.py."""
import dataclasses

from pair import NAME
from recorder import CLOSE, EXTENSIONS, SILENT

# What holds everywhere, so that it isn't said in each script:
#  - verbs, in later versions FROM and TO too, and the keyword SIZE are written
#    in lower case by smtplib;
#  - a session of ours has extensions, and replies to EHLO and HELO, only as
#    long as it is connected; smtplib keeps them until quit or the next EHLO;
#  - smtplib's single commands return any reply; ours say what its own sendmail
#    and constructor would have raised (see pair.Theirs.JUDGED);
#  - blanks at both ends of a reply's lines are gone in smtplib;
#  - what can't be said at all is a ValueError, or refused with UV_EINVAL.
DIFFERENCES = {
    "checked first": "all arguments are checked before anything is sent; "
                     "smtplib notices when their turn comes",
    "one address": "what names several addresses, or none, is refused; smtplib "
                   "picks one, or sends what it was given",
    "plainly": "an address stands by itself, in brackets, or there behind a "
               "name; smtplib takes comments, blanks around it and brackets "
               "that don't close too",
    "length": "what makes a command line too long is refused here",
    "nobody": "a message without recipients is refused; smtplib begins one, "
              "and resets it",
    "sequence": "what makes no sense at this place is refused here (UV_EPERM)",
    "own verbs": "docmd takes no verb that has a call of its own",
    "hello by itself": "MAIL says EHLO where nobody has",
    "hello again": "a refused EHLO or HELO is said again with the next "
                   "message; smtplib goes on without",
    "new connection": "a new connection begins anew; smtplib believes what the "
                      "old server said unless quit was called",
    "does_esmtp": "says whether the last EHLO succeeded; smtplib's stays true",
    "HELO": "EHLO's extensions are forgotten with HELO",
    "LMTP": "LMTP has no HELO (RFC 2033 4.1)",
    "LMTP verdicts": "LMTP has a final reply for each recipient (RFC 2033 "
                     "4.2); smtplib reads one and takes the others for replies "
                     "to what comes next",
    "421": "closes the session whatever it is the reply to",
    "lost": "a loss that nobody asked about is noticed at once",
    "unknown": "lost after the end of the message is a class of its own",
    "timeout": "a deadline is UV_ETIMEDOUT; smtplib calls it a lost connection",
    "not connected": "a connection that can't be made is an SMTPConnectError "
                     "with a cause; smtplib passes OSError on",
    "the reason": "what is asked of a session that could not be opened fails "
                  "for the same reason as that",
    "port": "over 65535 it is refused; smtplib lets the system cut it off",
    "protocol": "what is no SMTP reply, or none to this command, ends the "
                "session as UVSMTP_EPROTOCOL",
    "line": "one of a reply may have 16,384 octets, since challenges of AUTH are "
            "long (RFC 4954 4); smtplib has 8,192",
    "252": "is an acceptance (RFC 5321 4.2.3)",
    "header": "what is wrong with a message's header is EMESSAGE, and nothing "
              "is said; smtplib raises ValueError, or begins a message for "
              "nobody",
    "order": "BODY comes before SMTPUTF8; in smtplib behind it",
    "too many": "the recipients that a server calls too many are sent the "
                "message in further transactions; smtplib leaves that to its "
                "caller",
    "8BITMIME": "BODY=8BITMIME is said of a text with octets above 127 where "
                "that is offered; smtplib's caller has to",
    "twice": "a recipient given twice has two results; in smtplib the last one "
             "overwrites the first, and its counting fails",
    "RSET": "clears up after a refused DATA too",
    "RSET's reply": "isn't waited for; a refusal of it closes the session",
    "QUIT": "always succeeds, whatever the server makes of it",
    "SIZE": "what is over the server's limit isn't offered to it",
    "final line end": "counts in SIZE",
    "empty": "is sent as just the dot; smtplib adds an empty line",
    "keywords": "lines of EHLO that are malformed are none; smtplib takes what "
                "looks like a keyword out of them",
    "AUTH": "mechanisms that are offered twice are told once",
    "UTF-8": "addresses in UTF-8 make the message ask for SMTPUTF8 by itself, "
             "or fail for want of it; smtplib's caller has to",
}

ME = "me@example.org"
YOU = "you@example.net"
TEXT = "Subject: x\r\n\r\nhello\r\n.\r\n..two\r\nend\r\n"
TO3 = ["a@example.net", "b@example.net", "c@example.net"]


@dataclasses.dataclass
class Differs:
    """What is expected of a call of ours where it isn't what smtplib does."""
    why: str
    fields: dict


def differs(why, **fields):
    # A word of Python's.
    if "cls" in fields:
        fields["class"] = fields.pop("cls")
    return Differs(why, fields)


def unsaid(why, cls, **fields):
    """The same where smtplib has a reply and ours none."""
    return differs(why, cls=cls, code=None, text=None, **fields)


@dataclasses.dataclass
class Wire:
    """In this session, these lines of smtplib's are those of ours. Of a line
    that ends in "..." the rest does not matter."""
    why: str
    theirs: list
    ours: list
    session: int = 0


@dataclasses.dataclass
class Script:
    """Calls, the server that gets them, and what differs: by the number of the
    call, and on the wire."""
    calls: list
    replies: dict = dataclasses.field(default_factory=dict)
    differs: dict = dataclasses.field(default_factory=dict)
    wire: tuple = ()
    extensions: tuple = EXTENSIONS
    lmtp: bool = False
    unix: bool = False
    tls: bool = False
    name: str = NAME
    timeout: float = 20
    source: tuple = None


CONNECT = ("connect",)
QUIT = ("quit",)
NOOP = ("noop",)
EHLO = ("ehlo",)
MAIL = ("mail", ME)
RCPT = ("rcpt", YOU)
DATA = ("data", TEXT)
SEND = ("sendmail", ME, [YOU], TEXT)
SEND3 = ("sendmail", ME, TO3, TEXT)


def session(*calls, **more):
    """A script of calls within a connection that is quit."""
    return Script([CONNECT, *calls, QUIT], **more)


# What a session knows of its server before EHLO.
NEW = {"esmtp": False, "ehlo": None, "extensions": {}}
# What EXTENSIONS come to.
OFFERED = {"pipelining": "", "size": "10000000", "8bitmime": "",
           "enhancedstatuscodes": ""}
# What SEND says to a server that offers nothing.
MESSAGE = ["MAIL FROM:<me@example.org>", "RCPT TO:<you@example.net>", "DATA",
           b"Subject: x\r\n\r\nhello\r\n..\r\n...two\r\nend\r\n.\r\n"]


def greetings():
    """Connecting, and what the server makes of it. smtplib: 1, 2, 11, 13, 17"""
    closed = [CONNECT, NOOP]

    def no_reply(what):
        """Not the reply that was awaited, so that the session ends."""
        return Script(closed, {"GREETING": what}, {
            0: differs("protocol", cls="EPROTOCOL"),
            1: differs("the reason", cls="EPROTOCOL")})

    def nonsense(what):
        script = no_reply(what)
        script.differs[0] = unsaid("protocol", "EPROTOCOL")
        return script

    def refused(what):
        return Script(closed, {"GREETING": what}, {
            1: differs("the reason", cls="SMTPConnectError")})

    return {
        "220": session(NOOP),
        "220 alone": session(NOOP, replies={"GREETING": "220"}),
        "220 of four lines": session(NOOP, replies={
            "GREETING": "220-one\r\n220-two\r\n220- three \r\n220 four"}),
        "220 in UTF-8": session(NOOP, replies={"GREETING": "220 gr\xfc\xdfe"}),
        "421": refused("421 4.3.2 busy !close"),
        "450": refused("450 later"),
        "554": refused("554 5.3.2 no"),
        "554 of two lines": refused("554-5.3.2 no\r\n554 5.3.2 really"),
        "554, then another try": Script(
            [CONNECT, CONNECT, SEND, QUIT],
            {"GREETING": ["554 no", "220 yes"]}),
        "closed": Script(closed, {"GREETING": CLOSE}),
        "closed in the middle": Script(closed, {
            "GREETING": "220-hi !close"}),
        "199": no_reply("199 x"),
        "250": no_reply("250 hi"),
        "of another protocol": nonsense("SSH-2.0-x"),
        "an empty line": nonsense(""),
        # smtplib: 18
        "too long a line": nonsense("220 " + "x" * 17000),
        "too long a line for smtplib": Script(
            closed, {"GREETING": "220 " + "x" * 9000}, {
                0: differs("line", cls=None, code=220, text="x" * 9000,
                           connected=True),
                1: differs("line", cls=None, code=250, text="ok",
                           connected=True)},
            wire=(Wire("line", [], ["NOOP"]),)),
        "as long a line as can be": session(NOOP, replies={
            "GREETING": "220 " + "x" * 8186}),
        # smtplib: 6
        "silent": Script(closed, {"GREETING": SILENT}, {
            0: differs("timeout", cls="ETIMEDOUT"),
            1: differs("the reason", cls="ETIMEDOUT")}, timeout=1),
        "LMTP": session(NOOP, lmtp=True),
        "LMTP over a Unix socket": session(SEND, lmtp=True, unix=True),
        # smtplib: 7
        "from another address": session(
            NOOP, source=("127.0.0.2", 0)),
        "nobody listens": Script(
            [("connect", {"host": "/nonexistent/socket"}), NOOP],
            lmtp=True, differs={
                0: differs("not connected", cls="SMTPConnectError"),
                1: differs("the reason", cls="SMTPConnectError")}),
        "port 70000": Script(
            [("connect", {"host": "127.0.0.1", "port": 70000}), NOOP],
            differs={0: differs("port", cls="refused EINVAL")}),
        # smtplib: 4
        "host:port": Script([("connect", "127.0.0.1:%d"), NOOP, QUIT]),
        "name:port": Script([("connect", "localhost:%d"), NOOP, QUIT]),
        "name:port, then another": Script([
            ("connect", "localhost:%d"), QUIT, ("connect", "127.0.0.1:%d"),
            EHLO, QUIT]),
        "nonnumeric port": Script([("connect", "localhost:smtp"), NOOP]),
        "no port behind the colon": Script([("connect", "localhost:"), NOOP]),
        "never": Script([NOOP, QUIT, ("mail", ME), ("docmd", "XYZ")]),
    }


def hellos():
    """EHLO, HELO, what they offer and who falls back to what.
    smtplib: 19, 20, 21, 23"""
    scripts = {
        f"EHLO {code}, then HELO": session(
            ("hello",), ("has_extn", "size"), SEND,
            replies={"EHLO": f"{code} no"})
        for code in (450, 451, 500, 501, 502, 504, 550, 554)}
    again = Wire("hello again", ["EHLO " + NAME, "HELO " + NAME],
                 ["EHLO " + NAME, "HELO " + NAME] * 2)
    scripts.update({
        "EHLO": session(("ehlo",), ("has_extn", "SIZE"), ("has_extn", "size"),
                        ("has_extn", "DSN"), ("hello",), SEND),
        # smtplib: 5
        "EHLO by another name": session(
            ("ehlo", "other.example.org"), ("hello",), SEND),
        "EHLO by an address": session(("hello",), SEND, name="[192.0.2.1]"),
        "EHLO of one line": session(("ehlo",), SEND,
                                    replies={"EHLO": "250 SIZE 1000"}),
        "EHLO in lower case": session(
            ("ehlo",), ("has_extn", "Size"), SEND,
            replies={"EHLO": "250-x\r\n250-size 1000 \r\n250 8bitmime"}),
        # smtplib: 22
        "EHLO with old AUTH": session(
            ("ehlo",), ("has_extn", "auth"),
            replies={"EHLO": "250-x\r\n250 AUTH=LOGIN PLAIN"}),
        "EHLO with both AUTH": session(
            ("ehlo",), ("has_extn", "AUTH"),
            replies={"EHLO": "250-x\r\n250-AUTH=LOGIN PLAIN\r\n"
                             "250-SIZE\r\n250 AUTH CRAM-MD5 XOAUTH2"}),
        "EHLO with AUTH twice": session(
            ("ehlo",),
            replies={"EHLO": "250-x\r\n250-AUTH=LOGIN PLAIN\r\n"
                             "250 AUTH PLAIN LOGIN"},
            differs={1: differs("AUTH", extensions={"auth": "LOGIN PLAIN"})}),
        "EHLO with a keyword twice": session(
            ("ehlo",), replies={"EHLO": "250-x\r\n250-X-A 1\r\n250 X-A 2"}),
        "EHLO with unknown keywords": session(
            ("ehlo",), ("has_extn", "x-foo"), ("has_extn", "X-FOO"), replies={
                "EHLO": "250-x\r\n250-X-Foo  bar  baz\r\n250-\r\n250 Z"}),
        "EHLO with malformed keywords": session(
            ("ehlo",), replies={
                "EHLO": "250-x\r\n250-X_Y z\r\n250- SIZE\r\n250 -A"},
            differs={1: differs("keywords", extensions={})}),
        "EHLO with SIZE 0": session(SEND, extensions=("SIZE 0",)),
        "EHLO with SIZE alone": session(SEND, extensions=("SIZE",)),
        "EHLO with SIZE abc": session(SEND, extensions=("SIZE abc",)),
        "EHLO with a SIZE beyond all": session(
            SEND, extensions=("SIZE 99999999999999999999",)),
        "EHLO with 300 keywords": session(
            ("ehlo",), extensions=tuple(f"X-{n} a b" for n in range(300))),
        "EHLO refused": session(
            ("ehlo",), replies={"EHLO": "550-no\r\n550 no"}),
        "EHLO refused, then HELO": session(
            ("ehlo",), ("helo",), SEND, replies={"EHLO": "502 no"}),
        "EHLO refused, then a message": session(
            ("ehlo",), SEND, replies={"EHLO": "502 no"},
            differs={2: differs("hello again", helo="ok")},
            wire=(Wire("hello again", ["EHLO " + NAME],
                       ["EHLO " + NAME] * 2 + ["HELO " + NAME]),)),
        "EHLO 421": Script(
            [CONNECT, ("ehlo",), NOOP], {"EHLO": "421 4.3.2 bye !close"},
            {1: differs("421", connected=False)}),
        "EHLO 421 in a message": Script(
            [CONNECT, SEND, NOOP], {"EHLO": "421 4.3.2 bye !close"},
            {1: differs("421", cls="SMTPHeloError", code=421,
                        text="4.3.2 bye")}),
        "EHLO closed": Script([CONNECT, ("ehlo",), NOOP], {"EHLO": CLOSE}),
        "EHLO closed in a message": Script(
            [CONNECT, SEND, NOOP], {"EHLO": CLOSE}),
        "EHLO closed in the middle": Script(
            [CONNECT, ("ehlo",), NOOP],
            {"EHLO": "250-x\r\n250-SIZE !close"}),
        "EHLO 220": Script(
            [CONNECT, ("ehlo",)], {"EHLO": "220 x"},
            {1: differs("protocol", cls="EPROTOCOL", connected=False)}),
        "EHLO of two codes": Script(
            [CONNECT, ("ehlo",)], {"EHLO": "250-x\r\n550 no"},
            {1: unsaid("protocol", "EPROTOCOL", connected=False)}),
        "EHLO answered with nonsense": Script(
            [CONNECT, ("ehlo",)], {"EHLO": "hello!"},
            {1: unsaid("protocol", "EPROTOCOL", connected=False)}),
        "EHLO answered with an empty line": Script(
            [CONNECT, ("ehlo",)], {"EHLO": ""},
            {1: differs("protocol", cls="EPROTOCOL")}),
        "EHLO twice": session(
            ("ehlo",), ("has_extn", "size"), ("ehlo",), ("has_extn", "size"),
            ("has_extn", "dsn"), replies={
                "EHLO": ["250-x\r\n250 SIZE 9", "250-x\r\n250 DSN"]}),
        "EHLO again refused": session(
            ("ehlo",), ("ehlo",), ("has_extn", "size"), NOOP,
            replies={"EHLO": ["250-x\r\n250 SIZE 9", "503 again?"]},
            differs={number: differs("does_esmtp", esmtp=False)
                     for number in (2, 3, 4)}),
        "HELO": session(("helo",), ("has_extn", "size"), SEND, NOOP),
        "HELO by another name": session(("helo", "other.example.org"), SEND),
        "HELO refused": session(("helo",), NOOP, replies={"HELO": "501 no"}),
        "HELO 421": Script(
            [CONNECT, ("helo",), NOOP], {"HELO": "421 bye !close"},
            {1: differs("421", connected=False)}),
        "HELO closed": Script([CONNECT, ("helo",), NOOP], {"HELO": CLOSE}),
        "HELO after EHLO": session(
            ("ehlo",), ("helo",), ("has_extn", "size"),
            differs={2: differs("HELO", esmtp=False, extensions={}),
                     3: differs("HELO", esmtp=False, extensions={},
                                has=False)}),
        "EHLO and HELO refused": session(
            ("hello",), NOOP,
            replies={"EHLO": "502 no", "HELO": "550 5.7.1 no"}),
        "EHLO and HELO refused, twice": session(
            ("hello",), ("hello",),
            replies={"EHLO": "502 no", "HELO": "550 no"},
            differs={2: differs("hello again", cls="SMTPHeloError", code=550,
                                text="no")}, wire=(again,)),
        "EHLO and HELO refused with a message": session(
            SEND, SEND, NOOP, replies={"EHLO": "502 no", "HELO": "450 later"},
            differs={2: differs("hello again", cls="SMTPHeloError", code=450,
                                text="later")},
            wire=(Wire("hello again", MESSAGE, [
                "EHLO " + NAME, "HELO " + NAME]),)),
        "HELO 421 with a message": Script(
            [CONNECT, SEND, NOOP],
            {"EHLO": "502 no", "HELO": "421 bye !close"},
            {1: differs("421", connected=False)}),
        "HELO closed with a message": Script(
            [CONNECT, SEND, NOOP], {"EHLO": "502 no", "HELO": CLOSE}),
        # smtplib: 25, 26
        "options for HELO": session(
            ("helo",), ("mail", ME, ["BODY=8BITMIME"]),
            ("rcpt", YOU, ["NOTIFY=NEVER"])),
        "LHLO": session(("ehlo",), ("has_extn", "size"), SEND, lmtp=True),
        "LHLO refused": session(("ehlo",), NOOP, lmtp=True,
                                replies={"LHLO": "500 no"}),
        "LHLO refused with a message": session(
            SEND, lmtp=True, replies={"LHLO": "500 no", "HELO": "500 no"},
            differs={1: differs("LMTP", helo=None)},
            wire=(Wire("LMTP", ["HELO " + NAME], []),)),
        "LMTP and HELO": session(
            ("helo",), lmtp=True,
            differs={1: unsaid("LMTP", "refused EINVAL", helo=None)},
            wire=(Wire("LMTP", ["HELO " + NAME], []),)),
    })
    return scripts


def messages():
    """sendmail, whole and refused wherever that can be."""
    def again(rcpt):
        """A further transaction."""
        return [MESSAGE[0] + " SIZE=36", f"RCPT TO:<{rcpt}>", *MESSAGE[2:]]

    scripts = {
        "one recipient": session(SEND, NOOP),
        "three recipients": session(SEND3),
        "two messages": session(SEND, ("sendmail", YOU, [ME], "two\r\n"), NOOP),
        "without extensions": session(SEND, extensions=()),
        "null sender": session(("sendmail", "<>", [YOU], TEXT)),
        "empty sender": session(("sendmail", "", [YOU], TEXT)),
        # smtplib: 35
        "a recipient as a string": session(("sendmail", ME, YOU, TEXT)),
        "two recipients as a string": session(
            EHLO, ("sendmail", ME, f"{ME}, {YOU}", TEXT), NOOP,
            differs={2: differs("one address", cls="refused EINVAL",
                                refused=None)},
            wire=(Wire("one address", ["MAIL FROM:...", "RCPT TO:...",
                                       *MESSAGE[2:]], []),)),
        "options": session(
            ("sendmail", ME, TO3, TEXT, ["BODY=8BITMIME", "RET=HDRS"],
             ["NOTIFY=NEVER"])),
        "options after HELO": session(
            ("sendmail", ME, TO3, TEXT, ["RET=HDRS"], ["NOTIFY=NEVER"]),
            replies={"EHLO": "502 no"}),
        # smtplib: 37
        "forwarded": session(SEND3, replies={
            "RCPT": ["250 ok", "251 will forward", "250 ok"]}),
        "252": session(SEND3, replies={
            "RCPT": ["250 ok", "252 will try", "250 ok"]}, differs={
                1: differs("252", refused={})}),
        # smtplib: 40
        "one of three refused": session(SEND3, NOOP, replies={
            "RCPT": ["250 ok", "550 5.1.1 no", "250 ok"]}),
        "two of three refused": session(SEND3, NOOP, replies={
            "RCPT": ["450-4.2.0 not\r\n450 4.2.0 now", "250 ok",
                     "552 5.2.2 full"]}),
        "one of three refused, and the text": session(
            SEND3, NOOP, replies={"RCPT": ["250 ok", "550 no", "250 ok"],
                                  "DOT": "554 no"}),
        # smtplib: 38
        "all refused": session(SEND3, NOOP, replies={"RCPT": "550 no"}),
        "all refused, each otherwise": session(SEND3, SEND, replies={
            "RCPT": ["550 a", "450 b", "553 c", "250 ok"]}),
        "all refused, RSET refused": Script(
            [CONNECT, SEND3, ("idle",), NOOP],
            {"RCPT": "550 no", "RSET": "502 no"},
            {2: differs("RSET's reply", connected=False),
             3: unsaid("RSET's reply", "SMTPServerDisconnected",
                       connected=False)},
            wire=(Wire("RSET's reply", ["NOOP"], []),)),
        # smtplib: 38
        "nobody": session(
            ("sendmail", ME, [], TEXT), SEND,
            differs={1: differs("nobody", cls="refused EINVAL", refused=None,
                                **NEW)},
            wire=(Wire("nobody", ["MAIL FROM:<me@example.org> SIZE=36", "RSET"],
                       []),)),
        "a recipient twice": session(
            ("sendmail", ME, [YOU, YOU], TEXT),
            replies={"RCPT": ["250 ok", "450 enough"]},
            differs={1: differs("twice", recipients=[
                [YOU, "accepted", 250, "queued"],
                [YOU, "deferred", 450, "enough"]])}),
        "too many recipients": session(
            SEND3, NOOP, replies={
                "RCPT": ["250 ok", "452 enough", "452 enough", "250 ok"]},
            differs={1: differs("too many", refused={}, recipients=[
                [rcpt, "accepted", 250, "queued"] for rcpt in TO3])},
            wire=(Wire("too many", ["NOOP"], [
                *again("b@example.net"), *again("c@example.net"), "NOOP"]),)),
        "a recipient twice, refused twice": session(
            ("sendmail", ME, [YOU, YOU], TEXT), NOOP,
            replies={"RCPT": "550 no", "DATA": "503 no recipients"},
            differs={1: differs("twice", cls="SMTPRecipientsRefused", code=550,
                                text="no")},
            wire=(Wire("twice", ["DATA"], ["RSET"]),)),
        "over the limit of SIZE": session(
            SEND, NOOP, replies={"MAIL": "552 5.3.4 too much"},
            extensions=("SIZE 10",),
            differs={1: unsaid("SIZE", "SMTPNotSupportedError")},
            wire=(Wire("SIZE", ["MAIL FROM:<me@example.org> SIZE=36", "RSET"],
                       []),)),
    }
    # A refusal, for now and for good, at each place; then the session goes on.
    # smtplib: 36, 37, 39
    for code in ("450 4.3.0 later", "554-5.0.0 no\r\n554 5.0.0 never"):
        for verb, send in (("MAIL", SEND), ("RCPT", SEND), ("DATA", SEND3),
                           ("DOT", SEND3)):
            scripts[f"{code[:3]} to {verb}"] = session(
                send, NOOP, SEND, replies={verb: [code, "354 go" if verb ==
                                                  "DATA" else "250 ok"]},
                wire=(Wire("RSET", ["DATA", "NOOP"],
                           ["DATA", "RSET", "NOOP"]),) if verb == "DATA"
                else ())
        scripts[f"{code[:3]} to RSET"] = Script(
            [CONNECT, SEND, ("idle",), NOOP], {"MAIL": "550 no", "RSET": code},
            {2: differs("RSET's reply", connected=False),
             3: unsaid("RSET's reply", "SMTPServerDisconnected",
                       connected=False)},
            wire=(Wire("RSET's reply", ["NOOP"], []),))
    # 421 and a loss at each place. smtplib: 36, 37, 39
    for what, word in (("421 4.3.2 bye !close", "421"), (CLOSE, "closed")):
        for number, verb in enumerate(("first", "second", "third")):
            scripts[f"{word} at the {verb} RCPT"] = Script(
                [CONNECT, SEND3, NOOP],
                {"RCPT": ["250 ok"] * number + [what]})
        scripts[f"{word} after a refused RCPT"] = Script(
            [CONNECT, SEND3, NOOP], {"RCPT": ["550 no", what]})
        for verb in ("MAIL", "DATA"):
            scripts[f"{word} at {verb}"] = Script(
                [CONNECT, SEND, NOOP], {verb: what})
    scripts["421 at DATA"].differs[1] = differs("421", connected=False)
    scripts["421 at the end"] = Script(
        [CONNECT, SEND, NOOP], {"DOT": "421 4.3.2 bye !close"})
    scripts["closed at the end"] = Script(
        [CONNECT, SEND, NOOP], {"DOT": CLOSE},
        {1: differs("unknown", cls="EUNKNOWN")})
    scripts["closed in the middle of the last reply"] = Script(
        [CONNECT, SEND, NOOP], {"DOT": "250-ok !close"},
        {1: differs("unknown", cls="EUNKNOWN")})
    # What is no reply to the command, or none at all.
    for verb, code in (("MAIL", "354"), ("RCPT", "220"), ("DATA", "250"),
                       ("DOT", "354")):
        for what in (f"{code} what?", "hello!"):
            script = Script([CONNECT, SEND], {verb: what}, wire=(
                () if verb == "DATA" else
                (Wire("protocol", ["RSET"], []),)))
            script.differs[1] = differs(
                "protocol", cls="EUNKNOWN" if verb == "DOT" else "EPROTOCOL",
                connected=False)
            if verb == "RCPT":
                script.differs[1].fields["refused"] = {}
            elif what == "hello!":
                script.differs[1].fields.update(code=None, text=None)
            scripts[f"{what} to {verb}"] = script
    for what, word in (("421 bye !close", "421"), (CLOSE, "closed")):
        scripts[f"{word} at RSET"] = Script(
            [CONNECT, SEND, ("idle",), NOOP], {"MAIL": "550 no", "RSET": what})
    scripts["421 at RSET"].differs[2] = differs("421", connected=False)
    scripts["closed at RSET"].differs[1] = differs("RSET's reply",
                                                   connected=True)
    return scripts


def headers():
    """send_message, in one session with other calls; see test_send_message.py
    for messages one by one. smtplib: 41, 42"""
    text = ("From: me@example.org\nTo: you@example.net\nBcc: b@example.net\n"
            "\nx\n")
    send = ("send_message", None, None, text)
    # Python's default policy knows no addresses in UTF-8.
    utf8 = ("send_message", None, None,
            "From: me@example.org\nTo: j\xc3\xbcrgen@example.net\n\nx\n", [],
            [], "SMTP")
    options = ("send_message", None, None, text, ["RET=HDRS"], ["NOTIFY=NEVER"])

    def unnamed(**more):
        """Who is from nobody, or for nobody."""
        return differs("header", cls="EMESSAGE", **more)

    return {
        "then others": session(send, SEND, send, EHLO, send, NOOP),
        "options": session(options),
        "options after HELO": session(options, replies={"EHLO": "502 no"}),
        "UTF-8 after HELO": session(utf8, NOOP, replies={"EHLO": "502 no"}),
        "UTF-8 and then none": session(
            utf8, send, utf8, extensions=("SMTPUTF8", "8BITMIME"),
            wire=tuple(Wire("order", [
                "MAIL FROM:<me@example.org> SMTPUTF8 BODY=8BITMIME"], [
                    "MAIL FROM:<me@example.org> BODY=8BITMIME SMTPUTF8"])
                for _ in range(2))),
        "UTF-8 without 8BITMIME": session(
            utf8, extensions=("SMTPUTF8",), wire=(Wire("8BITMIME", [
                "MAIL FROM:<me@example.org> SMTPUTF8 BODY=8BITMIME"], [
                    "MAIL FROM:<me@example.org> SMTPUTF8"]),)),
        "over the limit of SIZE": session(
            send, NOOP, replies={"MAIL": "552 5.3.4 too much"},
            extensions=("SIZE 10",),
            differs={1: unsaid("SIZE", "SMTPNotSupportedError")},
            wire=(Wire("SIZE", ["MAIL FROM:<me@example.org> SIZE=48", "RSET"],
                       []),)),
        "Resent-Date twice": session(
            EHLO, ("send_message", None, None,
                   "Resent-Date: x\nResent-Date: y\n" + text), SEND, NOOP,
            differs={2: unnamed()}),
        "nobody": session(
            EHLO, ("send_message", None, None, "From: me@example.org\n\nx\n"),
            SEND, differs={2: unnamed(refused=None)},
            wire=(Wire("header", ["MAIL FROM:<me@example.org> SIZE=27", "RSET"],
                       []),)),
        "within a transaction": session(
            EHLO, MAIL, send, NOOP,
            replies={"MAIL": ["250 ok", "503 nested"]},
            differs={3: unsaid("sequence", "EPERM", sender=None)},
            wire=(Wire("sequence", ["MAIL FROM:<me@example.org> SIZE=48",
                                    "RSET"], []),)),
        "421 to the last recipient": Script(
            [CONNECT, send, NOOP], {"RCPT": ["250 ok", "421 bye !close"]}),
        "a text refused": session(send, NOOP, send, replies={
            "DOT": ["554 5.6.0 no", "250 ok"]}),
        "never connected": Script([send]),
    }


def transactions():
    """mail, rcpt and data by hand. smtplib: 25, 26, 27"""
    scripts = {
        "accepted": session(EHLO, MAIL, RCPT, DATA, NOOP),
        "twice": session(EHLO, MAIL, RCPT, DATA, MAIL, RCPT, DATA),
        "after HELO": session(("helo",), MAIL, RCPT, DATA),
        "with options": session(
            EHLO, ("mail", ME, ["BODY=8BITMIME", "SIZE=99"]),
            ("rcpt", YOU, ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;x+40y"]),
            DATA),
        "without EHLO": session(
            MAIL, RCPT, DATA,
            differs={number: differs(
                "hello by itself", esmtp=True, extensions=OFFERED,
                ehlo="\n".join(["recorder", *EXTENSIONS]))
                     for number in (1, 2, 3)},
            wire=(Wire("hello by itself", ["MAIL FROM:<me@example.org>"],
                       ["EHLO " + NAME, "MAIL FROM:<me@example.org>"]),)),
        "in UTF-8": session(
            EHLO, ("mail", "m\xe9@example.org", ["SMTPUTF8", "BODY=8BITMIME"]),
            ("rcpt", "y\xe9@example.net"), DATA, ("rset",), MAIL,
            extensions=("SIZE", "8BITMIME", "SMTPUTF8")),
        "recipient forwarded": session(EHLO, MAIL, RCPT, DATA, replies={
            "RCPT": "251 will forward"}),
        "recipient perhaps": session(
            EHLO, MAIL, RCPT, DATA, replies={"RCPT": "252 will try"},
            differs={3: differs("252", cls=None)}),
        "sender refused, then another": session(
            EHLO, MAIL, ("mail", YOU), RCPT, DATA,
            replies={"MAIL": ["550 5.1.8 no", "250 ok"]}),
        "recipient refused, then another": session(
            EHLO, MAIL, RCPT, ("rcpt", ME), DATA,
            replies={"RCPT": ["450 4.2.1 no", "250 ok"]}),
        "DATA refused": session(EHLO, MAIL, RCPT, DATA, NOOP, ("rset",),
                                replies={"DATA": "451 no"}),
        "DATA refused for good": session(EHLO, MAIL, RCPT, DATA, NOOP,
                                         replies={"DATA": "503 no"}),
        "text refused": session(EHLO, MAIL, RCPT, DATA, NOOP,
                                replies={"DOT": "554 5.6.0 no"}),
        "text refused for now": session(EHLO, MAIL, RCPT, DATA, NOOP,
                                        replies={"DOT": "452 4.3.1 no"}),
        "reset": session(EHLO, MAIL, RCPT, ("rset",), MAIL, RCPT, DATA),
        "rset refused": Script(
            [CONNECT, EHLO, MAIL, ("rset",)], {"RSET": "500 no"},
            {3: differs("RSET's reply", connected=False)}),
        "rcpt without mail": session(
            EHLO, RCPT, NOOP, replies={"RCPT": "503 MAIL first"},
            differs={2: unsaid("sequence", "EPERM")},
            wire=(Wire("sequence", ["RCPT TO:<you@example.net>"], []),)),
        "data without mail": session(
            EHLO, DATA, NOOP, replies={"DATA": "503 MAIL first"},
            differs={2: unsaid("sequence", "EPERM")},
            wire=(Wire("sequence", ["DATA"], []),)),
        "data without rcpt": session(
            EHLO, MAIL, DATA, NOOP, replies={"DATA": "503 RCPT first"}),
        "mail within a transaction": session(
            EHLO, MAIL, ("mail", YOU), NOOP,
            replies={"MAIL": ["250 ok", "503 nested"]},
            differs={3: unsaid("sequence", "EPERM")},
            wire=(Wire("sequence", ["MAIL FROM:<you@example.net>"], []),)),
        "a message within a transaction": session(
            EHLO, MAIL, SEND, NOOP,
            replies={"MAIL": ["250 ok", "503 nested"]},
            differs={3: unsaid("sequence", "EPERM")},
            wire=(Wire("sequence", ["MAIL FROM:<me@example.org> SIZE=36",
                                    "RSET"], []),)),
    }
    # 421 and a loss.
    for number, verb in enumerate(("MAIL", "RCPT", "DATA", "DOT")):
        calls = [CONNECT, EHLO, MAIL, RCPT, DATA][:min(3 + number, 5)]
        at = len(calls) - 1
        scripts[f"421 to {verb}"] = Script(
            calls + [NOOP], {verb: "421 4.3.2 bye !close"},
            {at: differs("421", connected=False)})
        scripts[f"closed at {verb}"] = Script(calls + [NOOP], {verb: CLOSE})
    scripts["closed at DOT"].differs[4] = differs("unknown", cls="EUNKNOWN")
    return scripts


def commands():
    """The commands that carry no message. smtplib: 24"""
    scripts = {}
    calls = {
        "RSET": ("rset",), "NOOP": NOOP, "VRFY": ("verify", "you"),
        "EXPN": ("expn", "staff"), "HELP": ("help",),
        "XYZ": ("docmd", "XYZ a b")}
    for verb, call in calls.items():
        for reply in ("250 2.0.0 ok", "252-one\r\n252 two", "450 4.0.0 later",
                      "502 5.5.1 what?"):
            script = session(call, NOOP, replies={verb: reply})
            if verb == "NOOP":
                script.calls.remove(NOOP)
            if verb == "RSET" and reply[0] in "45":
                script.calls[2:] = []
                script.differs[1] = differs("RSET's reply", connected=False)
            scripts[f"{verb} {reply[:3]}"] = script
        scripts[f"{verb} 421"] = Script(
            [CONNECT, call, NOOP], {verb: "421 4.3.2 bye !close"},
            {1: differs("421", connected=False)})
        if verb in ("VRFY", "EXPN", "HELP", "XYZ"):
            scripts[f"{verb} 421"].differs[1] = differs(
                "421", cls="SMTPResponseException", connected=False)
        scripts[f"{verb} closed"] = Script([CONNECT, call, NOOP],
                                           {verb: CLOSE})
    scripts.update({
        "HELP 214": session(("help", "MAIL"), replies={
            "HELP": "214-MAIL FROM:<path>\r\n214 and so on"}),
        "HELP on brackets": session(("help", "<x>"), ("help", "a <x>")),
        "VRFY of an address": session(("verify", YOU),
                                      ("verify", f"<{YOU}>")),
        "EXPN of an address": session(("expn", YOU), ("expn", f"<{YOU}>")),
        "VRFY of a name and an address": session(
            ("verify", f"You <{YOU}>"), ("expn", f"You <{YOU}>")),
        # smtplib: 16
        "docmd of one word": session(("docmd", "XYZ")),
        "docmd in lower case": session(("docmd", "xyz abc")),
        "docmd of a verb with a call of its own": session(
            ("docmd", "RSET"), NOOP,
            differs={1: unsaid("own verbs", "refused EINVAL")},
            wire=(Wire("own verbs", ["RSET"], []),)),
        "354 to docmd": Script(
            [CONNECT, ("docmd", "XYZ")], {"XYZ": "354 go"},
            {1: differs("protocol", cls="EPROTOCOL", connected=False)}),
        "nonsense to docmd": Script(
            [CONNECT, ("docmd", "XYZ")], {"XYZ": "hello!"},
            {1: unsaid("protocol", "EPROTOCOL", connected=False)}),
        "a reply in UTF-8": session(NOOP, replies={"NOOP": "250 gr\xfc\xdfe"}),
        "a reply in other octets": session(
            NOOP, replies={"NOOP": b"250-\xff\x80\r\n250 \xa0x\r\n"}),
        "a reply of blanks": session(
            NOOP, replies={"NOOP": b"250-  a  \r\n250-\r\n250 \t b \r\n"}),
        "a reply with LF alone": session(
            NOOP, replies={"NOOP": b"250-a\n250 b\n"}),
        "a reply of 300 lines": session(NOOP, replies={
            "NOOP": "\r\n".join(["250-" + "x" * 100] * 299 + ["250 end"])}),
        "a reply of too long a line": Script(
            [CONNECT, NOOP, NOOP], {"NOOP": "250 " + "x" * 17000},
            {1: unsaid("protocol", "EPROTOCOL")}),
        "no reply": Script(
            [CONNECT, NOOP, NOOP], {"NOOP": SILENT},
            {1: differs("timeout", cls="ETIMEDOUT")}, timeout=1),
    })
    return scripts


def texts():
    """The text of a message, as text: smtplib sends octets as they are.
    smtplib: 27, 29"""
    def text(words, **more):
        return session(("sendmail", ME, [YOU], words), **more)

    long = "x" * 990 + "\r\n." + "y" * 989 + "\r\n"
    return {
        "dots": text(".\r\n..\r\n...\r\n.a\r\nb.\r\n \r\n. \r\n.\r\n"),
        "only dots": text(".\r\n" * 200),
        "bare LF": text("one\n.\n\ntwo\n.three\n"),
        "bare CR": text("one\rtwo\r\r.\r.three\r\n.\r"),
        "mixed line ends": text("one\n\r\ntwo\r\r\nthree\n\rfour\r\n\n.\r"),
        "smuggling": text("a\n.\nMAIL FROM:<x@y>\r.\rb\n.\r\nc\r.\n\r\r.\r\r"),
        "blank lines": text("\r\n\r\n\r\n"),
        "long lines": text(long * 20),
        "a megabyte": text(long * 520),
        "controls": text("a\x01\x1b\t\x7f\x00b\r\n"),
        "no final line end": text(
            "one\r\ntwo", wire=(Wire(
                "final line end", ["MAIL FROM:<me@example.org> SIZE=8"],
                ["MAIL FROM:<me@example.org> SIZE=10"]),)),
        "a dot without a line end": text(
            "one\r\n.", wire=(Wire(
                "final line end", ["MAIL FROM:<me@example.org> SIZE=6"],
                ["MAIL FROM:<me@example.org> SIZE=8"]),)),
        "eight bits": text(
            "gr\xfc\xdfe\r\n\u65e5\u672c\r\n", wire=(Wire(
                "8BITMIME", ["MAIL FROM:<me@example.org> SIZE=17"],
                ["MAIL FROM:<me@example.org> SIZE=17 BODY=8BITMIME"]),)),
        "eight bits, asked for": session(
            ("sendmail", ME, [YOU], "gr\xfc\xdfe\r\n", ["BODY=8BITMIME"])),
        "empty": text("", wire=(Wire(
            "empty", [b"\r\n.\r\n"], [b".\r\n"]),)),
        "empty, by hand": session(
            EHLO, MAIL, RCPT, ("data", ""),
            wire=(Wire("empty", [b"\r\n.\r\n"], [b".\r\n"]),)),
        "no final line end, by hand": session(
            EHLO, MAIL, RCPT, ("data", "one\ntwo")),
    }


def addresses():
    """How addresses are written. The refusals are for the map of them.
    smtplib: 28"""
    def both(address, **more):
        return session(("sendmail", address, [YOU, address], TEXT), NOOP,
                       replies={"RCPT": ["250 ok", "550 no"]}, **more)

    def refused_here(address, why="one address"):
        """Checked before anything is sent, and nothing is."""
        return session(
            EHLO, ("mail", address), ("rcpt", address), NOOP,
            differs={2: unsaid(why, "refused EINVAL"),
                     3: unsaid(why, "refused EINVAL")},
            wire=(Wire(why, ["MAIL FROM:...", "RCPT TO:..."], []),))

    scripts = {
        "in brackets": both(f"<{ME}>"),
        "with a name": both(f"Me <{ME}>"),
        "with a quoted name": both(f'"Me, and <you>" <{ME}>'),
        "with a name in brackets": both(f"Me (myself) <{ME}>"),
        "quoted": both('"o\'b r"@example.org'),
        "quoted, with quotes": both('"a\\"b"@example.org'),
        "a literal": both("me@[192.0.2.1]"),
        "an IPv6 literal": both("me@[IPv6:2001:db8::1]"),
        "without a domain": both("postmaster"),
        "with a plus": both("me+tag@example.org"),
        "of odd characters": both("!#$%&'*+-/=?^_`{|}~@example.org"),
        "long": both("m" * 64 + "@" + "d" * 60 + "." + "e" * 60 + ".example"),
        "in UTF-8, not offered": session(
            ("sendmail", "m\xe9@example.org", [YOU], TEXT), NOOP,
            differs={1: differs("UTF-8", cls="SMTPNotSupportedError")}),
        "in UTF-8, offered": session(
            ("sendmail", "m\xe9@example.org", ["y\xe9@example.net"], TEXT,
             ["SMTPUTF8", "BODY=8BITMIME"]), NOOP,
            extensions=("SIZE", "8BITMIME", "SMTPUTF8")),
        "SMTPUTF8, not offered": session(
            ("sendmail", ME, [YOU], TEXT, ["SMTPUTF8"]), NOOP),
        # smtplib: 25
        "SMTPUTF8, not offered, by hand": session(
            EHLO, ("mail", ME, ["smtputf8"]), NOOP),
    }
    def add(address, script):
        scripts[f"{len(scripts)}, {address!r}"] = script

    for address in (
            f"{ME}, {YOU}", f"all: {ME}, {YOU};", f"Me <{ME}>, You <{YOU}>",
            f"<{ME}> x", "@a,@b:me@example.org", "me@example..org", "me@",
            "@example.org", "me you@example.org",
            "a,b@c.example", "a;b@c.example", "a:b@c.example",
            "<a@b.example><c@d.example>", "<a@b.example,c@d.example>",
            "a@b@c.example", "a@b..example", "<@b.example>", "<a@>",
            "all:;", "a@b.example;", "<@a:b@c.example>",
            "<@a,@b:c@d.example>", "Me <@a:b@c.example>", '"a"b@c.example',
            'a."b c".d@e.example', "(me", '"me@b.example', " ",
            "a\\b@c.example"):
        add(address, refused_here(address))
    for address in (
            "(me) a@b.example", "a@b.example (me)", "a(me)@b.example",
            "a@(b)b.example", "Me <a@b.example> (me)", " a@b.example ",
            "<a@b.example> ", "a @ b.example", "a\t@b.example", "<a@b.example",
            "a@b.example>", "\x7fa@b.example", "a\x01@b.example"):
        add(address, refused_here(address, "plainly"))
    for address in (
            "<a@b.example>", "=?utf-8?q?x?= <a@b.example>",
            '"a\\"b" <a@b.example>', "Me (me) <a@b.example>",
            '<"a b"@c.example>', '"a@b"@c.example', "a..b@c.example",
            ".a@b.example", "a@b.example.", "a@b_c.example", "a%b@c.example",
            "postmaster", "<postmaster>", "<a@[192.0.2.1]>"):
        add(address, session(EHLO, ("mail", address), ("rcpt", address), NOOP))
    return scripts


def arguments():
    """Line ends in arguments, and arguments that are too long. smtplib: 16"""
    scripts = {}
    single = {
        "ehlo": ("ehlo", "x\r\nNOOP"), "helo": ("helo", "x\nNOOP"),
        "mail": ("mail", '"a\nb"@x.example'),
        "mail option": ("mail", ME, ["BODY=8BITMIME\r\nNOOP"]),
        "rcpt option": ("rcpt", YOU, ["X=\rNOOP"]),
        "verify": ("verify", '"x\nNOOP"'), "expn": ("expn", '"x\nNOOP"'),
        "help": ("help", "x\r\nNOOP"), "docmd": ("docmd", "X\r\nNOOP")}
    for name, call in single.items():
        scripts[f"a line end in {name}"] = session(EHLO, call, NOOP)
    scripts["a line end in ehlo"].differs.update({
        number: differs("checked first", extensions=OFFERED)
        for number in (2, 3)})
    for name, call, begun in (
            ("the sender", ("sendmail", '"a\nb"@x', [YOU], TEXT), []),
            ("a mail option", ("sendmail", ME, [YOU], TEXT, ["X=\nY"]), []),
            ("the first recipient",
             ("sendmail", ME, ["\"a\nb\"@x", YOU], TEXT), [MESSAGE[0]]),
            ("the second recipient",
             ("sendmail", ME, [YOU, "\"a\nb\"@x"], TEXT), MESSAGE[:2]),
            ("a rcpt option", ("sendmail", ME, [YOU], TEXT, [], ["X=\r"]),
             [MESSAGE[0]])):
        scripts[f"a line end in {name} of a message"] = session(
            EHLO, call, NOOP, extensions=("8BITMIME",),
            wire=(Wire("checked first", begun, []),) if begun else ())
    scripts["too long an address"] = session(
        EHLO, ("mail", "m" * 600 + "@example.org"), NOOP,
        replies={"MAIL": "501 no"},
        differs={2: unsaid("length", "refused EINVAL")},
        wire=(Wire("length", ["MAIL FROM:..."], []),))
    scripts["too long a command"] = session(
        EHLO, ("docmd", "X " + "y" * 6000), NOOP, replies={"X": "501 no"},
        differs={2: unsaid("length", "refused EINVAL")},
        wire=(Wire("length", ["X y..."], []),))
    scripts["as long a command as can be"] = session(
        EHLO, ("docmd", "X " + "y" * 508), NOOP)
    return scripts


def ends():
    """QUIT, losses, and what comes after. smtplib: 43"""
    again = [CONNECT, EHLO, ("has_extn", "dsn"), SEND, QUIT]
    features = {"EHLO": ["250-x\r\n250 DSN", "250-x\r\n250 SIZE"]}
    scripts = {
        "QUIT 221": session(),
        "QUIT 421": session(replies={"QUIT": "421 bye"}),
        "QUIT 500": session(replies={"QUIT": "500 what?"}),
        "QUIT 250": session(replies={"QUIT": "250 ok"}),
        "QUIT closed": session(replies={"QUIT": CLOSE}, differs={
            1: differs("QUIT", cls=None)}),
        "QUIT twice": session(QUIT, NOOP),
        "QUIT in a transaction": session(EHLO, MAIL, RCPT),
        "QUIT, then again": Script(
            [CONNECT, EHLO, ("has_extn", "dsn"), QUIT, ("has_extn", "dsn"),
             *again], features),
        "QUIT, then a message": Script([CONNECT, SEND, QUIT, CONNECT, SEND,
                                        QUIT]),
        # smtplib: 8
        "with": Script([CONNECT, SEND, ("end",), NOOP]),
        "with, 421": Script([CONNECT, ("end",)], {"QUIT": "421 bye"},
                            {1: unsaid("QUIT", None)}),
        "with, closed": Script([CONNECT, ("end",)], {"QUIT": CLOSE}),
        "with, closed before": Script(
            [CONNECT, ("server", None), ("idle",), ("end",)],
            differs={2: differs("lost", connected=False)}),
        "with, never connected": Script([("end",), NOOP]),
        "close": Script([CONNECT, EHLO, ("close",), NOOP]),
        "close in a transaction": Script([CONNECT, EHLO, MAIL, RCPT,
                                          ("close",)]),
        "close, then again": Script(
            [CONNECT, EHLO, ("close",), *again], features,
            {3: differs("new connection", **NEW)}),
        "close, then a message": Script(
            [CONNECT, SEND, ("close",), CONNECT, SEND, QUIT],
            differs={3: differs("new connection", **NEW)},
            wire=(Wire("new connection", ["MAIL FROM:..."],
                       ["EHLO " + NAME,
                        "MAIL FROM:<me@example.org> SIZE=36"], session=1),)),
        "421 at idle": Script(
            [CONNECT, EHLO, ("server", "421 4.4.2 idle"), ("idle",), NOOP],
            differs={3: differs("lost", connected=False),
                     4: unsaid("lost", "SMTPServerDisconnected",
                       connected=False)}),
        "closed at idle": Script(
            [CONNECT, EHLO, ("server", None), ("idle",), NOOP, SEND],
            differs={3: differs("lost", connected=False)}),
        "closed at idle, then again": Script(
            [CONNECT, EHLO, ("server", None), ("idle",), NOOP, *again],
            features, {3: differs("lost", connected=False),
                       5: differs("new connection", **NEW)}),
        "421 at idle, then a message": Script(
            [CONNECT, SEND, ("server", "421 4.4.2 idle"), ("idle",), NOOP,
             ("close",), CONNECT, SEND, QUIT],
            differs={6: differs("new connection", **NEW),
                     3: differs("lost", connected=False),
                     4: unsaid("lost", "SMTPServerDisconnected",
                       connected=False)},
            wire=(Wire("new connection", ["MAIL FROM:..."],
                       ["EHLO " + NAME,
                        "MAIL FROM:<me@example.org> SIZE=36"], session=1),)),
        "closed in a transaction": Script(
            [CONNECT, EHLO, MAIL, ("server", None), ("idle",), RCPT, DATA],
            differs={4: differs("lost", connected=False)}),
        "another reply at idle": Script(
            [CONNECT, EHLO, ("server", "250 what?", False), ("idle",), NOOP],
            differs={3: differs("protocol", connected=False),
                     4: unsaid("protocol", "SMTPServerDisconnected",
                       connected=False)},
            wire=(Wire("protocol", ["NOOP"], []),)),
    }
    return scripts


def lmtp():
    """LMTP, with one recipient and with several. smtplib: 11, 12"""
    scripts = {
        "a message": session(SEND, NOOP),
        "two messages": session(SEND, SEND),
        "a message by its header": session(
            ("send_message", None, None,
             "From: me@example.org\nBcc: you@example.net\n\nx\n"), NOOP),
        "by hand": session(EHLO, MAIL, RCPT, DATA, NOOP),
        "over a Unix socket": session(SEND, SEND, NOOP, unix=True),
        "without extensions": session(SEND, extensions=()),
        "refused": session(SEND, NOOP, replies={"DOT": "552 5.2.2 full"}),
        "refused for now": session(SEND, NOOP, replies={"DOT": "450 later"}),
        "421": Script([CONNECT, SEND, NOOP], {"DOT": "421 bye !close"}),
        "closed": Script([CONNECT, SEND, NOOP], {"DOT": CLOSE},
                         {1: differs("unknown", cls="EUNKNOWN")}),
        "nobody taken": session(SEND3, NOOP, replies={"RCPT": "550 no"}),
        "one of three taken": session(SEND3, NOOP, replies={
            "RCPT": ["550 no", "250 ok", "450 later"]}),
        "sender refused": session(SEND3, NOOP, replies={"MAIL": "550 no"}),
        "DATA refused": session(
            SEND, NOOP, replies={"DATA": "451 no"},
            wire=(Wire("RSET", ["DATA", "NOOP"], ["DATA", "RSET", "NOOP"]),)),
        "LHLO 421": Script([CONNECT, EHLO, NOOP], {"LHLO": "421 bye !close"},
                           {1: differs("421", connected=False)}),
        "three recipients": session(
            SEND3, NOOP, replies={"DOT": ["250 one", "250 two", "250 three"]},
            differs={1: differs("LMTP verdicts", recipients=[
                         ["a@example.net", "accepted", 250, "one"],
                         ["b@example.net", "accepted", 250, "two"],
                         ["c@example.net", "accepted", 250, "three"]]),
                     2: differs("LMTP verdicts", text="ok"),
                     3: differs("LMTP verdicts", code=221, text="bye")}),
        "three recipients, the second refused": session(
            SEND3, NOOP, replies={"DOT": ["250 one", "552 full", "250 three"]},
            differs={1: differs("LMTP verdicts", recipients=[
                         ["a@example.net", "accepted", 250, "one"],
                         ["b@example.net", "rejected", 552, "full"],
                         ["c@example.net", "accepted", 250, "three"]]),
                     2: differs("LMTP verdicts", cls=None, code=250,
                                text="ok"),
                     3: differs("LMTP verdicts", code=221, text="bye")}),
        "three recipients, all refused": session(
            SEND3, NOOP, replies={"DOT": ["450 one", "451 two", "552 three"]},
            differs={1: differs("LMTP verdicts", code=552, text="three",
                                recipients=[
                         ["a@example.net", "deferred", 450, "one"],
                         ["b@example.net", "deferred", 451, "two"],
                         ["c@example.net", "rejected", 552, "three"]]),
                     2: differs("LMTP verdicts", cls=None, code=250,
                                text="ok"),
                     3: differs("LMTP verdicts", code=221, text="bye")}),
    }
    for script in scripts.values():
        script.lmtp = True
    return scripts


SCRIPTS = {f"{part.__name__}: {name}": script
           for part in (greetings, hellos, messages, headers, transactions,
                        commands, texts, addresses, arguments, ends, lmtp)
           for name, script in part().items()}
