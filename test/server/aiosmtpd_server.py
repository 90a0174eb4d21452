# SPDX-License-Identifier: MIT
"""Servers made of aiosmtpd, as described by the JSON in the only argument; see
Programmed in others.py. It runs until it is told to end."""
import asyncio
import itertools
import json
import os
import ssl
import sys

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult

IMPLICIT = ("smtps", "lmtps", "submissions")

description = json.loads(sys.argv[1])
numbers = itertools.count()


def word_of(table, address):
    """What a table says about an address, None if nothing."""
    found = table.get((address or "").split("@")[0].split("+")[0])
    return found and f"{found[0]} {found[1]}"


def authenticate(_server, _session, _envelope, _mechanism, data):
    wanted = description["passwords"].get(data.login.decode())
    return AuthResult(success=wanted is not None and
                      data.password == wanted.encode(), handled=False,
                      auth_data=data.login.decode())


def store(envelope, address, tls, user):
    box = os.path.join(description["mail"], address.split("@")[0], "Maildir")
    os.makedirs(f"{box}/new", exist_ok=True)
    name = f"{next(numbers):06}"
    with open(f"{box}/{name}", "wb") as f:
        # It takes the brackets of a null sender for the address.
        sender = envelope.mail_from.strip("<>")
        f.write(f"Return-Path: <{sender}>\r\n".encode())
        if tls is not None:
            f.write(f"Received: by {tls.version()}\r\n".encode())
        if user is not None:
            f.write(f"Received: from {user}\r\n".encode())
        f.write(f"X-Seen: {json.dumps(envelope.mail_options)}\r\n".encode())
        f.write(envelope.content)
    os.rename(f"{box}/{name}", f"{box}/new/{name}")


class Handler:
    def __init__(self, lmtp=False):
        self.lmtp = lmtp

    async def handle_MAIL(self, server, session, envelope, address, options):
        refusal = word_of(description["senders"], address)
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = word_of(description["rcpts"], address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        verdicts = [word_of(description["ends"], address)
                    for address in envelope.rcpt_tos]
        refused = next(filter(None, verdicts), None)
        if refused and not self.lmtp:
            return refused
        for address, verdict in zip(envelope.rcpt_tos, verdicts):
            if not verdict:
                store(envelope, address,
                      server.transport.get_extra_info("ssl_object"),
                      session.auth_data)
        if not self.lmtp:
            return "250 2.0.0 stored"
        # It knows of one reply only: this is one a recipient (RFC 2033 4.2).
        return "\r\n".join(
            verdict or f"250 2.1.5 <{address}> stored"
            for address, verdict in zip(envelope.rcpt_tos, verdicts))


class Legacy(SMTP):
    async def smtp_EHLO(self, arg):
        await self.push("502 5.5.1 Speak HELO")


async def serve():
    loop = asyncio.get_running_loop()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(description["chain"], description["key"])

    def maker(name):
        small = name == "small"
        lmtp = "lmtp" in name
        kind = LMTP if lmtp else Legacy if name == "legacy" else SMTP
        login = name in description["logins"]
        upgrades = name.endswith(("starttls", "submission", "login"))
        return lambda: kind(
            Handler(lmtp), hostname="mx.example.test", enable_SMTPUTF8=not small,
            data_size_limit=description["small" if small else "size"],
            tls_context=tls if upgrades else None, auth_required=login,
            # It does not see TLS that was there from the start.
            auth_require_tls=upgrades or not login,
            authenticator=authenticate, loop=loop)

    for name, port in description["ports"].items():
        await loop.create_server(
            maker(name), "127.0.0.1", port,
            ssl=tls if name in IMPLICIT else None)
    for name, path in description["paths"].items():
        await loop.create_unix_server(maker(name), path)
    await loop.create_future()


asyncio.run(serve())
