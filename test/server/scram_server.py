# SPDX-License-Identifier: MIT
"""A server's part of SCRAM over Python's hashlib."""
import base64
import hashlib
import hmac
import os


def b64(octets):
    return base64.b64encode(octets).decode()


class Server:
    """RFC 5802 and 7677, read again. What is wrong raises AssertionError."""

    def __init__(self, name, password, plus_offered=False, binding=b""):
        self.name = "sha1" if "SHA-1" in name else "sha256"
        self.plus = name.endswith("-PLUS")
        self.offered = plus_offered
        self.binding = binding
        self.salt = os.urandom(16)
        self.count = 4096
        self.salted = hashlib.pbkdf2_hmac(self.name, password.encode(),
                                          self.salt, self.count)
        self.user = self.authzid = None

    def mac(self, key, text):
        return hmac.new(key, text, self.name).digest()

    def lie(self):
        """What one who does not know the password may say in the end."""
        size = hashlib.new(self.name).digest_size
        return b"v=" + b64(os.urandom(size)).encode()

    @staticmethod
    def name_of(text):
        for at in range(len(text)):
            if text[at] == "=" and text[at:at + 3] not in ("=2C", "=3D"):
                raise AssertionError("an equals sign alone: " + text)
        return text.replace("=2C", ",").replace("=3D", "=")

    def first(self, message):
        flag, authzid, bare = message.decode().split(",", 2)
        if self.plus:
            assert flag == "p=tls-exporter", flag
        else:
            # "y" where we do bind: somebody has hidden that.
            assert flag == "n" or flag == "y" and not self.offered, flag
        if authzid:
            assert authzid.startswith("a="), authzid
            self.authzid = self.name_of(authzid[2:])
        self.header = flag + "," + authzid + ","
        name, nonce = bare.split(",")
        assert name.startswith("n=") and nonce.startswith("r="), bare
        self.user = self.name_of(name[2:])
        assert len(nonce) >= 26, nonce
        self.nonce = nonce[2:] + b64(os.urandom(15))
        self.said = f"r={self.nonce},s={b64(self.salt)},i={self.count}"
        self.bare = bare
        return self.said.encode()

    def final(self, message):
        without, _, proof = message.decode().rpartition(",p=")
        bound, nonce = without.split(",")
        want = self.header.encode() + (self.binding if self.plus else b"")
        assert bound == "c=" + b64(want), bound
        assert nonce == "r=" + self.nonce, nonce
        text = ",".join((self.bare, self.said, without)).encode()
        key = self.mac(self.salted, b"Client Key")
        stored = hashlib.new(self.name, key).digest()
        signature = self.mac(stored, text)
        got = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        assert hashlib.new(self.name, got).digest() == stored, "wrong proof"
        return b"v=" + b64(self.mac(self.mac(self.salted, b"Server Key"),
                                    text)).encode()
