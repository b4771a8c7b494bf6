# SPDX-License-Identifier: MIT
"""readme.py TOP README-PROGRAM CANARYCTL LIBDIR: the README's program is examples/readme.c, it has
twenty lines, and the session that the README shows is what happens, word for word."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def block(text, language):
    return re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL).group(1)


def main():
    top, program, canaryctl = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    text = (top / "README.md").read_text()
    listing = block(text, "c")
    assert listing == (top / "examples/readme.c").read_text(), \
        "the program in README.md is not examples/readme.c"
    assert len(listing.splitlines()) == 20, f"twenty lines, {len(listing.splitlines())} found"

    directory = pathlib.Path(tempfile.mkdtemp(prefix="canary-readme-"))
    os.symlink(os.path.abspath(program), directory / "checkout")
    os.symlink(os.path.abspath(canaryctl), directory / "canaryctl")
    environment = dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}", CANARY_ACTOR="test")
    for name in ("CANARY_DB", "CANARY_ROLLOUT", "CANARY_OUTPUT", "CANARY_KILL"):
        environment.pop(name, None)

    def run(line):
        return subprocess.run(line, shell=True, cwd=directory, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    # Without a store: a line, and the old path for everybody.
    alone = run("./checkout alice")
    assert "everybody gets the old path" in alone.stdout, alone.stdout
    assert alone.stdout.endswith("alice: old checkout\n") and alone.returncode == 0, alone.stdout

    steps = re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block(text, "console"), re.MULTILINE)
    assert len(steps) > 5, steps
    for line, shown in steps:
        if line.startswith("cc "):
            continue  # the program was built by the build, from the same text
        done = run(line)
        assert done.returncode == 0, f"{line}: exit code {done.returncode}\n{done.stdout}"
        if not line.startswith("canaryctl"):
            assert done.stdout == shown, f"{line}: shown\n{shown}printed\n{done.stdout}"
    shutil.rmtree(directory)
    print(f"{len(steps)} lines of the README's session are so")
    return 0


sys.exit(main())
