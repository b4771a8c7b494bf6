# SPDX-License-Identifier: MIT
"""commands.py TOP CANARYCTL: every canaryctl line in the pages names a command and options that it
has, and the exit codes in the pages are those of its help."""
import pathlib
import re
import shlex
import subprocess
import sys

from pages import code, finish, pages


def help_of(canaryctl, *words):
    return subprocess.run([canaryctl, "help", *words], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def commands_in(overview):
    """Two spaces, one or two words in lower case, then the synopsis."""
    section = overview.split("\ncommands\n")[1].split("\n\n")[0]
    return re.findall(r"^  ([a-z-]+(?: (?:add|remove|list|on|off|capture|show|compare)\b)?)", section, re.MULTILINE)


def split(line):
    line = re.sub(r"[|<>;&].*", "", line.replace("\\", ""))
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


class Checker:
    def __init__(self, canaryctl):
        self.overview = help_of(canaryctl)
        self.commands = {name: help_of(canaryctl, *name.split())
                         for name in commands_in(self.overview)}
        assert len(self.commands) > 15, f"only {sorted(self.commands)} in the help"
        self.legacy = self.overview.split("older spellings")[1].split("exit codes")[0]

    def problem(self, line):
        words = split(line)[1:]
        options = [word.partition("=")[0] for word in words if word.startswith("-")]
        for first in range(len(words)):
            pair = " ".join(words[first:first + 2])
            name = pair if pair in self.commands else words[first]
            if name in self.commands:
                page = self.commands[name]
                break
        else:
            name, page = "no command", self.overview + self.legacy
            plain = [word for word in words if re.fullmatch(r"[a-z]{3,}", word)]
            if plain and not options:
                return f"there is no command in: {line}"
        for option in options:
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", page):
                return f"{option} does not go with {name}: {line}"
        return None


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    checker = Checker(sys.argv[2])
    problems, checked = [], 0
    for page, text in pages(top).items():
        for number, piece in code(text):
            # Also behind "$ ", a prompt, and a variable set for the one command.
            match = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(canaryctl .*)", piece)
            if match is not None and "(1)" not in piece:
                checked += 1
                problem = checker.problem(match.group(1))
                if problem is not None:
                    problems.append(f"{page.relative_to(top)}:{number}: {problem}")
    operating = (top / "docs/operating.md").read_text()
    section = operating.split("## Exit codes")[1].split("\n## ")[0]
    written = set(re.findall(r"^\| (\d) \|", section, re.MULTILINE))
    told = set(re.findall(r"^  (\d)  ", checker.overview.split("exit codes")[1], re.MULTILINE))
    if written != told:
        problems.append(f"docs/operating.md: exit codes {sorted(written)}, help {sorted(told)}")
    for variable in ("CANARY_DB", "CANARY_ROLLOUT", "CANARY_ACTOR", "CANARY_OUTPUT"):
        if f"[{variable}]" not in checker.overview or variable not in operating:
            problems.append(f"{variable}: not in the help, or not in docs/operating.md")
    return finish(problems, checked, "command lines")


sys.exit(main())
