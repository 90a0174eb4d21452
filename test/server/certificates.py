# SPDX-License-Identifier: MIT
"""Certificates for tests and benchmarks, made by openssl when they are wanted:
none is kept, so none that is kept can expire.

usage: certificates.py DIRECTORY

Fills it with what two authorities (ca.pem) have signed for localhost, 127.0.0.1
and ::1: ec.pem and ec.key on the curve P-256, rsa.pem and rsa.key of 2048 bits.
"""
import os
import shutil
import subprocess
import sys
import unittest

# What a server's certificate is issued for.
HOST = "mx.example.test"
NAMES = f"DNS:{HOST}, DNS:localhost, IP:127.0.0.1, IP:::1"

KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["rsa:2048"]}

CONF = f"""\
[req]
distinguished_name = none
[none]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {NAMES}
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
"""


def openssl(*arguments):
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise unittest.SkipTest(
            "openssl is missing (package openssl)") from None
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: "
                             f"{done.stderr.decode()}")
    return done.stdout


class Authority:
    """A certification authority in a directory of its own, which is made: the
    certificate to trust is file."""

    def __init__(self, directory, key="ec"):
        self.directory = directory
        os.makedirs(directory)
        with open(self._path("conf"), "w", encoding="ascii") as f:
            f.write(CONF)
        self.file = self._path("ca.crt")
        openssl("req", *self._request(key, "ca"), "-x509", "-days", "30",
                "-subj", "/CN=Test authority", "-extensions", "ca",
                "-out", self.file)

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _request(self, key, name):
        return ["-config", self._path("conf"), "-newkey", *KEYS[key], "-nodes",
                "-keyout", self._path(f"{name}.key")]

    def issue(self, key="ec", kind="server", name=HOST):
        """A certificate and its private key: the paths of both."""
        request, chain, private = (
            self._path(f"{kind}.{suffix}") for suffix in ("csr", "crt", "key"))
        openssl("req", *self._request(key, kind), "-subj", f"/CN={name}",
                "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey",
                self._path("ca.key"), "-CAcreateserial", "-days", "30",
                "-extfile", self._path("conf"), "-extensions", kind,
                "-out", chain)
        return chain, private


def make(folder):
    """Each kind of key has an authority of its own kind, so that a handshake
    verifies two signatures of that kind; ca.pem has both."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "ca.pem"), "wb") as both:
        for kind in KEYS:
            authority = Authority(os.path.join(folder, f"by-{kind}"), kind)
            chain, private = authority.issue(kind)
            shutil.copy(chain, os.path.join(folder, f"{kind}.pem"))
            shutil.copy(private, os.path.join(folder, f"{kind}.key"))
            with open(authority.file, "rb") as f:
                shutil.copyfileobj(f, both)


if __name__ == "__main__":
    make(sys.argv[1])
