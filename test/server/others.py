# SPDX-License-Identifier: MIT
"""Servers that ./dev fetches for the tests, beside Postfix and Dovecot: Exim,
OpenSMTPD, chasquid, aiosmtpd and npm's smtp-server. See fetch.sh.

Each has the ports named in PORTS, all on 127.0.0.1, a Maildir for each of USERS
and recipients who are refused; what they are called is in WORDS. What a server
offers and alters is said by its class, for the tests in test_others.py.
"""
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

import client
from certificates import openssl
from processes import (free_port, listens, need_root, program, read, user_ids,
                       write)
from servers import (BOOKS, BOOKS_ASCII, USERS, Login, Secured, Server, fill)

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(HERE, "..", "..", "build-servers")

# What a server takes, but for its small port. More than the 30 MiB of a test.
SIZE_MIB = 40
SMALL = 65536

# Ways to send to a server that offers less than client.MODES need.
PIPELINED = {"DATA": (), "DATA one by one": ("--no-pipelining",)}
PLAIN = {"DATA one by one": ()}


def fetched(name, *path):
    """The path of something that ./dev fetched for the server of that name."""
    missing = read(os.path.join(CACHE, f"{name}.missing")).decode().strip()
    if missing:
        raise unittest.SkipTest(f"{name}: not installable here: {missing}")
    found = os.path.abspath(os.path.join(CACHE, name, *path))
    if not os.path.exists(found):
        raise unittest.SkipTest(f"{name} is not here yet: run ./dev setup")
    return found


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to a server: where it is, and the modes that differ there."""
    url: str
    modes: dict
    lmtp: bool = False


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What becomes of a recipient."""
    code: int
    enhanced: str | None
    text: str
    final: bool = False  # said at the end of the text

    @property
    def outcome(self):
        return "deferred" if self.code < 500 else "rejected"


# The recipients of servers that can be told what to say. Those with final are
# refused at the end of the text.
WORDS = {
    "tempfail": Refusal(450, "4.2.1", "Mailbox busy"),
    "greylist": Refusal(451, "4.7.1", "Come back later"),
    "full": Refusal(452, "4.2.2", "Mailbox full"),
    "nouser": Refusal(550, "5.1.1", "No such user"),
    "policy": Refusal(554, "5.7.1", "Refused by policy"),
    "closing": Refusal(421, "4.3.2", "Shutting down"),
    "datatemp": Refusal(451, "4.3.0", "Check is busy", final=True),
    "spam": Refusal(550, "5.7.1", "Content refused", final=True),
}
SENDERS = {
    "badsender": Refusal(550, "5.7.1", "Sender refused"),
    "tempsender": Refusal(450, "4.7.1", "Sender refused for now"),
}


class Other(Server):
    """What these servers have in common."""
    PORTS = ("smtp",)
    # Ports for TLS, and what makes us do without at the others.
    SECURED = ("starttls", "smtps")
    CLEAR = ()
    # Ports that take nothing before AUTH: those without TLS begin with "clear".
    LOGINS = ("submission", "submissions")
    WORDS = WORDS
    SENDERS = SENDERS
    # The end of a line in what is stored, and the header lines on top of it.
    LINE_END = b"\n"
    ADDED = (b"return-path:", b"delivered-to:", b"received:", b"received-spf:")
    # What begins a stored message that has the null sender.
    NULL_SENDER = rb"Return-Path: <>\r?\n"
    # Messages that are refused at the end, by their names in test_others.py,
    # with the code and the enhanced code.
    REFUSED = {}

    def __init__(self):
        super().__init__()
        self.port = {}

    def take_ports(self):
        self.port = {name: free_port() for name in (
            *self.PORTS, *self.SECURED, *self.LOGINS)}
        return {name.upper(): port for name, port in self.port.items()}

    def take_values(self):
        """What all configurations are filled with."""
        chain, key = self.certify()
        return {**self.take_ports(), "DIR": self.dir, "CHAIN": chain,
                "KEY": key}

    def ready(self):
        return all(listens(("127.0.0.1", port)) for port in self.port.values())

    def url(self, name="smtp"):
        scheme = "lmtp" if name.startswith("lmtp") else "smtp"
        return f"{scheme}://127.0.0.1:{self.port[name]}"

    def ways(self):
        """Name to Way, for each way to a server that offers all it can."""
        raise NotImplementedError

    def secured(self):
        known = {
            "starttls": lambda port: Secured(port),
            "smtps": lambda port: Secured(port, "smtps", ()),
            "lmtp_starttls": lambda port: Secured(port, "lmtp"),
            "lmtps": lambda port: Secured(port, "lmtp", ("--tls", "implicit")),
        }
        return {name: known[name](self.port[name]) for name in self.SECURED}

    def submission(self):
        return {"submission": Secured(self.port["submission"]),
                "submissions": Secured(self.port["submissions"], "smtps", ())}

    def logins(self):
        return {name: Login(self.port[name],
                            "none" if name.startswith("clear") else
                            "implicit" if name.endswith("s") else "required",
                            "lmtp" in name)
                for name in self.LOGINS}

    def without_tls(self):
        return None if self.CLEAR else self.port["smtp"]

    def as_stored(self, message):
        """What is stored of a message below the lines of ADDED, with LF."""
        return client.normalised(message)

    def text_of(self, raw):
        return client.stored_text(raw, self.ADDED)

    def wanted(self, message):
        return self.as_stored(message).replace(b"\n", self.LINE_END)


