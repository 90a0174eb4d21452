# SPDX-License-Identifier: MIT
"""Every refusal and every accident that the sink can play, by SMTP and by LMTP:
status, exit status, outcome of each recipient. Arguments: TOOL SINK."""
import subprocess

import client
from client import MODES, Case, send
from servers import Sink
from shared import setUpModule, sink, smtp, tearDownModule  # noqa: F401


def lmtp(server):
    return f"lmtp://127.0.0.1:{server.lmtp}"


# A recipient's word, and: the status and the exit status when it is the only
# one, its outcome, code and enhanced code.
WORDS = {
    "tempfail": ("recipients-refused", 75, "deferred", 450, "4.2.1"),
    "greylist": ("recipients-refused", 75, "deferred", 451, "4.7.1"),
    "full": ("recipients-refused", 75, "deferred", 452, "4.2.2"),
    "nouser": ("recipients-refused", 67, "rejected", 550, "5.1.1"),
    "policy": ("recipients-refused", 67, "rejected", 554, "5.7.1"),
    "closing": ("recipients-refused", 75, "deferred", 421, "4.3.2"),
    "datatemp": ("data-error", 75, "deferred", 451, "4.3.0"),
    "spam": ("data-error", 69, "rejected", 550, "5.7.1"),
}


class Refusal(Case):
    """What the sink refuses, by both protocols, in every mode."""

    def ways(self):
        return [(f"{name}, {mode}", url, options)
                for name, url in (("SMTP", smtp(sink())), ("LMTP", lmtp(sink())),
                                  ("LMTP, Unix", sink().lmtp_path))
                for mode, options in MODES.items()]

    def test_beside_another(self):
        """A refused recipient beside one that is accepted."""
        for name, url, options in self.ways():
            for word in ("tempfail", "nouser"):
                with self.subTest(f"{word}, {name}"):
                    got = send(url, ["a@example.net", f"{word}@example.net",
                                     "b@example.net"], *options)
                    self.check_sent(got, "partial", 67)
                    self.assertEqual(
                        list(got.outcomes().values()),
                        ["accepted", WORDS[word][2], "accepted"])

    def test_final_replies(self):
        """By LMTP each recipient has a final reply; by SMTP there is one."""
        to = ["a@example.net", "spam@example.net", "datatemp@example.net"]
        for name, url, options in self.ways():
            with self.subTest(name):
                got = send(url, to, *options)
                if name.startswith("LMTP"):
                    self.check_sent(got, "partial", 67)
                    self.assertEqual(list(got.codes().values()),
                                     [250, 550, 451])
                else:
                    self.check_sent(got, "data-error", 69)
                    self.assertEqual(list(got.codes().values()), [550] * 3)

    def test_sender(self):
        """The sender refused, for good and for now."""
        for name, url, options in self.ways():
            for sender, status, code in (("badsender", 69, 550),
                                         ("tempsender", 75, 451)):
                with self.subTest(f"{sender}, {name}"):
                    got = send(url, ["a@example.net", "b@example.net"],
                               *options, sender=f"{sender}@example.org")
                    self.check_sent(got, "sender-refused", status)
                    self.assertEqual(got.report["reply"]["code"], code)
                    for r in got.report["recipients"]:
                        self.assertEqual(
                            (r["outcome"], r["stage"], r["code"]),
                            ("rejected" if status == 69 else "deferred",
                             "MAIL", code))

    def test_too_many(self):
        """452 for all but the first recipients: the others get it in further
        transactions, if it can be had a second time."""
        to = [f"{n}@example.net" for n in range(5)]
        for options in MODES.values():
            with self.subTest(options), Sink(
                    client.programs["sink"], "--reject-rcpt-after",
                    "2") as server:
                got = send(smtp(server), to, *options)
                self.check_sent(got)
                self.assertEqual(list(got.outcomes()), to)
                self.assertEqual([envelope["recipients"]
                                  for _, envelope in server.stored()],
                                 [to[:2], to[2:4], to[4:]])
                process = subprocess.run(
                    ["sh", "-c", 'cat | "$@"', "-", *client.argv(
                        smtp(server), to, options)],
                    input=client.MESSAGES["plain"], capture_output=True,
                    check=False, timeout=client.RUN_TIMEOUT)
                got = client.result(process, process.stdout, process.stderr)
                self.check_sent(got, "partial", 67)
                outcomes = list(got.outcomes().values())
                self.assertEqual(outcomes[:3],
                                 ["accepted", "accepted", "deferred"])
                # Behind the first of them the others need not be tried.
                self.assertLessEqual(set(outcomes[3:]),
                                     {"deferred", "not-attempted"})
                self.assertEqual(list(got.codes().values())[:3],
                                 [250, 250, 452])

    def test_too_large(self):
        """More than SIZE allows."""
        with Sink(client.programs["sink"], "--size", "1000") as server:
            for url in (smtp(server), lmtp(server)):
                for options in MODES.values():
                    got = send(url, ["a@example.net"], *options,
                               message=b"x" * 2000)
                    self.assertEqual((got.exit, got.report["outcome"]),
                                     (69, "rejected"))
                    self.check_sent(send(url, ["a@example.net"], *options,
                                         message=b"x" * 900))

    def test_extensions(self):
        """Any subset of extensions will do, and the text survives."""
        message = client.MESSAGES["dots"]
        for off in (["--no-pipelining"], ["--no-chunking"], ["--no-size"],
                    ["--no-8bitmime", "--no-smtputf8"], ["--no-enhanced"],
                    ["--no-pipelining", "--no-chunking", "--no-size",
                     "--no-8bitmime", "--no-smtputf8", "--no-enhanced"]):
            with self.subTest(off), Sink(client.programs["sink"],
                                         *off) as server:
                for url in (smtp(server), lmtp(server)):
                    got = send(url, ["a@example.net", "nouser@example.net"],
                               message=message)
                    self.check_sent(got, "partial", 67)
                    if "--no-enhanced" in off:
                        self.assertIsNone(got.report["reply"]["enhanced"])
                    text, envelope = server.stored()[-1]
                    self.check_same(text, message)
                    self.assertEqual(
                        envelope["via"],
                        "DATA" if "--no-chunking" in off else "BDAT")
                # Nothing that had to wait for a reply came before it.
                self.assertEqual(server.summary()["early"], 0)


