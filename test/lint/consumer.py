#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A project of somebody else's builds against uvsmtp in the ways there are.

usage: consumer.py SOURCE_ROOT BUILD_ROOT WAY

WAY is one of

  shared      a meson project against the installed library, by its pkg-config
              file
  static      the same with static libraries preferred: pkg-config --static
  cxx         the first, in C++
  subproject  with uvsmtp as a subproject, found through a wrap file
  cmake       a CMake project in C and C++, by the pkg-config file
  whole       no shared library at all, not even the C library
  uninstalled by the README's commands, against the build directory

Each builds the embedding example of the documentation and runs it. Ends with 77
where the tools for a way are missing. installed.py looks at what is installed.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MESON_PROJECT = """project('consumer', '{language}', version: '1')
uvsmtp_dep = dependency('uvsmtp', version: '>=0.1', {how})
executable('consumer', 'main.{suffix}', dependencies: uvsmtp_dep)
"""

CMAKE_PROJECT = """cmake_minimum_required(VERSION 3.13)
project(consumer C CXX)
find_package(PkgConfig REQUIRED)
pkg_check_modules(UVSMTP REQUIRED IMPORTED_TARGET uvsmtp>=0.1)
add_executable(consumer main.c)
target_link_libraries(consumer PkgConfig::UVSMTP)
add_executable(consumer_cxx main.cc)
target_link_libraries(consumer_cxx PkgConfig::UVSMTP)
"""

MESON = shlex.split(os.environ.get("MESON", "meson"))
CC = shlex.split(os.environ.get("CC", "cc"))
SHARED = "libuvsmtp.so.0"


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], text=True,
                          capture_output=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, args))}: {done.returncode}\n"
                 f"{done.stdout}{done.stderr}")
    return done.stdout


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def project(scratch, source, files):
    """A directory with the example and some more files."""
    directory = scratch / "consumer"
    directory.mkdir()
    example = (source / "docs/examples/embed.c").read_text()
    for suffix in ("c", "cc"):
        (directory / f"main.{suffix}").write_text(example)
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    return directory


def meson_project(scratch, source, language="c", how="", **files):
    suffix = {"c": "c", "cpp": "cc"}[language]
    return project(scratch, source, {"meson.build": MESON_PROJECT.format(
        language=language, suffix=suffix, how=how), **files})


def meson_build(directory, env, *options):
    run(*MESON, "setup", directory / "b", directory, *options, env=env)
    run(*MESON, "compile", "-C", directory / "b", env=env)
    return directory / "b/consumer"


def check(program, env, needs=None, needs_not=None):
    """It runs, and asks for these shared libraries."""
    # Without arguments the example says by its status that it wants some.
    done = subprocess.run([program], env=env, check=False)
    if done.returncode != 64:
        sys.exit(f"{program}: {done.returncode}")
    text = run(os.environ.get("READELF", "readelf"), "-d", program)
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", text)
    if needs is not None and needs not in needed:
        sys.exit(f"{program} does not ask for {needs}, but for {needed}")
    if needs_not is not None and any(needs_not in name for name in needed):
        sys.exit(f"{program} asks for {needed}")


def before(env, name, directory):
    """An environment that has a directory before those that it had there."""
    return dict(env, **{name: ":".join(
        [str(directory), *filter(None, [env.get(name)])])})


def stage(scratch, build_root):
    """Installs, and lets the pkg-config file say where. Returns what the
    environment of a build is then."""
    root = scratch / "stage"
    run(*MESON, "install", "-C", build_root, "--no-rebuild", "--destdir", root)
    metadata = next(root.rglob("uvsmtp.pc"))
    text = metadata.read_text()
    prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
    metadata.write_text(
        text.replace(f"prefix={prefix}", f"prefix={root}{prefix}", 1))
    return before(before(os.environ, "PKG_CONFIG_PATH", metadata.parent),
                  "LD_LIBRARY_PATH", metadata.parent.parent)


def shared(scratch, source, build_root):
    env = stage(scratch, build_root)
    check(meson_build(meson_project(scratch, source), env), env, needs=SHARED)


def static(scratch, source, build_root):
    env = stage(scratch, build_root)
    directory = meson_project(scratch, source, how="static: true")
    check(meson_build(directory, env), env, needs_not="uvsmtp")


def cxx(scratch, source, build_root):
    if shutil.which(os.environ.get("CXX", "c++")) is None:
        skip("no C++ compiler")
    env = stage(scratch, build_root)
    directory = meson_project(scratch, source, language="cpp")
    check(meson_build(directory, env), env, needs=SHARED)


def subproject(scratch, source, _build_root):
    """The wrap file is the one of the documentation, but for where it says that
    the sources are."""
    page = (source / "docs/packaging.md").read_text()
    wrap = re.search(r"^```ini\n(.*?)^```$", page, re.M | re.S).group(1)
    wrap = wrap[wrap.index("[provide]"):]
    directory = meson_project(scratch, source, **{
        "subprojects/uvsmtp.wrap": f"[wrap-file]\ndirectory = uvsmtp\n\n{wrap}"})
    (directory / "subprojects/uvsmtp").symlink_to(source)
    env = dict(os.environ)
    check(meson_build(directory, env, "--wrap-mode=forcefallback"), env,
          needs=SHARED)


def cmake(scratch, source, build_root):
    if shutil.which("cmake") is None:
        skip("no cmake")
    env = stage(scratch, build_root)
    directory = project(scratch, source, {"CMakeLists.txt": CMAKE_PROJECT})
    run("cmake", "-G", "Ninja", "-S", directory, "-B", directory / "b", env=env)
    run("cmake", "--build", directory / "b", env=env)
    for name in ("consumer", "consumer_cxx"):
        check(directory / "b" / name, env, needs=SHARED)


def whole(scratch, source, build_root):
    """The command line is the one of the documentation."""
    env = stage(scratch, build_root)
    if subprocess.run(["pkg-config", "--exists", "libuv-static"], env=env,
                      check=False).returncode != 0:
        skip("no static libuv")
    directory = project(scratch, source, {})
    page = (source / "docs/packaging.md").read_text()
    command = re.search(r"^cc -static .*?\)$", page, re.M | re.S).group()
    command = command.replace("cc ", shlex.join(CC) + " ", 1)
    run("sh", "-c", command, cwd=directory, env=env)
    check(directory / "main", env, needs_not="")


def uninstalled(scratch, source, build_root):
    """As the README says, with the places that it can't know."""
    page = (source / "README.md").read_text()
    commands = re.search(r"^export PKG_CONFIG_PATH.*?\n(?=\./embed)", page,
                         re.M | re.S).group()
    # The places last: they may be called like what is looked for.
    for says, means in (("\ncc ", f"\n{shlex.join(CC)} "),
                        ("docs/", f"{source}/docs/"),
                        ("$PWD/build", build_root)):
        if says not in commands:
            sys.exit(f"no {says!r} in {commands!r}")
        commands = commands.replace(says, means)
    # Paths that there are already may be those of a Mbed TLS.
    commands = re.sub(r"(\w+_PATH)=(\S+)", r"\1=\2${\1:+:$\1}", commands)
    run("sh", "-e", "-c", commands, cwd=scratch)
    check(scratch / "embed",
          before(os.environ, "LD_LIBRARY_PATH", f"{build_root}/lib"),
          needs=SHARED)


WAYS = {way.__name__: way for way in (
    shared, static, cxx, subproject, cmake, whole, uninstalled)}


def main():
    source, build_root, way = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    with tempfile.TemporaryDirectory() as directory:
        WAYS[way](Path(directory), source, build_root)


if __name__ == "__main__":
    main()
