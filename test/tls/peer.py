# SPDX-License-Identifier: MIT
"""A server that is a function of the test's: it says what it likes, in clear or
in TLS, and the octets that leave it can be counted, dripped or cut.

TLS is Python's over two memory buffers, so that what goes out on the socket is
in our hands, octet by octet."""
import contextlib
import itertools
import socket
import ssl
import struct
import threading
import warnings

import certs

# Nobody waits for longer for what does not come. It is no limit on a speed.
PATIENCE = 60

# How a connection ends; SPOIL: one octet is changed, and FIN comes after what
# is sent with it.
FIN, RST, SPOIL = "FIN", "RST", "SPOIL"


class Over(Exception):
    """The dialogue is over: the client left, or was left."""


def context(identity="good", version=None, ciphers=None, weak=False,
            client_ca=None, tickets=None):
    """A server's side of TLS. identity: a Spec or the name of one; version:
    "1.2" or "1.3", that alone; weak: nothing is too weak for it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The client's order counts, as with most mail servers.
    made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if weak:
        made.set_ciphers("ALL:eNULL:@SECLEVEL=0")
    if ciphers is not None:
        made.set_ciphers(ciphers)
    if version is not None:
        number = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = made.maximum_version = number
    if identity is not None:
        own = certs.make(identity)
        made.load_cert_chain(own.cert, own.key)
    if client_ca is not None:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(certs.trusted(client_ca))
    if tickets is not None:
        if tickets == 0:
            made.options |= ssl.OP_NO_TICKET
        made.num_tickets = tickets
    return made


class Wire:
    """The socket. cut: how many octets go through before it ends, and how. At
    the end of what is sent at once it ends when there is more to say, unless
    eager is set: so it is known what the client had said by then."""

    def __init__(self, sock):
        self.sock = sock
        self.sent = 0
        self.cut = None  # or (octets, FIN or RST)
        self.eager = False
        self.whole = False  # the cut was behind what was sent last
        self.drip = 0  # octets in one segment; 0: any

    def send(self, data):
        if self.cut is not None:
            room = self.cut[0] - self.sent
            over = len(data) >= room if self.eager else len(data) > room
            if over and self.cut[1] == SPOIL:
                self._put(data[:room] + bytes([data[room] ^ 0x20]) +
                          data[room + 1:])
                self.end(FIN)
                raise Over("spoilt")
            if over:
                self._put(data[:room])
                self.whole = len(data) == room
                self.end(self.cut[1])
                raise Over("cut")
        self._put(data)

    def _put(self, data):
        # Counted first: the client may act on it before we go on.
        self.sent += len(data)
        if not self.drip:
            self.sock.sendall(data)
        else:
            for at in range(0, len(data), self.drip):
                self.sock.sendall(data[at:at + self.drip])

    def end(self, how):
        """FIN, and wait until the client has closed too; or RST."""
        if how == RST:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            self.sock.close()
            return
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(65536):
                pass


class Peer:
    """One client, as the server's function sees it."""

    def __init__(self, server, sock, number):
        self.server = server
        self.number = number
        self.wire = Wire(sock)
        self.sock = sock
        self.tls = None
        self.error = None  # of TLS
        self.lines = []  # what the client said; a text as bytes
        self.got = b""
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.flights = []  # Wire.sent after each flight of the handshake
        self.over = threading.Event()
        self.where = {}  # what the test wants to know: octets sent, by name

    # ---------------------------------------------------------- octets

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.wire.send(data)
        return len(data)

    def _feed(self):
        data = self.sock.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def secure(self, how=None):
        """The handshake, with this context or the server's."""
        self.tls = (how or self.server.context).wrap_bio(
            self.incoming, self.outgoing, server_side=True)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flight()
                self._feed()
            except ssl.SSLError as error:
                self._failed(error)
        self._flight()

    def _flight(self):
        if self.flush():
            self.flights.append(self.wire.sent)

    def _failed(self, error):
        self.error = error
        with contextlib.suppress(OSError):
            self.flush()  # the alert
        raise Over(str(error)) from error

    def send(self, data):
        """Octets, or a text, in one record or as they are."""
        if isinstance(data, str):
            data = data.encode()
        if self.tls is None:
            self.wire.send(data)
            return
        self.tls.write(data)
        self.flush()

    def say(self, text):
        self.send(text + "\r\n")

    def _more(self):
        if self.tls is None:
            data = self.sock.recv(65536)
        else:
            data = self._decrypted()
        if not data:
            raise Over("the client left")
        self.got += data

    def _decrypted(self):
        while True:
            try:
                data = self.tls.read(65536)
                if not data:
                    self.where["close_notify"] = self.wire.sent
                return data
            except ssl.SSLWantReadError:
                self.flush()
                self._feed()
            except ssl.SSLEOFError:
                self.where["no close_notify"] = self.wire.sent
                return b""
            except ssl.SSLError as error:
                self._failed(error)

    def line(self):
        """The next one that the client says."""
        while b"\r\n" not in self.got:
            self._more()
        line, _, self.got = self.got.partition(b"\r\n")
        self.note(line.decode("utf-8", "backslashreplace"))
        return self.lines[-1]

    def text(self):
        """Its text, up to the dot."""
        while (at := (b"\r\n" + self.got).find(b"\r\n.\r\n")) < 0:
            self._more()
        text, self.got = self.got[:at], self.got[at + 3:]
        self.note(text)

    def octets(self, n):
        while len(self.got) < n:
            self._more()
        self.note(self.got[:n])
        self.got = self.got[n:]

    def wait(self):
        """Says nothing until the client has left."""
        while True:
            self._more()

    def note(self, item):
        with self.server.changed:
            self.lines.append(item)
            self.server.changed.notify_all()

    def notify(self):
        """close_notify."""
        with contextlib.suppress(ssl.SSLError, OSError):
            self.tls.unwrap()
        with contextlib.suppress(OSError):
            self.flush()

    # ------------------------------------------------------- looking at it

    @property
    def said(self):
        """The lines alone."""
        return [item for item in self.lines if isinstance(item, str)]

    @property
    def verbs(self):
        return [line.split(" ")[0].split(":")[0] for line in self.said]


