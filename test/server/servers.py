# SPDX-License-Identifier: MIT
"""Servers that the tests talk to, as child processes on loopback.

Postfix and Dovecot are those of the system's packages, run with a configuration
of ours in a scratch directory: nothing of the machine's own mail set-up is read
or written. Each class is a context manager; leaving it stops the server.
"""
import contextlib
import dataclasses
import json
import os
import re
import shutil
import socket
import subprocess
import unittest

import client
import tokens
from certificates import Authority
from processes import (Daemon, free_port, have_ipv6, listens, need_root,
                       program, read, scratch, user_ids, wait_until, write)

# Users of every server, so that each test can have one of its own.
USERS = [f"user{n}" for n in range(1000)]
# Those who may log in, with their passwords.
PEOPLE = {"alice": "secret", "bob@example.test": "p@ss w0rd, ="}
DELIVERY_TIMEOUT = 20
# A domain in UTF-8, and its A-label (RFC 5890), beside example.test. There and
# at the other the users have mail too; at the first also with an ü behind their
# names, in mailboxes of that name.
BOOKS = "bücher.test"
BOOKS_ASCII = "xn--bcher-kva.test"


@dataclasses.dataclass(frozen=True)
class Secured:
    """A port for TLS, and what the command line has to be told there."""
    port: int
    scheme: str = "smtp"
    options: tuple = ("--tls", "required")

    def url(self, host="localhost"):
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def lmtp(self):
        return self.scheme == "lmtp"

    @property
    def implicit(self):
        return self.scheme == "smtps" or "implicit" in self.options


@dataclasses.dataclass(frozen=True)
class Login:
    """A port that takes nothing before AUTH."""
    port: int
    tls: str = "required"  # the policy, by session.c's names
    lmtp: bool = False
    path: str | None = None  # a Unix socket instead

    def url(self):
        if self.path is not None:
            return f"{'lmtp' if self.lmtp else 'smtp'}:{self.path}"
        scheme = ("lmtp" if self.lmtp else
                  "smtps" if self.tls == "implicit" else "smtp")
        return f"{scheme}://localhost:{self.port}"

    def options(self, ca):
        """What the command line is told."""
        if self.tls != "none":
            return "--tls", self.tls, "--ca", ca
        if self.path is not None:
            return "--tls", "none"
        return "--tls", "none", "--allow-plaintext-auth"


