# SPDX-License-Identifier: MIT
"""The project's pages, for the tests beside this file."""
import pathlib
import re

# What is written for readers. Rejects nothing: a new page is tested from its first day.
def pages(top):
    top = pathlib.Path(top)
    found = sorted(top.glob("*.md")) + sorted((top / "docs").glob("*.md"))
    assert len(found) > 10, f"only {len(found)} pages below {top}"
    return {page: page.read_text(encoding="utf-8") for page in found}


def code(text):
    """Code of a page: lines of blocks, and what stands between backticks, with line numbers."""
    fenced = False
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or (line.startswith("    ") and (before == "" or before.startswith("    "))):
            yield number, line.strip()
        else:
            for match in re.finditer(r"`([^`]+)`", line):
                yield number, match.group(1)
        before = line


def finish(problems, checked, what):
    for problem in problems:
        print(problem)
    print(f"{checked} {what} checked, {len(problems)} wrong")
    # A pattern that finds nothing any more would pass for ever.
    return 1 if problems or checked == 0 else 0
