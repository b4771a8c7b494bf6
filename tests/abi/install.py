#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the library somewhere else, and builds a stranger's program against it.

install.py WAY BUILD_DIR SOURCE_DIR COMPILER...

WAY is pkgconfig, static, cmake or subproject. Every way proves that the program runs, and that what
it runs is the library just installed.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIP = 77


def run(*command, **more):
    print("$", *command, flush=True)
    finished = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )
    print(finished.stdout, flush=True)
    if finished.returncode != 0:
        raise SystemExit(f"status {finished.returncode} from: {' '.join(map(str, command))}")
    return finished.stdout


def need(tool):
    if shutil.which(tool) is None:
        print(f"skipped: there is no {tool} here")
        raise SystemExit(SKIP)


def installed(build, scratch):
    """Installs below the scratch directory; answers the prefix and the library directory."""
    root = scratch / "root"
    subprocess.run(
        ["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", str(root)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    libraries = list(root.rglob("libcanary.so"))
    if len(libraries) != 1:
        raise SystemExit(f"libcanary.so was installed {len(libraries)} times")
    libdir = libraries[0].parent
    prefix = next(root.rglob("include")).parent
    return prefix, libdir


def runs(program, library_path=None):
    environment = dict(os.environ)
    environment.pop("LD_LIBRARY_PATH", None)
    if library_path is not None:
        environment["LD_LIBRARY_PATH"] = str(library_path)
        loaded = run("ldd", program, env=environment)
        if str(library_path) not in loaded:
            raise SystemExit("the program loads another libcanary")
    run(program, env=environment)


def flags(prefix, libdir, *wanted, package="libcanary"):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(libdir / "pkgconfig"))
    return run(
        "pkg-config", f"--define-variable=prefix={prefix}", *wanted, package, env=environment
    ).split()


# A program that lets its release be judged: it names the judging library alone.
JUDGED = """
#include <canary/judge.h>
int main(void) {
    canary_policy *policy = 0;
    return canary_policy_parse("{}", 2, &policy, 0, 0, 0) != CANARY_E_INVALID;
}
"""


def pkgconfig(compiler, scratch, consumer, build, _source):
    need("pkg-config")
    prefix, libdir = installed(build, scratch)
    program = scratch / "consumer"
    run(*compiler, consumer, "-o", program, *flags(prefix, libdir, "--cflags", "--libs"))
    runs(program, libdir)
    for name in ("canary.h", "storage.h", "conformance.h"):
        if not (prefix / "include" / "canary" / name).exists():
            raise SystemExit(f"{name} is not installed")
    public = flags(prefix, libdir, "--libs")
    if "-lcanary" not in public or any(flag in public for flag in ("-lsqlite3", "-lsodium")):
        raise SystemExit(f"a program would link more than libcanary: {public}")
    if (libdir / "libcanary-judge.so").exists():
        (scratch / "judged.c").write_text(JUDGED)
        run(*compiler, scratch / "judged.c", "-o", scratch / "judged",
            *flags(prefix, libdir, "--cflags", "--libs", package="libcanary-judge"))
        runs(scratch / "judged", libdir)


def static(compiler, scratch, consumer, build, _source):
    need("pkg-config")
    prefix, libdir = installed(build, scratch)
    # With the shared library out of the way -lcanary can only mean the archive.
    for shared in libdir.glob("libcanary.so*"):
        shared.unlink()
    empty = scratch / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    needs = subprocess.run(
        ["pkg-config", "--static", "--libs", "libsodium", "sqlite3"],
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.split()
    if subprocess.run([*compiler, empty, "-o", scratch / "empty", *needs], check=False).returncode:
        print("skipped: what the system's own SQLite asks for is not installed")
        raise SystemExit(SKIP)
    program = scratch / "consumer"
    wanted = flags(prefix, libdir, "--cflags", "--libs", "--static")
    run(*compiler, consumer, "-o", program, *wanted)
    runs(program)


CMAKE_PROJECT = """
cmake_minimum_required(VERSION 3.18)
project(consumer C)
find_package(libcanary 0.1 CONFIG REQUIRED)
add_executable(shared consumer.c)
target_link_libraries(shared PRIVATE canary::canary)
add_executable(archived consumer.c)
target_link_libraries(archived PRIVATE canary::canary_static)
add_executable(tested consumer.c)
target_link_libraries(tested PRIVATE canary::conformance)
if(TARGET canary::judge)
  add_executable(judged judged.c)
  target_link_libraries(judged PRIVATE canary::judge)
endif()
"""

CMAKE_REFUSED = """
cmake_minimum_required(VERSION 3.18)
project(consumer C)
find_package(libcanary 0.2 CONFIG QUIET)
if(libcanary_FOUND)
  message(FATAL_ERROR "0.1 was accepted where 0.2 is asked for")
endif()
find_package(libcanary CONFIG REQUIRED)
"""


def cmake(compiler, scratch, consumer, build, _source):
    need("cmake")
    prefix, libdir = installed(build, scratch)
    environment = dict(os.environ, CC=compiler[-1])
    for name, text in (("accepted", CMAKE_PROJECT), ("refused", CMAKE_REFUSED)):
        project = scratch / name
        project.mkdir()
        (project / "CMakeLists.txt").write_text(text)
        shutil.copy(consumer, project)
        (project / "judged.c").write_text(JUDGED)
        run(
            "cmake", "-G", "Ninja", "-S", project, "-B", project / "out",
            f"-DCMAKE_PREFIX_PATH={prefix}", env=environment,
        )
    out = scratch / "accepted" / "out"
    run("cmake", "--build", out)
    runs(out / "shared", libdir)
    runs(out / "archived")
    runs(out / "tested", libdir)
    if (libdir / "libcanary-judge.so").exists():
        runs(out / "judged", libdir)


MESON_PROJECT = """
project('consumer', 'c')
libcanary = dependency('libcanary', fallback: 'libcanary')
executable('consumer', 'consumer.c', dependencies: libcanary)
"""


def subproject(compiler, scratch, consumer, _build, source):
    project = scratch / "project"
    (project / "subprojects").mkdir(parents=True)
    (project / "subprojects" / "libcanary").symlink_to(source)
    (project / "meson.build").write_text(MESON_PROJECT)
    shutil.copy(consumer, project)
    environment = dict(os.environ, CC=" ".join(compiler))
    run("meson", "setup", "--wrap-mode=nofallback", "--force-fallback-for=libcanary",
        scratch / "out", project, env=environment)
    run("ninja", "-C", scratch / "out", "consumer")
    runs(scratch / "out" / "consumer")


WAYS = {"pkgconfig": pkgconfig, "static": static, "cmake": cmake, "subproject": subproject}


def main(way, build, source, *compiler):
    consumer = pathlib.Path(__file__).with_name("consumer.c")
    with tempfile.TemporaryDirectory() as scratch:
        WAYS[way](compiler, pathlib.Path(scratch), consumer, build, pathlib.Path(source))


if __name__ == "__main__":
    main(*sys.argv[1:])
