# SPDX-License-Identifier: MIT
"""names.py TOP: every public name in the pages is one of the headers, or what Prometheus reads; every
error and every family is explained."""
import pathlib
import re
import sys

from pages import finish, pages

# Environment variables; the tool's are checked against its help by commands.py. The percentage is what it
# tells others.
ENVIRONMENT = {"CANARY_DB", "CANARY_ROLLOUT", "CANARY_ACTOR", "CANARY_OUTPUT", "CANARY_WEBHOOK",
               "CANARY_PERCENTAGE"}
# Variables of the scripts, and what meson.build calls its dependencies.
NOT_IN_HEADERS = re.compile(r"CANARY_(?:MESON_ARGS|BUILD_DIR|TEST_[A-Z_]+)|canary_\w+_dep")


# What the samples of a family are called.
SAMPLES = {"gauge": ("",), "counter": ("", "_total"), "histogram": ("", "_bucket", "_sum", "_count"),
           "summary": ("", "_sum", "_count")}


def families(top):
    """{name: type} of lib/observe."""
    found = {}
    for file in (top / "lib/observe").glob("openmetrics*.c"):
        for name, kind in re.findall(r'\{\s*"(canary_\w+)",\s*"?(\w+)"?,', file.read_text()):
            found[name] = kind.lower()
    assert len(found) > 20, f"only {sorted(found)} in lib/observe"
    return found


def words(text):
    # "canary_..." and "CANARY_E_" name families.
    return set(re.findall(r"\b(?:canary|CANARY)_[A-Za-z0-9_]*[A-Za-z0-9]\b(?!\.\.\.)", text))


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    headers = "".join(header.read_text() for header in (top / "include/canary").glob("*.h"))
    inside = "".join(file.read_text(errors="replace") for room in ("lib", "scripts", "tests", "tools", ".ci")
                     for file in (top / room).rglob("*")
                     if file.is_file() and file.suffix in ("", ".c", ".h", ".build"))
    known = words(headers)
    problems, checked = [], 0
    exposed = families(top)
    known.update(name + suffix for name, kind in exposed.items() for suffix in SAMPLES[kind])
    table = (top / "docs/metrics.md").read_text()
    for name, kind in exposed.items():
        checked += 1
        if f"\n| `{name}{'_total' if kind == 'counter' else ''}` | {kind} |" not in table:
            problems.append(f"docs/metrics.md: no row for {name}, a {kind}")
    for page, text in pages(top).items():
        for word in sorted(words(text)):
            checked += 1
            internal = word.startswith("canary__")
            if word in ENVIRONMENT or NOT_IN_HEADERS.fullmatch(word) and word in inside:
                continue
            if internal and word not in ("canary__room_verb",) and word not in inside:
                problems.append(f"{page.relative_to(top)}: there is no {word} in lib/")
            if not internal and word not in known:
                problems.append(f"{page.relative_to(top)}: there is no {word} in the headers")
    table = (top / "docs/errors.md").read_text()
    for name, number in re.findall(r"#define\s+(CANARY_(?:OK|E_\w+))\s+(?:\\\s+)?\(?(-?\d+)\)?",
                                   headers):
        checked += 1
        if not re.search(rf"^\| `{name}` \| {number} \|", table, re.MULTILINE):
            problems.append(f"docs/errors.md: no row for {name} with its number {number}")
    suite = (top / "lib/conformance/suite.c").read_text()
    checks = re.findall(r'\{ "([a-z-]+)", canary__\w+, ', suite)
    assert len(checks) > 20, f"only {checks} in the conformance suite"
    for check in checks:
        checked += 1
        if f"`{check}`" not in (top / "docs/writing-a-store.md").read_text():
            problems.append(f"docs/writing-a-store.md: nothing about the check {check}")
    return finish(problems, checked, "names")


sys.exit(main())
