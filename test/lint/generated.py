#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages on the states are printed from the states.

usage: generated.py SOURCE_ROOT GENERATOR [--write]

Runs docs/gen_states and compares what it prints with docs/states.md and
docs/states.dot, octet for octet. The picture docs/states.svg names the drawing
that it was made from by its hash, and shows every state; where graphviz is
there, it is drawn anew and must have the same boxes, edges and words (where
they stand depends on the fonts of the machine). --write makes all three.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
MARK = "<!-- made from states.dot, sha256 {} -->\n"
# Written in two so that reuse does not take it for this file's own.
HEAD = "<!-- SPDX-License-" "Identifier: MIT -->\n"


def output(*args, **more):
    return subprocess.run([str(a) for a in args], check=True,
                          capture_output=True, **more).stdout


def digest(drawing):
    return hashlib.sha256(drawing).hexdigest()


def draw(drawing):
    """The picture, marked with what it shows. The marks follow the first line,
    which XML wants for itself."""
    svg = output("dot", "-Tsvg", input=drawing).decode("utf-8")
    first, rest = svg.split("\n", 1)
    rest = "\n".join(line.rstrip() for line in rest.splitlines()) + "\n"
    return first + "\n" + HEAD + MARK.format(digest(drawing)) + rest


def things(svg):
    """What a picture shows: for each box and edge its name and its words."""
    found = []
    for group in xml.fromstring(svg.encode("utf-8")).iter(SVG + "g"):
        if group.get("class") in ("node", "edge", "cluster"):
            words = [" ".join((text.text or "").split())
                     for text in group.iter(SVG + "text")]
            found.append((group.get("class"),
                          group.find(SVG + "title").text, tuple(words)))
    return sorted(found)


def states(root):
    text = (root / "include/uvsmtp/types.h").read_text(encoding="utf-8")
    start = text.index("#define UVSMTP_STATE_MAP(XX)")
    return re.findall(r"XX\((\w+),", text[start:text.index("\n\n", start)])


def check_picture(root, drawing):
    path = root / "docs/states.svg"
    svg = path.read_text(encoding="utf-8")
    problems = []
    if MARK.format(digest(drawing)) not in svg:
        problems.append(f"{path.name}: not made from this states.dot")
    shown = things(svg)
    words = set()
    for _, _, lines in shown:
        for line in lines:
            words.update(re.findall(r"\w+", line))
    names = states(root)
    if not names:
        problems.append("no states found")
    problems += [f"{path.name}: does not show {name}" for name in names
                 if name not in words]
    if shutil.which("dot") and things(draw(drawing)) != shown:
        problems.append(f"{path.name}: drawn anew it shows something else")
    return problems


def main():
    root, generator = Path(sys.argv[1]), sys.argv[2]
    made = {"states.md": output(generator, "md"),
            "states.dot": output(generator, "dot")}
    if sys.argv[3:] == ["--write"]:
        for name, content in made.items():
            (root / "docs" / name).write_bytes(content)
        (root / "docs/states.svg").write_text(draw(made["states.dot"]),
                                              encoding="utf-8")
        return 0
    problems = []
    for name, content in made.items():
        if (root / "docs" / name).read_bytes() != content:
            problems.append(f"{name}: not what {Path(generator).name} prints; "
                            "run: meson compile -C build states")
    problems += check_picture(root, made["states.dot"])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
