# SPDX-License-Identifier: MIT
"""Shared by all tests. CANARYCTL names the command, CANARY_VECTORS the folder of the vectors; both
default to what a build of the repository has. What is not there is skipped, by name."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

import libcanary

TOP = pathlib.Path(__file__).resolve().parents[3]

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def vectors() -> pathlib.Path:
    folder = pathlib.Path(os.environ.get("CANARY_VECTORS", TOP / "tests/vectors"))
    if not (folder / "vectors.tsv").exists():
        pytest.skip(f"no vectors in {folder}")
    return folder


@pytest.fixture(scope="session")
def canaryctl_path() -> str:
    named = os.environ.get("CANARYCTL")
    built = TOP / "build/tools/canaryctl/canaryctl"
    found = named or (str(built) if built.exists() else shutil.which("canaryctl"))
    if not found:
        pytest.skip("no canaryctl: set CANARYCTL, or build it")
    return found


@pytest.fixture
def canaryctl(canaryctl_path: str) -> Callable[..., str]:
    """Another process, and another copy of the library, at work on the store."""

    def run(db: object, *words: str) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CANARY_")}
        done = subprocess.run(
            [canaryctl_path, "--db", str(db), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            env=environment | {"CANARY_ACTOR": "test"},
        )
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}"
        return done.stdout

    return run


@pytest.fixture
def db(tmp_path: pathlib.Path) -> pathlib.Path:
    """A store with the rollout "skills" at 100 %."""
    path = tmp_path / "canary.db"
    with libcanary.open_store(path, create=True, watcher=False) as store:
        store.create("skills")
        with store.rollout("skills") as skills:
            skills.set_percentage(100)
    return path


@pytest.fixture
def skills(db: pathlib.Path) -> Iterator[libcanary.Rollout]:
    with libcanary.open(db, rollout="skills") as opened:
        yield opened
