#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the README and the pages in docs/ quote and point at is there.

usage: readme.py SOURCE_ROOT

 - the README's C program is docs/examples/embed.c between its marks, octet for
   octet, so that what people copy compiles;
 - every relative link leads to a file, and a fragment of it to a heading there;
 - the README's table of outcomes names those of the library.
"""

import re
import sys
from pathlib import Path

FENCE = re.compile(r"^```c\n(.*?)^```$", re.M | re.S)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)
OUTCOMES = re.compile(r"^ *UVSMTP_OUTCOME_(?!NONE)(\w+) = \d+,? +/\*", re.M)


def marked(path):
    text = path.read_text(encoding="utf-8")
    return text.split("/* begin */\n", 1)[1].split("/* end */", 1)[0]


def anchors(text):
    """The fragments of a page's headings, as GitHub makes them."""
    found = set()
    for heading in HEADING.findall(CODE.sub(lambda m: m.group().strip("`"),
                                            text)):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(kept.replace(" ", "-"))
    return found


def check_links(root, page):
    problems = []
    text = page.read_text(encoding="utf-8")
    for link in LINK.findall(CODE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = page.parent / name if name else page
        where = f"{page.relative_to(root)}: {link}"
        if not target.exists():
            problems.append(f"{where}: no such file")
        elif fragment and fragment not in anchors(
                target.read_text(encoding="utf-8")):
            problems.append(f"{where}: no such heading")
    return problems


def outcomes(root):
    text = (root / "include/uvsmtp/types.h").read_text(encoding="utf-8")
    body = text[text.index("enum uvsmtp_outcome"):]
    return [name.lower().replace("_", "-")
            for name in OUTCOMES.findall(body[:body.index("};")])]


def main():
    root = Path(sys.argv[1])
    readme = (root / "README.md").read_text(encoding="utf-8")
    problems = []
    blocks = FENCE.findall(readme)
    if marked(root / "docs/examples/embed.c") not in blocks:
        problems.append("README.md: its program is not docs/examples/embed.c")
    names = outcomes(root)
    if len(names) != 5:
        problems.append(f"types.h: outcomes not understood: {names}")
    problems += [f"README.md: no row for the outcome {name}" for name in names
                 if f"| `{name}` |" not in readme]
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    for page in pages:
        problems += check_links(root, page)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
