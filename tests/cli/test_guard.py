# SPDX-License-Identifier: MIT
"""guard: one round and many, what it prints, what it does, how it ends."""

import json
import signal
import subprocess
import time

from cli import Store, check, contains, equal, finish

POLICY = {
    "policy": 1, "name": "plain", "mode": "auto", "design_effect": 1,
    "rules": [
        {"name": "harm", "metric": "error", "against": "old", "above": 1.5, "action": "rollback"},
        {"name": "few", "metric": "error", "below": "50%", "window": "10m", "min_samples": 100,
         "action": "require"},
    ],
}


def begin(store, name, **changes):
    """A rollout at 5 %, with a policy, whose generation began two ticks ago."""
    policy = store.directory / f"{name}.json"
    policy.write_text(json.dumps({**POLICY, **changes}))
    store.good("create", name)
    store.good("--rollout", name, "set", "--percent", "5")
    store.good("policy", "set", name, str(policy))


def outcomes(store, name, bad):
    for cohort, n, k in (("old", 9500, 100), ("new", 500, bad)):
        store.good("--rollout", name, "record", "--metric", "error", "--cohort", cohort,
                   "--n", str(n), "--k", str(k))


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def once(store):
    told = store.good("guard", "good", "--once").out
    contains(told, "good lease: guard@", "says that it acts")
    contains(told, "good advance from 5 % to 25 %: ", "advances a healthy release")
    told = lines_of(store.good("-o", "json", "guard", "--all", "--once").out)
    acted = [event for event in told if event["event"] == "action"]
    equal([event["rollout"] for event in acted], ["bad"], "--all: acts on the harmful one")
    equal(acted[0]["change"]["to_percentage"], 0, "rolls it back")
    equal(acted[0]["verdict"]["action"], "rollback", "with its verdict")
    check(acted[0]["change"]["by"].startswith("guard@"), "under a guard's name", acted[0])
    history = store.js("--rollout", "bad", "history", "--evidence")
    contains(json.dumps(history[0]["evidence"]), "acted_by", "the evidence is in the trail")
    equal(len([row for row in history if row["action"] == "rollback"]), 1, "once")
    store.good("guard", "--all", "--once")
    equal(len(store.js("--rollout", "bad", "history")), len(history), "and never again")


def observing(store):
    before = store.js("--rollout", "watched", "status")["percentage"]
    told = store.good("guard", "watched", "--once", "--observe", "--by", "cron").out
    contains(told, "ROLLBACK (evidence)", "--observe tells what there was to do")
    check(" lease: " not in told, "--observe takes no lease", told)
    equal(store.js("--rollout", "watched", "status")["percentage"], before, "--observe does nothing")
    told = store.good("guard", "watched", "--once", "--by", "cron").out
    contains(told, "rollback from 5 % to 0 %", "without it the release is rolled back")
    equal(store.js("--rollout", "watched", "history")[0]["by"], "cron", "--by names the guard")


def going_on(store):
    for number in (signal.SIGTERM, signal.SIGINT):
        guard = store.start("-o", "json", "guard", "good", "--interval", "1s",
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = json.loads(guard.stdout.readline())
        equal((first["event"], first["acting"]), ("lease", True), "takes the lease")
        second = store.good("guard", "good", "--once").out
        contains(second, "another guard acts on this rollout: guard@", "a second one leaves it alone")
        equal(json.loads(guard.stdout.readline())["event"], "verdict", "judges at once")
        store.good("--rollout", "good", "override", "add", "alice", "new", "--note", "tester")
        change = json.loads(guard.stdout.readline())
        equal((change["event"], change["change"]["action"]), ("change", "override_new"),
              "tells what others change")
        store.good("--rollout", "good", "override", "remove", "alice")
        guard.send_signal(number)
        _, errors = guard.communicate(timeout=120)
        equal((guard.returncode, errors), (0, b""), f"ends cleanly by {number.name}")
        told = store.good("-o", "json", "guard", "good", "--once").out
        check(lines_of(told)[0].get("acting") is True, "and has given its lease back", told)


def refused(store):
    for words, code, part in (
        (("guard", "nobody", "--once"), 1, "no rollout"),
        (("guard", "good", "--interval", "0s"), 2, "1s to 1d"),
        (("guard", "good", "--interval", "soon"), 2, "1s to 1d"),
        (("guard", "good", "--all"), 2, "not both"),
        (("guard", "good", "bad"), 2, "guard"),
    ):
        result = store.run(*words)
        check(result.code == code and part in result.err, f"{' '.join(words)}: exit {code}", result)


with Store() as store:
    store.good("create", "free")
    once_before = store.good("guard", "--once", "--all").out
    equal(once_before, "", "a rollout without a policy is nobody's concern")
    for name in ("good", "bad"):
        begin(store, name)
    begin(store, "watched", mode="approve")
    for name in ("good", "bad", "watched"):
        for _ in range(5):
            outcomes(store, name, 5 if name == "good" else 60)
    # A tick is judged 2 s after its end.
    time.sleep(12.5 - time.time() % 10 if time.time() % 10 > 2.4 else 12.5)
    store.good("--rollout", "free", "status")
    observing(store)
    once(store)
    going_on(store)
    refused(store)
finish()
