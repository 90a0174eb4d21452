# SPDX-License-Identifier: MIT
"""What login and auth of smtplib and of the session API are compared on, and in
one place how they differ. See test_auth_differential.py."""
import base64
import hmac
import itertools

from recorder import CLOSE, SILENT
from sasl import CHALLENGES
from scripts import (CONNECT, EHLO, MAIL, NOOP, QUIT, RCPT, SEND, Script, Wire,
                     differs, session, unsaid)

# What holds everywhere, so that it isn't said in each script:
#  - all logins here may be in clear text, but where it is said that they may
#    not: smtplib does not ask;
#  - smtplib has three mechanisms, and tries them in our order.
DIFFERENCES = {
    "no TLS": "nothing is said in clear text unless the caller allows it; "
              "smtplib says it to everybody",
    "strongest first": "there are more mechanisms, and SCRAM comes before "
                       "CRAM-MD5, tokens before PLAIN",
    "stops": "the next mechanism is tried after 535, 504 and 501, since "
             "another one may do then; smtplib goes on after 4yz, 534, 538, 250 "
             "and whatever else it is told",
    "421": "ends the session; smtplib tries the next mechanism on it",
    "protocol": "what is no reply to AUTH ends the session as "
                "UVSMTP_EPROTOCOL; smtplib takes it for a refusal",
    "none usable": "is an SMTPNotSupportedError, as without any AUTH; smtplib "
                   "raises SMTPException",
    "case": "mechanisms are offered in any case; smtplib's login knows them in "
            "upper case only",
    "not offered": "a mechanism that isn't offered isn't tried unless that is "
                   "asked for; smtplib's auth tries what it is told",
    "hello": "AUTH says EHLO where nobody has; smtplib's auth does not, only "
             "its login",
    "once": "is how often a session logs in (RFC 4954 4), and then it is "
            "UV_EALREADY; smtplib says it again, and believes a 503",
    "transaction": "there is no AUTH in one (RFC 4954 4), and what follows of "
                   "it is not said; smtplib says both",
    "unauthenticated": "after a login that failed no message leaves; smtplib "
                       "sends it",
    "challenge": "one that is not base64, or that CRAM-MD5 can't use, is "
                 "cancelled by a *, and the next mechanism tried; smtplib "
                 "answers what it makes of it, or raises with the exchange "
                 "half done",
    "prompt": "PLAIN and LOGIN take any text as a prompt, as servers send some "
              "that is not base64; smtplib raises where it can't decode it",
    "said all": "a challenge behind the last answer of a mechanism is "
                "cancelled, and the next one tried, but that PLAIN is said "
                "once more; smtplib gives its last answer again and again",
    "rounds": "five challenges are answered, and the next is cancelled by a *; "
              "smtplib answers five or six, and raises then whatever the "
              "server says",
    "line": "one of a reply may have 16,384 octets, since challenges are long "
            "(RFC 4954 4); smtplib has 8,192",
    "512": "an initial response that would make the command longer than 512 "
           "octets waits for the server's first challenge (RFC 4954 4)",
    "12,288": "no response is longer than a line of 12,288 octets (RFC 4954 4), "
              "and a longer challenge is cancelled",
    "=": "is how an empty initial response is said (RFC 4954 4)",
    "UTF-8": "names and passwords in UTF-8 are sent (RFC 4616); smtplib raises "
             "UnicodeEncodeError",
    "NUL": "can't be in what PLAIN says, which therefore isn't used; smtplib "
           "says something else then",
    "line ends": "can't be in a name that CRAM-MD5 says, which therefore isn't "
                 "used; smtplib says it",
    "nobody": "a login by password needs that and a name; smtplib sends empty "
              "ones",
    "timeout": "a deadline is UV_ETIMEDOUT; smtplib calls it a lost connection",
    "given up": "a mechanism that fails is cancelled by a *; smtplib leaves the "
                "exchange half done",
    "first": "what a mechanism has to say without a challenge answers the "
             "server's first one where it could not be in the command, and "
             "that one should be empty; smtplib asks the mechanism",
}

ALL = ("CRAM-MD5", "PLAIN", "LOGIN")
LATER = {"initial": False}
LOGIN = ("login", "me", "pass word")
LOGIN_LATER = (*LOGIN, LATER)
MESSAGE = ["MAIL FROM:<me@example.org>", "RCPT TO:<you@example.net>", "DATA",
           b"Subject: x\r\n\r\nhello\r\n..\r\n...two\r\nend\r\n.\r\n"]
