# SPDX-License-Identifier: MIT
"""What the tests of canaryctl share: a store of their own, running the program, saying each check."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("CANARYCTL", "canaryctl")

failures = 0
checks = 0


def check(condition, what, detail=""):
    """One line for each thing that is checked, so that a log says what was proved."""
    global failures, checks
    checks += 1
    if condition:
        print(f"ok      {what}", flush=True)
    else:
        failures += 1
        print(f"FAILED  {what}\n        {detail}", flush=True)
    return bool(condition)


def equal(found, expected, what):
    return check(found == expected, what, f"found {found!r}, expected {expected!r}")


def contains(text, part, what):
    return check(part in text, what, f"{part!r} is not in {text!r}")


def skip(what):
    print(f"skipped {what}", flush=True)


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out_bytes = process.stdout
        self.err_bytes = process.stderr
        self.out = process.stdout.decode("utf-8", "replace")
        self.err = process.stderr.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self):
        return json.loads(self.err)

    def __repr__(self):
        return f"exit {self.code}, out {self.out!r}, err {self.err!r}"


class Store:
    """A directory with a database in it; nothing of the caller's environment reaches the program."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="canaryctl-"))
        self.path = self.directory / "app.db"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self, more=None):
        clean = {"PATH": os.environ.get("PATH", ""), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        for name in ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                clean[name] = os.environ[name]
        clean.update(more or {})
        return clean

    def run(self, *words, env=None, stdin=b"", db=True, user=None):
        command = [PROGRAM] + (["--db", str(self.path)] if db else []) + list(words)
        process = subprocess.run(
            command, input=stdin, capture_output=True, env=self.environment(env), timeout=120,
            user=user,
        )
        # A sanitizer's exit code is 1, which many a command here is meant to end with.
        if b"Sanitizer" in process.stderr or b"runtime error" in process.stderr:
            check(False, f"canaryctl {' '.join(map(str, words))} pleases the sanitizers",
                  process.stderr.decode("utf-8", "replace"))
        return Result(process)

    def good(self, *words, **more):
        """Runs what must succeed; a failure here is a failed check, not an exception."""
        result = self.run(*words, **more)
        if result.code != 0:
            check(False, f"canaryctl {' '.join(map(str, words))} succeeds", repr(result))
        return result

    def js(self, *words, **more):
        return self.good("-o", "json", *words, **more).json

    def start(self, *words, env=None, **more):
        command = [PROGRAM, "--db", str(self.path)] + list(words)
        return subprocess.Popen(command, env=self.environment(env), **more)


def ordinary_user():
    """A user whom permissions hold back, to be given to run(); None when we are one ourselves.

    Raises LookupError when there is no way to be one."""
    if os.geteuid() != 0:
        return None
    nobody = 65534
    try:
        subprocess.run([PROGRAM, "--version"], user=nobody, check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError) as reason:
        raise LookupError(f"we are root, and nobody cannot run the program: {reason}") from reason
    return nobody


@contextlib.contextmanager
def locked(path):
    """Holds the database exclusively from another process, as a stuck backup would."""
    code = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
        "db.execute('ROLLBACK')\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    holder.stdout.readline()
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait()


def finish(missing=None):
    """Ends the test; `missing` names what a part of it could not be run without, and makes it a skip."""
    print(f"{checks - failures} of {checks} checks passed")
    if missing and checks and not failures:
        print(f"skipped: {missing}")
        sys.exit(77)
    sys.exit(1 if failures or not checks else 0)