class Server:
    """What the servers have in common: a directory, a child, a Maildir for
    each user."""
    LOG = "log"
    # Whom mail to it is from, and who is not known there.
    SENDER = client.SENDER
    UNKNOWN = "nouser"
    # Outcome and code of those who are refused by LMTP at the end of a text.
    VERDICTS = {}
    # The kind of its key, and what it writes on top of a message that came by
    # TLS: a group is the version.
    KEY = "ec"
    BY_TLS = rb"\(using TLSv(1\.[23]) with cipher "

    # Whether it resumes sessions; None: as it happens.
    RESUMES = True

    # The mechanisms that it offers and we know, strongest first; who may log
    # in; and what it writes on top of a message, or into its log, of one who
    # did, None if nothing.
    MECHS = ("PLAIN", "LOGIN")
    PEOPLE = PEOPLE
    # Who may act as any of them, and the mechanisms that say as whom.
    MASTER = None
    ACTING = ()
    WHOM = None
    # Ports that offer all that it can, each with a protocol of its own, and
    # others that offer less; of all these, those without 8BITMIME, and those
    # without SMTPUTF8.
    SAID_TO = ("smtp",)
    LESS = ()
    SEVEN = ()
    ASCII_ONLY = ()
    # What it writes on top of a message that came with BODY=8BITMIME, with
    # SMTPUTF8 and with REQUIRETLS; None: it does not tell. Without the last it
    # does not know that.
    EIGHT = None
    UTF8 = None
    REQUIRETLS = None
    # The domain of a sender in UTF-8.
    UTF8_SENDER = BOOKS
    # Which check of by_message.py says how it reports on deliveries; None: it
    # does not offer that.
    REPORTS = None
    # How a report has the sender's name for the message, and whom it was for.
    QUOTED = ("a+b=c d", "rfc822;first=one+1@example.test")
    # A port, how many recipients it takes in a transaction, a number to be
    # tried, and how many unknown ones beside these; None: it takes any number.
    MOST = None
    # A port that knows XFORWARD and XCLIENT, and what it writes, into its log
    # or on top of a message, of spike.example.com, 192.0.2.7, and of
    # spike.example.net, 192.0.2.9.
    BEHIND = None
    # What ETRN is told to start, and the code of the reply.
    NODES = {}
    # What tokens remark: one fits into a command with AUTH, the other does not.
    REMARKS = ("", "x" * 500)

    def __init__(self):
        self.dir = None
        self.authority = None  # whom to trust
        self.chain = None  # the server's certificate
        self.daemon = None
        self.unused = iter(USERS)

    def user(self):
        """The name of a user who has no mail yet."""
        return next(self.unused)

    def configure(self):
        """Picks ports and writes the configuration."""
        raise NotImplementedError

    def certify(self):
        """Makes its certificate, and who vouches for it: the paths of the
        certificate and its key."""
        self.authority = Authority(os.path.join(self.dir, "tls"))
        self.chain, key = self.authority.issue(self.KEY)
        return self.chain, key

    @property
    def ca(self):
        return self.authority.file

    def command(self):
        raise NotImplementedError

    def ready(self):
        raise NotImplementedError

    def secured(self):
        """Name to Secured, for each way to send to it by TLS."""
        raise NotImplementedError

    def submission(self):
        """The same for ports that want to know who sends."""
        return {}

    def token(self, user, good=True, remark=""):
        """One that says that its bearer is user, or one that is refused."""
        return tokens.issue(user, not good, remark)

    def logins(self):
        """Name to Login, for each way to log in."""
        return {name: Login(way.port,
                            "implicit" if way.implicit else "required")
                for name, way in self.submission().items()}

    def clear(self, name):
        """The port of that name, without TLS."""
        return Login(self.port[name], "none", "lmtp" in name)

    def without_tls(self):
        """A port for SMTP that knows nothing of TLS, or None."""
        return None

    def __enter__(self):
        # Between the choice of a port and the start somebody else may take it.
        for attempt in range(3):
            self.dir = scratch()
            log = os.path.join(self.dir, self.LOG)
            self.configure()
            self.daemon = Daemon(self.command(), log, directory=self.dir)
            try:
                if self.daemon.ready(self.ready):
                    return self
            except AssertionError:
                self.stop()
                raise
            if attempt == 2:
                break
            self.stop()
        raise AssertionError(f"no start: {self.daemon.said()}")

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.daemon is not None:
            self.daemon.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def address(self, user):
        return f"{user}@example.test"

    def wanted(self, message):
        """What is stored of a message, below what the server adds."""
        raise NotImplementedError

    def text_of(self, raw):
        """The same of what was stored."""
        return client.stored_text(raw)

    @property
    def log_file(self):
        """Where it says who has logged in, if it does."""
        return os.path.join(self.dir, self.LOG)

    def arrived(self, user):
        """The message that came for a user by one of logins()."""
        raw, = self.stored(user)
        return raw

    def stored(self, user, count=1):
        """The messages in the Maildir of a user, as soon as there are count."""
        new = os.path.join(self.dir, "mail", user, "Maildir", "new")

        def names():
            with contextlib.suppress(OSError):
                found = sorted(os.listdir(new))
                return found if len(found) >= count else None

        found = wait_until(names, DELIVERY_TIMEOUT, lambda: (
            f"{user} got no message; the server said:\n{self.daemon.said()}"))
        return [read(os.path.join(new, name)) for name in found]


POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = @DIR@/queue
data_directory = @DIR@/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = @DIR@/log
maillog_file_prefixes = @DIR@
import_environment = MAIL_CONFIG MAIL_LOGTAG TZ=UTC LANG=C
inet_protocols = @PROTOCOLS@
myhostname = mx.example.test
mydomain = example.test
mynetworks = 127.0.0.0/8 [::1]/128
alias_maps =
alias_database =
local_recipient_maps =
mydestination =
virtual_mailbox_domains = example.test @DOMAINS@
virtual_mailbox_base = @DIR@/mail
virtual_mailbox_maps = texthash:@DIR@/etc/mailboxes
virtual_uid_maps = static:@UID@
virtual_gid_maps = static:@GID@
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
default_transport = discard:
relay_transport = discard:
# Accepted, and then it can't be delivered.
transport_maps = inline:{ gone.test=failed: }
relay_domains = relay.test
fast_flush_domains = $relay_domains
message_size_limit = 41943040
# No header is to be rewritten or added to mail of this machine.
local_header_rewrite_clients =
# A refusal comes when its command does, not with the first recipient.
smtpd_delay_reject = no
smtpd_sender_restrictions = check_sender_access regexp:@DIR@/etc/senders
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access regexp:@DIR@/etc/rcpts
smtpd_end_of_data_restrictions = check_recipient_access regexp:@DIR@/etc/ends
# What a client must not do, where this release can tell.
smtpd_forbid_bare_newline = reject
smtpd_forbid_bare_newline_exclusions =
smtpd_forbid_unauth_pipelining = yes
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_tls_security_level = none
smtpd_tls_chain_files = @KEY@, @CHAIN@
smtpd_tls_received_header = yes
smtpd_tls_loglevel = @LOGLEVEL@
smtpd_tls_session_cache_database = btree:@DIR@/data/sessions
smtpd_tls_CAfile = @CA@
smtpd_sasl_type = dovecot
smtpd_sasl_path = @DIR@/sasl
smtpd_sasl_authenticated_header = yes
disable_dns_lookups = yes
in_flow_delay = 0
"""

POSTFIX_MASTER = """\
127.0.0.1:@SMTP@ inet n - n - 50 smtpd
127.0.0.1:@LEGACY@ inet n - n - 50 smtpd
  -o smtpd_discard_ehlo_keywords=@KEYWORDS@
127.0.0.1:@SMALL@ inet n - n - 50 smtpd
  -o message_size_limit=65536
127.0.0.1:@STARTTLS@ inet n - n - 50 smtpd
  -o smtpd_tls_security_level=may
127.0.0.1:@REQUIRED@ inet n - n - 50 smtpd
  -o smtpd_tls_security_level=encrypt
127.0.0.1:@SMTPS@ inet n - n - 50 smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_wrappermode=yes
127.0.0.1:@STATEFUL@ inet n - n - 50 smtpd
  -o smtpd_tls_security_level=may -o tls_ssl_options=NO_TICKET
127.0.0.1:@ACQUAINTED@ inet n - n - 50 smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_req_ccert=yes
127.0.0.1:@SUBMISSION@ inet n - n - 50 smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sender_restrictions=permit_sasl_authenticated,reject
127.0.0.1:@SUBMISSIONS@ inet n - n - 50 smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sender_restrictions=permit_sasl_authenticated,reject
127.0.0.1:@CLEAR@ inet n - n - 50 smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_authorized_xclient_hosts=127.0.0.1
  -o smtpd_sender_restrictions=permit_sasl_authenticated,reject
127.0.0.1:@FEW@ inet n - n - 50 smtpd
  -o smtpd_recipient_limit=3
127.0.0.1:@BEHIND@ inet n - n - 50 smtpd
  -o smtpd_authorized_xclient_hosts=127.0.0.1
  -o smtpd_authorized_xforward_hosts=127.0.0.1
  -o smtpd_relay_restrictions=reject_unauth_destination
tlsmgr unix - - n 1000? 1 tlsmgr
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
failed unix - n n - - pipe user=nobody argv=/bin/false
flush unix n - n 1000? 0 flush
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

POSTFIX_SENDERS = """\
/^badsender@/ 550 5.7.1 Sender refused
/^tempsender@/ 450 4.7.1 Sender refused for now
"""

