# SPDX-License-Identifier: MIT
"""bucket.py TOP: the reproductions in docs/bucket.md run, and agree with its table."""
import pathlib
import re
import subprocess
import sys


def block(text, language):
    return re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL).group(1)


def main():
    text = (pathlib.Path(sys.argv[1]) / "docs/bucket.md").read_text()
    page = {}
    exec(block(text, "python"), page)  # with its own assertions
    known = re.findall(r"^\| (?:`(.*?)`)? ?\| `(.*?)` \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert len(known) >= 4, known
    for salt, user, h, bucket in known:
        assert page["bucket"](user.encode(), salt.encode()) == int(bucket), (salt, user)
        assert int(h) % 100 * 100 + int(h) // 100 % 100 == int(bucket), (salt, user)
    shell = block(text, "sh")
    printed = subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True, check=True)
    assert f"prints {printed.stdout.strip()}." in text, printed.stdout
    print(f"{len(known)} known answers, Python and shell agree")
    return 0


sys.exit(main())
