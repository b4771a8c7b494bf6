#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The size of the library after `strip`, which must have neither SQLite nor libsodium in it.

library_size.py LIBRARY [--smoke]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

LIMIT = 250_000
BUDGET = "library, stripped, without SQLite and libsodium: 250 KB"
HEADING = "The library"


def record(**line):
    path = os.environ.get("CANARY_BENCH_RECORD")
    if path:
        with open(path, "a", encoding="utf-8") as out:
            out.write(json.dumps({"program": "library_size", "heading": HEADING, **line}) + "\n")


def stripped_size(library):
    with tempfile.TemporaryDirectory() as directory:
        copy = os.path.join(directory, "library")
        subprocess.run(["strip", "-o", copy, library], check=True)
        return os.path.getsize(copy)


def main(arguments):
    library = os.path.realpath(arguments[0])
    smoke = "--smoke" in arguments
    if shutil.which("strip") is None:
        print("there is no strip here")
        return 77
    size = stripped_size(library)
    needed = subprocess.run(["readelf", "--dynamic", library], capture_output=True, text=True,
                            check=False).stdout
    apart = "libsodium" in needed and "libsqlite3" in needed
    kept = size <= LIMIT
    print(HEADING)
    print(f"  {os.path.basename(library)}, stripped: {size} bytes")
    if not apart:
        print("  (SQLite or libsodium is linked in: the budget is for a library without them)")
    verdict = "ok" if kept else "not judged" if smoke or not apart else "MISSED"
    print(f"  BUDGET {BUDGET}: ratio {size / LIMIT:.3f}, at most 1.00: {verdict}")
    record(kind="figure", name="stripped", unit="bytes", value=size)
    if apart:
        record(kind="budget", budget=BUDGET, figure=f"{size} bytes", sense="at most",
               ratio=size / LIMIT, limit=1.0, kept=kept)
    else:
        record(kind="budget", budget=BUDGET, figure="not here: SQLite or libsodium is linked in",
               ratio=None, limit=None, kept=None)
    return 1 if apart and not kept and not smoke else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