# ------------------------------------------------------------------------ Exim

EXIM_CONF = """\
primary_hostname = mx.example.test
exim_path = @EXIM@
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = @DIR@/spool
log_file_path = @DIR@/spool/%slog
pid_file_path = @DIR@/spool/pid
syslog_timestamp = false
local_interfaces = 127.0.0.1
daemon_smtp_ports = @SMTP@ : @LEGACY@ : @SMALL@ : @STARTTLS@ : @SMTPS@ : \
  @SUBMISSION@ : @SUBMISSIONS@ : @CLEAR@
tls_on_connect_ports = @SMTPS@ : @SUBMISSIONS@
message_size_limit = ${if eq{$received_port}{@SMALL@}{@LIMIT@}{@MIB@M}}
tls_advertise_hosts = ${if inlist{$received_port}\
  {@STARTTLS@ : @SUBMISSION@}{*}}
auth_advertise_hosts = ${if or{{eq{$received_port}{@CLEAR@}}\
  {and{{def:tls_in_cipher}\
  {inlist{$received_port}{@SUBMISSION@ : @SUBMISSIONS@}}}}}{*}}
tls_resumption_hosts = *
tls_certificate = @CHAIN@
tls_privatekey = @KEY@
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtp_enforce_sync = true
host_lookup =
helo_lookup_domains =
rfc1413_hosts =
smtp_accept_max = 0
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_nonmail = 1000
recipients_max = @MOST@
smtputf8_advertise_hosts = ${if eq{$received_port}{@SMALL@}{}{*}}
smtp_etrn_command = /bin/true
never_users =
deliver_drop_privilege = true
timezone = UTC
acl_smtp_helo = hello
acl_smtp_mail = sender
acl_smtp_rcpt = recipient
acl_smtp_data = text
acl_smtp_etrn = accept

begin acl

hello:
  deny message = Speak HELO
    condition = ${if eq{$received_port}{@LEGACY@}}
    condition = ${if match{$smtp_command}{(?i)^EHLO}}
  accept

sender:
  deny message = 5.7.0 Authentication required
    condition = ${if inlist{$received_port}\
      {@SUBMISSION@ : @SUBMISSIONS@ : @CLEAR@}}
    !authenticated = *
@SENDERS@
  accept

recipient:
@RCPTS@
  require message = 5.1.1 No such user
    verify = recipient
  accept

text:
@ENDS@
  accept

begin routers

users:
  driver = accept
  domains = example.test : @DOMAINS@
  local_parts = lsearch;@DIR@/users
  transport = maildir

begin transports

maildir:
  driver = appendfile
  directory = @DIR@/mail/$local_part_data/Maildir
  maildir_format
  create_directory
  return_path_add
  user = Debian-exim

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${lookup{$auth2}lsearch{@DIR@/passwords}\
    {${if eq{$value}{$auth3}}}{no}}
  server_set_id = $auth2

login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${lookup{$auth1}lsearch{@DIR@/passwords}\
    {${if eq{$value}{$auth2}}}{no}}
  server_set_id = $auth1

cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${lookup{$auth1}lsearch{@DIR@/passwords}{$value}fail}
  server_set_id = $auth1
"""


