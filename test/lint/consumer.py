#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A project of somebody else's builds against uvsmtp in the ways there are.

usage: consumer.py SOURCE_ROOT BUILD_ROOT

A meson project with one program, the embedding example of the documentation,
is built three times and its program run:

 - against the installed library, by its pkg-config file, shared;
 - the same with static libraries preferred, which is pkg-config --static;
 - with uvsmtp as a subproject, found through a wrap file's [provide].

installed.py looks closer at what is installed; this is about meson consumers.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = """project('consumer', 'c', version: '1', {default})
uvsmtp_dep = dependency('uvsmtp', version: '>=0.1', {how})
executable('consumer', 'main.c', dependencies: uvsmtp_dep)
"""

# What a wrap of the project says but for where it is to be had.
WRAP = """[wrap-file]
directory = uvsmtp

[provide]
dependency_names = uvsmtp
"""

MESON = shlex.split(os.environ.get("MESON", "meson"))


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], text=True,
                          capture_output=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, args))}: {done.returncode}\n"
                 f"{done.stdout}{done.stderr}")
    return done.stdout


def consumer(scratch, name, source, default="", how=""):
    project = scratch / name
    project.mkdir()
    (project / "meson.build").write_text(
        PROJECT.format(default=default, how=how))
    example = source / "docs/examples/embed.c"
    (project / "main.c").write_text(example.read_text())
    return project


def build(project, env, *options):
    run(*MESON, "setup", project / "b", project, *options, env=env)
    run(*MESON, "compile", "-C", project / "b", env=env)
    program = project / "b/consumer"
    # Without arguments the example says by its status that it wants some.
    done = subprocess.run([program], env=env, check=False)
    if done.returncode != 64:
        sys.exit(f"{program}: {done.returncode}")
    return program


def needed(program):
    text = run(os.environ.get("READELF", "readelf"), "-d", program)
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def stage(scratch, build_root):
    """Installs, and lets the pkg-config file say where."""
    root = scratch / "stage"
    run(*MESON, "install", "-C", build_root, "--no-rebuild", "--destdir", root)
    metadata = next(root.rglob("uvsmtp.pc"))
    text = metadata.read_text()
    prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
    metadata.write_text(
        text.replace(f"prefix={prefix}", f"prefix={root}{prefix}", 1))
    return metadata.parent


def main():
    source, build_root = Path(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        packages = stage(scratch, build_root)
        env = dict(os.environ, PKG_CONFIG_PATH=str(packages),
                   LD_LIBRARY_PATH=str(packages.parent))

        program = build(consumer(scratch, "shared", source), env)
        if "libuvsmtp.so.0" not in needed(program):
            sys.exit(f"{program} does not ask for libuvsmtp.so.0")

        program = build(consumer(scratch, "static", source,
                                 how="static: true"), env)
        if any("uvsmtp" in name for name in needed(program)):
            sys.exit(f"{program} asks for the shared library")

        project = consumer(scratch, "sub", source)
        (project / "subprojects").mkdir()
        (project / "subprojects/uvsmtp.wrap").write_text(WRAP)
        (project / "subprojects/uvsmtp").symlink_to(source)
        build(project, dict(os.environ), "--wrap-mode=forcefallback")


if __name__ == "__main__":
    main()
