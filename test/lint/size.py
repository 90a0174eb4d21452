#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files of at most 500 lines, functions of about 60.

usage: size.py SOURCE_ROOT

Relies on the format that clang-format gives: a function begins on a line that
starts in the first column, and ends with a lone brace in that column.
"""

import sys
from pathlib import Path

FILE_LINES = 500
FUNCTION_LINES = 65


def functions(lines):
    """Yields (first line, number of lines), from the signature to its end."""
    start = None
    for number, line in enumerate(lines, 1):
        if line and line[0] not in " \t#}/*\n{":
            start = number
        if line == "}" and start is not None:
            yield start, number - start + 1
            start = None


def main():
    root = Path(sys.argv[1])
    problems = []
    files = 0
    found = 0
    for top in ("include", "lib", "tool"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".c", ".h", ".def"):
                continue
            files += 1
            lines = path.read_text(encoding="utf-8").splitlines()
            name = path.relative_to(root)
            if len(lines) > FILE_LINES:
                problems.append(f"{name}: {len(lines)} lines, "
                                f"at most {FILE_LINES}")
            for start, count in functions(lines):
                found += 1
                if count > FUNCTION_LINES:
                    problems.append(f"{name}:{start}: a function of {count} "
                                    f"lines, at most {FUNCTION_LINES}")
    if files == 0 or found == 0:
        problems.append("no file or no function found")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
