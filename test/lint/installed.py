#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is installed can be used: by pkg-config, shared and static.

usage: installed.py SOURCE_ROOT BUILD_ROOT CC

Installs into a scratch directory, looks whether all that should be is there and
nothing else, compiles the embedding example against it as
a stranger would, and looks at what the shared library is called and asks for,
and at what pkg-config tells.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

# What the shared library may need: libuv, Mbed TLS, libidn2, the C library and
# its loader.
NEEDED = re.compile(r"libuv\.so\.1|libmbed(?:tls|x509|crypto)\.so\.\d+|"
                    r"libidn2\.so\.0|"
                    r"libc\.so\.6|ld-linux[-a-z0-9_]*\.so\.\d+|"
                    r"libpthread\.so\.0|libdl\.so\.2|librt\.so\.1")

# What is installed below the prefix, and which of it must be.
LIBRARY_FOLDER = r"lib(?:64|/[\w-]+-linux-gnu\w*)?/"
FILES = {
    r"include/uvsmtp\.h": True,
    r"include/uvsmtp/auth\.h": True,
    r"include/uvsmtp/errors\.h": True,
    r"include/uvsmtp/file\.h": True,
    r"include/uvsmtp/message\.h": True,
    r"include/uvsmtp/params\.h": True,
    r"include/uvsmtp/send\.h": True,
    r"include/uvsmtp/printer\.h": True,
    r"include/uvsmtp/proto\.h": True,
    r"include/uvsmtp/tls\.h": True,
    r"include/uvsmtp/types\.h": True,
    r"include/uvsmtp/version\.h": True,
    LIBRARY_FOLDER + r"libuvsmtp\.a": True,
    LIBRARY_FOLDER + r"libuvsmtp\.so": True,
    LIBRARY_FOLDER + r"libuvsmtp\.so\.0": True,
    LIBRARY_FOLDER + r"libuvsmtp\.so\.\d+\.\d+\.\d+": True,
    LIBRARY_FOLDER + r"pkgconfig/uvsmtp\.pc": True,
    # Only with the command line.
    r"bin/uvsmtp": False,
    r"share/man/man1/uvsmtp\.1": False,
    r"share/bash-completion/completions/uvsmtp": False,
}


def check_files(top):
    found = [str(path.relative_to(top)) for path in sorted(top.rglob("*"))
             if not path.is_dir()]
    for name in found:
        if not any(re.fullmatch(pattern, name) for pattern in FILES):
            sys.exit(f"{name} is installed: what for?")
    for pattern, needed in FILES.items():
        if needed and not any(re.fullmatch(pattern, name) for name in found):
            sys.exit(f"nothing like {pattern} is installed")


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], text=True,
                          capture_output=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, args))}\n{done.stdout}{done.stderr}")
    return done.stdout


def only(directory, pattern):
    found = sorted(directory.rglob(pattern))
    if not found:
        sys.exit(f"no {pattern} was installed")
    return found[0]


def pkgconfig(env, *args):
    return shlex.split(run(os.environ.get("PKG_CONFIG", "pkg-config"), *args,
                           "uvsmtp", env=env))


def dynamic(program, tag):
    text = run(os.environ.get("READELF", "readelf"), "-d", program)
    return re.findall(rf"\({tag}\).*\[(.*)\]", text)


def main():
    source, build, cc = Path(sys.argv[1]), sys.argv[2], shlex.split(sys.argv[3])
    with tempfile.TemporaryDirectory() as scratch:
        stage = Path(scratch)
        run(*shlex.split(os.environ.get("MESON", "meson")), "install",
            "-C", build, "--no-rebuild", "--destdir", stage)
        metadata = only(stage, "uvsmtp.pc")
        text = metadata.read_text()
        prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
        check_files(Path(f"{stage}{prefix}"))
        metadata.write_text(text.replace(f"prefix={prefix}",
                                         f"prefix={stage}{prefix}", 1))
        env = dict(os.environ)
        env["PKG_CONFIG_PATH"] = ":".join(
            [str(metadata.parent), env.get("PKG_CONFIG_PATH", "")])

        example = source / "docs/examples/embed.c"
        flags = ["-std=c11", "-D_GNU_SOURCE"]
        shared = stage / "shared"
        run(*cc, *flags, example, "-o", shared,
            *pkgconfig(env, "--cflags", "--libs"))
        if "libuvsmtp.so.0" not in dynamic(shared, "NEEDED"):
            sys.exit("the example does not ask for libuvsmtp.so.0")

        # They are the library's own affair.
        for flag in pkgconfig(env, "--libs"):
            if re.search(r"mbed(tls|x509|crypto)|idn2", flag):
                sys.exit(f"pkg-config says {flag} without --static")

        library = only(stage, "libuvsmtp.so.0")
        if dynamic(library, "SONAME") != ["libuvsmtp.so.0"]:
            sys.exit("the shared library has another SONAME")
        for name in dynamic(library, "NEEDED"):
            if not NEEDED.fullmatch(name):
                sys.exit(f"the shared library needs {name}")

        static = stage / "static"
        archive = only(stage, "libuvsmtp.a")
        libraries = [archive if flag == "-luvsmtp" else flag for flag in
                     pkgconfig(env, "--static", "--libs")]
        run(*cc, *flags, example, "-o", static, *pkgconfig(env, "--cflags"),
            *libraries)
        if any("uvsmtp" in name for name in dynamic(static, "NEEDED")):
            sys.exit("the static example asks for the shared library")


if __name__ == "__main__":
    main()
