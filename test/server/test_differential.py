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
import os
import re

import client
from pair import InGroups, Ours, Theirs
from processes import scratch
from recorder import Recorder
from scripts import CONNECT, DIFFERENCES, NOOP, SCRIPTS, Script


def plain(items):
    """What a server was told, without what differs everywhere."""
    lines = []
    for item in items:
        if isinstance(item, str):
            item = re.sub(r"^\w+( (from|to):)?", lambda m: m[0].upper(), item)
            item = re.sub(r"(?i) size=(\d+)", r" SIZE=\1", item)
        lines.append(item)
    return lines


def play(script, kind):
    """Makes the calls; the records, the sessions that the server saw, where
    they came from, and what ours printed."""
    path = os.path.join(scratch(), "s") if script.unix else None
    with Recorder(script.replies, script.extensions, script.lmtp,
                  path) as recorder:
        here = {"host": path or "127.0.0.1", "port": recorder.port or 0}
        one = kind(script.lmtp, script.name, script.timeout, script.source)
        records = []
        try:
            for call in script.calls:
                if call[0] == "server":
                    recorder.interrupt(*call[1:])
                    records.append(None)
                    continue
                if call == CONNECT:
                    call = ("connect", here)
                elif call[0] == "connect" and isinstance(call[1], str):
                    host = call[1].replace("%d", str(recorder.port))
                    call = ("connect", {"host": host})
                records.append(one.call(*call))
        finally:
            said = one.finish()
    return records, [plain(lines) for lines in recorder.sessions], \
        [peer[0] for peer in recorder.peers if peer], said


def expected(theirs, difference):
    """The fields that ours must have."""
    known = {"class", "ehlo", "helo"} if theirs["connected"] else {"class"}
    fields = {key: value for key, value in theirs.items()
              if value is not None or key in known}
    # OSError itself: smtplib's own, for a port that is no number.
    if theirs["class"] in ("ValueError", "OverflowError", "OSError"):
        fields["class"] = "refused EINVAL"
    if difference is None:
        return fields
    changed = {key: value for key, value in difference.fields.items()
               if key not in fields or fields[key] != value}
    if changed != difference.fields:
        raise AssertionError(f"no difference: {difference} from {theirs}")
    return {**fields, **changed}


def matches(line, wanted):
    if isinstance(line, str) and str(wanted).endswith("..."):
        return line.startswith(wanted[:-3])
    return line == wanted


def replaced(sessions, edits):
    """smtplib's sessions with the differences that are expected."""
    for edit in edits:
        lines = sessions[edit.session]
        at = [i for i in range(len(lines) + 1 - len(edit.theirs))
              if all(map(matches, lines[i:], edit.theirs))]
        if not at or edit.theirs == edit.ours:
            raise AssertionError(f"no difference: {edit} in {lines}")
        lines[at[0]:at[0] + len(edit.theirs)] = edit.ours
    return sessions


class Scripts(client.Case):
    """Each script, by both."""
    maxDiff = None

    def test_differences(self):
        """Each difference is shown, and each one shown is listed."""
        shown = {d.why for script in SCRIPTS.values() for d in
                 [*script.differs.values(), *script.wire]}
        self.assertEqual(shown, set(DIFFERENCES))

    def test_debug(self):
        """Both print what is said on standard error, with the time if asked."""
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


def compare(case, script, theirs, ours):
    """The results of the calls."""
    for i, call in enumerate(script.calls):
        if theirs[i] is None:
            continue
        wanted = expected(theirs[i], script.differs.get(i))
        if not ours[i]["connected"]:
            for key in ("esmtp", "ehlo", "helo", "extensions"):
                wanted.pop(key, None)
        got = {key: ours[i].get(key) for key in wanted}
        case.assertEqual(got, wanted, f"call {i}, {call}: {ours[i]}")


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
    any(call[0] == "sendmail" for call in script.calls)})
def same_in_groups(case, script):
    theirs, *_ = play(script, Theirs)
    ours, *_ = play(script, InGroups)
    compare(case, script, theirs, ours)


if __name__ == "__main__":
    client.main()
