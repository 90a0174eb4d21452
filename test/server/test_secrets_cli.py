# SPDX-License-Identifier: MIT
"""Where the command line has passwords and tokens from: files, descriptors, a
terminal, a netrc file; and where it leaves none. Arguments: TOOL SINK."""
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import time

import client
import processes
import sasl
from client import Case, probe, send
from sasl import PASSWORD, PLAINTEXT, TOKEN, USER, Accounts, file, plain
from terminal import Terminal

TO = ["a@example.net"]
HERE = ("--user", USER, PLAINTEXT)


def server(accounts=None, **more):
    return plain(accounts or Accounts(), **more)


class SecretCase(Case):
    """What goes wrong is said without the secret, and nobody is connected."""

    def setUp(self):
        self.server = server()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)

    def check_login(self, got, name=USER):
        self.check_sent(got)
        self.assertEqual(got.report["auth"]["user"], name)

    def check_bad(self, exit_status, words, *options, **more):
        """For send and for probe."""
        seen = len(self.server.sessions)
        for run in (lambda: send(self.server.url, TO, PLAINTEXT, *options,
                                 **more),
                    lambda: probe(self.server.url, PLAINTEXT, *options)):
            got = run()
            self.check_sent(got, "invalid-argument" if exit_status == 64
                            else "local-error", exit_status)
            self.assertIn(words, got.report["error"])
            for secret in (PASSWORD, TOKEN):
                self.assertNotIn(secret, got.out + got.err)
            if more:
                break
        self.assertEqual(len(self.server.sessions), seen)


