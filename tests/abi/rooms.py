#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each room includes only rooms below it; programs include public headers only.

rooms.py SOURCE_DIR
"""
import pathlib
import re
import sys

MAY_KNOW = {
    "base": {"base"},
    "core": {"base", "core"},
    "storage": {"base", "core", "storage"},
    "control": {"base", "core", "storage", "control"},
    "observe": {"base", "core", "storage", "control", "observe"},
    "conformance": {"conformance"},
    # A library of its own to be, on public headers.
    "judge": {"judge"},
}


def included(path):
    return re.findall(r'^#include "([\w/.]+)"', path.read_text(), re.M)


def main(top):
    top = pathlib.Path(top)
    complaints = []
    looked_at = 0
    for room, known in MAY_KNOW.items():
        for path in sorted((top / "lib" / room).glob("*.[ch]")):
            looked_at += 1
            for name in included(path):
                if name.split("/")[0] not in known:
                    complaints.append(f"lib/{room}/{path.name} includes {name}")
    for directory in ("tools", "examples"):
        for path in sorted((top / directory).rglob("*.[ch]")):
            looked_at += 1
            for name in included(path):
                if not (path.parent / name).exists():
                    complaints.append(f"{path.relative_to(top)} includes {name}")
    print(f"{looked_at} files")
    print("\n".join(complaints))
    return 1 if complaints or looked_at == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
