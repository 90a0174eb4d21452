# SPDX-License-Identifier: MIT
"""Messages with each real server, by session.c: the envelope of a header, text
and addresses that are not ASCII, parameters, recipients that go into further
transactions. The tests of a server have a class that inherits from Tests and
says which server is meant."""
import email
import email.policy
import functools
import json
import math
import re

import by_auth
import by_tls
import client
from servers import BOOKS, BOOKS_ASCII, Login

# Bits of uvsmtp/params.h and uvsmtp/types.h.
NEVER, SUCCESS, FAILURE = 1, 2, 4
RET_FULL, RET_HDRS = 1, 2
REQUIRETLS, SMTPUTF8, PRIORITY, OPTIONAL = 1, 2, 4, 16
NO_PIPELINING, ALL_OR_NOTHING, REFUSE_8BIT = 1 << 9, 1 << 11, 1 << 12
OMITTED_DSN, OMITTED_DELIVERBY, OMITTED_PRIORITY = 1, 2, 4
BY_NOTIFY = 1

ASCII = "Subject: x\n\nplain\n.\n"
EIGHT = "Subject: x\n\nGrüße\n"

# What no server here offers, with what is left out where that may be.
NOWHERE = {
    "DELIVERBY": ({"by": BY_NOTIFY, "by_seconds": 60}, OMITTED_DELIVERBY),
    "MT-PRIORITY": ({"flags": PRIORITY, "priority": 3}, OMITTED_PRIORITY),
    "FUTURERELEASE": ({"hold_for": 60}, 0),
}


class Session(by_auth.Session):
    """A session that says as much in one go as the server allows."""
    PIPELINING = CHUNKING = True

    def sent(self, verb=""):
        """The commands that begin with verb, of those that were sent."""
        return [line[3:] for line in self.trace()
                if line.startswith("-> " + verb)]

    def offers(self, keyword):
        return keyword in self.got("hello")["extensions"]


def delivery_status(report):
    """The blocks of fields in a report (RFC 3464, RFC 6533): of the message,
    and of each recipient. Names of fields are in lower case."""
    part = re.search(r"(?mi)^Content-Type: message/(?:global-)?delivery-status"
                     r"\b.*\n(?:.+\n)*\n((?s:.*?))\n--", report.decode())
    return [{name.lower(): value for name, value in
             re.findall(r"(?m)^(\S+): (.*)$", block)}
            for block in part.group(1).strip("\n").split("\n\n")]


def each(function):
    """Calls a test for every port, by its name, that is like no other."""

    @functools.wraps(function)
    def test(self):
        for name in self.server.SAID_TO:
            with self.subTest(port=name), self.session(name) as s:
                function(self, s)

    return test


