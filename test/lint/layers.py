#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file's directory is its layer, and includes point down only.

usage: layers.py SOURCE_ROOT [CORE_ARCHIVE]

Checks every #include of the sources against the table below. With the archive
of the pure engine, also that nothing in it needs a symbol of anyone else's but
the few functions on memory and strings that compilers may call by themselves:
so no I/O, clock, allocation or environment can be reached from it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

C_HEADERS = r"<(stddef|stdint|string|limits|stdbool|errno)\.h>"
PUBLIC_PURE = (r'"uvsmtp/(auth|types|errors|message|params|printer|proto|tls|'
               r'version)\.h"')
SYSTEM = r"<[a-z0-9_/]+\.h>"
OWN = r'"[a-z0-9_]+\.(h|def)"'

# Directory: what its files may include, as patterns over the whole operand.
# Tests may include anything; that they reach inside is their purpose.
LAYERS = {
    "include/uvsmtp": [C_HEADERS, PUBLIC_PURE, r'"uvsmtp\.h"'],
    "include": [C_HEADERS, r"<uv\.h>", PUBLIC_PURE, r'"uvsmtp/(file|send)\.h"'],
    "lib/core": [C_HEADERS, PUBLIC_PURE, r'"core/[a-z0-9_]+\.(h|def)"'],
    "lib/tls": [SYSTEM, r"<mbedtls/[a-z0-9_]+\.h>", r"<psa/crypto\.h>",
                PUBLIC_PURE, r'"(core/(ascii|buf|mem|queue)|tls/[a-z0-9_]+|idn)\.h"'],
    "lib/sasl": [C_HEADERS, r"<mbedtls/[a-z0-9_]+\.h>", r"<psa/crypto\.h>",
                 PUBLIC_PURE, r'"(core/(ascii|auth|buf|mem|queue)|sasl/[a-z0-9_]+)\.h"'],
    "lib/message": [C_HEADERS, PUBLIC_PURE,
                    r'"(core/(ascii|buf|command|date|mem)|message/[a-z0-9_]+)\.h"'],
    "lib/uv": [SYSTEM, r'"uvsmtp\.h"', PUBLIC_PURE,
               r'"((core|uv)/[a-z0-9_]+|tls/tls|message/message|idn)\.h"'],
    "lib": [C_HEADERS, r"<stdlib\.h>", r"<uv\.h>", r"<idn2\.h>",
            r'"core/mem\.h"', r'"idn\.h"', r'"uvsmtp/(errors|version)\.h"'],
    "tool": [SYSTEM, r"<uvsmtp(/[a-z]+)?\.h>", r'"uvsmtp\.h"', PUBLIC_PURE,
             OWN],
    # The sink's end of TLS, and the floors that ours is measured against.
    "bench": [SYSTEM, r"<mbedtls/[a-z0-9_]+\.h>", r"<psa/crypto\.h>",
              r"<uvsmtp(/[a-z]+)?\.h>", r'"uvsmtp\.h"', PUBLIC_PURE, OWN],
    # Programs of others, and nothing of ours.
    "bench/peers": [SYSTEM, r"<curl/curl\.h>"],
    "docs": [SYSTEM, r'"core/[a-z0-9_]+\.(h|def)"', OWN],
    "docs/examples": [SYSTEM, r"<uvsmtp(/[a-z]+)?\.h>", r'"uvsmtp\.h"',
                      PUBLIC_PURE],
}

ALLOWED_SYMBOLS = {
    "memchr", "memcmp", "memcpy", "memmove", "memset", "memrchr",
    "strchr", "strcmp", "strcspn", "strlen", "strncmp", "strspn",
    # What the compiler adds for position-independent and hardened code.
    "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail",
    "__memcpy_chk", "__memmove_chk", "__memset_chk",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(\S+)')


def check_includes(root):
    problems = []
    checked = 0
    for directory, patterns in LAYERS.items():
        for path in sorted((root / directory).glob("*")):
            if path.suffix not in (".c", ".h", ".def"):
                continue
            checked += 1
            text = path.read_text(encoding="utf-8")
            for number, line in enumerate(text.splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                operand = match.group(1)
                if not any(re.fullmatch(p, operand) for p in patterns):
                    problems.append(f"{path.relative_to(root)}:{number}: "
                                    f"{directory} may not include {operand}")
    if checked == 0:
        problems.append("no source file found")
    # A directory without a row in the table would go unchecked.
    for top in ("include", "lib", "tool", "bench", "docs"):
        for path in sorted((root / top).rglob("*.[ch]")):
            directory = str(path.parent.relative_to(root))
            if directory not in LAYERS:
                problems.append(f"{path.relative_to(root)}: unknown layer")
    return problems


def nm(*args):
    return subprocess.run([os.environ.get("NM", "nm"), *args], check=True,
                          capture_output=True, text=True).stdout


def check_symbols(archive):
    defined = set()
    for line in nm("--defined-only", archive).splitlines():
        parts = line.split()
        if len(parts) == 3:
            defined.add(parts[2])
    undefined = {}
    member = "?"
    for line in nm("-A", "-u", archive).splitlines():
        member, _, rest = line.rpartition(":")
        parts = rest.split()
        if parts:
            undefined.setdefault(parts[-1], member)
    problems = []
    if not defined:
        problems.append(f"{archive}: no symbols")
    for symbol, where in sorted(undefined.items()):
        if symbol not in defined and symbol not in ALLOWED_SYMBOLS:
            problems.append(f"{where}: the engine needs {symbol}")
    return problems


def main():
    problems = check_includes(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        problems += check_symbols(sys.argv[2])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
