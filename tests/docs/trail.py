# SPDX-License-Identifier: MIT
"""trail.py VERIFY-TRAIL CANARYCTL: the example script, which knows only the documents, agrees with
the library about a real trail, and finds each kind of edit."""
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile


def main():
    script, canaryctl = sys.argv[1:3]
    directory = tempfile.mkdtemp(prefix="canary-trail-")
    database = os.path.join(directory, "canary.db")

    def operate(*words):
        return subprocess.run([canaryctl, "--db", database, *words], check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def verify(path):
        return subprocess.run([sys.executable, script, path], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)

    operate("--by", "maría", "--note", "grüße ✓\n'quoted'", "create", "checkout", "--salt", "s")
    operate("advance")
    operate("override", "add", "alice", "new")
    operate("flag", "off", "checkout")
    operate("rollback")
    good = verify(database)
    assert good.returncode == 0 and good.stdout.startswith("5 changes, head "), good.stdout
    head = good.stdout.split()[-1]
    assert head in operate("verify"), "canaryctl verify does not print the same head hash"

    edits = {
        "a note": "UPDATE changes SET note = 'nothing' WHERE id = 2",
        "a time": "UPDATE changes SET made_at = made_at + 1 WHERE id = 5",
        "a row taken out": "DELETE FROM changes WHERE id = 3",
        "the first row taken out": "DELETE FROM changes WHERE id = 1",
        "a hash": "UPDATE changes SET hash = replace(hash, '0', '1') WHERE id = 4",
    }
    for what, statement in edits.items():
        copy = os.path.join(directory, "copy.db")
        shutil.copy(database, copy)
        connection = sqlite3.connect(copy)
        for trigger in ("update", "delete", "replace"):
            connection.execute(f"DROP TRIGGER changes_no_{trigger}")
        changed = connection.execute(statement).rowcount
        connection.commit()
        connection.close()
        assert changed == 1, what
        bad = verify(copy)
        assert bad.returncode == 1 and "was edited" in bad.stdout, f"{what}: {bad.stdout}"
    shutil.rmtree(directory)
    print(f"{good.stdout.strip()}; {len(edits)} edits found")
    return 0


sys.exit(main())
