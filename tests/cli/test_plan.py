# SPDX-License-Identifier: MIT
"""plan: from what is given, from what was measured, and what is refused."""

import os
import subprocess
import sys

from cli import Store, check, contains, equal, finish

OUTCOMES = os.path.abspath(sys.argv[2])
GIVEN = ("plan", "--base-rate", "1%", "--share", "5%")


def from_what_is_given(store):
    bare = store.good("-o", "json", *GIVEN, "--ratio", "2", "--margin", "1", db=False).json
    check(abs(bare["find"]["new"] - 1100) <= 275, "twice the errors: about 1100 requests", bare)
    plan = store.good("-o", "json", *GIVEN, "--ratio", "2", db=False).json
    equal(plan["margin"], 1.1, "without a margin it is one that a policy may have")
    contains(" ".join(store.good("plan", "--help", db=False).out.split()), "the rule's threshold; default 1.1",
             "and the help says which")
    equal(plan["find"]["seconds"], None, "no volume: no time")
    equal((plan["rollout"], plan["measured"]), (None, []), "nothing is measured")
    timed = store.good("-o", "json", *GIVEN, "--ratio", "2", "--per-second", "100", db=False).json
    check(abs(timed["find"]["seconds"] - timed["find"]["total"] / 100) < 1, "a volume: the time", timed)
    same = store.good("-o", "json", "plan", "--base-rate", "0.01", "--share", "0.05", "--ratio", "2",
                      db=False).json
    equal(same, plan, "1% is 0.01")
    wary = store.good("-o", "json", *GIVEN, "--ratio", "2", "--margin", "1.5", "--alpha", "1%",
                      "--design-effect", "2", db=False).json
    check(wary["find"]["new"] > 4 * bare["find"]["new"], "margin, alpha and design effect count", wary)
    text = store.good(*GIVEN, "--per-second", "200", db=False).out
    contains(text, "1.5 times the errors are found", "text: says what is found")
    contains(text, "200 per second", "text: says the volume")
    contains(store.good(*GIVEN, db=False).out, "--per-second N", "text: says how to get the time")


def refused(store):
    for words, part in (
        (("plan",), "--base-rate is missing"),
        (("plan", "--base-rate", "1%"), "--share is missing"),
        (("plan", "--base-rate", "5"), "no share above 0 and below 1"),
        (("plan", "--base-rate", "0x1p-3"), "no share above 0 and below 1"),
        (("plan", "--base-rate", "nan"), "no share above 0 and below 1"),
        (("plan", "--share", "%"), "no share above 0 and below 1"),
        (GIVEN + ("--ratio", "two"), "--ratio \"two\" is no number"),
        (GIVEN + ("--ratio", "0.9"), "above the margin, 1.1"),
        (GIVEN + ("--ratio", "101"), "can grow 100 times at most"),
        (GIVEN + ("--design-effect", "0.1"), "design effect 0.1"),
        (GIVEN + ("--per-second", "-1"), "requests per second"),
    ):
        result = store.run(*words, db=False)
        equal(result.code, 2, f"{' '.join(words)}: exit 2")
        contains(result.err, part, f"{' '.join(words)}: says why")


def from_what_was_measured(store):
    store.good("create", "checkout", "--stages", "10,50,100")
    result = store.run("plan")
    equal(result.code, 5, "nothing recorded: exit 5")
    contains(result.err, "no base rate", "nothing recorded: says so")
    plan = store.js("plan", "checkout", "--base-rate", "1%")
    equal((plan["share"], plan["measured"]), (0.1, []), "nothing recorded: the first stage's share")
    store.good("set", "--percent", "25")
    done = subprocess.run([OUTCOMES, str(store.path), "checkout", "200", "10"],
                          env=store.environment(), capture_output=True, text=True, check=False)
    check(done.returncode == 0, "a service recorded outcomes", done.stderr)
    plan = store.js("plan")
    equal(plan["rollout"], "checkout", "the store's only rollout is meant")
    check(abs(plan["base_rate"] - 0.1) < 0.005, "the base rate is the old cohort's", plan)
    check(0.15 < plan["share"] < 0.35, "the share is that of the outcomes", plan)
    check({"base_rate", "share"} <= set(plan["measured"]), "what was measured is named", plan)
    given = store.js("plan", "checkout", "--base-rate", "2%", "--per-second", "7")
    equal((given["base_rate"], given["per_second"]), (0.02, 7.0), "what is given is not measured")
    contains(store.good("plan").out, "(measured)", "text: says what was measured")
    result = store.run("plan", "chekout")
    equal(result.code, 1, "a rollout that is not there: exit 1")
    contains(result.err, "checkout", "a rollout that is not there: the likeliest is named")
    result = store.run("plan", "checkout", "--rollout", "other")
    equal(result.code, 2, "two rollouts: exit 2")
    store.good("set", "--percent", "100")
    result = store.run("plan", "--base-rate", "1%")
    equal(result.code, 5, "at 100 % without outcomes: exit 5")
    contains(result.err, "no old cohort", "at 100 %: says why")


with Store() as one:
    from_what_is_given(one)
    refused(one)
    from_what_was_measured(one)
finish()