def exim_rules(refusals, condition):
    return "".join(
        f"  {'defer' if r.code < 500 else 'deny'}\n"
        f"    message = {r.code} {r.enhanced} {r.text}\n"
        f"    condition = ${{if match{{{condition}}}{{\\N\\b{word}@\\N}}}}\n"
        for word, r in refusals.items())


class Exim(Other):
    """Exim. legacy knows HELO only; small takes SMALL octets and no SMTPUTF8.
    It puts a blank line wherever that is missing."""
    LOG = "spool/mainlog"
    PORTS = ("smtp", "legacy", "small")
    LOGINS = ("submission", "submissions", "clear")
    NULL_SENDER = rb"Return-path: <>\n"
    BY_TLS = rb"\(TLS(1\.[23])\) tls TLS_"
    MECHS = ("CRAM-MD5", "PLAIN", "LOGIN")
    WHOM = rb" A=\w+:%s "
    LESS = ("small", "legacy")
    SEVEN = ("legacy",)
    ASCII_ONLY = LESS
    UTF8 = rb"with utf8esmtp"
    REPORTS = "check_report"
    # As they were sent (RFC 3461 4).
    QUOTED = ("a+2Bb+3Dc+20d", "rfc822;first+3Done+2B1@example.test")
    MOST = ("smtp", 20, 22, 1)
    NODES = {"example.test": 250}

    def configure(self):
        need_root()
        packed = fetched("exim", "usr/sbin/exim4")
        uid, gid = user_ids("Debian-exim", "exim4-daemon-light")
        # Its own user starts it again, and may not be able to reach ours.
        self.exim = shutil.copy(packed, os.path.join(self.dir, "exim"))
        values = {**self.take_values(), "LIMIT": SMALL, "MIB": SIZE_MIB,
                  "EXIM": self.exim, "MOST": self.MOST[1],
                  "DOMAINS": f"{BOOKS} : {BOOKS_ASCII}",
                  "SENDERS": exim_rules(self.SENDERS, "$sender_address"),
                  "RCPTS": exim_rules(
                      {w: r for w, r in WORDS.items()
                       if not r.final and w != "nouser"},
                      "$local_part@$domain"),
                  "ENDS": exim_rules({w: r for w, r in WORDS.items()
                                      if r.final}, "$recipients")}
        self.conf = os.path.join(self.dir, "exim.conf")
        write(self.conf, fill(EXIM_CONF, values))
        write(f"{self.dir}/users", "".join(
            f"{user}: {user}\n{user}ü: {user}ü\n"
            for user in [*USERS, "datatemp", "spam"]))
        write(f"{self.dir}/passwords", "".join(
            f"{name}: {word}\n" for name, word in self.PEOPLE.items()))
        for name in ("spool", "mail"):
            os.mkdir(f"{self.dir}/{name}")
        write(f"{self.dir}/{self.LOG}", "")
        for name in ("spool", "mail", self.LOG):
            os.chown(f"{self.dir}/{name}", uid, gid)
        os.chown(values["KEY"], uid, gid)

    def command(self):
        return [self.exim, "-C", self.conf, "-bdf"]

    def ways(self):
        return {"SMTP": Way(self.url(), client.MODES)}

    def as_stored(self, message):
        text = client.headed(message)
        # It ends a header that nothing follows.
        return text if b"\n\n" in b"\n" + text else text + b"\n"


# ------------------------------------------------------------------- OpenSMTPD

OPENSMTPD_CONF = """\
table names file:@DIR@/names
table passwords file:@DIR@/passwords
smtp max-message-size @MIB@M
smtp limit max-rcpt @MOST@
smtp limit max-mails 100000
@FILTERS@
filter all chain { @CHAINED@ }
pki ours cert "@CHAIN@"
pki ours key "@KEY@"
listen on 127.0.0.1 port @SMTP@ hostname mx.example.test filter all
listen on 127.0.0.1 port @STARTTLS@ tls pki ours hostname mx.example.test \
  filter all
listen on 127.0.0.1 port @SMTPS@ smtps pki ours hostname mx.example.test \
  filter all
listen on 127.0.0.1 port @SUBMISSION@ tls-require auth <passwords> pki ours \
  hostname mx.example.test filter all
listen on 127.0.0.1 port @SUBMISSIONS@ smtps auth <passwords> pki ours \
  hostname mx.example.test filter all
action store maildir "@DIR@/mail/%{dest.user}/Maildir" virtual <names>
match from any for domain { example.test @BOOKS@ } action store
"""

