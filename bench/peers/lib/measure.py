# SPDX-License-Identifier: MIT
"""Rounds of two programs in turn, so that whatever else the machine does hits both alike."""
import json
import queue
import statistics
import subprocess
import threading

WARM_NS = 700_000_000
SPELL_S = 240  # a peer that is silent for so long has failed


class Silent(Exception):
    """A program ended, or said nothing, where an answer was due."""


class Runner:
    """A program that answers rounds; see PROTOCOL.md."""

    def __init__(self, command, env, ids):
        self.errors = []
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            [*command, ids], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        for stream, take in ((self.process.stdout, self.lines.put),
                             (self.process.stderr, self.errors.append)):
            threading.Thread(target=self._pump, args=(stream, take), daemon=True).start()
        line = self._line()
        while not line.startswith("{"):  # some peers greet on standard output
            line = self._line()
        self.about = json.loads(line)
        self.per_decision = {}

    def _pump(self, stream, take):
        for line in stream:
            take(line)
        if stream is self.process.stdout:
            take(None)

    def _line(self):
        try:
            line = self.lines.get(timeout=SPELL_S)
        except queue.Empty:
            line = None
        if line is None:
            self.close()
            said = [text.strip() for text in self.errors if text.strip()]
            raise Silent(said[-1] if said else f"ended with status {self.process.returncode}")
        return line

    def round(self, mode, offset, count):
        """Nanoseconds and hits."""
        try:
            self.process.stdin.write(f"{mode} {offset} {count}\n")
            self.process.stdin.flush()
        except OSError:
            pass  # what it said last explains it better
        ns, hits = self._line().split()
        return int(ns), int(hits)

    def warm(self, mode):
        """Until it has run for a while and its speed is known."""
        spent, count, offset = 0, 500, 0
        while True:
            ns, _ = self.round(mode, offset, count)
            spent += ns
            offset += count
            self.per_decision[mode] = ns / count
            if spent >= WARM_NS:
                return
            if ns < WARM_NS / 8:
                count *= 2

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def _count(runner, mode, ns):
    return max(100, int(ns / runner.per_decision[mode]))


def spread(values):
    """How far the middle half of the rounds lies apart, in percent of the median."""
    low, middle, high = statistics.quantiles(values, n=4)
    return 100 * (high - low) / middle


def alternate(base, peer, rounds, round_ns, total):
    """Measures `peer` against `base`: a round of one, a round of the other, over the same ids from
    the same place on. The ratio is taken round by round, and its median reported."""
    for runner in (base, peer):
        for mode in runner.about["modes"]:
            if mode not in runner.per_decision:
                runner.warm(mode)
    samples = {"base": [], **{mode: [] for mode in peer.about["modes"]}}
    hits = decided = 0
    for turn in range(rounds):
        offset = turn * (total // rounds)
        count = _count(base, "call", round_ns)
        samples["base"].append(base.round("call", offset, count)[0] / count)
        for mode in peer.about["modes"]:
            count = _count(peer, mode, round_ns)
            ns, new = peer.round(mode, offset, count)
            samples[mode].append(ns / count)
            if mode == "call":
                hits += new
                decided += count
    result = {
        "version": peer.about["version"],
        "ns": statistics.median(samples["call"]),
        "best_ns": min(samples["call"]),
        "spread_percent": spread(samples["call"]),
        "base_ns": statistics.median(samples["base"]),
        "ratio": statistics.median(
            one / other for one, other in zip(samples["call"], samples["base"])),
        "per_second": 1e9 / statistics.median(samples["call"]),
        "share_percent": 100 * hits / decided,
        "decisions": decided,
        "rounds": samples,
    }
    if "ready" in samples:
        result["ready_ns"] = statistics.median(samples["ready"])
    return result
