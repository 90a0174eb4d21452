# SPDX-License-Identifier: MIT
"""Running the command line, and what its tests share: messages, what a server
should have stored of them, the shape of the report, the end of a test program.
"""
import dataclasses
import json
import os
import random
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import unittest

import processes

RUN_TIMEOUT = 60
SENDER = "sender@example.org"

# Set where builds are slow, or look for other things than servers do.
SHORT = "UVSMTP_TEST_SHORT" in os.environ
# Whether this build knows domains that are not ASCII.
IDN = os.environ.get("UVSMTP_TEST_IDN") != "0"
# The size of the largest message.
HUGE = (1 if SHORT else 30) << 20

# How a message can be sent to a server that offers everything.
MODES = {
    "BDAT": (),
    "BDAT one by one": ("--no-pipelining",),
    "DATA": ("--no-chunking",),
    "DATA one by one": ("--no-chunking", "--no-pipelining"),
}

# Paths from the command line; see main.
programs = {"tool": None, "sink": None, "session": None}

STATUSES = {
    "ok": {0}, "partial": {67}, "recipients-refused": {67, 75},
    "sender-refused": {69, 75}, "data-error": {69, 75},
    "helo-error": {69, 75}, "connect-error": {69, 75}, "unknown-host": {68},
    "auth-error": {75, 77}, "disconnected": {75}, "timeout": {75},
    "tls-error": {76}, "protocol-error": {76}, "not-supported": {69},
    "invalid-argument": {64}, "invalid-message": {65},
    "delivery-unknown": {70},
    "local-error": {66, 71, 74}, "cancelled": {130},
}
# Extensions that a message may do without.
OPTIONAL = {"DSN", "DELIVERBY", "MT-PRIORITY", "AUTH"}
OUTCOMES = {"accepted", "deferred", "rejected", "not-attempted", "unknown"}
# CONNECT, and the states of a command in flight.
STAGES = {"CONNECT", "GREETING", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "TEXT",
          "DOT", "VOID_DOT", "CHUNK_TEXT", "BDAT", "LAST_TEXT", "BDAT_LAST",
          "RSET", "CLOSED", "STARTTLS", "HANDSHAKE", "WRAP", "AUTH",
          "AUTH_THINK", "AUTH_STEP", "AUTH_CANCEL"}
# What can be wrong with a server's certificate.
PROBLEMS = {"expired", "future", "wrong-name", "self-signed", "unknown-ca",
            "not-a-ca", "wrong-use", "weak", "revoked", "wrong-pin", "no-trust",
            "refused", "other"}


@dataclasses.dataclass
class Result:
    """What a run came to."""
    exit: int
    report: dict  # what --json printed
    out: str
    err: str

    @property
    def status(self):
        return self.report["status"]

    def outcomes(self):
        return {r["address"]: r["outcome"] for r in self.report["recipients"]}

    def codes(self):
        return {r["address"]: r["code"] for r in self.report["recipients"]}


def _is(value, *types):
    # In Python, but not in JSON, true is a number.
    return type(value) in types


def check_reply(reply):
    """Whether it is one, or null."""
    return reply is None or (
        set(reply) == {"code", "enhanced", "text"} and
        _is(reply["code"], int) and
        _is(reply["enhanced"], str, type(None)) and _is(reply["text"], str))


def check_tls(tls):
    """Whether this is what is told of TLS, or null."""
    if tls is None:
        return True
    none = type(None)
    certificate = tls["certificate"]
    return (set(tls) == {"established", "version", "cipher", "resumed",
                         "verified", "name", "problems", "error",
                         "certificate"} and
            all(_is(tls[x], bool) for x in ("established", "resumed",
                                            "verified")) and
            all(_is(tls[x], str, none) for x in ("version", "cipher", "name",
                                                 "error")) and
            (tls["version"] in ("TLSv1.2", "TLSv1.3") or
             not tls["established"]) and
            set(tls["problems"]) <= PROBLEMS and
            (certificate is None or
             set(certificate) == {"pin", "fingerprint", "text", "pem"} and
             re.match(r"sha256//[\w+/]{43}=\Z", certificate["pin"]) and
             re.match(r"sha256:", certificate["fingerprint"]) and
             _is(certificate["text"], str) and
             certificate["pem"].startswith("-----BEGIN CERTIFICATE-----\n")))


