# SPDX-License-Identifier: MIT
"""The programs in docs/examples do what their first comments say, and end well
when things don't go well. Arguments: the directory of the programs, SINK."""
import base64
import concurrent.futures
import contextlib
import email
import email.policy
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import client
import processes
from client import Case
from recorder import CLOSE, EXTENSIONS, SILENT, Recorder
from sasl import Anybody
from secure import Secure, identity
from shared import setUpModule, sink, tearDownModule  # noqa: F401

TIMEOUT = client.RUN_TIMEOUT
ME = "me@example.org"
MESSAGE = b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n"


def path(name):
    program = os.path.join(client.programs["tool"], name)
    if name == "embed_cc" and not os.path.exists(program):
        raise unittest.SkipTest("no C++ compiler that goes with the C compiler")
    return program


def run(name, *args, data=b""):
    """Runs an example; (exit, out, err)."""
    done = subprocess.run([path(name), *map(str, args)], input=data,
                          capture_output=True, check=False, timeout=TIMEOUT)
    return (done.returncode, done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"))


def last_stored():
    """Text and envelope of what the sink took last."""
    return sink().stored()[-1]


@contextlib.contextmanager
def refusing_port():
    with processes.closed_port() as s:
        yield s.getsockname()[1]


class OneMessage(Case):
    """What the programs that send one message have in common."""

    def check(self, name, data):
        to = f"{name}@example.net"
        code, out, err = run(name, "127.0.0.1", sink().smtp, ME, to, data=data)
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("accepted", out)
        text, envelope = last_stored()
        self.assertEqual(envelope["recipients"][0], to)
        self.assertTrue(text.startswith(b"Subject: "), text)
        self.assertTrue(text.endswith(b"\r\n"), text)
        if data:
            self.assertEqual(text, MESSAGE)

        code, out, _ = run(name, "127.0.0.1", sink().smtp, ME,
                           "nouser@example.net", data=data)
        self.assertEqual(code, 1, out)
        self.assertIn("rejected", out)
        with Recorder({"DOT": CLOSE, "BDAT": CLOSE}) as recorder:
            code, out, _ = run(name, "127.0.0.1", recorder.port, ME, to,
                               data=data)
        self.assertEqual(code, 1, out)
        self.assertIn("unknown", out)
        with refusing_port() as port:
            code, out, err = run(name, "127.0.0.1", port, ME, to, data=data)
        self.assertEqual(code, 1, out)
        # An address that can't be one is refused before anything is sent.
        code, out, err = run(name, "127.0.0.1", sink().smtp, ME,
                             "a\r\nRSET@example.net", data=data)
        self.assertEqual(code, 1, out)
        self.assertNotEqual(err, "")
        code, _, err = run(name, data=data)
        self.assertEqual(code, 64)
        self.assertIn("usage: ", err)


@client.add_tests(OneMessage, "example", {
    "embed": ("embed", b""), "embed_cc": ("embed_cc", b""),
    "options": ("options", b""), "poll": ("poll", MESSAGE)})
def one_message(case, name, data):
    case.check(name, data)


class Mail(Case):
    """mail.c"""

    def mail(self, *answers, port=None):
        return run("mail", "127.0.0.1", port or sink().smtp,
                   data="\n".join(answers).encode())

    def test_sent(self):
        """Two recipients; the headers that smtplib's program makes."""
        code, out, err = self.mail(ME, "a@example.net, b@example.net", "hello",
                                   ".dot", "end")
        wanted = (f"From: {ME}\nTo: a@example.net, b@example.net\n\nhello\n"
                  ".dot\nend").encode()
        self.assertEqual(code, 0, out + err)
        self.assertIn(f"Message length is {len(wanted)}\n", out)
        self.assertIn("a@example.net accepted: 250 ", out)
        self.assertIn("b@example.net accepted: 250 ", out)
        text, envelope = last_stored()
        self.assertEqual(text, client.on_the_wire(wanted))
        self.assertEqual(envelope["recipients"],
                         ["a@example.net", "b@example.net"])
        for line in ("-> EHLO", f"-> MAIL FROM:<{ME}>", "<- 250", "-> QUIT"):
            self.assertIn(line, err)

    def test_refused(self):
        """Who did not get it, and in the server's words."""
        code, out, _ = self.mail(ME, "a@example.net nouser@example.net", "hi")
        self.assertEqual(code, 1)
        self.assertIn("a@example.net accepted: 250 ", out)
        self.assertIn("nouser@example.net rejected: 550 5.1.1 No such", out)

    def test_terminal(self):
        """What the server says can't move the cursor."""
        with Recorder({"RCPT": "550 \x1b[2Jgone"}) as recorder:
            code, out, _ = self.mail(ME, "a@example.net", "hi",
                                     port=recorder.port)
        self.assertEqual(code, 1)
        self.assertIn("a@example.net rejected: 550 ?[2Jgone", out)

    def test_unconnected(self):
        """Nobody listens."""
        with refusing_port() as port:
            code, out, err = self.mail(ME, "a@example.net", "hi", port=port)
        self.assertEqual(code, 1)
        self.assertIn("a@example.net", out)
        self.assertIn("connection refused", err)

    def test_no_answers(self):
        """The end of input at a question, an answer that is too long, no
        recipient."""
        self.assertEqual(run("mail")[0], 64)
        self.assertEqual(run("mail", data=b"a@b\n")[0], 64)
        self.assertEqual(run("mail", data=b"a" * 2000 + b"\n")[0], 64)
        before = len(sink().stored())
        self.assertEqual(self.mail(ME, " ", "hi")[0], 1)
        self.assertEqual(len(sink().stored()), before)


class Letter(Case):
    """letter.c"""

    def letter(self, *args, text="", port=None):
        return run("letter", "127.0.0.1", port or sink().smtp, *args,
                   data=text.encode())

    def test_sent(self):
        """What was said is what is read; the envelope is the header's."""
        code, out, err = self.letter(
            "Zoë <me@example.org>", "Bo <a@example.net>, b@example.net",
            "Die Größe", text="Grüße\n.\n")
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(out, "a@example.net: accepted\n"
                              "b@example.net: accepted\n")
        text, envelope = last_stored()
        self.assertEqual((envelope["mail_from"], envelope["recipients"]),
                         (ME, ["a@example.net", "b@example.net"]))
        message = email.message_from_bytes(text, policy=email.policy.default)
        self.assertEqual(message["subject"], "Die Größe")
        self.assertEqual(str(message["from"]), "Zoë <me@example.org>")
        self.assertEqual(message.get_content().split(), ["Grüße", "."])

    def test_refused(self):
        """By the server, by nobody, and before anything is sent."""
        code, out, _ = self.letter(ME, "nouser@example.net", "x")
        self.assertEqual((code, out), (1, "nouser@example.net: rejected\n"))
        with refusing_port() as port:
            self.assertEqual(self.letter(ME, "a@b", "x", port=port)[0], 1)
        before = len(sink().stored())
        for args in ((ME, "a@b", "x\r\nBcc: c@d"), ("", "a@b", "x"),
                     (ME, "a@b, c d@e", "x")):
            code, out, err = self.letter(*args)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("invalid argument", err)
        # Nobody to send it to.
        code, _, err = self.letter(ME, "", "x")
        self.assertEqual(code, 1)
        self.assertNotEqual(err, "")
        self.assertEqual(self.letter(ME, "a@b", "x", text="a\0b")[0], 65)
        self.assertEqual(run("letter")[0], 64)
        self.assertEqual(len(sink().stored()), before)


class Message(Case):
    """message.c"""

    def message(self, data, *to):
        with tempfile.NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            return run("message", "127.0.0.1", sink().smtp, f.name, *to)

    def test_sent(self):
        """To whom the header says, or to others; Bcc stays here."""
        data = (b"From: me@example.org\r\nBcc: c@example.net,\r\n d@example.net"
                b"\r\nTo: A <a@example.net>\r\n\r\n")
        seen = b"From: me@example.org\r\nTo: A <a@example.net>\r\n\r\n"
        for text in (b".dot\r\n", client.large(1 << 20, "message")):
            for to in ((), ("x@example.net",)):
                code, out, err = self.message(data + text, *to)
                self.assertEqual((code, err), (0, ""), out)
                self.check_same(last_stored()[0],
                                client.on_the_wire(seen + text))
                who = list(to) or ["a@example.net", "c@example.net",
                                   "d@example.net"]
                self.assertEqual(last_stored()[1]["recipients"], who)
                self.assertEqual(out, "".join(
                    f"from {ME} to {each}: accepted\n" for each in who))
                if len(text) < 100:  # all of it was seen before MAIL
                    self.assertIn(f"SIZE={len(seen + text)}",
                                  last_stored()[1]["mail_params"])

    def test_of_no_interest(self):
        """What is given need not make sense in the header."""
        code, out, err = self.message(b"From: a@b\nTo: c d@e; <\n\n", "f@g")
        self.assertEqual((code, out, err),
                         (0, "from a@b to f@g: accepted\n", ""))

    def test_no_envelope(self):
        """The reason, and nothing is sent."""
        before = len(sink().stored())
        for data in (b"Resent-Date: 1\nResent-Date: 2\nTo: a@b\nFrom: c@d\n\n",
                     b"From: a@b\n\n", b"To: a@b\n\n", b"",
                     b"From: a@b\nTo: c d@e\n\n"):
            code, out, err = self.message(data)
            self.assertEqual((code, out), (1, ""), data)
            self.assertNotIn("header makes no envelope", err)
            self.assertGreater(len(err), 10)
        self.assertEqual(run("message", "127.0.0.1", sink().smtp,
                             "/nonexistent")[0], 1)
        self.assertEqual(run("message")[0], 64)
        self.assertEqual(len(sink().stored()), before)


class Lmtp(Case):
    """lmtp.c"""

    def lmtp(self, *to, data=MESSAGE, where=None):
        return run("lmtp", where or sink().lmtp_path, ME, *to, data=data)

    def test_all(self):
        """Everybody takes it, however it comes."""
        code, out, err = self.lmtp("a@example.net", "b@example.net")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\Aa@example\.net: accepted at \w+, 250\n"
                              r"b@example\.net: accepted at \w+, 250\n\Z")
        self.assertEqual(last_stored()[0], MESSAGE)
        large = client.large(3 << 20, "lmtp")
        self.assertEqual(self.lmtp("a@example.net", data=large)[0], 0)
        self.check_same(last_stored()[0], client.on_the_wire(large))
        with open(__file__, "rb") as f:
            done = subprocess.run(
                [path("lmtp"), sink().lmtp_path, ME, "a@example.net"], stdin=f,
                capture_output=True, check=False, timeout=TIMEOUT)
            f.seek(0)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.check_same(last_stored()[0], client.on_the_wire(f.read()))

    def test_verdicts(self):
        """Each has its own, at RCPT or at the end."""
        code, out, _ = self.lmtp("a@example.net", "nouser@example.net",
                                 "spam@example.net")
        self.assertEqual(code, 69)
        self.assertIn("a@example.net: accepted at ", out)
        self.assertIn("nouser@example.net: rejected at RCPT, 550\n", out)
        self.assertRegex(out, r"spam@example\.net: rejected at "
                              r"(DOT|BDAT_LAST), 5\d\d\n")
        code, out, _ = self.lmtp("spam@example.net", "datatemp@example.net")
        self.assertEqual(code, 75)
        self.assertIn("datatemp@example.net: deferred at ", out)

    def test_unconnected(self):
        """No such socket; no socket; nothing that can be read."""
        code, out, err = self.lmtp("a@example.net", where="/nonexistent/socket")
        self.assertEqual(code, 75)
        self.assertIn("a@example.net: ", out)
        self.assertIn("(ENOENT)", err)
        self.assertEqual(self.lmtp("a@example.net", where="localhost")[0], 64)
        before = len(sink().stored())
        directory = os.open("/", os.O_RDONLY)
        done = subprocess.run(
            [path("lmtp"), sink().lmtp_path, ME, "a@example.net"],
            stdin=directory, capture_output=True, check=False, timeout=TIMEOUT)
        os.close(directory)
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"(EISDIR)", done.stderr)
        self.assertEqual(len(sink().stored()), before)


