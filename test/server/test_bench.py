# SPDX-License-Identifier: MIT
"""The benchmarks run: with the smallest numbers, and whatever they measure.

usage: test_bench.py SINK IDLE TLS_BENCH [PEER_CURL]

What they find is not looked at, since it depends on the machine and on what
else that does."""
import subprocess
import sys
import tempfile

import certificates
from test_sink import check, failures, same, sink

SINK, IDLE, BENCH, *CURL = sys.argv[1:]
TITLES = ["Full handshake", "Resumption", "Heap", "A message of", "The loop of"]


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=300,
                          stderr=subprocess.STDOUT, text=True, check=False)
    same("exit status of " + command[0].rsplit("/", 1)[-1], done.returncode, 0)
    if done.returncode != 0:
        print(done.stdout)
    return done.stdout


def tables(text):
    """The rows of each table, by its title."""
    found = {}
    title = None
    for line in text.splitlines():
        if line.startswith("### "):
            title = line[4:]
            found[title] = []
        elif title and line.startswith("|"):
            found[title].append([x.strip() for x in line.split("|")[1:-1]])
    return {k: v for k, v in found.items() if v}


def test_idle():
    with sink() as s:
        text = output(IDLE, str(s.at["smtp"]), "20")
    check("20 idle sessions", text.startswith("20 idle sessions"), text)


def test_tls():
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        certificates.make(folder)
        peer = ["--curl", CURL[0]] if CURL else []
        text = output(BENCH, "--sink", SINK, "--certs", folder, "--quick",
                      *peer)
        same("a figure that there is not", subprocess.run(
            [BENCH, "--sink", SINK, "--certs", folder, "x"], check=False,
            stderr=subprocess.DEVNULL).returncode, 64)
        same("a sink that there is not", subprocess.run(
            [BENCH, "--sink", folder + "/x", "--certs", folder, "heap"],
            check=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode, 1)
    found = tables(text)
    for title in TITLES + (["A connection for each message"] if CURL else []):
        rows = [v for k, v in found.items() if k.startswith(title)]
        check("a table: " + title, len(rows) == 1 and len(rows[0]) > 3, text)
    for title, rows in found.items():
        check("all rows of it are whole: " + title,
              {len(x) for x in rows} == {len(rows[0])} and
              not any("nan" in y or "inf" in y for x in rows for y in x), rows)


def main():
    test_idle()
    test_tls()
    print("%d failed%s" % (len(failures),
                           "".join("\n  " + x for x in failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
