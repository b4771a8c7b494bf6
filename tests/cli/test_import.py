# SPDX-License-Identifier: MIT
"""import: JSON and CSV, what is refused and at which line, and that nothing counts twice."""

import hashlib
import json
import os
import random
import subprocess
import time

from cli import Store, check, contains, equal, finish

HEADER = "metric,cohort,n,k,value,duration,tp,fp,fn,tn,at,unit\n"


def figures(store, metric, window="2d"):
    for row in store.js("metrics", "--window", window)["metrics"]:
        if row["metric"] == metric:
            return row
    return None


def ndjson(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def good(store):
    rows = [
        {"metric": "accuracy", "cohort": "new", "n": 100, "k": 97},
        {"metric": "accuracy", "cohort": "old", "n": "100", "k": 95.0},
        {"metric": "cost", "cohort": "new", "value": 0.25, "unit": "usd"},
        {"metric": "f1", "cohort": "new", "tp": 91, "fp": 9, "fn": 9},
        {"metric": "training", "cohort": "old", "duration": "90s", "tn": None},
        {"metric": "training", "cohort": "old", "duration": 110.5},
        {"metric": "quality", "cohort": "old", "value": 3.5, "kind": "score", "minimum": 1,
         "maximum": 5},
    ]
    result = store.run("import", "--format", "json", "--stdin", stdin=ndjson(*rows))
    equal(result.code, 1, "metrics that are not known: exit 1")
    contains(result.err, "line 1: ", "metrics that are not known: refused with their line")
    contains(result.err, "--declare", "metrics that are not known: says what lets them be")
    equal(store.js("metrics")["metrics"], [], "and nothing is merged")
    made = store.js("import", "--format", "json", "--stdin", "--declare", stdin=ndjson(*rows))
    equal((made["rows"], made["merged"], made["refused"], made["repeated"]), (7, 7, 0, 0),
          "--declare: all are merged")
    equal(made["declared"], ["accuracy", "cost", "f1", "training", "quality"],
          "--declare: which metrics are new")
    equal(made["key"], "sha256-" + hashlib.sha256(ndjson(*rows)).hexdigest(),
          "without --key: the SHA-256 of the content, as sha256sum prints it")
    accuracy = figures(store, "accuracy")
    equal((accuracy["new"]["rate"], accuracy["old"]["rate"]), (0.97, 0.95), "the rates are there")
    equal((figures(store, "cost")["unit"], figures(store, "quality")["kind"]), ("usd", "score"),
          "a unit and a score")
    equal(figures(store, "training")["old"]["mean"], 100.25, "durations in seconds and with a unit")
    result = store.good("import", "--format", "json", "--stdin", "--declare", stdin=ndjson(*rows))
    contains(result.out, "7 merged before and not counted again", "the same again: nothing twice")
    contains(result.out, "--key", "the same again: says how to say that they are new")
    equal(figures(store, "accuracy"), accuracy, "the same again: figures stay")
    made = store.js("import", "--format", "json", "--stdin", "--key", "day-2", stdin=ndjson(*rows))
    equal((made["key"], made["merged"]), ("day-2", 7), "the same under another --key: merged")
    equal(figures(store, "accuracy")["new"]["n"], 200, "the same under another --key: counted")
    result = store.run("import", "--format", "json", "--stdin", "--key", "day-2",
                       stdin=ndjson(rows[0]))
    equal(result.code, 6, "other rows under the same --key: exit 6")
    contains(result.err, "--key", "other rows under the same --key: says what to do")
    array = json.dumps(rows[:2], indent=2).encode()
    made = store.js("import", "--format", "json", "--stdin", stdin=b"\xef\xbb\xbf \n" + array)
    equal((made["rows"], made["merged"]), (2, 2), "an array over many lines, with a byte order mark")
    equal(figures(store, "accuracy")["new"]["n"], 300, "an array: counted")
    path = store.directory / "figures.csv"
    path.write_bytes((HEADER + 'accuracy,new,"100",97,,,,,,,,\n').encode())
    made = store.js("import", str(path))
    equal((made["rows"], made["merged"]), (1, 1), "a file: its name tells the format")
    made = store.js("import", str(path), "--dry-run", "--key", "dry")
    equal((made["dry_run"], made["rows"], made["merged"]), (True, 1, 0), "--dry-run: merges nothing")
    equal(figures(store, "accuracy")["new"]["n"], 400, "--dry-run: counts nothing")


BAD_JSON = [
    (b'not json', "no JSON"),
    (b'{"metric": "accuracy", "cohort": "new", "n": 1', "no JSON"),
    (b'"text"', "no object"),
    (b'{', "on one line, or in an array"),
    (b'{"metric": "accuracy", "cohort": "new", "n": 1, "n": 2, "k": 1}', "duplicate"),
    (b'{"metric": "accuracy", "cohort": "new", "nn": 1, "k": 1}', 'no field "nn"'),
    (b'{"cohort": "new", "n": 1, "k": 1}', "metric is missing"),
    (b'{"metric": "accuracy", "n": 1, "k": 1}', "cohort is missing"),
    (b'{"metric": "accuracy", "cohort": "nwe", "n": 1, "k": 1}', 'did you mean "new"'),
    (b'{"metric": "accuracy", "cohort": "new"}', "no figure"),
    (b'{"metric": "accuracy", "cohort": "new", "n": 1}', "k is missing"),
    (b'{"metric": "accuracy", "cohort": "new", "n": 1, "k": 2}', "k"),
    (b'{"metric": "accuracy", "cohort": "new", "n": -1, "k": 0}', "whole number"),
    (b'{"metric": "accuracy", "cohort": "new", "n": 1.5, "k": 0}', "whole number"),
    (b'{"metric": "accuracy", "cohort": "new", "n": 99999999999999999999, "k": 0}', "no JSON"),
    (b'{"metric": "accuracy", "cohort": "new", "n": 1, "k": 0, "value": 1}', "different kinds"),
    (b'{"metric": "accuracy", "cohort": "new", "n": true, "k": 0}', "neither a string nor a number"),
    (b'{"metric": "accuracy", "cohort": "new", "n": [1], "k": 0}', "neither a string nor a number"),
    (b'{"metric": "accuracy", "cohort": "new", "value": 1}', "accuracy"),
    (b'{"metric": "cost", "cohort": "new", "value": "nan"}', "finite"),
    (b'{"metric": "cost", "cohort": "new", "value": "0x10"}', "finite"),
    (b'{"metric": "cost", "cohort": "new", "value": 1e999}', "no JSON"),
    (b'{"metric": "cost", "cohort": "new", "value": 1, "kind": "price"}', '"price"'),
    (b'{"metric": "cost", "cohort": "new", "value": 1, "kind": "duration"}', "its kind is duration"),
    (b'{"metric": "quality", "cohort": "new", "value": 6}', "quality"),
    (b'{"metric": "training", "cohort": "new", "duration": -1}', "0 or more"),
    (b'{"metric": "training", "cohort": "new", "duration": "12 parsecs"}', "12.5ms"),
    (b'{"metric": "f1", "cohort": "new", "tp": 1, "fp": 1}', "fn is missing"),
    (b'{"metric": "cost", "cohort": "new", "value": 1, "at": "yesterday"}', '"yesterday"'),
    (b'{"metric": "cost", "cohort": "new", "value": 1, "at": "2h"}', '"2h"'),
    (b'{"metric": "cost", "cohort": "new", "value": 1, "at": "2020-01-01"}', "400 days"),
    (b'{"metric": "cost", "cohort": "new", "value": 1, "at": "2199-01-01"}', "day ahead"),
    (b'{"metric": "' + b"a" * 70 + b'", "cohort": "new", "value": 1}', "longer than 63"),
    (b'{"metric": "A b", "cohort": "new", "value": 1}', "A b"),
    (b'{"metric": "cost\\u001b[31m", "cohort": "new", "value": 1}', "cost"),
    (b'{"metric": "co\xffst", "cohort": "new", "value": 1}', "not UTF-8"),
    (b'{"metric": "cost", "cohort": "new", "value": 1}\0', "not UTF-8"),
    (b'{"metric": "x' + b"y" * (1 << 20) + b'"}', "longer than a mebibyte"),
]


def refused(store):
    before = figures(store, "cost")
    whole = b""
    good_row = b'{"metric": "cost", "cohort": "new", "value": 1}\r\n'
    for number, (row, part) in enumerate(BAD_JSON):
        result = store.run("import", "--format", "json", "--stdin", "--key", f"bad-{number}",
                           stdin=b"\n" + row + b"\n")
        what = row[:60].decode("utf-8", "replace")
        equal(result.code, 1, f"{what}: exit 1")
        contains(result.err, "line 2: ", f"{what}: with its line")
        contains(result.err.splitlines()[0], part, f"{what}: says {part}")
        check("\033" not in result.err and len(result.err.splitlines()[0]) < 400,
              f"{what}: a plain line", result.err[:600])
        contains(result.out, "0 of 1 row merged, 1 refused", f"{what}: says how many")
        whole += row + b"\n" + good_row
    equal(figures(store, "cost"), before, "none of them is merged")
    result = store.run("import", "--format", "json", "--stdin", stdin=whole)
    equal(result.code, 1, "all of them among good ones: exit 1")
    contains(result.out, f"{len(BAD_JSON)} of {2 * len(BAD_JSON)} rows merged, {len(BAD_JSON)} refused",
             "all of them among good ones: the good ones are merged")
    lines = [line for line in result.err.splitlines() if line.startswith("line ")]
    equal([line.split(":")[0] for line in lines], [f"line {2 * i + 1}" for i in range(20)],
          "all of them among good ones: the first 20 with their lines")
    contains(result.err, f"and {len(BAD_JSON) - 20} more refused", "the others are counted")
    contains(result.err, "next: correct these rows and import them alone", "and what to do")
    equal(figures(store, "cost")["new"]["n"] - before["new"]["n"], len(BAD_JSON), "counted once each")
    result = store.run("-o", "json", "import", "--format", "json", "--stdin", stdin=whole)
    equal(result.code, 1, "again, as JSON: exit 1")
    made = result.json
    equal((made["merged"], made["repeated"], made["refused"]), (0, len(BAD_JSON), len(BAD_JSON)),
          "again, as JSON: nothing is merged twice")
    equal((made["refusals"][0]["line"], len(made["refusals"])), (1, 20),
          "again, as JSON: the first 20 refusals")


def declared_too_late(store):
    """Rows refused for want of --declare are not silently lost by repeating with it."""
    row = ndjson({"metric": "cost", "cohort": "new", "value": 1},
                 {"metric": "late", "cohort": "new", "value": 1})
    equal(store.run("import", "--format", "json", "--stdin", "--key", "late", stdin=row).code, 1,
          "without --declare: one is refused")
    result = store.run("import", "--format", "json", "--stdin", "--key", "late", "--declare", stdin=row)
    equal(result.code, 1, "the same with --declare: still refused, exit 1")
    contains(result.err, "line 2: ", "the same with --declare: with its line")
    contains(result.err, "import it alone", "the same with --declare: and what to do")
    equal(figures(store, "late"), None, "the same with --declare: not merged")


def arrays(store):
    before = figures(store, "cost")["new"]["n"]
    row = '{"metric": "cost", "cohort": "new", "value": 1}'
    for text, merged, part in (
        (f'[{row},\n{row},\n {{"metric": "co', 0, "line 3: the input ends within it"),
        (f'[{row}\n,{row}', 0, "line 2: the input ends within it"),
        (f'[{row},\n7,\n"]",\n{row}]', 2, "line 2: it is no object"),
        (f'[{row},\n{{"metric": nan}},\n{row}]', 2, "line 2: it is no JSON"),
        (f'[{row},\n,{row},]', 2, "line 2: nothing stands between two commas"),
        ("[1, 2]", 0, "line 1: it is no object"),
        (f'[{row} {row},\n{row}]', 1, "line 1: it is no JSON"),
        (f'[{row}]\n{row}', 1, "line 2: something follows the end of the array"),
        (f'[{{"metric": "]}},", "cohort": "new", "value": 1}},\n{row}]', 1, "line 1: "),
        (f'[{{"metric": "{"x" * (1 << 20)}"}},\n{row}]', 1, "line 1: it is longer than a mebibyte"),
    ):
        result = store.run("import", "--format", "json", "--stdin", "--key", f"array-{before}",
                           stdin=text.encode())
        what = text[:70].replace("\n", " ")
        equal(result.code, 1, f"{what}: exit 1")
        contains(result.err, part, f"{what}: says {part}")
        before += merged
        equal(figures(store, "cost")["new"]["n"], before, f"{what}: {merged} merged")
    for text in ("", "\n\n", "[]", "[ ]\n", "\ufeff"):
        result = store.run("import", "--format", "json", "--stdin", stdin=text.encode())
        equal(result.code, 2, f"{text!r}: exit 2")
        contains(result.err, "no rows", f"{text!r}: says so")


def cut_off(store):
    """What a sender that dies leaves of an array does not keep the whole from counting once."""
    row = '{"metric": "cut", "cohort": "new", "value": 1}'
    whole = "[" + ",\n".join([row] * 10500) + "]"
    for key in ((), ("--key", "cut-off")):
        before = figures(store, "cut")["new"]["n"] if figures(store, "cut") else 0
        for size in (len(row) * 3, len(whole) - 30, len(whole)):
            result = store.run("import", "--format", "json", "--stdin", "--declare", *key,
                               stdin=whole[:size].encode())
            equal(result.code, int(size < len(whole)), f"{size} bytes of a delivery {key}: exit")
            if size < len(whole):
                contains(result.err, "deliver all of it again", f"{size} bytes {key}: says what to do")
        equal(figures(store, "cut")["new"]["n"], before + 10500, f"{key}: each row counts once")


def csv(store):
    text = (
        "\ufeff" + HEADER.replace("\n", "\r\n") +
        "cost,new,,,0.5,,,,,,,usd\r\n"
        "\r\n"
        '"cost" , "new" ,,,"0.5",,,,,,,"usd"\r\n'
        '"co""st",new,,,1,,,,,,,\r\n'
        'cost,new,,,"1\r\n'
        "cost,new,,,1\r\n"
        "cost,new,,,1,,,,,,,,,\r\n"
        'cost,new,,,1"5,,,,,,,\r\n'
        'cost,new,,,"1"5,,,,,,,\r\n'
        "f1,old,,,,,8,1,1,,,\r\n"
        "training,new,,,,12.5ms,,,,,,\r\n"
        "training,new,,,,0.0125,,,,,,"
    ).encode()
    before = figures(store, "cost")["new"]["n"]
    result = store.run("import", "--format", "csv", "--stdin", stdin=text)
    equal(result.code, 1, "CSV: some rows are refused, exit 1")
    told = {line.split(":")[0]: line for line in result.err.splitlines()}
    for line, part in (("line 5", "co"), ("line 6", "not closed on its line"),
                       ("line 7", "it has 5 fields, and the header has 12"),
                       ("line 8", "it has 14 fields"), ("line 9", "a quote stands within"),
                       ("line 10", "follows a closing quote")):
        contains(told.get(line, ""), part, f"CSV: {line} {part}")
    contains(result.out, "5 of 11 rows merged, 6 refused", "CSV: the others are merged")
    equal(figures(store, "cost")["new"]["n"] - before, 2, "CSV: quotes, blanks and CRLF are understood")
    mean = figures(store, "training")["new"]["mean"]
    check(abs(mean - 0.0125) < 1e-9, "CSV: both durations are 12.5 ms", mean)
    for text, part in (
        ("", "no rows, and no header"),
        ("metric,cohort,value\n", "no rows"),
        ("metric;cohort;value\ncost;new;1\n", "separated by commas"),
        ("metric,cohort,valu\n", 'no column "valu"'),
        ("metric,cohort,metric\n", 'column "metric" stands twice'),
        ("metric,\"cohort\n", "not closed"),
        ("metric,co\u0000hort\n", "not UTF-8"),
    ):
        result = store.run("import", "--format", "csv", "--stdin", stdin=text.encode())
        equal((result.code, result.out), (2, ""), f"header {text!r}: exit 2")
        contains(result.err, part, f"header {text!r}: says {part}")


def usage(store):
    for words, part in (
        ((), "--stdin or FILE"),
        (("--stdin",), "--format json or --format csv"),
        (("--stdin", "--format", "xml"), '"xml"'),
        (("--stdin", "--format", "json", "file.json"), "not both"),
        (("figures.txt",), "--format"),
        (("--stdin", "--format", "json", "--key", "a b"), '"a b"'),
        (("--stdin", "--format", "json", "--key", "k" * 113), "1 to 112"),
    ):
        result = store.run("import", *words)
        equal((result.code, len(result.err.splitlines())), (2, 1), f"import {' '.join(words)}: exit 2")
        contains(result.err, part, f"import {' '.join(words)}: says {part}")
        contains(result.err, "canaryctl import --help", f"import {' '.join(words)}: points to help")
    result = store.run("import", str(store.directory / "none.json"))
    equal(result.code, 1, "a file that is not there: exit 1")
    contains(result.err, "none.json", "a file that is not there: named")
    result = store.run("import", "--format", "json", str(store.directory))
    equal(result.code, 1, "a directory: exit 1")


def large(store):
    """Several batches; a delivery that was cut off is repeated whole under its key."""
    rows = 25000
    line = '{"metric":"big","cohort":"%s","n":%d,"k":1}\n'
    text = "".join(line % ("new" if i % 2 else "old", i + 1) for i in range(rows)).encode()
    start = time.monotonic()
    store.good("import", "--format", "json", "--stdin", "--key", "load", "--declare", stdin=text)
    took = time.monotonic() - start
    check(took < 20, f"{rows} rows in {took:.1f} s")
    row = figures(store, "big")
    equal(row["new"]["n"] + row["old"]["n"], rows * (rows + 1) // 2, "each of them counted once")
    made = store.js("import", "--format", "json", "--stdin", "--key", "load", stdin=text)
    equal((made["merged"], made["repeated"], made["key"]), (0, rows, "load:3"),
          "repeated whole: every batch is recognised")
    equal(figures(store, "big"), row, "repeated whole: nothing twice")
    # The process is killed between two batches: the pipe is held open behind the first.
    killed = store.start("import", "--format", "json", "--stdin", "--key", "killed",
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    at = 0
    for _ in range(15000):
        at = text.index(b"\n", at) + 1
    killed.stdin.write(text[:at])
    killed.stdin.flush()
    first = sum(range(1, 10001))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = figures(store, "big")
        if now["new"]["n"] + now["old"]["n"] - rows * (rows + 1) // 2 == first:
            break
        time.sleep(0.1)
    killed.kill()
    killed.communicate()
    made = store.js("import", "--format", "json", "--stdin", "--key", "killed", stdin=text)
    equal((made["merged"], made["repeated"]), (15000, 10000),
          "killed after the first batch and repeated: it goes on behind it")
    row = figures(store, "big")
    equal(row["new"]["n"] + row["old"]["n"], rows * (rows + 1), "killed and repeated: nothing twice")


def enormous(store):
    """Counts stop where 64 bits end, and JSON has one bit less: at its end, not below zero."""
    line = b'{"metric":"vast","cohort":"old","tp":1000000000000000,"fp":0,"fn":0}\n'
    store.good("import", "--format", "json", "--stdin", "--declare", stdin=line * 9300)
    row = figures(store, "vast")["old"]
    equal((row["n"], row["tp"], row["fp"], row["f1"]), (2**63 - 1, 2**63 - 1, 0, 1.0),
          "counts beyond 2^63: as much as JSON can say")


def random_damage(store):
    """Whatever is done to a delivery, it is judged to its end, and every row is merged or refused."""
    seed = int(os.environ.get("CANARY_TEST_SEED") or time.time_ns() % 1000000)
    print(f"CANARY_TEST_SEED={seed}", flush=True)
    chance = random.Random(seed)
    row = {"metric": "cost", "cohort": "new", "value": 0.5, "unit": "usd"}
    sources = (
        ("json", ndjson(*[row] * 5)),
        ("json", json.dumps([row] * 5, indent=1).encode()),
        ("csv", (HEADER + 'cost,"new",,,0.5,,,,,,,usd\r\n' * 5).encode()),
    )
    odd = (b"\0", b'"', b",", b"{", b"}", b"[", b"]", b"\n", b"\r", b"\xff", b"\xef\xbb\xbf", b"\\",
           b"9" * 30, b"nan", b"\xc3", b" ")
    wrong = []
    for _ in range(120):
        form, text = chance.choice(sources)
        data = bytearray(text)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data))
            end = at + chance.choice((0, 0, 1, 1, 5, 40))
            data[at:end] = chance.choice(odd + (b"",))
        result = store.run("-o", "json", "import", "--format", form, "--stdin", "--dry-run",
                           stdin=bytes(data))
        answer = result.json if result.code in (0, 1) and result.out else None
        if result.code not in (0, 1, 2) or (answer is None) != (result.code == 2):
            wrong.append((bytes(data), result))
    equal(wrong, [], "120 damaged deliveries: exit 0, 1 or 2")


with Store() as main:
    main.good("create", "checkout")
    good(main)
    refused(main)
    declared_too_late(main)
    arrays(main)
    cut_off(main)
    csv(main)
    usage(main)
    large(main)
    enormous(main)
    random_damage(main)
finish()
