#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Long headers cost what they are long.

usage: test_linear.py VALGRIND READ_ONCE

A program that reads one header is run under valgrind, which counts its
instructions: a header of 10 MiB, or of 1 MiB where that shows the same, may take
at most twice as many for each octet as one of 100 KiB. The shapes are what makes
parsers slow: what has to be looked at again, goes deep, or never ends.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

KIB = 1024
SMALL = 100 * KIB
MOST = 2.0
COUNT = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
REFS = re.compile(r"I\s+refs:\s*([\d,]+)")
HUGE = 10 * KIB * KIB
LARGE = KIB * KIB

# A name, how large the large one is, and what it is made of: the beginning, what
# is repeated, the end.
SHAPES = [
    ("many recipients", HUGE, b"To: ", b"user@example.org, ", b"\n"),
    ("short fields", HUGE, b"", b"X:\n", b""),
    ("one folded field", HUGE, b"To: ", b"\n ", b"a@b\n"),
    ("nested comments", HUGE, b"To: a@b", b"(", b""),
    ("one endless comment", LARGE, b"To: (", b"x", b""),
    ("a quoted string without end", LARGE, b'To: "', b"\\x", b""),
    ("short recipients", LARGE, b"To: ", b"a,", b"\n"),
    ("fields of one recipient", LARGE, b"", b"To: a@b\r\n", b""),
    ("lines that end with CR", LARGE, b"", b"X:\r", b""),
    ("lines of a mbox", LARGE, b"", b"From \n", b""),
    ("words of a name", LARGE, b"To: ", b"x ", b"<a@b>\n"),
    ("dots", LARGE, b"To: ", b"a.", b"a@b\n"),
    ("groups", LARGE, b"To: ", b"g:", b"\n"),
    ("a route", LARGE, b"To: <", b"@a,", b":a@b>\n"),
    ("blanks before a colon", LARGE, b"To", b" ", b": a@b\n"),
]


def make(size, head, unit, tail):
    times = (size - len(head) - len(tail)) // len(unit)
    return head + unit * times + tail


def count(valgrind, program, data, path):
    path.write_bytes(data)
    run = subprocess.run([valgrind, *COUNT, program, path], check=True,
                         capture_output=True, text=True, timeout=250)
    path.unlink()
    return int(REFS.search(run.stderr)[1].replace(",", ""))


def main():
    valgrind, program = sys.argv[1:]
    problems = 0
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def ask(name, data):
            path = Path(scratch) / name
            return pool.submit(count, valgrind, program, data, path)

        base = ask("empty", b"\n")
        asked = [(shape, ask(shape[0] + "+", make(shape[1], *shape[2:])),
                  ask(shape[0], make(SMALL, *shape[2:]))) for shape in SHAPES]
        for (name, size, *_), large, small in asked:
            each = [(small.result() - base.result()) / SMALL,
                    (large.result() - base.result()) / size]
            bad = each[1] > MOST * each[0]
            problems += bad
            print(f"{name}: {each[0]:.1f} instructions an octet, "
                  f"{each[1]:.1f} where there are {size // KIB} KiB"
                  f"{': too many' if bad else ''}", flush=True)
    print(f"{len(SHAPES)} shapes, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
