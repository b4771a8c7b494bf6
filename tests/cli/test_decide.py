# SPDX-License-Identifier: MIT
"""decide: odd ids, long lines, slow feeders, readers that leave, and speed."""

import hashlib
import json
import os
import select
import subprocess
import time

from cli import Store, check, contains, equal, finish, skip


def bucket(user):
    h = int.from_bytes(hashlib.sha256(user).digest()[:4], "big")
    return h % 100 * 100 + h // 100 % 100


def expected(user, bp):
    return b"new" if user and bucket(user) < bp else b"old"


def answers(ids, bp):
    return b"".join(user + b"\t" + expected(user, bp) + b"\n" for user in ids)


def small(store):
    result = store.good("decide", "alice", "bob", "user-1")
    equal(result.out_bytes, answers([b"alice", b"bob", b"user-1"], 2500), "decide USER...: lines")
    rows = store.good("-o", "json", "decide", "alice", "bob").lines
    equal(rows, [{"user": "alice", "cohort": "new"}, {"user": "bob", "cohort": "new"}],
          "decide USER...: an object a line")
    ids = [b"alice", b"nul\0inside", b"tab\there", b"caf\xe9 \xff", "Zoë".encode(), b'q"\\', b"cr\rmid",
           b" space ", b"-dash", b"x" * (1 << 20)]
    data = b"\n".join(ids)
    result = store.good("decide", "--stdin", stdin=data)
    equal(result.out_bytes, answers(ids, 2500), "odd ids pass as they are; no final newline needed")
    equal(result.err, "", "and nothing is warned of")
    result = store.good("decide", "--stdin", stdin=data + b"\n")
    equal(result.out_bytes, answers(ids, 2500), "the same with a final newline")
    result = store.good("decide", "--stdin", stdin=b"\r\n".join(ids) + b"\r\n")
    equal(result.out_bytes, answers(ids, 2500), "CRLF: one CR is stripped")
    result = store.good("decide", "--stdin", stdin=b"a\r\r\nb\r")
    equal(result.out_bytes, answers([b"a\r", b"b"], 2500), "CR CR LF: only one CR")
    rows = store.good("-o", "json", "decide", "--stdin", stdin=data).lines
    equal([row["user"] for row in rows],
          [None if user == b"caf\xe9 \xff" else user.decode() for user in ids],
          "JSON: ids as strings, NUL and quotes included")
    equal(rows[3].get("user_hex"), "636166e920ff", "JSON: an id that is not UTF-8 as hex")
    equal([row["cohort"].encode() for row in rows], [expected(user, 2500) for user in ids],
          "JSON: the same cohorts")
    result = store.good("decide", "--stdin", stdin=b"alice\n\nbob\n\r\n")
    equal(result.out_bytes, b"alice\tnew\n\told\nbob\tnew\n\told\n", "empty lines get old")
    contains(result.err, "2 empty lines", "and are counted on standard error")
    result = store.good("decide", "--stdin", stdin=b"")
    equal((result.out_bytes, result.err), (b"", ""), "no input, no output")
    result = store.run("decide", "--stdin", stdin=b"alice\n" + b"y" * ((1 << 20) + 1) + b"\nbob\n")
    equal(result.code, 1, "a line above a mebibyte: exit 1")
    equal(result.out_bytes, b"alice\tnew\n", "and the lines before it are decided")
    contains(result.err, "line 2", "and it is named")
    result = store.run("decide", "--stdin", stdin=b"z" * (5 << 20))
    equal(result.code, 1, "five mebibytes without an end: exit 1")


def killed(store):
    store.good("flag", "off", "checkout")
    equal(store.good("decide", "--stdin", stdin=b"alice\nbob\n").out, "alice\told\nbob\told\n",
          "killed: everybody is old")
    store.good("flag", "on", "checkout")
    store.good("override", "add", "user-1", "new")
    store.good("override", "add", "alice", "old")
    equal(store.good("decide", "alice", "user-1", "bob").out, "alice\told\nuser-1\tnew\nbob\tnew\n",
          "pins are obeyed")
    store.good("override", "remove", "user-1")
    store.good("override", "remove", "alice")


def agreement(store):
    ids = [b"user%d" % n for n in range(20000)]
    result = store.good("decide", "--stdin", stdin=b"\n".join(ids))
    equal(result.out_bytes, answers(ids, 2500), "20000 ids as Python computes them")


def streaming(store):
    process = store.start("decide", "--stdin", stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(data):
        """What is answered before anything more is asked; nothing after a minute."""
        process.stdin.write(data)
        process.stdin.flush()
        if not select.select([process.stdout], [], [], 60)[0]:
            return b""
        return os.read(process.stdout.fileno(), 4096)

    equal(ask(b"alice\nbo"), b"alice\tnew\n", "an answer comes before the next question")
    equal(ask(b"b\n"), b"bob\tnew\n", "a line in two pieces is one line")
    process.stdin.close()
    equal(process.wait(timeout=60), 0, "the end of input is the end")


def leaving(store):
    for lines in (b"alice\n" * 500000,):
        process = store.start("decide", "--stdin", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        feeder = os.fork()
        if feeder == 0:
            try:
                process.stdout.close()
                process.stdin.write(lines)
                process.stdin.close()
            except OSError:
                pass
            os._exit(0)
        process.stdin.close()
        process.stdout.read(100)
        process.stdout.close()
        code = process.wait(timeout=60)
        error = process.stderr.read()
        os.waitpid(feeder, 0)
        equal((code, error), (0, b""), "a reader that leaves: a quiet end")


def speed(store):
    count = 1000000
    path = store.directory / "ids"
    path.write_bytes(b"".join(b"%08x-1234-4abc-8def-%012x\n" % (n * 2654435761 % 2**32, n)
                              for n in range(count)))
    for words in ((), ("-o", "json")):
        best = 1e9
        for _ in range(3):
            with open(path, "rb") as source:
                start = time.monotonic()
                process = store.start(*words, "decide", "--stdin", stdin=source,
                                      stdout=subprocess.PIPE)
                size = 0
                last = b""
                while chunk := process.stdout.read(1 << 20):
                    size += len(chunk)
                    last = chunk
                process.wait()
                best = min(best, time.monotonic() - start)
        equal(last[-1:], b"\n", "a whole last line")
        if words:
            json.loads(last.splitlines()[-1])
        note = f"a million ids in {best:.2f} s {' '.join(words)}"
        slow = any(os.environ.get(name) for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"))
        if best > 1 and (slow or os.getloadavg()[0] > os.cpu_count()):
            skip(f"{note}: slower than a million a second, on a busy or sanitized run")
        else:
            check(best <= 1.0, f"{note}: a million a second or better")


def memory(store):
    process = store.start("decide", "--stdin", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for n in range(40):
        process.stdin.write(b"".join(b"id-%d\n" % k for k in range(n * 50000, (n + 1) * 50000)))
    process.stdin.flush()
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        peak = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    process.stdin.close()
    equal(process.wait(), 0, "two million ids are decided")
    if "ASAN_OPTIONS" in os.environ or not peak:
        skip("bounded memory: cannot be measured in this run")
    else:
        check(peak[0] < 20000, f"in bounded memory: {peak[0]} KiB", peak)


with Store() as main:
    main.good("create", "checkout")
    main.good("set", "--percent", "25")
    small(main)
    killed(main)
    agreement(main)
    streaming(main)
    leaving(main)
    speed(main)
    memory(main)
finish()
