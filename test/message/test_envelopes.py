#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Envelopes, beside Python's.

usage: test_envelopes.py ENVELOPES CORPUS

The messages of the corpus, and some thousand made up from seeds, are given to the
library, by a program that prints what it makes of them, and to Python's smtplib
and email. Where these differ, a rule has to say why: a habit of Python's that the
library has not, or a list that is none, which Python takes nevertheless; there is
a section on them in docs/messages.md. Each rule has to be needed by something.
"""

import collections
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import generate
import oracles

# What is said of a message that the library refuses.
NO_LIST = "no list by the newer parser either"
UNSENDABLE = "nothing that could be sent"
ENCODED = "a special character in an encoded-word"
DATES = "more than one Resent-Date"
# What is said of one that it takes.
SAME = "the same"
NOBODY = "no sender"
EMPTY_SENDER = "a Sender without address"
ALONE = "a local part alone, of several words or quoted"
RULES = (SAME, NOBODY, EMPTY_SENDER, ALONE, NO_LIST, UNSENDABLE, ENCODED,
         DATES) + oracles.HABITS


class Case:
    """A message, and what it says if that is known."""

    def __init__(self, name, data, expected=None):
        self.name = name
        self.data = data
        self.expected = expected


def from_octets(text):
    return text if text is None else text.encode("latin-1").decode(
        "utf-8", "surrogateescape")


def ask(program, cases):
    text = b"".join(b"%d\n%s" % (len(c.data), c.data) for c in cases)
    said = subprocess.run([program], input=text, check=True, timeout=100,
                          stdout=subprocess.PIPE).stdout.splitlines()
    assert len(said) == len(cases), (len(said), len(cases))
    return [json.loads(line) for line in said]


def habits(data, envelope):
    """The least of them that have to be left out for this envelope, or None."""
    without = set(oracles.HABITS)
    if oracles.by_pieces(data, without) != envelope:
        return None
    for habit in oracles.HABITS:
        if oracles.by_pieces(data, without - {habit}) == envelope:
            without.remove(habit)
    return without


def judged(data):
    """The newer parser's view of all lists: by the field's name."""
    fields = oracles.fields_of(data, {oracles.BLANKS, oracles.FOLDS})
    return [(name, value, oracles.Judgement(value))
            for name, values in fields.items() for value in values]


def why_taken(data, envelope):
    """The rules by which Python's envelope is another one."""
    if oracles.by_smtplib(data) == envelope:
        return {SAME}
    found = habits(data, envelope)
    if found:
        return found
    if found is not None:
        # It makes a sender of the word None, or fails where Sender is empty.
        return {NOBODY if envelope[0] is None else EMPTY_SENDER}
    lists = judged(data)
    # Both parsers of Python's cut such words down, or call them none.
    lone = [a for a in envelope[1] if not oracles.split(a)[1]]
    text = re.sub(r"\([^()]*\)|[ \t]", "", "".join(v for _, v, _ in lists))
    if lone and all(re.sub("[ \t]", "", a) in text or a.startswith('"')
                    for a in lone):
        return {ALONE}
    return None


def why_refused(data, sentence):
    if "Resent-Date" in sentence:
        return ({DATES} if oracles.by_pieces(data, {oracles.BLANKS}) ==
                "ValueError" else None)
    lists = judged(data)
    if any(judgement.broken for _, _, judgement in lists):
        return {NO_LIST}
    if not all(oracles.sendable(a) for _, _, judgement in lists
               for a in judgement.addresses):
        return {UNSENDABLE}
    if any(oracles.Judgement(value.replace("=?", "x")).broken
           for _, value, _ in lists):
        return {ENCODED}
    return None


def same_end(case, said):
    """The header ends where Python's does."""
    text = oracles.decode(case.data)
    rest = case.data[said["end"]:]
    if oracles.BLANK_COLON.search(text):
        return True
    payload = oracles.parse(text).get_payload()
    rest = re.sub("\\A(\r\n|\r|\n)", "", oracles.decode(rest))
    # It drops the empty line behind a "From " that it takes for text.
    return payload == rest or (rest.startswith("From ") and
                               payload.startswith("From "))


def check(case, said, seen):
    """A problem, or None."""
    if "error" in said:
        rules = why_refused(case.data, said["error"])
        got = said["error"]
    else:
        got = (from_octets(said["from"]), [from_octets(a)
                                           for a in said["rcpts"]])
        rules = why_taken(case.data, got)
        if not all(oracles.sendable(a) for a in got[1]):
            return f"can't be sent: {got}"
    if case.expected is not None and got != case.expected:
        return f"{got}, but it says {case.expected}"
    if rules is None:
        return (f"{got}; smtplib: {oracles.by_smtplib(case.data)}; the newer "
                f"parser: {[vars(j) for _, _, j in judged(case.data)]}")
    seen.update(rules)
    return None if same_end(case, said) else f"ends at {said['end']}"


def with_list(text):
    return f"From: f@f\nTo: {text}\n".encode()


def made_up():
    for seed in range(1500):
        yield Case(f"header {seed}", generate.header(random.Random(seed)))
    for seed in range(1500):
        text, expected = generate.good_list(random.Random(seed))
        yield Case(f"good list {seed}", with_list(text), ("f@f", expected))
    for name, make in (("bad", generate.bad_list), ("junk", generate.junk_list)):
        for seed in range(1000):
            yield Case(f"{name} list {seed}",
                       with_list(make(random.Random(seed))))


def main():
    program, corpus = sys.argv[1:]
    cases = [Case(path.name, path.read_bytes())
             for path in sorted(Path(corpus).glob("*.eml"))]
    files = len(cases)
    cases += made_up()
    seen = collections.Counter()
    problems = 0
    for case, said in zip(cases, ask(program, cases)):
        problem = check(case, said, seen)
        if problem is not None:
            problems += 1
            print(f"{case.name}: {case.data}\n  {problem}")
    for rule in RULES:
        print(f"{seen[rule]:6} {rule}")
        if not seen[rule]:
            problems += 1
            print("  which nothing needs")
    print(f"{files} files, {len(cases)} cases, {problems} problems")
    return 1 if problems or files < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