def check_auth(auth):
    """Whether this is what is told of a login, or null."""
    return auth is None or (
        set(auth) == {"mechanism", "user"} and _is(auth["mechanism"], str) and
        _is(auth["user"], str, type(None)))


def _need(report):
    def need(condition, what):
        if not condition:
            raise AssertionError(f"the report's {what}: {report}")

    return need


def check_common(report, exit_status):
    """Checks what the reports of all commands have."""
    need = _need(report)
    need(report["status"] in STATUSES, "status")
    need(exit_status in STATUSES[report["status"]],
         f"status, with exit status {exit_status}")
    need(_is(report["error"], str, type(None)), "error")
    need((report["error"] is None) == (report["status"] == "ok"), "error")
    need(report["stage"] is None or report["stage"] in STAGES, "stage")
    need(check_reply(report["reply"]), "reply")
    need(check_tls(report["tls"]), "tls")
    # Nobody knows why a handshake has not ended yet.
    need(report["tls"] is None or report["tls"]["established"] or
         report["tls"]["error"] is not None or
         report["status"] in ("timeout", "cancelled"), "tls")
    need(check_auth(report["auth"]), "auth")
    need(_is(report["detail"], str, type(None)), "detail")
    need(_is(report["attempts"], list), "attempts")
    for a in report["attempts"]:
        need(set(a) == {"address", "status", "ms"} and
             _is(a["address"], str) and a["status"].isupper() and
             _is(a["ms"], int) and a["ms"] >= 0, f"attempt {a}")


def check_report(report, exit_status):
    """Raises AssertionError unless the report has the documented shape and fits
    the exit status."""
    none = type(None)
    need = _need(report)
    need(_is(report, dict), "type")
    need(set(report) == {"status", "outcome", "error", "stage", "reply",
                         "sender", "recipients", "omitted", "tls", "auth",
                         "detail", "attempts", "bytes"}, "keys")
    check_common(report, exit_status)
    need(report["outcome"] in OUTCOMES, "outcome")
    need(_is(report["sender"], str, none), "sender")
    need(set(report["omitted"]) <= OPTIONAL, "omitted")
    need(_is(report["recipients"], list), "recipients")
    for r in report["recipients"]:
        need(set(r) == {"address", "outcome", "stage", "code", "enhanced",
                        "text"} and
             _is(r["address"], str) and r["outcome"] in OUTCOMES and
             (r["stage"] is None or r["stage"] in STAGES) and
             _is(r["code"], int, none) and _is(r["enhanced"], str, none) and
             _is(r["text"], str, none), f"recipient {r}")
    need(_is(report["bytes"], int) and report["bytes"] >= 0, "bytes")


def check_probe(report, exit_status):
    """The same for a probe's."""
    need = _need(report)
    need(_is(report, dict), "type")
    need(set(report) == {"status", "error", "stage", "reply", "greeting",
                         "ehlo", "helo", "esmtp", "extensions", "address",
                         "local", "attempts", "ms", "starttls", "tls", "auth",
                         "detail"}, "keys")
    check_common(report, exit_status)
    for name in ("greeting", "ehlo", "helo"):
        need(check_reply(report[name]), name)
    need(_is(report["esmtp"], bool), "esmtp")
    need(_is(report["extensions"], dict) and
         all(_is(x, str) for x in report["extensions"].values()), "extensions")
    need(_is(report["starttls"], bool, type(None)), "starttls")
    for name in ("address", "local"):
        need(_is(report[name], str, type(None)), name)
    need(set(report["ms"]) == {"connect", "greeting", "hello", "tls",
                               "auth"} and
         all(x is None or x >= 0 for x in report["ms"].values()), "ms")


def argv(server, recipients, options, sender=SENDER, json_wanted=True):
    args = [programs["tool"], "send", "--server", server]
    if sender is not None:
        args += ["--from", sender]
    for recipient in recipients:
        args += ["--to", recipient]
    return args + (["--json"] if json_wanted else []) + list(options)


def result(process, out, err, check=check_report):
    """The result of a run with --json."""
    out = out.decode("utf-8")
    err = err.decode("utf-8", "replace")
    if out.count("\n") != 1 or not out.endswith("\n"):
        raise AssertionError(
            f"not one line: {out!r}, exit {process.returncode}, {err}")
    report = json.loads(out)
    check(report, process.returncode)
    return Result(process.returncode, report, out, err)


