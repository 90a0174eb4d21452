# SPDX-License-Identifier: MIT
"""Black-box test of uvsmtp-sink's TLS; the sink's path is the first argument.

As test_sink.py, but that the other end is Python's ssl."""
import os
import shutil
import smtplib
import socket
import ssl
import sys
import tempfile
import time

import certificates
import test_sink
from test_sink import (TIMEOUT, Raw, check, failures, run, same, sink,
                       stored)



def client_context(tmp, version=None):
    context = ssl.create_default_context(cafile=tmp + "/ca.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class Secure(Raw):
    """A client that is within TLS from the beginning, or from STARTTLS on."""

    def __init__(self, port, context, starttls="EHLO me", session=None):
        super().__init__(port, starttls)
        if starttls:
            self.start = self.ask("STARTTLS")
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost",
                                        session=session)

    def below(self):
        """What the socket itself says next: ssl takes a reset for an end."""
        with socket.socket(fileno=os.dup(self.sock.fileno())) as plain:
            plain.settimeout(TIMEOUT)
            try:
                return plain.recv(65536)
            except ConnectionResetError:
                return "reset"


def versions(port, tmp):
    """Those that the sink speaks, as ssl calls them."""
    found = []
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        try:
            c = Secure(port, client_context(tmp, version), None)
        except ssl.SSLError:
            continue
        found.append(version)
        c.close()
    return found


def test_starttls(tmp, args):
    folder = tmp + "/store"
    context = client_context(tmp)
    with sink(*args, "--lmtp-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0",
              "--store", folder) as s:
        c = Secure(s.at["smtp"], context)
        check("STARTTLS is offered", c.hello.endswith("250 STARTTLS"), c.hello)
        same("and answered", c.start[:9], "220 2.0.0")
        same("greet again", c.code("MAIL FROM:<a@x>"), 503)
        hello = c.ask("EHLO me")
        check("it is not offered twice", "STARTTLS" not in hello, hello)
        same("nor done twice", c.code("STARTTLS"), 503)
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
        same("an envelope", c.codes(3), [250, 250, 354])
        c.send(b"hi\r\n.\r\n")
        same("a message", c.codes(1), [250])
        same("stored, with its version", stored(folder, 1)[1]["tls"],
             c.sock.version())
        c.send(b"QUIT\r\n")
        same("QUIT", (c.codes(1), c.ended()), ([221], b""))
        c.close()
        c = Secure(s.at["lmtp"], context, "LHLO me")
        same("LMTP", c.code("LHLO me"), 250)
        # Python's own client, which also wants our end to be clean.
        with smtplib.SMTP("127.0.0.1", s.at["smtp"], timeout=TIMEOUT) as client:
            # The certificate has the address, too.
            client.starttls(context=context)
            client.sendmail("a@x", ["b@x"], "hi\r\n")
        c.close()
        c = Raw(s.at["smtp"], "EHLO me")
        same("an argument", c.code("STARTTLS now"), 501)
        c.send(b"starttls\r\nNOOP\r\n")
        same("something behind it", (c.codes(1), c.ended()), ([501], b""))
        c.close()
        c = Raw(s.at["smtp"], "EHLO me")
        same("a handshake", c.code("STARTTLS"), 220)
        c.send(b"EHLO me\r\n" * 10)
        check("that is none", c.ended()[:1] in (b"\x15", b"", "r"))
        c.close()
    same("messages", s.summary["messages"], "2")
    same("early", s.summary["early"], "1")


def test_implicit(tmp, args):
    with sink(*args, "--smtps-listen", "127.0.0.1:0") as s:
        same("its port alone is told", list(s.at), ["smtps"])
        found = versions(s.at["smtps"], tmp)
        for version in found:
            # Tickets: also a resumed session is greeted.
            context = client_context(tmp, version)
            c = Secure(s.at["smtps"], context, None)
            same("greeting", c.reply()[:4], "220 ")
            same("EHLO", "STARTTLS" in c.ask("EHLO me"), False)
            first = c.sock.session
            same("QUIT", c.code("QUIT"), 221)
            c.close()
            c = Secure(s.at["smtps"], context, None, first)
            same("greeting again", c.reply()[:4], "220 ")
            check("%s is resumed" % c.sock.version(), c.sock.session_reused)
            c.close()
        # Without tickets there is the server's memory, but not in TLS 1.3.
        context = client_context(tmp, ssl.TLSVersion.TLSv1_2)
        context.options |= ssl.OP_NO_TICKET
        first = Secure(s.at["smtps"], context, None)
        again = Secure(s.at["smtps"], context, None, first.sock.session)
        check("by its number, too", again.sock.session_reused)
        first.close()
        again.close()
        slow = Raw(s.at["smtps"])
        same("without TLS there is no greeting", slow.silent(), True)
        slow.close()
    same("handshakes", (s.summary["secured"], s.summary["resumed"]),
         (str(3 * len(found) + 2), str(len(found) + 1)))


