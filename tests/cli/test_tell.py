# SPDX-License-Identifier: MIT
"""watch: tells a command and a webhook of each change, in order, and goes on where it ended."""

import http.server
import json
import signal
import sqlite3
import subprocess
import threading
import time

from cli import Store, check, contains, equal, finish


NO_LIBCURL = "webhooks: this canaryctl was built without libcurl"


class Receiver(http.server.ThreadingHTTPServer):
    """A webhook that keeps what it is sent, and answers what it is told to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts = []
        self.answers = []
        self.came = threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/services/secret"

    def wait(self, count, seconds=60.0):
        with self.came:
            self.came.wait_for(lambda: len(self.posts) >= count, seconds)
            return list(self.posts)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.came:
            answer = self.server.answers.pop(0) if self.server.answers else 200
            self.server.posts.append((answer, self.headers["Idempotency-Key"], json.loads(body), time.time()))
            self.server.came.notify_all()
        if answer == "hang":
            time.sleep(240)
            return
        self.send_response(answer)
        self.end_headers()

    def log_message(self, *unused):
        pass


class Follower:
    """A running watch; everything it says goes to files, so that nothing waits for a reader."""

    def __init__(self, store, *words, env=None):
        self.out = store.directory / f"out-{time.monotonic_ns()}"
        self.err = store.directory / f"err-{time.monotonic_ns()}"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = store.start("watch", *words, stdout=out, stderr=err, env=env)

    def lines(self, count, seconds=60.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lines = self.out.read_text().splitlines()
            if len(lines) >= count:
                return lines
            time.sleep(0.02)
        return self.out.read_text().splitlines()

    def errors(self, part, seconds=60.0):
        deadline = time.monotonic() + seconds
        while part not in self.err.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.err.read_text()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def begun(store, path):
    """Waits until a follower has noted where it begins."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    check(path.exists(), "it notes where it begins")


def command(store):
    note = "broken; $(touch pwned) <b> & more"
    told = store.directory / "told"
    cursor = store.directory / "cursor"
    run = ('printf "%s|%s|%s|%s|%s|%s\\n" "$CANARY_ROLLOUT" "$CANARY_PERCENTAGE" "$CANARY_STAGE" '
           f'"$CANARY_ACTION" "$CANARY_REASON" "$CANARY_WEBHOOK" >> {told}; exit 3')
    words = ("--exec", run, "--cursor", str(cursor))
    follower = Follower(store, *words)
    begun(store, cursor)
    store.good("advance", "--by", "ann", "--note", note)
    lines = follower.lines(1)
    contains(lines[0] if lines else "", "advance, 0 % -> 5 % (stage 0 -> 1) by ann: broken;",
             "exec: a change is a line")
    contains(follower.errors("ended with 3"), "the command ended with 3",
             "exec: a command that fails is named")
    equal(told.read_text(), f"checkout|5|1|advance|{note}|\n",
          "exec: the command has what happened in its environment, as it is")
    check(not (store.directory / "pwned").exists(), "exec: a note is no command")
    equal(follower.end(), 0, "exec: SIGTERM ends it with 0")

    store.good("flag", "off", "checkout", "--note", "down")
    store.good("flag", "on", "checkout")
    store.good("set", "--percent", "7.5")
    told.unlink()
    follower = Follower(store, *words)
    follower.lines(3)
    follower.errors("ended with 3\nwarning: --exec: the command ended with 3\nwarning: --exec: "
                    "the command ended with 3")
    equal([line.split("|")[1:4] for line in told.read_text().splitlines()],
          [["0", "1", "flag_off"], ["5", "1", "flag_on"], ["7.5", "1", "set"]],
          "cursor: what happened meanwhile is told, in order, with what was in effect")
    database = sqlite3.connect(store.path)
    database.execute("UPDATE feature_flags SET enabled = 0")
    database.commit()
    database.close()
    lines = follower.lines(4)
    contains(lines[-1], "exposure, 7.5 % -> 0 % (stage 1): killed by flag",
             "exposure: a flag edited by SQL is told too")
    equal(follower.end(), 0, "exposure: SIGTERM ends it with 0")

    other = store.directory / "other"
    other.write_text("1 " + "0" * 64 + "\n")
    result = store.run("watch", "--cursor", str(other))
    equal(result.code, 2, "cursor: one of another trail is refused")
    contains(result.err, "has no such row", "cursor: and named")
    other.write_text("rubbish\n")
    contains(store.run("watch", "--cursor", str(other)).err, "is no cursor of canaryctl",
             "cursor: so is a file that is none")


def hanging(store):
    started = store.directory / "started"
    follower = Follower(store, "--exec", f"echo x > {started}; sleep 240 & sleep 240", "--cursor",
                        str(store.directory / "cursor-3"))
    begun(store, store.directory / "cursor-3")
    before = (store.directory / "cursor-3").read_text()
    store.good("rollback", "--note", "slow")
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    begin = time.monotonic()
    equal(follower.end(), 0, "a command that hangs is ended with us")
    check(time.monotonic() - begin < 60, "and at once")
    equal((store.directory / "cursor-3").read_text(), before,
          "what it was told in vain is told again by the next run")