# What LOGIN says, by mechanism.
PLAIN = "AG1lAHBhc3Mgd29yZA=="
USER = "bWU="
PASSWORD = "cGFzcyB3b3Jk"
# What is known of a server that wasn't asked.
NEW = {"esmtp": False, "ehlo": None, "extensions": {}}


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def offered(*mechanisms):
    return ("PIPELINING", "AUTH " + " ".join(mechanisms))


def cram(challenge=CHALLENGES["CRAM-MD5"][0], user="me", password="pass word"):
    """The response of CRAM-MD5 (RFC 2195)."""
    digest = hmac.new(password.encode(), base64.b64decode(challenge), "md5")
    return encoded(f"{user} {digest.hexdigest()}")


def login(*calls, mechanisms=("PLAIN",), **more):
    """A script of calls to a server that offers these."""
    return session(*calls, extensions=offered(*mechanisms), **more)


def half(*calls, mechanisms=("PLAIN",), **more):
    """The same without an end in good order."""
    return Script([CONNECT, *calls], extensions=offered(*mechanisms), **more)


def choices():
    """What is offered, and what is then said. smtplib: 30, 31"""
    scripts = {}
    for count in (1, 2, 3):
        for some in itertools.permutations(ALL, count):
            name = " ".join(some)
            scripts[name] = login(LOGIN, NOOP, mechanisms=some)
            scripts[f"{name}, later"] = login(LOGIN_LATER, NOOP,
                                              mechanisms=some)
    scripts.update({
        "no AUTH": session(LOGIN, NOOP),
        "AUTH of nothing": login(
            LOGIN, NOOP, mechanisms=(), differs={
                1: differs("none usable", cls="SMTPNotSupportedError")}),
        "only others": login(
            LOGIN, NOOP, mechanisms=("GSSAPI", "X-PLAIN"), differs={
                1: differs("none usable", cls="SMTPNotSupportedError")}),
        "only tokens": login(
            LOGIN, NOOP, mechanisms=("XOAUTH2", "OAUTHBEARER"), differs={
                1: differs("none usable", cls="SMTPNotSupportedError")}),
        "among others": login(LOGIN, NOOP, mechanisms=(
            "GSSAPI", "XOAUTH2", "LOGIN", "DIGEST-MD5")),
        "in lower case": login(
            LOGIN, NOOP, mechanisms=("plain", "login"),
            differs={1: differs("case", cls=None, code=235, text="ok")},
            wire=(Wire("case", ["NOOP"], [f"AUTH PLAIN {PLAIN}", "NOOP"]),)),
        "AUTH in lower case": session(LOGIN, NOOP,
                                      extensions=("auth LOGIN PLAIN",)),
        "the old form": session(LOGIN, NOOP,
                                extensions=("AUTH=LOGIN PLAIN",)),
        "both forms": session(LOGIN, NOOP, extensions=(
            "AUTH=LOGIN", "SIZE", "AUTH PLAIN CRAM-MD5")),
        "SCRAM too": login(
            LOGIN, NOOP, mechanisms=("PLAIN", "SCRAM-SHA-256", "CRAM-MD5"),
            wire=(Wire("strongest first", ["AUTH CRAM-MD5"],
                       ["AUTH SCRAM-SHA-256 ...", "AUTH CRAM-MD5"]),)),
        "both of SCRAM": login(
            LOGIN, NOOP, mechanisms=("SCRAM-SHA-1", "PLAIN", "SCRAM-SHA-256"),
            wire=(Wire("strongest first", [f"AUTH PLAIN {PLAIN}"],
                       ["AUTH SCRAM-SHA-256 ...", "AUTH SCRAM-SHA-1 ...",
                        f"AUTH PLAIN {PLAIN}"]),)),
    })
    return scripts


