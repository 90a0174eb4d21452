# SPDX-License-Identifier: MIT
"""uvsmtp probe: what it learns of a server, and what it says of one that it
can't look at. Arguments: TOOL SINK."""
import contextlib
import re
import signal
import socket
import subprocess

import client
import double
import processes
from client import Case, probe
from recorder import CLOSE, DRIP, SILENT, Recorder
from servers import Sink
from shared import setUpModule, sink, smtp, tearDownModule  # noqa: F401

EXTENSIONS = ("PIPELINING", "SIZE 10485760", "8BITMIME", "AUTH PLAIN LOGIN",
              "X-UNHEARD OF IT", "STARTTLS")


class Probe(Case):
    """With --json."""

    def test_facts(self):
        """The whole object."""
        with Recorder({"GREETING": "220-mx.example\r\n220 ESMTP at your service"},
                      EXTENSIONS) as recorder:
            got = probe(recorder.url, "--helo", "me.example", "--tls", "none")
            self.check_sent(got)
            self.assertEqual(got.err, "")
            report = got.report
            peer, = recorder.peers
            self.assertEqual(recorder.sessions,
                             [["EHLO me.example", "QUIT"]])
        ehlo = {"code": 250, "enhanced": None,
                "text": "\n".join(["recorder", *EXTENSIONS])}
        self.assertGreater(report["ms"]["connect"], 0)
        for name in ("connect", "greeting", "hello"):
            self.assertGreaterEqual(report["ms"].pop(name), 0)
        for attempt in report["attempts"]:
            attempt.pop("ms")
        self.assertEqual(report, {
            "status": "ok", "error": None, "stage": "EHLO", "reply": ehlo,
            "greeting": {"code": 220, "enhanced": None,
                         "text": "mx.example\nESMTP at your service"},
            "ehlo": ehlo, "helo": None, "esmtp": True,
            "extensions": {"PIPELINING": "", "SIZE": "10485760",
                           "8BITMIME": "", "AUTH": "PLAIN LOGIN",
                           "X-UNHEARD": "OF IT", "STARTTLS": ""},
            "address": f"127.0.0.1:{recorder.port}",
            "local": f"127.0.0.1:{peer[1]}",
            "attempts": [{"address": f"127.0.0.1:{recorder.port}",
                          "status": "OK"}],
            "ms": {"tls": None, "auth": None}, "starttls": True, "tls": None,
            "auth": None, "detail": None})

    def test_helo(self):
        """A server that knows no EHLO."""
        with Recorder({"EHLO": "502 5.5.1 what?"}) as recorder:
            got = probe(recorder.url)
            self.assertEqual([x.split()[0] for x in recorder.sessions[0]],
                             ["EHLO", "HELO", "QUIT"])
        self.check_sent(got)
        self.assertEqual(
            (got.report["esmtp"], got.report["extensions"],
             got.report["ehlo"]["code"], got.report["ehlo"]["enhanced"],
             got.report["helo"]["code"]), (False, {}, 502, "5.5.1", 250))

    def test_everywhere(self):
        """LMTP, Unix sockets, IPv6; the URL as an option."""
        for url, address in (
                (f"lmtp://127.0.0.1:{sink().lmtp}", f"127.0.0.1:{sink().lmtp}"),
                (sink().lmtp_path, sink().lmtp_path),
                (f"lmtp:{sink().lmtp_path}", sink().lmtp_path),
                (f"smtp:{sink().smtp_path}", sink().smtp_path),
                (smtp(), f"127.0.0.1:{sink().smtp}")):
            with self.subTest(url):
                got = probe(url)
                self.check_sent(got)
                self.assertEqual((got.report["address"], got.report["stage"]),
                                 (address, "EHLO"))
                self.assertEqual(got.report["local"] is None, "/" in address)
        code, out, err = client.run([client.programs["tool"], "probe",
                                     "--server", smtp(), "--tls", "none"])
        self.assertEqual((code, err), (0, b""))
        self.assertIn(b"speaks ESMTP", out)

    def test_zone(self):
        """An IPv6 address with its zone, as RFC 6874 writes it and plainly."""
        if not processes.have_ipv6():
            self.skipTest("there is no IPv6")
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as s:
            port = s.getsockname()[1]
        # Refused, but by the address that was meant.
        name = socket.if_indextoname(1)
        for url in (f"smtp://[::1%25{name}]:{port}", f"[::1%{name}]:{port}",
                    f"smtp://[::1%{name}]:{port}", f"smtp://[::1%251]:{port}",
                    f"smtp://[::1%25%{ord(name[0]):02x}{name[1:]}]:{port}"):
            with self.subTest(url):
                got = probe(url)
                self.check_sent(got, "connect-error", 75)

    def test_failures(self):
        """Servers that don't let themselves be looked at."""
        for replies, options, status, exit_status, stage in (
                ({"GREETING": "554 no"}, (), "connect-error", 69, "GREETING"),
                ({"GREETING": "421 later!close"}, (), "connect-error", 75,
                 "GREETING"),
                ({"GREETING": CLOSE}, (), "disconnected", 75, "GREETING"),
                ({"GREETING": "hello"}, (), "protocol-error", 76, "GREETING"),
                ({"GREETING": SILENT}, ("--timeout", "0.1"), "timeout", 75,
                 "GREETING"),
                ({"EHLO": "550 no", "HELO": "550 never"}, (), "helo-error", 69,
                 "HELO"),
                ({"EHLO": "550 no", "HELO": "450 later"}, (), "helo-error", 75,
                 "HELO"),
                ({"EHLO": CLOSE}, (), "disconnected", 75, "EHLO"),
                ({"EHLO": DRIP}, ("--timeout", "0.2"), "timeout", 75, "EHLO"),
                ({"QUIT": "500 no"}, (), "ok", 0, "EHLO"),
                ({"QUIT": CLOSE}, (), "ok", 0, "EHLO"),
                ({"QUIT": SILENT}, ("--timeout", "0.1"), "ok", 0, "EHLO")):
            with self.subTest(replies), Recorder(replies) as recorder:
                got = probe(recorder.url, *options)
                self.check_sent(got, status, exit_status)
                self.assertEqual(got.report["stage"], stage)
                # What was learnt before is told.
                self.assertEqual(got.report["greeting"] is not None,
                                 stage != "GREETING" or
                                 status == "connect-error")
                self.assertEqual(
                    got.report["address"], f"127.0.0.1:{recorder.port}")

    def test_nobody(self):
        """Nobody there."""
        with processes.closed_port() as s:
            port = s.getsockname()[1]
            got = probe(f"smtp://127.0.0.1:{port}")
        self.check_sent(got, "connect-error", 75)
        self.assertEqual(
            (got.report["error"], got.report["stage"], got.report["address"]),
            (f"connecting to 127.0.0.1 port {port} failed: connection refused",
             "CONNECT", None))
        attempt, = got.report["attempts"]
        self.assertEqual((attempt["address"], attempt["status"]),
                         (f"127.0.0.1:{port}", "ECONNREFUSED"))
        got = probe("/none/such")
        self.check_sent(got, "connect-error", 75)
        self.assertEqual([(a["address"], a["status"])
                          for a in got.report["attempts"]],
                         [("/none/such", "ENOENT")])

    def test_silent(self):
        """One that does not even refuse."""
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            # The queue is full then, and Linux answers nobody.
            for _ in range(3):
                s = stack.enter_context(socket.socket())
                s.setblocking(False)
                s.connect_ex(listener.getsockname())
            port = listener.getsockname()[1]
            got = probe(f"127.0.0.1:{port}", "--connect-timeout", "0.3")
        self.check_sent(got, "timeout", 75)
        self.assertEqual(
            (got.report["error"], got.report["stage"]),
            (f"connecting to 127.0.0.1 port {port} took too long", "CONNECT"))
        self.assertEqual([a["status"] for a in got.report["attempts"]],
                         ["ETIMEDOUT"])

    def test_interrupt(self):
        """Ctrl-C."""
        with Recorder({"EHLO": SILENT}) as recorder:
            process = subprocess.Popen(
                [client.programs["tool"], "probe", "--json", recorder.url],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            recorder.wait_for("EHLO")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=client.RUN_TIMEOUT)
        got = client.result(process, out, err, client.check_probe)
        self.check_sent(got, "cancelled", 130)
        self.assertEqual(got.report["greeting"]["code"], 220)


