# SPDX-License-Identifier: MIT
"""The command line against OpenSMTPD: see exchange.py. Arguments: TOOL SINK."""
import client
import exchange
from client import Case
from others import OpenSmtpd

held = exchange.Held(OpenSmtpd)
setUpModule, tearDownModule = held.start, held.stop


class Delivery(exchange.Delivery, Case):
    held = held


class Refusal(exchange.Refusal, Case):
    held = held


if __name__ == "__main__":
    client.main()
