# SPDX-License-Identifier: MIT
"""Every exit code of canaryctl, with what is said on standard error in both outputs."""

import os
import sqlite3
import time

from cli import Store, check, contains, equal, finish, locked, ordinary_user, skip


def told(store, code, name, what, *words, part=None, **more):
    """Runs a failing command in both outputs and looks at what it says."""
    result = store.run(*words, **more)
    equal(result.code, code, f"{what}: exit {code}")
    check(result.err.startswith("canaryctl: ") and len(result.err) > 30 and result.out == "",
          f"{what}: a helpful line on standard error", repr(result))
    if part:
        contains(result.err, part, f"{what}: it says {part!r}")
    result = store.run("-o", "json", *words, **more)
    equal(result.code, code, f"{what}: exit {code} with JSON")
    try:
        error = result.error
    except ValueError:
        check(False, f"{what}: the error is a JSON object", repr(result))
        return {}
    equal((error["error"], error["exit"]), (name, code), f"{what}: the object names {name}")
    check(error["code"] < 0 and error["message"], f"{what}: with code and message", error)
    return error


def done_and_error():
    with Store() as store:
        store.good("create", "checkout")
        equal(store.run("status").code, 0, "a good command: exit 0")
        told(store, 1, "CANARY_E_EXISTS", "creating it twice", "create", "checkout")
        told(store, 1, "CANARY_E_NOT_FOUND", "an unknown rollout", "--rollout", "chekout", "status",
             part="did you mean --rollout checkout")
        for words in (("history",), ("override", "list"), ("override", "remove", "alice"),
                      ("rollback",), ("accept",), ("explain", "alice")):
            told(store, 1, "CANARY_E_NOT_FOUND", f"an unknown rollout, {' '.join(words)}",
                 "--rollout", "chekout", *words, part="did you mean --rollout checkout")
        told(store, 1, "CANARY_E_NOT_FOUND", "removing no pin", "override", "remove", "nobody")
        told(store, 1, "CANARY_E_NOT_FOUND", "decide on an unknown rollout", "--rollout", "x",
             "decide", "alice")
        told(store, 2, "CANARY_E_INVALID", "an odd word", "status", "--sideways")
        told(store, 2, "CANARY_E_INVALID", "a rollout name with a space", "create", "a b")
        told(store, 2, "CANARY_E_INVALID", "an actor with a line break", "advance", "--by", "a\nb",
             part="canaryctl advance --help")
        told(store, 2, "CANARY_E_INVALID", "rolling back upwards", "rollback", "--stage", "3")
    with Store() as store:
        store.good("create", "first")
        os.unlink(store.path)
        # The bell may still be there; a new store begins afresh.
        store.good("create", "second")
        equal(store.good("list", "--brief").out, "second\n", "a store made anew is empty")


def storage():
    with Store() as store:
        for words in (("status",), ("rollback",), ("verify",), ("doctor",), ("advance",),
                      ("set", "--percent", "5"), ("flag", "off", "x"), ("decide", "alice"),
                      ("list",), ("history",), ("status", "--watch"), ("accept",),
                      ("override", "list"), ("metrics",), ("baseline", "show"),
                      ("record", "--metric", "x", "--cohort", "new", "--value", "1"),
                      ("import", "--format", "csv", "--stdin")):
            told(store, 3, "CANARY_E_NO_STORE", f"no file, {' '.join(words)}", *words,
                 part="create NAME")
        check(not store.path.exists(), "and none is made by them")
        check(not list(store.directory.iterdir()), "nor a bell", list(store.directory.iterdir()))
        error = told(store, 3, "CANARY_E_NO_STORE", "create in no directory", "--db",
                     str(store.directory / "no" / "app.db"), "create", "x", db=False)
        contains(error.get("next", ""), "directory", "create in no directory: what to do")
        store.path.touch()
        for words in (("status",), ("verify",), ("advance",)):
            told(store, 3, "CANARY_E_NO_STORE", f"an empty file, {' '.join(words)}", *words,
                 part="create NAME")
        told(store, 3, "CANARY_E_NO_STORE", "a path through a file", "--db",
             str(store.path / "app.db"), "status", db=False)
        store.path.write_text("this is a shopping list, not a database\n" * 50)
        told(store, 3, "CANARY_E_NOT_A_STORE", "a text file", "status")
        told(store, 3, "CANARY_E_NOT_A_STORE", "a text file, create", "create", "x")
        told(store, 3, "CANARY_E_NOT_A_STORE", "a text file, rollback", "--rollout", "x",
             "rollback")
    with Store() as store:
        sqlite3.connect(store.path).execute("CREATE TABLE mine (x)").connection.commit()
        told(store, 3, "CANARY_E_NOT_A_STORE", "another program's database", "status")
    with Store() as store:
        store.good("create", "checkout")
        data = store.path.read_bytes()
        # The file is longer than its pages, which the header counts: space kept for a full disk.
        store.path.write_bytes(data[: int.from_bytes(data[28:32], "big") * 4096 - 6000])
        result = store.run("-o", "json", "status")
        equal(result.code, 3, "a truncated store: exit 3")
        check(result.error["error"].startswith("CANARY_E_"), "a truncated store: a named error")
        equal(store.run("doctor").code, 8, "doctor on a truncated store: exit 8")
        store.path.write_bytes(data[:100] + os.urandom(len(data) - 100))
        told(store, 3, "CANARY_E_CORRUPT", "a damaged store", "status")
        result = store.run("-o", "json", "--rollout", "checkout", "rollback")
        equal((result.code, result.error.get("in_effect")), (3, True),
              "a rollback of a damaged store: exit 3, and in effect")
        contains(result.error["message"], "NOT recorded", "and it says both")
    with Store() as store:
        store.good("create", "checkout")
        db = sqlite3.connect(store.path)
        db.execute("PRAGMA user_version = 9999")
        db.commit()
        db.close()
        told(store, 3, "CANARY_E_NEWER", "a store of a newer version", "status", part="newer")
    with Store() as store:
        store.good("create", "checkout")
        db = sqlite3.connect(store.path)
        db.execute("CREATE VIEW intruder AS SELECT 1")
        db.commit()
        db.close()
        told(store, 3, "CANARY_E_HOSTILE", "a view that is not ours", "status", part="intruder")
        result = store.run("doctor")
        equal(result.code, 8, "doctor on a hostile schema: exit 8")
        contains(result.out, "intruder", "doctor names what does not belong there")
    with Store() as store:
        store.path.mkdir()
        equal(store.run("status").code, 3, "a directory: exit 3")