def run(args, data=b"", env=None):
    """Runs the tool with data on its standard input; (exit, out, err)."""
    done = subprocess.run(args, input=data, capture_output=True, check=False,
                          timeout=RUN_TIMEOUT, env=env)
    return done.returncode, done.stdout, done.stderr


def run_json(args, data=b"", env=None, check=check_report):
    """The same of a run with --json: its result."""
    code, out, err = run(args, data, env)
    return result(subprocess.CompletedProcess(args, code), out, err, check)


def send(server, recipients, *options, message=b"Subject: x\n\nhello\n",
         sender=SENDER, stdin=False):
    """Sends a message with --json, from a file or from standard input. sender
    None, no recipients: they are the header's."""
    args = argv(server, recipients, options, sender)
    if stdin:
        done = subprocess.run(args, input=message, capture_output=True,
                              check=False, timeout=RUN_TIMEOUT)
        return result(done, done.stdout, done.stderr)
    with tempfile.NamedTemporaryFile(suffix=".eml") as f:
        f.write(message)
        f.flush()
        done = subprocess.run(args + [f.name], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False,
                              timeout=RUN_TIMEOUT)
    return result(done, done.stdout, done.stderr)


def probe(server, *options, env=None):
    """Probes a server with --json."""
    done = subprocess.run(
        [programs["tool"], "probe", "--json", *options, server],
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
        timeout=RUN_TIMEOUT, env=env)
    return result(done, done.stdout, done.stderr, check_probe)