class Options(Case):
    """options.c"""

    def options(self, recorder, *to):
        code, out, err = run("options", "127.0.0.1", recorder.port, ME, *to)
        self.assertEqual((code, err), (0, ""), out)
        lines, = recorder.sessions
        return out, [line for line in lines if isinstance(line, str) and
                     line.startswith(("MAIL", "RCPT"))]

    def test_dsn(self):
        """Where it is offered: each recipient its own."""
        with Recorder(extensions=(*EXTENSIONS, "DSN", "X-ONE TWO 3")) as r:
            out, lines = self.options(r, "a+b=c@example.net", "d@example.net")
        self.assertIn("offered: SIZE 10000000\n", out)
        self.assertIn("offered: X-ONE TWO 3\n", out)
        self.assertIn("largest message: 10000000\n", out)
        self.assertNotIn("no reports", out)
        self.assertIn(" RET=HDRS", lines[0])
        self.assertEqual(lines[1:], [
            "RCPT TO:<a+b=c@example.net> NOTIFY=SUCCESS,FAILURE,DELAY "
            "ORCPT=rfc822;a+2Bb+3Dc@example.net",
            "RCPT TO:<d@example.net> NOTIFY=NEVER"])

    def test_none(self):
        """Where it is not offered, and where nothing is."""
        for replies, extensions in (({}, EXTENSIONS), ({}, ()),
                                    ({"EHLO": "502 what?"}, ())):
            with Recorder(replies, extensions) as recorder:
                out, lines = self.options(recorder, "a@example.net")
            self.assertEqual(lines[1:], ["RCPT TO:<a@example.net>"])
            self.assertNotIn("RET=", lines[0])
            self.assertEqual("no extensions" in out, "EHLO" in replies)
            self.assertIn("no reports: ", out)