def refusals():
    """Who is refused, and whether something else is tried. smtplib: 30"""
    scripts = {}
    # Each alone: the same error with the same words.
    for mechanism in ALL:
        where = "AUTH PLAIN" if mechanism == "PLAIN" else "RESPONSE"
        for code in (220, 250, 200, 454, 432, 500, 501, 502, 504, 530, 534, 535,
                     538, 550, 554):
            scripts[f"{code} to {mechanism}"] = login(
                LOGIN, NOOP, mechanisms=(mechanism,),
                replies={where: f"{code} 5.7.0 no"})
            scripts[f"{code} to AUTH {mechanism}"] = login(
                LOGIN_LATER, NOOP, mechanisms=(mechanism,),
                replies={"AUTH": f"{code}-5.7.0 no\r\n{code} 5.7.0 really"})
        scripts[f"503 to {mechanism}"] = login(
            LOGIN, NOOP, SEND, mechanisms=(mechanism,),
            replies={where: "503 5.5.1 already"})
        scripts[f"503 to AUTH {mechanism}"] = login(
            LOGIN_LATER, NOOP, SEND, mechanisms=(mechanism,),
            replies={"AUTH": "503 5.5.1 already"})
    # The first one, where there are more.
    for code in (535, 504, 501):
        scripts[f"{code}, then the next"] = login(
            LOGIN, NOOP, SEND, mechanisms=ALL,
            replies={"AUTH CRAM-MD5": f"{code} no"})
        scripts[f"{code} to the response, then the next"] = login(
            LOGIN, NOOP, mechanisms=ALL,
            replies={"RESPONSE": [f"{code} no", "235 ok"]})
        scripts[f"{code} twice, then the next"] = login(
            LOGIN, NOOP, mechanisms=ALL, replies={
                "AUTH CRAM-MD5": f"{code} no", "AUTH PLAIN": f"{code} no"})
        scripts[f"{code} to all"] = login(
            LOGIN, NOOP, mechanisms=ALL, replies={
                "AUTH": [f"{code} one", f"{code} two", f"{code} three"]})
        scripts[f"{code} to all, later"] = login(
            LOGIN_LATER, NOOP, mechanisms=ALL, replies={
                "RESPONSE": [f"{code} one", f"{code} two", "334 UGFzcw==",
                             f"{code} three"]})
    scripts["all refused, each otherwise"] = login(
        LOGIN, NOOP, mechanisms=ALL,
        replies={"AUTH": ["504 one", "535 5.7.8 two", "501 three"]})
    for code in (534, 538, 454, 432, 250, 500, 502, 530, 550):
        scripts[f"{code}, and no other"] = login(
            LOGIN, NOOP, mechanisms=ALL,
            replies={"AUTH CRAM-MD5": f"{code} 1.2.3 no"},
            differs={1: differs("stops", cls="SMTPAuthenticationError",
                                code=code, text="1.2.3 no")},
            wire=(Wire("stops", [f"AUTH PLAIN {PLAIN}"], []),))
        scripts[f"{code} to the response, and no other"] = login(
            LOGIN, NOOP, mechanisms=ALL,
            replies={"RESPONSE": [f"{code} no", "235 ok"]},
            differs={1: differs("stops", cls="SMTPAuthenticationError",
                                code=code, text="no")},
            wire=(Wire("stops", [f"AUTH PLAIN {PLAIN}"], []),))
    return scripts


def losses():
    """The end of the session in the midst."""
    scripts = {}
    for mechanism, where in (("PLAIN", "AUTH"), ("LOGIN", "AUTH"),
                             ("LOGIN", "RESPONSE"), ("CRAM-MD5", "RESPONSE")):
        name = f"at {where} of {mechanism}"
        one = {"mechanisms": (mechanism,)}
        scripts[f"421 {name}"] = half(
            LOGIN, NOOP, replies={where: "421 4.3.2 bye !close"}, **one,
            differs={1: differs("421", connected=False)})
        scripts[f"closed {name}"] = half(
            LOGIN, NOOP, replies={where: CLOSE}, **one)
        scripts[f"closed in the midst of a reply {name}"] = half(
            LOGIN, NOOP, replies={where: "235-ok !close"}, **one)
        for what in ("354 what?", "hello!"):
            kept = {} if what[0].isdigit() else {"code": None, "text": None}
            scripts[f"{what} {name}"] = half(
                LOGIN, replies={where: what}, **one,
                differs={1: differs("protocol", cls="EPROTOCOL",
                                    connected=False, **kept)})
        scripts[f"silence {name}"] = half(
            LOGIN, replies={where: SILENT}, **one, timeout=1,
            differs={1: differs("timeout", cls="ETIMEDOUT")})
    scripts["421, and there is another"] = half(
        LOGIN, NOOP, mechanisms=ALL, replies={"AUTH": "421 bye !close"},
        differs={1: differs("421", cls="SMTPAuthenticationError", code=421,
                            text="bye")})
    return scripts


