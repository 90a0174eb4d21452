# SPDX-License-Identifier: MIT
"""Python's smtplib and the session API log in alike: login and auth, against
the same scripted server. Arguments: the program of session.c, SINK.

What is compared is what test_differential.py compares, and the challenges that
a mechanism of the caller's own is asked; how the two differ, and why, is in
auth_scripts.py.
"""
import client
from auth_scripts import DIFFERENCES, SCRIPTS
from both import compare, play, replaced
from pair import InGroups, Ours, Theirs


class Logins(client.Case):
    """Each script, by both."""
    maxDiff = None

    def test_differences(self):
        """Each difference is shown, and each one shown is listed."""
        shown = {d.why for script in SCRIPTS.values() for d in
                 [*script.differs.values(), *script.wire]}
        self.assertEqual(shown, set(DIFFERENCES))


@client.add_tests(Logins, "script", {
    name: (script,) for name, script in SCRIPTS.items()})
def same(case, script):
    theirs, told, _, _ = play(script, Theirs)
    wanted = replaced(told, script.wire)
    for kind in (Ours, InGroups):
        ours, told_by_us, _, _ = play(script, kind)
        compare(case, script, theirs, ours)
        case.assertEqual(told_by_us, wanted)


if __name__ == "__main__":
    client.main()
