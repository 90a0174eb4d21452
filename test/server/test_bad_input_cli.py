# SPDX-License-Identifier: MIT
"""What makes no sense: one clear line that names the option and its value, the
right exit status, and no word to the server. Arguments: TOOL SINK."""
import fcntl
import os
import socket
import struct
import subprocess
import tempfile
import termios

import client
import processes
from client import Case
from recorder import Recorder
from slow import Slow

LONG = "x" * 300

# What follows --server, and what is said of it.
URLS = {
    "": "it is empty",
    "smtp://": "there is no host",
    "lmtp://": "there is no host",
    "smtp:///": "there is no host",
    "smtp://:25": "there is no host",
    "smtp://?x": "there is no host",
    ":25": "there is no host",
    "http://x": "the scheme is neither smtp nor smtps nor lmtp",
    "mail://x": "the scheme is neither smtp nor smtps nor lmtp",
    "://x": "the scheme is neither smtp nor smtps nor lmtp",
    "smtps://": "there is no host",
    "smtps://:465": "there is no host",
    "smtps://x:0": "the port is not in 1..65535",
    "smtps://x/path": "a path follows the host",
    "smtps://user:x@x": "a password does not belong on a command line",
    "smtps://[x]": "the host can't be used",
    "smtps:": "behind the scheme come",
    "smtps:x": "behind the scheme come",
    "lmtps://x": "no port belongs to this scheme",
    "LMTPS://x:24": "no port belongs to this scheme",
    "smtp://user@": "there is no host",
    "smtp://user@:25": "there is no host",
    "smtp://user@x/path": "a path follows the host",
    "smtp://user@[localhost]": "the host can't be used",
    "smtp://@x": "there is no user before the @",
    "smtp://a%4@x": "the user is not well encoded",
    "user@x": "a user belongs into a URL: smtp://USER@HOST",
    "mailto:user@x": "a user belongs into a URL: smtp://USER@HOST",
    "smtp://x/path": "a path follows the host",
    "smtp://x:25//": "a path follows the host",
    "smtp://x?tls=1": "a query follows the host",
    "smtp://x/?tls=1": "a query follows the host",
    "smtp://x:25?": "a query follows the host",
    "smtp://x#top": "a fragment follows the host",
    "smtp://x/#top": "a fragment follows the host",
    "smtp://a%20b": "a host is not percent-encoded",
    "smtp://%6Cocalhost": "a host is not percent-encoded",
    "smtp://[::1]%25lo": "a host is not percent-encoded",
    "smtp://a b": "a space or control character",
    "smtp:// x": "a space or control character",
    " smtp://x": "the scheme is neither",
    "smtp://x ": "a space or control character",
    "smtp://x\r\ny": "a space or control character",
    "smtp://x\x7fy": "a space or control character",
    "x y": "a space or control character",
    "smtp://x:0": "the port is not in 1..65535",
    "smtp://x:65536": "the port is not in 1..65535",
    "smtp://x:70000": "the port is not in 1..65535",
    "smtp://[::1]:70000": "the port is not in 1..65535",
    "smtp://x:99999999999999999999": "the port is not in 1..65535",
    "smtp://x:y": "the port is not a number",
    "smtp://x:-1": "the port is not a number",
    "smtp://x:+1": "the port is not a number",
    "smtp://x:25x": "the port is not a number",
    "smtp://x:0x19": "the port is not a number",
    "smtp://x:": "there is no port behind the colon",
    "smtp://[::1]:": "there is no port behind the colon",
    "smtp://[::1": "the bracket is not closed",
    "smtp://[": "the bracket is not closed",
    "smtp://::1]": "the colons make no IPv6 address",
    "smtp://x]": "brackets belong around the whole address",
    "smtp://a[b]:25": "brackets belong around the whole address",
    "smtp://[::1]25": "text follows the bracket",
    "smtp://[::1]]": "text follows the bracket",
    "smtp://[localhost]": "the host can't be used",
    "smtp://[]": "the host can't be used",
    "smtp://[1::2::3]": "the host can't be used",
    "smtp://localhost:25:": "the colons make no IPv6 address",
    "smtp://::1::": "the colons make no IPv6 address",
    "a:b:c": "the colons make no IPv6 address",
    "1:2:25": "the colons make no IPv6 address",
    "smtp:127.0.0.1:4602": "the colons make no IPv6 address",
    "smtp:localhost": "behind the scheme come",
    "smtp:": "behind the scheme come",
    "lmtp:": "behind the scheme come",
    "lmtp:localhost": "behind the scheme come",
    "localhost:smtp": "the port is not a number",
    "smtp://[fe80::1%25]": "there is no zone",
    "smtp://[fe80::1%]": "there is no zone",
    "smtp://[fe80::1%25%]": "the zone is not well encoded",
    "smtp://[fe80::1%25%0a]": "the zone is not well encoded",
    "smtp://[fe80::1%25nosuch]": "the host can't be used",
    "smtp://[fe80::1%nosuch]": "the host can't be used",
    "smtp://::1%nosuch": "the host can't be used",
    "smtp://" + LONG: "the host is too long",
    "/" + LONG: "the path is too long",
    "smtp:/" + LONG: "the path is too long",
    "/" + "x" * 150: "the host can't be used",  # longer than sockets take
}

