#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The completion for bash, by a real bash.

usage: completion.py SOURCE_ROOT

Each line of the table is what has been typed, as bash divides it into words,
and what is offered for the last of them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = """
source "$1"
shift
[[ $(complete -p uvsmtp) = *-F\\ _uvsmtp* ]] || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_uvsmtp
printf '%s\\n' "${COMPREPLY[@]}"
"""

TABLE = [
    ("", "send probe --help --version"),
    ("s", "send"),
    ("p", "probe"),
    ("--v", "--version"),
    ("x", ""),
    ("x|", ""),
    ("x|--", ""),
    ("send|--mess", "--message-timeout"),
    ("send|--no-p", "--no-pipelining --no-progress"),
    ("send|--connect", "--connect-timeout"),
    ("send|--json|--to", "--to --token-file"),
    ("probe|--t", "--timeout --tls --tls-ciphers --tls-max --tls-min --tls-name "
     "--token-file --trace"),
    ("probe|--fr", ""),
    ("send|--server|", "smtp:// smtps:// lmtp://"),
    ("send|--server|s", "smtp:// smtps://"),
    ("send|--server|=", "smtp:// smtps:// lmtp://"),
    ("send|--server|=|l", "lmtp://"),
    ("send|--server|smtp|:", ""),
    ("send|--server|smtp|:|//", ""),
    ("send|--server|DIR/so", "DIR/socket"),
    ("send|--tls|", "none opportunistic required implicit"),
    ("send|--tls|=|n", "none"),
    ("probe|--tls-max|", "1.2 1.3"),
    ("probe|--tls-min|=|1", "1.2 1.3"),
    ("probe|--ca|DIR/so", "DIR/socket"),
    ("probe|--cert|=|DIR/so", "DIR/socket"),
    ("send|--key|DIR/me", "DIR/message.eml"),
    ("send|--key-passphrase-file|DIR/me", "DIR/message.eml"),
    ("send|--password-file|DIR/me", "DIR/message.eml"),
    ("probe|--netrc-file|=|DIR/me", "DIR/message.eml"),
    ("probe|--token-file|DIR/me", "DIR/message.eml"),
    ("send|--netrc|DIR/me", "DIR/message.eml"),
    ("send|--auth|X", "XOAUTH2"),
    ("send|--auth|=|SCRAM-SHA-256", "SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
    ("send|--user|DIR/", ""),
    ("send|--password-fd|DIR/", ""),
    ("probe|--authzid|=|DIR/", ""),
    ("probe|--auth", "--auth --authzid"),
    ("send|--pin|DIR/", ""),
    ("send|--pin|=|DIR/", ""),
    ("send|--tls-ciphers|DIR/", ""),
    ("send|--trace|=", "times text times,text"),
    ("send|--trace|=|te", "text"),
    ("send|--trace|DIR/me", "DIR/message.eml"),
    ("send|--mail-option|BODY", "BODY=7BIT BODY=8BITMIME"),
    ("send|--mail-option|BODY|=", ""),
    ("send|--mail-option|BODY|=|8", ""),
    ("send|--rcpt-option|NOTIFY=N", "NOTIFY=NEVER"),
    ("send|--to|", ""),
    ("send|--to|bob|@", ""),
    ("send|--to|bob|@|e", ""),
    ("send|--timeout|DIR/", ""),
    ("send|--dsn-ret|", "full hdrs"),
    ("send|--dsn-notify|=|n", "never"),
    ("send|--text|DIR/", ""),
    ("send|-f|DIR/", ""),
    ("send|--re", "--refuse-8bit --require-tls"),
    ("probe|--d", ""),
    ("send|DIR/", "DIR/message.eml DIR/socket DIR/two words"),
    ("send|--json|DIR/two", "DIR/two words"),
    ("send|--from|x|DIR/m", "DIR/message.eml"),
    ("probe|", "smtp:// smtps:// lmtp://"),
    ("probe|DIR/so", "DIR/socket"),
]


def main():
    script = Path(sys.argv[1]) / "tool/uvsmtp.bash"
    problems = 0
    with tempfile.TemporaryDirectory() as directory:
        for name in ("message.eml", "socket", "two words"):
            (Path(directory) / name).write_text("")
        for typed, wanted in TABLE:
            words = typed.replace("DIR", directory).split("|")
            done = subprocess.run(
                ["bash", "-c", SCRIPT, "bash", script, "uvsmtp", *words],
                check=True, text=True, capture_output=True)
            got = " ".join(sorted(
                line for line in done.stdout.replace(directory, "DIR")
                .splitlines() if line))
            # An item with a space in it is one item.
            items = sorted(wanted.replace("two words", "two_words").split())
            if got != " ".join(items).replace("two_words", "two words") or \
                    done.stderr:
                print(f"{typed!r}: {got!r} instead of {wanted!r} "
                      f"{done.stderr}")
                problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
