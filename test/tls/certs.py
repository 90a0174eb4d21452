# SPDX-License-Identifier: MIT
"""The certificates of these tests. Each is made when it is first asked for, in
a directory that goes with the program."""
import base64
import dataclasses
import functools
import hashlib
import os
import subprocess

import above  # noqa: F401
import der
import processes
from der import CLIENT_AUTH, SERVER_AUTH

HOST = "mx.example.test"

KEYS = {
    "ec": ("ec", ["genpkey", "-algorithm", "EC",
                  "-pkeyopt", "ec_paramgen_curve:P-256"]),
    "rsa": ("rsa", ["genpkey", "-algorithm", "RSA",
                    "-pkeyopt", "rsa_keygen_bits:2048"]),
    "rsa1024": ("rsa", ["genpkey", "-algorithm", "RSA",
                        "-pkeyopt", "rsa_keygen_bits:1024"]),
}
# Others of the same kinds.
KEYS |= {word: KEYS["ec"] for word in
         ("ca", "other", "middle", "leaf", "client", "client2")}

# KeyUsage: digitalSignature is its first bit, keyCertSign its sixth.
SIGNS, ISSUES = 0x80, 0x04


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a certificate says."""
    names: tuple = ("dns:" + HOST,)
    common: bytes = b"server"
    key: str = "ec"
    issuer: str = "ca"  # "": itself
    ca: bool = None  # basicConstraints; None: it says nothing of that
    usage: int = None
    purposes: tuple = ()
    begins: float = -1
    ends: float = 30
    digest: str = "sha256"
    sent: tuple = ()  # the certificates that are sent behind it


def authority(common, key, **more):
    return Spec(names=(), common=common, key=key, ca=True, usage=ISSUES, **more)


def dns(*names, **more):
    return Spec(names=tuple("dns:" + name for name in names), **more)


SPECS = {
    "ca": authority(b"Authority", "ca", issuer=""),
    "other": authority(b"Another authority", "other", issuer=""),
    "middle": authority(b"Middle", "middle"),
    "expired middle": authority(b"Expired middle", "middle", begins=-9,
                                ends=-1),
    "no authority": Spec(key="leaf", ca=False, common=b"Leaf", usage=SIGNS),
    "no authority, silent": Spec(key="leaf", common=b"Leaf"),
    "authority that may not sign": Spec(key="leaf", ca=True, common=b"Leaf",
                                        usage=SIGNS),
    "good": Spec(names=("dns:" + HOST, "ip:127.0.0.1", "ip:::1",
                        "dns:localhost")),
    "good, RSA": Spec(key="rsa"),
    "small": Spec(common=b""),
    "server": Spec(purposes=(SERVER_AUTH,), ca=False, usage=SIGNS),
    "both purposes": Spec(purposes=(CLIENT_AUTH, SERVER_AUTH)),
    "expired": Spec(begins=-9, ends=-1),
    "future": Spec(begins=2, ends=9),
    "self-signed": Spec(issuer=""),
    "other authority": Spec(issuer="other"),
    "by no authority": Spec(issuer="no authority", sent=("no authority",)),
    "by no authority, silent": Spec(issuer="no authority, silent",
                                    sent=("no authority, silent",)),
    "by one that may not sign": Spec(issuer="authority that may not sign",
                                     sent=("authority that may not sign",)),
    "for clients": Spec(purposes=(CLIENT_AUTH,)),
    "SHA-1": Spec(digest="sha1"),
    "RSA 1024": Spec(key="rsa1024"),
    "three": Spec(issuer="middle", sent=("middle",)),
    "three, the middle not sent": Spec(issuer="middle"),
    "three, with the root": Spec(issuer="middle", sent=("middle", "ca")),
    "middle expired": Spec(issuer="expired middle",
                           sent=("expired middle",)),
    "CN only": Spec(names=(), common=HOST.encode()),
    "CN only, wildcard": Spec(names=(), common=b"*.example.test"),
    "CN beside another SAN": dns("other.example.test", common=HOST.encode()),
    "URI": Spec(names=("uri:smtp://" + HOST, "uri:" + HOST)),
    "IDN": dns("xn--mnchen-3ya.example.test"),
    "client": Spec(names=(), common=b"client", key="client",
                   purposes=(CLIENT_AUTH,)),
}


@dataclasses.dataclass(frozen=True)
class Identity:
    """A certificate's files."""
    cert: str  # PEM, with what is sent behind it
    key: str
    der: bytes
    spec: Spec

    def pin(self):
        """Of its own."""
        return "sha256:" + hashlib.sha256(self.der).hexdigest()

    def key_pin(self):
        digest = hashlib.sha256(public(self.spec.key)).digest()
        return "sha256//" + base64.b64encode(digest).decode()


@functools.cache
def directory():
    processes.program("openssl", "openssl")
    return processes.scratch()


def path(name):
    return os.path.join(directory(), name)


@functools.cache
def key(word):
    """The file of a private key."""
    out = path(word + ".key")
    subprocess.run(["openssl", *KEYS[word][1], "-out", out], check=True,
                   capture_output=True)
    return out


@functools.cache
def public(word):
    """Its SubjectPublicKeyInfo."""
    return subprocess.run(
        ["openssl", "pkey", "-in", key(word), "-pubout", "-outform", "DER"],
        check=True, capture_output=True).stdout


def pem(certificate):
    text = base64.encodebytes(certificate).decode()
    return ("-----BEGIN CERTIFICATE-----\n" + text +
            "-----END CERTIFICATE-----\n")


@functools.cache
def make(spec):
    """The certificate of a Spec, or of the name of one."""
    if isinstance(spec, str):
        return make(SPECS[spec])
    issuer = SPECS[spec.issuer] if spec.issuer else spec
    certificate = der.certificate(
        spec, public(spec.key), issuer.common, key(issuer.key),
        KEYS[issuer.key][0])
    out = path(hashlib.sha256(certificate).hexdigest()[:16] + ".pem")
    processes.write(out, pem(certificate) + "".join(
        pem(make(name).der) for name in spec.sent))
    return Identity(out, key(spec.key), certificate, spec)


def trusted(name="ca"):
    """The file of a certificate to trust."""
    return make(name).cert
