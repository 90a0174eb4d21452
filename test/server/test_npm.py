# SPDX-License-Identifier: MIT
"""The command line against npm's smtp-server: see exchange.py. Arguments: TOOL SINK."""
import client
import exchange
from client import Case
from others import NpmSmtpServer

held = exchange.Held(NpmSmtpServer)
setUpModule, tearDownModule = held.start, held.stop


class Delivery(exchange.Delivery, Case):
    held = held


class Refusal(exchange.Refusal, Case):
    held = held


if __name__ == "__main__":
    client.main()
