# SPDX-License-Identifier: MIT
"""own_store.py TOP PROGRAM: the example store has as many lines of code as the page says, advances a
rollout, keeps rows that people can read, and refuses what people broke, leaving it as it is."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def lines_of_code(path):
    bare = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    return sum(1 for line in bare.splitlines() if line.strip())


def advance(program, directory):
    return subprocess.run([program, directory, "spring"], capture_output=True, text=True, timeout=60)


def refuses(program, file, content, part):
    file.write_text(content)
    run = advance(program, file.parent)
    assert run.returncode == 1 and "CORRUPT" in run.stderr and part in run.stderr, (part, run)
    assert file.read_text() == content, f"{part}: the damaged file was written over"


def main():
    top, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    page = " ".join((top / "docs/writing-a-store.md").read_text().split())
    said = int(re.search(r"in (\d+) lines of code", page).group(1))
    real = lines_of_code(top / "examples/json_store.c")
    assert said == real, f"docs/writing-a-store.md says {said} lines of code, there are {real}"

    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "rollouts.json"
        for expected in ("stage 1, 5 %", "stage 2, 25 %"):
            run = advance(program, directory)
            assert run.returncode == 0 and expected in run.stdout, run
        text = file.read_text()
        tables = json.loads(text)
        assert [row["name"] for row in tables["rollouts"]] == ["spring"], tables
        assert [row["id"] for row in tables["changes"]] == [1, 2, 3], tables
        assert len(text.splitlines()) > 50, "not one value a line"

        # Places stay, so that a diff shows what was changed; what libcanary does not know stays too.
        file.write_text(json.dumps({"about": "us"} | {name: tables[name] for name in sorted(tables)}))
        assert advance(program, directory).returncode == 0
        assert list(json.loads(file.read_text())) == ["about", *sorted(tables)]

        refuses(program, file, text[:-20], "line ")
        refuses(program, file, "", "line ")
        refuses(program, file, "[]", "no JSON object")
        refuses(program, file, json.dumps(tables | {"rollouts": {}}), "list")
        refuses(program, file, text.replace('"percentage_bp": 2500', '"percentage_bp": "2500"'),
                "percentage_bp")
        tables["rollouts"] *= 2
        refuses(program, file, json.dumps(tables), "same key")
    print(f"{real} lines of code, and it works")


main()
