# SPDX-License-Identifier: MIT
"""X.509 certificates, octet by octet: also those that no tool would make."""
import datetime
import hashlib
import ipaddress
import subprocess

# What a certificate may say it is for.
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"

SIGNATURES = {  # (kind of key, hash): algorithm, its parameters
    ("ec", "sha256"): ("1.2.840.10045.4.3.2", b""),
    ("ec", "sha1"): ("1.2.840.10045.4.1", b""),
    ("rsa", "sha256"): ("1.2.840.113549.1.1.11", b"\5\0"),
    ("rsa", "sha1"): ("1.2.840.113549.1.1.5", b"\5\0"),
}


def tlv(tag, *parts):
    value = b"".join(parts)
    n = len(value)
    if n < 128:
        return bytes([tag, n]) + value
    length = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value


def sequence(*parts):
    return tlv(0x30, *parts)


def number(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(*parts):
    return tlv(4, *parts)


def bits(value, unused=0):
    return tlv(3, bytes([unused]), value)


def oid(text):
    first, second, *rest = (int(word) for word in text.split("."))
    out = bytes([first * 40 + second])
    for arc in rest:
        septets = [arc & 127]
        while arc := arc >> 7:
            septets.append(arc & 127 | 128)
        out += bytes(reversed(septets))
    return tlv(6, out)


def name(common):
    """A name that has this CN alone; b"": one that says nothing."""
    if not common:
        return sequence()
    return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(12, common))))


def day(days):
    """The time so many days from now."""
    when = datetime.datetime.now(datetime.timezone.utc)
    when += datetime.timedelta(days=days)
    return tlv(23, when.strftime("%y%m%d%H%M%SZ").encode())


def alternative(text):
    """"dns:NAME", "ip:ADDRESS", "uri:URI" ... as a GeneralName; any octet may
    be in a name."""
    kind, _, value = text.partition(":")
    if kind == "ip":
        return tlv(0x87, ipaddress.ip_address(value).packed)
    return tlv({"mail": 0x81, "dns": 0x82, "uri": 0x86, "raw ip": 0x87}[kind],
               value.encode())


def extension(which, value, critical=False):
    return sequence(oid(which), tlv(1, b"\xff") if critical else b"",
                    octets(value))


def extensions(spec):
    """The extensions of a Spec, [3] and all; nothing if there are none."""
    out = b""
    if spec.ca is not None:
        out += extension("2.5.29.19", sequence(
            tlv(1, b"\xff") if spec.ca else b""), True)
    if spec.usage is not None:  # KeyUsage, its first eight bits
        out += extension("2.5.29.15", bits(bytes([spec.usage])), True)
    if spec.purposes:
        out += extension("2.5.29.37", sequence(*map(oid, spec.purposes)))
    if spec.names:
        out += extension("2.5.29.17", sequence(*map(alternative, spec.names)))
    return tlv(0xa3, sequence(out)) if out else b""


def sign(key, digest, data):
    """data signed by the private key in the file."""
    return subprocess.run(
        ["openssl", "dgst", "-" + digest, "-sign", key], input=data,
        capture_output=True, check=True).stdout


def certificate(spec, public, issuer, issuer_key, issuer_kind):
    """Spec and a SubjectPublicKeyInfo, signed: a certificate."""
    algorithm = SIGNATURES[issuer_kind, spec.digest]
    algorithm = sequence(oid(algorithm[0]), algorithm[1])
    serial = hashlib.sha256(repr(spec).encode() + public).digest()[:8]
    body = sequence(
        tlv(0xa0, number(2)), number(int.from_bytes(serial, "big")), algorithm,
        name(issuer), sequence(day(spec.begins), day(spec.ends)),
        name(spec.common), public, extensions(spec))
    return sequence(body, algorithm,
                    bits(sign(issuer_key, spec.digest, body)))