def interrupt(server, recipients, *options, when, signum=signal.SIGINT,
              env=None):
    """Sends a message, and a signal to the tool once when() returns."""
    process = subprocess.Popen(
        argv(server, recipients, options), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    try:
        process.stdin.write(b"Subject: x\n\nhello\n")
        process.stdin.close()
        process.stdin = None
        when()
        process.send_signal(signum)
        out, err = process.communicate(timeout=RUN_TIMEOUT)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return result(process, out, err)


# --------------------------------------------------------------- messages

def normalised(message):
    """The message as text: line ends LF, the last one added if missing."""
    text = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text if text.endswith(b"\n") or not text else text + b"\n"


def on_the_wire(message):
    """The octets of the message with CRLF, before any dot is doubled."""
    return normalised(message).replace(b"\n", b"\r\n")


def wire_octets(message, options):
    """How many octets of text these options make of the message: "bytes"."""
    text = on_the_wire(message)
    if "--no-chunking" in options:
        text = re.sub(rb"(?m)^\.", b"..", text)
    return len(text)


def large(size, seed):
    """About size octets of lines of random length, some with leading dots, no
    two the same."""
    rng = random.Random(seed)
    lines = [b"Subject: large\n", b"\n"]
    total = 0
    while total < size:
        line = b"%s%08x%s\n" % (
            rng.choice((b"", b"", b".", b"..", b". ")), total,
            b"0123456789abcdefghijklmnopqrstuvwxyz"[:rng.randrange(36)] *
            rng.choice((0, 1, 2, 10)))
        lines.append(line)
        total += len(line)
    return b"".join(lines)


HEAD = b"Subject: test\r\nFrom: <sender@example.org>\r\n\r\n"

MESSAGES = {
    "plain": HEAD + b"Hello,\r\n\r\nthis is plain.\r\n",
    "dots": HEAD + b".\r\n..\r\n...\r\n.leading\r\nend.\r\n \r\n. \r\n.\r\n",
    "first line is a dot": b".\r\nnot a header\r\n",
    "first line begins with a dot": b".not a header\r\n..\r\nend\r\n",
    "only dots": b".\r\n" * 200,
    "looks like the end": HEAD + b"a\r\n.\r\nQUIT\r\nMAIL FROM:<>\r\n",
    "no body": b"Subject: no body\r\n\r\n",
    "no blank line": b"Subject: headers only\r\n",
    "empty": b"",
    "blank lines": b"\r\n\r\n\r\n",
    "no final line end": HEAD + b"one\r\ntwo",
    "dot without a line end": HEAD + b"one\r\n.",
    "bare LF": HEAD.replace(b"\r", b"") + b"one\n.\n\ntwo\n.three\n",
    "bare CR": HEAD + b"one\rtwo\r\r.\r.three\r\n.\r",
    "mixed line ends": HEAD + b"one\n\r\ntwo\r\r\nthree\n\rfour\r\n\n.\r",
    "smuggling": HEAD + b"a\n.\nMAIL FROM:<x@y>\r.\rb\n.\r\nc\r.\n\r\r.\r\r",
    "long lines": HEAD + b"x" * 990 + b"\r\n." + b"y" * 989 + b"\r\n" +
                  b"z" * 998 + b"\r\n" + b"." * 900 + b"\r\n",
    "8-bit octets": HEAD + bytes(c for c in range(1, 256) if c not in b"\r\n") +
                    b"\r\n" + "Grüße, 日本語\r\n".encode() + b"\xff\xfe\r\n",
}


def headed(message):
    """The message as text, with a blank line before a first line that is none
    of a header: servers that add lines to the header begin the body there."""
    text = normalised(message)
    if re.match(rb"[!-9;-~]+[ \t]*:|\n|$", text):
        return text
    return b"\n" + text


def stored_text(raw, added=(b"return-path:", b"x-original-to:",
                            b"delivered-to:", b"received:")):
    """What a server stored, without the header lines that it put on top."""
    while raw.lower().startswith(added):
        end = raw.index(b"\n") + 1
        while raw[end:end + 1] in (b"\t", b" "):
            end = raw.index(b"\n", end) + 1
        raw = raw[end:]
    return raw


class Case(unittest.TestCase):
    """A test with checks of its own."""
    longMessage = True

    def check_sent(self, got, status="ok", exit_status=0):
        """The run ended like this."""
        self.assertEqual((got.status, got.exit), (status, exit_status),
                         f"{got.report} {got.err}")

    def check_same(self, got, wanted):
        """Compares octets without printing megabytes of them."""
        if got == wanted:
            return
        at = len(os.path.commonprefix([got, wanted]))
        self.fail(f"{len(got)} octets instead of {len(wanted)}; from octet "
                  f"{at} on {got[at:at + 60]!r} instead of "
                  f"{wanted[at:at + 60]!r}")


class PeopleCase(Case):
    """Without --json, and nothing that a terminal could stumble over."""

    def run_tool(self, *args):
        code, out, err = run([programs["tool"], *args], b"x\n")
        self.assertRegex(out + err, rb"\A[ -~\n]*\Z")
        return code, out.decode(), err.decode()

    def send(self, url, *options):
        return self.run_tool("send", "--server", url, "--from", "", "--to",
                             "a@example.net", *options)


def add_tests(case, prefix, names):
    """Lets a function that makes a test become methods of a class, one for each
    name (a dict of name to arguments)."""

    def decorate(function):
        for name, arguments in names.items():
            def method(self, arguments=arguments):
                function(self, *arguments)

            method.__doc__ = f"{prefix}: {name}"
            word = "".join(c if c.isalnum() else "_" for c in name)
            word = f"test_{prefix}_{word}"
            if hasattr(case, word):
                raise AssertionError(f"two tests are called {word}")
            setattr(case, word, method)
        return function

    return decorate


def trust_few():
    """Lets the tool trust one of the system's authorities where it isn't told
    whom: with sanitizers, to read them all takes longer than all else that it
    does."""
    path = ssl.get_default_verify_paths().cafile
    found = re.search(rb"-----BEGIN CERTIFICATE-----[^-]+"
                      rb"-----END CERTIFICATE-----\n",
                      processes.read(path) if path else b"")
    if found is None:
        return
    few = os.path.join(processes.scratch(), "authority.pem")
    processes.write(few, found[0].decode())
    os.environ.setdefault("SSL_CERT_FILE", few)


def main():
    """argv: the tool, or the directory of several; the sink; then names of
    tests. Ends with 77 if there was nothing that could be run."""
    if len(sys.argv) < 3:
        print(f"usage: {sys.argv[0]} TOOL SINK [TEST...]", file=sys.stderr)
        sys.exit(64)
    programs["tool"] = os.path.abspath(sys.argv[1])
    programs["sink"] = os.path.abspath(sys.argv[2])
    programs["session"] = os.path.abspath(os.path.join(
        os.path.dirname(sys.argv[1]), "..", "test", "server", "session"))
    if SHORT:
        trust_few()
    outcome = unittest.main(
        argv=[sys.argv[0], *sys.argv[3:]], verbosity=2, exit=False).result
    processes.run_cleanups()
    if not outcome.wasSuccessful():
        sys.exit(1)
    # A skipped module has no test that ran, but a reason, printed above.
    sys.exit(77 if outcome.testsRun == 0 else 0)
