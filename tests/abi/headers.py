#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every public header alone, as the first and only thing a program includes.

headers.py INCLUDE_DIR LANGUAGE COMPILER...     LANGUAGE is c11 or c++11

-Wpadded proves that no public struct has implicit padding. The initialiser macros are used once
each, since nothing else would compile them in C++.
"""
import pathlib
import subprocess
import sys
import tempfile

import surface

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors", "-Wpadded"]


def main(include, language, compiler):
    suffix = ".c" if language == "c11" else ".cpp"
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        for header in surface.headers(pathlib.Path(include) / "canary"):
            source = pathlib.Path(scratch) / (header.stem + suffix)
            lines = [f"#include <canary/{header.name}>"]
            for struct, macro in surface.initialisers(header):
                lines += [f"extern {struct} one_{struct};", f"{struct} one_{struct} = {macro};"]
            lines += ["extern int the_end;", "int the_end = 0;"]
            source.write_text("\n".join(lines) + "\n")
            command = [*compiler, f"-std={language}", *WARNINGS, f"-I{include}"]
            run = subprocess.run(
                [*command, "-c", str(source), "-o", str(source) + ".o"],
                capture_output=True,
                text=True,
            )
            print("ok  " if run.returncode == 0 else "FAIL", language, header.name)
            if run.returncode != 0:
                print(run.stderr)
                failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
