# SPDX-License-Identifier: MIT
"""Request: the extension's type as an asynchronous context manager, too."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self


class Request(_core.Request):
    """One request: decided when its block begins, timed, and recorded when it ends.

        with checkout.request(user) as request:
            page = new_page() if request.new else old_page()
            request.record("cost", 0.01)

    An exception makes it an "error", TimeoutError a "timeout", and goes on. A status that the block
    sets counts whatever is raised later: redirects and "not found" are exceptions in many
    frameworks. Under asyncio ``async with`` does the same, and so does ``with``: nothing waits.
    """

    __slots__ = ()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
