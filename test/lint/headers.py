#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles alone, and twice, without a warning.

usage: headers.py SOURCE_ROOT CC CXX

The public ones as strict C11 and as C++17, together with their initialisers;
the internal ones as C11. CC and CXX are commands, split at blanks; the flags of
libuv and Mbed TLS come from pkg-config.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
            "-Wundef", "-Werror"]
# libuv's header needs POSIX names, which strict C11 hides; nothing of ours does.
POSIX = "-D_POSIX_C_SOURCE=200809L"


def flags_of(package, check=True):
    flags = subprocess.run(
        [os.environ.get("PKG_CONFIG", "pkg-config"), "--cflags", package],
        check=check, capture_output=True, text=True).stdout.split()
    return [flag.replace("-I", "-isystem", 1) for flag in flags]


def initialisers(text):
    """A function that uses each initialiser macro of a header."""
    lines = []
    for match in re.finditer(r"^#define UVSMTP_(\w+)_INIT(\()?", text, re.M):
        name = match.group(1)
        argument = {"RCPT": '("a")', "MECH": '("A", 0, NULL)', "REQUEST": "(UVSMTP_OP_NOOP)"}.get(
            name, "(0)") if match.group(2) else ""
        value = f"v{len(lines)}"
        lines.append(f"  uvsmtp_{name.lower()}_t {value} = "
                     f"UVSMTP_{name}_INIT{argument};\n  (void){value};\n")
    return ("void use(void);\nvoid use(void) {\n" + "".join(lines) + "}\n")


def compiles(command, language, source):
    done = subprocess.run(
        command + ["-fsyntax-only", "-x", language, "-"], input=source,
        capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def main():
    root = Path(sys.argv[1])
    cc, cxx = shlex.split(sys.argv[2]), shlex.split(sys.argv[3])
    strict_c = cc + ["-std=c11", "-Wstrict-prototypes", *WARNINGS]
    strict_cxx = cxx + ["-std=c++17", *WARNINGS]
    problems = []
    headers = 0

    public = [root / "include/uvsmtp.h",
              *sorted((root / "include/uvsmtp").glob("*.h"))]
    for path in public:
        headers += 1
        name = path.relative_to(root / "include")
        source = f'#include "{name}"\n' * 2 + initialisers(path.read_text())
        flags = [f"-I{root / 'include'}"]
        if str(name) in ("uvsmtp.h", "uvsmtp/file.h", "uvsmtp/send.h"):
            flags += [POSIX, *flags_of("libuv")]
        for command, language in ((strict_c, "c"), (strict_cxx, "c++")):
            good, text = compiles(command + flags, language, source)
            if not good:
                problems.append(f"include/{name} as {language}:\n{text}")

    for path in sorted((root / "lib").rglob("*.h")):
        headers += 1
        name = path.relative_to(root / "lib")
        flags = [f"-I{root / 'include'}", f"-I{root / 'lib'}",
                 "-Wno-unused-function"]
        if path.parent.name != "core":
            # Mbed TLS has a file of pkg-config's from 3.6 on.
            flags += ["-D_GNU_SOURCE", *flags_of("libuv"),
                      *flags_of("mbedtls", check=False)]
        # A translation unit may not be empty.
        source = f'#include "{name}"\n' * 2 + "extern int nothing;\n"
        good, text = compiles(strict_c + flags, "c", source)
        if not good:
            problems.append(f"lib/{name}:\n{text}")

    if headers == 0:
        problems.append("no header found")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