class Server:
    """Listens on 127.0.0.1, on ::1 too if asked, or at the path of a Unix
    socket, and runs function(peer) for each client in a thread of its own.
    threads: how many of these there are; window: what its sockets take in."""

    def __init__(self, function, how=None, threads=1, address="127.0.0.1",
                 window=None):
        self.function = function
        self.window = window
        self.context = how
        self.count = threads
        self.address = address
        self.peers = []
        self.strays = []  # what went wrong in the tests' own code
        self.changed = threading.Condition()
        self.done = False
        self.numbers = itertools.count()

    def __enter__(self):
        if self.address.startswith("/"):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.address)
        else:
            six = ":" in self.address
            self.listener = socket.socket(
                socket.AF_INET6 if six else socket.AF_INET)
            self.listener.bind((self.address, 0))
            self.port = self.listener.getsockname()[1]
        if self.window is not None:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                     self.window)
        self.listener.listen(512)
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(self.count)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.done = True
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(PATIENCE)
        self.listener.close()
        if self.strays and kind is None:
            raise self.strays[0]

    def _run(self):
        while not self.done:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(PATIENCE)
            peer = Peer(self, sock, next(self.numbers))
            with self.changed:
                self.peers.append(peer)
                self.changed.notify_all()
            self._serve(peer)

    def _serve(self, peer):
        try:
            self.function(peer)
        except (Over, ConnectionError) as why:
            peer.where["over"] = str(why)
        except Exception as stray:  # pylint: disable=broad-except
            self.strays.append(stray)
        finally:
            peer.sock.close()
            peer.over.set()
            with self.changed:
                self.changed.notify_all()

    def settle(self):
        """Waits until a client has come and all are gone; the last one."""
        self.wait_for(lambda: self.peers)
        for peer in list(self.peers):
            if not peer.over.wait(PATIENCE):
                raise AssertionError(f"a client stays: {peer.lines}")
        return self.peers[-1]

    def wait_for(self, check):
        with self.changed:
            if not self.changed.wait_for(check, PATIENCE):
                raise AssertionError(f"not so: {[p.lines for p in self.peers]}")
