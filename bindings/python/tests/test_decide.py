# SPDX-License-Identifier: MIT
"""Decisions: the vectors that every language shares, and the order of reasons."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import libcanary
from libcanary.testing import rollout


def own_hash(user: bytes, salt: str = "") -> int:
    """The rule, in Python's own SHA-256."""
    salted = salt.encode() + b":" + user if salt else user
    return int.from_bytes(hashlib.sha256(salted).digest()[:4], "big")


def own_bucket(user: bytes, salt: str = "") -> int:
    h = own_hash(user, salt)
    return h % 100 * 100 + h // 100 % 100


def rows(file: pathlib.Path) -> list[list[str]]:
    lines = file.read_text("ascii").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def unhex(field: str) -> bytes:
    return b"" if field == "-" else bytes.fromhex(field)


def test_vectors_hash_and_bucket(vectors: pathlib.Path) -> None:
    checked = 0
    for user_hex, salt_hex, h, bucket in rows(vectors / "vectors.tsv"):
        user, salt = unhex(user_hex), unhex(salt_hex).decode()
        assert libcanary.hash_user(user, salt) == int(h)
        assert libcanary.bucket(user, salt) == int(bucket)
        checked += 1
    assert checked >= 10_000


def test_vectors_cohorts_at_their_edges(vectors: pathlib.Path) -> None:
    """Old at a percentage of the bucket, new one basis point above: str and bytes, one and many."""
    by_salt: dict[str, dict[int, list[bytes]]] = {}
    for user_hex, salt_hex, _, bucket in rows(vectors / "vectors.tsv"):
        by_bucket = by_salt.setdefault(unhex(salt_hex).decode(), {})
        by_bucket.setdefault(int(bucket), []).append(unhex(user_hex))
    checked = 0
    for salt, by_bucket in by_salt.items():
        # Each basis point of the unsalted ramp would take minutes; every 37th meets all hundreds.
        chosen = sorted(by_bucket) if len(by_bucket) < 1000 else sorted(by_bucket)[::31]
        with rollout(salt=salt) as opened:
            for bucket in chosen:
                for bp, expected in ((bucket, False), (bucket + 1, True)):
                    opened.set_percentage(bp / 100)
                    users = by_bucket[bucket]
                    assert [opened.should_use_new(user) for user in users] == [expected] * len(users)
                    assert opened.decide_many(users) == [expected] * len(users)
                    for user in users:
                        decision = opened.decide(user)
                        assert decision.use_new is expected and decision.bucket == bucket
                        try:
                            text = user.decode()
                        except UnicodeDecodeError:
                            continue
                        assert opened.should_use_new(text) is expected
                        checked += 1
    assert checked > 500


def test_vectors_cohorts_of_a_million(vectors: pathlib.Path) -> None:
    users = [f"user-{i}" for i in range(1_000_000)]
    for salt_hex, bp, count, digest in rows(vectors / "cohorts.tsv"):
        with rollout(salt=unhex(salt_hex).decode(), percentage=int(bp) / 100) as opened:
            cohorts = bytes(opened.decide_many(users))
        assert sum(cohorts) == int(count)
        assert hashlib.sha256(cohorts).hexdigest() == digest


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.sampled_from(["", "spring", "ä:ö"]))
def test_agrees_with_hashlib(user: bytes, salt: str) -> None:
    assert libcanary.hash_user(user, salt) == own_hash(user, salt)
    assert libcanary.bucket(user, salt) == own_bucket(user, salt)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=80), st.binary(max_size=80), st.none()), max_size=40),
    st.integers(0, 10000),
)
def test_one_and_many_agree_with_the_rule(users: list[str | bytes | None], bp: int) -> None:
    def expected(user: str | bytes | None) -> bool:
        try:
            raw = user.encode() if isinstance(user, str) else user
        except UnicodeEncodeError:
            return False
        return bool(raw) and own_bucket(raw) < bp

    with rollout(percentage=bp / 100) as opened:
        wanted = [expected(user) for user in users]
        assert [opened.should_use_new(user) for user in users] == wanted
        assert opened.decide_many(users) == wanted
        assert [bool(opened.decide(user)) for user in users] == wanted


def test_answers_are_real_bools() -> None:
    with rollout(percentage=50) as opened:
        assert opened.should_use_new("alice") is True
        assert opened.should_use_new("nobody-7") in (True, False)
        assert all(type(answer) is bool for answer in opened.decide_many(["a", b"b"]))


def test_str_and_bytes_are_one_user() -> None:
    with rollout(new=["Zoë"]) as opened:
        assert opened.should_use_new("Zoë") is opened.should_use_new("Zoë".encode()) is True


