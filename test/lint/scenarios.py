#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every wire scenario is a test.

usage: scenarios.py SOURCE_ROOT

What a server may do to a client, as a numbered list: what it says or doesn't,
and what must come of it. A test that plays one says "scenario: N" in a comment
(a dialogue in a line of its own before its title). This fails for a scenario
that no test names, for a number that is none, and for one that is put off but
tested by now.
"""

import re
import sys
from pathlib import Path

MARK = re.compile(r"\bscenario: (\d+b?)\b")
SUFFIXES = {".c", ".conv", ".py"}

SCENARIOS = {
    # Connection and greeting
    "1": "accepted, then silence: the greeting's deadline",
    "2": "554 as greeting: refused; another address is not tried",
    "3": "421 as greeting: refused for now, nothing more is said",
    "4": "199 as greeting: no reply to a connection",
    "5": "closed before the greeting",
    "6": "a greeting of several lines: EHLO after the last",
    "7": "a greeting in single octets, split between CR and LF",
    "8": "an empty line before the greeting: no reply",
    "9": "three digits alone as greeting",
    "10": "talks on behind its greeting: not the reply to EHLO",
    "11": "a greeting longer than a line may be",
    "12": "a greeting that never ends: a cap on its whole",
    "13": "another protocol's greeting",
    "14": "NUL in a reply",
    "15": "a first address that refuses or is dead, a second that works",
    "16": "no such name, no such port: told, and not within the call",
    "17": "closed while a name is looked up: no socket, one completion",
    # EHLO and HELO
    "18": "EHLO not known: HELO, no extension, no parameter",
    "19": "EHLO refused with 550: HELO all the same",
    "20": "421 to EHLO: no HELO",
    "21": "closed at EHLO",
    "22": "HELO refused too",
    "23": "EHLO refused where TLS is required: no HELO",
    "24": "EHLO's reply in one line: no extension",
    "25": "keywords in lower case, unknown ones, odd lines",
    "26": "AUTH in its old form, and in both",
    "27": "SIZE without number, 0, huge, nonsense",
    "28": "different codes within one reply",
    "29": "a name for EHLO: an address literal by default; none with CR LF",
    "30": "a reply to EHLO over the cap",
    "31": "octets above 127 in a reply, split anywhere",
    # TLS
    "32": "STARTTLS, a handshake, EHLO again; what was offered before is gone",
    "33": "AUTH offered within TLS only: the login is made there",
    "34": "STARTTLS offered within TLS: ignored",
    "35": "STARTTLS refused for now: an error, or clear text, by the policy",
    "36": "STARTTLS refused for good",
    "37": "octets behind the reply to STARTTLS in the same piece",
    "38": "250 to STARTTLS",
    "39": "STARTTLS not offered",
    "40": "closed, cut or garbage within the handshake",
    "41": "a certificate that is not right: refused, unless told otherwise",
    "42": "TLS before the greeting; no server name for an address",
    "43": "tickets of TLS 1.3 between replies",
    "44": "a session that is resumed, and a server that does not want to",
    "45": "the end by close_notify, and without",
    "46": "a server that reads or writes slowly, within TLS",
    # AUTH
    "47": "PLAIN, its response in the command",
    "48": "PLAIN behind a challenge, whatever that says",
    "49": "LOGIN, whatever its prompts say",
    "50": "LOGIN with the name in the command",
    "51": "CRAM-MD5's example; a challenge it can't read: cancelled",
    "52": "535: the next mechanism; the last refusal is the error",
    "53": "504: the next mechanism",
    "54": "534 and 538: no other mechanism",
    "55": "503: logged in already",
    "56": "454: not now, by no mechanism",
    "57": "challenges without end: cancelled after five",
    "58": "421 in the middle of a login",
    "59": "XOAUTH2's refusal as a challenge; its token fetched anew, once",
    "60": "OAUTHBEARER's refusal as a challenge",
    "61": "SCRAM with a server that does not prove itself, or goes wrong",
    "62": "EXTERNAL, which has nothing to say",
    "63": "a response too long for the command",
    "64": "credentials, and no AUTH offered",
    "65": "credentials, and no TLS",
    "66": "235 of several lines; a reply behind it",
    # Envelope
    "67": "MAIL refused: RSET, and the connection is good",
    "68": "421 to MAIL: closed, no RSET",
    "69": "MAIL refused, closed at RSET: the refusal is told",
    "70": "452 and 552 to a MAIL with SIZE: for now, for good",
    "71": "more than SIZE allows: refused here, nothing sent",
    "72": "one recipient of three refused",
    "73": "251 and 252 to RCPT",
    "74": "every recipient refused: RSET, no DATA",
    "75": "421 in the middle of the recipients: the rest is not attempted",
    "76": "too many recipients: those taken get it, the rest in another "
          "transaction",
    "77": "452 to one, 250 to a later one: each keeps its own",
    "78": "503 where a transaction is open",
    "79": "null sender, quoted local part; line ends and brackets refused",
    "80": "UTF-8 in addresses, with SMTPUTF8 and without; A-labels",
    "81": "eight bits without 8BITMIME: sent, or refused",
    "82": "parameters of DSN; not offered, malformed",
    "83": "REQUIRETLS without TLS, without proof, not offered",
    "84": "values of parameters beyond what the server allows",
    "85": "a recipient given twice: two results, in order",
    # The text
    "86": "dots, line ends and their borders in the text",
    "87": "250 to DATA: not what was awaited",
    "88": "DATA refused: RSET",
    "89": "421 to DATA: closed",
    "90": "354 of several lines",
    "91": "a final reply before there was a text",
    "92": "a refusal in the middle of the text",
    "93": "a refusal in the middle of the text, then closed",
    "94": "closed in the middle of the text: not accepted",
    "95": "closed after the text, before the reply: unknown",
    "96": "the final reply does not come",
    "97": "the final replies there are",
    "97b": "two final replies to one text",
    "98": "the source fails in the middle: no end of data is sent",
    "99": "the server stops reading",
    "100": "354 though nobody is to get it: a lone dot",
    "101": "552 to a text longer than announced",
    # Pipelining and BDAT
    "102": "all replies of a group at once",
    "103": "all replies of a group, octet by octet",
    "104": "a thousand recipients, and nobody waits for the other for ever",
    "105": "no PIPELINING: one command at a time",
    "106": "MAIL refused in a group",
    "107": "every recipient refused in a group, DATA too",
    "108": "every recipient refused in a group, 354 to DATA",
    "109": "a whole message in one flight",
    "110": "the second chunk refused: no more of them",
    "111": "the last chunk refused, then the next message",
    "112": "RSET between a refused transaction and the next",
    "113": "chunks not swallowed: their octets come back as errors",
    "114": "the last chunk of a text of unknown length",
    "115": "chunks go out octet for octet",
    "116": "421 at one of several messages",
    "119": "421 for too many messages",
    "120": "a reply to nothing",
    # LMTP
    "121": "LHLO, never EHLO or HELO",
    "122": "a final reply for each recipient taken",
    "123": "final replies that come one after the other",
    "124": "closed between the final replies",
    "125": "421 among the final replies",
    "126": "no such Unix socket",
    "127": "BDAT with a final reply for each recipient",
    # Reuse and QUIT
    "128": "QUIT answered by 221, by 421, by a close, or not at all",
    "129": "421 or a close at idle: noticed, and a new connection works",
    "130": "NOOP or RSET as a probe, refused",
    "131": "RSET refused: closed",
    "132": "the end of a session at each place, by each event: one completion "
           "each, nothing leaks",
    "133": "an enhanced code of another class than the reply, or none",
}

# What waits for parts of the library that don't exist yet.
PUT_OFF = {
    "117": "the connection lost with several messages in flight: one at a time",
    "118": "the next envelope before the verdict: one message at a time",
}

# What is tested only as far as it exists.
PARTLY = {
    "129": "no pool that sends the message again",
    "130": "no pool that sends the message again",
}


def marks(root, mark=MARK, but=Path(__file__)):
    """Number: the tests that name it, each mark one or several with commas.
    but: a file that only tells of marks."""
    found = {}
    for path in sorted((root / "test").rglob("*")):
        if path.suffix not in SUFFIXES or path == but.resolve():
            continue
        for numbers in mark.findall(path.read_text(encoding="utf-8")):
            for number in numbers.split(", "):
                found.setdefault(number, []).append(path.relative_to(root))
    return found


def main():
    root = Path(sys.argv[1]).resolve()
    found = marks(root)
    problems = [f"{number}, {title}: no test" for number, title
                in SCENARIOS.items() if number not in found]
    problems += [f"{paths[0]}: there is no scenario {number}"
                 for number, paths in found.items()
                 if number not in SCENARIOS and number not in PUT_OFF]
    problems += [f"{number} is put off ({why}), but {found[number][0]} plays it"
                 for number, why in PUT_OFF.items() if number in found]
    problems += [f"{number} is no scenario to be tested partly"
                 for number in PARTLY if number not in SCENARIOS]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