POSTFIX_RCPTS = """\
/^tempfail@/ 450 4.2.1 Mailbox busy, try again later
/^nouser@/ 550 5.1.1 No such user here
/^policy@/ 554 5.7.1 Refused by policy
/^closing@/ 421 4.3.2 Service shutting down
"""

POSTFIX_ENDS = """\
/^datatemp@/ 451 4.3.0 Content check is busy
/^spam@/ 550 5.7.1 Message content rejected
"""


def fill(template, values):
    for name, value in values.items():
        template = template.replace(f"@{name}@", str(value))
    return template


class Postfix(Server):
    """Postfix with a Maildir for each of USERS at example.test.

    Ports: smtp (also on ::1 if there is IPv6), legacy, whose EHLO offers
    nothing, small, which takes 65536 octets, and for TLS starttls and smtps
    (also on ::1), required, which takes nothing before STARTTLS, acquainted,
    which wants to see a certificate too, and stateful, which keeps sessions
    where starttls and smtps hand out tickets. The others know nothing of TLS.
    submission, submissions and clear take nothing before AUTH, for which they
    need ask(). few takes three recipients in a transaction, behind and clear
    believe their client that it is another. Mail to gone.test is accepted and
    then fails.
    """
    PORTS = ("smtp", "legacy", "small", "starttls", "required", "smtps",
             "stateful", "acquainted", "submission", "submissions", "clear",
             "few", "behind")
    LOGLEVEL = 1
    WHOM = rb"\(Authenticated sender: %s\)"
    LESS = SEVEN = ASCII_ONLY = ("legacy",)
    UTF8 = rb"with UTF8SMTP"
    REPORTS = "check_report"
    MOST = ("few", 3, 8, 1)
    BEHIND = ("behind", rb"orig_client=spike\.example\.com\[192\.0\.2\.7\]",
              rb"Received: from \S+ \(spike\.example\.net \[192\.0\.2\.9\]\)")
    NODES = {"relay.test": 250, "@relay.test": 250, "other.test": 459}

    def configure(self):
        need_root()
        postfix = program("postfix", "postfix")
        uid, gid = user_ids("postfix", "postfix")
        self.port = {name: free_port() for name in self.PORTS}
        self.smtp, self.legacy, self.small = (
            self.port[name] for name in self.PORTS[:3])
        self.ipv6 = have_ipv6()
        chain, key = self.certify()
        self.client = self.authority.issue(kind="client", name="somebody")
        values = {
            "DIR": self.dir, "UID": uid, "GID": gid, "KEY": key, "CHAIN": chain,
            "CA": self.ca, "LOGLEVEL": self.LOGLEVEL,
            "DOMAINS": f"{BOOKS} {BOOKS_ASCII}",
            **{name.upper(): port for name, port in self.port.items()},
            "PROTOCOLS": "all" if self.ipv6 else "ipv4",
            "KEYWORDS": "chunking,pipelining,smtputf8,dsn,starttls,8bitmime,"
                        "enhancedstatuscodes,size,etrn,vrfy",
        }
        self.etc = os.path.join(self.dir, "etc")
        master = fill(POSTFIX_MASTER, values)
        if self.ipv6:
            # As for the address of IPv4.
            master += "".join(
                re.sub(r"127\.0\.0\.1", "[::1]", entry) for name in
                ("smtp", "starttls", "smtps") for entry in re.findall(
                    rf"(?m)^127\.0\.0\.1:{self.port[name]} .*\n(?: .*\n)*",
                    master))
        write(f"{self.etc}/master.cf", master)
        write(f"{self.etc}/main.cf", fill(POSTFIX_MAIN, values))
        write(f"{self.etc}/mailboxes", "".join(
            f"{user}@{domain} {user}/Maildir/\n"
            for user in [*USERS, "datatemp", "spam"]
            for domain in ("example.test", BOOKS, BOOKS_ASCII)) + "".join(
                f"{user}ü@{BOOKS} {user}ü/Maildir/\n" for user in USERS))
        write(f"{self.etc}/senders", POSTFIX_SENDERS)
        write(f"{self.etc}/rcpts", POSTFIX_RCPTS)
        write(f"{self.etc}/ends", POSTFIX_ENDS)
        for name in ("data", "mail"):
            os.mkdir(f"{self.dir}/{name}")
            os.chown(f"{self.dir}/{name}", uid, gid)
        os.mkdir(f"{self.dir}/queue")
        done = subprocess.run([postfix, "-c", self.etc, "check"],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              check=False)
        if done.returncode != 0:
            raise AssertionError(f"postfix check: {done.stderr.decode()}")

    def command(self):
        directory = subprocess.run(
            [program("postconf", "postfix"), "-h", "-c", self.etc,
             "daemon_directory"], capture_output=True, check=True,
            text=True).stdout.strip()
        # -e: it ends by itself even if nobody is left to stop it.
        return [f"{directory}/master", "-c", self.etc, "-d", "-e", "900"]

    def ready(self):
        return (listens(("127.0.0.1", self.smtp)) and
                (not self.ipv6 or
                 listens(("::1", self.smtp), socket.AF_INET6)))

    def wanted(self, message):
        return client.headed(message)

    def restart(self):
        """Ends it and starts it anew. The keys of its tickets are others then,
        and its list of sessions is empty."""
        self.daemon.stop()
        self.daemon = Daemon(self.command(), self.daemon.log,
                             directory=self.dir)
        if not self.daemon.ready(self.ready):
            raise AssertionError(f"no start: {self.daemon.said()}")

    def secured(self):
        return {"STARTTLS": Secured(self.port["starttls"]),
                "STARTTLS, required": Secured(self.port["required"]),
                "smtps": Secured(self.port["smtps"], "smtps", ())}

    def without_tls(self):
        return self.smtp

    def ask(self, dovecot):
        """Has Dovecot look after AUTH: its mechanisms and its users."""
        os.symlink(dovecot.sasl, f"{self.dir}/sasl")
        self.MECHS, self.PEOPLE = dovecot.MECHS, dovecot.PEOPLE
        self.MASTER, self.ACTING = dovecot.MASTER, dovecot.ACTING

    def logins(self):
        return {"submission": Login(self.port["submission"]),
                "submissions": Login(self.port["submissions"], "implicit"),
                "clear": Login(self.port["clear"], "none")}