class Addresses(Case):
    """A name that has several."""

    @classmethod
    def setUpClass(cls):
        cls.double = double.Double()

    def attempts(self, got):
        return [(a["address"], a["status"]) for a in got.report["attempts"]]

    def run_plain(self, env, *args):
        done = subprocess.run(
            [client.programs["tool"], *args], stdin=subprocess.DEVNULL,
            capture_output=True, check=False, env=env,
            timeout=client.RUN_TIMEOUT)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_one_dead(self):
        """The first refuses, the second answers; both are told."""
        env = self.double.environment(DOUBLE_ADDRESSES="127.0.0.2 127.0.0.1")
        with Recorder() as recorder:
            name = f"mx.example:{recorder.port}"
            wanted = [(f"127.0.0.2:{recorder.port}", "ECONNREFUSED"),
                      (f"127.0.0.1:{recorder.port}", "OK")]
            got = probe(name, env=env)
            self.check_sent(got)
            self.assertEqual(self.attempts(got), wanted)
            self.assertEqual(got.report["address"], wanted[1][0])
            got = client.run_json(client.argv(name, ["a@example.net"], ()),
                                  b"x\n", env)
            self.check_sent(got)
            self.assertEqual(self.attempts(got), wanted)
            code, out, err = self.run_plain(
                env, "send", "--server", name, "--from", "", "--to", "a@b",
                "/dev/null")
            self.assertEqual((code, err, out.splitlines()), (0, "", [
                f"accepted by mx.example port {recorder.port}: 250 queued",
                f"  not reached: 127.0.0.2 port {recorder.port}: "
                "connection refused"]))
            code, out, err = self.run_plain(env, "probe", "--in-turn", name)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"mx.example port {recorder.port} speaks ESMTP\n", out)
        self.assertRegex(
            out, f"\n  attempts   127.0.0.2 port {recorder.port}  connection "
            rf"refused after \d+ ms\n             127.0.0.1 port "
            rf"{recorder.port}  connected after \d+ ms\n")

    def test_all_dead(self):
        """Each with its own reason."""
        six = processes.have_ipv6()
        with processes.closed_port() as s:
            port = s.getsockname()[1]
            env = self.double.environment(
                DOUBLE_ADDRESSES="127.0.0.1 " + ("::1" if six else "127.0.0.1"))
            got = probe(f"mx.example:{port}", env=env)
            self.check_sent(got, "connect-error", 75)
            self.assertEqual(len(got.report["attempts"]), 2)
            other = f"::1 port {port}" if six else f"127.0.0.1 port {port}"
            for args in (["probe", f"mx.example:{port}"],
                         ["send", "--server", f"mx.example:{port}", "--from",
                          "", "--to", "a@b", "/dev/null"]):
                code, out, err = self.run_plain(env, *args)
                self.assertEqual((code, out), (75, ""))
                self.assertEqual(
                    sorted(err.splitlines()[0].split(" failed: ")[1]
                           .split("; ")),
                    sorted([f"127.0.0.1 port {port}: connection refused",
                            f"{other}: connection refused"]))
                self.assertIn("connecting to mx.example port "
                              f"{port} failed: ", err)


