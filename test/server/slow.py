# SPDX-License-Identifier: MIT
"""A server that lets a message wait, while a test looks at its client."""
import socket
import threading


class Slow:
    """A server that takes nothing of a text until go is set; text is set when
    there is one, and ended if a whole message came."""

    def __init__(self, chunking=False, verdict=b"250 queued"):
        self.chunking = chunking
        self.verdict = verdict
        self.text = threading.Event()
        self.go = threading.Event()
        self.ended = False

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.url = f"smtp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.go.set()
        self.listener.close()
        self.thread.join(20)

    def serve(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as stream:
            connection.settimeout(30)
            try:
                self.talk(connection, stream)
            except OSError:
                pass

    def talk(self, connection, stream):
        connection.sendall(b"220 slow\r\n")
        for line in iter(stream.readline, b""):
            verb = line.split()[0].upper()
            if verb == b"EHLO" and self.chunking:
                connection.sendall(b"250-slow\r\n250 CHUNKING\r\n")
            elif verb == b"DATA":
                connection.sendall(b"354 go\r\n")
                self.text.set()
                self.go.wait(30)
                tail = b""
                while not tail.endswith(b"\r\n.\r\n"):
                    got = stream.read1(65536)
                    if not got:
                        return
                    tail = (tail + got)[-5:]
                self.ended = True
                connection.sendall(self.verdict + b"\r\n")
            elif verb == b"BDAT":
                self.text.set()
                self.go.wait(30)
                n = int(line.split()[1])
                while n > 0:
                    got = stream.read1(min(n, 65536))
                    if not got:
                        return
                    n -= len(got)
                self.ended = self.ended or line.split()[-1] == b"LAST"
                connection.sendall(b"250 ok\r\n")
            else:
                connection.sendall(b"221 bye\r\n" if verb == b"QUIT" else
                                   b"250 ok\r\n")
