# SPDX-License-Identifier: MIT
"""Rows changed by plain SQL, and what status, verify, doctor and accept say about them."""

import contextlib
import os
import sqlite3

from cli import Store, check, contains, equal, finish


def sql(store, statement, *values):
    with contextlib.closing(sqlite3.connect(store.path)) as db, db:
        db.execute(statement, values)


def kill_by_sql():
    with Store() as store:
        store.good("create", "checkout", "--by", "ann")
        store.good("set", "--percent", "25")
        sql(store, "UPDATE feature_flags SET enabled = 0 WHERE name = 'checkout'")
        status = store.js("status")
        equal((status["percentage"], status["effective_percentage"], status["kill_reasons"],
               status["flag"]["enabled"]), (25, 0, ["flag"], False),
              "a flag switched off by SQL: 25 % configured, 0 % effective")
        check("flag" in status["doubt"], "and the flag is in doubt", status["doubt"])
        text = store.good("status").out
        contains(text, "25 % configured, 0 % effective: flag checkout is off", "status says so")
        contains(text, "outside", "and that it was switched outside")
        equal(store.js("explain", "alice")["reason"], "killed", "explain: killed")
        equal(store.good("decide", "alice").out, "alice\told\n", "decide: old")
        result = store.run("-o", "json", "verify")
        equal(result.code, 8, "verify: exit 8")
        report = result.json
        equal((report["verified"], [f["kind"] for f in report["findings"]]), (False, ["flag"]),
              "verify: one finding, the flag")
        equal(report["findings"][0]["flag"], "checkout", "verify: names the flag")
        check(report["findings"][0]["next"], "verify: names the next step")
        text = store.run("verify").out
        contains(text, "NOT verified", "verify: text")
        contains(text, "next:", "verify: the next step in text")
        result = store.run("-o", "json", "doctor")
        equal((result.code, result.json["healthy"]), (8, False), "doctor: exit 8")
        check(all(f["next"] for f in result.json["findings"] if f["severity"] == "error"),
              "doctor: each error has a next step", result.json)
        contains(store.good("flag", "list").out, "off, changed outside", "flag list: says so")
        change = store.js("accept", "--by", "ann", "--note", "INC-3")
        equal(change["action"], "accept", "accept: recorded")
        equal(store.run("verify").code, 0, "accept: everything verifies again")
        status = store.js("status")
        equal((status["effective_percentage"], status["doubt"]), (0, []),
              "accept: the flag stays off, and nothing is in doubt")
        store.good("flag", "on", "checkout")
        equal(store.js("status")["effective_percentage"], 25, "flag on: back to 25 %")


def accept_says_what():
    with Store() as store:
        store.good("create", "checkout")
        store.good("set", "--percent", "25")
        sql(store, "UPDATE rollouts SET percentage_bp = 9000")
        status = store.js("status")
        check(status["effective_percentage"] <= 25, "a percentage raised by SQL is not believed",
              status)
        check("rollout" in status["doubt"], "and the rollout is in doubt")
        result = store.run("-o", "json", "explain", "alice")
        equal((result.code, result.json["reason"], result.json["cohort"]), (8, "not_ready", "old"),
              "explain: a program that starts now gives old, exit 8")
        contains(store.run("explain", "alice").out, "outside", "explain: says why")
        result = store.run("decide", "alice")
        equal((result.code, result.out), (8, "alice\told\n"), "decide: the same, exit 8")
        contains(result.err, "verify", "decide: says what to look at")
        text = store.run("accept").out
        contains(text, "signed: 90 %", "accept: prints what it signed")
        equal(store.js("status")["effective_percentage"], 90, "and then it is believed")


def edit_trail(store, statement):
    """Edits the trail as somebody would who knows of the triggers that forbid it."""
    db = sqlite3.connect(store.path)
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f'DROP TRIGGER "{name}"')
    db.execute(statement)
    for _, text in triggers:
        db.execute(text)
    db.commit()
    db.close()