# All paths are compiled in: it sees a file system of its own. In that there is
# no DNS, which it would ask for the name of each client.
OPENSMTPD_START = """\
set -e
mkdir "$3"
for name in group hosts nsswitch.conf passwd protocols services; do
  [ ! -e "/etc/$name" ] || cp "/etc/$name" "$3"
done
echo 'lookup file' >"$3/resolv.conf"
# It starts with a file of authorities only, though it asks nobody.
mkdir -p "$3/ssl/certs"
cp "$4" "$3/ssl/certs/ca-certificates.crt"
mount --bind "$3" /etc
for dir in /var/lib /var/spool /run; do
  mount -t tmpfs -o mode=755 none "$dir"
done
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
mount --bind "$1/usr/libexec" /usr/libexec
cd /
exec "$1/usr/sbin/smtpd" -d -f "$2"
"""


class OpenSmtpd(Other):
    """OpenSMTPD. Its filters see no text, so nothing is refused at the end of
    one, but for what has no header. It completes the header with a date and an
    identifier, and keeps nothing of a line from a NUL on."""
    WORDS = {word: r for word, r in WORDS.items() if not r.final}
    NULL_SENDER = rb"Delivered-To:"
    ASCII_ONLY = ("smtp",)
    REPORTS = "check_report"
    QUOTED = (None, None)
    MOST = ("smtp", 30, 32, 1)
    KEY = "rsa"
    RESUMES = False
    BY_TLS = rb"\(TLSv(1\.[23]):"
    REFUSED = dict.fromkeys(
        ("first line is a dot", "first line begins with a dot", "only dots"),
        (550, "5.7.1"))

    def configure(self):
        need_root()
        self.packed = fetched("opensmtpd")
        uid, gid = user_ids("opensmtpd", "opensmtpd")
        user_ids("opensmtpq", "opensmtpd")
        program("unshare", "util-linux")
        filters = {}
        for phase, refusals in (("mail-from", self.SENDERS),
                                ("rcpt-to", self.WORDS)):
            for word, r in refusals.items():
                verb = "disconnect" if r.code == 421 else "reject"
                filters[word] = (
                    f"filter {word} phase {phase} match {phase} regex "
                    f'{{ "^<?{word}@" }} {verb} '
                    f'"{r.code} {r.enhanced} {r.text}"')
        self.conf = os.path.join(self.dir, "smtpd.conf")
        write(self.conf, fill(OPENSMTPD_CONF, {
            **self.take_values(), "MIB": SIZE_MIB, "MOST": self.MOST[1],
            "BOOKS": BOOKS_ASCII, "FILTERS": "\n".join(filters.values()),
            "CHAINED": ", ".join(filters)}))
        os.chmod(self.conf, 0o600)
        write(f"{self.dir}/names", "@ opensmtpd\n")
        write(f"{self.dir}/passwords", "".join(
            f"{name} {openssl('passwd', '-6', word).decode()}"
            for name, word in self.PEOPLE.items()))
        self.start = os.path.join(self.dir, "start")
        write(self.start, OPENSMTPD_START)
        os.mkdir(f"{self.dir}/mail")
        os.chown(f"{self.dir}/mail", uid, gid)

    def command(self):
        return ["unshare", "--mount", "--propagation", "private", "/bin/sh",
                self.start, self.packed, self.conf, f"{self.dir}/etc", self.ca]

    def ways(self):
        return {"SMTP": Way(self.url(), PLAIN)}

    def text_of(self, raw):
        return re.sub(rb"Date: .*\nMessage-ID: <.*@mx\.example\.test>\n", b"",
                      super().text_of(raw), count=1)

    def as_stored(self, message):
        return re.sub(rb"\0.*", b"", super().as_stored(message))


# -------------------------------------------------------------------- chasquid

CHASQUID_CONF = """\
hostname: "mx.example.test"
max_data_size_mb: @MIB@
smtp_address: "127.0.0.1:@SMTP@"
submission_address: "127.0.0.1:@SUBMISSION@"
submission_over_tls_address: "127.0.0.1:@SUBMISSIONS@"
data_dir: "@DIR@/data"
mail_log_path: "@DIR@/mail.log"
dovecot_auth: false
"""

# A program for each mailbox, with the user's name.
CHASQUID_DELIVER = """\
#!/bin/sh
box=@DIR@/mail/$1/Maildir
mkdir -p "$box/tmp" "$box/new"
cat >"$box/tmp/$$" && mv "$box/tmp/$$" "$box/new/$(date +%s.%N).$$"
"""