@client.add_tests(Refusal, "word", {
    word: (word, *wanted) for word, wanted in WORDS.items()})
def refused(case, word, status, exit_status, outcome, code, enhanced):
    """A recipient that is refused, alone."""
    for name, url, options in case.ways():
        with case.subTest(name):
            got = send(url, [f"{word}@example.net"], *options)
            case.check_sent(got, status, exit_status)
            row, = got.report["recipients"]
            case.assertEqual(
                (row["outcome"], row["code"], row["enhanced"]),
                (outcome, code, enhanced))
            case.assertEqual(got.report["outcome"], outcome)


# Scripts for the sink, and what is to become of a message: status, exit status,
# outcome of the recipient. Each is tried in every mode.
SCRIPTS = {
    "greeting 421": (["GREETING 421 4.3.2 busy !close"],
                     "connect-error", 75, "deferred"),
    "greeting 450": (["GREETING 450 later"], "connect-error", 75, "deferred"),
    "greeting 554": (["GREETING 554 5.3.2 no"],
                     "connect-error", 69, "rejected"),
    "greeting of several lines": (
        ["GREETING 220-one\\r\\n220-two\\r\\n220 three"], "ok", 0, "accepted"),
    "greeting 250": (["GREETING 250 hello"], "protocol-error", 76, "deferred"),
    "greeting is nonsense": (["GREETING 999 hello"],
                             "protocol-error", 76, "deferred"),
    "greeting has two codes": (["GREETING 220-one\\r\\n221 two"],
                               "protocol-error", 76, "deferred"),
    "greeting, then the end": (["GREETING 220 hello !close"],
                               "disconnected", 75, "deferred"),
    "no greeting": (["GREETING !close"], "disconnected", 75, "deferred"),
    "EHLO 500": (["EHLO 500 what?"], "ok", 0, "accepted"),
    "EHLO 451": (["EHLO 451 not now"], "ok", 0, "accepted"),
    "EHLO 421": (["EHLO 421 4.3.2 bye !close"], "helo-error", 75, "deferred"),
    "EHLO, HELO 550": (["EHLO 550 no", "HELO 550 5.7.1 no"],
                       "helo-error", 69, "rejected"),
    "EHLO, HELO 450": (["EHLO 550 no", "HELO 450 later"],
                       "helo-error", 75, "deferred"),
    "EHLO, then the end": (["EHLO !close"], "disconnected", 75, "deferred"),
    "MAIL 552": (["MAIL 552 5.3.4 too large"],
                 "sender-refused", 69, "rejected"),
    "MAIL 452": (["MAIL 452 4.3.1 full"], "sender-refused", 75, "deferred"),
    "MAIL 421": (["MAIL 421 4.3.2 bye !close"],
                 "sender-refused", 75, "deferred"),
    "RCPT 251": (["RCPT 251 2.1.5 forwarded"], "ok", 0, "accepted"),
    "RCPT 551": (["RCPT 551 5.1.6 moved"],
                 "recipients-refused", 67, "rejected"),
}
# The same in every mode but one: where the whole text has left with the
# envelope, nobody knows.
LOST_SCRIPTS = {
    "MAIL 354": (["MAIL 354 go"], "protocol-error", 76, "deferred"),
    "MAIL, then the end": (["MAIL !close"], "disconnected", 75, "deferred"),
    "RCPT 199": (["RCPT 199 hm"], "protocol-error", 76, "deferred"),
    "RCPT, reset": (["RCPT !reset"], "disconnected", 75, "deferred"),
}
DATA_SCRIPTS = {
    "DATA 554": (["DATA 554 5.5.1 no"], "data-error", 69, "rejected"),
    "DATA 451": (["DATA 451 4.3.0 later"], "data-error", 75, "deferred"),
    "DATA 421": (["DATA 421 4.3.2 bye !close"], "data-error", 75, "deferred"),
    "DATA 250": (["DATA 250 ok"], "protocol-error", 76, "deferred"),
    "DATA, then the end": (["DATA !close"], "disconnected", 75, "deferred"),
    "DOT 552": (["DOT 552 5.2.2 full"], "data-error", 69, "rejected"),
    "DOT 452": (["DOT 452 4.3.1 full"], "data-error", 75, "deferred"),
    "DOT 421": (["DOT 421 4.3.2 bye !close"], "data-error", 75, "deferred"),
    "DOT, then the end": (["DOT !close"], "delivery-unknown", 70, "unknown"),
    "DOT, reset": (["DOT !reset"], "delivery-unknown", 70, "unknown"),
    "DOT is cut": (["DOT 250 2.0.0 Ok: que\\c !close"],
                   "delivery-unknown", 70, "unknown"),
    "DOT is nonsense": (["DOT okay"], "delivery-unknown", 70, "unknown"),
    "DOT 250, then the end": (["DOT 250 ok !close"], "ok", 0, "accepted"),
    "QUIT, then the end": (["QUIT !close"], "ok", 0, "accepted"),
    "QUIT 500": (["QUIT 500 no"], "ok", 0, "accepted"),
}
BDAT_SCRIPTS = {
    "BDAT 552": (["BDAT 552 5.2.2 full"], "data-error", 69, "rejected"),
    "BDAT 452": (["BDAT 452 4.3.1 full"], "data-error", 75, "deferred"),
    "BDAT 421": (["BDAT 421 4.3.2 bye !close"], "data-error", 75, "deferred"),
    "BDAT, then the end": (["BDAT !close"],
                           "delivery-unknown", 70, "unknown"),
    "BDAT is nonsense": (["BDAT okay"], "delivery-unknown", 70, "unknown"),
}


