# SPDX-License-Identifier: MIT
"""An OpenFeature provider: a boolean flag for each rollout, true for the new path.

    from openfeature import api
    from libcanary.openfeature import CanaryProvider

    api.set_provider_and_wait(CanaryProvider("canary.db"))
    api.get_client().get_boolean_value("checkout", False, EvaluationContext(user_id))

The targeting key is the user id. Variants are "new" and "old". Reasons are SPLIT; STATIC at 0 and
100 %; TARGETING_MATCH for a user whom an operator pinned; STALE where the stale policy says "old".

A killed rollout answers False, "old", STATIC with ``killSwitch`` True in the metadata, and never
DISABLED: SDKs take DISABLED as "use the caller's default", which may be the new path. For the same
reason a rollout that is killed, or open to nobody, answers so also without a targeting key.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, GeneralError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from ._errors import ClosedError, Error, NotFoundError
from ._observe import Metric, Status, Value
from ._rollout import Rollout
from ._store import Store, open_store
from ._types import Decision

__all__ = ["CanaryProvider"]

_T = TypeVar("_T")

_REASONS = {
    "killed": Reason.STATIC,
    "static": Reason.STATIC,
    "stale": Reason.STALE,
    "override": Reason.TARGETING_MATCH,
    "split": Reason.SPLIT,
}

# Whom the provider asks about to see how a rollout stands.
_PROBE = b"\0libcanary openfeature provider"

_STALE_BY_DEFAULT = 10.0

_OUTCOMES: dict[str, Status] = {"ok": "ok", "error": "error", "timeout": "timeout"}
_COUNTS = ("tp", "fp", "fn", "tn")

_log = logging.getLogger("libcanary")


@dataclass(frozen=True)
class _Standing:
    revision: int
    effective_bp: int
    killed: bool
    ready: bool
    stale: bool
    by_policy: bool

    def moved(self, before: _Standing) -> bool:
        return (self.revision, self.effective_bp, self.killed, self.ready) != (
            before.revision,
            before.effective_bp,
            before.killed,
            before.ready,
        )


class CanaryProvider(AbstractProvider):
    """The rollouts of a store as boolean flags.

    Args:
        store: a Store, which stays yours to close, or a path, opened and closed with the provider.
        poll: seconds between looks whether a rollout moved, for events; evaluations do not wait.
        discover: seconds between looks for new rollouts.
        event_after: seconds without confirmation after which PROVIDER_STALE is emitted; 10 by
            default where a watcher follows the store. It changes no evaluation.
        stale_after, kill_switch: of every rollout, as in `libcanary.open`.
        metrics: what track() may measure, declared for every rollout.
        expose: count each evaluation as a decision, with its user; where every request is tracked as
            an outcome, that counts it already.

    It survives a fork: in a child the first evaluation starts the thread for events again.
    """

    def __init__(
        self,
        store: Store | str | bytes | os.PathLike[str] | os.PathLike[bytes],
        *,
        poll: float = 0.1,
        discover: float = 1.0,
        event_after: float | None = None,
        stale_after: float | None = None,
        kill_switch: Callable[[], object] | None = None,
        metrics: Iterable[Metric] = (),
        expose: bool = False,
    ) -> None:
        super().__init__()
        self._given = store
        self._poll = poll
        self._discover_every = discover
        self._event_after = event_after
        self._stale_after = stale_after
        self._kill_switch = kill_switch
        self._metrics = {metric.name: metric for metric in metrics}
        self._expose = expose
        self._logged: set[str] = set()
        self._store: Store | None = None
        self._rollouts: dict[str, Rollout] = {}
        self._seen: dict[str, _Standing] = {}
        self._followed = False
        self._ready = False
        self._forked = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        _providers.add(self)

    def get_metadata(self) -> Metadata:
        """Names the provider."""
        return Metadata(name="libcanary")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Opens the store and its rollouts."""
        with self._lock:
            if self._ready:
                return
            try:
                if isinstance(self._given, Store):
                    self._store = self._given
                else:
                    self._store = open_store(self._given)
                self._discover()
            except Error as error:
                self._release()
                raise GeneralError(str(error)) from error
            self._ready = True
            self._stop = threading.Event()
            self._start()

    def shutdown(self) -> None:
        """Closes what initialize() opened. It can be initialised again."""
        with self._lock:
            thread, self._thread, self._ready = self._thread, None, False
            self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        with self._lock:
            self._release()

    def _release(self) -> None:
        rollouts, self._rollouts, self._seen = self._rollouts, {}, {}
        for rollout in rollouts.values():
            rollout.close()
        if self._store is not None and self._store is not self._given:
            self._store.close()
        self._store = None

    # -- evaluation

    def _find(self, flag_key: str) -> Rollout | tuple[ErrorCode, str]:
        if self._forked:
            self._start_again()
        if not self._ready:
            return (
                ErrorCode.PROVIDER_NOT_READY,
                "the provider is not initialised, or was shut down",
            )
        rollout = self._rollouts.get(flag_key)
        if rollout is None:
            return ErrorCode.FLAG_NOT_FOUND, f'there is no rollout "{flag_key}"'
        return rollout

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Decides for the user whose id is the targeting key."""
        rollout = self._find(flag_key)
        if isinstance(rollout, tuple):
            return _failed(default_value, *rollout)
        user = None if evaluation_context is None else evaluation_context.targeting_key
        try:
            if not user:
                # Nobody is known, but where everybody gets the old path nobody has to be.
                decision = rollout.decide(_PROBE)
                if decision.reason == "killed" or (
                    decision.reason == "static" and not decision.use_new
                ):
                    return _resolved(decision, None)
                return _failed(
                    default_value,
                    ErrorCode.TARGETING_KEY_MISSING,
                    "the targeting key is the user id, and there is none",
                )
            decision = rollout.decide(user)
            if self._expose:
                rollout.expose(decision)
        except ClosedError:
            return _failed(
                default_value, ErrorCode.PROVIDER_NOT_READY, f'rollout "{flag_key}" is closed'
            )
        except TypeError:
            return _failed(
                default_value, ErrorCode.INVALID_CONTEXT, "the targeting key is no text"
            )
        if decision.reason == "not_ready":
            return _failed(
                default_value,
                ErrorCode.PROVIDER_NOT_READY,
                f'no state of rollout "{flag_key}" could be loaded yet',
            )
        if decision.reason == "invalid":
            return _failed(
                default_value, ErrorCode.INVALID_CONTEXT, "the targeting key is not Unicode"
            )
        return _resolved(decision, user)

    def _mismatch(self, flag_key: str, default_value: _T) -> FlagResolutionDetails[_T]:
        rollout = self._find(flag_key)
        if isinstance(rollout, tuple):
            return _failed(default_value, *rollout)
        return _failed(
            default_value,
            ErrorCode.TYPE_MISMATCH,
            f'rollout "{flag_key}" is boolean: true for the new path',
        )

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Answers TYPE_MISMATCH."""
        return self._mismatch(flag_key, default_value)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Answers TYPE_MISMATCH."""
        return self._mismatch(flag_key, default_value)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Answers TYPE_MISMATCH."""
        return self._mismatch(flag_key, default_value)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Answers TYPE_MISMATCH."""
        return self._mismatch(flag_key, default_value)

    # -- tracking

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Records an outcome or a value for the cohort that the targeting key is decided to."""
        details = tracking_event_details or TrackingEventDetails()
        user = None if evaluation_context is None else evaluation_context.targeting_key
        if self._forked:
            self._start_again()
        named = details.attributes.get("flag")
        rollouts = self._rollouts
        if named is not None:
            if not isinstance(named, str) or named not in rollouts:
                self._log_once(f'tracking: there is no rollout "{named}"')
                return
            rollouts = {named: rollouts[named]}
        if tracking_event_name not in self._metrics and tracking_event_name not in _OUTCOMES:
            self._log_once(
                f'tracking: "{tracking_event_name}" is neither an outcome nor a metric; counted as '
                "rejected"
            )
        for rollout in rollouts.values():
            try:
                self._track(rollout, user, tracking_event_name, details)
            except (Error, TypeError) as error:
                self._log_once(f"tracking: {error}")

    def _track(
        self, rollout: Rollout, user: str | None, event: str, details: TrackingEventDetails
    ) -> None:
        status = _OUTCOMES.get(event)
        values = {
            name: _measured(value)
            for name, value in details.attributes.items()
            if name in self._metrics
        }
        if status is None:
            values[event] = self._value(event, details)
        duration = None
        if status is not None and details.value is not None:
            duration = details.value if isinstance(details.value, (int, float)) else math.nan
        if user:
            rollout.record(
                rollout.decide(user), status=status, duration=duration, values=values
            )
            return
        # Nobody is known; but where everybody gets the old path, nobody has to be.
        standing = rollout.decide(_PROBE)
        everybody = standing.reason == "killed" or (
            standing.reason == "static" and not standing.use_new
        )
        if not everybody:
            self._log_once("tracking: no targeting key says whose event it is; counted as rejected")
        rollout.record(
            None,
            cohort="old" if everybody else "unknown",
            status=status,
            duration=duration,
            values=values,
        )

    def _value(self, event: str, details: TrackingEventDetails) -> Value:
        metric = self._metrics.get(event)
        if metric is not None and metric.kind == "classification":
            return _measured([details.attributes.get(name, 0) for name in _COUNTS])
        if details.value is None:
            return metric is None or metric.kind == "proportion" or math.nan
        return _measured(details.value)

    def _log_once(self, message: str) -> None:
        # Names come from the program, but nobody promised how many.
        if message not in self._logged and len(self._logged) < 1000:
            self._logged.add(message)
            _log.warning("%s", message)

    # -- events

    def _discover(self) -> set[str]:
        """Opens what is new in the store, and answers its names."""
        assert self._store is not None
        found: set[str] = set()
        for state in self._store.rollouts():
            if state.name in self._rollouts:
                continue
            try:
                rollout = self._store.rollout(
                    state.name, stale_after=self._stale_after, kill_switch=self._kill_switch
                )
            except NotFoundError:
                continue
            try:
                for metric in self._metrics.values():
                    rollout.declare(metric)
            except BaseException:
                rollout.close()
                raise
            self._followed = rollout.info().watcher
            self._seen[state.name] = self._look(rollout)
            self._rollouts = {**self._rollouts, state.name: rollout}
            found.add(state.name)
        return found

    def _look(self, rollout: Rollout) -> _Standing:
        decision = rollout.decide(_PROBE)
        limit = self._event_after
        if limit is None and self._followed:
            limit = _STALE_BY_DEFAULT
        by_policy = decision.reason == "stale"
        too_old = limit is not None and decision.age is not None and decision.age > limit
        return _Standing(
            revision=decision.revision,
            effective_bp=decision.effective_bp,
            killed=decision.reason == "killed",
            ready=decision.reason != "not_ready",
            stale=by_policy or too_old,
            by_policy=by_policy,
        )

    def _look_at_all(self) -> tuple[set[str], list[str]]:
        """Who moved since the last look, and who is stale."""
        moved: set[str] = set()
        stale: list[str] = []
        for name, rollout in self._rollouts.items():
            now, before = self._look(rollout), self._seen[name]
            if now.stale:
                stale.append(name)
            if now.by_policy:
                # That it got old is told by another event; what it was before it still is.
                now = replace(now, effective_bp=before.effective_bp, killed=before.killed)
            if now.moved(before):
                moved.add(name)
            self._seen[name] = now
        return moved, sorted(stale)

    def _watch(self, stop: threading.Event) -> None:
        discovered = time.monotonic()
        told_stale = False
        while not stop.wait(self._poll):
            moved: set[str] = set()
            if time.monotonic() - discovered >= self._discover_every:
                try:
                    moved = self._discover()
                except Error:
                    pass  # what cannot be read now shows by its age, and is tried again
                discovered = time.monotonic()
            try:
                others, stale = self._look_at_all()
            except ClosedError:
                # Somebody closed the store that was given.
                self.emit_provider_error(
                    ProviderEventDetails(
                        message="the store was closed", error_code=ErrorCode.GENERAL
                    )
                )
                return
            moved |= others
            if moved:
                self.emit_provider_configuration_changed(
                    ProviderEventDetails(flags_changed=sorted(moved), message="rollouts moved")
                )
            if stale and not told_stale:
                self.emit_provider_stale(
                    ProviderEventDetails(
                        flags_changed=stale,
                        message="the state of some rollouts was not confirmed for long",
                    )
                )
            elif told_stale and not stale:
                self.emit_provider_ready(
                    ProviderEventDetails(message="the state of all rollouts is fresh again")
                )
            told_stale = bool(stale)

    def _start(self) -> None:
        self._thread = threading.Thread(
            target=self._watch, args=(self._stop,), name="libcanary-openfeature", daemon=True
        )
        self._thread.start()

    def _start_again(self) -> None:
        with self._lock:
            if self._forked:
                self._forked = False
                if self._ready:
                    self._start()

    def _after_fork(self) -> None:
        # Locks may have been held by threads that are not here.
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = None
        self._forked = True