def challenges():
    """What the server asks, with sense and without."""
    scripts = {}
    # PLAIN is asked nothing: whatever it says. LOGIN's words are for people.
    for text in ("334", b"334 \r\n", "334 VXNlcm5hbWU6", "334 User Name",
                 "334 username:", "334 =", "334 ABCD", "334 \xfc"):
        name = repr(text)
        scripts[f"{name} to PLAIN"] = login(
            LOGIN_LATER, NOOP, replies={"AUTH": text})
        scripts[f"{name} to LOGIN"] = login(
            LOGIN_LATER, NOOP, mechanisms=("LOGIN",),
            replies={"AUTH": text, "RESPONSE": [text, "235 ok"]})
        scripts[f"{name} to LOGIN with a name"] = login(
            LOGIN, NOOP, mechanisms=("LOGIN",), replies={"AUTH": text})
    for text in ("334 go ahead", "334 A", "334 Login:"):
        scripts[f"{text} to PLAIN"] = half(
            LOGIN_LATER, replies={"AUTH": text},
            differs={1: differs("prompt", cls=None, code=235, text="ok")},
            wire=(Wire("prompt", ["AUTH PLAIN"],
                       ["AUTH PLAIN", f"334 {PLAIN}"]),))
        scripts[f"{text} to LOGIN"] = half(
            LOGIN, mechanisms=("LOGIN",), replies={"AUTH": text},
            differs={1: differs("prompt", cls=None, code=235, text="ok")},
            wire=(Wire("prompt", [f"AUTH LOGIN {USER}"],
                       [f"AUTH LOGIN {USER}", f"334 {PASSWORD}"]),))
    # CRAM-MD5 needs one, and in base64.
    for text in ("334 PDEyMy40NTZAeD4=", "334 " + encoded("x" * 3000),
                 "334 " + base64.b64encode(bytes(range(256))).decode()):
        scripts[f"{text[:30]} to CRAM-MD5"] = login(
            LOGIN, NOOP, mechanisms=("CRAM-MD5",), replies={"AUTH": text})
    for text in ("334", "334 PDEyMy!40NTZAeD4=", "334 PDEy My40NTZAeD4=",
                 "334 PDEyMy40NTZAeD4", "334 PDEyMy40NTZAeD4=="):
        fails = text == "334 PDEyMy40NTZAeD4"
        case = {"mechanisms": ("CRAM-MD5", "PLAIN"),
                "replies": {"AUTH CRAM-MD5": text, "RESPONSE": "535 no"}}
        answer = [] if fails else ["334 ..."]
        refused = {"cls": "SMTPAuthenticationError"} if fails else {}
        then = [] if fails else [f"AUTH PLAIN {PLAIN}"]
        scripts[f"{text} to CRAM-MD5, then PLAIN"] = half(
            LOGIN, **case, wire=(Wire(
                "challenge", ["AUTH CRAM-MD5", *answer, *then],
                ["AUTH CRAM-MD5", "334 *", f"AUTH PLAIN {PLAIN}"]),),
            differs={1: differs("challenge", cls=None, code=235,
                                text="ok")} if fails else {})
        scripts[f"{text} to CRAM-MD5"] = half(
            LOGIN, **{**case, "mechanisms": ("CRAM-MD5",)}, wire=(Wire(
                "challenge", ["AUTH CRAM-MD5", *answer],
                ["AUTH CRAM-MD5", "334 *"]),),
            differs={1: differs("challenge", code=None, text=None,
                                **refused)})
    # One more than there are answers.
    said = {"PLAIN": [f"AUTH PLAIN {PLAIN}", f"334 {PLAIN}"],
            "LOGIN": [f"AUTH LOGIN {USER}", f"334 {PASSWORD}",
                      f"334 {PASSWORD}"],
            "CRAM-MD5": ["AUTH CRAM-MD5", f"334 {cram()}", f"334 {cram()}"]}
    for mechanism, theirs in said.items():
        more = "334 " + CHALLENGES["CRAM-MD5"][0]
        loses = unsaid("said all", "SMTPAuthenticationError")
        ours = [*theirs, "334 *"] if mechanism == "PLAIN" else [
            *theirs[:-1], "334 *"]
        if mechanism == "PLAIN":
            scripts[f"one more to {mechanism}"] = login(
                LOGIN, NOOP, replies={"AUTH": more})
        else:
            scripts[f"one more to {mechanism}"] = login(
                LOGIN, NOOP, mechanisms=(mechanism,), differs={1: loses},
                replies={"RESPONSE": [more, "235 ok"]},
                wire=(Wire("said all", theirs, ours),))
        scripts[f"334 to whatever {mechanism} says"] = half(
            LOGIN, mechanisms=(mechanism,),
            replies={"AUTH": more, "RESPONSE": more},
            differs={1: differs("said all", cls="SMTPAuthenticationError")},
            wire=(Wire("said all", theirs + theirs[-1:] * (
                (7 if mechanism == "CRAM-MD5" else 6) - len(theirs)), ours),))
    # How long they are.
    for length in (8100, 9000, 12000, 12288, 13000, 17000):
        challenge = encoded("x" * (length // 4 * 3))
        make = login if length < 8192 else half
        script = scripts[f"a challenge of {length}"] = make(
            LOGIN, NOOP, mechanisms=("CRAM-MD5",),
            replies={"AUTH": f"334 {challenge}"})
        if length > 16384:
            script.differs[1] = unsaid("protocol", "EPROTOCOL")
        elif length > 12288:
            script.differs = {
                1: unsaid("12,288", "SMTPAuthenticationError",
                          connected=True),
                2: differs("line", cls=None, code=250, text="ok",
                           connected=True)}
            script.wire = (Wire("12,288", ["AUTH CRAM-MD5"],
                                ["AUTH CRAM-MD5", "334 *", "NOOP"]),)
        elif length > 8192:
            script.differs = {
                1: differs("line", cls=None, code=235, text="ok",
                           connected=True),
                2: differs("line", cls=None, code=250, text="ok",
                           connected=True)}
            script.wire = (Wire("line", ["AUTH CRAM-MD5"], [
                "AUTH CRAM-MD5", f"334 {cram(challenge)}", "NOOP"]),)
    return scripts


def names():
    """Names and passwords."""
    scripts = {}
    odd = ["a b", 'a"b', "a\\b", "a:b", "a=b,c", "a%sb", "a/b?c#d", "a\tb",
           " a ", "a\r\nRSET", "\x01", "\x7f", "me@example.org", "x" * 100]
    for number, word in enumerate(odd):
        for mechanism in ALL:
            for later in ({}, LATER):
                name = f"{mechanism} of odd ones, {number}" + (
                    ", later" if later else "")
                scripts[name] = login(("login", word, word, later), NOOP,
                                      mechanisms=(mechanism,))
                if mechanism == "CRAM-MD5" and "\n" in word:
                    scripts[name].differs[1] = unsaid(
                        "line ends", "SMTPNotSupportedError")
                    scripts[name].wire = (Wire(
                        "line ends", ["AUTH CRAM-MD5", "334 ..."], []),)
    # As long as can be in the command, and longer.
    for extra in (-1, 0):
        scripts[f"PLAIN of 512 octets {extra:+}"] = login(
            ("login", "me", "p" * (368 + extra)), NOOP)
        scripts[f"LOGIN of 512 octets {extra:+}"] = login(
            ("login", "u" * (372 + extra), "p"), NOOP, mechanisms=("LOGIN",))
    for length in (369, 370, 2000, 9000):
        response = encoded("\0me\0" + "p" * length)
        scripts[f"PLAIN with a password of {length}"] = login(
            ("login", "me", "p" * length), NOOP, wire=(Wire(
                "512", [f"AUTH PLAIN {response}"],
                ["AUTH PLAIN", f"334 {response}"]),))
        scripts[f"PLAIN with a password of {length}, later"] = login(
            ("login", "me", "p" * length, LATER), NOOP)
        scripts[f"CRAM-MD5 with a password of {length}"] = login(
            ("login", "me", "p" * length), NOOP, mechanisms=("CRAM-MD5",))
    for length in (373, 2000):
        scripts[f"LOGIN with a name of {length}"] = login(
            ("login", "u" * length, "p"), NOOP, mechanisms=("LOGIN",),
            wire=(Wire("512", [f"AUTH LOGIN {encoded('u' * length)}"],
                       ["AUTH LOGIN", f"334 {encoded('u' * length)}"]),))
    scripts["PLAIN with a password of 9300"] = login(
        ("login", "me", "p" * 9300), NOOP,
        differs={1: unsaid("12,288", "SMTPNotSupportedError")},
        wire=(Wire("12,288", ["AUTH PLAIN ..."], []),))
    scripts["PLAIN with a password of 9213, then LOGIN"] = login(
        ("login", "me", "p" * 9213), NOOP, mechanisms=("PLAIN", "LOGIN"),
        wire=(Wire("12,288", ["AUTH PLAIN ..."],
                   [f"AUTH LOGIN {USER}", f"334 {encoded('p' * 9213)}"]),))
    # What isn't ASCII.
    for user, password in (("m\xe9", "p"), ("me", "p\xe9"),
                           ("\u65e5\u672c", "\U0001f511")):
        for mechanism, said in (
                ("PLAIN", [f"AUTH PLAIN {encoded(chr(0) + user + chr(0) + password)}"]),
                ("LOGIN", [f"AUTH LOGIN {encoded(user)}",
                           f"334 {encoded(password)}"])):
            theirs = ["EHLO client.example.org"]
            if mechanism == "LOGIN" and user == "me":
                theirs.append(f"AUTH LOGIN {USER}")
            scripts[f"{mechanism} of {user} and {password}"] = half(
                ("login", user, password), mechanisms=(mechanism,),
                differs={1: differs("UTF-8", cls=None, code=235, text="ok")},
                wire=(Wire("UTF-8", theirs, [theirs[0], *said]),))
        scripts[f"CRAM-MD5 of {user} and {password}"] = half(
            ("login", user, password), mechanisms=("CRAM-MD5",),
            differs={1: differs("UTF-8", cls=None, code=235, text="ok")},
            wire=(Wire("UTF-8", ["AUTH CRAM-MD5"], [
                "AUTH CRAM-MD5", "334 " + cram(user=user,
                                               password=password)]),))
    return scripts


def own():
    """Mechanisms of one's own, and smtplib's one by one. smtplib: 32, 33"""
    def auth(how, *calls, initial=True, mechanisms=("XYZ", "PLAIN"), end=True,
             **more):
        call = ("auth", "XYZ", "me", "pass word",
                {"own": how, "initial": initial})
        make = login if end else half
        return make(EHLO, call, *calls, mechanisms=mechanisms, **more)

    rounds = {"AUTH": "334 " + encoded("one"),
              "RESPONSE": ["334 " + encoded("two"), "334 " + encoded(
                  "\x00\xff\r\n"), "235 2.7.0 in"]}
    three = {"answers": ["1", "2\x00\r\n", "3" * 300]}
    scripts = {
        "three rounds": auth(three, NOOP, SEND, replies=rounds),
        "three rounds, and first": auth(
            {"first": "0", **three}, NOOP, replies=rounds),
        "four rounds, and first": auth(
            {"first": "0", "answers": ["x"]}, NOOP, replies={
                "AUTH": "334 eA==", "RESPONSE": ["334 eA=="] * 3 + ["235 ok"]}),
        "five rounds, and first": auth(
            {"first": "0", "answers": ["x"]}, NOOP, replies={
                "AUTH": "334 eA==", "RESPONSE": ["334 eA=="] * 4 + ["235 ok"]},
            differs={2: differs("rounds", cls=None, code=235, text="ok")}),
        "five rounds": auth(
            {"answers": ["x"]}, NOOP, replies={
                "AUTH": "334 eA==", "RESPONSE": ["334 eA=="] * 4 + ["235 ok"]}),
        "nothing but first": auth(
            {"first": "0", "answers": ["x"]}, NOOP, replies={"AUTH": "235 ok"}),
        "empty answers": auth(
            {"answers": ["", "x", ""]}, NOOP, replies=rounds),
        "empty challenges": auth(
            {"answers": ["1", "2", "3"]}, NOOP, replies={
                "AUTH": "334", "RESPONSE": ["334", b"334 \r\n", "235 ok"]}),
        "empty first": auth(
            {"first": "", "answers": ["x"]}, NOOP, replies={"AUTH": "235 ok"},
            wire=(Wire("=", ["AUTH XYZ "], ["AUTH XYZ ="]),)),
        "first later": auth(
            {"first": "0", "answers": ["1"]}, NOOP, initial=False,
            replies={"AUTH": "334", "RESPONSE": ["334 eA==", "235 ok"]},
            differs={2: differs("first", heard=["x"])}),
        "first later, empty": auth(
            {"first": "", "answers": ["1"]}, NOOP, initial=False,
            replies={"AUTH": "334", "RESPONSE": ["334 eA==", "235 ok"]},
            differs={2: differs("first", heard=["x"])}),
        "rounds without end": auth(
            {"first": "0", "answers": ["x"]}, end=False,
            replies={"AUTH": "334 eA==", "RESPONSE": "334 eA=="},
            differs={2: differs("rounds", cls="SMTPAuthenticationError")},
            wire=(Wire("rounds", ["334 eA=="] * 5,
                       ["334 eA=="] * 5 + ["334 *"]),)),
        "rounds without end, all asked": auth(
            {"answers": ["x"]}, end=False,
            replies={"AUTH": "334 eA==", "RESPONSE": "334 eA=="},
            differs={2: differs("rounds", cls="SMTPAuthenticationError",
                                heard=["x"] * 5)},
            wire=(Wire("rounds", ["334 eA=="] * 6,
                       ["334 eA=="] * 5 + ["334 *"]),)),
        "one that fails at once": auth(
            {"answers": [None]}, end=False, replies=rounds,
            differs={2: differs("given up", cls="SMTPAuthenticationError")},
            wire=(Wire("given up", ["AUTH XYZ"], ["AUTH XYZ", "334 *"]),)),
        "one that fails later": auth(
            {"first": "0", "answers": ["1", None]}, end=False, replies=rounds,
            differs={2: differs("given up", cls="SMTPAuthenticationError")},
            wire=(Wire("given up", ["334 MQ=="], ["334 MQ==", "334 *"]),)),
        "a challenge that is not base64": auth(
            {"answers": ["1"]}, replies={"AUTH": "334 e!A=="},
            differs={2: differs("challenge", code=None, text=None,
                                heard=[])},
            wire=(Wire("challenge", ["334 MQ=="], ["334 *"]),)),
        "not offered": auth(
            three, NOOP, mechanisms=("PLAIN",), replies={"AUTH": "504 no"},
            differs={2: unsaid("not offered", "SMTPNotSupportedError")},
            wire=(Wire("not offered", ["AUTH XYZ"], []),)),
        "not offered, and accepted": auth(
            three, NOOP, mechanisms=("PLAIN",), replies=rounds,
            differs={2: unsaid("not offered", "SMTPNotSupportedError",
                               heard=[])},
            wire=(Wire("not offered", [
                "AUTH XYZ", "334 MQ==", "334 MgANCg==",
                "334 " + encoded("3" * 300)], []),)),
        "before EHLO": login(
            ("auth", "PLAIN", "me", "pass word"), NOOP,
            differs={number: differs(
                "hello", esmtp=True, ehlo="recorder\nPIPELINING\nAUTH PLAIN",
                extensions={"pipelining": "", "auth": "PLAIN"})
                for number in (1, 2, 3)},
            wire=(Wire("hello", [f"AUTH PLAIN {PLAIN}"],
                       ["EHLO client.example.org", f"AUTH PLAIN {PLAIN}"]),)),
    }
    for code in (250, 432, 454, 500, 501, 503, 504, 530, 534, 535, 538):
        scripts[f"{code}"] = auth(three, NOOP, replies={
            "AUTH": f"{code} 5.7.0 x"})
        scripts[f"{code} later"] = auth(three, NOOP, replies={
            **rounds, "RESPONSE": ["334 eA==", f"{code}-5.7.0 x\r\n{code} y"]})
    for mechanism in ALL:
        for later in ({}, LATER):
            for name in (mechanism, mechanism.lower()):
                scripts[f"{name}{', later' if later else ''}"] = login(
                    EHLO, ("auth", name, "me", "pass word", later), NOOP,
                    SEND, mechanisms=ALL)
            scripts[f"{mechanism} refused{', later' if later else ''}"] = login(
                EHLO, ("auth", mechanism, "me", "pass word", later), NOOP,
                mechanisms=ALL, replies={"AUTH": "535 5.7.8 no"})
    # Though it is not offered: the same where that is asked for.
    scripts["forced"] = login(
        EHLO, ("auth", "LOGIN", "me", "pass word", {"force": True}), NOOP)
    scripts["forced without extensions"] = session(
        EHLO, ("auth", "LOGIN", "me", "pass word", {"force": True}), NOOP,
        extensions=())
    return scripts


def sessions():
    """What comes before a login and after it."""
    wrong = {"AUTH": "535 5.7.8 no"}
    secret = f"AUTH PLAIN {PLAIN}"
    scripts = {
        "then a message": login(LOGIN, SEND, SEND),
        "EHLO before": login(EHLO, LOGIN, SEND),
        "a message before": login(SEND, LOGIN, SEND),
        "EHLO after": login(LOGIN, EHLO, SEND),
        "LMTP": login(LOGIN, SEND, lmtp=True),
        "a Unix socket": login(LOGIN, SEND, lmtp=True, unix=True),
        "HELO only": session(LOGIN, NOOP, replies={"EHLO": "502 no"}),
        "HELO before": login(("helo",), LOGIN, NOOP),
        "EHLO and HELO refused": session(
            LOGIN, NOOP, replies={"EHLO": "502 no", "HELO": "550 5.7.1 no"}),
        "never connected": Script([LOGIN]),
        "after a loss": half(
            EHLO, ("server", None), ("idle",), NOOP, LOGIN,
            differs={3: differs("timeout", connected=False)}),
        "twice": login(
            LOGIN, LOGIN, NOOP, replies={"AUTH": ["235 in", "503 again?"]},
            differs={2: unsaid("once", "EALREADY")},
            wire=(Wire("once", [secret, secret], [secret]),)),
        "as somebody else": login(
            LOGIN, ("login", "you", "pass word"), NOOP,
            replies={"AUTH": ["235 in", "503 again?"]},
            differs={2: unsaid("once", "EALREADY")},
            wire=(Wire("once", [secret, "AUTH PLAIN ..."],
                       [secret]),)),
        "refused, then again": login(
            LOGIN, LOGIN, SEND,
            replies={"AUTH": ["535 5.7.8 no", "235 ok"]}),
        "refused, then as somebody else": login(
            LOGIN, ("login", "you", "pass word"), SEND,
            replies={"AUTH": ["535 5.7.8 no", "235 ok"]}),
        "refused, then a message": login(
            LOGIN, NOOP, SEND, MAIL, NOOP, replies=wrong, differs={
                3: differs("unauthenticated", cls="SMTPAuthenticationError"),
                4: unsaid("unauthenticated", "SMTPAuthenticationError")},
            wire=(Wire("unauthenticated", [*MESSAGE, "MAIL FROM:..."], []),)),
        "refused, then quit, then again": half(
            LOGIN, QUIT, CONNECT, LOGIN, SEND, QUIT,
            replies={"AUTH": ["535 5.7.8 no", "235 ok"]}),
        "then quit, then again": half(
            LOGIN, SEND, QUIT, CONNECT, LOGIN, SEND, QUIT),
        "in a transaction": login(
            EHLO, MAIL, LOGIN, RCPT, differs={
                3: unsaid("transaction", "EPERM"),
                4: unsaid("transaction", "EPERM")},
            wire=(Wire("transaction", [secret, "RCPT TO:..."], []),)),
        "not in clear text": login(
            (*LOGIN, {"allow": False}), NOOP, differs={
                1: unsaid("no TLS", "SMTPAuthenticationError")},
            wire=(Wire("no TLS", [secret], []),)),
        "not in clear text, CRAM-MD5": login(
            (*LOGIN, {"allow": False}), NOOP, mechanisms=ALL, differs={
                1: unsaid("no TLS", "SMTPAuthenticationError")},
            wire=(Wire("no TLS", ["AUTH CRAM-MD5", f"334 {cram()}"], []),)),
        "not in clear text, one's own": login(
            EHLO, ("auth", "PLAIN", "me", "pass word", {"allow": False}), NOOP,
            differs={2: unsaid("no TLS", "SMTPAuthenticationError")},
            wire=(Wire("no TLS", [secret], []),)),
        "a Unix socket needs no leave": login(
            (*LOGIN, {"allow": False}), SEND, lmtp=True, unix=True),
        # smtplib: 34
        "within TLS": login(
            EHLO, ("starttls",), (*LOGIN, {"allow": False}), SEND, tls=True,
            mechanisms=ALL),
        "within TLS, refused": login(
            EHLO, ("starttls",), (*LOGIN, {"allow": False}), NOOP, tls=True,
            mechanisms=ALL, replies={"AUTH": ["504 a", "535 b", "535 c"]}),
        "no name and no password": login(
            EHLO, ("login", "", ""), NOOP,
            differs={2: unsaid("nobody", "refused EINVAL")},
            wire=(Wire("nobody", ["AUTH PLAIN AAA="], []),)),
        "no password": login(
            EHLO, ("login", "me", ""), NOOP,
            differs={2: unsaid("nobody", "refused EINVAL")},
            wire=(Wire("nobody", ["AUTH PLAIN AG1lAA=="], []),)),
        "no name": login(
            EHLO, ("login", "", "pass word"), NOOP,
            differs={2: unsaid("nobody", "refused EINVAL")},
            wire=(Wire("nobody", ["AUTH PLAIN AABwYXNzIHdvcmQ="], []),)),
        "NUL in the name": login(
            ("login", "m\0e", "p"), NOOP,
            differs={1: unsaid("NUL", "SMTPNotSupportedError")},
            wire=(Wire("NUL", ["AUTH PLAIN ..."], []),)),
        "NUL in the password": login(
            ("login", "me", "p\0q"), NOOP,
            differs={1: unsaid("NUL", "SMTPNotSupportedError")},
            wire=(Wire("NUL", ["AUTH PLAIN ..."], []),)),
        "NUL, and CRAM-MD5": login(
            ("login", "me", "p\0q"), NOOP, mechanisms=("CRAM-MD5",)),
    }
    return scripts


SCRIPTS = {f"{part.__name__}: {name}": script
           for part in (choices, refusals, losses, challenges, names, own,
                        sessions)
           for name, script in part().items()}