class Files(SecretCase):
    """--password-file, --password-fd and --token-file."""

    def test_line_ends(self):
        """One line end at the end is none of the password's."""
        for text, password in (
                (PASSWORD, PASSWORD), (PASSWORD + "\n", PASSWORD),
                (PASSWORD + "\r\n", PASSWORD), (f" {PASSWORD} \n",
                                                f" {PASSWORD} "),
                ("\t\n", "\t"), ("x" * 8192 + "\r\n", "x" * 8192),
                ("Gr\u00fc\u00dfe\n", "Gr\u00fc\u00dfe")):
            accounts = Accounts(password=password, mechs=("PLAIN", "LOGIN"))
            with self.subTest(text[:20]), server(accounts) as there:
                self.check_login(send(there.url, TO, *HERE, "--password-file",
                                      file(text)))
        self.check_login(send(self.server.url, TO, *HERE, "--token-file",
                              file(TOKEN + "\r\n")))

    def test_contents(self):
        """What is no password, and no token."""
        for text, words in (
                ("", "it is empty"), ("\n", "it is empty"),
                ("\r\n", "it is empty"), ("\n\n", "more than one line"),
                (PASSWORD + "\nmore\n", "more than one line"),
                (PASSWORD + "\n\n", "more than one line"),
                (PASSWORD + "\rmore", "more than one line"),
                (PASSWORD + "\0", "there is a NUL in it"),
                ("\0", "there is a NUL in it"),
                ("x" * 8193, "it is too long"),
                ("x" * 100000, "it is too long"),
                ("x\n" * 50000, "it is too long")):
            for option in ("--password-file", "--token-file"):
                with self.subTest(option, text=text[:20]):
                    path = file(text)
                    self.check_bad(66, words, "--user", USER, option, path)
                    self.check_bad(66, f"{option} {path}: ", "--user", USER,
                                   option, path)

    def test_unreadable(self):
        """Files that are not there, or are none."""
        folder = processes.scratch()
        none = os.path.join(folder, "none")
        for option in ("--password-file", "--token-file", "--netrc-file"):
            for path, words in ((none, "no such file or directory"),
                                (folder, "it is a directory"),
                                (os.path.join(__file__, "x"),
                                 "not a directory"),
                                (os.path.join(folder, "x" * 300),
                                 "name too long")):
                self.check_bad(66, f"{option} {path[:150]}", "--user", USER,
                               option, path)
                self.check_bad(66, words, "--user", USER, option, path)
            if os.geteuid() != 0:
                self.check_bad(66, "permission denied", "--user", USER, option,
                               file("x", 0))

    def test_fifo(self):
        """A named pipe is waited for."""
        path = os.path.join(processes.scratch(), "fifo")
        os.mkfifo(path)

        def write():
            with open(path, "w", encoding="ascii") as f:
                f.write(PASSWORD[:3])
                f.flush()
                f.write(PASSWORD[3:] + "\n")

        thread = threading.Thread(target=write, daemon=True)
        process = subprocess.Popen(
            client.argv(self.server.url, TO, (*HERE, "--password-file", path)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        thread.start()
        out, err = process.communicate(b"x\n", timeout=client.RUN_TIMEOUT)
        thread.join(10)
        self.check_login(client.result(process, out, err))

    def by_fd(self, source, *options, data=b"Subject: x\n\nhello\n",
              mine=None):
        number = source.fileno() if mine is None else mine
        process = subprocess.Popen(
            client.argv(self.server.url, TO,
                        (*HERE, "--password-fd", str(number), *options)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, pass_fds=(source.fileno(),))
        out, err = process.communicate(data, timeout=client.RUN_TIMEOUT)
        return client.result(process, out, err)

    def test_fd(self):
        """A pipe, a socket, a file where it stands; /dev/fd/N."""
        for options in ((), ("--password-file",)):
            for make in (os.pipe, socket.socketpair):
                a, b = make()
                if make is os.pipe:
                    a, b = open(a, "rb"), open(b, "wb", buffering=0)
                    b.write(PASSWORD.encode() + b"\n")
                else:
                    b.sendall(PASSWORD.encode() + b"\n")
                b.close()
                with a:
                    self.check_login(self.by_fd(a))
            with open(file("first\n" + PASSWORD), "rb", buffering=0) as f:
                f.seek(6)
                self.check_login(self.by_fd(f))
            with open(file(PASSWORD), "rb") as f:
                process = subprocess.run(
                    client.argv(self.server.url, TO, (
                        *HERE, "--password-file", f"/dev/fd/{f.fileno()}")),
                    input=b"x\n", capture_output=True, pass_fds=(f.fileno(),),
                    check=False, timeout=client.RUN_TIMEOUT)
                self.check_login(client.result(process, process.stdout,
                                               process.stderr))

    def test_fd_not_there(self):
        """No number, or none that is open."""
        for number, words in (("", "it is not a number"),
                              ("x", "it is not a number"),
                              ("-1", "it is not a number"),
                              ("3x", "it is not a number"),
                              ("77", "no such open file descriptor"),
                              ("99999999999999999999",
                               "no such open file descriptor")):
            self.check_bad(64, words, "--user", USER, "--password-fd", number)
        with open(file(PASSWORD), "ab") as f:
            got = self.by_fd(f)
            self.check_sent(got, "local-error", 66)
            self.assertIn(f"--password-fd {f.fileno()}: ", got.report["error"])

    def test_stdin(self):
        """Standard input can be one of both."""
        for options in (("--password-fd", "0"),
                        ("--password-file", "/dev/stdin"),
                        ("--password-file", "/dev/fd/0"),
                        ("--token-file", "/dev/stdin"),
                        ("--netrc-file", "/dev/stdin")):
            with self.subTest(options):
                got = send(self.server.url, TO, *HERE, *options, stdin=True)
                self.check_sent(got, "local-error", 66)
                self.assertIn("the message comes from standard input already",
                              got.report["error"])
                self.assertEqual(self.server.sessions, [])
        code, out, err = client.run(
            [client.programs["tool"], "probe", "--json", *HERE,
             "--password-fd", "0", self.server.url], PASSWORD.encode())
        self.assertEqual((code, err), (0, b""))
        code, out, err = client.run(
            client.argv(self.server.url, TO, (
                *HERE, "--password-fd", "0", file("Subject: x\n\nhello\n"))),
            PASSWORD.encode())
        self.assertEqual((code, err), (0, b""), out)

    def test_interrupted(self):
        """Ctrl-C while it is waited for."""
        a, b = os.pipe()
        for signum in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                client.argv(self.server.url, TO, (*HERE, "--password-fd",
                                                  str(a))),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, pass_fds=(a,))
            os.write(b, b"half")
            processes.wait_until(
                lambda a=a: not has_octets(a), 20, lambda: "it is not read")
            process.send_signal(signum)
            out, err = process.communicate(timeout=client.RUN_TIMEOUT)
            got = client.result(process, out, err)
            self.check_sent(got, "cancelled", 130)
            self.assertEqual(got.report["error"],
                             "interrupted before anything was sent")
        os.close(a)
        os.close(b)
        self.assertEqual(self.server.sessions, [])


    def test_nobody_writes(self):
        """A named pipe that nobody has opened can be waited for, and left."""
        path = os.path.join(processes.scratch(), "fifo")
        os.mkfifo(path)
        process = subprocess.Popen(
            client.argv(self.server.url, TO, (*HERE, "--password-file", path)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        processes.wait_caught(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=client.RUN_TIMEOUT)
        self.check_sent(client.result(process, out, err), "cancelled", 130)

    def test_ignored(self):
        """Whoever started it may not want it to hear of that."""
        a, b = os.pipe()
        process = subprocess.Popen(
            ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *client.argv(
                self.server.url, TO, (*HERE, "--password-fd", str(a)))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, pass_fds=(a,))
        os.write(b, PASSWORD[:4].encode())
        processes.wait_until(lambda: not has_octets(a), 20,
                             lambda: "it is not read")
        process.send_signal(signal.SIGINT)
        os.write(b, PASSWORD[4:].encode())
        os.close(b)
        out, err = process.communicate(b"x\n", timeout=client.RUN_TIMEOUT)
        os.close(a)
        self.check_login(client.result(process, out, err))


def files_of(pid):
    """What a process has open."""
    folder = f"/proc/{pid}/fd"
    found = []
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(os.path.join(folder, name)))
    return found


def has_octets(fd):
    waiting = fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(waiting, sys.byteorder) > 0


class Options(SecretCase):
    """What can't be meant together."""

    def test_contradictions(self):
        """Nothing is done in vain, or in another way than was asked for."""
        secret = file(PASSWORD)
        for words, *options in (
                ("--password-fd: there is --password-file already",
                 "--password-file", secret, "--password-fd", "0"),
                ("--token-file: there is --password-file already",
                 "--password-file", secret, "--token-file", secret),
                ("--netrc: there is --token-file already",
                 "--netrc", "--token-file", secret),
                ("--netrc-file: there is --password-file already",
                 "--netrc-file", secret, "--password-file", secret)):
            self.check_bad(64, words, "--user", USER, *options)
        self.check_bad(64, "--password-file: whose?", "--password-file", secret)
        self.check_bad(64, "--password-fd: whose?", "--password-fd", "0")
        self.check_bad(64, "nobody logs in")
        for option in ("--user", "--password-file", "--token-file", "--auth",
                       "--netrc-file", "--authzid"):
            self.check_bad(64, f"{option} '': it is empty", option, "")
        self.check_bad(64, "--user: it is too long", "--user", "x" * 1024)

    def test_mechanisms(self):
        """Names that nobody knows, and what can't be said by a mechanism."""
        secret = ("--password-file", file(PASSWORD))
        for names in ("NTLM", "PLAIN,NTLM", "x" * 300, "PLAIN;LOGIN"):
            self.check_bad(64, "it is none of SCRAM-SHA-256-PLUS, SCRAM",
                           "--user", USER, "--auth", names, *secret)
        self.check_bad(64, "--auth XOAUTH2: ", "--user", USER, "--auth",
                       "XOAUTH2", *secret)
        self.check_bad(64, "--auth PLAIN: ", "--auth", "PLAIN")
        self.check_bad(64, "--auth PLAIN: ", "--user", USER, "--auth", "PLAIN",
                       "--token-file", file(TOKEN))
        self.check_bad(64, "--auth ,: ", "--user", USER, "--auth", ",",
                       *secret)
        self.check_bad(64, "the login: ", "--user", USER, "--token-file",
                       file("two words"))

    def test_url(self):
        """A user in it, and never a password."""
        port = self.server.port
        for rest, words in (
                ("me:hunter2secret@", "a password does not belong"),
                ("me:@", "a password does not belong"),
                (":hunter2secret@", "a password does not belong"),
                ("me%40x:hunter2secret@", "a password does not belong"),
                ("@", "no user before the @"),
                ("me@x@", "an @ in a user is written %40"),
                ("me;AUTH=PLAIN@", "given by --auth"),
                ("my name@", "a space in a user is written %20"),
                ("me\n@", "a control character"),
                ("me%0a@", "a control character"),
                ("me%00@", "a control character"),
                ("me%7f@", "a control character"),
                ("me%4@", "not well encoded"), ("me%@", "not well encoded"),
                ("me%zz@", "not well encoded"),
                ("x" * 256 + "@", "the user is too long")):
            for run in (lambda url: send(url, TO), probe):
                got = run(f"smtp://{rest}127.0.0.1:{port}")
                self.check_sent(got, "invalid-argument", 64)
                self.assertIn(words, got.report["error"])
                self.assertNotIn("hunter2secret", got.out + got.err)
        got = probe(f"me@127.0.0.1:{port}")
        self.check_sent(got, "invalid-argument", 64)
        self.assertIn("smtp://USER@HOST", got.report["error"])
        got = probe(f"smtp://you@127.0.0.1:{port}", *HERE)
        self.check_sent(got, "invalid-argument", 64)
        self.assertIn("the URL names another user", got.report["error"])
        self.assertEqual(self.server.sessions, [])

    def test_last_server(self):
        """The last --server counts, and so does its user or that it has none.
        """
        accounts = Accounts()
        with server(accounts) as there:
            got = send(there.url.replace("://", "://nobody@"), TO, "--server",
                       there.url)
            self.check_sent(got)
            self.assertIsNone(got.report["auth"])

    def test_no_terminal(self):
        """Nobody can be asked."""
        process = subprocess.run(
            client.argv(self.server.url, TO, HERE), input=b"x\n",
            capture_output=True, start_new_session=True, check=False,
            timeout=client.RUN_TIMEOUT)
        got = client.result(process, process.stdout, process.stderr)
        self.check_sent(got, "invalid-argument", 64)
        self.assertIn("no terminal to ask for it; give --password-file",
                      got.report["error"])
        self.assertEqual(self.server.sessions, [])


NAMED = f'login "{USER}" password "{PASSWORD}"'

# What a file holds, and who is found in it for 127.0.0.1.
FOUND = {
    "a line": f"machine 127.0.0.1 {NAMED}",
    "several": f"machine\n127.0.0.1\n\tlogin\r\n{USER}\n\n"
               f' password "{PASSWORD}" ',
    "another before": "machine other login x password y\n"
                      f"machine 127.0.0.1 {NAMED}\n",
    "others' words": "machine other login x password y protocol z why\n"
                     f"machine 127.0.0.1 {NAMED}\n",
    "the first": f"machine 127.0.0.1 {NAMED}\n"
                 "machine 127.0.0.1 login x password y\n",
    "the default": f"machine other login x password y\ndefault {NAMED}\n",
    "the default, shadowed": f"machine 127.0.0.1 {NAMED}\n"
                             "default login x password y\n",
    "its port": "machine 127.0.0.1 port 1 login x password y\n"
                "machine 127.0.0.1 port imap login x password y\n"
                "machine 127.0.0.1 port lmtp login x password y\n"
                "machine 127.0.0.1 port smtps login x password y\n"
                "machine 127.0.0.1 port submission login x password y\n"
                f"machine 127.0.0.1 port PORT {NAMED}\n",
    "its protocol": f"machine 127.0.0.1 {NAMED} port smtp\n",
    "an account": f"machine 127.0.0.1 account z force yes {NAMED}",
    "user for login": f"machine 127.0.0.1 {NAMED}".replace("login", "user"),
    "comments": f"# one\n#two machine x\nmachine 127.0.0.1 # three\n{NAMED}"
                " # four\n#",
    "a macro": "macdef init\nmachine 127.0.0.1 login x password y\nput a\n\n"
               f"machine 127.0.0.1 {NAMED}",
    "a macro with CRLF": "macdef init\r\nmachine 127.0.0.1 login x password y"
                         f"\r\n\r\nmachine 127.0.0.1 {NAMED}",
    "a macro within": f"machine 127.0.0.1 {NAMED} macdef init\nx\n\n",
    "a macro to the end": f"machine 127.0.0.1 {NAMED}\nmacdef init\nx y z",
    "behind it": f"machine 127.0.0.1 {NAMED}\nmachine x nonsense word\n",
}

# What is not found, and why.
NOT_FOUND = {
    "empty": ("", "nothing for 127.0.0.1 port PORT"),
    "blanks": (" \n\t\r\n", "nothing for 127.0.0.1 port PORT"),
    "another": (f"machine 127.0.0.10 {NAMED}", "nothing for 127.0.0.1"),
    "a beginning": (f"machine 127.0.0. {NAMED}", "nothing for 127.0.0.1"),
    "another port": (f"machine 127.0.0.1 port 1 {NAMED}", "nothing for"),
    "a port that begins so": (f"machine 127.0.0.1 port PORT0 {NAMED}",
                              "nothing for"),
    "no login": ("machine 127.0.0.1 password y", "line 1: no login"),
    "no password": (f"\nmachine 127.0.0.1 login {USER}",
                    "line 2: no password"),
    "an empty password": ('machine 127.0.0.1 login x password ""',
                          "line 1: no password"),
    "nothing behind": ("machine 127.0.0.1 login x password",
                       "line 1: it ends where a value should be"),
    "no name": ("# x\nmachine", "line 2: it ends where"),
    "a half password": (f"machine 127.0.0.1 login {USER}\n"
                        f"password {PASSWORD}\n",
                        "line 2: there is a word that does not belong"),
    "no machine": (PASSWORD, "line 1: there is a word that does not belong"),
    "no machine before": (NAMED, "line 1: there is a word"),
    "an open quote": (f'machine 127.0.0.1 login x\npassword "{PASSWORD}\n"',
                      "line 2: a quotation mark is not closed"),
    "an open quote at the end": (f'machine 127.0.0.1 password "{PASSWORD}\\"',
                                 "line 1: a quotation mark is not closed"),
    "behind a quote": (f'machine 127.0.0.1 password "{PASSWORD}"x',
                       "line 1: text follows"),
    "a NUL": (f"machine 127.0.0.1 {NAMED}\n\0", "there is a NUL in it"),
    "a long password": ("machine 127.0.0.1 login x password " + "y" * 8193,
                        "line 1: too long"),
    "a long login": (f"machine 127.0.0.1 login {'y' * 1024} password x",
                     "line 1: too long"),
    "in a macro": (f"macdef x\nmachine 127.0.0.1 {NAMED}", "nothing for"),
}


class Netrc(SecretCase):
    """--netrc and --netrc-file."""

    def file(self, text, mode=0o600):
        return file(text.replace("PORT", str(self.server.port)), mode)

    def test_found(self):
        """In files of many kinds."""
        for name, text in FOUND.items():
            with self.subTest(name):
                self.check_login(send(
                    self.server.url, TO, PLAINTEXT, "--netrc-file",
                    self.file(text)))

    def test_not_found(self):
        """Nobody goes on without a login then."""
        for name, (text, words) in NOT_FOUND.items():
            with self.subTest(name):
                words = words.replace("PORT", str(self.server.port))
                path = self.file(text)
                self.check_bad(66, f"--netrc-file {path}: ", "--netrc-file",
                               path)
                self.check_bad(66, words, "--netrc-file", path)

    def test_words(self):
        """Passwords of every kind."""
        for word, password in (
                ("plain", "plain"), ("#plain", "#plain"), ("a#b", "a#b"),
                ("a\\b", "a\\b"), ("'a", "'a"), ('a"b', 'a"b'),
                ('"a b"', "a b"), ('"a\\"b"', 'a"b'), ('"a\\\\b"', "a\\b"),
                ('"a\\tb"', "a\tb"), ('"\\#x"', "#x"), ('"#x"', "#x"),
                ("machine", "machine"), ("password", "password"),
                ('"machine"', "machine"), ("Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe"),
                ("y" * 8000, "y" * 8000)):
            accounts = Accounts(password=password, mechs=("PLAIN",))
            with self.subTest(word[:20]), server(accounts) as there:
                self.check_login(send(
                    there.url, TO, PLAINTEXT, "--netrc-file",
                    file(f"machine 127.0.0.1 login {USER} password {word}")))

    def test_user(self):
        """Whose password it is to be."""
        other = "machine 127.0.0.1 login x password y\n"
        for text in (f"{other}machine 127.0.0.1 {NAMED}",
                     f"{other}default {NAMED}",
                     f'{other}machine 127.0.0.1 password "{PASSWORD}"'):
            for options, user in ((("--user", USER), ""),
                                  ((), "me%40example.org@")):
                self.check_login(send(
                    self.server.url.replace("://", "://" + user), TO,
                    PLAINTEXT, "--netrc-file", file(text), *options))
        self.check_bad(66, f"nothing for user {USER} at 127.0.0.1", "--user",
                       USER, "--netrc-file", file(other))

    def test_hosts(self):
        """Names in any case, addresses with brackets or without, paths."""
        path = os.path.join(processes.scratch(), "socket")
        with server(path=path):
            for word in (path, f'"{path}"'):
                self.check_login(send(f"smtp:{path}", TO, "--netrc-file",
                                      file(f"machine {word} {NAMED}")))
            got = send(f"smtp:{path}", TO, "--netrc-file",
                       file(f"machine {path.upper()} {NAMED}"))
            self.check_sent(got, "local-error", 66)
        url = f"smtp://LocalHost:{self.server.port}"
        self.check_login(send(url, TO, PLAINTEXT, "--netrc-file",
                              file(f"machine lOCALhOST {NAMED}")))
        for host in ("::1", "[::1]"):
            # Nobody is there; that it was looked for says enough.
            got = send("smtp://[::1]:1", TO, PLAINTEXT, "--netrc-file",
                       file(f"machine {host} {NAMED}"))
            self.check_sent(got, "connect-error", 75)

    def test_protocol(self):
        """A port of SMTP's is none of LMTP's."""
        with server(lmtp=True) as there:
            self.check_login(send(
                there.url, TO, PLAINTEXT, "--netrc-file",
                file("machine 127.0.0.1 port smtp login x password y\n"
                     f"machine 127.0.0.1 port lmtp {NAMED}")))

    def test_permissions(self):
        """Not one that others can read or change, or own."""
        text = f"machine 127.0.0.1 {NAMED}"
        for mode in (0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666):
            self.check_bad(66, "others can read or change it; chmod 600 it",
                           "--netrc-file", self.file(text, mode))
        for mode in (0o600, 0o400, 0o700):
            self.check_login(send(self.server.url, TO, PLAINTEXT,
                                  "--netrc-file", self.file(text, mode)))
        if os.geteuid() == 0:
            path = self.file(text)
            os.chown(path, 65534, 65534)
            self.check_bad(66, "it belongs to somebody else", "--netrc-file",
                           path)

    def test_size(self):
        """Long ones are read in one go, longer ones are none."""
        filling = "machine other login x password y\n"
        text = filling * (127 * 1024 // len(filling))
        self.check_login(send(self.server.url, TO, PLAINTEXT, "--netrc-file",
                              self.file(f"{text}machine 127.0.0.1 {NAMED}")))
        self.check_bad(66, "file too large", "--netrc-file",
                       self.file(f"machine 127.0.0.1 {NAMED}\n" + text * 2))

    def test_places(self):
        """~/.netrc, ~/.authinfo, NETRC."""
        home = processes.scratch()
        env = {**os.environ, "HOME": home}
        env.pop("NETRC", None)
        options = (PLAINTEXT, "--netrc")

        def look(**more):
            return probe(self.server.url, *options, env={**env, **more})

        def put(name, text=f"machine 127.0.0.1 {NAMED}"):
            path = os.path.join(home, name)
            processes.write(path, text)
            os.chmod(path, 0o600)

        got = look()
        self.check_sent(got, "local-error", 66)
        self.assertIn("there is neither ~/.netrc nor ~/.authinfo",
                      got.report["error"])
        put(".authinfo")
        self.check_login(look())
        self.check_login(look(NETRC=""))
        # What is there and can't be had is not what is not there.
        os.symlink(".netrc", os.path.join(home, ".netrc"))
        got = look()
        self.check_sent(got, "local-error", 66)
        self.assertIn(f"--netrc: {home}/.netrc: too many symbolic links",
                      got.report["error"])
        os.unlink(os.path.join(home, ".netrc"))
        put(".netrc", "machine other login x password y")
        got = look()
        self.check_sent(got, "local-error", 66)
        self.assertIn(f"{home}/.netrc: nothing for", got.report["error"])
        put("mine")
        self.check_login(look(NETRC=f"{home}/mine"))
        got = look(NETRC="/none/such")
        self.check_sent(got, "local-error", 66)
        self.assertIn("NETRC /none/such: no such file", got.report["error"])
        got = look(HOME="/" + "x" * 2000)
        self.check_sent(got, "local-error", 66)
        self.assertEqual(got.report["error"],
                         "--netrc: the home directory: name too long")
        # Unasked it is not looked at.
        got = probe(self.server.url, env={**env, "NETRC": f"{home}/mine"})
        self.check_sent(got)
        self.assertIsNone(got.report["auth"])
        self.check_login(probe(
            self.server.url, *options, "--netrc-file", f"{home}/mine",
            env=env))

    def test_pipe(self):
        """What decrypts it can be a pipe."""
        script = ('exec "$0" probe --json --allow-plaintext-auth --netrc-file '
                  '<(cat "$2") "$1"')
        path = self.file(f"machine 127.0.0.1 {NAMED}")
        done = subprocess.run(
            ["bash", "-c", script, client.programs["tool"], self.server.url,
             path], capture_output=True, check=False,
            timeout=client.RUN_TIMEOUT)
        self.check_login(client.result(done, done.stdout, done.stderr,
                                       client.check_probe))


# A shell in short: runs a program in the foreground of the terminal that is its
# standard input, tells on its standard output when it is stopped, and whether
# the terminal shows what is typed, then has it go on.
SHELL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
def echo():
    return bool(termios.tcgetattr(0)[3] & termios.ECHO)
def say(*words):
    print(*words, flush=True)
while True:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        break
    os.tcsetpgrp(0, os.getpgrp())
    say("stopped", os.WSTOPSIG(status), echo())
    os.tcsetpgrp(0, pid)
    os.killpg(pid, signal.SIGCONT)
say("ended", os.waitstatus_to_exitcode(status), echo())
"""


def shows(terminal):
    return bool(termios.tcgetattr(terminal.mine)[3] & termios.ECHO)


class Prompt(SecretCase):
    """Somebody is asked."""

    ASKED = rb"Password for me@example\.org at 127\.0\.0\.1 port \d+: "

    def start(self, terminal, *options, command=None, stdin=None):
        """The tool, or the shell with it, on its controlling terminal."""
        args = [sys.executable, "-c", SHELL, *(command or [
            client.programs["tool"], "probe", *HERE, *options,
            self.server.url])]
        process = subprocess.Popen(
            args, stdin=terminal.other, stdout=subprocess.PIPE,
            stderr=terminal.other if stdin is None else subprocess.DEVNULL)
        terminal.started()
        return process

    def asked(self, terminal, times=1):
        terminal.wait_for(b"(?s)" + b".*".join([self.ASKED] * times))
        self.assertFalse(shows(terminal))

    def finish(self, terminal, process, exit_status, signum=None):
        out = terminal.finish(process)
        self.assertIn(b"ended %d True" % (exit_status if signum is None
                                          else -signum), out)
        for spelling in sasl.spellings(PASSWORD):
            self.assertNotIn(spelling.encode(), terminal.output + out)
        return out

    def test_asked(self):
        """Nothing is shown of what is typed, and nobody called before."""
        with Terminal() as terminal:
            process = self.start(terminal)
            self.asked(terminal)
            self.assertEqual(self.server.sessions, [])
            os.write(terminal.mine, PASSWORD.encode() + b"\n")
            out = self.finish(terminal, process, 0)
        self.assertIn(b"login      me@example.org by SCRAM-SHA-256", out)

    def test_json(self):
        """Also beside --json, and where standard output is a file."""
        with Terminal() as terminal:
            process = self.start(terminal, "--json", stdin=False)
            self.asked(terminal)
            os.write(terminal.mine, PASSWORD.encode() + b"\n")
            out = self.finish(terminal, process, 0)
        self.assertTrue(out.startswith(b'{"status":"ok"'))

    def test_edited(self):
        """What is erased has not been typed."""
        with Terminal() as terminal:
            process = self.start(terminal)
            self.asked(terminal)
            os.write(terminal.mine, b"wrong\x15" + PASSWORD.encode() +
                     b"x\x7f\n")
            self.finish(terminal, process, 0)

    def test_typed_ahead(self):
        """What was typed before is not the password, what is typed after may be
        the message."""
        with Terminal() as terminal:
            command = client.argv(self.server.url, TO, HERE,
                                  json_wanted=False)
            process = self.start(terminal, command=command)
            self.asked(terminal)
            os.write(terminal.mine, PASSWORD.encode() +
                     b"\nSubject: x\n\nhello\n\x04")
            terminal.wait_for(b"type the message")
            out = self.finish(terminal, process, 0)
        self.assertIn(b"AUTH: me@example.org by SCRAM-SHA-256", out)
        self.assertIn(b"Subject: x\r\n\r\nhello\r\n.\r\n",
                      [x for x in self.server.sessions[0]
                       if isinstance(x, bytes)])

    def test_nothing(self):
        """An empty line, the end of the file, a NUL, too much."""
        for typed, words in ((b"\n", b"the password: it is empty"),
                             (b"\x04", b"the password: it is empty"),
                             (b"x\0y\n", b"the password: there is a NUL")):
            with Terminal() as terminal:
                process = self.start(terminal)
                self.asked(terminal)
                os.write(terminal.mine, typed)
                self.finish(terminal, process, 64)
                self.assertIn(words, terminal.output)
        self.assertEqual(self.server.sessions, [])

    def test_signals(self):
        """Ctrl-C, and others: the terminal is as it was."""
        for typed in (b"\x03", b"half of\x03"):
            with Terminal() as terminal:
                process = self.start(terminal)
                self.asked(terminal)
                os.write(terminal.mine, typed)
                self.finish(terminal, process, 130)
                self.assertIn(b"interrupted before anything was sent",
                              terminal.output)
        for signum, exit_status in ((signal.SIGTERM, 130),
                                    (signal.SIGINT, 130),
                                    (signal.SIGHUP, None),
                                    (signal.SIGQUIT, None)):
            with self.subTest(signum), Terminal() as terminal:
                process = self.start(terminal)
                self.asked(terminal)
                os.write(terminal.mine, b"half of")
                os.kill(child_of(process), signum)
                self.finish(terminal, process, exit_status or 0,
                            None if exit_status else signum)
        self.assertEqual(self.server.sessions, [])

    def test_after(self):
        """Once it is typed, signals are what they were."""
        for signum in (signal.SIGHUP, signal.SIGQUIT):
            event = threading.Event()
            with plain(Accounts(), {"EHLO": event}) as there, \
                    Terminal() as terminal:
                process = self.start(terminal, command=[
                    client.programs["tool"], "probe", *HERE, there.url])
                self.asked(terminal)
                os.write(terminal.mine, PASSWORD.encode() + b"\n")
                there.wait_for("EHLO")
                os.kill(child_of(process), signum)
                self.finish(terminal, process, None, signum)
                event.set()

    def test_left_over(self):
        """Half of a password is not what the shell reads next."""
        with Terminal() as terminal:
            process = self.start(terminal)
            self.asked(terminal)
            os.write(terminal.mine, b"half of")
            time.sleep(0.3)  # to be in its queue
            os.kill(child_of(process), signal.SIGTERM)
            self.finish(terminal, process, 130)
            os.write(terminal.mine, b"\n")
            keep = os.open(terminal.name, os.O_RDWR | os.O_NOCTTY)
            try:
                self.assertEqual(os.read(keep, 100), b"\n")
            finally:
                os.close(keep)

    def test_stopped(self):
        """Ctrl-Z: the shell gets the terminal as it was, and it is asked again.
        """
        with Terminal() as terminal:
            process = self.start(terminal)
            self.asked(terminal)
            os.write(terminal.mine, b"half of\x1a")
            self.asked(terminal, 2)
            os.write(terminal.mine, PASSWORD.encode() + b"\n")
            out = self.finish(terminal, process, 0)
        self.assertIn(b"stopped %d True" % signal.SIGTSTP, out)

    def test_continued(self):
        """Stopped by what can't be caught, and the terminal was changed: it
        does not show anything again."""
        with Terminal() as terminal:
            process = self.start(terminal)
            self.asked(terminal)
            pid = child_of(process)
            os.kill(pid, signal.SIGCONT)
            self.asked(terminal, 2)
            os.write(terminal.mine, PASSWORD.encode() + b"\n")
            self.finish(terminal, process, 0)

    def test_nonsense(self):
        """Nobody is asked for what won't do anyway."""
        folder = processes.scratch()
        for command, words in (
                (["probe", *HERE, "--auth", "XOAUTH2"], b"--auth XOAUTH2: "),
                (["probe", *HERE, "--helo", "a b"], b"--helo a b"),
                (["probe", *HERE, "--ca", f"{folder}/none"], b"--ca"),
                (["send", *HERE, "--from", "a b", "--to", TO[0]], b"--from"),
                (["send", *HERE, "--from", "", "--to", TO[0],
                  f"{folder}/none"], b"none: no such file")):
            with self.subTest(command), Terminal() as terminal:
                process = self.start(terminal, command=[
                    client.programs["tool"], command[0], "--server",
                    self.server.url, *command[1:]])
                out = terminal.finish(process)
                self.assertNotIn(b"ended 0", out)
                self.assertNotIn(b"Password", terminal.output)
                self.assertIn(words, terminal.output)
        self.assertEqual(self.server.sessions, [])

    def test_not_needed(self):
        """EXTERNAL needs none."""
        with Terminal() as terminal:
            process = self.start(terminal, "--auth", "EXTERNAL")
            out = terminal.finish(process)
            self.assertIn(b"by EXTERNAL", out)
            self.assertNotIn(b"Password", terminal.output)

    def test_hostile(self):
        """A name can't disturb the terminal."""
        with Terminal() as terminal:
            process = self.start(terminal, "--user", "me\x1b[2J\x7f")
            terminal.wait_for(rb"Password for me\?\[2J\? at ")
            os.write(terminal.mine, b"\x03")
            self.assertIn(b"ended 130", terminal.finish(process))

    def test_shown_elsewhere(self):
        """A terminal is no file for a password: it would show it."""
        with Terminal() as terminal:
            process = self.start(terminal, command=[
                client.programs["tool"], "probe", *HERE, "--password-fd", "0",
                self.server.url])
            self.assertIn(b"ended 66", terminal.finish(process))
            self.assertIn(b"it is a terminal, which would show it",
                          terminal.output)


def child_of(process):
    """The process that the shell runs."""
    path = f"/proc/{process.pid}/task/{process.pid}/children"
    return int(processes.read(path).split()[0])


class Left(SecretCase):
    """Nothing of it is left where others can look."""

    def test_process(self):
        """Neither the arguments nor the environment hold it, nor, once it is
        logged in, do the files that it has open."""
        event = threading.Event()
        accounts = Accounts()
        there = plain(accounts, {"MAIL": event})
        a, b = os.pipe()
        with there:
            process = subprocess.Popen(
                client.argv(there.url, TO, (*HERE, "--password-fd", str(a))),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, pass_fds=(a,))
            pipe = os.readlink(f"/proc/self/fd/{a}")
            os.close(a)
            os.write(b, PASSWORD.encode())
            os.close(b)
            process.stdin.write(b"Subject: x\n\nhello\n")
            process.stdin.close()
            process.stdin = None
            there.wait_for("MAIL")
            seen = b"".join(processes.read(f"/proc/{process.pid}/{name}")
                            for name in ("cmdline", "environ"))
            self.assertIn(USER.encode(), seen)
            files = files_of(process.pid)
            event.set()
            out, err = process.communicate(timeout=client.RUN_TIMEOUT)
            self.check_login(client.result(process, out, err))
        self.assertTrue(files)
        self.assertNotIn(pipe, files)
        for spelling in sasl.spellings(PASSWORD):
            self.assertNotIn(spelling.encode(), seen)

    def test_memory(self):
        """Once it is logged in, what is left of it is the library's one copy.
        """
        if processes.read(client.programs["tool"]).count(b"__asan_init"):
            self.skipTest("the address sanitizer has memory of its own")
        event = threading.Event()
        secret = "uniqu3-s3cr3t-0f-this-test"
        netrc = file(f'machine 127.0.0.1 login {USER} password "{secret}"')
        for options in (("--user", USER, "--password-file", file(secret)),
                        ("--netrc-file", netrc)):
            accounts = Accounts(password=secret)
            event.clear()
            there = plain(accounts, {"MAIL": event})
            with self.subTest(options), there:
                process = subprocess.Popen(
                    client.argv(there.url, TO, (*options, PLAINTEXT, "--auth",
                                                "PLAIN")),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE)
                process.stdin.write(b"Subject: x\n\nhello\n")
                process.stdin.close()
                process.stdin = None
                there.wait_for("MAIL")
                memory = memory_of(process.pid)
                event.set()
                out, err = process.communicate(timeout=client.RUN_TIMEOUT)
                self.check_login(client.result(process, out, err))
            if memory is None:
                self.skipTest("another process's memory can't be read here")
            self.assertEqual(memory.count(secret.encode()), 1)
            for spelling in sasl.spellings(secret) - {secret}:
                self.assertEqual(memory.count(spelling.encode()), 0, spelling)


def memory_of(pid):
    """All that it can write to."""
    found = []
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
                open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in maps:
                span, rights = line.split()[:2]
                if not rights.startswith("rw"):
                    continue
                begin, end = (int(x, 16) for x in span.split("-"))
                memory.seek(begin)
                found.append(memory.read(end - begin))
    except PermissionError:
        return None
    return b"\n".join(found)


if __name__ == "__main__":
    client.main()
