# SPDX-License-Identifier: MIT
"""A terminal for programs that look whether they have one."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
import time

import client


class Terminal:
    """A pseudo-terminal; what a program writes on it is collected."""

    def __init__(self, columns=80):
        self.mine, self.other = pty.openpty()
        self.name = os.ttyname(self.other)
        fcntl.ioctl(self.other, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, columns, 0, 0))
        self.output = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.started()
        os.close(self.mine)

    def started(self):
        """The program has its own descriptor now."""
        if self.other is not None:
            os.close(self.other)
            self.other = None

    def read(self, seconds):
        """Reads what there is; False at the end."""
        if not select.select([self.mine], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.mine, 65536)
        except OSError:  # nobody has the other end any more
            return False
        self.output += got
        return got != b""

    def wait_for(self, pattern):
        """Reads until it is there."""
        end = time.monotonic() + 20
        while not re.search(pattern, self.output):
            if not self.read(0.1) or time.monotonic() > end:
                raise AssertionError(f"no {pattern!r}: {self.output!r}")

    def finish(self, process):
        """Reads until the program has ended; its standard output."""
        out = []
        reader = threading.Thread(
            target=lambda: out.append(process.stdout.read()))
        reader.start()
        end = time.monotonic() + client.RUN_TIMEOUT
        while self.read(0.1) and process.poll() is None:
            if time.monotonic() > end:
                process.kill()
                raise AssertionError(f"it does not end: {self.output!r}")
        reader.join(client.RUN_TIMEOUT)
        process.wait(client.RUN_TIMEOUT)
        while self.read(0):
            if not select.select([self.mine], [], [], 0)[0]:
                break
        process.stdout.close()
        return out[0]

    def screen(self):
        """The lines as they look in the end, and the widest ever."""
        lines, column, widest = [""], 0, 0
        for char in self.output.decode("ascii"):
            if char == "\n":
                lines.append("")
            elif char == "\r":
                column = 0
            else:
                line = lines[-1].ljust(column)
                lines[-1] = line[:column] + char + line[column + 1:]
                column += 1
                widest = max(widest, len(lines[-1].rstrip()))
        return [line.rstrip() for line in lines], widest
