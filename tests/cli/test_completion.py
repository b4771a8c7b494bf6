# SPDX-License-Identifier: MIT
"""The completions of three shells, sourced by the real shell and asked for candidates."""

import os
import pty
import select
import shutil
import subprocess
import time

from cli import PROGRAM, Store, check, contains, equal, finish, skip


def candidates(store):
    """What is typed before the cursor, and what must be among the candidates, or all of them."""
    db = str(store.path)
    return [
        ("canaryctl sta", {"status"}, True),
        ("canaryctl ro", {"rollback"}, True),
        ("canaryctl ", {"create", "status", "override", "flag", "doctor", "completion"}, False),
        ("canaryctl override ", {"add", "remove", "list"}, True),
        ("canaryctl flag o", {"on", "off"}, True),
        ("canaryctl advance --exp", {"--expect-stage", "--expect-revision"}, True),
        ("canaryctl status --wa", {"--watch"}, True),
        ("canaryctl --ro", {"--rollout"}, True),
        ("canaryctl -o ", {"table", "json"}, True),
        ("canaryctl --output j", {"json"}, True),
        ("canaryctl override add alice ", {"new", "old"}, True),
        ("canaryctl baseline ", {"capture", "show", "compare"}, True),
        ("canaryctl record --cohort ", {"new", "old"}, True),
        ("canaryctl import --format ", {"json", "csv"}, True),
        ("canaryctl report --format ", {"md", "json", "html"}, True),
        ("canaryctl report --period ", {"day", "week", "final"}, True),
        ("canaryctl metrics --by", {"--by", "--by-stage"}, True),
        ("canaryctl completion ", {"bash", "zsh", "fish"}, True),
        (f"canaryctl --db {db} --rollout ", {"alpha", "beta"}, True),
        (f"canaryctl --db {db} flag off al", {"alpha"}, True),
        (f"canaryctl --db {db} --rollout alpha adv", {"advance"}, True),
        (f"canaryctl --db {str(store.directory)}/app.d", {db}, False),
        (f"canaryctl import {str(store.directory)}/app.d", {db}, False),
    ]


def compare(shell, typed, found, wanted, exactly):
    found = set(found)
    good = found == wanted if exactly else wanted <= found
    check(good, f"{shell}: {typed.split('/')[0]!r} offers {' '.join(sorted(wanted))}",
          f"found {sorted(found)}")


def environment(store):
    """A PATH on which canaryctl is the program under test."""
    bin_directory = store.directory / "bin"
    bin_directory.mkdir(exist_ok=True)
    link = bin_directory / "canaryctl"
    if not link.exists():
        link.symlink_to(os.path.abspath(PROGRAM))
    env = store.environment()
    env["PATH"] = f"{bin_directory}:{env['PATH']}"
    env["HOME"] = str(store.directory)
    return env


def bash(store, script):
    code = (
        'source "$1"; shift\n'
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
        "_canaryctl\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    for typed, wanted, exactly in candidates(store):
        words = typed.split(" ")
        done = subprocess.run(["bash", "--norc", "-c", code, "bash", script] + words,
                              capture_output=True, text=True, env=environment(store), check=False)
        compare("bash", typed, [word for word in done.stdout.splitlines() if word], wanted, exactly)
        equal(done.stderr, "", f"bash: {typed.split('/')[0]!r} says nothing on standard error")
    # bash cuts words at "=".
    done = subprocess.run(["bash", "--norc", "-c", code, "bash", script, "canaryctl", "--output",
                           "=", "js"], capture_output=True, text=True, env=environment(store),
                          check=False)
    equal(done.stdout.split(), ["json"], "bash: --output=js offers json")
    done = subprocess.run(["bash", "--norc", "-c", f"source {script}; complete -p canaryctl"],
                          capture_output=True, text=True, env=environment(store), check=False)
    contains(done.stdout, "_canaryctl", "bash: registers itself")


def fish(store, script):
    for typed, wanted, exactly in candidates(store):
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {script}; complete -C \"$argv[1]\"", typed],
            capture_output=True, text=True, env=environment(store), check=False)
        found = [line.split("\t")[0] for line in done.stdout.splitlines()]
        compare("fish", typed, found, wanted, exactly)
        equal(done.stderr, "", f"fish: {typed.split('/')[0]!r} says nothing on standard error")


def zsh(store, script):
    typed = candidates(store)
    zsh_at_a_prompt(store, f"autoload -Uz compinit; compinit -u\nsource {script}\n", typed, "zsh")
    # As a package installs it: found by its name, read when it is first needed.
    functions = store.directory / "functions"
    functions.mkdir()
    shutil.copy(script, functions / "_canaryctl")
    zsh_at_a_prompt(store, f"fpath=({functions} $fpath)\nautoload -Uz compinit; compinit -u\n",
                    typed[:2], "zsh, on fpath")


def zsh_at_a_prompt(store, load, asked, name):
    """zsh completes only at a prompt, so it is given one; compadd tells what it was offered."""
    directory = store.directory / "zsh"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    log = directory / "log"
    (directory / ".zshrc").write_text(
        load + "setopt no_beep; unsetopt list_ambiguous\n"
        "compadd() {\n"
        "  local -a got; builtin compadd -O got \"$@\"\n"
        f"  print -rl -- $got >> {log}\n"
        "  builtin compadd \"$@\"\n"
        "}\n"
        "PS1='ready> '\n"
    )
    env = environment(store)
    env["ZDOTDIR"] = str(directory)
    control, terminal = pty.openpty()
    process = subprocess.Popen(["zsh", "-i"], stdin=terminal, stdout=terminal, stderr=terminal,
                               env=env, start_new_session=True)
    os.close(terminal)

    def wait_for(what, seconds=60):
        seen = b""
        deadline = time.monotonic() + seconds
        while what not in seen and (left := deadline - time.monotonic()) > 0:
            if select.select([control], [], [], left)[0]:
                seen += os.read(control, 65536)
        return seen

    wait_for(b"ready> ")
    for typed, wanted, exactly in asked:
        log.write_text("")
        os.write(control, b"\x15" + typed.encode() + b"\t")
        deadline = time.monotonic() + 60
        found = set()
        while time.monotonic() < deadline:
            found = set(log.read_text().split())
            if wanted <= found or any(str(store.path).endswith(w) for w in found if w):
                break
            time.sleep(0.05)
        if any("/" in word for word in wanted):
            check(any("app.db" in word for word in found), f"{name}: --db offers files", found)
        else:
            compare(name, typed, found, wanted, exactly)
    os.write(control, b"\x15exit\n")
    time.sleep(0.1)
    process.kill()
    process.wait()
    os.close(control)


with Store() as main:
    main.good("create", "alpha")
    main.good("create", "beta")
    for shell, run in (("bash", bash), ("zsh", zsh), ("fish", fish)):
        script = main.directory / f"completion.{shell}"
        result = main.good("completion", shell, db=False)
        script.write_text(result.out)
        for word in ("override", "doctor", "expect-revision", "emergency"):
            contains(result.out, word, f"{shell}: the script knows {word}")
        if shutil.which(shell) is None:
            skip(f"{shell} is not installed: its completions are written but not sourced")
            continue
        if shell == "fish":
            checked = subprocess.run([shell, "--no-execute", script], capture_output=True, text=True,
                                     env=environment(main), check=False)
        else:
            checked = subprocess.run([shell, "-n", script], capture_output=True, text=True,
                                     env=environment(main), check=False)
        equal((checked.returncode, checked.stderr), (0, ""), f"{shell}: the script parses")
        run(main, str(script))
finish()
