# SPDX-License-Identifier: MIT
"""Staged rollouts: does this user get the new path or the old one?

    import libcanary

    with libcanary.open("canary.db", rollout="checkout") as checkout:
        if checkout.should_use_new(user_id):
            ...

Decisions take no lock, make no system call and keep the GIL; they are safe from any thread and
survive a fork. Everything that can wait releases the GIL.
"""

import atexit as _atexit
import logging as _logging

from . import _core
from ._arguments import ChangeOptions
from ._core import bucket, decide_rollouts, hash_user
from ._errors import (
    BusyError,
    ClosedError,
    ConflictError,
    CorruptError,
    Error,
    ExistsError,
    FullError,
    HostileError,
    InvalidError,
    IOFailedError,
    NewerError,
    NoStoreError,
    NotAStoreError,
    NotFoundError,
    OutOfMemoryError,
    ReadOnlyError,
    RefusedError,
    ReplacedError,
    StoreError,
    StorePermissionError,
    StoreTimeoutError,
    SystemCallError,
    TamperedError,
    UnsupportedError,
)
from ._figures import (
    Above,
    Baseline,
    Exposure,
    Figures,
    Imported,
    ImportResult,
    MetricRow,
    Metrics,
    Recording,
)
from ._observe import Metric, Status
from ._observe import flush_all as _flush_all
from ._request import Request
from ._rollout import Rollout, open
from ._store import Store, open_store
from ._types import (
    Bell,
    Change,
    Decision,
    Finding,
    Flag,
    Info,
    Override,
    Stage,
    State,
    Verification,
)

__version__ = "0.1.0"

#: Version of the C library that is in use.
library_version: str = _core.library_version
#: True when the C library is linked into this package, False when it is the system's.
bundled: bool = _core.bundled

__all__ = [
    "Above",
    "Baseline",
    "Bell",
    "BusyError",
    "Change",
    "ChangeOptions",
    "ClosedError",
    "ConflictError",
    "CorruptError",
    "Decision",
    "Error",
    "ExistsError",
    "Exposure",
    "Figures",
    "Finding",
    "Flag",
    "FullError",
    "HostileError",
    "IOFailedError",
    "ImportResult",
    "Imported",
    "Info",
    "InvalidError",
    "Metric",
    "MetricRow",
    "Metrics",
    "NewerError",
    "NoStoreError",
    "NotAStoreError",
    "NotFoundError",
    "OutOfMemoryError",
    "Override",
    "ReadOnlyError",
    "Recording",
    "RefusedError",
    "ReplacedError",
    "Request",
    "Rollout",
    "Stage",
    "State",
    "Status",
    "Store",
    "StoreError",
    "StorePermissionError",
    "StoreTimeoutError",
    "SystemCallError",
    "TamperedError",
    "UnsupportedError",
    "Verification",
    "__version__",
    "bucket",
    "bundled",
    "decide_rollouts",
    "hash_user",
    "library_version",
    "open",
    "open_store",
]

# A library is silent unless the program sets up logging.
_logging.getLogger("libcanary").addHandler(_logging.NullHandler())
# The watcher's thread may outlive the interpreter, and must not call it then.
_atexit.register(_core._shutdown)
# Before that: what was recorded since the last tick.
_atexit.register(_flush_all)