DOVECOT_CONF = """\
base_dir = @DIR@/run
state_dir = @DIR@/state
instance_name = uvs-@LMTP@
log_path = @DIR@/log
listen = 127.0.0.1
protocols = lmtp submission imap
hostname = mx.example.test
postmaster_address = postmaster@example.test
ssl = yes
ssl_cert = <@CHAIN@
ssl_key = <@KEY@
ssl_min_protocol = TLSv1.2
default_internal_user = dovecot
default_login_user = dovenull
auth_username_format = %Lu
auth_username_chars =
auth_failure_delay = 0
auth_verbose = yes
auth_mechanisms = @MECHS@ digest-md5
# Who is refused is not to wait for it.
passdb {
  driver = static
  args = noauthenticate nodelay=y
}
passdb {
  driver = passwd-file
  mechanisms = @BY_PASSWORD@
  args = @DIR@/passwords
}
passdb {
  driver = passwd-file
  mechanisms = @BY_PASSWORD@
  args = @DIR@/masters
  master = yes
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @DIR@/oauth2
}
userdb {
  driver = passwd-file
  args = @DIR@/users
  default_fields = uid=@UID@ gid=@GID@ home=@DIR@/mail/%u
}
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_plugins = quota
plugin {
  quota = maildir:Mail
  quota_grace = 0
}
lmtp_rcpt_check_quota = no
lmtp_user_concurrency_limit = 0
service lmtp {
  process_limit = 50
  unix_listener @DIR@/lmtp.sock {
    mode = 0666
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = @LMTP@
  }
  inet_listener lmtps {
    address = 127.0.0.1
    port = @LMTPS@
    ssl = yes
  }
}
service submission-login {
  inet_listener submission {
    port = @SUBMISSION@
  }
  inet_listener submissions {
    port = @SUBMISSIONS@
    ssl = yes
  }
}
service imap-login {
  inet_listener imap {
    port = @IMAP@
  }
  inet_listener imaps {
    port = 0
  }
}
# A mailbox has keys for its URLs, and submission may fetch by these.
imap_urlauth_host = mx.example.test
mail_attribute_dict = file:%h/attributes
submission_max_recipients = 3
submission_relay_host = 127.0.0.1
submission_relay_port = @RELAY@
service auth {
  unix_listener auth-userdb {
    mode = 0666
  }
  unix_listener @DIR@/sasl {
    mode = 0666
  }
}
# A wrong password is not to make the next one wait.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
"""

