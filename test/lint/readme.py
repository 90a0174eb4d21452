#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the README and the pages in docs/ quote and point at is there.

usage: readme.py SOURCE_ROOT [--write]

 - every block of C or C++ says in a comment before it which part of which
   example it is, and is that part octet for octet (but for its indent), so that
   what people copy compiles. --write brings the blocks up to date;
 - every name of the library's is declared by its headers, or is a variable of
   the environment that the command line reads;
 - every relative link leads to a file, and a fragment of it to a heading there;
 - the README's table of outcomes names those of the library.

A part of an example stands between the comments "begin: NAME" and "end", and is
quoted behind <!-- quoted: FILE, NAME -->, FILE being one of docs/examples.
"""

import re
import sys
import textwrap
from pathlib import Path

import declared

FENCE = re.compile(r"^(?:<!-- quoted: ([\w.]+), ([^>]*) -->\n)?"
                   r"```(c|cpp)\n(.*?)^```$", re.M | re.S)
OTHER = re.compile(r"^```(?!c$|cpp$)\w+$.*?^```$", re.M | re.S)
MARKED = re.compile(r"^ */\* begin: (.*?) \*/\n(.*?)^ */\* end \*/$",
                    re.M | re.S)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)
GETENV = re.compile(r'\bgetenv\("(\w+)"\)')
OUTCOMES = re.compile(r"^ *UVSMTP_OUTCOME_(?!NONE)(\w+) = \d+,? +/\*", re.M)


def parts(root):
    """The parts of the examples that may be quoted, by file and name."""
    found = {}
    for path in sorted((root / "docs/examples").iterdir()):
        for name, text in MARKED.findall(path.read_text(encoding="utf-8")):
            if (path.name, name) in found:
                sys.exit(f"{path}: two parts are called {name}")
            found[path.name, name] = textwrap.dedent(text)
    return found


def check_quotes(root, page, quotable, quoted, write):
    """Notes in quoted which parts the page shows."""
    problems = []

    def look(match):
        file, name, language, text = match.groups()
        where = f"{page.relative_to(root)}: {text.partition(chr(10))[0]!r}"
        wanted = quotable.get((file, name))
        quoted.add((file, name))
        if file is None:
            problems.append(f"{where}: code that no example vouches for")
        elif wanted is None:
            problems.append(f"{where}: {file} has no part {name}")
        elif wanted != text and not write:
            problems.append(f"{where}: not what {file} has at {name}; run "
                            f"{Path(__file__).name} {root} --write")
        if wanted is None:
            return match.group()
        return (f"<!-- quoted: {file}, {name} -->\n"
                f"```{language}\n{wanted}```")

    text = page.read_text(encoding="utf-8")
    made = FENCE.sub(look, text)
    if write and made != text:
        page.write_text(made, encoding="utf-8")
    return problems


def variables(root):
    """What the command line looks for in its environment."""
    return {name for path in (root / "tool").glob("*.c")
            for name in GETENV.findall(path.read_text(encoding="utf-8"))}


def check_names(root, page, names):
    # What is neither prose nor C has names of its own.
    text = OTHER.sub("", page.read_text(encoding="utf-8"))
    found = set(re.findall(r"\b(?:uvsmtp|UVSMTP)_(?!_)\w+", text))
    return [f"{page.relative_to(root)}: {name} is not declared"
            for name in sorted(found)
            if name not in names and not name.endswith("_")]


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
    root, write = Path(sys.argv[1]), "--write" in sys.argv[2:]
    pages = [root / "README.md", root / "CHANGELOG.md",
             root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md"))]
    problems = []
    quotable, quoted = parts(root), set()
    known = declared.names(root) | variables(root)
    for page in pages:
        problems += check_quotes(root, page, quotable, quoted, write)
        problems += check_names(root, page, known)
        problems += check_links(root, page)
    problems += [f"{file}: nobody quotes {name}"
                 for file, name in sorted(set(quotable) - quoted)]
    readme = (root / "README.md").read_text(encoding="utf-8")
    if not any(file == "embed.c" for file, _, _, _ in FENCE.findall(readme)):
        problems.append("README.md: does not quote embed.c")
    names = outcomes(root)
    if len(names) != 5:
        problems.append(f"types.h: outcomes not understood: {names}")
    problems += [f"README.md: no row for the outcome {name}" for name in names
                 if f"| `{name}` |" not in readme]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