class Scripted(Case):
    """Servers that go wrong at every step."""

    def check_script(self, script, wanted, modes):
        status, exit_status, outcome = wanted
        with Sink(client.programs["sink"], script=script) as server:
            for mode in modes:
                with self.subTest(mode):
                    got = send(f"smtp://127.0.0.1:{server.smtp}",
                               ["a@example.net"], *MODES[mode])
                    self.check_sent(got, status, exit_status)
                    self.assertEqual(got.outcomes(),
                                     {"a@example.net": outcome})
                    self.assertEqual(got.report["outcome"], outcome)


@client.add_tests(Scripted, "script", {
    name: (script, wanted, modes)
    for scripts, modes in (
        (SCRIPTS, MODES),
        (LOST_SCRIPTS, [mode for mode in MODES if mode != "BDAT"]),
        (DATA_SCRIPTS, ["DATA", "DATA one by one"]),
        (BDAT_SCRIPTS, ["BDAT", "BDAT one by one"]))
    for name, (script, *wanted) in scripts.items()})
def scripted(case, script, wanted, modes):
    case.check_script(script, wanted, modes)


@client.add_tests(Scripted, "lost", LOST_SCRIPTS)
def lost(case, script, *_):
    case.check_script(script, ("delivery-unknown", 70, "unknown"), ["BDAT"])


if __name__ == "__main__":
    client.main()
