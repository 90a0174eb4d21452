#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints a public header as Doxygen wants it.

usage: doxyfilter.py HEADER

The headers are written for people who read them: plain comments, a line of
dashes where a subject begins, one comment over a few functions that belong
together. What Doxygen needs is made of that here, line by line, so that its
warnings point at the right lines:

 - the comment at the top is that of the file;
 - a comment right before a declaration, or behind it on its line, is its own;
 - functions, macros and types right behind a documented one share its comment;
 - a line of dashes begins a group, as a header without one is;
 - an enum that is made from a table is written out with the table's texts;
 - what is the same everywhere needs no comment: `size`, the number `nthings`
   behind `things`, `hook_arg` behind `hook`, configurations, sets of flags,
   initialisers, include guards;
 - from "private from here" on a struct is not for anybody.
"""

import re
import sys
from pathlib import Path

SECTION = re.compile(r"/\* -{5,} (.+?) \*/")
TABLE = re.compile(r"#define (UVSMTP_\w+_MAP)\(XX\)((?:.*\\\n)*.*)")
MADE = re.compile(r"#define XX\(name,[^)]*\) (\w*)##name = value,\n"
                  r"\s*(UVSMTP_\w+_MAP)\(XX\)\n#undef XX\n")
ROW = re.compile(r"\bXX\((\w+), (-?\d+),(.*?)\"([^\"]*)\"\)(?=\s*(?:XX|$))",
                 re.S)
INITIALISER = re.compile(r"#define UVSMTP_(\w+)_INIT\b")
SHARED = re.compile(r"UVSMTP_EXTERN |#define UVSMTP_|typedef ")
MEMBERS = (
    (re.compile(r"\s+size_t size;$"), "Its size, set by the initialiser."),
    (re.compile(r"\s+size_t n(\w+);$"), "How many there are in {}."),
    (re.compile(r"\s+void\* (\w+)_arg;$"), "The first argument of {}."),
)
TYPES = (
    (re.compile(r"typedef struct uvsmtp_(\w+)_config_s {$"),
     "What a uvsmtp_{}_t is made with."),
    (re.compile(r"enum uvsmtp_(\w+)_flags {$"), "The flags of a uvsmtp_{}_t."),
)
# Headers that are one subject.
GROUPS = {"errors.h": "errors", "file.h": "body files",
          "params.h": "parameters", "printer.h": "trace printer",
          "proto.h": "the engine", "send.h": "sending", "version.h": "version"}


def escape(text):
    """What is no command to Doxygen."""
    return re.sub(r"([\\@<>#&%\"])", r"\\\1", text)


def written_out(text):
    """Enums with their tables' rows as values."""
    tables = dict(TABLE.findall(text))

    def rows(match):
        prefix, table = match.groups()
        body = tables[table].replace("\\\n", "\n")
        values = [f"{prefix}{name} = {value}, /**< {escape(words)} */"
                  for name, value, _, words in ROW.findall(body)]
        if len(values) != body.count("XX("):
            sys.exit(f"{table}: {len(values)} of {body.count('XX(')} rows "
                     "understood")
        # As many lines as before.
        return " ".join(values) + "\n" * match.group().count("\n")

    return MADE.sub(rows, text)


class Filter:
    def __init__(self, name):
        self.name = name
        self.out = []
        self.comment = None  # the last one before a declaration
        self.fresh = False  # nothing but comment since then
        self.group = False
        self.private = False
        self.first = True

    def emit(self, text):
        self.out.append(text)

    def section(self, title):
        """Begins a group, with a name that is the same in every run."""
        word = "group_" + re.sub(r"\W+", "_", title.lower())
        end = "/** @} */ " if self.group else ""
        self.group = True
        title = title[0].upper() + title[1:]
        return f"{end}/** @defgroup {word} {title} */ /** @{{ */"

    def leading(self, text):
        """A comment on lines of its own."""
        body = text[2:-2]
        if "SPDX-License-Identifier" in body:
            return "\n" * text.count("\n")
        if self.first:
            self.first = False
            group = GROUPS.get(self.name)
            # The name that it begins with is not part of the sentence.
            brief = re.sub(r"^\s*(\S+): ", r" \1 @brief ", escape(body))
            return (f"/** @file{brief} */" +
                    (" " + self.section(group) if group else ""))
        title = SECTION.fullmatch(text)
        if title:
            return self.section(title.group(1))
        self.comment = body
        self.fresh = True
        return f"/**{escape(body)}*/"

    def code(self, line):
        """A line without comment on it."""
        if re.match(r"#define UVSMTP(_\w+)?_H$", line) or \
                line.startswith("#define UVSMTP_EXTERN"):
            return ""
        match = INITIALISER.match(line)
        if match and not self.fresh:
            return (f"/** Initialises a uvsmtp_{match.group(1).lower()}_t, as "
                    f"every one has to be. */ {line}")
        for kind, words in TYPES:
            match = kind.match(line)
            if match and not self.fresh:
                return f"/** {words.format(*match.groups())} */ {line}"
        if SHARED.match(line) and not self.fresh and self.comment:
            flat = re.sub(r"\s*\n\s*(\* ?)?", " ", escape(self.comment))
            return f"/**{flat}*/ {line}"
        for member, words in MEMBERS:
            match = member.match(line)
            if match and not self.fresh:
                return f"{line} /**< {words.format(*match.groups())} */"
        return line

    def run(self, text):
        at = 0
        while at < len(text):
            line_end = text.find("\n", at)
            line_end = len(text) if line_end < 0 else line_end
            start = text.find("/*", at, line_end)
            if start < 0 or text.startswith("/**<", start):
                self.plain(text[at:line_end])
                at = line_end + 1
                continue
            end = text.index("*/", start) + 2
            line_end = text.find("\n", end)
            before, comment = text[at:start], text[start:end]
            if before.strip():
                self.trailing(before, comment, text[end:line_end])
            else:
                self.emit(self.leading(comment) + text[end:line_end])
            at = line_end + 1
        if self.group:
            self.emit("/** @} */")
        return "\n".join(self.out) + "\n"

    def plain(self, line):
        if line == "" or line.startswith("}"):
            # What follows has nothing to do with what was.
            self.comment = None
        if line.startswith("}") and self.private:
            self.private = False
            self.emit(f"/** @endcond */ {line}")
            return
        self.emit(self.code(line))
        if line:
            self.fresh = False

    def trailing(self, before, comment, after):
        """A comment behind a member or a value. After a macro it stays."""
        self.fresh = False
        if before.startswith("#"):
            self.emit(before + comment + after)
            return
        self.emit(f"{before}/**< {escape(comment[2:-2].strip())} */{after}")
        if "private from here" in comment:
            self.private = True
            self.emit_on_last("/** @cond */")

    def emit_on_last(self, text):
        self.out[-1] += " " + text


def main():
    path = Path(sys.argv[1])
    sys.stdout.write(Filter(path.name).run(
        written_out(path.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