class Stream(Case):
    """stream.c"""

    def stream(self, script, to="a@example.net", port=None):
        return run("stream", "127.0.0.1", port or sink().smtp, ME, to,
                   "/bin/sh", "-c", script)

    def test_sent(self):
        """What a command prints, however much and however late."""
        code, out, err = self.stream("echo one; echo .two")
        self.assertEqual((code, out), (0, "accepted: success\n"), err)
        head = b"Subject: output of /bin/sh\r\n\r\n"
        self.assertEqual(last_stored()[0], head + b"one\r\n.two\r\n")
        self.assertRegex(err, r"(?m)^\d+( of \d+)? octets$")
        with tempfile.NamedTemporaryFile() as f:
            f.write(client.large(5 << 20, "stream"))
            f.flush()
            self.assertEqual(self.stream(f"cat {f.name}")[0], 0)
            f.seek(0)
            self.check_same(last_stored()[0],
                            head + client.on_the_wire(f.read()))
        self.assertEqual(self.stream("")[0], 0)
        self.assertEqual(last_stored()[0], head)

    def test_failed(self):
        """A command that fails, before or after it has printed something, or
        that there isn't: nothing is delivered."""
        before = len(sink().stored())
        for script in ("exit 1", "echo x; exit 1", "echo x; kill -9 $$",
                       "head -c 300000 /dev/zero; exit 1"):
            code, out, _ = self.stream(script)
            self.assertEqual(code, 1, script)
            self.assertIn("source of the message failed", out)
        code, out, err = run("stream", "127.0.0.1", sink().smtp, ME, "a@b",
                             "/nonexistent/command")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no such file", err)
        self.assertEqual(len(sink().stored()), before)

    def test_refused(self):
        """A command that would print for ever ends with its message."""
        for to, port in (("nouser@example.net", None), ("a@b", "refusing"),
                         ("a b@c", None)):
            with refusing_port() as refusing:
                code, _, _ = self.stream("exec yes", to, port and refusing)
            self.assertEqual(code, 1)


