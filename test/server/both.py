# SPDX-License-Identifier: MIT
"""Plays a script by smtplib and by the session API, and compares what came of
it. See test_differential.py."""
import os
import re

from processes import scratch
from recorder import Recorder
from sasl import Anybody
from scripts import CONNECT
from secure import Secure, identity


def plain(items):
    """What a server was told, without what differs everywhere."""
    lines = []
    for item in items:
        if isinstance(item, str):
            item = re.sub(r"^\w+( (from|to):)?", lambda m: m[0].upper(), item)
            item = re.sub(r"(?i) size=(\d+)", r" SIZE=\1", item)
            # It has a nonce.
            item = re.sub(r"^(AUTH SCRAM-\S+ ).+", r"\1...", item)
        lines.append(item)
    return lines


def play(script, kind):
    """Makes the calls; the records, the sessions that the server saw, where
    they came from, and what ours printed."""
    path = os.path.join(scratch(), "s") if script.unix else None
    server = Secure if script.tls else Recorder
    with server(script.replies, script.extensions, lmtp=script.lmtp,
                path=path, auth=Anybody()) as recorder:
        here = {"host": path or "127.0.0.1", "port": recorder.port or 0}
        one = kind(script.lmtp, script.name, script.timeout, script.source)
        if script.tls:
            here["host"] = "localhost"
            one.trust(identity("server").cert)
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


def check_listed(case, scripts, differences):
    """Each difference is shown, and each one shown is listed."""
    shown = {d.why for script in scripts.values() for d in
             [*script.differs.values(), *script.wire]}
    case.assertEqual(shown, set(differences))
