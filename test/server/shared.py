# SPDX-License-Identifier: MIT
"""One sink for all tests of a module: import setUpModule and tearDownModule, and
ask sink() for it."""
import client
from servers import Sink

_sinks = []


def setUpModule():
    _sinks.append(Sink(client.programs["sink"]).__enter__())


def tearDownModule():
    while _sinks:
        _sinks.pop().__exit__()


def sink():
    return _sinks[-1]


def smtp(server=None):
    return f"smtp://127.0.0.1:{(server or sink()).smtp}"
