#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every feature of Python's smtplib is tested.

usage: smtplib_features.py SOURCE_ROOT

What smtplib does, as a numbered list, of which docs/from-smtplib.md says what it
is here. A test of one says "smtplib: N" in a comment, or "smtplib: N, M" of
several. This fails for a feature that no test names and for a number that is
none. What smtplib has by name is the matter of smtplib_map.py.
"""

import re
import sys
from pathlib import Path

import scenarios

MARK = re.compile(r"\bsmtplib: (\d+(?:, \d+)*)\b")

FEATURES = {
    # Connecting
    "1": "the constructor connects, and a greeting other than 220 is an error",
    "2": "connect by itself",
    "3": "the ports 25, 465 and 2003",
    "4": "host:port",
    "5": "the name of EHLO: one's own, the machine's, an address",
    "6": "timeout",
    "7": "source_address",
    "8": "with: QUIT at the end, then closed",
    "9": "SMTP_SSL",
    "10": "keyfile and certfile",
    "11": "LMTP: LHLO",
    "12": "LMTP: the replies at the end of a message",
    "13": "Unix sockets",
    # Errors, tracing, single commands
    "14": "the tree of exceptions, and what they hold",
    "15": "set_debuglevel",
    "16": "docmd; no line end within a command",
    "17": "replies of several lines, in pieces, malformed, missing",
    "18": "a line of a reply that is too long",
    "19": "helo",
    "20": "ehlo",
    "21": "esmtp_features and has_extn",
    "22": "AUTH= merged with AUTH",
    "23": "EHLO, then HELO, where nobody has said either",
    "24": "help, rset, noop, verify, expn",
    # Transactions by hand
    "25": "mail: options where there was an EHLO; SMTPUTF8 where it is offered",
    "26": "rcpt with options",
    "27": "data: 354 or an error; line ends, dots, the last line end, no text",
    "28": "quoteaddr: what an address may be given as, and what it is sent as",
    "29": "quotedata",
    # AUTH and TLS
    "30": "login: the order of mechanisms, which are tried, 235 and 503",
    "31": "initial_response_ok",
    "32": "auth with a function of one's own; challenges without end",
    "33": "auth_cram_md5, auth_plain, auth_login",
    "34": "starttls",
    # Whole messages
    "35": "sendmail: one recipient as a string, SIZE, options of MAIL and RCPT",
    "36": "MAIL refused: RSET; 421: closed",
    "37": "RCPT: 250 and 251 accept; the refused ones are told; 421: closed",
    "38": "all recipients refused, or none given",
    "39": "the text refused: RSET; 421: closed",
    "40": "some recipients refused: who, and why",
    "41": "send_message: the envelope of the header, Resent- fields, no Bcc",
    "42": "send_message: addresses in UTF-8, SMTPUTF8 and BODY=8BITMIME",
    # The end
    "43": "quit, close, and what is known of the session",
}


def main():
    root = Path(sys.argv[1]).resolve()
    found = scenarios.marks(root, MARK, Path(__file__))
    problems = [f"{number}, {title}: no test" for number, title
                in FEATURES.items() if number not in found]
    problems += [f"{paths[0]}: there is no feature {number}"
                 for number, paths in found.items() if number not in FEATURES]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
