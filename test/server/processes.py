# SPDX-License-Identifier: MIT
"""Child processes, ports and directories for the servers of the tests.

Whatever a test starts ends with it: at the end of a with statement, at the end
of this process, and by the kernel's hand if this process is killed.
"""
import atexit
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

START_TIMEOUT = 20
# Unix sockets have paths of at most 107 octets, and servers add to ours.
SCRATCH_MAX = 60

_cleanups = []


def at_end(function):
    """Calls function when this process ends, by SIGTERM too."""
    _cleanups.append(function)
    return function


def run_cleanups():
    while _cleanups:
        with contextlib.suppress(Exception):
            _cleanups.pop()()


def _terminated(_signum, _frame):
    run_cleanups()
    os._exit(143)


atexit.register(run_cleanups)
signal.signal(signal.SIGTERM, _terminated)
# A shell has its background jobs ignore these, nohup the last of them, and so
# would what we start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, _terminated)


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def free_port():
    """A port that is free on both loopback addresses right now."""
    for _ in range(100):
        with socket.socket() as four:
            four.bind(("127.0.0.1", 0))
            port = four.getsockname()[1]
            if not have_ipv6():
                return port
            with socket.socket(socket.AF_INET6) as six:
                try:
                    six.bind(("::1", port))
                    return port
                except OSError:
                    continue
    raise RuntimeError("no port is free on both 127.0.0.1 and ::1")


def closed_port():
    """A socket that holds a port without listening on it: connections to the
    port are refused for as long as the socket is open."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s


def _searchable(path):
    """Whether users other than root can reach path."""
    while True:
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def scratch():
    """A new directory that the servers' users can reach, with a short path."""
    base = os.path.realpath(tempfile.gettempdir())
    if len(base) > SCRATCH_MAX - 15 or not _searchable(base):
        base = "/tmp"
    path = tempfile.mkdtemp(prefix="uvs", dir=base)
    os.chmod(path, 0o755)
    at_end(lambda: shutil.rmtree(path, ignore_errors=True))
    return path


def program(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        raise unittest.SkipTest(f"{name} is missing (package {package})")
    return path


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("the server needs to be started by root")


def user_ids(name, package):
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise unittest.SkipTest(
            f"there is no user {name} (package {package})") from None
    return user.pw_uid, user.pw_gid


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def read(path):
    with contextlib.suppress(OSError), open(path, "rb") as f:
        return f.read()
    return b""


def wait_until(check, seconds, complaint):
    """Polls check until it returns something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(complaint())
        time.sleep(0.005)


def wait_caught(process, signum):
    """Waits until the process has taken the signal over."""
    bit = 1 << (signum - 1)

    def caught():
        with open(f"/proc/{process.pid}/status", encoding="ascii") as lines:
            return bit & next(int(line.split()[1], 16) for line in lines
                              if line.startswith("SigCgt"))

    wait_until(caught, 20, lambda: "the signal is not caught")


def listens(address, family=socket.AF_INET):
    with socket.socket(family) as s:
        s.settimeout(5)
        return s.connect_ex(address) == 0


# The servers' own children become ours when their parent has ended, so that we
# can wait for them too.
_PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)

# Ends a server once the other end of its standard input is closed, as it is
# when we are gone, and removes what it leaves.
GUARD = """\
read -r _
kill "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  kill -0 "$1" 2>/dev/null || break
  sleep 0.3
done
[ -z "$2" ] || rm -rf "$2"
"""


class Daemon:
    """A child process that runs in the foreground, in a session of its own. If
    this process is killed, the child is too, and its directory is removed."""

    def __init__(self, argv, log, stdout=None, directory=""):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout or out,
                stderr=out, start_new_session=True)
        self.guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self.process.pid), directory],
            stdin=subprocess.PIPE, start_new_session=True)
        at_end(self.stop)

    def ready(self, check):
        """Waits until check() is true. False if the server ended instead."""

        def started():
            return self.process.poll() is not None or check()

        wait_until(started, START_TIMEOUT,
                   lambda: f"no start: {self.said()}")
        return self.process.poll() is None

    def said(self):
        return read(self.log).decode("utf-8", "replace")[-4000:]

    def stop(self):
        # First: the number of a process that has ended may be another's.
        self.guard.kill()
        self.guard.wait()
        self.guard.stdin.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reap()
        return self.process.returncode

    def _reap(self):
        """Waits for what the server had started."""
        end = time.monotonic() + 5
        with contextlib.suppress(ChildProcessError):
            while True:
                if os.waitpid(-self.process.pid, os.WNOHANG)[0] != 0:
                    continue
                if time.monotonic() > end:
                    os.killpg(self.process.pid, signal.SIGKILL)
                time.sleep(0.005)
