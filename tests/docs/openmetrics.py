# SPDX-License-Identifier: MIT
"""openmetrics.py EXAMPLE: the example prints the text, and serves the same in both formats."""
import subprocess
import sys
import urllib.request

LINES = ('canary_outcomes_total{rollout="checkout",cohort="new",status="ok"} 1',
         'canary_outcomes_total{rollout="checkout",cohort="old",status="ok"} 1',
         'canary_duration_seconds_sum{rollout="checkout",cohort="new"} 0.08',
         'canary_decisions_total{rollout="checkout",cohort="old",reason="split"} 1')


def check(text, kind="application/openmetrics-text;"):
    lines = text.splitlines()
    assert (lines[-1] == "# EOF") == kind.startswith("application/openmetrics-text;"), lines[-1]
    for line in LINES:
        assert line in lines, f"no {line} in\n{text}"


def main():
    example = sys.argv[1]
    check(subprocess.run([example], stdout=subprocess.PIPE, text=True, check=True).stdout)
    process = subprocess.Popen([example, "0"], stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        for accept in "application/openmetrics-text;version=1.0.0,*/*;q=0.1", "*/*", "text/plain":
            request = urllib.request.Request(url, headers={"Accept": accept})
            with urllib.request.urlopen(request, timeout=60) as answer:
                kind = answer.headers["Content-Type"]
                assert kind.startswith("application" if "openmetrics" in accept else "text/plain")
                check(answer.read().decode(), kind)
    finally:
        process.kill()
        process.wait()
    return 0


sys.exit(main())