class People(Case):
    """Without --json."""

    def run_probe(self, url, *options):
        code, out, err = client.run(
            [client.programs["tool"], "probe", *options, url])
        self.assertRegex(out + err, rb"\A[ -~\n]*\Z")
        return code, out.decode(), err.decode()

    def test_report(self):
        """Aligned, with the meaning of what is known."""
        with Recorder(extensions=EXTENSIONS) as recorder:
            code, out, err = self.run_probe(recorder.url, "--tls", "none")
        self.assertEqual((code, err), (0, ""))
        out = re.sub(r"from 127\.0\.0\.1 port \d+", "FROM", out)
        out = re.sub(r"\d+\.\d ms", "T", out).replace(str(recorder.port), "N")
        self.assertEqual(out, (
            "127.0.0.1 port N speaks ESMTP\n"
            "  address    127.0.0.1 port N, FROM\n"
            "  time       connect T, greeting T, EHLO T\n"
            "  greeting   220 recorder ESMTP\n"
            "  EHLO       250 recorder\n"
            "\n"
            "  PIPELINING        several commands at a time\n"
            "  SIZE 10485760     messages of up to 10 MiB\n"
            "  8BITMIME          octets above 127 in the text\n"
            "  AUTH PLAIN LOGIN  log-in by these mechanisms\n"
            "  X-UNHEARD OF IT\n"
            "  STARTTLS          encryption on request\n"))

    def test_no_starttls(self):
        """It could have been secured, but it is not offered."""
        with Recorder(extensions=("SIZE 1",)) as recorder:
            for options, said in (((), True), (("--tls", "none"), False)):
                code, out, err = self.run_probe(recorder.url, *options)
                self.assertEqual((code, err), (0, ""))
                self.assertEqual(
                    "  TLS        none, STARTTLS is not offered\n" in out, said)
                got = probe(recorder.url, *options)
                self.assertEqual((got.report["starttls"], got.report["tls"]),
                                 (False, None))

    def test_sizes(self):
        """Limits as people count."""
        for size, words in (
                ("SIZE", "no fixed limit"), ("SIZE 0", "no fixed limit"),
                ("SIZE 1000", "up to 1000 bytes"),
                ("SIZE 35882577", "up to 34.2 MiB"),
                ("SIZE 10240000", "up to 9.8 MiB"),
                ("SIZE 1073741824", "up to 1 GiB"),
                ("SIZE many", "no fixed limit")):
            with self.subTest(size), Recorder(extensions=(size,)) as recorder:
                self.assertIn(words, self.run_probe(recorder.url)[1])

    def test_old(self):
        """No extensions, and none known."""
        with Recorder({"EHLO": "500 5.5.1 no"}) as recorder:
            code, out, _ = self.run_probe(recorder.url)
        self.assertEqual(code, 0)
        self.assertIn("speaks SMTP without extensions\n", out)
        self.assertIn("  EHLO       500 5.5.1 no\n", out)
        self.assertIn("  HELO       250 ok\n", out)
        with Recorder(lmtp=True) as recorder:
            code, out, _ = self.run_probe(recorder.url)
        self.assertEqual(code, 0)
        self.assertIn("speaks LMTP\n", out)
        self.assertIn("  LHLO       250 recorder\n", out)

    def test_failures(self):
        """What is known goes to standard output, the failure does not."""
        with Recorder({"EHLO": "550 no", "HELO": "550 5.7.1 go"}) as recorder:
            code, out, err = self.run_probe(recorder.url)
        where = f"127.0.0.1 port {recorder.port}"
        self.assertEqual(code, 69)
        self.assertIn("  greeting   220 recorder ESMTP\n", out)
        self.assertEqual(err, f"uvsmtp: helo-error (at HELO): {where} refused "
                              "our greeting: 550 5.7.1 go\n")
        with processes.closed_port() as s:
            where = f"127.0.0.1 port {s.getsockname()[1]}"
            code, out, err = self.run_probe(
                f"127.0.0.1:{s.getsockname()[1]}")
        self.assertEqual((code, out), (75, ""))
        self.assertEqual(err, "uvsmtp: connect-error (at CONNECT): connecting "
                              f"to {where} failed: connection refused\n")

    def test_hostile(self):
        """A server's words can't disturb a terminal."""
        with Sink(client.programs["sink"], script=[
                "GREETING 220 a\\x1b[31m\\xff\\xc3\\xa4\\x07",
                "EHLO 250-x\\x1b[2J\\r\\n250-SIZE \\x9b1\\r\\n250 X-\\x07Y"]) \
                as server:
            for options in ((), ("--trace",), ("--json",)):
                code, out, err = self.run_probe(smtp(server), *options)
                self.assertEqual(code, 0, err)
                self.assertNotEqual(out, "")

    def test_output(self):
        """A report that can't be written."""
        for options in ([], ["--json"]):
            done = subprocess.run(
                ["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh",
                 client.programs["tool"], "probe", *options, smtp()],
                capture_output=True, check=False, timeout=client.RUN_TIMEOUT)
            self.assertEqual(done.returncode, 74)
            self.assertIn(b"standard output", done.stderr)


if __name__ == "__main__":
    client.main()
