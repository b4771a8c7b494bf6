#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks into the built library for what hurts a program that loads it at run time.

binary.py ARCHIVE SHARED [ALLOWED...]

The archive: only canary_ and canary__ names, so that nothing clashes with the host program; no
constructors or destructors, no thread-local storage, no atexit, nothing that prints, exits or
aborts. The shared object: no thread-local segment, at most the compiler's own start-up entry in
.init_array, never unloaded (`nodelete`), read-only relocations, no text relocations. ALLOWED are
functions that this library may call all the same.
"""
import re
import subprocess
import sys

# What a library has no business calling in somebody else's process.
FORBIDDEN = {
    "atexit", "on_exit", "__cxa_atexit", "__cxa_thread_atexit", "__cxa_thread_atexit_impl",
    "__tls_get_addr", "__emutls_get_address",
    "exit", "_exit", "_Exit", "quick_exit", "abort", "__assert_fail",
    "printf", "puts", "putchar", "perror", "stdout", "stderr", "__printf_chk",
    "signal", "sigaction", "setenv", "unsetenv", "putenv", "setlocale", "chdir", "umask", "system",
    "popen", "gets", "strcpy", "strcat", "sprintf", "strtok", "localtime", "gmtime", "ctime",
}
FORBIDDEN_SECTIONS = re.compile(r"^\.(init_array|fini_array|preinit_array|ctors|dtors|tdata|tbss)")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def archive_complaints(archive, allowed):
    for line in output("nm", "-g", "--defined-only", archive).splitlines():
        fields = line.split()
        if len(fields) == 3 and not fields[2].startswith("canary_"):
            yield f"{fields[2]} is defined in the archive without our prefix"
    member = "?"
    for line in output("nm", "-u", archive).splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.split() and line.split()[-1] in FORBIDDEN - allowed:
            yield f"{member} uses {line.split()[-1]}"
    member = "?"
    for line in output("readelf", "-SW", archive).splitlines():
        if line.startswith("File:"):
            member = line
        section = re.match(r"\s*\[\s*\d+\]\s+(\S+)", line)
        if section and FORBIDDEN_SECTIONS.match(section.group(1)):
            yield f"{member} has a section {section.group(1)}"


def shared_complaints(shared):
    if re.search(r"^\s+TLS\s", output("readelf", "-lW", shared), re.M):
        yield "the shared object has thread-local storage"
    for line in output("readelf", "-SW", shared).splitlines():
        section = re.match(
            r"\s*\[\s*\d+\]\s+(\.(?:init|fini)_array)\s+\S+\s+\S+\s+\S+\s+([0-9a-f]+)", line
        )
        # One pointer each is frame_dummy and its twin, from the compiler's start-up object.
        if section and int(section.group(2), 16) > 8:
            yield f"{section.group(1)} holds more than the compiler's own entry"
    dynamic = output("readelf", "-dW", shared)
    if "NODELETE" not in dynamic:
        yield "the shared object can be unloaded: -z nodelete is missing"
    if not re.search(r"\bNOW\b", dynamic):
        yield "relocations are lazy: -z now is missing"
    if "TEXTREL" in dynamic:
        yield "the shared object has text relocations"
    if not re.search(r"^\s+GNU_RELRO\s", output("readelf", "-lW", shared), re.M):
        yield "relocations stay writable: -z relro is missing"
    if re.search(r"GNU_STACK.*RWE", output("readelf", "-lW", shared)):
        yield "the stack is executable"


def main(archive, shared, *allowed):
    complaints = [*archive_complaints(archive, set(allowed)), *shared_complaints(shared)]
    print("\n".join(complaints) or "nothing to complain about")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
