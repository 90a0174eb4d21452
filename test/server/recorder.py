# SPDX-License-Identifier: MIT
"""A small scripted server that writes down what its clients send. It is what
the client's command lines are compared with smtplib's on, and what plays the
servers that go silent or vanish."""
import itertools
import os
import socket
import threading
import time

# Things to do instead of a reply.
SILENT = "silent"  # say nothing more; wait until the client leaves
CLOSE = "close"  # leave at once
DRIP = "drip"  # an endless reply, an octet at a time

EXTENSIONS = ("PIPELINING", "SIZE 10000000", "8BITMIME",
              "ENHANCEDSTATUSCODES")


class Recorder:
    """Serves any number of connections on 127.0.0.1, one thread for each.

    replies overrides the reply to a verb, or to GREETING, or to DOT: a text,
    one of the words above, an Event to wait for before the usual reply, or a
    list of these, one for each time the verb comes (the last stays). A text may
    end in "!close". DATA and BDAT texts are
    swallowed. sessions has a list for each connection: its lines, and each text
    as bytes.

    A reply of bytes is sent as it is. path: a Unix socket there instead. auth:
    who answers AUTH, see sasl.py.
    """

    def __init__(self, replies=None, extensions=EXTENSIONS, lmtp=False,
                 path=None, auth=None):
        self.auth = auth
        self.replies = {
            verb: list(r) if isinstance(r, list) else [r]
            for verb, r in (replies or {}).items()}
        self.extensions = extensions
        self.lmtp = lmtp
        self.path = path
        self.port = None
        self.connections = []
        self.sessions = []
        self.peers = []
        self.changed = threading.Condition()
        self.done = threading.Event()

    def __enter__(self):
        if self.path is None:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
        else:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            self.listener.listen()
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.done.set()
        # Wakes the thread in accept; a close alone would not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.path is not None:
            os.unlink(self.path)
        for thread in self.threads:
            thread.join(10)

    @property
    def url(self):
        return f"{'lmtp' if self.lmtp else 'smtp'}://127.0.0.1:{self.port}"

    def wait_for(self, line):
        """Waits until a client has sent a line that begins like this; "" waits
        for a connection."""

        def seen():
            return any(line == "" or any(
                isinstance(got, str) and got.startswith(line) for got in s)
                for s in self.sessions)

        with self.changed:
            if not self.changed.wait_for(seen, 20):
                raise AssertionError(f"no {line!r} in {self.sessions}")

    def wait_for_text(self):
        """Waits until a client has sent the whole text of a message."""
        with self.changed:
            if not self.changed.wait_for(lambda: any(
                    isinstance(got, bytes) for s in self.sessions
                    for got in s), 20):
                raise AssertionError(f"no text in {self.sessions}")

    def interrupt(self, text, close=True):
        """Says a line in the newest connection though nobody has asked, or
        nothing for None, and leaves it unless told not to."""
        with self.changed:
            connection = self.connections[-1]
        if text is not None:
            connection.sendall(text.encode() + b"\r\n")
        if close:
            connection.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while not self.done.is_set():
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            if self.path is None:
                # The client's kernel takes 40 ms to acknowledge what the next
                # line would wait for.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lines = []
            with self.changed:
                self.peers.append(peer)
                self.connections.append(connection)
                self.sessions.append(lines)
                self.changed.notify_all()
            thread = threading.Thread(
                target=self._serve, args=(connection, lines), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection, lines):
        with connection, connection.makefile("rb") as stream:
            connection.settimeout(30)
            try:
                Dialogue(self, connection, stream, lines).run()
            except OSError:
                pass  # the client left, which is its right


class Dialogue:
    """One connection."""

    def __init__(self, recorder, connection, stream, lines):
        self.recorder = recorder
        self.connection = connection
        self.stream = stream
        self.lines = lines
        self.sender = False  # was one accepted?
        self.accepted = 0  # recipients

    def note(self, item):
        with self.recorder.changed:
            self.lines.append(item)
            self.recorder.changed.notify_all()

    def say(self, verb, usual):
        """Replies; False if that ends the connection."""
        planned = self.recorder.replies.get(verb)
        reply = usual
        if planned:
            reply = planned.pop(0) if len(planned) > 1 else planned[0]
        if isinstance(reply, threading.Event):
            reply.wait(30)
            reply = usual
        if reply == SILENT:
            while self.connection.recv(4096):
                pass
            return None
        if reply == DRIP:
            octets = itertools.cycle(usual[:3].encode() + b"-more\r\n")
            while not self.recorder.done.is_set():
                self.connection.sendall(bytes([next(octets)]))
                time.sleep(0.05)
            return None
        if reply == CLOSE:
            return None
        if isinstance(reply, bytes):
            self.connection.sendall(reply)
            return reply.decode("latin-1")
        last = reply.endswith("!close")
        text = reply.removesuffix("!close").rstrip()
        self.connection.sendall(text.encode() + b"\r\n")
        return None if last else text

    def run(self):
        if self.say("GREETING", "220 recorder ESMTP") is None:
            return
        while True:
            line = self.stream.readline()
            if not line:
                return
            if not line.endswith(b"\r\n"):
                self.note(f"not CRLF: {line!r}")
                return
            text = line[:-2].decode("utf-8", "backslashreplace")
            self.note(text)
            if not self.command(text):
                return

    def command(self, line):
        verb = line.split(" ")[0].upper()
        if verb in ("EHLO", "LHLO"):
            lines = ["recorder", *self.recorder.extensions]
            return self.say(verb, "\r\n".join(
                f"250{' ' if i + 1 == len(lines) else '-'}{text}"
                for i, text in enumerate(lines))) is not None
        if verb == "DATA":
            return self.data()
        if verb == "BDAT":
            return self.chunk(line)
        if verb == "AUTH" and self.recorder.auth is not None:
            return self.recorder.auth.answer(self, line)
        if verb in ("MAIL", "RSET", "HELO", "LHLO"):
            self.sender = False
            self.accepted = 0
        usual = {"QUIT": "221 bye", "RCPT": "250 ok" if self.sender
                 else "503 nobody said MAIL"}
        reply = self.say(verb, usual.get(verb, "250 ok"))
        if reply is None:
            return False
        self.sender |= verb == "MAIL" and reply.startswith("2")
        self.accepted += verb == "RCPT" and reply.startswith("2")
        return verb != "QUIT"

    def data(self):
        reply = self.say("DATA", "354 go ahead" if self.accepted
                         else "503 for nobody?")
        if reply is None or not reply.startswith("3"):
            return reply is not None
        text = b""
        while not (text == b".\r\n" or text.endswith(b"\r\n.\r\n")):
            line = self.stream.readline()
            if not line:
                return False
            text += line
        self.note(text)
        return self.verdict()

    def chunk(self, line):
        words = line.split(" ")
        self.note(self.stream.read(int(words[1])))
        if words[-1].upper() == "LAST":
            return self.verdict()
        return self.say("BDAT", "250 ok") is not None

    def verdict(self):
        for _ in range(self.accepted if self.recorder.lmtp else 1):
            if self.say("DOT", "250 queued") is None:
                return False
        return True
