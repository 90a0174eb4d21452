#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mandoc has nothing to say against the man page.

usage: manual.py SOURCE_ROOT
"""

import shutil
import subprocess
import sys
from pathlib import Path


def main():
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        print("mandoc is missing (package mandoc)")
        return 77
    done = subprocess.run(
        [mandoc, "-T", "lint", "-W", "style",
         Path(sys.argv[1]) / "tool/uvsmtp.1"],
        check=False, text=True, capture_output=True)
    print(done.stdout + done.stderr, end="")
    return 1 if done.returncode != 0 or done.stdout else 0


if __name__ == "__main__":
    sys.exit(main())
