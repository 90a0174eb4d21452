# SPDX-License-Identifier: MIT
"""Headers and address lists, made up from a seed.

Good lists are written by the grammar of RFC 5322, obsolete forms included: there
is nothing in one that may be refused, and what it stands for is known. Bad lists
are such with a few characters taken out, put in or exchanged.
"""

import re

ATOMS = ["a", "bob", "x-y", "o'neil", "a+b", "=?utf-8?q?z=C3=A9?=", "no_reply",
         "zo\u00eb", "\u7528\u6237", "{x}", "1", "R&D"]
LOCALS = ["a", "bob", "x-y", "o'neil", "a+b", "no_reply", "zo\u00eb", "1", "{x}"]
LABELS = ["a", "example", "x-1", "b\u00fccher", "org", "c"]
QUOTED = ["a b", "", "x", "(no comment)", "a@b", "<x@y>", "a\\\"b", "b\\\\",
          "c\\d", "a,b;c:", "zo\u00eb", ".", "[1]"]
LITERALS = ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[x]"]
COMMENTS = ["()", "(x)", "(a (b) c)", "(\\))", "(a@b, <c>)", "(\u00e9)", "(\")",
            "(((\\()))", "(;:)"]
JUNK = list("()<>[]:;,@.\"\\ \tab\n\r") + ["\u00e9", "\0", "\x7f", "\r\n ", "g:",
                                            "<a@b>", "@a:"]


class Writer:
    """Writes lists. folding: what a fold may be; odd: obsolete syntax, too."""

    def __init__(self, random, odd, folds):
        self.random = random
        self.odd = odd
        self.folds = folds

    def some(self, chance):
        return self.random.random() < chance

    def blank(self):
        """CFWS, of at least one octet."""
        parts = []
        while True:
            pick = self.random.random()
            if pick < 0.6:
                parts.append(self.random.choice([" ", "  ", "\t"]))
            elif pick < 0.8 and self.folds:
                parts.append(self.random.choice(self.folds))
            else:
                parts.append(self.random.choice(COMMENTS))
            if self.some(0.8):
                return "".join(parts)

    def maybe(self):
        return self.blank() if self.some(0.2) else ""

    def around(self, text):
        """What may stand between blanks in obsolete syntax only."""
        return self.maybe() + text + self.maybe() if self.odd else text

    def quoted(self, choice):
        text = self.random.choice(choice)
        if self.folds and " " in text and self.some(0.3):
            text = text.replace(" ", self.random.choice(self.folds), 1)
        return text

    def local(self):
        """As written, and what it stands for (with quotes where it had any)."""
        if self.some(0.15):
            text = self.random.choice([q for q in QUOTED if q])
            plain = unquote(text)
            return f'"{text}"', requote(plain)
        words = [self.random.choice(LOCALS)
                 for _ in range(self.random.randint(1, 3))]
        if self.odd and len(words) > 1 and self.some(0.3):
            texts = [f'"{w}"' if self.some(0.5) else w for w in words]
            written = self.around(".").join(texts)
            whole = ".".join(words)
            quoted = texts != words
            return written, requote(whole) if quoted else whole
        return self.around(".").join(words), ".".join(words)

    def domain(self):
        if self.some(0.1):
            text = self.random.choice(LITERALS)
            return text, text
        labels = [self.random.choice(LABELS)
                  for _ in range(self.random.randint(1, 3))]
        return self.around(".").join(labels), ".".join(labels)

    def spec(self):
        local, plain_local = self.local()
        domain, plain_domain = self.domain()
        return (self.around(local) + "@" + self.around(domain),
                plain_local + "@" + plain_domain)

    def phrase(self):
        words = []
        for _ in range(self.random.randint(1, 4)):
            if self.some(0.3):
                words.append(f'"{self.quoted(QUOTED)}"')
            else:
                words.append(self.random.choice(ATOMS))
                if self.odd and self.some(0.2):
                    words[-1] += "."
        return self.maybe() + self.blank().join(words) + self.maybe()

    def route(self):
        if not self.odd or self.some(0.8):
            return ""
        domains = ["@" + self.domain()[0]
                   for _ in range(self.random.randint(1, 3))]
        return self.around(",").join(domains) + ":"

    def mailbox(self):
        if self.some(0.04):
            word = self.random.choice(["root", "postmaster", "bob"])
            return self.maybe() + word + self.maybe(), word
        spec, plain = self.spec()
        if self.some(0.5):
            return self.maybe() + spec + self.maybe(), plain
        name = self.phrase() if self.some(0.9) else self.maybe()
        return (f"{name}<{self.maybe()}{self.route()}{spec}{self.maybe()}>"
                f"{self.maybe()}", plain)

    def joined(self, parts):
        if self.odd and self.some(0.2):
            parts = list(parts)
            parts.insert(self.random.randint(0, len(parts)), self.maybe())
        return ",".join(parts)

    def group(self):
        boxes = [self.mailbox() for _ in range(self.random.randint(0, 3))]
        text = self.joined([b[0] for b in boxes]) if boxes else self.maybe()
        return (f"{self.phrase()}:{text};{self.maybe()}",
                [b[1] for b in boxes])

    def list(self, at_most):
        """An address list, and the addresses of it."""
        parts = []
        plain = []
        for _ in range(self.random.randint(1, at_most)):
            if self.some(0.15):
                text, addresses = self.group()
                parts.append(text)
                plain += addresses
            else:
                text, address = self.mailbox()
                parts.append(text)
                plain.append(address)
        return self.joined(parts), plain


