# SPDX-License-Identifier: MIT
"""Python's smtplib and the session API do the same: the same calls, one after
the other, against the same scripted server. Arguments: the program of
session.c, SINK.

For each call the class of the result, the reply's code and text, the map of
refused recipients and what the session is afterwards must be equal, and so must
what the server was told, octet for octet. Where the two differ on purpose, the
script says so with a name of DIFFERENCES, and what is then expected of ours; a
difference that is none any more fails, and so does one that no script shows.
"""
import contextlib
import io
import re

import client
from both import check_listed, compare, play, replaced
from pair import InGroups, Ours, Theirs
from scripts import CONNECT, DIFFERENCES, NOOP, SCRIPTS, Script


class Scripts(client.Case):
    """Each script, by both."""
    maxDiff = None

    def test_differences(self):
        check_listed(self, SCRIPTS, DIFFERENCES)

    def test_debug(self):
        """Both print what is said on standard error, with the time if asked.
        smtplib: 15"""
        for level in (0, 1, 2):
            calls = [("debug", level), CONNECT, NOOP, ("quit",)]
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                play(Script(calls), Theirs)
            texts = [said.getvalue(), play(Script(calls), Ours)[3]]
            for text in texts:
                with self.subTest(level=level, text=text):
                    lines = text.splitlines()
                    times = [line for line in lines
                             if re.match(r"\d\d:\d\d:\d\d", line)]
                    self.assertEqual(len(times), len(lines) * (level == 2))
                    self.assertEqual([word for word in ("220", "noop", "250")
                                      if word in text.lower()],
                                     ["220", "noop", "250"] if level else [])


@client.add_tests(Scripts, "script", {
    name: (script,) for name, script in SCRIPTS.items()})
def same(case, script):
    theirs, told, from_there, _ = play(script, Theirs)
    ours, told_by_us, from_here, _ = play(script, Ours)
    compare(case, script, theirs, ours)
    case.assertEqual(told_by_us, replaced(told, script.wire))
    case.assertEqual(from_here, from_there)


# The order in which things are said is another then, what comes of them not.
@client.add_tests(Scripts, "grouped", {
    name: (script,) for name, script in SCRIPTS.items()
    if "PIPELINING" in script.extensions and
    {"sendmail", "send_message"} & {call[0] for call in script.calls}})
def same_in_groups(case, script):
    theirs, *_ = play(script, Theirs)
    ours, *_ = play(script, InGroups)
    compare(case, script, theirs, ours)


if __name__ == "__main__":
    client.main()