# Other options, each with its value, and what is said of them.
VALUES = [
    ("--timeout", "0", "not above 0"),
    ("--timeout", "-1", "not above 0"),
    ("--timeout", "nan", "not above 0"),
    ("--timeout", "1e10", "not above 0"),
    ("--timeout", "x", "not a number"),
    ("--timeout", "", "not a number"),
    ("--timeout", "1s", "not a number"),
    ("--connect-timeout", "0", "not above 0"),
    ("--message-timeout", "0", "not above 0"),
    ("--message-timeout", "soon", "not a number"),
    ("--keepalive", "0", "1..32767"),
    ("--keepalive", "99999", "1..32767"),
    ("--keepalive", "1.5", "whole number"),
    ("--keepalive", "-3", "whole number"),
    ("--keepalive", "", "whole number"),
    ("--bind", "nonsense", "not an address"),
    ("--bind", "", "there is no host"),
    ("--bind", "127.0.0.1:x", "the port is not a number"),
    ("--bind", "127.0.0.1:70000", "the port is not in 1..65535"),
    ("--bind", "127.0.0.1:0", "the port is not in 1..65535"),
    ("--bind", "[::1", "the bracket is not closed"),
    ("--bind", LONG, "too long"),
    ("--tls", "always", "none, opportunistic, required or implicit"),
    ("--tls", "", "none, opportunistic, required or implicit"),
    ("--tls", "REQUIRED", "none, opportunistic, required or implicit"),
    ("--ca", "", "it is empty"),
    ("--tls-name", "", "it is empty"),
    ("--tls-name", "a b", "a name that no server can have"),
    ("--tls-name", "*.example.net", "a name that no server can have"),
    ("--tls-name", "a" * 300, "a name that no server can have"),
    ("--cert", "", "it is empty"),
    ("--key", "", "it is empty"),
    ("--key-passphrase-file", "", "it is empty"),
    ("--tls-ciphers", "", "it is empty"),
    ("--tls-ciphers", "TLS_NO_SUCH_SUITE", "a cipher suite that"),
    ("--tls-ciphers", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:x",
     "a cipher suite that"),
    ("--tls-min", "1.1", "it can be 1.2 or 1.3"),
    ("--tls-min", "", "it can be 1.2 or 1.3"),
    ("--tls-max", "TLSv1.2", "it can be 1.2 or 1.3"),
    ("--user", "", "it is empty"),
    ("--password-file", "", "it is empty"),
    ("--password-fd", "x", "it is not a number"),
    ("--password-fd", "88", "there is no such open file descriptor"),
    ("--token-file", "", "it is empty"),
    ("--netrc-file", "", "it is empty"),
    ("--auth", "", "it is empty"),
    ("--auth", "NTLM", "it is none of"),
    ("--authzid", "", "it is empty"),
    ("--helo", "a b", "printable"),
    ("--helo", "a\r\nb", "printable"),
    ("--helo", "", "printable"),
    ("--helo", "x" * 3000, "too long"),
    ("--mail-option", "A=1\r\nRSET", "malformed"),
    ("--mail-option", "X Y", "malformed"),
    ("--mail-option", "", "malformed"),
    ("--rcpt-option", "A=1\nRSET", "malformed"),
    ("--rcpt-option", "=x", "malformed"),
    ("--to", "", "malformed"),
    ("--to", "a b@example.net", "malformed"),
    ("--to", "a@example.net\r\nRCPT TO:<b@example.net>", "malformed"),
    ("--to", "a\n@b", "malformed"),
    ("--to", "a\x7f@b", "malformed"),
    ("--to", "x" * 3000 + "@example.net", "malformed"),
    ("--from", "a\r\nQUIT", "malformed"),
    ("--from", "a b@example.org", "malformed"),
    ("--from", "x" * 3000 + "@example.org", "malformed"),
    ("--dsn-notify", "", "never, or some of success,failure,delay"),
    ("--dsn-notify", "never,delay", "never, or some of"),
    ("--dsn-notify", "success,", "never, or some of"),
    ("--dsn-notify", "FAILURE", "never, or some of"),
    ("--dsn-ret", "", "full or hdrs"),
    ("--dsn-ret", "HDRS", "full or hdrs"),
    ("--envid", "", "malformed"),
    ("--envid", "x" * 101, "malformed, or too long"),
    ("--envid", "a\r\nRSET", "malformed"),
    ("--envid", "a\tb", "malformed"),
    ("--deliver-by", "", "not a whole number"),
    ("--deliver-by", "soon", "not a whole number"),
    ("--deliver-by", "1.5", "not a whole number"),
    ("--deliver-by", "9" * 20, "the time is too long"),
    ("--deliver-by", "1000000000", "-999999999..999999999"),
    ("--deliver-by", "5:", "behind the seconds"),
    ("--deliver-by", "5:later", "behind the seconds"),
    ("--deliver-by", "5:trace:notify", "behind the seconds"),
    ("--deliver-by", "5:notify:return", "behind the seconds"),
    ("--deliver-by", "0:return", "above 0"),
    ("--deliver-by", "-5:return:trace", "above 0"),
    ("--hold-for", "0", "1..999999999"),
    ("--hold-for", "-1", "not a whole number"),
    ("--hold-for", "1h", "not a whole number"),
    ("--hold-until", "", "not a time such as"),
    ("--hold-until", "tomorrow", "not a time such as"),
    ("--hold-until", "2027-02-30T09:00:00Z", "not a time such as"),
    ("--hold-until", "2027-01-31 09:00:00", "not a time such as"),
    ("--priority", "10", "-9..9"),
    ("--priority", "-10", "-9..9"),
    ("--priority", "", "not a whole number"),
    ("--priority", "high", "not a whole number"),
    ("--submitter", "a b@c", "malformed"),
    ("--submitter", "a@b\r\nRSET", "malformed"),
    ("--cc", "a@b.example", "only for a message that is written here"),
    ("--bcc", "a@b.example", "only for a message that is written here"),
]