def trail_edits():
    for what, statement in (
        ("an edited row", "UPDATE changes SET note = 'nothing to see' WHERE id = 2"),
        ("a removed row", "DELETE FROM changes WHERE id = 2"),
    ):
        with Store() as store:
            store.good("create", "checkout")
            store.good("advance")
            store.good("advance")
            try:
                sql(store, statement)
                refused = False
            except sqlite3.DatabaseError:
                refused = True
            check(refused, f"{what}: the database itself refuses")
            edit_trail(store, statement)
            result = store.run("-o", "json", "verify")
            equal(result.code, 8, f"{what}, past the triggers: verify exits 8")
            check(any(f["kind"] in ("hash", "gap", "link") for f in result.json["findings"]),
                  f"{what}: verify names the trail", result.out)
            result = store.run("doctor")
            equal(result.code, 8, f"{what}: so does doctor")


def later_than_now():
    with Store() as store:
        store.good("create", "checkout")
        edit_trail(store, "UPDATE changes SET made_at = made_at + 7200000000000")
        result = store.run("doctor")
        contains(result.out, "dated in 1", "doctor: a change from the future")


def doctor_findings():
    def findings(store, **more):
        result = store.run("-o", "json", "doctor", **more)
        return result, [(f["severity"], f["check"], f["message"]) for f in result.json["findings"]]

    def has(found, severity, name, part, what):
        check(any(s == severity and c == name and part in m for s, c, m in found), what, found)

    with Store() as store:
        store.good("create", "one")
        store.good("create", "two")
        store.good("--rollout", "one", "set", "--percent", "10")
        store.good("--rollout", "two", "set", "--percent", "20")
        result, found = findings(store)
        equal(result.code, 0, "doctor: warnings alone are exit 0")
        has(found, "warning", "salts", "one and two", "doctor: a salt shared while partly open")
        store.good("flag", "off", "two")
        _, found = findings(store)
        has(found, "warning", "flags", "flag two is off", "doctor: a flag that is off")
        store.good("flag", "on", "unused")
        _, found = findings(store)
        has(found, "note", "flags", "unused", "doctor: a flag that nothing obeys")
        _, found = findings(store, env={"CANARY_KILL": "one,three"})
        has(found, "warning", "environment", "kills 1 of 2", "doctor: CANARY_KILL")
        _, found = findings(store, env={"CANARY_SHA256": "libsodium"})
        has(found, "ok", "hashing", "by libsodium, and by libsodium",
            "doctor: how this machine hashes")
        result, found = findings(store, env={"CANARY_SHA256": "abacus"})
        equal(result.code, 0, "doctor: a way to hash that there is not is no more than a warning")
        has(found, "warning", "hashing", '"abacus"', "doctor: and is named")
        os.chmod(store.path, 0o666)
        _, found = findings(store)
        has(found, "warning", "permissions", "everybody", "doctor: a store anyone may write")
        os.chmod(store.path, 0o644)
        os.chmod(store.directory, 0o777)
        _, found = findings(store)
        has(found, "warning", "permissions", "directory", "doctor: a directory anyone may write")
        os.chmod(store.directory, 0o755)
        sql(store, "DELETE FROM feature_flags WHERE name = 'one'")
        result, found = findings(store)
        equal(result.code, 8, "doctor: a missing flag is unhealthy")
        has(found, "ok", "hashing", "by ", "doctor: hashing is looked at in an unhealthy store")
        has(found, "error", "flags", "missing", "doctor: a flag that is missing")
        contains(store.run("--rollout", "one", "status").out, "flag one is missing",
                 "status: a flag that is missing")
    with Store() as store:
        store.good("create", "one")
        bell = store.directory / "app.db-doorbell"
        if bell.exists():
            data = bytearray(bell.read_bytes())
            for place in range(64, len(data)):
                data[place] ^= 0x5A
            with open(bell, "r+b") as file:
                file.write(data)
            result, found = findings(store)
            equal(result.code, 8, "doctor: a damaged bell is unhealthy")
            has(found, "error", "bell", "", "doctor: names the bell")
    with Store() as store:
        store.good("create", "one")
        text = store.good("doctor").out
        for part in ("file system", "store", "trail", "flags", "environment", "salts", "clock",
                     "bell", "permissions", "hashing"):
            contains(text, part, f"doctor: looks at {part}")


kill_by_sql()
accept_says_what()
trail_edits()
later_than_now()
doctor_findings()
finish()
