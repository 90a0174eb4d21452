# SPDX-License-Identifier: MIT
"""The recorder within TLS, by Python's ssl, and certificates for it, made by
openssl when they are wanted."""
import base64
import functools
import hashlib
import os
import ssl

import processes
from certificates import KEYS, openssl
from recorder import EXTENSIONS, Dialogue, Recorder

NAMES = "subjectAltName=DNS:localhost,DNS:mx.example.test,IP:127.0.0.1"


class Identity:
    """A certificate that has signed itself, and its key. passphrase: what the
    key is encrypted with."""

    def __init__(self, name, extension=NAMES, passphrase=None):
        self.cert = os.path.join(processes.scratch(), "identity.pem")
        self.key = self.cert.replace(".pem", ".key")
        openssl("req", "-x509", "-newkey", *KEYS["ec"], "-days", "30", "-utf8",
                "-subj", f"/CN={name}", "-addext", extension,
                "-keyout", self.key, "-out", self.cert,
                *(["-noenc"] if passphrase is None else
                  ["-passout", f"pass:{passphrase}"]))
        with open(self.cert, encoding="ascii") as f:
            self.pem = f.read()
        self.der = ssl.PEM_cert_to_DER_cert(self.pem)

    def fingerprint(self):
        return "sha256:" + hashlib.sha256(self.der).hexdigest()

    def pin(self):
        key = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        return "sha256//" + base64.b64encode(
            hashlib.sha256(key).digest()).decode()


@functools.cache
def identity(name, **how):
    return Identity(name, **how)


def context(who=None, client=None):
    """A server's. client: whose certificate it asks for."""
    who = who or identity("server")
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(who.cert, who.key)
    if client is not None:
        found.load_verify_locations(client.cert)
        found.verify_mode = ssl.CERT_REQUIRED
    return found


class Secure(Recorder):
    """Offers STARTTLS, or is within TLS from the first octet. failures has what
    went wrong with handshakes, to be looked at after the end."""

    def __init__(self, replies=None, extensions=EXTENSIONS, implicit=False,
                 by=None, **more):
        super().__init__(replies, extensions, **more)
        self.implicit = implicit
        self.context = context() if by is None else by
        self.failures = []

    @property
    def url(self):
        scheme = "lmtp" if self.lmtp else "smtps" if self.implicit else "smtp"
        return f"{scheme}://localhost:{self.port}"

    def wrap(self, connection):
        try:
            return self.context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.failures.append(str(error))
            return None

    def _serve(self, connection, lines):
        connection.settimeout(30)
        dialogue = SecureDialogue(self, connection, None, lines)
        try:
            if not self.implicit or dialogue.secure():
                dialogue.stream = dialogue.connection.makefile("rb")
                dialogue.run()
        except OSError:
            pass  # the client left
        dialogue.connection.close()


class SecureDialogue(Dialogue):
    """One connection, in clear text at first or not."""
    inside = False

    def secure(self):
        wrapped = self.recorder.wrap(self.connection)
        if wrapped is not None:
            self.connection = wrapped
            self.inside = True
        return self.inside

    def command(self, line):
        verb = line.split(" ")[0].upper()
        if verb in ("EHLO", "LHLO") and not self.inside:
            offered = [*self.recorder.extensions, "STARTTLS"]
            lines = ["recorder", *offered]
            return self.say(verb, "\r\n".join(
                f"250{' ' if i + 1 == len(lines) else '-'}{text}"
                for i, text in enumerate(lines))) is not None
        if verb != "STARTTLS":
            return super().command(line)
        reply = self.say(verb, "220 go ahead")
        if reply is None or not reply.startswith("220"):
            return reply is not None
        if not self.secure():
            return False
        self.stream = self.connection.makefile("rb")
        return True