CHASQUID_POST_DATA = """\
#!/bin/sh
cat >/dev/null
case $RCPT_TO in
@CASES@
esac
"""

def executable(path, text):
    write(path, text)
    os.chmod(path, 0o755)


class Chasquid(Other):
    """chasquid. It says itself who is unknown; a program of ours sees the text
    and refuses it. It takes no text whose header it can't read. All its ports
    have TLS; submission and submissions want to know who sends.

    It asks the DNS for the sender's domain (RFC 7208), but for domains that
    have no business there (RFC 7686): nothing is to leave this machine.
    """
    SENDER = "sender@example.onion"
    UTF8_SENDER = "bücher.onion"
    # It leaves when a third command is wrong, even if that is the hundredth.
    MOST = ("smtp", 101, 110, 0)
    SECURED = ()
    CLEAR = ("--tls", "none")
    BY_TLS = rb"\(over SMTP, TLS-(1\.[23]), "
    NULL_SENDER = rb'(?s)Received: .*\(over SMTP, .*envelope from "<>"\)'
    REFUSED = dict.fromkeys(
        ("first line is a dot", "first line begins with a dot", "only dots",
         "no blank line", "empty"), (554, "5.6.0"))
    MECHS = ("PLAIN",)
    PEOPLE = {"alice@example.test": "secret",
              "bob@example.test": "p@ss w0rd, ="}
    WORDS = {"nouser": Refusal(550, "5.1.1", "user does not exist"),
             "datatemp": WORDS["datatemp"],
             "spam": Refusal(554, "5.7.1", "Content refused", final=True)}
    SENDERS = {}

    def configure(self):
        chasquid = fetched("chasquid", "usr/bin/chasquid")
        self.conf = os.path.join(self.dir, "conf")
        values = {**self.take_values(), "MIB": SIZE_MIB}
        certs = f"{self.conf}/certs/mx.example.test"
        os.makedirs(certs)
        shutil.copy(values["CHAIN"], f"{certs}/fullchain.pem")
        shutil.copy(values["KEY"], f"{certs}/privkey.pem")
        write(f"{self.conf}/chasquid.conf", fill(CHASQUID_CONF, values))
        deliver = f"{self.dir}/deliver"
        executable(deliver, fill(CHASQUID_DELIVER, values))
        for domain in ("example.test", BOOKS):
            write(f"{self.conf}/domains/{domain}/aliases", "".join(
                f"{user}: | {deliver} {user}\n"
                for user in [*USERS, *(f"{user}ü" for user in USERS),
                             "datatemp", "spam"]))
        executable(f"{self.conf}/hooks/post-data", fill(CHASQUID_POST_DATA, {
            "CASES": "\n".join(
                f"*{word}@*) echo '{r.enhanced} {r.text}';"
                f" exit {1 if r.code < 500 else 20} ;;"
                for word, r in self.WORDS.items() if r.final)}))
        os.mkdir(f"{self.dir}/data")
        for name, word in self.PEOPLE.items():
            subprocess.run([f"{chasquid}-util", f"--configdir={self.conf}",
                            "user-add", name, f"--password={word}"],
                           check=True, stdout=subprocess.DEVNULL)
        self.argv = [chasquid, f"-config_dir={self.conf}"]

    def command(self):
        return self.argv

    def ways(self):
        return {"SMTP": Way(self.url(), PIPELINED)}

    def secured(self):
        return {"starttls": Secured(self.port["smtp"])}


# ------------------------------------------------- aiosmtpd, npm's smtp-server

