#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing in the tree is forgotten.

usage: tree.py SOURCE_ROOT

 - every source file says its licence in its first line (its second after #! or
   an XML declaration), whatever kind of file it is;
 - every file that the build should know stands in a meson.build: sources of the
   library, tools and tests, and scripted dialogues;
 - no source file has tabs, trailing blanks or a missing last line end.
"""

import sys
from pathlib import Path

TOPS = ("include", "lib", "tool", "bench", "docs", "test", ".ci")
ROOT_FILES = ("meson.build", "meson_options.txt", "dev", ".clang-format",
              ".editorconfig", ".gitignore", "README.md", "CHANGELOG.md",
              "CONTRIBUTING.md")
# What has no place for a comment, or is a message octet by octet.
SILENT = {".eml", ".png", ".pyc"}
# Blanks mean something there, or come from a program.
BLANKS = {".conv", ".svg"}
# Written in two so that reuse does not take it for this file's own.
SPDX = "SPDX-License-" "Identifier: MIT"


def sources(root):
    for name in ROOT_FILES:
        yield root / name
    for top in TOPS:
        for path in sorted((root / top).rglob("*")):
            if (path.is_file() and path.suffix not in SILENT and
                    not path.name.startswith(".")):
                yield path


def check_text(root, path):
    name = path.relative_to(root)
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    problems = []
    first = 1 if lines and lines[0].startswith(("#!", "<?xml")) else 0
    if len(lines) <= first or SPDX not in lines[first]:
        problems.append(f"{name}: no licence line")
    if not text.endswith("\n"):
        problems.append(f"{name}: the last line does not end")
    if path.suffix in BLANKS:
        return problems
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            problems.append(f"{name}:{number}: a tab")
        if line != line.rstrip():
            problems.append(f"{name}:{number}: trailing blanks")
    return problems


def check_listed(root):
    """Each file is named, with or without its suffix, by a meson.build above
    it."""
    problems = []
    wanted = [*(root / "lib").rglob("*.c"), *(root / "tool").glob("*.c"),
              *(root / "bench").glob("*.c"),
              *(root / "docs/examples").glob("*.c"),
              *(root / "docs/examples").glob("*.cc"),
              *(root / "test").rglob("*.c"),
              *(root / "test").rglob("test_*.py"),
              *(root / "test/lint").glob("*.py"),
              *(root / "test/conv").glob("*.conv")]
    for path in sorted(wanted):
        directory = path.parent
        text = ""
        while directory != root.parent:
            build = directory / "meson.build"
            if build.exists():
                text += build.read_text(encoding="utf-8")
            directory = directory.parent
        # Sources shared by several directories are named by those.
        if path.parent.name == "support":
            for build in (root / "test").rglob("meson.build"):
                text += build.read_text(encoding="utf-8")
        stem = path.stem
        names = {path.name, stem, stem.removeprefix("test_")}
        if not any(f"{name}'" in text for name in names):
            problems.append(f"{path.relative_to(root)}: in no meson.build")
    return problems


def main():
    root = Path(sys.argv[1])
    problems = []
    for path in sources(root):
        problems += check_text(root, path)
    problems += check_listed(root)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
