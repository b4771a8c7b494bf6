# SPDX-License-Identifier: MIT
"""The tables, as text that is Markdown as well."""
import datetime
import os
import platform
import re
import statistics
import subprocess

from catalogue import BASES, LANGUAGES
from install import PEERS, TOP

NAMES = {"native": "Native", "go": "Go", "python": "Python", "node": "Node"}
WANTED = {"native": 10, "python": 10, "go": 3}
SHARE = 25


def _first_line(*command):
    try:
        said = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return said[0].strip() if said else ""


def machine():
    cpu = platform.processor()
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    commit = _first_line("git", "rev-parse", "--short=12", "HEAD") or "unknown"
    if _first_line("git", "status", "--porcelain", "--", "lib", "include", "bindings"):
        commit += " with changes"
    facts = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "commit": commit,
        "cc": _first_line("cc", "--version"),
        "rustc": _first_line("rustc", "--version"),
        "go": _first_line("go", "version"),
        "python": f"Python {platform.python_version()}",
        "node": (_first_line("node", "--version") or "").replace("v", "Node ", 1),
        "load": f"{os.getloadavg()[0]:.1f} before the run",
    }
    return {name: fact for name, fact in facts.items() if fact}


def _ns(value):
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}".replace(",", " ")


def _rate(value):
    return f"{value / 1e6:.2f}" if value < 1e7 else f"{value / 1e6:.1f}"


def _is_off(result):
    """Whether the share cannot be chance: five standard deviations, and a bucket of slack."""
    chance = 100 * (0.25 * 0.75 / result["decisions"]) ** 0.5
    return abs(result["share_percent"] - SHARE) > 5 * chance + 0.1


def _row(row, result):
    share = "-" if row.kind == "floor" else f"{result['share_percent']:.1f} %"
    ready = _ns(result["ready_ns"]) if "ready_ns" in result else "-"
    ratio = f"{result['ratio']:.2f}"
    title = f"**{row.title}**" if row.kind in ("ours", "base") else row.title
    if row.kind == "floor":
        title = f"*{row.title}*"
    return (f"| {title} | {result['version']} | {_ns(result['ns'])} | {_ns(result['best_ns'])} | "
            f"{ready} | "
            f"{_rate(result['per_second'])} | {ratio} | {share} | {result['spread_percent']:.0f} % |")


def _verdict(language, rows, results, bases):
    peers = [row for row in rows if row.kind == "peer" and row.name in results]
    if language not in WANTED or not peers:
        return []
    fastest = min(peers, key=lambda row: results[row.name]["ratio"])
    ratio, wanted = results[fastest.name]["ratio"], WANTED[language]
    said = (f"Fastest peer: {fastest.title}, {ratio:.1f} times the time of {bases[language].title}; "
            f"wanted {wanted}: {'reached' if ratio >= wanted else 'missed'}.")
    slower = sum(results[row.name]["ratio"] >= wanted for row in peers)
    said += f" {slower} of {len(peers)} peers are at {wanted} or more."
    if language == "native" and "c-many" in results:
        many = ratio / results["c-many"]["ratio"]
        said += f" Against canary_decide_many: {many:.1f} times."
    if ratio < wanted and language == "native" and "c-hash" in results:
        floor = results[fastest.name]["best_ns"] / results["c-hash"]["best_ns"]
        said += (f" By the best rounds, a decision that were nothing but its hash would be at "
                 f"{floor:.1f}.")
    return ["", said]


def table(rows, outcome):
    """Everything a run found out: machine, one table a language, what could not be had."""
    facts, results, failed, bases = (outcome[key] for key in
                                     ("machine", "results", "failed", "bases"))
    lines = [f"{facts['date']}, {facts['cpu']}, {facts['system']}; libcanary {facts['commit']}" +
             (f", hashing with {outcome['kernels']}; " if outcome["kernels"] else "; ") +
             "; ".join(facts[tool] for tool in ("cc", "rustc", "go", "python", "node")
                       if tool in facts) +
             f"; load {facts['load']}. {outcome['rounds']} rounds of "
             f"{outcome['round_ms']} ms, one thread."]
    for language in LANGUAGES:
        here = [row for row in rows if row.language == language]
        known = sorted((row for row in here if row.name in results),
                       key=lambda row: results[row.name]["ratio"])
        if not known:
            continue
        base = bases[language]
        lines += ["", f"### {NAMES[language]}", "",
                  f"| against {base.title} | version | ns a decision | best round | "
                  "with a ready user | million a second | times the base | share | spread |",
                  "|---|---|---:|---:|---:|---:|---:|---:|---:|"]
        lines += [_row(row, results[row.name]) for row in known]
        lines += _verdict(language, here, results, bases)
        lines += ["", f"{base.title} in the same rounds: "
                  f"{_ns(statistics.median(results[row.name]['base_ns'] for row in known))} ns."]
    wrong = [row for row in rows if row.name in results and row.kind != "floor"
             and _is_off(results[row.name])]
    if wrong:
        lines += ["", "These do not come out at 25 %, and so do not answer the question: " +
                  ", ".join(row.title for row in wrong) + "."]
    if failed:
        lines += ["", "### Not measured", "", "| row | reason |", "|---|---|"]
        lines += [f"| {row.title} | {failed[row.name]} |" for row in rows if row.name in failed]
    return "\n".join(lines) + "\n"


def calls(rows):
    """What one call does, row by row."""
    lines = ["| row | one call |", "|---|---|"]
    for language in LANGUAGES:
        lines += [f"| {NAMES[language]}: {row.title} | {row.does} |" for row in rows
                  if row.language == language]
    return "\n".join(lines) + "\n"


def rewrite(path, parts):
    """Puts each part between its two marks in a document."""
    with open(path) as file:
        text = file.read()
    for name, part in parts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin not in text or end not in text:
            raise SystemExit(f"{path}: there are no marks '{begin}' and '{end}'")
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end),
                      lambda _: f"{begin}\n{part}{end}", text, flags=re.DOTALL)
    with open(path, "w") as file:
        file.write(text)
