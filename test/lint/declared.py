# SPDX-License-Identifier: MIT
"""The names that the public headers declare, for the lints that read what is
written about them."""

import re

COMMENT = re.compile(r"/\*.*?\*/", re.S)
# A table such as UVSMTP_STATE_MAP, and the enum that is made from it.
TABLE = re.compile(r"^#define (UVSMTP_\w+_MAP)\(XX\)((?:.*\\\n)*.*)$", re.M)
MADE = re.compile(r"^#define XX\(name,[^)]*\) (\w*)##name = value,\n"
                  r"\s*(UVSMTP_\w+_MAP)\(XX\)", re.M)
NAME = re.compile(r"\b(?:uvsmtp|UVSMTP)_\w+")


def names(root):
    """Every uvsmtp_... and UVSMTP_... of include/, enum values that come from a
    table among them."""
    text = "".join(
        COMMENT.sub(" ", path.read_text(encoding="utf-8"))
        for path in sorted((root / "include").rglob("*.h")))
    tables = {name: re.findall(r"\bXX\((\w+),", rows)
              for name, rows in TABLE.findall(text)}
    made = {prefix + row for prefix, table in MADE.findall(text)
            for row in tables[table]}
    if len(made) < 20:
        raise SystemExit(f"include/: only {len(made)} names found in tables")
    return made | set(NAME.findall(text))
