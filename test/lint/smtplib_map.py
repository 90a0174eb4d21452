#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/from-smtplib.md says of everything in Python's smtplib what it is here.

usage: smtplib_map.py SOURCE_ROOT

Walks the smtplib at hand: the constants, functions, exceptions and classes of
the module, the methods of each class with their parameters, the attributes of
the class and those that its methods set on self (read out of its source). Each
must stand in the first column of a table of the page, with something beside
it. What stands there must exist, but for what the page says is not in every
Python; and the names of ours in the tables must be declared by the headers.

In a column headed "smtplib" a name is `NAME`, `function(argument, ...)`,
`Class`, `Class.attribute` or, in a section whose heading has the class,
`.attribute` and `.method(argument)`. A class with parentheses is its
constructor.
"""

import ast
import inspect
import re
import smtplib
import sys
import types
from pathlib import Path

import declared

CODE = re.compile(r"`([^`]+)`")
KEY = re.compile(r"(\.?\w+(?:\.\w+)?)(?:\(([\w, ]*)\))?")
OURS = re.compile(r"\b(?:uvsmtp|UVSMTP)_\w+")
# Says that this Python need not have it.
VERSIONED = re.compile(r"\b(?:until|since) Python 3\.\d+")
DUNDERS = {"__init__", "__enter__", "__exit__"}


def public(name):
    return name in DUNDERS or not name.startswith("_")


def parameters(function):
    return [name for name in inspect.signature(function).parameters
            if name != "self"]


def self_attributes(cls):
    """What the methods of a class set on self."""
    tree = ast.parse(inspect.getsource(cls).lstrip())
    return {node.attr for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name) and node.value.id == "self"}


def class_names(name, cls):
    yield name
    for member, value in vars(cls).items():
        if not public(member):
            continue
        if isinstance(value, types.FunctionType):
            where = name if member == "__init__" else f"{name}.{member}"
            yield where
            for parameter in parameters(value):
                yield f"{where}({parameter})"
        else:
            yield f"{name}.{member}"
    for attribute in self_attributes(cls):
        if public(attribute):
            yield f"{name}.{attribute}"


def smtplib_names():
    found = set()
    for name, value in vars(smtplib).items():
        if not public(name) or isinstance(value, types.ModuleType):
            continue
        if isinstance(value, (type, types.FunctionType)) and \
                value.__module__ != "smtplib":
            continue
        if isinstance(value, type):
            found.update(class_names(name, value))
        else:
            found.add(name)
            if isinstance(value, types.FunctionType):
                found.update(f"{name}({p})" for p in parameters(value))
    return found


def sections(text):
    """Rows of the tables that begin with a column "smtplib": (class of the
    section or "", cells)."""
    cls, inside = "", False
    for line in text.splitlines():
        if line.startswith("#"):
            named = CODE.findall(line)
            cls = named[0] if named and hasattr(smtplib, named[0]) else ""
        if not line.startswith("|"):
            inside = False
            continue
        cells = [c.strip() for c in line.strip("|").split("|")]
        if inside:
            yield cls, cells
        inside = inside or cells[0] == "smtplib"


def keys(cls, cell):
    """The names that a first cell stands for."""
    for code in CODE.findall(cell):
        match = KEY.fullmatch(code)
        if not match:
            continue
        name, arguments = match.groups()
        if name.startswith("."):
            name = cls + name
        yield name
        for argument in filter(None, (a.strip() for a in
                                      (arguments or "").split(","))):
            yield f"{name}({argument})"


def main():
    root = Path(sys.argv[1])
    page = root / "docs/from-smtplib.md"
    names = declared.names(root)
    exist = smtplib_names()
    listed = set()
    problems = []
    for cls, cells in sections(page.read_text(encoding="utf-8")):
        if len(cells) < 2 or not CODE.search(cells[0]):
            continue
        if not cells[1]:
            problems.append(f"{cells[0]}: nothing beside it")
        row = set(keys(cls, cells[0]))
        listed |= row
        if not VERSIONED.search(" ".join(cells)):
            problems += [f"{name}: no such thing in smtplib"
                         for name in sorted(row - exist)]
        problems += [f"{cells[0]}: {name} is not declared"
                     for name in OURS.findall(" ".join(cells[1:]))
                     if name not in names]
    if len(exist) < 80:
        problems.append(f"only {len(exist)} names found in smtplib")
    problems += [f"smtplib has {name}, the page does not"
                 for name in sorted(exist - listed)]
    for problem in problems:
        print(f"{page.name}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