def webhook(store):
    receiver = Receiver()
    probe = store.run("watch", "--webhook", "ftp://127.0.0.1/")
    if "without libcurl" in probe.err:
        return NO_LIBCURL
    equal(probe.code, 2, "webhook: only http and https")
    check("127.0.0.1" not in probe.err, "webhook: the address is not repeated")
    for address in ("http://", "https://?", "http://host:99999/"):
        refused = store.run("watch", "--webhook", address)
        equal(refused.code, 2, f"webhook: {address} leads nowhere")
        contains(refused.err, "https://HOST/PATH", f"webhook: {address}, what is allowed")
    equal(store.run("watch", "--webhook", receiver.url, "--attempts", "0").code, 2, "webhook: no attempts at all")
    follower = Follower(store, "--cursor", str(store.directory / "cursor-2"),
                        env={"CANARY_WEBHOOK": receiver.url})
    begun(store, store.directory / "cursor-2")
    receiver.answers = [503]
    store.good("set", "--percent", "25", "--by", "ann", "--note", "a <b> & c")
    posts = receiver.wait(2)
    equal([post[0] for post in posts], [503, 200], "webhook: trouble is tried again")
    equal(len({post[1] for post in posts}), 1, "webhook: under the same key")
    body = posts[-1][2]
    contains(body["text"], "by ann: a &lt;b&gt; &amp; c",
             "webhook: the text is one that Slack shows as it is")
    event = body["metadata"]["event_payload"]
    equal((event["rollout"], event["action"], event["percentage"], event["reason"], event["key"]),
          ("checkout", "set", 25, "a <b> & c", posts[-1][1]), "webhook: the event is in the metadata")
    newest = store.js("history", "--limit", "1")[0]
    equal(event["key"], newest["hash"], "webhook: the key is the change's hash")
    receiver.answers = [403]
    store.good("rollback", "--note", "harm")
    contains(follower.errors("nobody was told"), "it answered 403",
             "webhook: what will not pass is not tried again")
    equal(len(receiver.wait(4, 1.0)), 3, "webhook: once")
    check(receiver.url not in follower.err.read_text(), "webhook: the address is never said")
    receiver.answers = ["hang"]
    store.good("set", "--percent", "5")
    receiver.wait(4)
    begin = time.monotonic()
    equal(follower.end(), 0, "webhook: one that hangs does not hold us")
    check(time.monotonic() - begin < 9, "webhook: and we end at once, not after its 10 s")
    follower = Follower(store, "--cursor", str(store.directory / "cursor-2"),
                        env={"CANARY_WEBHOOK": receiver.url})
    posts = receiver.wait(5)
    equal(posts[4][1], posts[3][1], "webhook: the next run tells it again, under the same key")
    equal(follower.end(), 0, "webhook: SIGTERM ends it with 0")
    receiver.shutdown()


def no_queue(store):
    """A command takes traffic back: it does not stand behind a webhook that nobody answers."""
    receiver = Receiver()
    receiver.answers = ["hang"] + [503] * 3
    told = store.directory / "told"
    cursor = store.directory / "cursor-4"
    follower = Follower(store, "--cursor", str(cursor), "--exec",
                        f'echo "$CANARY_ACTION $CANARY_PERCENTAGE" >> {told}', "--webhook",
                        receiver.url)
    begun(store, cursor)
    before = cursor.read_text()
    store.good("set", "--percent", "25")
    receiver.wait(1)
    begin = time.monotonic()
    store.good("rollback")
    while "rollback 0" not in (told.read_text() if told.exists() else ""):
        if time.monotonic() - begin > 60:
            break
        time.sleep(0.02)
    equal(cursor.read_text(), before, "no queue: what was not posted is not remembered")
    posts = receiver.wait(6, 90.0)
    # Files have the time of the last tick, which is never late; a post that hangs is given up after 10 s.
    ran = told.stat().st_mtime
    check(ran <= posts[1][3] and ran < posts[0][3] + 10, "no queue: the command runs while a webhook hangs")
    equal([post[0] for post in posts], ["hang", 503, 503, 503, 200, 200], "no queue: all is posted")
    equal([post[2]["metadata"]["event_payload"]["action"] for post in posts],
          ["set"] * 5 + ["rollback"], "no queue: in order")
    deadline = time.monotonic() + 60
    while cursor.read_text().split()[0] != str(store.js("history", "--limit", "1")[0]["id"]):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    equal(cursor.read_text().split()[1], posts[-1][1], "no queue: and then remembered")
    equal(follower.end(), 0, "no queue: SIGTERM ends it with 0")
    equal(told.read_text(), "set 25\nrollback 0\n", "no queue: each command ran once")
    receiver.shutdown()


def main():
    missing = None
    for part in (command, hanging, webhook, no_queue):
        if part is no_queue and missing:
            continue
        with Store() as store:
            store.good("create", "checkout", "--by", "ann")
            if part is not command:
                store.good("advance")
            missing = part(store) or missing
    finish(missing)


main()