# full's mailbox takes 500 octets; that of broken is in no place where a
# directory can be made.
DOVECOT_USERS = """\
full:{PLAIN}x::::::userdb_quota_rule=*:bytes=500
broken:{PLAIN}x::::::userdb_mail=maildir:/proc/nowhere/Maildir
"""


# Tokens are checked here: nobody is asked.
DOVECOT_OAUTH2 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=@DIR@/keys/
username_attribute = sub
"""


class Dovecot(Server):
    """Dovecot's LMTP server: a port, lmtp, which offers STARTTLS, lmtps, and a
    Unix socket, path. Also its submission server, whose ports submission and
    submissions want to know who sends, and relay to a sink; what is in a
    mailbox, which can be seen at imap, can be sent by its URL. At sasl it looks
    after AUTH for Postfix.

    It knows USERS, full (over quota: refused at the end of a message) and
    broken (fails for now, at the end of a message).
    """
    PORTS = ("lmtp", "lmtps", "submission", "submissions", "imap")
    UNKNOWN = "nobody"
    SAID_TO = ASCII_ONLY = ("lmtp",)
    RESUMES = None  # each process has a key of its own, and may be new
    VERDICTS = {"full": ("rejected", 552), "broken": ("deferred", 451)}
    MECHS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "OAUTHBEARER",
             "XOAUTH2", "PLAIN", "LOGIN")
    WHOM = rb"Login: user=<%s>"
    MASTER = ("root,=", "all keys")
    ACTING = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")
    # SCRAM has a way of its own to say a comma and an equals sign.
    PEOPLE = {**PEOPLE, "carol,=2c@example.test": "=2C,=3D"}

    def configure(self):
        need_root()
        self.dovecot = program("dovecot", "dovecot-core")
        for name in ("lmtp", "submission", "imap"):
            if not os.path.exists(f"/usr/lib/dovecot/{name}"):
                raise unittest.SkipTest(
                    f"no {name} server (package dovecot-{name}d)")
        version = subprocess.run([self.dovecot, "--version"], text=True,
                                 capture_output=True, check=True).stdout
        if not version.startswith("2.3."):
            raise unittest.SkipTest(
                f"Dovecot {version.strip()} has another configuration syntax")
        uid, gid = user_ids("dovecot", "dovecot-core")
        self.port = {name: free_port() for name in self.PORTS}
        self.lmtp = self.port["lmtp"]
        chain, key = self.certify()
        self.path = os.path.join(self.dir, "lmtp.sock")
        self.sasl = os.path.join(self.dir, "sasl")
        self.conf = os.path.join(self.dir, "dovecot.conf")
        self.relay = Sink(client.programs["sink"]).__enter__()
        values = {
            "DIR": self.dir, "UID": uid, "GID": gid, "KEY": key, "CHAIN": chain,
            "MECHS": " ".join(self.MECHS).lower(), "RELAY": self.relay.smtp,
            "BY_PASSWORD": " ".join(mech for mech in self.MECHS
                                    if "OAUTH" not in mech).lower(),
            **{name.upper(): port for name, port in self.port.items()}}
        write(self.conf, fill(DOVECOT_CONF, values))
        write(f"{self.dir}/oauth2", fill(DOVECOT_OAUTH2, values))
        write(f"{self.dir}/keys/default/HS256/default", tokens.KEY_BASE64)
        write(f"{self.dir}/passwords", "".join(
            f"{name}:{{PLAIN}}{word}\n" for name, word in self.PEOPLE.items()))
        write(f"{self.dir}/masters", ":{PLAIN}".join(self.MASTER) + "\n")
        users = {user: "" for user in (*USERS, *self.PEOPLE)}
        users |= {f"{user}@{domain}": f"{self.dir}/mail/{user}"
                  for user in USERS for domain in ("example.test", BOOKS_ASCII)}
        write(f"{self.dir}/users", DOVECOT_USERS + "".join(
            f"{user}:{{PLAIN}}x::::{home}::\n" for user, home in users.items()))
        for name in ("mail", "state"):
            os.mkdir(f"{self.dir}/{name}")
            os.chown(f"{self.dir}/{name}", uid, gid)

    def command(self):
        return [self.dovecot, "-F", "-c", self.conf]

    def ready(self):
        return os.path.exists(self.path) and all(
            listens(("127.0.0.1", port)) for port in self.port.values())

    def address(self, user):
        return user

    def wanted(self, message):
        return client.normalised(message)

    def secured(self):
        return {"STARTTLS": Secured(self.lmtp, "lmtp"),
                "implicit": Secured(self.port["lmtps"], "lmtp",
                                    ("--tls", "implicit"))}

    def submission(self):
        return {"submission": Secured(self.port["submission"]),
                "submissions": Secured(self.port["submissions"], "smtps", ())}

    def arrived(self, user):
        raw, = (text for text, envelope in self.relay.stored()
                if f"{user}@example.test" in envelope["recipients"])
        return raw

    def stop(self):
        super().stop()
        self.relay.__exit__()


class Sink:
    """uvsmtp-sink, on a TCP port and a Unix socket for each protocol: smtp,
    smtp_path, lmtp, lmtp_path. It stores what it accepts. script is a list of
    lines for --script."""

    def __init__(self, path, *options, script=()):
        self.path = path
        self.options = list(options)
        self.script = list(script)

    def __enter__(self):
        self.dir = scratch()
        self.store = os.path.join(self.dir, "store")
        self.smtp_path = os.path.join(self.dir, "smtp.sock")
        self.lmtp_path = os.path.join(self.dir, "lmtp.sock")
        argv = [self.path, "--listen", "127.0.0.1:0", "--lmtp-listen",
                "127.0.0.1:0", "--unix", self.smtp_path, "--lmtp-unix",
                self.lmtp_path, "--store", self.store, *self.options]
        if self.script:
            script = os.path.join(self.dir, "script")
            write(script, "".join(line + "\n" for line in self.script))
            argv += ["--script", script]
        self.daemon = Daemon(argv, os.path.join(self.dir, "log"),
                             stdout=subprocess.PIPE, directory=self.dir)
        line = self.daemon.process.stdout.readline().decode()
        if not line.startswith("READY "):
            self.__exit__()
            raise AssertionError(f"the sink did not start: {line}")
        ports = dict(word.split("=", 1) for word in line.split()[1:])
        self.smtp, self.lmtp = int(ports["smtp"]), int(ports["lmtp"])
        return self

    def summary(self):
        """Ends it and returns the counts that it prints."""
        self.daemon.stop()
        words = self.daemon.process.stdout.read().decode().split()
        return {name: float(number) for name, number in (
            word.split("=", 1) for word in words if "=" in word)}

    def __exit__(self, *_):
        self.daemon.stop()
        self.daemon.process.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stored(self):
        """The messages it keeps, as (text, envelope), oldest first."""
        names = sorted(
            (name[:-4] for name in os.listdir(self.store)
             if name.endswith(".env")), key=int)
        return [(read(f"{self.store}/{name}.eml"),
                 json.loads(read(f"{self.store}/{name}.env")))
                for name in names]
