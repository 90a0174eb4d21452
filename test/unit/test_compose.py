#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What uvsmtp_compose writes is read back by Python's email as what was put in:
subject, names, addresses, text, and no field but those.

usage: test_compose.py DRIVER
"""

import email
import email.header
import email.policy
import email.utils
import random
import re
import subprocess
import sys
import unittest

DRIVER = sys.argv.pop(1)
EINVAL = -22
ORDER = ("from", "to", "cc", "reply_to", "subject", "text", "message_id")
FIELDS = {"date", "from", "sender", "to", "cc", "reply-to", "subject",
          "message-id", "mime-version", "content-type",
          "content-transfer-encoding"}
ME = "me@a.example"
WORDS = ["a", "Hello,", "wörld", "日本語", "🚀🚀", "é", "e\u0301",
         "=?utf-8?q?x?=", "=?", "?=", "(c)", "\"q\"", "\\", "x" * 60, "y" * 90,
         "ж" * 80, "<a@b>", ":", ";", "Bcc:", "\u2028", "\u0085", "\ufeff",
         "\U0001f468\u200d\U0001f469", "=20", "_", "\u202etxt", "𝔘𝔫𝔦",
         "http://a.example/" + "p/" * 60]
QUOTED = r'"(?:\\.|[^"\\])*"'
MAILBOX = re.compile(rf' (?:({QUOTED}|[^",<]+?) <((?:{QUOTED}|[^">])*)>|'
                     rf'((?:{QUOTED}|[^",<])+))(?:,|\Z)')


def encode(draft):
    """A line for the driver."""
    strings = [draft.get(key) for key in ORDER]
    fields = ["-" if s is None else
              (s if isinstance(s, bytes) else s.encode()).hex() or "''"
              for s in strings]
    return " ".join([*fields, str(draft.get("date", 0))]) + "\n"


def compose(drafts):
    """(status, message) of each."""
    done = subprocess.run([DRIVER], input="".join(map(encode, drafts)),
                          capture_output=True, check=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(drafts)
    return [(int(status), bytes.fromhex(message))
            for status, _, message in (line.partition(" ") for line in lines)]


def display_name(raw):
    """A display name as its field has it, unfolded: what it says."""
    if raw.startswith('"'):
        return re.sub(r"\\(.)", r"\1", raw[1:-1])
    return str(email.header.make_header(email.header.decode_header(raw)))


def mailboxes(value):
    """(name, address) of each in a field, unfolded, as we write them."""
    return [(display_name(name), spec or bare)
            for name, spec, bare in MAILBOX.findall(value)]


def lines_end(text):
    """The text as it arrives."""
    text = re.sub("\r\n?", "\n", text)
    return text + "\n" if text and not text.endswith("\n") else text


class Compose(unittest.TestCase):
    def read(self, data):
        """A message, after all that every message has to be."""
        self.assertEqual(re.sub(rb"\r\n", b"", data).count(b"\r"), 0)
        self.assertEqual(re.sub(rb"\r\n", b"", data).count(b"\n"), 0)
        self.assertTrue(data.endswith(b"\r\n"))
        head, _, _ = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            self.assertLessEqual(len(line), 998)
            if len(line) > 78:
                # Nothing that could have been folded.
                self.assertNotIn(b" ", line.split(b": ")[-1].strip(), line)
            self.assertRegex(line, rb"\A(?:[A-Z][A-Za-z-]*:|[ \t]+[^ \t])")
            if b" =?" in line:  # RFC 2047 2
                self.assertLessEqual(len(line), 76)
        message = email.message_from_bytes(data, policy=email.policy.default)
        self.assertEqual(message.defects, [])
        names = [name.lower() for name in message.keys()]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual(set(names), FIELDS)
        self.assertEqual(message.get_content_type(), "text/plain")
        self.assertEqual(message["mime-version"], "1.0")
        self.assertEqual(message.get_content_charset(), "utf-8")
        return message

    def raw(self, data, name):
        """The body of a field, unfolded, before anything is decoded."""
        found = re.findall(rb"^%s:((?:.|\r\n[ \t])*)\r\n" % name.encode(),
                           data.partition(b"\r\n\r\n")[0] + b"\r\n", re.M)
        self.assertEqual(len(found), 1, name)
        return found[0].replace(b"\r\n", b"").decode()

    def check_text(self, message, data, text):
        body = data.partition(b"\r\n\r\n")[2]
        for line in body.split(b"\r\n"):
            self.assertLessEqual(len(line), 78)
        self.assertTrue(body.isascii())
        self.assertEqual(message.get_content().replace("\r\n", "\n"),
                         lines_end(text))
        if message["content-transfer-encoding"] == "7bit":
            self.assertEqual(body.decode(),
                             lines_end(text).replace("\n", "\r\n"))
        else:
            for line in body.split(b"\r\n"):
                self.assertLessEqual(len(line), 76)
                self.assertNotRegex(line, rb"\A(?:\.|From )|[ \t]\Z")

    def test_texts(self):
        """Bodies: what is short and ASCII as it is, else quoted-printable."""
        pieces = ["", "a", "a" * 78, "a" * 79, "b" * 2000, " ", "\t", "x ",
                  "x\t", ".", "..", ".x", "From me", "From", "=", "=3D", "ä",
                  "日本語" * 40, "x" * 75 + " ", "x" * 75 + ".", "--",
                  "x" * 74 + "=.", "x" * 76 + ".y", "é" * 25, "x" + "é" * 25,
                  "\u2028", "\u0085", " " * 100, "x" * 75 + "From me",
                  "x" * 72 + "é" + "From me", "é" * 12 + "."]
        texts = [*pieces]
        rng = random.Random(1)
        for _ in range(300):
            texts.append("".join(
                rng.choice(pieces) +
                rng.choice(["\n", "\r\n", "\r", "", "\n\n"])
                for _ in range(rng.randrange(8))))
        drafts = [{"from": ME, "text": text} for text in texts]
        for text, (status, data) in zip(texts, compose(drafts)):
            with self.subTest(text=text):
                self.assertEqual(status, 0)
                message = self.read(data)
                self.check_text(message, data, text)
                plain = text.isascii() and all(
                    len(line) <= 78 for line in re.split("\r\n|\r|\n", text))
                self.assertEqual(message["content-transfer-encoding"],
                                 "7bit" if plain else "quoted-printable")

    def test_subjects(self):
        """As they are where that is possible, else encoded-words of whole
        characters, of at most 75 octets."""
        rng = random.Random(2)
        subjects = ["", " ", "  x", "x  ", "a" * 69, "a" * 70, "a" * 71,
                    "a" * 2000, "a\tb", "a " * 100 + "b", "\t", "Re: x",
                    ("a" * 77 + " ") * 3 + "b", "ü" * 500, "語" * 500, "🚀" * 500,
                    " " * 100 + "x" + " " * 100 + "y"]
        for _ in range(300):
            subjects.append("".join(
                rng.choice(WORDS) + rng.choice([" ", " ", "", "  ", "\t"])
                for _ in range(rng.randrange(12))))
        drafts = [{"from": ME, "subject": s} for s in subjects]
        for subject, (status, data) in zip(subjects, compose(drafts)):
            with self.subTest(subject=subject):
                self.assertEqual(status, 0)
                self.assertTrue(data.isascii())
                message = self.read(data)
                self.assertEqual(message["subject"], subject)
                raw = self.raw(data, "Subject")
                if "=?" in raw:
                    self.assertLessEqual(max(map(len, raw.split())), 75)
                    for word in raw.split():
                        email.header.make_header(
                            email.header.decode_header(word))
                got = str(email.header.make_header(
                    email.header.decode_header(raw[1:])))
                self.assertEqual(got, subject)

    def written(self, rng):
        """A mailbox as a caller writes it; what is to be read."""
        spec = rng.choice(["a@b.example", "x.y+z@mail.example",
                           "postmaster@[192.0.2.1]", '"a b"@c.example',
                           "l" * 64 + "@" + "d" * 60 + ".example"])
        words = [rng.choice(WORDS) for _ in range(rng.randrange(6))]
        name = rng.choice([" ", "  ", "", "\t"]).join(words)
        if not name:
            return rng.choice([spec, f"<{spec}>", f"(x) {spec}",
                               f'"" <{spec}>']), ("", spec)
        quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return rng.choice([f"{quoted} <{spec}>", f"{quoted}<{spec}>",
                           f"(c) {quoted} (d (e)) <{spec}>"]), (name, spec)

    def test_mailboxes(self):
        """Names of any kind, however they are quoted."""
        rng = random.Random(3)
        drafts, wanted = [], []
        for _ in range(200):
            lists = [[self.written(rng) for _ in range(rng.randrange(1, 4))]
                     for _ in range(4)]
            draft = {key: rng.choice([", ", ",", " , ,"]).join(
                m[0] for m in one) for key, one in zip(ORDER, lists)}
            drafts.append(draft)
            wanted.append([[m[1] for m in one] for one in lists])
        for draft, boxes, (status, data) in zip(drafts, wanted,
                                                compose(drafts)):
            with self.subTest(draft=draft):
                self.assertEqual(status, 0)
                self.assertTrue(data.isascii())
                message = self.read(data)
                for key, name, box in zip(("from", "to", "cc", "reply-to"),
                                          ("From", "To", "Cc", "Reply-To"),
                                          boxes):
                    self.assertEqual(mailboxes(self.raw(data, name)), box)
                    self.assertEqual(
                        [a.addr_spec for a in message[key].addresses],
                        [spec for _, spec in box])
                    # Python 3.11 puts blanks between encoded-words of names.
                    self.assertEqual(
                        ["".join(a.display_name.split())
                         for a in message[key].addresses],
                        ["".join(name.split()) for name, _ in box])
                self.assertEqual("sender" in message, len(boxes[0]) > 1)
                if len(boxes[0]) > 1:
                    self.assertEqual(mailboxes(self.raw(data, "Sender")),
                                     boxes[0][:1])

    def test_plain_names(self):
        """Words that need no quotes have none; a name without quotes means the
        same with them; one that is an encoded-word already stays so."""
        cases = {
            "Zoe <z@a.example>": "Zoe <z@a.example>",
            "Zoe  (work) Smith <z@a.example>": "Zoe Smith <z@a.example>",
            "John Q. Public <j@a.example>": '"John Q. Public" <j@a.example>',
            '"Smith, Jr." <s@a.example>': '"Smith, Jr." <s@a.example>',
            "=?utf-8?q?Zo=C3=AB?= <z@a.example>":
                "=?utf-8?q?Zo=C3=AB?= <z@a.example>",
            "Zoë <z@a.example>": "=?utf-8?q?Zo=C3=AB?= <z@a.example>",
            "日本 <z@a.example>": "=?utf-8?b?5pel5pys?= <z@a.example>",
            "z@a.example (Zoe)": "z@a.example",
            "friends: a@b.example, Bo <b@b.example>;, c@b.example":
                "a@b.example, Bo <b@b.example>, c@b.example",
            "<@route.example:z@a.example>": "z@a.example",
            "z @ a . example": "z@a.example",
            "l" * 64 + "@" + "d" * 60 + ".example":
                "l" * 64 + "@" + "d" * 60 + ".example",
            "x" * 77 + " <z@a.example>": "x" * 77 + " <z@a.example>",
            "x" * 78 + " <z@a.example>":
                "=?utf-8?q?" + "x" * 60 + "?= =?utf-8?q?" + "x" * 18 +
                "?= <z@a.example>",
        }
        drafts = [{"from": ME, "to": to} for to in cases]
        for (to, wanted), (status, data) in zip(cases.items(), compose(drafts)):
            with self.subTest(to=to):
                self.assertEqual(status, 0)
                self.read(data)
                self.assertEqual(self.raw(data, "To"), " " + wanted)
                self.assertNotIn(b"To:\r\n " + b"l" * 64, data)

    def test_no_list(self):
        """A list with nobody in it is no field; From needs somebody."""
        empty = ["", " ", ",", "undisclosed-recipients:;", "(nobody)"]
        drafts = [{"from": ME, "to": to, "cc": to} for to in empty]
        for status, data in compose(drafts):
            self.assertEqual(status, 0)
            message = self.read(data)
            self.assertNotIn("to", message)
            self.assertNotIn("cc", message)
        for status, _ in compose([{"from": to} for to in [None, *empty]]):
            self.assertEqual(status, EINVAL)

    def test_refused(self):
        """What would be more than it seems."""
        bad = ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\x0bb", "a\x7f",
               "a\x1b[2J", b"a\xff", b"a\xc3", b"a\xed\xa0\x80", b"a\xc0\x8a",
               b"\xf4\x90\x80\x80"]
        drafts = []
        for text in bad:
            drafts.append({"from": ME, "subject": text})
            data = text if isinstance(text, bytes) else text.encode()
            for key in ("from", "to", "cc", "reply_to"):
                drafts.append({"from": ME,
                               key: b'"' + data + b'" <a@b.example>'})
                drafts.append({"from": ME, key: data + b"@b.example"})
                drafts.append({"from": ME, key: b"<a@" + data + b".example>"})
            drafts.append({"from": ME, "message_id": b"<" + data + b"@b>"})
            if text not in bad[:3]:
                drafts.append({"from": ME, "text": text})
        for to in ["a b@c", "a@", "@b", "<a@b", "a@b>", '"a', "(a", "a@b c@d",
                   "a@b;", "x: a@b", "a@b, <", "<>", "a" * 65 + "@b",
                   "a@" + "b" * 300]:
            drafts.append({"from": ME, "to": to})
            drafts.append({"from": to})
        for message_id in ["", "a", "a@b", "<a>", "<@b>", "<a@>", "<a@b",
                           "a@b>", "<a@b@c>", "<a b@c>", "<a@b>\r\nX: y",
                           "<.a@b>", "<a.@b>", "<a..c@b>", "<a@.b>", "<a@b.>",
                           "<ä@b>", "<a[@b>", "<" + "a" * 900 + "@b>",
                           "<(a)@b>", '<"a"@b>', "<a@b> "]:
            drafts.append({"from": ME, "message_id": message_id})
        for date in (-10 ** 18, 253402300800, 10 ** 18, -2208988801):
            drafts.append({"from": ME, "date": date})
        for draft, (status, _) in zip(drafts, compose(drafts)):
            self.assertEqual(status, EINVAL, draft)

    def test_utf8_addresses(self):
        """They stay: such a message is for SMTPUTF8."""
        (status, data), = compose([{"from": "Zoë <zoë@exämple.example>",
                                    "to": "ü@b.example"}])
        self.assertEqual(status, 0)
        self.assertEqual(mailboxes(self.raw(data, "From")),
                         [("Zoë", "zoë@exämple.example")])
        self.assertEqual(mailboxes(self.raw(data, "To")), [("", "ü@b.example")])
        self.assertTrue(
            self.raw(data, "Message-ID").endswith("@exämple.example>"))

    def test_dates(self):
        """Of any year that can be written."""
        rng = random.Random(4)
        dates = [1, -1, 951782400, 951868799, 253402300799, -2208988800,
                 1 << 31]
        dates += [rng.randrange(-2208988800, 253402300800) for _ in range(300)]
        for date, (status, data) in zip(dates, compose(
                [{"from": ME, "date": date} for date in dates])):
            self.assertEqual(status, 0)
            raw = self.raw(data, "Date")
            self.assertRegex(raw, r"\A \w{3}, \d\d \w{3} \d{4} "
                                  r"\d\d:\d\d:\d\d \+0000\Z")
            when = email.utils.parsedate_to_datetime(raw)
            self.assertEqual(when.timestamp(), date)
            self.assertEqual(raw[1:], email.utils.format_datetime(when))

    def test_now(self):
        """Date and Message-ID of a draft that has none: no two are the same."""
        found = compose([{"from": "me@mail.example."}] * 50)
        ids = {self.raw(data, "Message-ID") for _, data in found}
        self.assertEqual(len(ids), 50)
        for message_id in ids:
            self.assertRegex(message_id, r"\A <[0-9a-f]{32}@mail\.example>\Z")
        domains = {"me@[192.0.2.1]": "[192.0.2.1]", "postmaster": "localhost",
                   '"a@b"@c.example, x@y': "c.example",
                   '"a@b> c"': "localhost"}
        for (_, domain), (_, data) in zip(domains.items(), compose(
                [{"from": key} for key in domains])):
            self.assertTrue(
                self.raw(data, "Message-ID").endswith(f"@{domain}>"))
        given = ["<a@b>", "<a.b+c@[IPv6:::1]>", "<" + "a" * 890 + "@b>"]
        for wanted, (status, data) in zip(given, compose(
                [{"from": ME, "message_id": m} for m in given])):
            self.assertEqual((status, self.raw(data, "Message-ID")),
                             (0, " " + wanted))


if __name__ == "__main__":
    unittest.main()
