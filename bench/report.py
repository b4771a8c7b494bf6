#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tables of what the benchmarks recorded.

report.py --record FILE --build DIR --json FILE [--load N] [--page FILE] [--picture FILE]
          [--judges FILE]

FILE of --record has one line of JSON a figure (lib/record.h). All of it goes, with the machine,
into the one file of --json; budgets and figures are printed. With --page the part between the two
markers of that page is replaced by the same as Markdown, with --picture a picture of decisions is
drawn, with --judges one of those who judge releases. The status is 1 when a budget was missed.
"""
import argparse
import json
import os
import re
import sys

import judges
import machine
import picture

BEGIN = "<!-- made by scripts/bench: begin -->"
END = "<!-- made by scripts/bench: end -->"
# Names of their figures end with what becomes a column.
PIVOTED = ("latency", "kernels", "judges", "margins")


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def read_log(build):
    """What programs printed, by name, and the names of those that failed."""
    texts, failed = {}, []
    try:
        for test in read_lines(os.path.join(build, "meson-logs", "benchmarklog.json")):
            texts[test["name"]] = ((test.get("stdout") or "") + (test.get("stderr") or "")).rstrip()
            if test["result"] not in ("OK", "SKIP"):
                failed.append(test["name"])
    except (OSError, ValueError):
        pass
    return texts, failed


def program_of(name):
    return name.replace(" ", "_")


def number(value):
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    if value == int(value):
        return str(int(value))
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def verdict(budget):
    if budget["kept"] is None:
        return "–"
    return "ok" if budget["kept"] else "MISSED"


def ratio(budget):
    if budget["ratio"] is None:
        return ""
    return f"{budget['ratio']:.3f} ({budget['sense']} {budget['limit']:g})"


class Plain:
    """For a terminal."""

    def heading(self, text, level):
        return ["", text, "=" * len(text)] if level == 2 else ["", text]

    def note(self, text):
        return [f"  ({text})"]

    def table(self, columns, rows):
        table = [columns, *rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(columns))]
        lines = []
        for row in table:
            cells = [cell.ljust(width) if i == 0 or not cell[:1].isdigit() else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(row, widths))]
            lines.append("  " + "  ".join(cells).rstrip())
        return lines

    def text(self, text):
        return text.splitlines()


class Markdown:
    def heading(self, text, level):
        return ["", "#" * level + " " + text, ""]

    def note(self, text):
        return ["", text[:1].upper() + text[1:] + "."]

    def table(self, columns, rows):
        align = ["---"] + ["--:" if all(cell[i][:1].isdigit() or not cell[i] for cell in rows)
                           else "---" for i in range(1, len(columns))]
        return ["| " + " | ".join(row) + " |" for row in [columns, align, *rows]]

    def text(self, text):
        return ["```", *text.splitlines(), "```"]


def budgets_of(lines):
    return [line for line in lines if line["kind"] == "budget"]


def plain_tables(style, lines):
    """One table for each heading of a program, in the order they came."""
    by_heading = {}
    for line in lines:
        by_heading.setdefault(line["heading"], []).append(line)
    for heading, members in by_heading.items():
        rows = []
        for line in members:
            if line["kind"] == "figure":
                spread = ""
                if "low" in line:
                    spread = f"{number(line['low'])} to {number(line['high'])}"
                rows.append([line["name"], f"{number(line['value'])} {line['unit']}".rstrip(),
                             spread])
        notes = [line["text"] for line in members if line["kind"] == "note"]
        if not rows:
            continue
        columns = ["", "median", "8 of 10 rounds"]
        if not any(row[2] for row in rows):
            rows, columns = [row[:2] for row in rows], ["", "figure"]
        yield from style.heading(heading, 3)
        yield from style.table(columns, rows)
        for note in notes:
            yield from style.note(note)


def pivoted_tables(style, lines):
    """Rows named by all but the end of a figure's name, columns by its end."""
    groups, notes, units = {}, [], {}
    for line in lines:
        if line["kind"] == "note":
            notes.append(line["text"])
        if line["kind"] == "figure":
            row, _, column = line["name"].rpartition(", ")
            heading = line["heading"].split(", by ")[0]
            groups.setdefault(heading, {}).setdefault(row, {})[column] = line
            units[heading] = line["unit"]
    for heading, rows in groups.items():
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        table = []
        for row, cells in rows.items():
            values = [number(cells[column]["value"]) if column in cells else ""
                      for column in columns]
            table.append([row.removeprefix(heading + ", "), *values])
        yield from style.heading(f"{heading}, {units[heading]}", 3)
        yield from style.table(["", *columns], table)
    for note in notes:
        yield from style.note(note)


def page(style, found):
    lines = found["lines"]
    yield from style.heading("Budgets", 2)
    yield from style.table(
        ["budget", "figure", "ratio", ""],
        [[line["budget"], line["figure"], ratio(line), verdict(line)]
         for line in budgets_of(lines)])
    yield from style.heading("Machine", 2)
    yield from style.table(["", ""], [list(pair) for pair in machine.as_lines(found["machine"])])
    yield from style.heading("Figures", 2)
    for program in dict.fromkeys(line["program"] for line in lines):
        own = [line for line in lines if line["program"] == program]
        yield from (pivoted_tables if program in PIVOTED else plain_tables)(style, own)
    recorded = {line["program"] for line in lines}
    for name, text in found["texts"].items():
        if program_of(name) not in recorded and text:
            yield from style.heading(name.capitalize(), 3)
            yield from style.text(text)


def replace_part(path, part):
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        sys.exit(f"{path}: the two markers are not there")
    part = re.sub(r"\n{3,}", "\n\n", part)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{part}\n\n{END}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--load", type=float)
    parser.add_argument("--page")
    parser.add_argument("--picture")
    parser.add_argument("--judges")
    options = parser.parse_args()
    texts, failed = read_log(options.build)
    found = {"machine": machine.describe(options.build), "lines": read_lines(options.record),
             "texts": texts}
    if options.load is not None:
        found["machine"]["load"] = options.load
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    if options.page:
        replace_part(options.page, "\n".join(page(Markdown(), found)))
    if options.picture:
        with open(options.picture, "w", encoding="utf-8") as file:
            file.write(picture.draw(found))
    if options.judges and judges.rows(found):
        with open(options.judges, "w", encoding="utf-8") as file:
            file.write(judges.draw(found))
    # People read the end of it: figures first, budgets last.
    text = list(page(Plain(), found))
    start = text.index("Machine")
    print("\n".join(text[start - 1:] + text[:start - 1]))
    missed = [line["program"] for line in budgets_of(found["lines"]) if line["kept"] is False]
    if missed:
        print(f"\n{len(missed)} missed")
    for name in failed:
        if program_of(name) not in missed:
            print(f"\n{name} failed:", *texts[name].splitlines()[-20:], sep="\n  ")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