class Tests(client.Case):
    """What is said of a message, and what becomes of it."""
    server = None

    def box(self):
        """A mailbox that is empty, and its address."""
        box = self.server.user()
        return box, f"{box}@example.test"

    def boxes(self, n):
        """So many of them, and their addresses."""
        boxes, addresses = zip(*(self.box() for _ in range(n)))
        return boxes, list(addresses)

    def session(self, name):
        return Session(self.server, self.server.clear(name))

    def message(self, s, to, text=ASCII, **more):
        return s.ask("message", {"from": self.server.SENDER, "to": to,
                                 "text": text, **more})

    # ------------------------------------------------------------ what is seen

    def check_accepted(self, answer):
        self.assertEqual((answer["error"], answer["outcome"]),
                         ("OK", "accepted"), answer)
        for row in answer["recipients"]:
            self.assertEqual(row[2], "accepted", answer)

    def check_stored(self, box, text):
        """It is the only message in there."""
        raw, = self.server.stored(box)
        self.check_same(self.server.text_of(raw),
                        self.server.wanted(text.encode()))
        return raw

    def check_accepts(self, s, **more):
        """A message arrives as it was written."""
        box, address = self.box()
        text = more.get("text", ASCII)
        answer = self.message(s, [address], **more)
        self.check_accepted(answer)
        return self.check_stored(box, text), answer

    def check_refused(self, s, error, cause, *args, **more):
        """Refused here, before anything was said of it."""
        s.got("hello")
        before = s.sent()
        answer = self.message(s, *args, **more)
        self.assertEqual(
            (answer["error"], answer["cause"], answer["outcome"],
             answer["stage"], answer["reply"]),
            (error, cause, "rejected", "MAIL", None), answer)
        self.assertTrue(answer["detail"])
        self.assertEqual(s.sent(), before)
        return answer

    # ----------------------------------------------------------------- headers

    @each
    def test_header(self, s):
        """Everybody in the header gets it, and nobody is told of those in Bcc;
        what the caller says stands in its place."""
        boxes, (one, two, three, blind, hidden) = self.boxes(5)
        sender = self.server.SENDER
        shown = (f'From: "Zoe, of nowhere" (who?) <{sender}>\n'
                 f"To: {one} (nobody), Friends:\n\t=?UTF-8?Q?J=C3=BC?= <{two}>;"
                 "\n%s"
                 f"Cc:\n {three}\n%s"
                 "Subject: Bcc\n\nBcc: this is text\n.\n")
        text = shown % (f"bCC: Hidden\n\t<{blind}>\n", f"Bcc: {hidden}\n")
        shown %= "", ""
        answer = s.ask("message", {"by_header": True, "text": text})
        self.check_accepted(answer)
        self.assertEqual(answer["sender"], sender)
        self.assertEqual([row[0] for row in answer["recipients"]],
                         [one, two, blind, hidden, three])
        for box in boxes:
            raw = self.check_stored(box, shown)
            self.assertIn(sender.encode(), raw[:raw.index(b"From:")])

        box, address = self.box()
        answer = s.ask("message", {"by_header": True, "text": text,
                                   "from": "", "to": [address]})
        self.check_accepted(answer)
        raw = self.check_stored(box, shown)
        self.assertNotIn(sender.encode(), raw[:raw.index(b"From:")])

    @each
    def test_resent(self, s):
        """Who sends it on is who sends it."""
        box, address = self.box()
        text = (f"Resent-Date: Sat, 1 Jan 2028 00:00:00 +0000\n"
                f"Resent-From: {self.server.SENDER}\n%s"
                "From: a@example.org\nTo: nobody@example.org\n\nx\n")
        answer = s.ask("message", {
            "by_header": True, "text": text % f"Resent-Bcc: {address}\n"})
        self.check_accepted(answer)
        self.assertEqual(answer["sender"], self.server.SENDER)
        self.check_stored(box, text % "")

    def test_composed(self):
        """What the command line writes says what it was told, but not of who
        gets it unseen."""
        text = "Grüße,\n.\n" + "ö" * 600 + "\n"
        for name in self.server.SAID_TO:
            boxes, (to, cc, bcc) = self.boxes(3)
            code, out, err = client.run(client.argv(
                self.server.clear(name).url(), [f'"Jürgen, M." <{to}>'],
                ["--tls", "none", "--cc", cc, "--bcc", bcc, "--subject",
                 "Grüße\U0001f600", "--text", text],
                sender=f"Zoë <{self.server.SENDER}>"))
            self.assertEqual(code, 0, out + err)
            for box in boxes:
                raw, = self.server.stored(box)
                raw = client.normalised(self.server.text_of(raw))
                self.assertTrue(raw.isascii())
                self.assertNotIn(bcc.encode(), raw)
                message = email.message_from_bytes(
                    raw, policy=email.policy.default)
                self.assertEqual(
                    [(a.display_name, a.addr_spec) for field in (
                        "from", "to", "cc") for a in message[field].addresses],
                    [("Zoë", self.server.SENDER), ("Jürgen, M.", to),
                     ("", cc)])
                self.assertEqual(message["subject"], "Grüße\U0001f600")
                self.assertEqual(message.get_content(), text)

    # --------------------------------------------------------------- not ASCII

    def check_eight(self, s):
        """BODY=8BITMIME where it is offered and there is need."""
        offered = s.offers("8BITMIME")
        self.assertNotEqual(offered, s.place in self.server.SEVEN)
        for text, eight in ((ASCII, False), (EIGHT, offered)):
            raw, _ = self.check_accepts(s, text=text)
            self.assertEqual("BODY=8BITMIME" in s.sent("MAIL")[-1].split(" "),
                             eight)
            if self.server.EIGHT is not None:
                self.assertEqual(
                    re.search(self.server.EIGHT, raw) is not None, eight)
        if offered:
            self.check_accepts(s, text=EIGHT, flags=REFUSE_8BIT)
        else:
            self.check_refused(s, "ENOTSUPPORTED", "EILSEQ",
                               [self.box()[1]], EIGHT, flags=REFUSE_8BIT)
            self.check_accepts(s, flags=REFUSE_8BIT)

    def check_utf8(self, s):
        """A local part in UTF-8 needs SMTPUTF8; a domain becomes its A-label
        where that is not offered."""
        offered = s.offers("SMTPUTF8")
        self.assertNotEqual(offered, s.place in self.server.ASCII_ONLY)
        box = self.server.user()
        address = f"{box}ü@{BOOKS}"
        sender = f"grüße@{self.server.UTF8_SENDER}"
        text = (f"From: Jürgen <{sender}>\nTo: {address}\n"
                "Subject: Grüße\n\nx\n")
        if offered:
            answer = s.ask("message", {"by_header": True, "text": text})
            self.check_accepted(answer)
            self.assertEqual((answer["sender"], answer["recipients"][0][0]),
                             (sender, address))
            self.check_said_utf8(s, self.check_stored(f"{box}ü", text), True)
            raw, _ = self.check_accepts(s, text=text,
                                        params={"flags": SMTPUTF8})
            self.check_said_utf8(s, raw, True)
        else:
            known = f"{box}@example.test"
            for how in ({"to": [known, address]},
                        {"to": [known], "from": sender},
                        {"to": [known], "params": {"flags": SMTPUTF8}}):
                self.check_refused(s, "ENOTSUPPORTED", "OK", how.pop("to"),
                                   text, **how)
        self.check_domain(s, offered)

    def check_domain(self, s, offered):
        """Of a recipient whose local part is ASCII."""
        box = self.server.user()
        address = f"{box}@{BOOKS}"
        if not offered and not client.IDN:
            self.check_refused(s, "ENOTSUPPORTED", "ENOTSUP", [address])
            return
        answer = self.message(s, [address])
        self.check_accepted(answer)
        self.assertEqual(answer["recipients"][0][0], address)
        self.check_said_utf8(s, self.check_stored(box, ASCII), offered)
        self.assertEqual(f"<{box}@{BOOKS_ASCII}>" in
                         s.sent("RCPT")[-1], not offered)

    def check_said_utf8(self, s, raw, wanted):
        """Whether SMTPUTF8 was said of what was stored."""
        self.assertEqual("SMTPUTF8" in s.sent("MAIL")[-1].split(" "), wanted)
        if self.server.UTF8 is not None:
            self.assertEqual(re.search(self.server.UTF8, raw) is not None,
                             wanted)

    def test_not_ascii(self):
        """Texts and addresses, where that is offered and where it is not."""
        for name in (*self.server.SAID_TO, *self.server.LESS):
            for check in self.check_eight, self.check_utf8:
                with self.subTest(f"{name}, {check.__name__}"), \
                        self.session(name) as s:
                    s.place = name
                    check(s)

    # -------------------------------------------------------------- parameters

    @each
    def test_reports(self, s):
        """Reports on a delivery, for who asked for them (RFC 3461)."""
        offered = s.offers("DSN")
        self.assertEqual(offered, self.server.REPORTS is not None)
        sender, (box, address) = self.box(), self.box()
        to = {"address": address, "notify": SUCCESS,
              "orcpt": "first=one+1@example.test"}
        params = {"ret": RET_HDRS, "envid": "a+b=c d"}
        if not offered:
            self.check_refused(s, "ENOTSUPPORTED", "OK", [to], params=params)
            self.check_refused(s, "ENOTSUPPORTED", "OK", [to])
            answer = self.message(
                s, [to], params={**params, "flags": OPTIONAL})
            self.check_accepted(answer)
            self.assertEqual(answer["omitted"], OMITTED_DSN)
            self.check_stored(box, ASCII)
            return
        answer = s.ask("message", {"from": sender[1], "to": [to],
                                   "text": ASCII, "params": params})
        self.check_accepted(answer)
        self.assertEqual(answer["omitted"], 0)
        getattr(self, self.server.REPORTS)(
            self.check_stored(box, ASCII), sender[0], address)

    def check_seen(self, raw, _sender, address):
        """The server understood it, and reports to nobody."""
        seen = json.loads(re.search(rb"(?m)^X-Seen: (.*)\r$", raw).group(1))
        self.assertEqual(seen["dsn"], {"ret": "HDRS", "envid": "a+b=c d"})
        self.assertEqual(seen["rcpts"], [[address, {
            "notify": ["SUCCESS"],
            "orcpt": "rfc822;first=one+1@example.test"}]])

    def check_report(self, _raw, sender, address):
        """What came back says what was asked for."""
        report, = self.server.stored(sender)
        ours, theirs = delivery_status(report)
        self.assertEqual(theirs["action"], "delivered")
        self.assertIn(address, theirs["final-recipient"])
        self.assertEqual(
            (ours.get("original-envelope-id"),
             theirs.get("original-recipient")),
            self.server.QUOTED)

    @each
    def test_not_offered(self, s):
        """Refused here, or left out where that may be."""
        to = [self.box()[1]]
        for keyword, (params, omitted) in NOWHERE.items():
            self.assertFalse(s.offers(keyword))
            self.check_refused(s, "ENOTSUPPORTED", "OK", to, params=params)
            params = {**params, "flags": params.get("flags", 0) | OPTIONAL}
            if omitted:
                _, answer = self.check_accepts(s, params=params)
                self.assertEqual(answer["omitted"], omitted)
            else:
                self.check_refused(s, "ENOTSUPPORTED", "OK", to, params=params)
        self.check_refused(s, "ETLS", "OK", to, params={"flags": REQUIRETLS})
        self.check_accepts(s)

    def test_require_tls(self):
        """To who has proven who it is, where it is offered (RFC 8689)."""
        way = next(iter(self.server.secured().values()), None)
        if way is None:
            self.skipTest("no TLS")
        way = Login(way.port, "implicit" if way.implicit else
                            "required", way.lmtp)
        params = {"flags": REQUIRETLS}
        with Session(self.server, way) as s:
            offered = s.offers("REQUIRETLS")
            self.assertEqual(offered, self.server.REQUIRETLS is not None)
            if not offered:
                self.check_refused(s, "ENOTSUPPORTED", "OK", [self.box()[1]],
                                   params=params)
                self.check_accepts(s)
                return
            for more in {}, {"params": params}:
                raw, _ = self.check_accepts(s, **more)
                self.assertEqual(re.search(self.server.REQUIRETLS, raw)
                                 is not None, bool(more))
        with Session(self.server, way, tls="opportunistic",
                     ca=by_tls.stranger()) as s:
            self.assertTrue(s.offers("REQUIRETLS"))
            self.check_refused(s, "ETLS", "OK", [self.box()[1]], params=params)

    # -------------------------------------------------------------- recipients

    @each
    def test_all_or_nothing(self, s):
        """One who is refused is a reason for all."""
        boxes, addresses = self.boxes(2)
        nobody = f"{self.server.UNKNOWN}@example.test"
        answer = self.message(s, [addresses[0], nobody, addresses[1]],
                              flags=ALL_OR_NOTHING)
        self.assertEqual((answer["error"], answer["outcome"]),
                         ("ERECIPIENTS", "rejected"), answer)
        self.assertEqual([row[2] for row in answer["recipients"]],
                         ["rejected"] * 3)
        for verb in "DATA", "BDAT":
            self.assertEqual(s.sent(verb), [])
        answer = self.message(s, addresses, flags=ALL_OR_NOTHING)
        self.check_accepted(answer)
        for box in boxes:
            self.check_stored(box, ASCII)

    def test_too_many(self):
        """More recipients than the server takes go into further transactions,
        and all get it, once."""
        if self.server.MOST is None:
            self.skipTest("it takes any number")
        name, most, n, unknown = self.server.MOST
        boxes, addresses = self.boxes(n)
        addresses[1:1] = [f"{self.server.UNKNOWN}@example.test"] * unknown
        with self.session(name) as s:
            answer = self.message(s, addresses)
            said = s.sent()
        self.assertEqual((answer["error"], answer["outcome"]),
                         ("OK", "accepted"), answer)
        self.assertEqual([row[0] for row in answer["recipients"]], addresses)
        self.assertEqual([row[2] for row in answer["recipients"]],
                         ["accepted", *["rejected"] * unknown,
                          *["accepted"] * (n - 1)])
        self.assertEqual(sum(line.startswith("MAIL") for line in said),
                         math.ceil(n / most))
        for box in boxes:
            self.check_stored(box, ASCII)

    # -------------------------------------------------------- small extensions

    def test_another(self):
        """XFORWARD tells of another client; XCLIENT is to be one."""
        if self.server.BEHIND is None:
            for call in "xforward", "xclient":
                with self.session(self.server.SAID_TO[0]) as s:
                    self.check_not_offered(s, call, [["ADDR", "192.0.2.7"]])
            return
        name, forwarded, become = self.server.BEHIND
        with self.session(name) as s:
            self.check_not_offered(s, "xforward", [["SHOESIZE", "46"]])
            s.got("xforward", [["ADDR", "192.0.2.7"],
                               ["NAME", "spike.example.com"], ["IDENT", None]])
            raw, _ = self.check_accepts(s)
            self.assertRegex(raw + s.logged(), forwarded)
            s.got("xclient", [["ADDR", "192.0.2.9"],
                              ["NAME", "spike.example.net"]])
            raw, _ = self.check_accepts(s)
            self.assertRegex(raw + s.logged(), become)
            said = [line.split(" ")[0] for line in s.sent()]
            self.assertEqual(said[said.index("XCLIENT"):][:3],
                             ["XCLIENT", "EHLO", "MAIL"])

    def test_etrn(self):
        """ETRN has the server begin, or say why not (RFC 1985)."""
        with self.session(self.server.SAID_TO[0]) as s:
            if not self.server.NODES:
                self.check_not_offered(s, "etrn", "example.test")
            for node, code in self.server.NODES.items():
                answer = s.ask("etrn", node)
                self.assertEqual(
                    (answer["error"], answer["reply"][0]),
                    ("OK" if code < 300 else "ERESPONSE", code))
            self.check_accepts(s)

    def check_not_offered(self, s, call, argument):
        s.got("hello")
        before = s.sent()
        answer = s.ask(call, argument)
        self.assertEqual(answer["error"], "ENOTSUPPORTED", answer)
        self.assertEqual(s.sent(), before)
