#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The options of the command line are the same everywhere they are told.

usage: options.py SOURCE_ROOT TOOL

What --help says of each command, the man page, the README's table, and the
completion, which is run by a real bash and leaves out those of one letter. The
README also says which options probe has.
"""

import re
import subprocess
import sys
from pathlib import Path

COMMANDS = ("send", "probe")
HELP = re.compile(r"^  (--[a-z0-9-]+|-[A-Za-z]\b)", re.M)
PAGE = re.compile(r"^\.It Fl (-[a-z0-9-]+|[A-Za-z]\b)(.*)\n(\.Pq Cm send)?",
                  re.M)
ROW = re.compile(r"^\| (`-[^|]*)\|", re.M)
OPTION = re.compile(r"`(--[a-z0-9-]+|-[A-Za-z]\b)")
PROBE = re.compile(r"^Of the options above it takes (.*?)\.\n", re.M | re.S)

# Prints what the completion makes of "uvsmtp COMMAND --".
SCRIPT = """
source "$1"
COMP_WORDS=(uvsmtp "$2" --)
COMP_CWORD=2
_uvsmtp
printf '%s\\n' "${COMPREPLY[@]}"
"""


def run(*args):
    return subprocess.run([str(a) for a in args], check=True, text=True,
                          capture_output=True).stdout


def main():
    root, tool = Path(sys.argv[1]), sys.argv[2]
    helps = {c: set(HELP.findall(run(tool, c, "--help"))) for c in COMMANDS}
    if any(len(options) < 5 for options in helps.values()):
        sys.exit(f"--help is not understood: {helps}")
    both = helps["send"] | helps["probe"]
    told = {}

    page = PAGE.findall((root / "tool/uvsmtp.1").read_text())
    told["the man page"] = both, {f"-{name}" for name, _, _ in page}
    told["the man page, of probe"] = helps["probe"], {
        f"-{name}" for name, _, mark in page if not mark}

    readme = (root / "README.md").read_text(encoding="utf-8")
    # sendmail has more of one letter than --help has room for.
    told["the README's table"] = both - {"--help"}, {
        option for row in ROW.findall(readme) for option in OPTION.findall(row)
        if option in both or option.startswith("--")}
    mine = PROBE.search(readme)
    told["the README, of probe"] = helps["probe"] - {"--help"}, set(
        OPTION.findall(mine.group(1)) if mine else ())

    for command in COMMANDS:
        told[f"the completion of {command}"] = {
            option for option in helps[command] if option[1] == "-"}, set(
            run("bash", "-c", SCRIPT, "bash", root / "tool/uvsmtp.bash",
                command).split())

    problems = 0
    for where, (wanted, got) in told.items():
        for option in sorted(wanted - got):
            print(f"{where} lacks {option}")
        for option in sorted(got - wanted):
            print(f"{where} has {option}, which --help has not")
        problems += wanted != got
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
