# SPDX-License-Identifier: MIT
"""Certificates for servers of the tests, made by openssl when they are wanted:
none is kept, and none that is kept can expire."""
import os
import subprocess

from processes import program, write

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
    done = subprocess.run(
        [program("openssl", "openssl"), *arguments], stdin=subprocess.DEVNULL,
        capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl: {done.stderr.decode()}")
    return done.stdout


class Authority:
    """A certification authority in a directory of its own, which is made: the
    certificate to trust is file."""

    def __init__(self, directory):
        self.directory = directory
        write(self._path("conf"), CONF)
        self.file = self._path("ca.crt")
        openssl("req", *self._request("ec", "ca"), "-x509", "-days", "30",
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
