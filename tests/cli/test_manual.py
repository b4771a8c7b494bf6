# SPDX-License-Identifier: MIT
"""The man page: it parses without a complaint, and says what the program's own help says."""

import re
import shutil
import subprocess
import sys

from cli import Store, check, equal, finish, skip

PAGE = sys.argv[2]


def plain():
    """The page as text, options with two plain hyphens."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    return text.replace("\\-", "-").replace("Fl -", "--")


with Store() as store:
    page = plain()
    overview = store.good("--help", db=False).out
    section = overview.split("\ncommands\n")[1].split("\n\n")[0]
    names = re.findall(r"^  ([a-z-]+(?: (?:add|remove|list|on|off|capture|show|compare|check|set|diff)\b)?)", section, re.MULTILINE)
    check(len(names) >= 20, f"the help has {len(names)} commands")
    for name in names:
        check(re.search(rf"^\.It Cm {name}\b", page, re.MULTILINE), f"the page has {name}")
        for option in re.findall(r"^ {4,6}(?:-\w, )? *(--[a-z-]+)",
                                 store.good("help", *name.split(), db=False).out, re.MULTILINE):
            check(option in page, f"the page has {option} of {name}")
    for number, meaning in re.findall(r"^  (\d)  (\w+)", overview.split("exit codes")[1],
                                      re.MULTILINE):
        check(re.search(rf"^\.It {number}\n{meaning}", page, re.MULTILINE | re.IGNORECASE),
              f"the page has exit code {number}, {meaning}")
    for variable in re.findall(r"\[(CANARY_\w+)\]", overview):
        check(f"Ev {variable}" in page, f"the page has {variable}")
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "style", PAGE], capture_output=True,
                              text=True, check=False)
        complaints = [line for line in lint.stdout.splitlines() if "mandoc.db" not in line]
        equal(complaints, [], "mandoc has no complaint")
    else:
        skip("mandoc is not installed: the page is not linted")
    if shutil.which("man"):
        shown = subprocess.run(["man", "-l", "--warnings", PAGE], capture_output=True, text=True,
                               env=store.environment({"MANPAGER": "cat"}), check=False)
        equal((shown.returncode, shown.stderr), (0, ""), "man shows it without a warning")
    else:
        skip("man is not installed: the page is not shown")
finish()
