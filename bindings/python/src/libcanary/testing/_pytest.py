# SPDX-License-Identifier: MIT
"""The pytest plugin: fixtures `canary_clock`, `canary_store` and `canary_rollout`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

# Nothing of libcanary is imported before a test asks for it: every run of pytest loads plugins.
if TYPE_CHECKING:
    from libcanary import Rollout, Store
    from libcanary.testing import Clock


@pytest.fixture
def canary_clock() -> Clock:
    """A clock that stands until the test moves it."""
    from libcanary.testing import Clock

    return Clock()


@pytest.fixture
def canary_store(canary_clock: Clock) -> Iterator[Store]:
    """An empty store in memory, with `canary_clock`."""
    from libcanary.testing import memory_store

    with memory_store(canary_clock) as store:
        yield store


@pytest.fixture
def canary_rollout(canary_clock: Clock) -> Iterator[Callable[..., Rollout]]:
    """Makes rollouts in memory: ``canary_rollout(percentage=50, new=["alice"])``."""
    from libcanary.testing import rollout

    with contextlib.ExitStack() as opened:

        def make(name: str = "test", **options: object) -> Rollout:
            options.setdefault("clock", canary_clock)
            return opened.enter_context(rollout(name, **options))  # type: ignore[arg-type]

        yield make
