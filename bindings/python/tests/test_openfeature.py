# SPDX-License-Identifier: MIT
"""The OpenFeature provider, alone and through the specification's suite as far as it fits.

The steps of the specification's gherkin suite run bindings/go/openfeature/testdata, which both
languages share, and, where CANARY_TEST_OPENFEATURE_SPEC names the folder
specification/assets/gherkin of the specification, the specification's own features. What a boolean
provider cannot be asked is left out by name; `pytest -rs` shows what and why."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("openfeature", reason="openfeature-sdk is not installed here")

from openfeature import api  # noqa: E402
from openfeature.client import OpenFeatureClient  # noqa: E402
from openfeature.evaluation_context import EvaluationContext  # noqa: E402
from openfeature.event import EventDetails, ProviderEvent  # noqa: E402
from openfeature.exception import GeneralError  # noqa: E402
from openfeature.provider import ProviderStatus  # noqa: E402
from openfeature.track import TrackingEventDetails  # noqa: E402

import libcanary  # noqa: E402
from libcanary import testing  # noqa: E402
from libcanary.openfeature import CanaryProvider  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[3]


def user(key: str | None) -> EvaluationContext:
    return EvaluationContext(targeting_key=key)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    api.clear_providers()
    api.clear_hooks()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.002)


def test_details() -> None:
    with testing.rollout("skills", percentage=5, new=["carol"]) as skills:
        provider = CanaryProvider(skills.store)
        provider.initialize(user(None))

        def ask(key: str | None, default: bool = True) -> Any:
            return provider.resolve_boolean_details("skills", default, user(key))

        new = ask("alice", False)
        assert (new.value, new.variant, new.reason) == (True, "new", "SPLIT")
        age = new.flag_metadata.pop("age")
        assert isinstance(age, float) and age >= 0
        assert new.flag_metadata == {"stage": 1, "percentage": 5.0, "bucket": 178,
                                     "version": str(skills.info().revision), "contextId": "alice"}
        old = ask("bob")
        assert (old.value, old.variant, old.reason) == (False, "old", "SPLIT")
        assert ask("carol").reason == "TARGETING_MATCH" and ask("carol").value
        missing = ask(None)
        assert missing.value is True and missing.error_code == "TARGETING_KEY_MISSING"
        assert ask("").error_code == "TARGETING_KEY_MISSING"
        assert ask("\ud800").error_code == "INVALID_CONTEXT"
        assert provider.resolve_boolean_details("skills", True).error_code == "TARGETING_KEY_MISSING"
        absent = provider.resolve_boolean_details("none", True, user("alice"))
        assert absent.value is True and absent.error_code == "FLAG_NOT_FOUND"
        for call, value in ((provider.resolve_string_details, "x"),
                            (provider.resolve_integer_details, 7),
                            (provider.resolve_float_details, 0.5),
                            (provider.resolve_object_details, {"a": 1})):
            other = call("skills", value, user("alice"))  # type: ignore[operator]
            assert other.value == value and other.error_code == "TYPE_MISMATCH"
        provider.shutdown()
        assert ask("alice").error_code == "PROVIDER_NOT_READY"
        assert not skills.store.closed  # it was given
        provider.initialize(user(None))
        assert ask("alice").value is True
        provider.shutdown()
        provider.shutdown()


def test_a_killed_rollout_is_never_disabled() -> None:
    with testing.rollout("skills", percentage=100) as skills:
        provider = CanaryProvider(skills.store)
        provider.initialize(user(None))
        skills.set_flag(False)
        for key in ("alice", None, ""):
            killed = provider.resolve_boolean_details("skills", True, user(key))
            assert (killed.value, killed.variant, killed.reason) == (False, "old", "STATIC")
            assert killed.flag_metadata["killSwitch"] is True and not killed.error_code
        skills.set_flag(True)
        skills.rollback()
        for key in ("alice", None):
            closed = provider.resolve_boolean_details("skills", True, user(key))
            assert (closed.value, closed.reason) == (False, "STATIC")
            assert "killSwitch" not in closed.flag_metadata
        provider.shutdown()


def test_stale_tells_its_age(canary_clock: testing.Clock) -> None:
    with testing.rollout("skills", percentage=100, clock=canary_clock) as skills:
        provider = CanaryProvider(skills.store, stale_after=60, poll=0.005)
        events: list[str] = []
        for event in (ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_READY):
            api.add_handler(event, lambda d, e=event: events.append(e.value))
        api.set_provider_and_wait(provider)
        client = api.get_client()
        canary_clock.advance(61)
        details = client.get_boolean_details("skills", True, user("alice"))
        assert (details.value, details.reason) == (False, "STALE")
        assert details.flag_metadata["age"] == pytest.approx(61)
        wait_for(lambda: client.get_provider_status() == ProviderStatus.STALE)
        skills.store.refresh()
        wait_for(lambda: client.get_provider_status() == ProviderStatus.READY)
        assert client.get_boolean_value("skills", False, user("alice"))
        wait_for(lambda: events[-2:] == ["PROVIDER_STALE", "PROVIDER_READY"])


def test_events_when_a_rollout_moves(db: pathlib.Path, canaryctl: Callable[..., str]) -> None:
    seen: list[list[str] | None] = []
    api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
                    lambda d: seen.append(d.flags_changed))
    api.set_provider_and_wait(CanaryProvider(db, poll=0.01, discover=0.05))
    client = api.get_client()
    assert client.get_boolean_value("skills", False, user("alice")) is True
    canaryctl(db, "rollback")
    wait_for(lambda: ["skills"] in seen)
    assert client.get_boolean_value("skills", True, user("alice")) is False
    assert client.get_boolean_details("later", True, user("alice")).error_code == "FLAG_NOT_FOUND"
    canaryctl(db, "create", "later")
    wait_for(lambda: ["later"] in seen)
    assert client.get_boolean_value("later", True, user("alice")) is False


def test_a_store_that_cannot_be_opened(tmp_path: pathlib.Path) -> None:
    errors: list[EventDetails] = []
    api.add_handler(ProviderEvent.PROVIDER_ERROR, errors.append)
    with pytest.raises(GeneralError):
        api.set_provider_and_wait(CanaryProvider(tmp_path / "none.db"))
    wait_for(lambda: bool(errors))
    assert "there is no store" in (errors[0].message or "")
    details = api.get_client().get_boolean_details("skills", False, user("alice"))
    assert details.value is False and details.error_code


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_it_survives_a_fork(db: pathlib.Path, canaryctl: Callable[..., str]) -> None:
    provider = CanaryProvider(db, poll=0.01)
    provider.initialize(user(None))
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            changed: list[object] = []
            provider.attach(lambda p, event, details: changed.append(details.flags_changed))
            ok = provider.resolve_boolean_details("skills", False, user("alice")).value
            os.write(go, b"r")
            wait_for(lambda: ["skills"] in changed)
            after = provider.resolve_boolean_details("skills", True, user("alice")).value
            provider.shutdown()
            status = 0 if ok and not after else 2
        finally:
            os._exit(status)
    assert os.read(ready, 1) == b"r"
    canaryctl(db, "rollback")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    provider.shutdown()
    os.close(ready)
    os.close(go)


# -- tracking


METRICS = [
    libcanary.Metric("cost", "value", unit="usd"), libcanary.Metric("bought", "proportion"),
    libcanary.Metric("f1", "classification"), libcanary.Metric("wait", "duration"),
]


@pytest.fixture
def tracked() -> Iterator[tuple[OpenFeatureClient, libcanary.Store]]:
    """Two rollouts at 50 %: alice is new in both, user-1 old; and one that is open to nobody."""
    with testing.memory_store() as store:
        for name in ("skills", "search", "shut"):
            store.create(name)
            with store.rollout(name) as opened:
                opened.set_percentage(0 if name == "shut" else 50)
        api.set_provider_and_wait(CanaryProvider(store, metrics=METRICS))
        yield api.get_client(), store


def told(store: libcanary.Store, rollout: str) -> libcanary.Metrics:
    store.flush()
    return store.metrics(rollout)


def test_tracking_outcomes(tracked: tuple[OpenFeatureClient, libcanary.Store]) -> None:
    client, store = tracked
    skills = {"flag": "skills"}
    client.track("ok", user("alice"), TrackingEventDetails(0.25, {**skills, "cost": 0.5, "a": "b"}))
    client.track("error", user("user-1"), TrackingEventDetails(attributes=skills))
    client.track("timeout", user("alice"), TrackingEventDetails(2, skills))
    found = told(store, "skills")
    assert (found["error"].new.n, found["error"].old.k, found["timeout"].new.k) == (2, 1, 1)
    assert (found["duration"].new.sum, found["cost"].new.sum) == (2.25, 0.5)
    exposure = store.exposure("skills")
    assert exposure.decisions_new == {"split": 2} and exposure.users_total == 2
    assert len(told(store, "search")) == 0
    # Without a flag it happened to the user, whatever was evaluated.
    client.track("ok", user("alice"))
    assert told(store, "skills")["error"].new.n == 3 and told(store, "search")["error"].new.n == 1
    assert told(store, "shut")["error"].old.n == 1


def test_tracking_metrics(tracked: tuple[OpenFeatureClient, libcanary.Store]) -> None:
    client, store = tracked
    client.track("bought", user("alice"))
    client.track("bought", user("alice"), TrackingEventDetails(0))
    client.track("cost", user("user-1"), TrackingEventDetails(1.5, {"flag": "skills"}))
    client.track("wait", user("alice"), TrackingEventDetails(0.5))
    client.track("f1", user("alice"), TrackingEventDetails(attributes={"tp": 9, "fp": 1, "fn": 1}))
    found = told(store, "skills")
    assert (found["bought"].new.n, found["bought"].new.k) == (2, 1)
    assert found["cost"].old.sum == 1.5 and found["wait"].new.sum == 0.5
    assert found["f1"].new.f1 == pytest.approx(0.9)
    assert "error" not in found  # nothing ended
    assert "cost" not in told(store, "search")


def test_tracking_never_raises(
    tracked: tuple[OpenFeatureClient, libcanary.Store], caplog: pytest.LogCaptureFixture
) -> None:
    client, store = tracked
    with caplog.at_level(logging.WARNING, "libcanary"):
        for _ in range(3):
            client.track("clicked", user("alice"), TrackingEventDetails(1))
            client.track("ok", None)
            client.track("ok", user("alice"), TrackingEventDetails(attributes={"flag": "none"}))
        client.track("cost", user("alice"))
        client.track("cost", user("alice"), TrackingEventDetails("much"))  # type: ignore[arg-type]
        client.track("f1", user("alice"), TrackingEventDetails(attributes={"tp": "9"}))
        client.track("ok", user("alice"), TrackingEventDetails("long"))  # type: ignore[arg-type]
    assert sorted(r.getMessage().split(":")[1][:20] for r in caplog.records) == [
        ' "clicked" is neithe', " no targeting key sa", " there is no rollout"]
    found = told(store, "skills")
    assert found.rejected == 10 and "error" not in found
    # Where nobody gets the new path, nobody has to be known.
    assert told(store, "shut")["error"].old.n == 3
    api.shutdown()
    client.track("ok", user("alice"))


def test_evaluations_count_where_that_is_asked_for() -> None:
    with testing.rollout("skills", percentage=50) as skills:
        for expose in (False, True):
            provider = CanaryProvider(skills.store, expose=expose)
            provider.initialize(user(None))
            provider.resolve_boolean_details("skills", False, user("alice"))
            provider.resolve_boolean_details("skills", False, user("user-1"))
            provider.shutdown()
            assert skills.exposure().users_total == 2 * expose
        assert skills.exposure().decisions_old == {"split": 1}


# -- gherkin


def rows() -> list[Any]:
    try:
        from gherkin.parser import Parser
        from gherkin.pickles.compiler import Compiler
    except ImportError:
        return [pytest.param(None, marks=pytest.mark.skip("gherkin-official is not installed here"))]
    folders = [TOP / "bindings/go/openfeature/testdata"]
    named = os.environ.get("CANARY_TEST_OPENFEATURE_SPEC")
    if named:
        folders.append(pathlib.Path(named))
    found: list[Any] = []
    for folder in folders:
        for file in sorted(folder.glob("*.feature")):
            document: Any = Parser().parse(file.read_text())
            for number, pickle in enumerate(Compiler().compile({**document, "uri": str(file)})):
                steps = [step["text"] for step in pickle["steps"]]
                tags = {tag["name"] for tag in pickle["tags"]}
                found.append(pytest.param((steps, tags),
                                          id=f"{file.stem}: {pickle['name']} {number}"))
    return found or [pytest.param(None, marks=pytest.mark.skip("no features are here"))]


RULES = "libcanary has no rules over the context"
FOREIGN = {
    "string-flag": "the flag is not boolean", "integer-flag": "the flag is not boolean",
    "float-flag": "the flag is not boolean", "object-flag": "the flag is not boolean",
    "wrong-flag": "the flag is not boolean",
    "metadata-flag": "metadata is the rollout's state, not chosen freely",
}


class World:
    """What the steps of one scenario share."""

    def __init__(self) -> None:
        self.clock = testing.Clock()
        self.store = testing.memory_store(self.clock)
        self.provider = CanaryProvider(self.store, poll=0.002, stale_after=1)
        self.client: OpenFeatureClient | None = None
        self.kind = self.key = self.default = ""
        self.user: str | None = "user-1"
        self.details: Any = None
        self.handlers: dict[str, list[EventDetails]] = {}
        shares = {"boolean-flag": 100, "boolean-zero-flag": 0, "split-flag": 5, "pinned-flag": 0,
                  "killed-flag": 100, "stale-flag": 100, "changing-flag": 100}
        for name, share in shares.items():
            self.store.create(name, salt=name if share == 5 and name != "split-flag" else "")
            with self.store.rollout(name) as rollout:
                if share:
                    rollout.set_percentage(share)
        with self.store.rollout("pinned-flag") as rollout:
            rollout.set_override("carol", "new")
        self.store.set_flag("killed-flag", False)

    def provide(self, state: str) -> None:
        if state in ("error", "fatal"):
            pytest.skip("no such state can be asked for here; a missing store is tested beside this")
        if state == "not ready":
            pytest.skip("the SDK answers for a provider that is not ready, and asks it nothing")
        api.set_provider_and_wait(self.provider)
        self.client = api.get_client()
        if state == "stale":
            self.clock.advance(60)

    def flag(self, kind: str, key: str, default: str) -> None:
        self.kind, self.key, self.default = kind.lower(), key, default.replace('\\"', '"')
        if key in FOREIGN:
            pytest.skip(FOREIGN[key])
        if "targeted" in key:
            pytest.skip(RULES)
        if "disabled" in key:
            pytest.skip("a kill is never DISABLED")
        if key.endswith("-zero-flag") and self.kind != "boolean":
            pytest.skip("the flag is not boolean")
        if key == "empty-flag":
            pytest.skip("a store that was opened has a state; test_errors.py has the other case")
        if key == "stale-flag":
            self.clock.advance(60)

    def evaluate(self) -> None:
        assert self.client is not None
        read = {"boolean": lambda text: text == "true", "string": str, "integer": int,
                "float": float, "object": json.loads}[self.kind]
        call = getattr(self.client, f"get_{self.kind}_details")
        self.details = call(self.key, read(self.default), user(self.user))

    def value(self, wanted: str) -> None:
        value = self.details.value
        if self.kind == "object":
            assert value == json.loads(wanted.replace('\\"', '"'))
        else:
            assert (str(value).lower() if self.kind == "boolean" else str(value)) == wanted

    def reason(self, wanted: str) -> None:
        if wanted in ("DEFAULT", "CACHED", "DISABLED"):
            pytest.skip({"DEFAULT": RULES, "CACHED": "nothing is cached"}.get(
                wanted, "a kill is never DISABLED"))
        assert self.details.reason == wanted

    def variant(self, wanted: str) -> None:
        if wanted == "on":
            pytest.skip("the variants are new and old")
        assert self.details.variant == wanted

    def expect(self, got: object, wanted: object) -> None:
        assert got == wanted

    def handler(self, event: str) -> None:
        if event == "PROVIDER_ERROR":
            pytest.skip("a store in memory does not fail; test_a_store_that_cannot_be_opened does")
        seen = self.handlers.setdefault(event, [])
        api.add_handler(ProviderEvent[event], seen.append)

    def modify(self, key: str) -> None:
        api.set_provider_and_wait(self.provider)
        with self.store.rollout(key) as rollout:
            rollout.set_percentage(50)

    def ran(self, event: str) -> None:
        wait_for(lambda: bool(self.handlers[event]))

    def status(self, wanted: str) -> None:
        client = self.client
        assert client is not None
        wait_for(lambda: client.get_provider_status().value == wanted)


STEPS: list[tuple[str, Callable[..., None]]] = [
    (r"a (stable|not ready|stale|error|fatal) provider", World.provide),
    (r'an? (\w+)-flag with key "(.*)" and a (?:fallback|default) value "(.*)"', World.flag),
    (r'a context containing a targeting key with value "(.*)"',
     lambda world, key: setattr(world, "user", key)),
    (r"the flag was evaluated with details", World.evaluate),
    (r'the resolved details value should be "(.*)"', World.value),
    (r'the reason should be "(.*)"', World.reason),
    (r'the error-code should be "(.*)"',
     lambda world, code: world.expect(world.details.error_code or "", code)),
    (r'the flag key should be "(.*)"', lambda world, key: world.expect(world.details.flag_key, key)),
    (r'the variant should be "(.*)"', World.variant),
    (r'the provider status should be "(.*)"', World.status),
    (r"a provider which supports events and requires initialization", lambda world: None),
    (r"a (PROVIDER_\w+) handler is attached", World.handler),
    (r"the provider is set and successully initialized", lambda world: world.provide("stable")),
    (r'a flag with key "(.*)" is modified', World.modify),
    (r"the (PROVIDER_\w+) handler must run", World.ran),
    (r'the event details must indicate "(.*)" was altered',
     lambda world, key: world.expect(
         world.handlers["PROVIDER_CONFIGURATION_CHANGED"][0].flags_changed, [key])),
]


@pytest.mark.parametrize("row", rows())
def test_gherkin(row: tuple[list[str], set[str]]) -> None:
    steps, tags = row
    if "@deprecated" in tags:
        pytest.skip("it is deprecated")
    world = World()
    try:
        for text in steps:
            for pattern, run in STEPS:
                match = re.fullmatch(pattern, text)
                if match:
                    run(world, *match.groups())
                    break
            else:
                pytest.skip(f"a step is about the SDK, not the provider: {text}")
    finally:
        api.clear_providers()
        world.provider.shutdown()
        world.store.close()
