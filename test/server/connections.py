# SPDX-License-Identifier: MIT
"""Connections of one process, one after the other, which keeps what it needs to
resume the sessions of TLS: by session.c."""
import pair

NO_RESUMPTION = 1 << 1
VERSIONS = {"TLSv1.2": 0x303, "TLSv1.3": 0x304}


class Connections(pair.Ours):
    """With settings of its own, the members of which are told in session.c.
    Leaving it ends the process, and looks at how it ended."""
    PROGRAM = "session"

    def __init__(self, lmtp=False, **settings):
        super().__init__(lmtp)
        self.got("tls", settings)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.finish()
        else:
            self.process.kill()
            self.process.communicate()
            self.said.close()

    def got(self, *call):
        """Makes a call that has to succeed."""
        answer = self.ask(*call)
        if answer["error"] != "OK":
            raise AssertionError(f"{call}: {answer} {self.errors()}")
        return answer

    def connect(self, port, policy, **target):
        """Connects, and says hello: what is known of the TLS then."""
        self.got("connect", {"host": "localhost", "port": port, "tls": policy,
                             **target})
        return self.got("hello")["tls"]

    def send(self, sender, recipient):
        """A small message, which has to be accepted."""
        self.got("sendmail", sender, [recipient], "Subject: x\n\nhello\n")

    def stats(self):
        return self.got("stats")["stats"]
