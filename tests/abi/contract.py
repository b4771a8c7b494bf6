#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every exported function has a comment, and a thread word and a blocking word.

contract.py INCLUDE_DIR

The words stand in the function's own comment, or once for a whole header in a comment that begins
"All calls below" and says both. Every public struct and callback type is described as well.
"""
import pathlib
import re
import sys

import surface

COMMENT = re.compile(r"/\*.*?\*/", re.S)


def comment_before(text, position):
    """The comment that ends right before a declaration, or None."""
    last = None
    for match in COMMENT.finditer(text, 0, position):
        last = match
    if last is None or text[last.end() : position].strip():
        return None
    return " ".join(last.group(0).replace("\n *", " ").split())


def has_words(comment):
    return "Thread:" in comment and "Blocking:" in comment


def complaints_of(header):
    text = header.read_text()
    spans = [(m.start(), m.end()) for m in COMMENT.finditer(text)]
    block = next(
        (
            start
            for start, end in spans
            if re.match(r"/\*\s*All calls below", text[start:end]) and has_words(text[start:end])
        ),
        None,
    )
    for match in re.finditer(r"^CANARY_API\b", text, re.M):
        if any(start <= match.start() < end for start, end in spans):
            continue
        name = re.search(r"\b(canary_\w+)\s*\(", text[match.start() :]).group(1)
        comment = comment_before(text, match.start())
        if comment is None:
            yield f"{header.name}: {name} has no comment"
        elif not has_words(comment) and not (block is not None and block < match.start()):
            yield f"{header.name}: the comment of {name} lacks a thread or a blocking word"
    for match in re.finditer(r"^typedef struct (canary_\w+) \{", text, re.M):
        before = text[: match.start()].rstrip()
        if not before.endswith("*/"):
            yield f"{header.name}: struct {match.group(1)} has no comment"


def version_complaints(include, version):
    text = (pathlib.Path(include) / "canary" / "version.h").read_text()
    numbers = re.findall(r"#define CANARY_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text)
    spelled = re.search(r'#define CANARY_VERSION "(.*)"', text).group(1)
    if not ".".join(numbers) == spelled == version:
        yield f"version.h says {'.'.join(numbers)} and {spelled}, the build says {version}"


def main(include, version):
    complaints = [
        complaint
        for header in surface.headers(pathlib.Path(include) / "canary")
        for complaint in complaints_of(header)
    ]
    complaints += version_complaints(include, version)
    print("\n".join(complaints) or "every call is documented")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