def gates():
    with Store() as store:
        store.good("create", "checkout")
        store.good("set", "--percent", "100")
        told(store, 5, "CANARY_E_REFUSED", "advancing at the top", "advance")
        store.good("rollback", "--stage", "1")
        db = sqlite3.connect(store.path)
        db.execute("UPDATE rollouts SET percentage_bp = 10000")
        db.commit()
        db.close()
        told(store, 5, "CANARY_E_TAMPERED", "raising what cannot be believed", "advance",
             part="accept")
        equal(store.run("rollback").code, 0, "a rollback of what cannot be believed: exit 0")


def conflicts():
    with Store() as store:
        store.good("create", "checkout")
        store.good("advance", "--by", "bob")
        told(store, 6, "CANARY_E_CONFLICT", "another stage than expected", "advance",
             "--expect-stage", "0", part="bob")
        told(store, 6, "CANARY_E_CONFLICT", "another revision than expected", "set", "--percent",
             "50", "--expect-revision", "1")
        equal(store.js("status")["revision"], 2, "a conflict changes nothing")
        equal(store.run("advance", "--dry-run", "--expect-stage", "0").code, 6,
              "a dry run finds the conflict, too")


def timeouts():
    with Store() as store:
        store.good("create", "checkout")
        store.good("set", "--percent", "50")
        with locked(store.path):
            start = time.monotonic()
            told(store, 7, "CANARY_E_BUSY", "a locked store, status", "--timeout", "0.2", "status",
                 part="--timeout")
            told(store, 7, "CANARY_E_BUSY", "a locked store, advance", "--timeout", "0.2",
                 "advance")
            took = time.monotonic() - start
            check(took < 9, "--timeout 0.2 does not wait for 5 s as usual", f"{took:.2f} s for two")
            start = time.monotonic()
            equal(store.run("--timeout", "0", "status").code, 7, "--timeout 0: a single try")
            check(time.monotonic() - start < 4.5, "and it does not wait")
            told(store, 7, "CANARY_E_BUSY", "a locked store, flag off", "--timeout", "0.2", "flag",
                 "off", "checkout", part="rollback   takes effect even now")
            error = told(store, 7, "CANARY_E_BUSY", "a locked store, rollback", "--timeout", "0.2",
                         "--rollout", "checkout", "rollback", "--note", "INC-9",
                         part="NOT recorded")
            equal(error.get("in_effect"), True, "rollback: the object says that it is in effect")
            contains(error.get("next", ""), "rollback", "rollback: what to run again")
            told(store, 7, "CANARY_E_BUSY", "a locked store, rollback without a name", "--timeout",
                 "0.2", "rollback", part="--rollout NAME")
            equal(store.run("--timeout", "0.2", "doctor").code, 8, "doctor on a locked store: 8")
        status = store.js("status")
        equal((status["percentage"], status["effective_percentage"], status["doubt"]),
              (50, 0, ["rollback"]), "afterwards: 50 % configured, 0 % effective, a rollback rung")
        contains(store.good("status").out, "not recorded", "status says why")
        equal(store.run("advance").code, 5, "raising meanwhile: refused")
        equal(store.run("doctor").code, 8, "doctor finds the rollback that is not recorded")
        equal(store.run("verify").code, 8, "verify finds it, too")
        equal(store.js("rollback")["to_percentage"], 0, "the same command again records it")
        equal(store.js("status")["doubt"], [], "and nothing is in doubt any more")
        equal(store.run("verify").code, 0, "and everything verifies")


def permissions():
    try:
        user = ordinary_user()
    except LookupError as reason:
        skip(f"permissions: {reason}")
        return
    with Store() as store:
        store.good("create", "checkout")
        os.chmod(store.directory, 0o755)
        os.chmod(store.path, 0)
        told(store, 3, "CANARY_E_PERMISSION", "no permission", "status", user=user)
        os.chmod(store.path, 0o644)
        for file in store.directory.iterdir():
            os.chmod(file, 0o444)
        os.chmod(store.directory, 0o555)
        equal(store.run("status", user=user).code, 0, "a store that may only be read: status works")
        equal(store.run("decide", "alice", user=user).code, 0, "and so does decide")
        result = store.run("-o", "json", "advance", user=user)
        equal(result.code, 3, "a change of it: exit 3")
        check(result.error["error"] in ("CANARY_E_READ_ONLY", "CANARY_E_PERMISSION"),
              "and the error is named", repr(result))
        equal(store.run("create", "another", user=user).code, 3, "create there: exit 3")
        os.chmod(store.directory, 0o755)
        equal(store.js("status")["revision"], 1, "nothing was changed")


done_and_error()
storage()
gates()
conflicts()
timeouts()
permissions()
finish()
