# SPDX-License-Identifier: MIT
"""Certificates for tests and benchmarks, made afresh by openssl.

usage: certificates.py DIRECTORY

An authority (ca.pem) and what it has signed for localhost, 127.0.0.1 and ::1:
ec.pem and ec.key on the curve P-256, rsa.pem and rsa.key of 2048 bits."""
import os
import subprocess
import sys

EXTENSIONS = """
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
"""
KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["rsa:2048"]}


def openssl(*args):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (" ".join(args), done.stdout))


def make(folder):
    """Each kind of key has an authority of its own kind, so that a handshake
    verifies two signatures of that kind; ca.pem has both."""
    os.makedirs(folder, exist_ok=True)
    path = {name: os.path.join(folder, name) for name in (
        "ca.pem", "extensions", "request")}
    with open(path["extensions"], "w", encoding="ascii") as f:
        f.write(EXTENSIONS)
    both = ""
    for kind, key in KEYS.items():
        ca = os.path.join(folder, "ca-" + kind)
        own = os.path.join(folder, kind)
        openssl("req", "-x509", "-newkey", *key, "-nodes", "-keyout",
                ca + ".key", "-out", ca + ".pem", "-days", "30", "-subj",
                "/CN=uvsmtp test authority (%s)" % kind, "-addext",
                "keyUsage=critical,keyCertSign,cRLSign")
        openssl("req", "-newkey", *key, "-nodes", "-keyout", own + ".key",
                "-out", path["request"], "-subj", "/CN=localhost")
        openssl("x509", "-req", "-in", path["request"], "-CA", ca + ".pem",
                "-CAkey", ca + ".key", "-CAcreateserial", "-days", "30",
                "-extfile", path["extensions"], "-out", own + ".pem")
        with open(ca + ".pem", encoding="ascii") as f:
            both += f.read()
    with open(path["ca.pem"], "w", encoding="ascii") as f:
        f.write(both)


if __name__ == "__main__":
    make(sys.argv[1])
