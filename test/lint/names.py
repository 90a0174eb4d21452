#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the library shows to others, and what it keeps.

usage: names.py SOURCE_ROOT SHARED_LIBRARY ARCHIVE...

 - the shared library exports exactly what test/lint/symbols.txt lists, which is
   what the public headers declare UVSMTP_EXTERN;
 - public names begin with uvsmtp_, names shared between files with uvsmtp__;
 - there is no writable data: neither in the shared library nor, section by
   section, in the objects of the archives. The tables of lib/sasl are excused:
   see RELOCATED.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

# Symbols that the toolchain's start files and linker put into any library.
TOOLCHAIN = {
    "completed.0", "__dso_handle", "__TMC_END__", "_DYNAMIC", "_edata", "_end",
    "__bss_start", "_GLOBAL_OFFSET_TABLE_", "__frame_dummy_init_array_entry",
    "__do_global_dtors_aux_fini_array_entry",
}

# Mechanisms are structs with functions in them, so that callers may bring their
# own: constant, but for their addresses, which the loader writes before anybody
# runs and then protects. Nothing else needs that.
RELOCATED = re.compile(r"\.data\.rel\.ro(\.local)?")
RELOCATED_OBJECT = re.compile(r"sasl_\w+\.c\.o(?:bj)?")

WRITABLE = re.compile(r"\.(data|bss|tdata|tbss)(\..*)?|COMMON")


def run(program, *args):
    return subprocess.run([os.environ.get(program.upper(), program), *args],
                          check=True, capture_output=True, text=True).stdout


def writable(section):
    # Relocated data too: it is written to, if only once.
    return WRITABLE.fullmatch(section) is not None


def excused(member, section):
    return (RELOCATED_OBJECT.fullmatch(Path(member).name) is not None
            and RELOCATED.fullmatch(section) is not None)


def symbols(library):
    """Of each symbol its object, name and section."""
    member = library
    for line in run("objdump", "-t", library).splitlines():
        if ":     file format" in line:
            member = line.split(":")[0]
        match = re.match(r"[0-9a-f]+ .{7} (\S+)\t[0-9a-f]+\s+(?:\.\w+ )?(\S+)$",
                         line)
        if match:
            yield member, match.group(2), match.group(1)


def declared(root):
    names = set()
    for path in [root / "include/uvsmtp.h",
                 *sorted((root / "include/uvsmtp").glob("*.h"))]:
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        text = re.sub(r"^\s*#(?:.*\\\n)*.*$", "", text, flags=re.M)
        for match in re.finditer(r"\bUVSMTP_EXTERN\b([^;]*);", text):
            function = re.search(r"\b(\w+)\s*\(", match.group(1))
            names.add(function.group(1) if function else match.group(0))
    return names


def check_exports(root, shared):
    listed = [line.strip() for line in
              (root / "test/lint/symbols.txt").read_text().splitlines()
              if line.startswith("  ")]
    exported = {line.split()[-1] for line in
                run("nm", "-D", "--defined-only", shared).splitlines()}
    problems = []
    if not exported:
        problems.append(f"{shared}: exports nothing")
    if listed != sorted(set(listed)):
        problems.append("symbols.txt: not sorted, or a name twice")
    for name in sorted(exported - set(listed)):
        problems.append(f"{shared}: exports {name}, not in symbols.txt")
    for name in sorted(set(listed) - exported):
        problems.append(f"symbols.txt: {name} is not exported")
    for name in sorted(declared(root) ^ set(listed)):
        problems.append(f"{name}: in the headers or in symbols.txt only")
    for name in sorted(exported):
        if not re.fullmatch(r"uvsmtp_[a-z0-9]\w*", name):
            problems.append(f"{name}: exported, but not uvsmtp_...")
    return problems, exported


def check_globals(archive, exported):
    problems = []
    for line in run("nm", "-g", "--defined-only", archive).splitlines():
        parts = line.split()
        if len(parts) != 3:
            continue
        name = parts[2]
        if name not in exported and not name.startswith("uvsmtp__"):
            problems.append(f"{archive}: {name}: shared between files, but "
                            "neither public nor uvsmtp__...")
    return problems


def check_data(shared, archives):
    problems = []
    relocated = {name for archive in archives
                 for member, name, section in symbols(archive)
                 if excused(member, section)}
    for _, name, section in symbols(shared):
        if (not writable(section) or name in TOOLCHAIN or name.startswith(".")
                or (name in relocated and RELOCATED.fullmatch(section))):
            continue
        problems.append(f"{shared}: {name} in {section}")
    for archive in archives:
        member = archive
        sections = 0
        for line in run("objdump", "-h", archive).splitlines():
            if ":     file format" in line:
                member = line.split(":")[0]
            match = re.match(r"\s*\d+\s+(\S+)\s+([0-9a-f]+)\s", line)
            if not match:
                continue
            sections += 1
            if (writable(match.group(1)) and int(match.group(2), 16) != 0
                    and not excused(member, match.group(1))):
                problems.append(f"{member}: {int(match.group(2), 16)} octets "
                                f"of writable data in {match.group(1)}")
        if sections == 0:
            problems.append(f"{archive}: no sections")
    return problems


def main():
    root, shared, archives = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    problems, exported = check_exports(root, shared)
    for archive in archives:
        problems += check_globals(archive, exported)
    problems += check_data(shared, archives)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