def pump(incoming, outgoing, tls, sock, step):
    """A handshake of which only a few octets go at a time."""
    while True:
        try:
            tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        data = outgoing.read()
        for i in range(0, len(data), step):
            sock.sendall(data[i:i + step])
            time.sleep(0.0002)
        if done:
            return
        got = sock.recv(7)
        if not got:
            raise EOFError
        incoming.write(got)


def test_pieces(tmp, args):
    """Records in pieces, several in a piece, and more than sockets hold."""
    context = client_context(tmp)
    with sink(*args, "--smtps-listen", "127.0.0.1:0", "--store",
              tmp + "/pieces") as s:
        raw = Raw(s.at["smtps"])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing,
                               server_hostname="localhost")
        pump(incoming, outgoing, tls, raw.sock, 1)
        check("a handshake octet by octet", tls.version() is not None)
        for part in (b"EH", b"LO me\r\nNOOP\r\n", b"QUIT\r\n"):
            tls.write(part)
        tls_end(tls)
        for octet in outgoing.read():
            raw.sock.sendall(bytes([octet]))
        incoming.write(raw.ended())
        got = b""
        try:
            while True:
                got += tls.read(65536)
        except (ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLEOFError):
            pass
        check("records octet by octet", got.endswith(b"221 2.0.0 Bye\r\n"), got)
        raw.close()

        c = Secure(s.at["smtps"], context, None)
        c.reply()
        c.ask("EHLO me")
        asked = 0
        c.sock.settimeout(0.5)
        try:
            # Nothing is read until the sink won't take any more.
            while asked < 2_000_000:
                c.sock.sendall(b"NOOP\r\n" * 500)
                asked += 500
            check("it stops reading", False)
        except TimeoutError:
            check("it stops reading", True)
        c.sock.settimeout(TIMEOUT)
        good = [c.line() == "250 2.0.0 Ok" for _ in range(asked)]
        check("and answers all of %d" % asked, asked > 1000 and all(good))
        c.close()

        c = Secure(s.at["smtps"], context, None)
        c.reply()
        c.ask("EHLO me")
        body = (b"x" * 998 + b"\r\n") * 4000
        c.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT %d LAST\r\n"
               % len(body) + body)
        same("a message of many records", c.codes(3), [250] * 3)
        check("whole", stored(tmp + "/pieces", 1)[0] == body)
        c.close()


def tls_end(tls):
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass


SCRIPT = r"""
EHLO 250-x\r\n250 STARTTLS
STARTTLS 454 4.7.0 not now
"""
INJECT = r"""
STARTTLS 220 go\r\n250 injected
QUIT 221 bye !reset
"""


def test_script(tmp, args):
    path = tmp + "/script"
    with open(path, "w", encoding="utf-8") as f:
        f.write(SCRIPT)
    with sink(*args, "--script", path) as s:
        c = Raw(s.at["smtp"], "EHLO me")
        same("a scripted refusal", c.ask("STARTTLS"), "454 4.7.0 not now")
        same("has no effect", c.code("NOOP"), 250)
        c.close()
    with open(path, "w", encoding="utf-8") as f:
        f.write(INJECT)
    with sink(*args, "--script", path) as s:
        c = Secure(s.at["smtp"], client_context(tmp))
        same("a scripted 220", c.start, "220 go")
        same("and what it brings along", c.reply(), "250 injected")
        same("has its effect", c.code("EHLO me"), 250)
        c.send(b"QUIT\r\n")
        same("!reset within TLS", (c.codes(1), c.below()), ([221], "reset"))
        c.close()


def test_start(tmp, args):
    same("a certificate alone", run(*args[:2]), 64)
    same("a key alone", run(*args[2:]), 64)
    same("--smtps-listen alone", run("--smtps-listen", "127.0.0.1:0"), 64)
    same("no file", run("--tls-cert", "/nonexistent", *args[2:]), 65)
    same("no certificate", run("--tls-cert", args[3], *args[2:]), 65)
    same("no key", run(*args[:2], "--tls-key", args[1]), 65)
    with sink() as s:
        c = Raw(s.at["smtp"], "EHLO me")
        check("without them nothing is offered", "STARTTLS" not in c.hello)
        same("or done", c.code("STARTTLS"), 500)
        c.close()
    check("or counted", "secured" not in s.summary)


def main():
    tmp = tempfile.mkdtemp(prefix="sink")
    try:
        certificates.make(tmp)
        for kind in ("ec", "rsa"):
            args = ["--tls-cert", "%s/%s.pem" % (tmp, kind),
                    "--tls-key", "%s/%s.key" % (tmp, kind)]
            test_implicit(tmp, args)
        test_start(tmp, args)
        test_starttls(tmp, args)
        test_script(tmp, args)
        test_pieces(tmp, args)
    finally:
        shutil.rmtree(tmp)
    print("%d checks, %d failed%s" % (test_sink.checks, len(failures),
                                      "".join("\n  " + x for x in failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