# Whole command lines behind the command's name, and what is said of them.
LINES = [
    ([], "usage"),
    (["nonsense"], "no command"),
    (["--nonsense"], "no command"),
    (["send", "--from", "a@b", "--server"], "--server: its argument is missing"),
    (["send", "--subject", "x", "--from", "a@b"], "no recipient"),
    (["send", "--subject", "x", "--to", "a@b"], "no sender"),
    (["send", "--text", "x", "--from", "a@b", "--to", "c@d", "file"],
     "--text: there is a FILE"),
    (["send", "--text", "x", "--from", "<a@b", "--to", "c@d"],
     "--from <a@b: it is no mailbox"),
    (["send", "--text", "x", "--from", "a@b", "--to", "c@d, (e"],
     "--to c@d, (e: it is no list"),
    (["send", "--text", "x", "--from", "a@b", "--to", ""],
     "--to '': it is no list"),
    (["send", "--text", "x", "--from", "a@b", "--cc", "c@d\r\nTo: e@f"],
     "it is no list"),
    (["send", "--text", "x", "--from", "a@b", "--bcc", "c@d\r\nTo: e@f"],
     "it is no list"),
    (["send", "--subject", "x\nTo: y@z", "--from", "a@b", "--to", "c@d"],
     "control character"),
    (["send", "--text", "\x1b[2J", "--from", "a@b", "--to", "c@d"],
     "control character"),
    (["send", "--text", "x", "--from", "a@b", "-t"],
     "sendmail's options are for a message that is there"),
    (["send", "--hold-for", "5", "--hold-until", "2027-01-31T09:00:00Z"],
     "two times"),
    (["send", "-to", "a@b"], "-to: it lacks a dash"),
    (["send", "-from=a@b"], "-from=a@b: it lacks a dash"),
    (["send", "-i"], "no recipient: give some as arguments, or -t"),
    (["send", "-i", ""], "recipient '': malformed"),
    (["send", "-i", "a b@c"], "recipient a b@c: malformed"),
    (["send", "-f", "a b", "c@d"], "-f a b: malformed"),
    (["send", "-t", "-bs"], "-bs: this is no server"),
    (["send", "-bd"], "-bd: this is no server"),
    (["send", "-bp"], "-bp: there is no queue"),
    (["send", "-q30m"], "-q30m: there is no queue"),
    (["send", "-bi"], "-bi: only -bm"),
    (["send", "-I"], "-I: only sending"),
    (["send", "-o", "i"], "-o: its value is missing"),
    (["send", "-N", "sometimes", "a"], "-N sometimes: it can be never"),
    (["send", "-R", "none", "a"], "-R none: it can be full or hdrs"),
    (["send", "-V", "", "a"], "--envid '': malformed"),
    (["send", "-t", "-f"], "-f: its argument is missing"),
    (["send", "--nonsense"], "--nonsense: there is no such option"),
    (["send", "--nonsense=3"], "--nonsense=3: there is no such option"),
    (["send", "--no"], "--no: not an option of this command, or the beginning"),
    (["send", "-y"], "-y: there is no such option"),
    (["send", "--json=1"], "--json=1: it takes no argument"),
    (["send", "--trace=loud"], "--trace loud: it can be"),
    (["send", "--to"], "--to: its argument is missing"),
    (["probe"], "no server"),
    (["probe", ""], "URL '': it is empty"),
    (["probe", "x:70000"], "URL x:70000: the port is not in 1..65535"),
    (["probe", "--server", "x:70000"], "--server x:70000: the port"),
    (["probe", "x", "y"], "y: there is more than one server"),
    (["probe", "--server", "x", "y"], "y: there is more than one server"),
    (["probe", "--server", "x", "--server", "y"], "--server y: the server is"),
    (["probe", "--from", "a@b", "x"], "--from: not an option of this command"),
    (["probe", "[x]"], "URL [x]: the host can't be used"),
    (["probe", "--helo", "a b", "x"], "--helo a b: not one word"),
    (["probe", "--insecure=1", "x"], "--insecure=1: it takes no argument"),
    (["probe", "--tls", "none", "smtps://x"], "--tls none: contradicts smtps"),
    (["probe", "smtps://x", "--tls", "required"],
     "--tls required: contradicts smtps"),
    (["probe", "--server", "smtps://x", "--tls", "opportunistic"],
     "--tls opportunistic: contradicts smtps"),
    (["probe", "x", "--tls", "none", "--ca", "/"], "--ca: there is no TLS"),
    (["probe", "x", "--tls", "none", "--insecure"],
     "--insecure: there is no TLS"),
    (["probe", "x", "--tls", "none", "--tls-name", "y"],
     "--tls-name: there is no TLS"),
    (["probe", "x", "--tls", "none", "--tls-min", "1.2"],
     "--tls-min: there is no TLS"),
    (["probe", "x", "--tls", "none", "--tls-max", "1.2"],
     "--tls-max: there is no TLS"),
    (["probe", "x", "--tls", "none", "--tls-ciphers", "y"],
     "--tls-ciphers: there is no TLS"),
    (["probe", "x", "--tls", "none", "--cert", "/"],
     "--cert: there is no TLS"),
    (["probe", "x", "--tls", "none", "--pin", "sha256//x"],
     "--pin: there is no TLS"),
    (["probe", "/x", "--pin", "sha256//x"],
     "--pin: over a Unix socket there is no TLS"),
    (["probe", "x", "--pin", "sha256//x"], "--pin: opportunistic TLS may"),
    (["probe", "x", "--key", "/"], "--key: without --cert"),
    (["probe", "x", "--key-passphrase-file", "/"],
     "--key-passphrase-file: there is neither"),
    (["probe", "x", "--netrc=y"], "--netrc=y: it takes no argument"),
    (["probe", "x", "--allow-plaintext-auth"],
     "--allow-plaintext-auth: nobody logs in"),
    (["probe", "/x", "--tls", "required"],
     "--tls required: a Unix socket has no name"),
    (["probe", "smtps:/x"], "--tls implicit: a Unix socket has no name"),
    (["probe", "x", "--tls", "required", "--pin", ""], "--pin '': "),
    (["probe", "x", "--tls", "required", "--pin", "sha256//AAAA"],
     "--pin sha256//AAAA: "),
    (["probe", "x", "--tls", "required", "--pin", f"sha256:{'ab' * 31}"],
     f"--pin sha256:{'ab' * 31}: "),
    (["probe", "x", "--tls", "required", "--pin", f"sha256:{'ab' * 32}",
      "--pin", "md5:00"], "--pin md5:00: "),
]

