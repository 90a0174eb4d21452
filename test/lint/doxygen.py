#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reference is made without a complaint, and one without comments is not.

usage: doxygen.py SOURCE_ROOT DOXYGEN

Makes it as "meson compile -C build reference" does, in a scratch directory.
Then from a copy of the headers in which some comments are left out: each must
be noticed, so that the first result means something.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

# In which header, what is replaced by what, and what must be complained about.
SPOILT = (
    ("uvsmtp.h", "/* NOOP: is the server still there? */\n", "\n",
     "uvsmtp_noop"),
    ("uvsmtp.h", "/* Where to connect to, and how. */\n", "\n",
     "uvsmtp_target_t"),
    ("uvsmtp/types.h", "/* at least one; or NULL, likewise */", "", "rcpts"),
    ("uvsmtp/types.h", "/* its transaction had not begun */", "",
     "UVSMTP_OUTCOME_NOT_ATTEMPTED"),
    ("uvsmtp/tls.h", "/* it is another server's (RFC 9525) */", "",
     "UVSMTP_TLS_WRONG_NAME"),
    ("uvsmtp/auth.h", "/* A token is wanted. */\n", "\n",
     "uvsmtp_token_query_t"),
    ("uvsmtp/version.h", "/* The version of these headers. */\n", "\n",
     "UVSMTP_VERSION_MAJOR"),
)
PAGES = {
    "group__group__session.html": ("uvsmtp_noop", "uvsmtp_target_t"),
    "group__group__sending.html": ("uvsmtp_send_message", "uvsmtp_xclient"),
    "group__group__envelope.html": ("uvsmtp_source_message",),
    "group__group__composing.html": ("uvsmtp_compose", "uvsmtp_draft_t"),
    "group__group__parameters.html": ("UVSMTP_DSN_DELAY",),
    "group__group__errors.html": ("UVSMTP_ERECIPIENTS", "every recipient"),
    "group__group__states.html": ("UVSMTP_STATE_LAST_TEXT", "last chunk"),
    "group__group__tls__settings.html": ("uvsmtp_tls_new", "verify hook"),
    "group__group__credentials.html": ("uvsmtp_credentials_new", "wiped"),
    "group__group__body__files.html": ("uvsmtp_source_path",),
    "group__group__trace__printer.html": ("uvsmtp_printer_init",),
    "structuvsmtp__message__t.html": ("mail_options", "rcpt_options"),
    "index.html": ("group__group__environment.html",),
}


def main():
    root, doxygen = Path(sys.argv[1]).resolve(), sys.argv[2]
    sys.path.insert(0, str(root / "docs"))
    from reference import HEADERS, make

    missing = {str(path.relative_to(root / "include"))
               for path in (root / "include").rglob("*.h")} ^ set(HEADERS)
    problems = [f"not in reference.py, or only there: {name}"
                for name in sorted(missing)]
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        complaints = make(doxygen, root, scratch / "out")
        if complaints:
            problems.append(complaints)
        for name, words in PAGES.items():
            page = scratch / "out/html" / name
            text = page.read_text(encoding="utf-8") if page.exists() else ""
            problems += [f"{name}: does not say {word}" for word in words
                         if word not in text]
        # All in one copy: without them there was no complaint.
        include = scratch / "include"
        shutil.copytree(root / "include", include)
        for name, old, new, _ in SPOILT:
            text = (include / name).read_text(encoding="utf-8")
            if text.count(old) != 1:
                problems.append(f"{name}: no {old!r} to leave out")
            (include / name).write_text(text.replace(old, new),
                                        encoding="utf-8")
        complaints = make(doxygen, root, scratch / "spoilt", include)
        problems += [f"{name} without {old!r}: {complaints!r}"
                     for name, old, _, word in SPOILT
                     if not re.search(rf"\b{word}\b", complaints)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
