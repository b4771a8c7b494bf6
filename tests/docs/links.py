# SPDX-License-Identifier: MIT
"""links.py TOP: every link between pages, and every path named in them, leads somewhere."""
import pathlib
import re
import sys

from pages import code, finish, pages

ROOMS = ("include", "lib", "tools", "examples", "tests", "docs", "scripts", "bench", "subprojects",
         ".ci", "bindings")
# Made by a build or a program, not kept.
MADE = ("build/",)


def anchors(text):
    """As hosting sites make them of headings."""
    found = set()
    for heading in re.findall(r"^#+ +(.*)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.replace(" ", "-"))
    return found


def check_link(top, page, target, problems):
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    name = page.relative_to(top)
    if not file.exists():
        problems.append(f"{name}: the link to {target} leads nowhere")
    elif not file.is_relative_to(top):
        problems.append(f"{name}: the link to {target} leads out of the project")
    elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
        problems.append(f"{name}: {target}: there is no such heading")


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    problems, checked = [], 0
    for page, text in pages(top).items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not re.match(r"[a-z]+:", target):
                check_link(top, page, target, problems)
                checked += 1
        for number, piece in code(text):
            for path in re.findall(r"(?:^|(?<=\s))(?:\./)?([\w.-]+(?:/[\w.-]+)+/?)", piece):
                if path.split("/")[0] not in ROOMS or path.startswith(MADE):
                    continue
                checked += 1
                if not (top / path).exists():
                    problems.append(f"{page.relative_to(top)}:{number}: there is no {path}")
    return finish(problems, checked, "links and paths")


sys.exit(main())
