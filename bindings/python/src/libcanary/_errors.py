# SPDX-License-Identifier: MIT
"""One exception for each error code of the library, in one tree below `Error`."""

from __future__ import annotations

import errno
from typing import Any

from . import _core


class Error(Exception):
    """Anything that libcanary refuses or cannot do.

    Attributes:
        code: the library's number, negative and pinned for ever.
        message: one line: what is wrong, with which value, what is allowed, what next.
        system: errno, or the store's own code; None when there is none.
        in_effect: True when a rollback could not be recorded but lowers exposure already.
    """

    code: int = 0

    def __init__(
        self,
        message: str,
        code: int | None = None,
        system: int | None = None,
        in_effect: bool = False,
    ) -> None:
        self.message = message
        if code is not None:
            self.code = code
        self.system = system
        self.in_effect = in_effect
        if isinstance(self, OSError):
            OSError.__init__(self, self.system or _ERRNO.get(self.code, errno.EIO), message)
        else:
            super().__init__(message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Task queues and process pools pickle exceptions; what Exception does by itself would
        # lose code and message.
        return type(self), (self.message, self.code, self.system, self.in_effect)

    @property
    def name(self) -> str:
        """The code's name in C, for example ``CANARY_E_CONFLICT``."""
        return _core._error_name(self.code)


class InvalidError(Error, ValueError):
    """An argument is not allowed."""

    code = -1


class ClosedError(Error, ValueError):
    """The rollout or store was closed before, as with files."""

    code = -1


class OutOfMemoryError(Error, MemoryError):
    """There is no memory."""

    code = -2


class NotFoundError(Error, LookupError):
    """There is no rollout, flag, stage or override of that name."""

    code = -3


class ExistsError(Error, ValueError):
    """There is a rollout of that name already."""

    code = -4


class ConflictError(Error, RuntimeError):
    """The expected revision or stage is not the present one; the message tells who was faster."""

    code = -5


class RefusedError(Error, RuntimeError):
    """A gate says no: the ladder has no further rung, or a rollback is not recorded yet."""

    code = -6


class StoreError(Error, OSError):
    """The store cannot be read or written. Decisions go on with the last known state."""

    code = -22


class StoreTimeoutError(StoreError, TimeoutError):
    """The store did not answer before the deadline."""

    code = -7


class BusyError(StoreError, TimeoutError):
    """Another process held the store's lock until the deadline."""

    code = -8


class CorruptError(StoreError):
    """The store's file is damaged or truncated."""

    code = -10


class NotAStoreError(StoreError):
    """The file is no database, or another application's."""

    code = -11


class NewerError(StoreError):
    """The store was written by a newer libcanary."""

    code = -12


class ReadOnlyError(StoreError, PermissionError):
    """The file system or the permissions allow reading only."""

    code = -13


class FullError(StoreError):
    """There is no space left for the change."""

    code = -14


class ReplacedError(StoreError):
    """The store's file was moved or replaced meanwhile."""

    code = -15


class NoStoreError(StoreError, FileNotFoundError):
    """There is no store at that path."""

    code = -16


class StorePermissionError(StoreError, PermissionError):
    """The process may not open the store."""

    code = -17


class HostileError(StoreError):
    """The store's schema holds objects that are not libcanary's."""

    code = -18


class TamperedError(Error, RuntimeError):
    """Something was changed outside libcanary: look, then accept()."""

    code = -19


class UnsupportedError(Error, NotImplementedError):
    """The store lacks the operation, or the algorithm is unknown."""

    code = -20


class IOFailedError(StoreError):
    """The operating system reported an input or output error."""

    code = -9


class SystemCallError(StoreError):
    """A system call failed; `errno` says how."""

    code = -21


_ERRNO = {
    -7: errno.ETIMEDOUT,
    -8: errno.ETIMEDOUT,
    -13: errno.EROFS,
    -14: errno.ENOSPC,
    -16: errno.ENOENT,
    -17: errno.EACCES,
}

_CLASSES: dict[int, type[Error]] = {
    kind.code: kind
    for kind in (
        InvalidError,
        OutOfMemoryError,
        NotFoundError,
        ExistsError,
        ConflictError,
        RefusedError,
        StoreTimeoutError,
        BusyError,
        IOFailedError,
        CorruptError,
        NotAStoreError,
        NewerError,
        ReadOnlyError,
        FullError,
        ReplacedError,
        NoStoreError,
        StorePermissionError,
        HostileError,
        TamperedError,
        UnsupportedError,
        SystemCallError,
        StoreError,
    )
}


def make(code: int, message: str, system: int, in_effect: bool) -> Error:
    """The exception for an error of the library; called by the extension."""
    return _CLASSES.get(code, Error)(message, code, system or None, in_effect)