class Programmed(Other):
    """A server that is a library: a program of ours makes servers of it, with
    Maildirs, from the description that it gets as its argument."""
    PORTS = ("smtp", "legacy", "small", "lmtp")
    SECURED = ("starttls", "smtps", "lmtp_starttls", "lmtps")
    LOGINS = ("submission", "submissions", "lmtp_login", "clear")
    WHOM = rb"Received: from %s\r\n"
    VERDICTS = {word: (r.outcome, r.code) for word, r in WORDS.items()
                if r.final}
    BY_TLS = rb"Received: by TLSv(1\.[23])\r\n"
    SOCKETS = ("smtp_path", "lmtp_path", "lmtp_login_path")
    LINE_END = b"\r\n"
    ADDED = (*Other.ADDED, b"x-seen:")
    SAID_TO = ("smtp", "lmtp")
    LESS = ("small", "legacy")
    SEVEN = ("legacy",)
    ASCII_ONLY = LESS
    MODES = PLAIN

    def configure(self):
        values = self.take_values()
        self.path = {name: os.path.join(self.dir, f"{name}.sock")
                     for name in self.SOCKETS}
        os.mkdir(f"{self.dir}/mail")
        self.description = {
            "mail": f"{self.dir}/mail", "chain": values["CHAIN"],
            "key": values["KEY"], "ports": self.port, "paths": self.path,
            "size": SIZE_MIB << 20, "small": SMALL,
            "most": self.MOST[1] if self.MOST else 0,
            "rcpts": {w: [r.code, f"{r.enhanced} {r.text}"]
                      for w, r in self.WORDS.items() if not r.final},
            "ends": {w: [r.code, f"{r.enhanced} {r.text}"]
                     for w, r in self.WORDS.items() if r.final},
            "senders": {w: [r.code, f"{r.enhanced} {r.text}"]
                        for w, r in self.SENDERS.items()},
            "logins": (*self.LOGINS, "lmtp_login_path"),
            "passwords": self.PEOPLE,
            "tokens": {self.token(name, remark=remark): name
                       for name in self.PEOPLE for remark in self.REMARKS},
        }

    def ready(self):
        return (super().ready() and
                all(os.path.exists(path) for path in self.path.values()))

    def ways(self):
        return {
            "SMTP": Way(self.url(), self.MODES),
            "SMTP, Unix": Way(f"smtp:{self.path['smtp_path']}", PLAIN),
            "LMTP": Way(self.url("lmtp"), self.MODES, lmtp=True),
            "LMTP, Unix": Way(self.path["lmtp_path"], PLAIN, lmtp=True),
        }

    def logins(self):
        return {**super().logins(), "Unix": Login(
            0, "none", lmtp=True, path=self.path["lmtp_login_path"])}


class Aiosmtpd(Programmed):
    """aiosmtpd. legacy refuses EHLO; small takes SMALL octets and no SMTPUTF8.
    It takes lines of a thousand octets only."""
    REFUSED = {"a very long line": (500, None)}
    EIGHT = rb"X-Seen: .*\"BODY=8BITMIME\""
    UTF8 = rb"X-Seen: .*\"SMTPUTF8\""

    def configure(self):
        super().configure()
        # The package belongs to the system's Python, which may not be ours.
        for python in (sys.executable, "/usr/bin/python3"):
            self.argv = [python, os.path.join(HERE, "aiosmtpd_server.py"),
                         json.dumps(self.description)]
            if subprocess.run([python, "-c", "import aiosmtpd"], check=False,
                              capture_output=True).returncode == 0:
                return
        raise unittest.SkipTest(
            "aiosmtpd is missing (package python3-aiosmtpd)")

    def command(self):
        return self.argv


class NpmSmtpServer(Programmed):
    """npm's smtp-server. legacy refuses EHLO, bare offers nothing by it; small
    takes SMALL octets and no SMTPUTF8, and believes what it is told of its
    client."""
    PORTS = ("smtp", "legacy", "small", "lmtp", "bare")
    # It greets late, so there are fewer.
    LOGINS = ("submission", "submissions", "lmtp_login")
    MODES = PIPELINED
    EIGHT = rb'"bodyType":"8bitmime"'
    UTF8 = rb'"smtpUtf8":true'
    REQUIRETLS = rb'"requireTLS":true'
    REPORTS = "check_seen"
    MOST = ("smtp", 30, 32, 1)
    BEHIND = ("small", rb'"ADDR":"192\.0\.2\.7"',
              rb'"client":"spike\.example\.net","remote":"192\.0\.2\.9"')
    MECHS = ("CRAM-MD5", "XOAUTH2", "PLAIN", "LOGIN")

    def configure(self):
        super().configure()
        self.modules = fetched("npm", "node_modules")
        self.node = program("node", "nodejs")

    def command(self):
        return [self.node, os.path.join(HERE, "npm_server.js"), self.modules,
                json.dumps(self.description)]


# By the names that fetch.sh knows them by.
SERVERS = {"aiosmtpd": Aiosmtpd, "chasquid": Chasquid, "exim": Exim,
           "npm": NpmSmtpServer, "opensmtpd": OpenSmtpd}
