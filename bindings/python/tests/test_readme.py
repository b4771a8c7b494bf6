# SPDX-License-Identifier: MIT
"""Every example of the README runs, and those of pytest pass as tests."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

import libcanary

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 6


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_example(code: str, tmp_path: pathlib.Path) -> None:
    if "openfeature" in code:
        pytest.importorskip("openfeature", reason="openfeature-sdk is not installed here")
    (tmp_path / "test_example.py").write_text(code)
    command = [sys.executable, "-W", "error", "test_example.py"]
    if "def test_" in code:
        command[3:3] = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=180)
    assert done.returncode == 0, done.stdout
    if "def test_" in code:
        assert "2 passed" in done.stdout, done.stdout


def test_the_first_example_says_what_it_does(tmp_path: pathlib.Path) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKS[0]], cwd=tmp_path, capture_output=True,
                          text=True, timeout=180)
    assert done.stdout == "old checkout\n"


def test_the_project_s_own_readme(tmp_path: pathlib.Path) -> None:
    top = README.parents[2] / "README.md"
    if not top.exists() or "```python\n" not in top.read_text():
        pytest.skip("the project's README is not here")
    match = re.search(r"^```python\n(.*?)^```", top.read_text(), re.MULTILINE | re.DOTALL)
    assert match and len(match.group(1).splitlines()) <= 10
    with libcanary.open(tmp_path / "canary.db", "checkout", create=True) as checkout:
        for step, shown in ((lambda: None, "alice: old checkout\n"),
                            (checkout.advance, "alice: new checkout\n")):
            step()
            done = subprocess.run([sys.executable, "-c", match.group(1), "alice"], cwd=tmp_path,
                                  capture_output=True, text=True, timeout=180)
            assert done.stdout == shown, done.stderr


def test_the_example_that_records(tmp_path: pathlib.Path) -> None:
    example = README.parents[2] / "examples/python/recording.py"
    if not example.exists():
        pytest.skip("the examples are not here")
    done = subprocess.run([sys.executable, "-W", "error", str(example), "canary.db"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    shown = {name: (float(old), float(new)) for name, old, new in re.findall(
        r"^(\w+(?: \w+)?) +(\S+) +(\S+)", done.stdout, re.MULTILINE)}
    assert shown["error rate"][0] == 0 < shown["error rate"][1] < 0.1
    assert shown["duration p95"][0] > shown["duration p95"][1] and sum(shown["users"]) == 300
    with libcanary.open_store(tmp_path / "canary.db") as store:
        found = store.metrics("search")
        assert found["error"].old.n + found["error"].new.n == 1000


def test_links_lead_somewhere() -> None:
    if not (README.parents[2] / "docs").exists():
        pytest.skip("the project's pages are not here")
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert links and all((README.parent / link).exists() for link in links)
