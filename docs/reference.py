#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the reference of the public interface from the comments of the headers.

usage: reference.py DOXYGEN SOURCE_ROOT OUTPUT

Writes OUTPUT/html. Whatever Doxygen warns of is an error: a function, a member
or a value that has no comment, a name that a comment gets wrong.
"""

import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

# In the order in which a user meets them.
HEADERS = ("uvsmtp.h", "uvsmtp/types.h", "uvsmtp/params.h", "uvsmtp/send.h",
           "uvsmtp/message.h", "uvsmtp/tls.h", "uvsmtp/auth.h", "uvsmtp/file.h",
           "uvsmtp/printer.h", "uvsmtp/errors.h", "uvsmtp/proto.h",
           "uvsmtp/version.h")

SETTINGS = """
PROJECT_NAME = uvsmtp
PROJECT_NUMBER = "{version}"
PROJECT_BRIEF = "SMTP and LMTP client sessions on a libuv loop"
OUTPUT_DIRECTORY = "{output}"
INPUT = {headers} "{docs}/reference.dox"
STRIP_FROM_PATH = "{include}"
STRIP_FROM_INC_PATH = "{include}"
FILTER_PATTERNS = "*.h=\\"{python}\\" -B \\"{docs}/doxyfilter.py\\""
OPTIMIZE_OUTPUT_FOR_C = YES
TYPEDEF_HIDES_STRUCT = YES
MARKDOWN_SUPPORT = NO
SORT_MEMBER_DOCS = NO
SORT_BRIEF_DOCS = NO
JAVADOC_AUTOBRIEF = YES
HIDE_SCOPE_NAMES = YES
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = UVSMTP_EXTERN= __GNUC__=4 DOXYGEN=1
SEARCH_INCLUDES = NO
SOURCE_BROWSER = NO
VERBATIM_HEADERS = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
XML_PROGRAMLISTING = NO
HTML_TIMESTAMP = NO
HAVE_DOT = NO
QUIET = YES
WARNINGS = YES
WARN_IF_UNDOCUMENTED = YES
WARN_IF_DOC_ERROR = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
WARN_FORMAT = "$file:$line: $text"
"""


def version(include):
    text = (include / "uvsmtp/version.h").read_text(encoding="utf-8")
    return re.search(r'UVSMTP_VERSION_STRING "(.*)"', text).group(1)


def undocumented_values(output):
    """Values of enums, which Doxygen of this age says nothing about."""
    for page in sorted((output / "xml").glob("*.xml")):
        for value in xml.parse(page).iter("enumvalue"):
            words = [*value.find("briefdescription").itertext(),
                     *value.find("detaileddescription").itertext()]
            if not "".join(words).strip():
                yield f"value {value.find('name').text} is not documented\n"


def make(doxygen, root, output, include=None):
    """What Doxygen complained of, or "". include: other headers than ours."""
    include = include or root / "include"
    output.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS.format(
        version=version(include), output=output, include=include,
        docs=root / "docs", python=sys.executable,
        headers=" ".join(f'"{include / name}"' for name in HEADERS))
    done = subprocess.run([doxygen, "-"], input=settings, text=True,
                          capture_output=True)
    if done.returncode != 0 and not done.stderr:
        return f"{doxygen} ended with {done.returncode}\n{done.stdout}"
    return done.stderr + "".join(sorted(set(undocumented_values(output))))


def main():
    doxygen, root, output = sys.argv[1], *map(Path, sys.argv[2:4])
    complaints = make(doxygen, root.resolve(), output.resolve())
    if complaints:
        sys.stderr.write(complaints)
        return 1
    print(f"{output / 'html/index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