def _resolved(decision: Decision, user: str | None) -> FlagResolutionDetails[bool]:
    metadata: dict[str, bool | int | float | str] = {
        "percentage": decision.effective_bp / 100,
        "version": str(decision.revision),
    }
    if decision.stage is not None:
        metadata["stage"] = decision.stage
    if decision.age is not None:
        metadata["age"] = decision.age
    if user is not None:
        metadata["contextId"] = user
        if decision.bucket is not None:
            metadata["bucket"] = decision.bucket
    if decision.reason == "killed":
        metadata["killSwitch"] = True
    return FlagResolutionDetails(
        value=decision.use_new,
        reason=_REASONS[decision.reason],
        variant=decision.cohort,
        flag_metadata=metadata,
    )


def _measured(value: object) -> Value:
    """What cannot be a value becomes one that is counted as rejected."""
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) in (3, 4):
        if all(isinstance(count, int) for count in value):
            return tuple(value)
    return math.nan


def _failed(value: Any, code: ErrorCode, message: str) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(
        value=value, reason=Reason.ERROR, error_code=code, error_message=message
    )


_providers: weakref.WeakSet[CanaryProvider] = weakref.WeakSet()


def _after_fork() -> None:
    for provider in list(_providers):
        provider._after_fork()


os.register_at_fork(after_in_child=_after_fork)