# Options that name a file for TLS, behind --cert where they need it.
FILES = ("--ca", "--cert", "--key", "--key-passphrase-file")


class BadInput(Case):
    """Nothing is connected, and it says why."""

    def setUp(self):
        self.recorder = Recorder()
        self.recorder.__enter__()
        self.addCleanup(self.recorder.__exit__)

    def said(self, args, exit_status, data=b"x\n"):
        """The line that is said; nobody was connected to."""
        code, out, err = client.run([client.programs["tool"], *args], data)
        self.assertEqual((code, out), (exit_status, b""), (args, err))
        self.assertEqual(self.recorder.sessions, [], args)
        self.assertRegex(err, rb"\A[ -~\n]+\n\Z")
        return err.decode()

    def check(self, args, exit_status, *words):
        """Said to people in a line, and to scripts."""
        line = self.said(args, exit_status)
        self.assertEqual(line.count("\n"), 1, line)
        self.assertTrue(line.startswith("uvsmtp: "), line)
        for word in words:
            self.assertIn(word, line)
        got = client.run_json(
            [client.programs["tool"], args[0], "--json", *args[1:]], b"x\n",
            check=client.check_probe if args[0] == "probe" else
            client.check_report)
        self.assertEqual((got.exit, got.err), (exit_status, ""))
        self.assertIn(words[-1], got.report["error"])
        self.assertEqual(self.recorder.sessions, [], args)
        return got

    def message(self, *options):
        return ["send", "--server", self.recorder.url, "--from", "a@b.example",
                "--to", "c@d.example", *options]

    def test_urls(self):
        """What is no server."""
        for url, words in URLS.items():
            with self.subTest(url[:50]):
                shown = url if len(url) < 50 and "@" not in url and \
                    url.isprintable() else ""
                got = self.check([*self.message(), "--server", url], 64,
                                 f"--server {shown}", words)
                self.assertEqual(got.status, "invalid-argument")

    def test_password(self):
        """A password in a URL is not told."""
        for url in ("smtp://me:s3cr3t@x", "me:s3cr3t@x", "http://s3cr3t@x"):
            for args in ([*self.message(), "--server", url], ["probe", url]):
                self.assertNotIn("s3cr3t", self.said(args, 64))

    def test_values(self):
        """Options whose value makes no sense, and addresses."""
        for option, value, words in VALUES:
            with self.subTest(f"{option} {value[:50]}"):
                shown = value if value.isprintable() and len(value) < 50 else ""
                got = self.check(self.message(option, value), 64,
                                 f"{option} {shown}", words)
                self.assertEqual(got.status, "invalid-argument")

    def test_lines(self):
        """Too little, too much, unknown."""
        for args, words in LINES:
            with self.subTest(args):
                if not args or args[0] not in ("send", "probe"):
                    self.assertIn(words, self.said(args, 64))
                else:
                    self.check(args, 64, words)

    def test_files(self):
        """What can't be read."""
        with tempfile.TemporaryDirectory() as d:
            none = os.path.join(d, "none")
            for name, words in (
                    (d, "it is a directory"),
                    (none, "no such file or directory"),
                    (os.path.join(d, "x", "y"), "no such file or directory"),
                    (os.path.join(__file__, "x"), "not a directory"),
                    (os.path.join(d, LONG), "name too long")):
                with self.subTest(name):
                    got = self.check(self.message(name), 66, name[:150], words)
                    self.assertEqual(got.status, "local-error")
            if os.geteuid() != 0:
                with open(none, "wb"):
                    os.chmod(none, 0)
                self.check(self.message(none), 66, none, "permission denied")
        self.check(self.message(""), 64, "FILE has an empty name")
        self.check(self.message("one", "two"), 64, "two: there is more than")

    def certificate(self, *options):
        """A command line that names files."""
        own = () if options[0] in ("--ca", "--cert") else ("--cert", __file__)
        return self.message("--tls", "required", *own, *options)

    def test_tls_files(self):
        """What can't be read, or is not what it should be."""
        with tempfile.TemporaryDirectory() as d:
            none = os.path.join(d, "none")
            for option in FILES:
                for name, words in (
                        (none, "no such file or directory"),
                        (os.path.join(__file__, "x"), "not a directory"),
                        (os.path.join(d, LONG), "name too long"),
                        (d, "the directory of trusted certificates"
                            if option == "--ca" else "it is a directory")):
                    with self.subTest(f"{option} {name[:50]}"):
                        got = self.check(self.certificate(option, name), 66,
                                         f"{option} {name[:150]}", words)
                        self.assertEqual(got.status, "local-error")
                if os.geteuid() != 0:
                    secret = os.path.join(d, "secret")
                    with open(secret, "wb"):
                        os.chmod(secret, 0)
                    self.check(self.certificate(option, secret), 66,
                               f"{option} {secret}", "permission denied")
                    os.unlink(secret)
            for option in ("--ca", "--cert"):
                got = self.check(self.certificate(option, __file__), 66,
                                 f"{option} {__file__}: ", "or has none"
                                 if option == "--ca" else "certificate")
                self.assertEqual(got.status, "local-error")
            self.check(self.certificate("--key", __file__), 66,
                       f"--cert {__file__} --key {__file__}: ")
            # They are looked at before a message is.
            self.check([*self.certificate("--ca", none), none], 66,
                       f"--ca {none}")

    def test_passphrase(self):
        """One that nobody can have typed is not shown."""
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"s3cr3t" * 1000)
            f.flush()
            line = self.said(self.certificate("--key-passphrase-file", f.name),
                             66)
        self.assertIn(f"--key-passphrase-file {f.name}: file too large", line)
        self.assertNotIn("s3cr3t", line)

    def test_environment(self):
        """What OpenSSL's variables name has to be there, where it counts."""
        for variable, value, words in (
                ("SSL_CERT_FILE", "/none/such", "no such file or directory"),
                ("SSL_CERT_FILE", "/", "it is a directory"),
                ("SSL_CERT_FILE", __file__, ""),
                ("SSL_CERT_DIR", "/none/such", "no such file or directory"),
                ("SSL_CERT_DIR", __file__, "not a directory")):
            with self.subTest(variable, value=value):
                env = {**os.environ, variable: value}
                code, out, err = client.run(
                    [client.programs["tool"], *self.message()], b"x\n", env)
                self.assertEqual((code, out), (66, b""))
                self.assertIn(f"{variable} {value}: {words}", err.decode())
                self.assertEqual(self.recorder.sessions, [])
                # Not with an own file, and not where there is no TLS.
                code, _, err = client.run(
                    [client.programs["tool"],
                     *self.message("--ca", "/none/other")], b"x\n", env)
                self.assertEqual(code, 66)
                self.assertIn(b"--ca /none/other", err)
                self.assertNotIn(variable.encode(), err)
        with Recorder() as recorder:
            env = {**os.environ, "SSL_CERT_FILE": "/none/such"}
            code, _, err = client.run(
                [client.programs["tool"], "probe", "--tls", "none",
                 recorder.url], env=env)
            self.assertEqual((code, err), (0, b""))
            env = {**os.environ, "SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}
            code, _, err = client.run(
                [client.programs["tool"], "probe", recorder.url], env=env)
            self.assertEqual((code, err), (0, b""))

    def test_directory_as_input(self):
        """Standard input is a directory."""
        with tempfile.TemporaryDirectory() as d:
            fd = os.open(d, os.O_RDONLY)
            try:
                done = subprocess.run(
                    [client.programs["tool"], *self.message()], stdin=fd,
                    capture_output=True, check=False,
                    timeout=client.RUN_TIMEOUT)
            finally:
                os.close(fd)
        self.assertEqual((done.returncode, done.stdout), (66, b""))
        self.assertIn(b"standard input: it is a directory",
                      done.stderr)
        self.assertEqual(self.recorder.sessions, [])


class Failing(Case):
    """Sources that end badly: nobody gets half a message."""

    def check_half(self, recorder, mode):
        """No end of a message was seen."""
        for lines in recorder.sessions:
            self.assertFalse([x for x in lines if isinstance(x, str) and
                              x.startswith("BDAT") and x.endswith("LAST")])
            if mode.startswith("DATA"):
                self.assertFalse([x for x in lines if isinstance(x, bytes)])

    def broken(self, recorder, octets, options):
        """Sends what a connection brings that is reset after these octets."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            stdin = socket.create_connection(listener.getsockname())
            writer, _ = listener.accept()
        with stdin, writer:
            process = subprocess.Popen(
                client.argv(recorder.url, ["a@example.net"], options),
                stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            stdin.close()
            writer.sendall(octets)
            # All of it has to be read before the reset, which would drop it.
            recorder.wait_for("BDAT" if "--no-chunking" not in options
                              else "DATA")
            processes.wait_until(lambda: not unsent(writer), 20,
                                 lambda: "it is not read")
            writer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
            writer.close()
            out, err = process.communicate(timeout=client.RUN_TIMEOUT)
        return client.result(process, out, err)

    def test_reset(self):
        """Standard input breaks off."""
        for mode, options in client.MODES.items():
            with self.subTest(mode), Recorder(
                    extensions=("PIPELINING", "CHUNKING")) as recorder:
                # More than a chunk's worth, so that there is one.
                got = self.broken(recorder, b"0123456\n" * 40000, options)
                self.check_sent(got, "local-error", 74)
                self.assertIn("reading standard input failed: connection reset",
                              got.report["error"])
                self.check_half(recorder, mode)

    def test_shorter(self):
        """The file becomes shorter while it is sent."""
        for mode, options in client.MODES.items():
            with self.subTest(mode), tempfile.NamedTemporaryFile() as f, Slow(
                    chunking="DATA" not in mode) as server:
                f.write(b"0123456\n" * 4000000)
                f.flush()
                process = subprocess.Popen(
                    client.argv(server.url, ["a@example.net"],
                                [*options, f.name]),
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE)
                self.assertTrue(server.text.wait(20))
                os.ftruncate(f.fileno(), 100)
                server.go.set()
                out, err = process.communicate(timeout=client.RUN_TIMEOUT)
                got = client.result(process, out, err)
                self.check_sent(got, "local-error", 74)
                self.assertIn(f.name, got.report["error"])
            self.assertFalse(server.ended)

    def test_no_reading(self):
        """It can be opened, but not read."""
        name = "/proc/self/mem"
        if not os.path.exists(name):
            self.skipTest("there is no /proc")
        with Recorder() as recorder:
            got = client.send(recorder.url, ["a@example.net"], name,
                              stdin=True)
            self.check_sent(got, "local-error", 66)
            self.assertFalse([x for x in recorder.sessions[0]
                              if x.startswith("MAIL")])


def unsent(writer):
    """Octets that the other end has not been given (SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(
        writer.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]


if __name__ == "__main__":
    client.main()