class Threads(Case):
    """threads.c"""

    def test_accepted(self):
        """Each thread's messages arrive, each once."""
        before = len(sink().stored())
        code, out, err = run("threads", "127.0.0.1", sink().smtp, ME,
                             "threads@example.net", 4, 25)
        self.assertEqual((code, out, err), (0, "100 of 100 accepted\n", ""))
        subjects = [re.match(rb"Subject: (\S+)", text).group(1)
                    for text, _ in sink().stored()[before:]]
        self.assertEqual(sorted(subjects),
                         sorted(b"%d.%d" % (t, n) for t in range(4)
                                for n in range(25)))

    def test_refused(self):
        """It ends, too, when nothing goes well."""
        code, out, _ = run("threads", "127.0.0.1", sink().smtp, ME,
                           "nouser@example.net", 3, 3)
        self.assertEqual((code, out), (1, "0 of 9 accepted\n"))
        with refusing_port() as port:
            code, out, _ = run("threads", "127.0.0.1", port, ME,
                               "a@example.net", 3, 3)
        self.assertEqual((code, out), (1, "0 of 9 accepted\n"))
        code, out, _ = run("threads", "127.0.0.1", sink().smtp, ME,
                           "a\n@example.net", 2, 2)
        self.assertEqual((code, out), (1, "0 of 4 accepted\n"))