def unquote(text):
    """What a quoted string stands for."""
    plain = ""
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        plain += text[at]
        at += 1
    return plain


def requote(plain):
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def any_case(random, name):
    how = random.randrange(4)
    if how == 0:
        return name.upper()
    if how == 1:
        return name.lower()
    if how == 2:
        return "".join(random.choice([c.upper(), c.lower()]) for c in name)
    return name


def ends_of(random):
    """What lines end with, in one message."""
    return random.choice([["\r\n"], ["\n"], ["\r"], ["\r\n", "\n", "\r"]])


def good_list(random):
    """An address list as a field may hold it, folds and all, and what it
    stands for."""
    folds = [end + blank for end in ends_of(random) for blank in (" ", "\t", "  ")]
    writer = Writer(random, random.random() < 0.5, random.choice([[], folds]))
    return writer.list(random.choice([1, 1, 4]))


def damage(random, text, junk):
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(text) + 1)
        behind = at + random.choice([0, 0, 1, 2])
        text = text[:at] + random.choice(junk + [""]) + text[behind:]
    return text


def inside(text):
    """As one field may hold it: each line end is that of a fold."""
    return re.sub("(\r\n|[\r\n])(?![ \t])", r"\1 ", text)


def bad_list(random):
    """What may or may not be one."""
    return inside(damage(random, good_list(random)[0], JUNK))


def junk_list(random):
    return inside("".join(random.choice(JUNK)
                          for _ in range(random.randint(1, 12))))


SIMPLE = ["a@b", "X <c@d>", "root", '"y, z" <e@f>', "G: g@h, i@j;", "none:;",
          "(x)k@l", "m@n (y)"]
NAMES = ["Sender", "From", "To", "Cc", "Bcc", "Subject", "Resent-Date",
         "Resent-Sender", "Resent-From", "Resent-To", "Resent-Cc", "Resent-Bcc",
         "Reply-To", "Too", "X-To"]
ODD_LINES = ["From x Thu Jan  1", "From : x@y", "From", "From  Bcc: x@y",
             " to: x@y", "\tx", " ", ": x@y", ":", " :", "To", "To x@y",
             "T\u00f6: x@y", "To\0: x@y", "To\x7f: x@y", "", "", "x", "Bcc:",
             "Cc\t : q@r"]


def header(random):
    """A header block as they come, and are not to come: what its fields hold is
    simple."""
    ends = ends_of(random)
    lines = []
    for _ in range(random.randint(0, 8)):
        if random.random() < 0.15:
            lines.append(random.choice(ODD_LINES))
            continue
        name = random.choice(NAMES)
        if name.startswith("Resent") and random.random() < 0.3:
            name = name[7:]
        parts = [random.choice(SIMPLE) for _ in range(random.randint(1, 3))]
        colon = " : " if random.random() < 0.02 else ": "
        comma = random.choice([",", ", ", "," + random.choice(ends) + " "])
        lines.append(any_case(random, name) + colon + comma.join(parts))
    if random.random() < 0.7:
        lines += ["", "Cc: body@example.org"]
    text = "".join(line + random.choice(ends) for line in lines)
    if random.random() < 0.2:
        text = text.rstrip("\r\n")
    if random.random() < 0.2:
        text = damage(random, text, ["\r", "\n", "\r\n", " ", ":", "\0", "\u00e9"])
    return text.encode()
