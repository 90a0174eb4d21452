# SPDX-License-Identifier: MIT
"""Python's smtplib and the session API log in alike: login and auth, against
the same scripted server. Arguments: the program of session.c, SINK.

What is compared is what test_differential.py compares, and the challenges that
a mechanism of the caller's own is asked; how the two differ, and why, is in
auth_scripts.py. Each login is done by the call, and by credentials in the
target.
"""
import dataclasses
import functools

import client
from auth_scripts import DIFFERENCES, SCRIPTS
from both import check_listed, compare, play, replaced
from pair import InGroups, InTarget, Ours, Theirs
from scripts import SEND


class Logins(client.Case):
    """Each script, by both."""
    maxDiff = None

    def test_differences(self):
        check_listed(self, SCRIPTS, DIFFERENCES)


@functools.cache
def by_smtplib(name):
    records, told, _, _ = play(SCRIPTS[name], Theirs)
    return records, replaced(told, SCRIPTS[name].wire)


@client.add_tests(Logins, "script", {name: (name,) for name in SCRIPTS})
def same(case, name):
    theirs, wanted = by_smtplib(name)
    script = SCRIPTS[name]
    # Where there is a message, AUTH is not to be in a group with it.
    kinds = (Ours, InGroups) if SEND in script.calls else (Ours,)
    for kind in kinds:
        ours, told, _, _ = play(script, kind)
        compare(case, script, theirs, ours)
        case.assertEqual(told, wanted)


def starts_with_login(script):
    """Whether nothing but a connect comes before its only one."""
    names = [call[0] for call in script.calls]
    return names[:2] == ["connect", "login"] and \
        not {"login", "auth"} & set(names[2:])


# Credentials in the target do what the call does.
@client.add_tests(Logins, "target", {
    name: (name,) for name, script in SCRIPTS.items()
    if starts_with_login(script)})
def same_in_target(case, name):
    theirs, wanted = by_smtplib(name)
    script = SCRIPTS[name]
    ours, told, _, _ = play(script, functools.partial(
        InTarget, login=script.calls[1][1:]))
    found = script.differs.get(1)
    fields = {} if found is None else dict(found.fields)
    record = dict(theirs[1])
    if fields.get("class", record["class"]) is None:
        # Whose reply is told then is the hello's.
        for where in (record, fields):
            where.pop("code", None)
            where.pop("text", None)
    if found is not None:
        script = dataclasses.replace(script, differs={
            **script.differs, 1: dataclasses.replace(found, fields=fields)})
    compare(case, script, [theirs[0], record, *theirs[2:]], ours)
    case.assertEqual(told, wanted)


if __name__ == "__main__":
    client.main()
