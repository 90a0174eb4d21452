# SPDX-License-Identifier: MIT
"""Black-box test of uvsmtp-sink, whose path is the first argument.

The sink is the other end of many tests and of the benchmarks, so what it
accepts, refuses and stores is checked here with Python's own smtplib and with
raw sockets. Prints each check; the exit status is 0 if all hold."""
import contextlib
import glob
import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

SINK = sys.argv[1] if len(sys.argv) > 1 else "uvsmtp-sink"
TIMEOUT = 20
failures = []
checks = 0


def check(name, good, detail=""):
    global checks
    checks += 1
    print("%s %s%s" % ("ok  " if good else "FAIL", name,
                       "" if good else ": %s" % (detail,)))
    if not good:
        failures.append(name)


def same(name, got, want):
    check(name, got == want, "got %r, want %r" % (got, want))


class Sink:
    """A running sink; ports and Unix sockets from its READY line."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [SINK, *args], stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if words[:1] != ["READY"]:
            raise RuntimeError("no READY line: %r" % words)
        pairs = [w.split("=", 1) for w in words[1:]]
        self.at = {k: int(v) if v.isdigit() else v for k, v in pairs}

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            out, _ = self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        line = [x for x in out.splitlines() if x.startswith("SUMMARY")]
        if len(line) != 1:
            raise RuntimeError("no summary: %r" % out)
        return self.process.returncode, dict(
            w.split("=") for w in line[0].split()[1:])


@contextlib.contextmanager
def sink(*args, want_exit=0):
    s = Sink(*args)
    try:
        yield s
    finally:
        status, s.summary = s.stop()
        same("exit status of %s" % " ".join(args[:1] or ["sink"]), status,
             want_exit)


class Raw:
    """A raw client that reads whole replies."""

    def __init__(self, where, hello=None):
        if isinstance(where, int):
            self.sock = socket.create_connection(("127.0.0.1", where), TIMEOUT)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(TIMEOUT)
            self.sock.connect(where)
        self.data = b""
        if hello:
            self.greeting = self.reply()
            self.hello = self.ask(hello)

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\r\n" not in self.data:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError(self.data)
            self.data += got
        line, self.data = self.data.split(b"\r\n", 1)
        return line.decode()

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def codes(self, count):
        return [int(self.reply()[:3]) for _ in range(count)]

    def ask(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def code(self, line):
        return int(self.ask(line)[:3])

    def ended(self):
        """What comes before the end of file, or "reset" for a RST."""
        try:
            while got := self.sock.recv(65536):
                self.data += got
        except ConnectionResetError:
            return "reset"
        return self.data

    def silent(self, seconds=0.3):
        self.sock.settimeout(seconds)
        try:
            return not self.data and self.sock.recv(1) is None
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(TIMEOUT)

    def close(self):
        self.sock.close()


def stored(folder, number):
    with open("%s/%d.eml" % (folder, number), "rb") as f:
        text = f.read()
    with open("%s/%d.env" % (folder, number), encoding="utf-8") as f:
        return text, json.load(f)


def stuff(text):
    """Dot-stuffing as RFC 5321 4.5.2 has it: lines end with CRLF only."""
    lines = text.split(b"\r\n")
    return b"\r\n".join(b"." + x if x[:1] == b"." else x for x in lines)


HARD_TEXT = (b".\r\n..\r\n...\r\n.a\r\na.\r\n\r\n.\n.\r\n\n.\n\r\n\r.\r\n\r\r\n"
             b".\r.\r\n\n.\r\n..x\r\n\x00\xff.\r\n\r\n\r\n.")


def test_smtplib(tmp):
    folder = tmp + "/smtplib"
    with sink("--store", folder) as s:
        client = smtplib.SMTP("127.0.0.1", s.at["smtp"], timeout=TIMEOUT)
        same("EHLO", client.ehlo("me.example")[0], 250)
        same("extensions", sorted(client.esmtp_features),
             ["8bitmime", "chunking", "enhancedstatuscodes", "pipelining",
              "size", "smtputf8"])
        text = "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n"
        refused = client.sendmail(
            "a@x.example", ["b@x", "nouser@x", "full@x", "C <c@x>"], text)
        same("refused", {k: v[0] for k, v in refused.items()},
             {"nouser@x": 550, "full@x": 452})
        got, env = stored(folder, 1)
        same("stored text", got, text.encode())
        same("stored envelope", env, {
            "protocol": "ESMTP", "helo": "me.example",
            "mail_from": "a@x.example",
            "mail_params": ["size=%d" % len(text)],
            "recipients": ["b@x", "c@x"],
            "recipient_params": [[], []], "refused": [], "via": "DATA",
            "chunks": 0, "octets": len(text)})
        for sender, code in (("badsender@x", 550), ("tempsender@x", 451)):
            try:
                client.sendmail(sender, ["b@x"], text)
                check("refuses " + sender, False, "accepted")
            except smtplib.SMTPSenderRefused as e:
                same("refuses " + sender, e.smtp_code, code)
        for rcpt, code in (("spam@x", 550), ("datatemp@x", 451)):
            try:
                client.sendmail("a@x", ["b@x", rcpt], text)
                check("refuses the text for " + rcpt, False, "accepted")
            except smtplib.SMTPDataError as e:
                same("refuses the text for " + rcpt, e.smtp_code, code)
        client.sendmail("\u00e9@x", ["\u00fc@x"], text,
                        mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        got, env = stored(folder, 2)
        same("SMTPUTF8 addresses", (env["mail_from"], env["recipients"]),
             ("\u00e9@x", ["\u00fc@x"]))
        same("QUIT", client.quit()[0], 221)
        same("no draft is left", glob.glob(folder + "/.*.tmp"), [])
    same("messages", s.summary["messages"], "2")
    same("recipients", s.summary["recipients"], "3")
    same("connections", s.summary["connections"], "1")
    same("early", s.summary["early"], "0")
    with sink("--store", folder) as s:
        with smtplib.SMTP("127.0.0.1", s.at["smtp"], timeout=TIMEOUT) as client:
            client.sendmail("a@x", ["b@x"], "again\r\n")
        same("an earlier run's messages stay", stored(folder, 1)[0],
             text.encode())
        same("the next has the next number", stored(folder, 3)[0],
             b"again\r\n")


def test_words():
    with sink() as s:
        c = Raw(s.at["smtp"], "EHLO me")
        c.ask("MAIL FROM:<a@b>")
        for word, code, enhanced in (
                ("tempfail", 450, "4.2.1"), ("greylist", 451, "4.7.1"),
                ("full", 452, "4.2.2"), ("nouser", 550, "5.1.1"),
                ("policy", 554, "5.7.1")):
            got = c.ask("RCPT TO:<%s@x>" % word)
            same("word " + word, got.split()[:2], [str(code), enhanced])
        same("word with a tag", c.code("RCPT TO:<NoUser+7@x>"), 550)
        same("not quite a word", c.code("RCPT TO:<nousers@x>"), 250)
        begin = time.monotonic()
        c.send(b"RCPT TO:<a@x>\r\nRCPT TO:<slow@x>\r\nRCPT TO:<b@x>\r\n")
        first = c.reply()
        before = time.monotonic() - begin
        same("slow", [first[:3]] + [str(x) for x in c.codes(2)],
             ["250", "250", "250"])
        check("what stands before slow isn't held back", before < 0.9, before)
        took = time.monotonic() - begin
        check("slow takes a second", took >= 0.95, took)
        got = c.ask("RCPT TO:<closing@x>")
        same("word closing", got[:9], "421 4.3.2")
        same("and it closes", c.ended(), b"")
        c.close()


def test_machine():
    with sink() as s:
        c = Raw(s.at["smtp"])
        same("greeting", c.reply()[:4], "220 ")
        for line, code in (
                ("MAIL FROM:<a@b>", 503), ("RCPT TO:<a@b>", 503),
                ("DATA", 503), ("NOOP", 250), ("RSET", 250),
                ("VRFY x", 252), ("LHLO me", 500), ("EHLO", 501),
                ("HELO me", 250), ("MAIL FROM:<a@b> SIZE=1", 555),
                ("ehlo me", 250), ("RCPT TO:<a@b>", 503), ("DATA", 503),
                ("MAIL FROM:a@b", 501), ("MAIL", 501), ("MAIL FROM:", 501),
                ("MAIL FROM: <a@b>", 501), ("MAIL FROM:<a@b", 501),
                ("MAIL FROM:<a b@c>", 501), ("MAIL FROM:<a@>", 501),
                ("MAIL FROM:<@b>", 501), ("MAIL FROM:<a@b>x", 501),
                ("MAIL FROM:<a\0@b>", 501), ("MAIL FROM:<a\r@b>", 501),
                ("MAIL FROM:<\xe9@b>", 553), ("MAIL FROM:<a@b> FOO", 555),
                ("MAIL FROM:<a@b> SIZE=x", 501),
                ("MAIL FROM:<a@b> BODY=BINARYMIME", 501),
                ("MAIL FROM:<> BODY=8bitmime SIZE=5 SMTPUTF8", 250),
                ("MAIL FROM:<a@b>", 503), ("DATA", 503), ("RCPT TO:<>", 501),
                ("RCPT TO:<nouser@b>", 550), ("DATA", 554),
                ("RCPT TO:<a@b> NOTIFY=NEVER", 555), ("rcpt to:<a@b>", 250),
                ("RCPT TO:<@r,@s:a@b>", 250), ('RCPT TO:<"a>\\"b @"@b>', 250),
                ("RCPT TO:<Postmaster>", 250), ("DATA x", 501), ("RSET", 250),
                ("DATA", 503), ("MAIL FROM:<a@b>", 250),
                ("EHLO again", 250), ("RCPT TO:<a@b>", 503), ("FOO", 500),
                ("NO", 500), ("", 500), ("STARTTLS", 500), ("AUTH PLAIN", 502),
                ("EXPN x", 502), ("HELP", 214), ("RSET x", 501),
                ("QUIT x", 501), ("BDAT", 501), ("BDAT x", 501),
                ("BDAT -1", 501), ("NOOPX", 500), ("NOOP x", 250)):
            same("%r" % line, c.code(line), code)
        c.send(b"NOOP\n")
        same("bare LF in a command", c.codes(1), [500])
        c.send(b"x" * 100000 + b"\r\nNOOP\r\n")
        same("a line too long", c.codes(2), [500, 250])
        c.send(b"QUIT\r\n")
        same("QUIT", (c.codes(1), c.ended()), ([221], b""))
        c.close()
    with sink("--no-enhanced", "--no-pipelining", "--no-chunking",
              "--no-size", "--no-8bitmime", "--no-smtputf8",
              "--greeting", "hi there") as s:
        c = Raw(s.at["smtp"], "EHLO me")
        same("--greeting", c.greeting, "220 hi there")
        same("no extensions", c.hello, "250 sink.localhost")
        for param in ("SIZE=1", "BODY=7BIT", "SMTPUTF8"):
            same("no " + param, c.code("MAIL FROM:<a@b> " + param), 555)
        same("no enhanced code", c.ask("NOOP"), "250 Ok")
        same("no BDAT", c.code("BDAT 0 LAST"), 500)
        c.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n")
        same("pipelined all the same", c.codes(2), [250, 250])
        c.close()
    same("and counted", s.summary["early"], "1")


def test_offers(tmp):
    folder = tmp + "/offers"
    offers = ("DSN", "DELIVERBY 60", "FUTURERELEASE 9 2030-01-01T00:00:00Z",
              "MT-PRIORITY MIXER", "REQUIRETLS",
              "LIMITS MAILMAX=2 RCPTMAX=2 RCPTDOMAINMAX=1")
    with sink("--store", folder, *(word for offer in offers
                                   for word in ("--offer", offer))) as s:
        c = Raw(s.at["smtp"], "EHLO me")
        same("what is offered",
             [line[4:] for line in c.hello.split("\n")][-len(offers):],
             list(offers))
        mail = ("RET=HDRS ENVID=x BY=60;R HOLDFOR=9 holduntil=x "
                "MT-PRIORITY=3 REQUIRETLS")
        rcpt = "NOTIFY=NEVER ORCPT=utf-8;\u00e9@b"
        for line, code in (
                ("MAIL FROM:<a@b> NOTIFY=NEVER", 555),
                ("MAIL FROM:<a@b> AUTH=<>", 555),
                ("MAIL FROM:<a@b> RE", 555), ("MAIL FROM:<a@b> RET=\xff", 501),
                ("MAIL FROM:<a@b> RET=\u00e9", 553),
                ("MAIL FROM:<a@b> SMTPUTF8 " + mail, 250),
                ("RCPT TO:<a@b> ENVID=x", 555),
                ("RCPT TO:<a@b> SMTPUTF8", 555), ("RCPT TO:<a@b> " + rcpt, 250),
                ("RCPT TO:<nouser@b>", 550), ("RCPT TO:<b@b>", 250),
                ("RCPT TO:<c@b>", 452), ("BDAT 0 LAST", 250),
                ("MAIL FROM:<a@b>", 250), ("RCPT TO:<b@b>", 250),
                ("MAIL FROM:<a@b>", 503), ("RSET", 250),
                ("MAIL FROM:<a@b>", 421)):
            octets = line.encode("latin-1" if "\xff" in line else "utf-8")
            c.send(octets + b"\r\n")
            same("%r" % line, c.codes(1), [code])
        same("and it closes", c.ended(), b"")
        c.close()
        _, env = stored(folder, 1)
        same("stored parameters",
             (env["mail_params"], env["recipient_params"]),
             (["SMTPUTF8", *mail.split()], [rcpt.split(), []]))
        c = Raw(s.at["smtp"], "EHLO me")
        same("another session begins anew", c.code("MAIL FROM:<a@b>"), 250)
        c.close()
    with sink() as s:
        c = Raw(s.at["smtp"], "EHLO me")
        for param in mail.split():
            same("no " + param, c.code("MAIL FROM:<a@b> " + param), 555)
        c.close()


def test_pipelining(tmp):
    folder = tmp + "/pipe"
    with sink("--store", folder) as s:
        c = Raw(s.at["smtp"], "EHLO me")
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<nouser@x>\r\n"
               b"RCPT TO:<c@x>\r\nDATA\r\n")
        same("a group", c.codes(5), [250, 250, 550, 250, 354])
        # The next envelope rides behind the dot (RFC 2920 3.1).
        c.send(b"one\r\n.\r\nMAIL FROM:<a@x>\r\nRCPT TO:<nouser@x>\r\nDATA\r\n")
        same("behind the dot", c.codes(4), [250, 250, 550, 554])
        c.send(b"RSET\r\nMAIL FROM:<badsender@x>\r\nRCPT TO:<a@x>\r\nDATA\r\n")
        same("a refused MAIL", c.codes(4), [250, 550, 503, 503])
        group = b"".join(
            b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 3 LAST\r\n%03d" % i
            for i in range(500))
        c.send(group)
        same("500 messages in one flight", c.codes(1500), [250] * 1500)
        same("the last of them", stored(folder, 501)[0], b"499")
        # One octet at a time, a whole session.
        session = (b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
                   b"..\r\n...\r\n.\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
                   b"BDAT 4\r\n.\r\nXBDAT 2 LAST\r\n\r\nQUIT\r\n")
        for octet in session[0]:
            c.send(bytes([octet]))
            time.sleep(0.0005)
        same("dripping", c.codes(3), [250, 250, 354])
        for octet in session[1]:
            c.send(bytes([octet]))
            time.sleep(0.0005)
        same("dripping on", c.codes(6), [250, 250, 250, 250, 250, 221])
        same("dripped DATA", stored(folder, 502)[0], b".\r\n..\r\n")
        same("dripped BDAT", stored(folder, 503)[0], b".\r\nX\r\n")
        same("its chunks", stored(folder, 503)[1]["chunks"], 2)
        c.close()
    same("messages", s.summary["messages"], "503")


def test_backpressure():
    with sink() as s:
        c = Raw(s.at["smtp"], "EHLO me")
        block = b"NOOP\r\n" * 1000
        sent = 0
        quiet = 0
        view = b""
        # Nothing is read here until the sink won't take any more.
        c.sock.setblocking(False)
        while sent < 50000 and quiet < 50:
            view = view or block
            try:
                view = view[c.sock.send(view):]
                sent += not view
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.01)
        check("it stops reading", quiet == 50, sent)
        c.sock.settimeout(TIMEOUT)
        got = bytearray()
        asked = sent * 1000 + (1000 if view else 0)
        want = len(b"250 2.0.0 Ok\r\n") * asked
        while len(got) < want:
            if view:
                c.sock.setblocking(False)
                try:
                    view = view[c.sock.send(view):]
                except BlockingIOError:
                    pass
                c.sock.settimeout(TIMEOUT)
            got += c.sock.recv(1 << 20)
        check("and answers all", got == b"250 2.0.0 Ok\r\n" * asked)
        c.close()


def test_dots(tmp):
    """Any octet of a text may be the first of a read."""
    folder = tmp + "/dots"
    wire = stuff(HARD_TEXT + b"\r\n") + b".\r\n"
    with sink("--store", folder) as s:
        c = Raw(s.at["smtp"], "EHLO me")
        number = 0
        bad = []
        for cut in range(1, len(wire)):
            c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
            codes = c.codes(3)
            c.send(wire[:cut])
            time.sleep(0.001)
            c.send(wire[cut:])
            codes += c.codes(1)
            number += 1
            if (codes != [250, 250, 354, 250] or
                    stored(folder, number)[0] != HARD_TEXT + b"\r\n"):
                bad.append(cut)
        check("a text cut at each octet", not bad, bad)
        # Dots and line ends at the edges of the read buffer.
        bad = []
        for pad in range(-6, 4):
            text = (b"x" * ((256 << 10) + pad) + b"\r\n.\r\n..\r\n") * 5
            c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
            codes = c.codes(3)
            c.send(stuff(text) + b".\r\n")
            codes += c.codes(1)
            number += 1
            if codes[3] != 250 or stored(folder, number)[0] != text:
                bad.append(pad)
        check("dots at the edges of the read buffer", not bad, bad)
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
        c.codes(3)
        c.send(b".\r\n")
        same("an empty text", (c.codes(1), stored(folder, number + 1)[0]),
             ([250], b""))
        # A bare LF doesn't end a line, so none of these ends the text.
        text = b"a\n.\n.\r\nb\r\n.\nc\n.\r\n\r.\r\nd\r\n"
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
        c.codes(3)
        c.send(text + b".\r\n")
        same("smuggling forms", (c.codes(1), stored(folder, number + 2)[0]),
             ([250], text.replace(b"\r\n.\nc", b"\r\n\nc")))
        c.close()


def test_bdat(tmp):
    folder = tmp + "/bdat"
    with sink("--store", folder) as s:
        c = Raw(s.at["smtp"], "EHLO me")
        body = HARD_TEXT * 20
        number = 0
        bad = []
        for size in (1, 2, 3, 7, 64, 1000, len(body)):
            chunks = [body[i:i + size] for i in range(0, len(body), size)]
            wire = b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" + b"".join(
                b"BDAT %d\r\n" % len(x) + x
                for x in chunks) + b"BDAT 0 LAST\r\n"
            step = 977
            for i in range(0, len(wire), step):
                c.send(wire[i:i + step])
            number += 1
            codes = c.codes(3 + len(chunks))
            if set(codes) != {250} or stored(folder, number)[0] != body:
                bad.append(size)
        check("chunks of any size", not bad, bad)
        c.send(b"BDAT 6\r\nQUIT\r\nNOOP\r\n")
        same("octets without MAIL are swallowed", c.codes(2), [503, 250])
        c.send(b"MAIL FROM:<a@x>\r\nBDAT 6\r\nQUIT\r\nRSET\r\n")
        same("and without RCPT", c.codes(3), [250, 503, 250])
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<nouser@x>\r\nBDAT 6 LAST\r\n"
               b"QUIT\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
               b"BDAT 2 LAST\r\nhi")
        same("all refused, the next is not", c.codes(6),
             [250, 550, 554, 250, 250, 250])
        number += 1
        same("and only that is stored", stored(folder, number)[0], b"hi")
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 6 FIRST\r\nQUIT\r\n"
               b"BDAT 6 LAST\r\nQUIT\r\n")
        same("a bad word is refused, octets and all", c.codes(4),
             [250, 250, 501, 503])
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 2\r\nhi"
               b"RCPT TO:<c@x>\r\nDATA\r\nMAIL FROM:<a@x>\r\nNOOP\r\n"
               b"BDAT 1 LAST\r\n!")
        same("nothing else in between", c.codes(8),
             [250, 250, 250, 503, 503, 503, 250, 250])
        c.send(b"BDAT 1 LAST\r\n!")
        same("BDAT after LAST", c.codes(1), [503])
        c.close()
    same("messages", s.summary["messages"], str(number + 1))


def test_lmtp(tmp):
    folder = tmp + "/lmtp"
    path = tmp + "/l.sock"
    with sink("--listen", "127.0.0.1:0", "--lmtp-listen", "[::1]:0",
              "--lmtp-unix", path, "--unix", tmp + "/s.sock", "--store",
              folder) as s:
        same("all listeners", sorted(s.at),
             ["lmtp", "lmtp-unix", "smtp", "smtp-unix"])
        c = Raw(tmp + "/s.sock", "EHLO me")
        same("SMTP on a Unix socket", c.hello[:4], "250-")
        c.close()
        c = Raw(path)
        c.reply()
        same("no EHLO in LMTP", c.code("EHLO me"), 500)
        same("no HELO in LMTP", c.code("HELO me"), 500)
        check("LHLO", "CHUNKING" in c.ask("LHLO me"))
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<nouser@x>\r\nDATA\r\n")
        same("DATA without recipients", c.codes(3), [250, 550, 503])
        group = (b"RSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
                 b"RCPT TO:<spam@x>\r\nRCPT TO:<nouser@x>\r\n"
                 b"RCPT TO:<datatemp@x>\r\nRCPT TO:<b@x>\r\n")
        c.send(group + b"DATA\r\n")
        same("envelope", c.codes(8), [250, 250, 250, 250, 550, 250, 250, 354])
        c.send(b"hi\r\n.\r\nNOOP\r\n")
        same("a reply a recipient", c.codes(5), [250, 550, 451, 250, 250])
        text, env = stored(folder, 1)
        same("stored", (text, env["protocol"], env["recipients"],
                        env["refused"]),
             (b"hi\r\n", "LMTP", ["b@x", "b@x"], ["spam@x", "datatemp@x"]))
        c.send(group + b"BDAT 1\r\nhBDAT 1 LAST\r\ni")
        same("the same by BDAT", c.codes(12),
             [250, 250, 250, 250, 550, 250, 250, 250, 250, 550, 451, 250])
        same("stored, by BDAT", (stored(folder, 2)[0],
                                 stored(folder, 2)[1]["via"]), (b"hi", "BDAT"))
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<spam@x>\r\nBDAT 1 LAST\r\nh"
               b"NOOP\r\n")
        same("nobody wants it", c.codes(4), [250, 250, 550, 250])
        c.close()
    same("messages", s.summary["messages"], "2")
    same("recipients", s.summary["recipients"], "4")
    check("the socket's path is gone", not os.path.exists(path))
    with sink("--listen", "127.0.0.1:0", "--lmtp") as s:
        same("--lmtp means all", list(s.at), ["lmtp"])
        c = Raw(s.at["lmtp"], "LHLO me")
        same("LHLO over TCP", c.hello[:4], "250-")
        c.close()


def test_limits(tmp):
    folder = tmp + "/limits"
    with sink("--size", "100", "--reject-rcpt-after", "2", "--store",
              folder) as s:
        c = Raw(s.at["smtp"], "EHLO me")
        check("SIZE is offered", "250-SIZE 100" in c.hello)
        same("SIZE= too big", c.ask("MAIL FROM:<a@x> SIZE=101")[:9],
             "552 5.3.4")
        huge = "MAIL FROM:<a@x> SIZE=" + "9" * 25
        same("SIZE= of no computer", c.code(huge), 552)
        c.ask("MAIL FROM:<a@x> SIZE=100")
        c.send(b"RCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nRCPT TO:<d@x>\r\n")
        replies = [c.reply()[:9] for _ in range(3)]
        same("too many recipients", replies[2], "452 4.5.3")
        c.ask("DATA")
        c.send(b"." + b"." * 99 + b"\r\n.\r\n")
        same("too big by an octet", c.reply()[:9], "552 5.3.4")
        envelope = b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
        c.send(envelope + b"DATA\r\n")
        c.codes(3)
        c.send(b"." + b"." * 98 + b"\r\n.\r\n")
        same("exactly as big as may be", c.codes(1), [250])
        same("and stored", len(stored(folder, 1)[0]), 100)
        c.send(envelope + b"BDAT 60\r\n" + b"x" * 60 + b"BDAT 60\r\n" +
               b"x" * 60 + b"BDAT 6 LAST\r\nQUIT\r\n" + envelope +
               b"BDAT 100 LAST\r\n" + b"y" * 100)
        same("a chunk too many", c.codes(8),
             [250, 250, 250, 552, 503, 250, 250, 250])
        c.close()
        same("no draft is left", glob.glob(folder + "/.*.tmp"), [])
    same("messages", s.summary["messages"], "2")


SCRIPT = r"""
# A comment, and an empty line.

