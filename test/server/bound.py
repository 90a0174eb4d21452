# SPDX-License-Identifier: MIT
"""The server's side of SCRAM by GNU SASL's library, and of TLS by OpenSSL's: by
ctypes, since Python's ssl can't tell what binds one to the other (RFC 9266)."""
import base64
import ctypes
import io
import threading
import unittest

from sasl import Cancelled, Talk

PLUS = "SCRAM-SHA-256-PLUS"
MECHS = (PLUS, "SCRAM-SHA-256", "SCRAM-SHA-1")


def library(name, package):
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise unittest.SkipTest(
            f"there is no {name} (package {package})") from None


# ----------------------------------------------------------------------- TLS

class _Stream(io.RawIOBase):
    def __init__(self, tls):
        self.tls = tls

    def readable(self):
        return True

    def readinto(self, buffer):
        got = self.tls.recv(len(buffer))
        buffer[:len(got)] = got
        return len(got)


class Tls:
    """One connection; it looks like a socket of Python's."""
    LABEL = b"EXPORTER-Channel-Binding"

    def __init__(self, ssl, context, socket):
        self.ssl, self.socket = ssl, socket
        # It waits for as long as it takes: there is no timeout.
        socket.setblocking(True)
        self.of = ctypes.c_void_p(ssl.SSL_new(context))
        ssl.SSL_set_fd(self.of, socket.fileno())
        if ssl.SSL_accept(self.of) != 1:
            raise OSError("the handshake failed")

    def recv(self, size):
        buffer = ctypes.create_string_buffer(size)
        got = self.ssl.SSL_read(self.of, buffer, size)
        return buffer.raw[:max(0, got)]

    def sendall(self, octets):
        if self.ssl.SSL_write(self.of, octets, len(octets)) != len(octets):
            raise OSError("nobody reads")

    def makefile(self, _mode):
        return io.BufferedReader(_Stream(self))

    def binding(self):
        """32 octets (RFC 9266 2)."""
        buffer = ctypes.create_string_buffer(32)
        if self.ssl.SSL_export_keying_material(
                self.of, buffer, ctypes.c_size_t(32), self.LABEL,
                ctypes.c_size_t(len(self.LABEL)), b"", ctypes.c_size_t(0),
                1) != 1:
            raise OSError("nothing to bind to")
        return buffer.raw

    def shutdown(self, how):
        self.socket.shutdown(how)

    def close(self):
        self.ssl.SSL_shutdown(self.of)
        self.ssl.SSL_free(self.of)
        self.socket.close()


class Context:
    """For a chain and a key in files: what secure.py wants of a context."""
    PEM = 1

    def __init__(self, chain, key):
        self.ssl = library("libssl.so.3", "libssl3")
        for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
            getattr(self.ssl, name).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.ssl.SSL_CTX_new(
            ctypes.c_void_p(self.ssl.TLS_server_method())))
        if self.ssl.SSL_CTX_use_certificate_chain_file(
                self.context, chain.encode()) != 1 or \
                self.ssl.SSL_CTX_use_PrivateKey_file(
                    self.context, key.encode(), self.PEM) != 1:
            raise AssertionError(f"no certificate in {chain}, {key}")

    def wrap_socket(self, connection, server_side):
        assert server_side
        return Tls(self.ssl, self.context, connection)


# ---------------------------------------------------------------------- SASL

class GnuSasl:
    """Lets in whoever has the password, by SCRAM. For the recorder.

    offers: the mechanisms in EHLO. binding: what is bound to, made of the
    connection's; None: nothing. forge: what is said instead of the server's
    proof."""
    OK, NEEDS_MORE, FAILED = 0, 1, 51
    PASSWORD, EXPORTER = 3, 25

    def __init__(self, password, offers=MECHS, binding=lambda true: true,
                 forge=lambda true: true):
        self.gsasl = library("libgsasl.so.18", "libgsasl18")
        self.gsasl.gsasl_strerror.restype = ctypes.c_char_p
        self.password = password
        self.offers = offers
        self.binding = binding
        self.forge = forge
        self.logins = []
        self.refusals = []
        # One connection after the other: each has its turn with the callback.
        self.turn = threading.Lock()
        self.bound = None
        self.callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
            ctypes.c_int)(self._wanted)
        self.context = ctypes.c_void_p()
        if self.gsasl.gsasl_init(ctypes.byref(self.context)) != self.OK:
            raise AssertionError("no GNU SASL")
        self.gsasl.gsasl_callback_set(self.context, self.callback)

    def extension(self):
        return "AUTH " + " ".join(self.offers)

    def _wanted(self, _context, session, what):
        value = {self.PASSWORD: self.password.encode(),
                 self.EXPORTER: self.bound}.get(what)
        if value is None:
            return self.FAILED
        return self.gsasl.gsasl_property_set(ctypes.c_void_p(session), what,
                                             value)

    def _step(self, session, text):
        """The status, and what is to be said."""
        out = ctypes.c_char_p()
        status = self.gsasl.gsasl_step64(session, base64.b64encode(text),
                                         ctypes.byref(out))
        return status, base64.b64decode(out.value or b"")

    def answer(self, dialogue, line):
        """Plays AUTH; whether the connection stays."""
        _, mech, *initial = line.split(" ")
        talk = Talk(dialogue, *initial[:1])
        with self.turn:
            bound = self.binding(dialogue.connection.binding())
            self.bound = None if bound is None else base64.b64encode(bound)
            session = ctypes.c_void_p()
            if self.gsasl.gsasl_server_start(
                    self.context, mech.encode(),
                    ctypes.byref(session)) != self.OK:
                return dialogue.say("AUTH", "504 what?") is not None
            try:
                reply = self._run(talk, session, mech)
            except Cancelled:
                reply = "501 5.7.0 cancelled"
            except EOFError:
                return False
            finally:
                self.gsasl.gsasl_finish(session)
        return dialogue.say("AUTH", reply) is not None

    def _run(self, talk, session, mech):
        text = talk.first()
        status = self.NEEDS_MORE
        while status == self.NEEDS_MORE:
            status, said = self._step(session, text)
            if status == self.OK and said:
                said = self.forge(said)
            if status in (self.OK, self.NEEDS_MORE) and said:
                text = talk.ask(said)
        if status != self.OK:
            self.refusals.append((mech, self.gsasl.gsasl_strerror(
                status).decode()))
            return "535 5.7.8 no"
        self.logins.append(mech)
        return "235 2.7.0 yes"
