#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Verifies the audit trail of a SQLite store without libcanary: verify_trail.py PATH"""
import hashlib
import sqlite3
import sys


def packed(value):
    if isinstance(value, int):
        return b"I" + value.to_bytes(8, "big", signed=True)
    return b"T" + len(value.encode()).to_bytes(8, "big") + value.encode()


rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(
    "SELECT id, rollout, revision, action, from_stage, to_stage, from_percentage_bp,"
    " to_percentage_bp, flag, user_hash, made_at, made_by, note, evidence, previous_hash, hash"
    " FROM changes ORDER BY id")
count, head = 0, "0" * 64
for *values, found in rows:
    content = hashlib.sha256(b"canary-row-1\0changes\0" + b"".join(map(packed, values)))
    if values[0] != count + 1 or values[14] != head or found != content.hexdigest():
        sys.exit(f"change {values[0]} was edited, or does not follow change {count}")
    count, head = values[0], found
print(f"{count} changes, head {head}")
