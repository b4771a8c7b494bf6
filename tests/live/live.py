#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Four processes serve, a guard judges, a webhook listens.

live.py CANARYCTL JUDGED POLICY

In real time the new path fails 5 % of its requests instead of 1 %: the guard rolls back, every process
follows, the evidence is in the trail, and the webhook gets one message about it. In accelerated time, an
hour without a difference passes without a rollback.
"""
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

AT_THE_TOP, ROLLED_BACK, TIME_OVER = 0, 3, 4
failures = 0


def check(met, what, detail=""):
    global failures
    failures += not met
    print(("ok      " if met else "FAILED  ") + what + ("" if met else f"\n        {detail}"), flush=True)


class Webhook(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append(json.loads(body)["metadata"]["event_payload"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *unused):
        pass


def follower(canaryctl, database, url):
    """canaryctl watch as soon as there is a rollout to watch."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = subprocess.run([canaryctl, "--db", str(database), "list", "--brief"],
                                capture_output=True, text=True, check=False)
        if listed.returncode == 0 and listed.stdout.strip():
            break
        time.sleep(0.05)
    return subprocess.Popen([canaryctl, "--db", str(database), "watch", "--webhook", url],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def harmful(canaryctl, judged, policy, directory):
    database = directory / "harmful.db"
    webhook = Webhook()
    process = subprocess.Popen([judged, str(database), "checkout", policy, "--speed", "1", "--hours",
                                "0.1", "--base", "0.01", "--harm", "5", "--requests", "20000"],
                               stdout=subprocess.PIPE, text=True)
    watch = follower(canaryctl, database, f"http://127.0.0.1:{webhook.server_address[1]}/")
    said = process.communicate(timeout=420)[0]
    print(said, flush=True)
    check(process.returncode == ROLLED_BACK, "the guard rolled back", f"ended with {process.returncode}")
    check(re.search(r"to the last process on the old path: [0-9.]+ s", said) is not None,
          "the time from first harm to the last process on the old path is known", said)
    rows = json.loads(subprocess.run(
        [canaryctl, "--db", str(database), "-o", "json", "history", "--evidence", "--limit", "0"],
        capture_output=True, text=True, check=True).stdout)
    rollbacks = [row for row in rows if row["action"] == "rollback"]
    check(len(rollbacks) == 1, "one change came of it", str(rollbacks))
    evidence = json.loads(rollbacks[0].get("evidence") or "{}") if rollbacks else {}
    firing = [rule for rule in evidence.get("rules", []) if rule.get("state") == "firing"]
    check(any(rule.get("name") == "errors-worse" or rule.get("name") == "errors-high"
              for rule in firing), "its evidence names the rule, with figures", str(evidence)[:600])
    check(len(evidence.get("policy", "")) == 64, "and the policy's digest")
    heard = watch.poll() is None or "without libcurl" not in watch.stderr.read()
    if heard:
        deadline = time.monotonic() + 60
        while not any(post["action"] == "rollback" for post in webhook.posts) and \
                time.monotonic() < deadline:
            time.sleep(0.05)
        watch.terminate()
        watch.wait(timeout=60)
        told = [post for post in webhook.posts if post["action"] == "rollback"]
        check(len(told) == 1, "the webhook got one message about it", str(webhook.posts))
    return heard


def healthy(canaryctl, judged, policy, directory):
    database = directory / "healthy.db"
    run = subprocess.run([judged, str(database), "checkout", policy, "--speed", "180", "--hours", "1",
                          "--base", "0.01", "--harm", "1"], capture_output=True, text=True, check=False,
                         timeout=600)
    print(run.stdout, flush=True)
    check(run.returncode in (AT_THE_TOP, TIME_OVER), "an hour without a difference passes",
          f"ended with {run.returncode}: {run.stderr}")
    rows = json.loads(subprocess.run(
        [canaryctl, "--db", str(database), "-o", "json", "history", "--limit", "0"],
        capture_output=True, text=True, check=True).stdout)
    check(not [row for row in rows if row["action"] == "rollback"], "without a rollback", str(rows))
    check([row for row in rows if row["action"] == "advance" and row["by"].startswith("guard@")] != [],
          "and with an advance that the guard made", str(rows))


def main(canaryctl, judged, policy):
    with tempfile.TemporaryDirectory(prefix="canary-live-") as scratch:
        heard = harmful(canaryctl, judged, policy, pathlib.Path(scratch))
    # Time goes faster than disks do there.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="canary-live-", dir=memory) as scratch:
        healthy(canaryctl, judged, policy, pathlib.Path(scratch))
    if not heard and not failures:
        print("skipped: webhooks: this canaryctl was built without libcurl")
        return 77
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