def test_decision_says_why() -> None:
    with rollout(percentage=5, new=["bob"]) as opened:
        split = opened.decide("alice")
        assert split and split.cohort == "new" and split.reason == "split"
        assert (split.bucket, split.hash, split.percentage_bp) == (178, 735577801, 500)
        assert split.stage == 1 and split.age is not None and split.age >= 0
        assert opened.decide("bob").reason == "override"
        old = opened.decide("user-1")
        # A tuple is true when it has fields; a decision must not be.
        assert not old and old.cohort == "old" and len(old) == 10
        opened.kill()
        killed = opened.decide("alice")
        assert not killed and killed.reason == "killed" and killed.effective_bp == 0
        assert opened.info().killed_by == {"local"}
        opened.revive()
        opened.set_percentage(0)
        assert opened.decide("alice").reason == "static"
        opened.set_percentage(100)
        assert opened.decide("alice") and opened.decide("alice").reason == "static"


@pytest.mark.parametrize("user", [None, "", b"", "\ud800", "a\udfffb"])
def test_an_id_that_is_none_gets_the_old_path(user: str | bytes | None) -> None:
    with rollout(percentage=100) as opened:
        assert opened.should_use_new(user) is False
        assert opened.decide_many([user, "alice", user]) == [False, True, False]
        decision = opened.decide(user)
        assert not decision and decision.reason == "invalid"
        assert decision.bucket is None and decision.stage is None and decision.age is None


@pytest.mark.parametrize("user", [7, 1.5, ["alice"], object(), bytearray(b"alice"), True])
def test_another_type_is_a_mistake(user: object) -> None:
    with rollout(percentage=100) as opened:
        for call in (opened.should_use_new, opened.decide):
            with pytest.raises(TypeError, match="str or bytes"):
                call(user)  # type: ignore[operator]
        with pytest.raises(TypeError, match="str or bytes"):
            opened.decide_many(["alice", user])  # type: ignore[list-item]


def test_one_id_is_no_list() -> None:
    with rollout() as opened:
        for one in ("alice", b"alice"):
            with pytest.raises(TypeError, match="not one id"):
                opened.decide_many(one)
        with pytest.raises(TypeError):
            opened.decide_many(None)  # type: ignore[arg-type]
        assert opened.decide_many([]) == []
        assert opened.decide_many(iter(("a", "b"))) == [False, False]


def test_long_ids_and_nul() -> None:
    long = "x" * (1 << 20)
    with rollout(percentage=50) as opened:
        for user in (long, long.encode(), "a\0b", b"\0", "\0" * 70):
            raw = user.encode() if isinstance(user, str) else user
            assert opened.should_use_new(user) is (own_bucket(raw) < 5000)
            assert opened.decide(user).bucket == own_bucket(raw)
    with pytest.raises(ValueError):
        libcanary.hash_user("")
    with pytest.raises(ValueError, match="128"):
        libcanary.hash_user("a", "s" * 129)
    with pytest.raises(TypeError):
        libcanary.hash_user(None)  # type: ignore[arg-type]


def test_a_state_too_old_counts_for_nothing(canary_clock: libcanary.testing.Clock) -> None:
    with rollout(percentage=100, clock=canary_clock, stale_after=60) as opened:
        assert opened.should_use_new("alice")
        canary_clock.advance(61)
        assert not opened.should_use_new("alice")
        decision = opened.decide("alice")
        assert decision.reason == "stale" and decision.age == pytest.approx(61)
        opened.store.refresh()
        assert opened.should_use_new("alice")


def test_one_user_on_many_rollouts() -> None:
    killed = False
    with contextlib.ExitStack() as opened:
        every = [opened.enter_context(rollout(f"r{bp}", percentage=bp / 100, salt=salt))
                 for bp in (0, 500, 2500, 5000, 9999, 10000) for salt in ("", "spring")]
        every.append(opened.enter_context(rollout("k", percentage=100, kill_switch=lambda: killed)))
        every.append(opened.enter_context(rollout("p", new=["alice"])))
        for user in ("alice", b"bob", "user-1", None, "", "\ud800"):
            for killed in (False, True):
                assert libcanary.decide_rollouts(user, every) == [
                    one.should_use_new(user) for one in every
                ]
        assert libcanary.decide_rollouts("alice", []) == []
        assert libcanary.decide_rollouts("alice", iter(every[-1:])) == [True]
        with pytest.raises(TypeError, match="Rollout"):
            libcanary.decide_rollouts("alice", [every[0], "r0"])  # type: ignore[list-item]
        with pytest.raises(TypeError, match="str or bytes"):
            libcanary.decide_rollouts(7, every)  # type: ignore[arg-type]
        every[3].close()
        with pytest.raises(libcanary.ClosedError):
            libcanary.decide_rollouts("alice", every)