GREETING 220-one\r\n220 two
EHLO 250-x\r\n250-SIZE 5\r\n250 DSN
MAIL FROM:<odd@ 299 7.7.7 odd but fine
mail from:<no@ 552 5.3.4 no
"MAIL FROM:<raw@x> SIZE=100" what?
"RCPT TO:<part@" 25\c !close
RCPT TO:<fwd@ 251 2.1.5 will \x66orward\\
RCPT TO:<reset@ 250 x !reset
RCPT TO:<hang@ !hang
RCPT TO:<stall@ 250 2.1.5 now I look away !stall
DATA 354-go\r\n354 on
DOT 451 4.3.0 not today
BDAT 3 452 4.3.1 full
"BDAT 4 LAST" !close
QUIT 250 odd
"""


def test_script(tmp):
    path = tmp + "/script"
    with open(path, "w", encoding="utf-8") as f:
        f.write(SCRIPT)
    with sink("--script", path) as s:
        port = s.at["smtp"]
        c = Raw(port, "EHLO me")
        same("GREETING", c.greeting, "220-one\n220 two")
        same("EHLO", c.hello, "250-x\n250-SIZE 5\n250 DSN")
        same("first match", c.ask("MAIL FROM:<no@x>"), "552 5.3.4 no")
        same("refusal has no effect", c.code("RCPT TO:<a@x>"), 503)
        same("raw", c.ask("MAIL FROM:<raw@x> SIZE=100"), "what?")
        same("success has effect",
             c.ask("MAIL FROM:<odd@x> RET=HDRS"), "299 7.7.7 odd but fine")
        same("escapes", c.ask("RCPT TO:<fwd@x>"), "251 2.1.5 will forward\\")
        same("DATA", c.ask("DATA"), "354-go\n354 on")
        c.send(b"hi\r\n.\r\n")
        same("DOT", c.reply(), "451 4.3.0 not today")
        c.send(b"MAIL FROM:<odd@x>\r\nRCPT TO:<a@x>\r\nBDAT 3\r\nabc"
               b"BDAT 2\r\nab")
        same("BDAT", c.codes(4), [299, 250, 452, 503])
        c.send(b"MAIL FROM:<odd@x>\r\nRCPT TO:<a@x>\r\nBDAT 4 LAST\r\nabcd")
        same("BDAT !close", (c.codes(2), c.ended()), ([299, 250], b""))
        c.close()
        c = Raw(port, "EHLO me")
        same("a scripted 354 always takes a text", c.code("DATA"), 354)
        c.send(b"hi\r\n.\r\nQUIT\r\n")
        same("and QUIT closes", (c.codes(2), c.ended()), ([451, 250], b""))
        c.close()
        c = Raw(port, "EHLO me")
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<part@x>\r\nNOOP\r\n")
        same("half a reply", (c.codes(1), c.ended()), ([250], b"25"))
        c.close()
        c = Raw(port, "EHLO me")
        c.send(b"MAIL FROM:<a@x>\r\n")
        c.codes(1)
        c.send(b"RCPT TO:<reset@x>\r\n")
        same("!reset", c.ended(), "reset")
        c.close()
        c = Raw(port, "EHLO me")
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<hang@x>\r\nNOOP\r\n")
        same("!hang", (c.codes(1), c.silent()), ([250], True))
        c.close()
        c = Raw(port, "EHLO me")
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<stall@x>\r\n")
        same("!stall", c.codes(2), [250, 250])
        c.sock.settimeout(1)
        try:
            for _ in range(1000):
                c.sock.sendall(b"x" * (1 << 20))
            check("it doesn't read", False)
        except TimeoutError:
            check("it doesn't read", True)
        c.close()
    same("nothing was accepted", s.summary["messages"], "0")
    with open(path, "w", encoding="utf-8") as f:
        f.write("DOT 250 2.0.0 yes !close\n")
    with sink("--lmtp", "--script", path) as s:
        c = Raw(s.at["lmtp"], "LHLO me")
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\n"
               b"DATA\r\n")
        c.codes(4)
        c.send(b"hi\r\n.\r\n")
        same("LMTP: one of two final replies", (c.codes(1), c.ended()),
             ([250], b""))
        c.close()
    for text, status in (("MAIL\n", 65), ('"MAIL 250\n', 65),
                         ("MAIL 250 \\q\n", 65)):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        same("bad script %r" % text, run("--script", path), status)


def run(*args):
    return subprocess.run([SINK, *args], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=TIMEOUT).returncode


def test_start():
    same("--help", run("--help"), 0)
    same("an unknown option", run("--frobnicate"), 64)
    same("an argument", run("x"), 64)
    for line in "", " DSN", "D\rSN", "\u00e9", "x" * 200:
        same("offer %r" % line, run("--offer", line), 64)
    same("too many offers", run(*["--offer", "x"] * 9), 64)
    for where in ("0.0.0.0:0", "192.0.2.1:0", "[::]:0", "example.org:25",
                  "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", ":0"):
        same("listen on " + where, run("--listen", where), 64)
    same("a script that isn't there", run("--script", "/nonexistent"), 66)
    s = Sink("--count", "3")
    # Held open, so the time after the last sign of life counts.
    idle = Raw(s.at["smtp"], "EHLO me")
    with smtplib.SMTP("127.0.0.1", s.at["smtp"], timeout=TIMEOUT) as client:
        for _ in range(3):
            client.sendmail("a@x", ["b@x"], "hi\r\n")
        same("a fourth after the count", client.noop()[0], 250)
    s.process.wait(TIMEOUT)
    status, summary = s.stop()
    same("--count", (status, summary["messages"]), (0, "3"))
    idle.close()
    s = Sink()
    same("SIGINT", s.stop(signal.SIGINT)[0], 0)
    # Its reader is gone before it writes: it must end as always.
    s = Sink()
    s.process.stdout.close()
    s.process.send_signal(signal.SIGTERM)
    same("nobody reads the summary", s.process.wait(TIMEOUT), 0)


def test_many():
    """Idle connections by the hundred, some lost in the middle of things."""
    with sink() as s:
        clients = [Raw(s.at["smtp"], "EHLO me") for _ in range(400)]
        for i, c in enumerate(clients):
            c.send((b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nhi",
                    b"MAIL FROM:<a@x>\r\nRCPT TO:<slow@x>\r\n",
                    b"MAIL", b"")[i % 4])
        for i, c in enumerate(clients):
            if i % 3 == 0:
                c.close()
        alive = [c for i, c in enumerate(clients) if i % 3 and i % 4 == 3]
        same("the others go on", {c.code("NOOP") for c in alive}, {250})
        for c in clients:
            c.close()
    same("peak", s.summary["peak"], "400")


def main():
    tmp = tempfile.mkdtemp(prefix="sink")
    try:
        test_start()
        test_machine()
        test_words()
        test_smtplib(tmp)
        test_offers(tmp)
        test_pipelining(tmp)
        test_backpressure()
        test_dots(tmp)
        test_bdat(tmp)
        test_lmtp(tmp)
        test_limits(tmp)
        test_script(tmp)
        test_many()
    finally:
        shutil.rmtree(tmp)
    print("%d checks, %d failed%s" % (checks, len(failures),
                                      "".join("\n  " + x for x in failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
