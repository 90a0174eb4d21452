#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tree of errors is that of Python's smtplib. smtplib: 14

usage: smtplib_errors.py SOURCE_ROOT

Reads UVSMTP_ERROR_MAP out of include/uvsmtp/errors.h and compares it with the
exception classes of the smtplib at hand, by introspection: every class has an
error and every error with a class has the parent that the class has; errors of
the library's own hang below the root.
"""

import re
import smtplib
import sys
from pathlib import Path

ROW = re.compile(r'XX\(\s*(\w+),\s*(-\d+),\s*(-?\d+),\s*(NULL|"\w+"),\s*'
                 r'"[^"]*"\s*\)')


def read_map(path):
    """Name: (number, parent's number, class or None)."""
    text = path.read_text(encoding="utf-8")
    start = text.index("#define UVSMTP_ERROR_MAP(XX)")
    end = text.index("\n\n", start)
    body = text[start:end].replace("\\\n", " ")
    rows = {}
    for name, number, parent, cls in ROW.findall(body):
        rows[name] = (int(number), int(parent),
                      None if cls == "NULL" else cls.strip('"'))
    cells = body.count("XX(")
    if len(rows) != cells:
        sys.exit(f"{path}: {len(rows)} of {cells} rows understood")
    return rows


def smtplib_classes():
    """Class: its parent within smtplib, or None for the root of the tree."""
    classes = {}
    for name, value in vars(smtplib).items():
        if (isinstance(value, type) and issubclass(value, BaseException)
                and value.__module__ == "smtplib"):
            inside = [base.__name__ for base in value.__bases__
                      if base.__module__ == "smtplib"]
            if len(inside) > 1:
                sys.exit(f"smtplib.{name} has several parents")
            classes[name] = inside[0] if inside else None
    return classes


def main():
    root = Path(sys.argv[1])
    rows = read_map(root / "include/uvsmtp/errors.h")
    classes = smtplib_classes()
    by_number = {number: name for name, (number, _, _) in rows.items()}
    problems = []
    if len(by_number) != len(rows):
        problems.append("a number stands for two errors")
    named = {}
    for name, (_, parent, cls) in rows.items():
        if parent != 0 and parent not in by_number:
            problems.append(f"{name}: its parent {parent} is no error")
            continue
        if cls is None:
            if parent == 0:
                problems.append(f"{name}: below no class of smtplib")
            continue
        if cls in named:
            problems.append(f"{name}: {cls} is {named[cls]} already")
        named[cls] = name
        if cls not in classes:
            problems.append(f"{name}: smtplib has no {cls}")
            continue
        above = rows[by_number[parent]][2] if parent != 0 else None
        if above != classes[cls]:
            problems.append(f"{name}: below {above}, but smtplib.{cls} is "
                            f"below {classes[cls]}")
    for cls in sorted(set(classes) - set(named)):
        problems.append(f"smtplib.{cls} has no error")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
