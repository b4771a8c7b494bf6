# SPDX-License-Identifier: MIT
"""service.py SERVICE CANARYCTL: the example service shows the share that an operator sets, follows
him while it runs, and ends on SIGTERM."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading


def main():
    service, canaryctl = sys.argv[1:3]
    directory = tempfile.mkdtemp(prefix="canary-service-")
    database = os.path.join(directory, "canary.db")

    def operate(*words):
        subprocess.run([canaryctl, "--db", database, "--by", "test", *words], check=True,
                       stdout=subprocess.DEVNULL)

    missing = subprocess.run([service, "--db", database], stderr=subprocess.PIPE, text=True,
                             check=False)
    assert missing.returncode == 1 and "CANARY_E_NO_STORE" in missing.stderr, missing
    wrong = subprocess.run([service, "--threads", "many"], stderr=subprocess.PIPE, text=True,
                           check=False)
    assert wrong.returncode == 2 and "many" in wrong.stderr, wrong

    operate("create", "checkout")
    operate("set", "--percent", "25")
    process = subprocess.Popen([service, "--db", database, "--threads", "2", "--seconds", "240"],
                               stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(200, process.kill)
    watchdog.start()
    pattern = re.compile(r" *([\d.]+) % configured, +([\d.]+) % effective, +([\d.]+) % observed in "
                         r"(\d+) requests, revision (\d+)\n")
    seen = []
    rolled_back = False
    for line in process.stdout:
        configured, effective, observed, requests, revision = map(
            float, pattern.fullmatch(line).groups())
        seen.append(line)
        # The second in which the share changes is a mixture of two.
        if not rolled_back and revision == 2 and len(seen) > 1:
            assert (configured, effective) == (25, 25), line
            # On a busy machine there are seconds with few requests, of which any share may be new.
            if requests > 5000:
                assert abs(observed - 25) < 3, line
                operate("rollback")
                rolled_back = True
        elif revision == 3 and observed == 0:
            assert (configured, effective) == (0, 0), line
            process.send_signal(signal.SIGTERM)
    code = process.wait()
    watchdog.cancel()
    assert code == 0, f"exit code {code} after\n{''.join(seen)}"
    shutil.rmtree(directory)
    print("".join(seen), end="")
    return 0


sys.exit(main())
