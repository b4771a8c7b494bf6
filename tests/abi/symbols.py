#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Headers, symbol map and real exports of a library say the same.

symbols.py LIBRARY MAP NODE SONAME HEADER...
"""
import pathlib
import re
import subprocess
import sys

import surface


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def mapped(path):
    """Names of each version node of a map, `local` aside."""
    nodes = {}
    text = surface.comment_free(pathlib.Path(path).read_text())
    for name, body in re.findall(r"(\w+[\w.]*)\s*\{(.*?)\}", text, re.S):
        exported = re.search(r"global:(.*?)(?:local:|$)", body, re.S)
        nodes[name] = set(re.findall(r"[\w*?]+", exported.group(1))) if exported else set()
    return nodes


def exported(library):
    """Exported names and their version nodes."""
    found = {}
    for line in output("nm", "-D", "--defined-only", library).splitlines():
        kind, name = line.split()[-2:]
        if kind == "A":
            continue  # the version nodes themselves
        name, _, node = name.replace("@@", "@").partition("@")
        found[name] = node
    return found


def differences(one_name, one, other_name, other):
    for name in sorted(one - other):
        yield f"{name} is in {one_name} and not in {other_name}"
    for name in sorted(other - one):
        yield f"{name} is in {other_name} and not in {one_name}"


def main(library, map_path, node, soname, *headers):
    declared = {name for path in headers for name in surface.declared(pathlib.Path(path))}
    nodes = mapped(map_path)
    listed = set().union(*nodes.values())
    real = exported(library)
    complaints = list(differences("the headers", declared, "the map", listed))
    complaints += differences("the map", listed, "the exports", set(real))
    complaints += [f"{name} is no canary_ name" for name in real if not name.startswith("canary_")]
    complaints += [f"{name} is internal" for name in real if name.startswith("canary__")]
    complaints += [f"{name} is a pattern, not a name" for name in listed if not name.isidentifier()]
    for name, version in sorted(real.items()):
        if name not in nodes.get(version, ()):
            complaints.append(f"{name} is exported as {version or 'unversioned'}")
    if node not in nodes:
        complaints.append(f"the map has no node {node}")
    actual = re.findall(r"\(SONAME\).*\[(.*)\]", output("readelf", "-dW", library))
    if actual != [soname]:
        complaints.append(f"soname is {actual}, not {soname}")
    if not declared:
        complaints.append("no declaration was found in the headers")
    print(f"{len(declared)} declared, {len(listed)} in the map, {len(real)} exported")
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
