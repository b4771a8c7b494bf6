# SPDX-License-Identifier: MIT
"""What the public headers say, read from their text."""
import pathlib
import re


def comment_free(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def headers(directory):
    found = sorted(pathlib.Path(directory).glob("*.h"))
    if not found:
        raise SystemExit(f"no headers in {directory}")
    return found


# `CANARY_API` in a #define is the mark's own definition; everything else is a declaration.
DECLARATION = re.compile(r"^CANARY_API\b[^;{]*?\b(canary_\w+)\s*\(", re.M)


def declared(header):
    """Names of the functions a header exports, in order."""
    return DECLARATION.findall(comment_free(header.read_text()))


def initialisers(header):
    """Pairs of struct and macro: canary_error, CANARY_ERROR_INIT."""
    macros = re.findall(r"^#define (CANARY_(\w+)_INIT)\b", header.read_text(), re.M)
    return [("canary_" + stem.lower(), macro) for macro, stem in macros]