class Httpd(Case):
    """httpd.c"""

    def serve(self, port):
        """Starts one in front of the mail server at port."""
        self.process = subprocess.Popen(
            [path("httpd"), "0", "127.0.0.1", str(port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.kill)
        line = self.process.stdout.readline()
        self.assertRegex(line, r"\Alistening on 127\.0\.0\.1:\d+\n\Z")
        self.port = int(line.rsplit(":", 1)[1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def stop(self, signum=signal.SIGTERM):
        self.process.send_signal(signum)
        out, err = self.process.communicate(timeout=TIMEOUT)
        self.assertEqual((self.process.returncode, out, err), (0, "", ""))

    def request(self, method, target, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def post(self, to="a@example.net", body=MESSAGE, sender="me@example.org"):
        return self.request("POST", f"/mail?from={sender}&to={to}", body)

    def sockets(self):
        """How many the server has open."""
        directory = f"/proc/{self.process.pid}/fd"
        links = []
        for fd in os.listdir(directory):
            with contextlib.suppress(OSError):  # closed meanwhile
                links.append(os.readlink(f"{directory}/{fd}"))
        return sum(link.startswith("socket:") for link in links)

    def raw(self, *pieces):
        """The whole answer to a request in these pieces."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                s.sendall(piece)
            answer = b""
            while True:
                got = s.recv(4096)
                if not got:
                    return answer
                answer += got

    def test_sent(self):
        """Mail is taken, one after the other and many at once."""
        self.serve(sink().smtp)
        self.assertEqual(self.request("GET", "/"),
                         (200, "0 accepted, 0 others\n"))
        status, text = self.post("a%40example.net&to=b@example.net")
        self.assertEqual(status, 200, text)
        self.assertRegex(text, r"\Aa@example\.net accepted: 2.*\n"
                               r"b@example\.net accepted: 2.*\n\Z")
        self.assertEqual(last_stored()[0], MESSAGE)
        before = len(sink().stored())
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(
                lambda n: self.post(body=b"Subject: %d\r\n\r\n" % n),
                range(100)))
        self.assertEqual([status for status, _ in answers], [200] * 100)
        texts = [text for text, _ in sink().stored()[before:]]
        self.assertEqual(sorted(texts), sorted(
            b"Subject: %d\r\n\r\n" % n for n in range(100)))
        # All of it over two connections, and the one that listens.
        processes.wait_until(lambda: self.sockets() <= 3, TIMEOUT,
                             lambda: f"{self.sockets()} sockets")
        self.assertEqual(self.request("GET", "/"),
                         (200, "101 accepted, 0 others\n"))
        self.stop()

    def test_refused(self):
        """Each kind of refusal has its status."""
        self.serve(sink().smtp)
        for to, wanted, word in (
                ("nouser@example.net", 422, "rejected: 5.1.1"),
                ("tempfail@example.net", 503, "deferred: 4."),
                ("a@example.net&to=nouser@example.net", 200, "rejected"),
                ("a%0D%0ARSET@example.net", 400, ""),
                ("a%00@example.net", 400, "POST"), ("a%4@x", 400, "POST"),
                ("a@example.net&cc=b", 400, "POST")):
            status, text = self.post(to)
            self.assertEqual(status, wanted, f"{to}: {text}")
            self.assertIn(word, text)
        self.assertEqual(self.request("POST", "/mail?to=a@b", b"x")[0], 400)
        self.assertEqual(self.request("POST", "/other", b"x")[0], 404)
        self.assertEqual(self.request("POST", "/mail?from=a@b&to=c@d",
                                      iter([b"x"]))[0], 501)
        self.assertEqual(self.post(body=b"x" * (1 << 20) + b"y")[0], 413)
        self.assertIn(b"431", self.raw(b"GET /" + b"x" * 8186))
        self.stop(signal.SIGINT)

    def test_split(self):
        """A request comes in any pieces, and clients may vanish."""
        self.serve(sink().smtp)
        request = (b"POST /mail?from=a@b.example&to=c@d.example HTTP/1.1\r\n"
                   b"content-LENGTH:  %d\r\nX: y\r\n\r\n" % len(MESSAGE)
                   ) + MESSAGE
        answer = self.raw(*(request[i:i + 1] for i in range(len(request))))
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        self.assertEqual(last_stored()[0], MESSAGE)
        for n in (0, 5, 60, len(request) - 1):
            with socket.create_connection(("127.0.0.1", self.port)) as s:
                s.sendall(request[:n])
        self.assertEqual(self.request("GET", "/"),
                         (200, "1 accepted, 0 others\n"))
        self.stop()

    def test_meanwhile(self):
        """Others are served while a mail waits; the end waits for it."""
        gate = threading.Event()
        with Recorder({"DOT": gate}) as recorder, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            self.addCleanup(gate.set)
            self.serve(recorder.port)
            answer = pool.submit(self.post)
            recorder.wait_for_text()
            self.assertEqual(self.request("GET", "/"),
                             (200, "0 accepted, 0 others\n"))
            with socket.create_connection(("127.0.0.1", self.port)) as idle:
                idle.settimeout(20)  # it would be dropped after 30 anyway
                idle.sendall(b"GET")
                self.process.send_signal(signal.SIGTERM)
                # Who had not asked yet is not waited for.
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(idle.recv(1), b"")
            gate.set()
            status, text = answer.result(TIMEOUT)
            self.assertEqual((status, text), (200, "a@example.net accepted: "
                                                   "queued\n"))
            self.process.wait(TIMEOUT)
            self.assertEqual(self.process.returncode, 0)
            self.assertEqual(recorder.sessions[0][-1], "QUIT")

    def test_impatient(self):
        """The second signal: nobody knows what became of the mail."""
        with Recorder({"DOT": SILENT}) as recorder, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            self.serve(recorder.port)
            answer = pool.submit(self.post)
            recorder.wait_for_text()
            self.process.send_signal(signal.SIGTERM)
            processes.wait_until(
                lambda: not processes.listens(("127.0.0.1", self.port)),
                TIMEOUT, lambda: "still listening")
            self.stop()
            status, text = answer.result(TIMEOUT)
        self.assertEqual(status, 504)
        self.assertIn("a@example.net unknown: ", text)

    def test_vanished_client(self):
        """A client that leaves while its mail is under way."""
        gate = threading.Event()
        with Recorder({"DOT": gate}) as recorder:
            self.addCleanup(gate.set)
            self.serve(recorder.port)
            with socket.create_connection(("127.0.0.1", self.port)) as s:
                s.sendall(b"POST /mail?from=a@b&to=c@d HTTP/1.1\r\n"
                          b"Content-Length: 3\r\n\r\nhi\n")
                recorder.wait_for_text()
            gate.set()
            processes.wait_until(
                lambda: self.request("GET", "/")[1] == "1 accepted, 0 others\n",
                TIMEOUT, lambda: "not accepted")
            self.stop()

    def test_reconnect(self):
        """A connection lost while idle is made anew; one that is lost with the
        command that needs it, too, once."""
        with Recorder({"DOT": ["250 queued!close", "250 queued"]}) as recorder:
            self.serve(recorder.port)
            self.assertEqual(self.post()[0], 200)
            processes.wait_until(lambda: self.sockets() == 1, TIMEOUT,
                                 lambda: "the loss was not seen")
            self.assertEqual(self.post()[0], 200)
            self.assertEqual(len(recorder.sessions), 2)
            self.stop()
        with Recorder({"MAIL": [CLOSE, "250 ok"]}, ()) as recorder:
            self.serve(recorder.port)
            self.assertEqual(self.post()[0], 200)
            self.assertEqual(len(recorder.sessions), 2)
            self.stop()
        with Recorder({"MAIL": CLOSE}, ()) as recorder:
            self.serve(recorder.port)
            status, text = self.post()
            self.assertEqual(status, 503, text)
            self.assertEqual(len(recorder.sessions), 2)
            self.stop()

    def test_no_mail_server(self):
        """Nobody there to send to: the clients hear of it."""
        with refusing_port() as port:
            self.serve(port)
            self.assertEqual(self.post()[0], 503)
            self.assertEqual(self.post()[0], 503)
            self.stop()

    def test_no_start(self):
        """A port that is taken; a name that can't be one."""
        with processes.closed_port() as s:
            s.listen()
            code, _, err = run("httpd", s.getsockname()[1], "127.0.0.1", 25)
        self.assertEqual(code, 71)
        self.assertIn("address already in use", err)
        self.assertEqual(run("httpd", 0, "127.0.0.1", 70000)[0], 71)
        self.assertEqual(run("httpd")[0], 64)


class HttpProxy:
    """Answers one CONNECT and goes on as asked: early, the server's greeting
    comes in one piece with the answer; else octet by octet."""

    def __init__(self, early=False, answer=b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"):
        self.early = early
        self.answer = answer
        self.asked = b""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(TIMEOUT)
        self.listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            inner, _ = self.listener.accept()
            with inner:
                self._connect(inner)

    def _connect(self, inner):
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        inner.settimeout(TIMEOUT)
        while not self.asked.endswith(b"\r\n\r\n"):
            got = inner.recv(1)
            if not got:
                return
            self.asked += got
        match = re.match(rb"CONNECT 127\.0\.0\.1:(\d+) HTTP/1\.1\r\n",
                         self.asked)
        if not match or b" 200 " not in self.answer:
            inner.sendall(self.answer)
            return
        with socket.create_connection(("127.0.0.1", int(match.group(1)))) as s:
            s.settimeout(TIMEOUT)
            greeting = b""
            while self.early and not greeting.endswith(b"\r\n"):
                greeting += s.recv(1)
            if self.early:
                inner.sendall(self.answer + greeting)
            else:
                for octet in self.answer:
                    inner.sendall(bytes([octet]))
            back = threading.Thread(target=self._copy, args=(s, inner))
            back.start()
            self._copy(inner, s)
            back.join(TIMEOUT)

    @staticmethod
    def _copy(source, target):
        with contextlib.suppress(OSError):
            while got := source.recv(4096):
                target.sendall(got)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class Proxy(Case):
    """proxy.c"""

    def proxy(self, port, to="a@example.net", host="127.0.0.1"):
        return run("proxy", "127.0.0.1", port, host, sink().smtp, ME, to)

    def test_sent(self):
        """Whether the greeting comes with the proxy's answer or later."""
        for early in (False, True):
            with HttpProxy(early) as proxy:
                code, out, err = self.proxy(proxy.port)
            self.assertEqual((code, out, err), (0, "accepted: success\n", ""))
            self.assertIn(b"\r\nHost: 127.0.0.1:%d\r\n" % sink().smtp,
                          proxy.asked)
            self.assertIn(b"through a proxy", last_stored()[0])

    def test_refused(self):
        """By the server; by the proxy; by nobody; by something else."""
        with HttpProxy() as proxy:
            code, out, _ = self.proxy(proxy.port, "nouser@example.net")
        self.assertEqual(code, 1)
        self.assertIn("rejected: ", out)
        for answer in (b"HTTP/1.1 403 Forbidden\r\n\r\n", b"",
                       b"x" * 5000, b"220 hello\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\n"):
            with HttpProxy(answer=answer.replace(b" 200 ", b" 200")) as proxy:
                code, out, err = self.proxy(proxy.port)
            self.assertEqual((code, out), (1, ""), answer)
            self.assertIn("no way through the proxy", err)
        with refusing_port() as port:
            code, out, err = self.proxy(port)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("connection refused", err)
        self.assertEqual(self.proxy(1, host="a\r\nb")[0], 64)


class Tls(Case):
    """tls.c"""

    def tls(self, server, *pin, ca="server", to="a@example.net"):
        return run("tls", identity(ca).cert, "localhost", server.port, ME, to,
                   *pin)

    def test_sent(self):
        """To a server that is trusted, with the right pin and without one."""
        with Secure() as server:
            for pin in ((), (identity("server").pin(),)):
                code, out, err = self.tls(server, *pin)
                self.assertEqual((code, err), (0, ""), out)
                self.assertRegex(
                    out, r"\ATLS: TLSv1\.[23], TLS_\w+\n"
                         r"it is localhost\naccepted: success \(\w+\)\n\Z")

    def test_refused(self):
        """Another authority's, another pin, no STARTTLS, nobody."""
        with Secure() as server:
            code, out, err = self.tls(server, ca="other")
            self.assertEqual((code, err), (1, ""))
            self.assertRegex(out, r"\ATLS failed: .+\n"
                                  r"deferred: .+ \(HANDSHAKE\)\n\Z")
            code, out, err = self.tls(server, identity("other").pin())
            self.assertEqual((code, err), (1, ""))
            self.assertRegex(out, r"\ATLS failed: .+\n"
                                  r"deferred: .+ \(HANDSHAKE\)\n\Z")
            self.assertEqual({tuple(x.split(" ")[0] for x in lines)
                              for lines in server.sessions},
                             {("EHLO", "STARTTLS")})
        with Recorder() as server:
            code, out, err = self.tls(server)
            self.assertEqual((code, err), (1, ""))
            self.assertEqual(out, "TLS: none\n"
                                  "deferred: TLS failed (STARTTLS)\n")
            self.assertEqual([x.split(" ")[0] for x in server.sessions[0]],
                             ["EHLO", "QUIT"])
        with refusing_port() as port:
            code, out, err = run("tls", identity("server").cert, "127.0.0.1",
                                 port, ME, "a@example.net")
        self.assertEqual((code, err), (1, ""))
        self.assertIn("(OPENING)", out)

    def test_sent_along(self):
        """A certificate that the server merely sends with its own proves
        nothing, though it has the pin."""
        chain = os.path.join(processes.scratch(), "chain.pem")
        processes.write(chain, identity("server").pem + identity("other").pem)
        how = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        how.load_cert_chain(chain, identity("server").key)
        with Secure(by=how) as server:
            code, out, err = self.tls(server, identity("other").pin())
            self.assertEqual((code, err), (1, ""))
            self.assertRegex(out, r"\ATLS failed: .+\n"
                                  r"deferred: .+ \(HANDSHAKE\)\n\Z")
            code, out, _ = self.tls(server, identity("server").pin())
            self.assertEqual(code, 0, out)

    def test_settings(self):
        """A file without certificates."""
        code, out, err = run("tls", __file__, "localhost", 25, ME, "a@b")
        self.assertEqual((code, out), (66, ""))
        self.assertTrue(err.startswith(f"{__file__}: "), err)
        self.assertEqual(run("tls")[0], 64)


class Auth(Case):
    """auth.c"""

    OFFERED = (*EXTENSIONS, "AUTH PLAIN X-CODE OAUTHBEARER")
    MESSAGE = (ME, "a@example.net")

    def server(self, replies=None):
        return Secure(replies, self.OFFERED, auth=Anybody())

    def auth(self, server, *how, user="me"):
        return run("auth", identity("server").cert, "localhost", server.port,
                   user, *how)

    def secrets(self, *lines):
        path = os.path.join(processes.scratch(), "secrets")
        processes.write(path, "".join(f"{line}\n" for line in lines))
        return path

    def said(self, server):
        """What came after the EHLO within TLS."""
        return [lines[3:] for lines in server.sessions]

    def test_password(self):
        """By itself, and before a message."""
        path = self.secrets("pass word")
        plain = "AUTH PLAIN AG1lAHBhc3Mgd29yZA=="
        with self.server() as server:
            for message, where in (((), "AUTH"),
                                   (self.MESSAGE, r"(DOT|BDAT_LAST)")):
                code, out, err = self.auth(server, "password", path, *message)
                self.assertEqual((code, err), (0, ""), out)
                self.assertRegex(out, r"\Alogged in by PLAIN\n" + where +
                                 r": success\n\Z")
            self.assertEqual(self.said(server)[0], [plain, "QUIT"])
            self.assertEqual(self.said(server)[1][0], plain)

    def test_refused(self):
        """Nothing of the message is sent, and what the server says can't move
        the cursor; nothing at all is said without TLS."""
        path = self.secrets("pass word")
        with self.server({"AUTH": "535 5.7.8 \x1b[2Jno"}) as server:
            for message in ((), self.MESSAGE):
                code, out, err = self.auth(server, "password", path, *message)
                self.assertEqual((code, err), (1, ""))
                self.assertEqual(out, "AUTH: authentication failed\n"
                                      "535 5.7.8 ?[2Jno\n")
            self.assertEqual(
                [[line.split(" ")[0] for line in lines]
                 for lines in self.said(server)], [["AUTH", "QUIT"]] * 2)
        with Recorder(extensions=self.OFFERED) as server:
            for message in ((), self.MESSAGE):
                code, out, err = self.auth(server, "password", path, *message)
                self.assertEqual((code, err), (1, ""))
                self.assertIn("STARTTLS: TLS failed\n", out)
            self.assertEqual(
                [[line.split(" ")[0] for line in lines]
                 for lines in server.sessions], [["EHLO", "QUIT"]] * 2)

    def test_token(self):
        """What a command prints; another one when it is refused, once."""
        count = os.path.join(processes.scratch(), "count")
        command = f"echo x >> {count}; echo token$(wc -l < {count})"
        refusal = "334 eyJzdGF0dXMiOiI0MDEifQ=="
        with self.server({"AUTH": [refusal, "235 ok"],
                          "RESPONSE": "535 no"}) as server:
            code, out, err = self.auth(server, "token", command, *self.MESSAGE)
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("logged in by OAUTHBEARER\n", out)
        tokens = [re.search(rb"Bearer (\w+)", base64.b64decode(
            line.split(" ")[2])).group(1) for line in self.said(server)[0]
            if str(line).startswith("AUTH ")]
        self.assertEqual(tokens, [b"token1", b"token2"])
        with self.server({"AUTH": refusal, "RESPONSE": "535 no"}) as server:
            code, out, err = self.auth(server, "token", command, *self.MESSAGE)
        self.assertEqual((code, err), (1, ""))
        self.assertIn("535 no\n", out)
        self.assertIn('in detail: {"status":"401"}\n', out)
        self.assertEqual([line.split(" ")[0] for line in self.said(server)[0]],
                         ["AUTH", "334", "AUTH", "334", "QUIT"])

    def test_no_token(self):
        """A command that fails, prints nothing, too much, or no token."""
        with self.server() as server:
            for command in ("exit 1", "true", "echo x; exit 1",
                            "head -c 9000 /dev/zero", "echo a b",
                            "kill -9 $$"):
                code, out, err = self.auth(server, "token", command,
                                           *self.MESSAGE)
                self.assertEqual((code, err), (1, ""), command)
                self.assertIn(": authentication failed\nbecause: ", out)
            self.assertEqual(self.said(server), [["QUIT"]] * 6)

    def test_own(self):
        """A mechanism of the program's own, and no other."""
        path = self.secrets("pass word", "123456")
        replies = {"AUTH": "334 Y29kZTo=", "RESPONSE": "235 ok"}
        for message in ((), self.MESSAGE):
            with self.server(replies) as server:
                code, out, err = self.auth(server, "code", path, *message)
            self.assertEqual((code, err), (0, ""), out)
            self.assertIn("logged in by X-CODE\n", out)
            self.assertEqual(self.said(server)[0][:2], [
                "AUTH X-CODE bWUKcGFzcyB3b3Jk", "334 MTIzNDU2"])
            for reply in ("235 ok", "535 no", "504 no"):
                with self.server({"AUTH": reply}) as server:
                    code, out, err = self.auth(server, "code", path, *message)
                self.assertEqual((code, err), (1, ""), reply)
                self.assertIn("AUTH: authentication failed\n", out)
                self.assertEqual(self.said(server), [[
                    "AUTH X-CODE bWUKcGFzcyB3b3Jk", "QUIT"]])
            with self.server({"AUTH": "334 eA==",
                              "RESPONSE": ["334 eA==", "501 x"]}) as server:
                code, out, err = self.auth(server, "code", path, *message)
            self.assertEqual((code, err), (1, ""))
            self.assertEqual(self.said(server)[0][2:], ["334 *", "QUIT"])

    def test_no_start(self):
        """Files that have nothing, arguments that make no sense."""
        with self.server() as server:
            for how in (("password", "/nonexistent"),
                        ("password", self.secrets("x" * 600)),
                        ("code", self.secrets("pass word"))):
                code, out, err = self.auth(server, *how)
                self.assertEqual((code, out), (66, ""), how)
                self.assertIn("nothing to log in with", err)
            code, out, err = self.auth(server, "password", self.secrets(""))
            self.assertEqual((code, out), (71, ""))
            self.assertTrue(err.startswith("auth: "), err)
            self.assertEqual(self.auth(server, "magic", "x")[0], 64)
            self.assertEqual(server.sessions, [])


if __name__ == "__main__":
    client.main()
