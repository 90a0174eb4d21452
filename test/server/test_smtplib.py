# SPDX-License-Identifier: MIT
"""The same message through Python's smtplib and through the command line, to a
server that writes down what it is told. Arguments: TOOL SINK.

Both must say the same, but for what is listed here:
- smtplib writes verbs and the SIZE keyword in lower case;
- the number behind SIZE= is ours where the line ends had to be corrected;
- after an accident one says QUIT and the other doesn't;
- a flow may list what only we say: see Flow.
One command goes out at a time, by DATA, since smtplib can do nothing else."""
import contextlib
import dataclasses
import re
import smtplib

import client
from client import Case, send
from recorder import EXTENSIONS, Recorder

NAME = "client.example.org"
TEXT = b"Subject: x\r\n\r\nhello\r\n.\r\n..two\r\nend\r\n"


@dataclasses.dataclass
class Flow:
    """A message, and the server that it is sent to."""
    replies: dict = dataclasses.field(default_factory=dict)
    to: tuple = ("a@example.net",)
    sender: str = "me@example.org"
    message: bytes = TEXT
    extensions: tuple = EXTENSIONS
    mail_options: tuple = ()
    rcpt_options: tuple = ()
    lmtp: bool = False
    # What only we say: RSET after a refused DATA (RFC 2920 3.1). smtplib raises
    # its error and leaves that to its caller.
    ours: tuple = ()


FLOWS = {
    "one recipient": Flow(),
    "three recipients": Flow(to=("a@example.net", "b@example.net", "c@d")),
    "one of three refused": Flow(
        {"RCPT": ["250 ok", "550 no", "250 ok"]},
        to=("a@example.net", "b@example.net", "c@example.net")),
    "a recipient forwarded": Flow({"RCPT": "251 ok"}),
    "all recipients refused": Flow(
        {"RCPT": "550 no"}, to=("a@example.net", "b@example.net")),
    "closed at a recipient": Flow(
        {"RCPT": ["250 ok", "421 bye !close"]},
        to=("a@example.net", "b@example.net", "c@example.net")),
    "sender refused": Flow({"MAIL": "550 no"}),
    "closed at the sender": Flow({"MAIL": "421 bye !close"}),
    "DATA refused": Flow({"DATA": "451 later"}, ours=("RSET",)),
    "text refused": Flow({"DOT": "554 no"}),
    "closed at the text": Flow({"DOT": "421 bye !close"}),
    "EHLO refused": Flow({"EHLO": "502 what?"}),
    "EHLO and HELO refused": Flow({"EHLO": "502 what?", "HELO": "550 no"}),
    "no SIZE": Flow(extensions=("PIPELINING", "8BITMIME")),
    "no extensions": Flow(extensions=()),
    "null sender": Flow(sender="<>"),
    "addresses in brackets": Flow(
        sender="<me@example.org>", to=("<a@example.net>",)),
    "options": Flow(mail_options=("BODY=8BITMIME", "RET=HDRS"),
                    rcpt_options=("NOTIFY=NEVER",)),
    "options for HELO": Flow({"EHLO": "502 what?"},
                             mail_options=("RET=HDRS",),
                             rcpt_options=("NOTIFY=NEVER",)),
    "no final line end": Flow(message=b"Subject: x\r\n\r\nhello"),
    "bare CR and LF": Flow(message=b"Subject: x\n\na\r.\rb\n.\n\r\r\n\n.c\r"),
    "only dots": Flow(message=b".\r\n" * 5),
    "LMTP": Flow(lmtp=True),
    "LMTP, refused": Flow({"DOT": "552 full"}, lmtp=True),
    "LMTP, nobody": Flow({"RCPT": "550 no"}, lmtp=True),
}


def by_smtplib(recorder, flow):
    kind = smtplib.LMTP if flow.lmtp else smtplib.SMTP
    # Text is given as str: smtplib corrects the line ends of nothing else.
    session = kind("127.0.0.1", recorder.port, local_hostname=NAME)
    with contextlib.suppress(smtplib.SMTPException):
        session.sendmail(flow.sender, flow.to, flow.message.decode("ascii"),
                         flow.mail_options, flow.rcpt_options)
    with contextlib.suppress(smtplib.SMTPException):
        session.quit()
    session.close()


def by_tool(recorder, flow):
    options = ["--helo", NAME, "--no-pipelining", "--no-chunking"]
    for option in flow.mail_options:
        options += ["--mail-option", option]
    for option in flow.rcpt_options:
        options += ["--rcpt-option", option]
    send(recorder.url, flow.to, *options, message=flow.message,
         sender=flow.sender)


def said(flow, speaker):
    """What the server was told, without what may differ."""
    with Recorder(flow.replies, flow.extensions, flow.lmtp) as recorder:
        speaker(recorder, flow)
        lines, = recorder.sessions
    plain = []
    for line in lines:
        if isinstance(line, str):
            verb, *rest = line.split(" ", 1)
            line = " ".join([verb.upper(), *rest])
            line = re.sub(r"(?i) size=\d+", " SIZE=N", line)
        plain.append(line)
    return plain[:-1] if plain[-1] == "QUIT" else plain


class Flows(Case):
    """The client's side of each dialogue."""

    def test_size(self):
        """SIZE= is the same number as smtplib's where the line ends are right,
        and that of the corrected text elsewhere."""
        sizes = []
        for speaker in (by_smtplib, by_tool):
            with Recorder() as recorder:
                speaker(recorder, Flow())
                mail, = [line for line in recorder.sessions[0]
                         if isinstance(line, str) and
                         line.upper().startswith("MAIL")]
            sizes.append(re.search(r"(?i) size=(\d+)$", mail).group(1))
        self.assertEqual(sizes, [str(len(TEXT))] * 2)
        message = FLOWS["bare CR and LF"].message
        with Recorder() as recorder:
            by_tool(recorder, Flow(message=message))
            mail = recorder.sessions[0][1]
        self.assertTrue(
            mail.endswith(f" SIZE={len(client.on_the_wire(message))}"), mail)


@client.add_tests(Flows, "flow", {
    name: (flow,) for name, flow in FLOWS.items()})
def same(case, flow):
    theirs, ours = said(flow, by_smtplib), said(flow, by_tool)
    case.assertEqual(ours, theirs + list(flow.ours))


if __name__ == "__main__":
    client.main()
