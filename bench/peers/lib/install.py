# SPDX-License-Identifier: MIT
"""Gets each row ready to run, in the build directory, through the package manager of its language.
What was got ready before, from the same files, is not touched again."""
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import uuid

PEERS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(os.path.dirname(PEERS))
BUILD = os.environ.get("CANARY_PEERS_DIR", os.path.join(TOP, "build-peers"))
PREFIX = os.path.join(BUILD, "prefix")
SOURCES = os.path.join(BUILD, "src")
IDS = os.path.join(BUILD, "ids.txt")
STORE = os.path.join(BUILD, "store.db")
SEED, COUNT = 20261121, 1_000_000


class Failed(Exception):
    """Why a row cannot be had, in one line."""


def build(*parts):
    return os.path.join(BUILD, *parts)


def tidy(line):
    """A line of a tool's output, fit for a document: no addresses, nothing of this machine."""
    line = re.sub(r"https?://\S+", "(address)", line.strip())
    for path, name in ((BUILD, "build-peers"), (TOP, "."), (os.path.expanduser("~"), "~")):
        line = line.replace(path, name)
    return line[:300]


def call(command, cwd=None, env=None):
    """Runs a step at low priority; on failure the line of its output that says most."""
    if shutil.which(command[0]) is None:
        raise Failed(f"there is no {command[0]} here")
    done = subprocess.run(["nice", "-n", "10", *command], cwd=cwd, env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        lines = [line for line in lines if "full log" not in line and "debug.log" not in line]
        errors = [line for line in lines if re.search(r"\berror\b|ERR!|\bFAILED\b", line, re.I)]
        raise Failed(tidy((errors or lines or [f"status {done.returncode}"])[-1]))


def digest(paths, text=""):
    found = hashlib.sha256(text.encode())
    for path in paths:
        files = [path]
        if os.path.isdir(path):
            files = [os.path.join(root, file) for root, _, names in os.walk(path) for file in names
                     if not root.endswith("__pycache__")]
        for file in sorted(files):
            with open(file, "rb") as opened:
                found.update(file.encode() + b"\0" + opened.read())
    return found.hexdigest()


def once(name, key, make):
    """Makes what is not there or was made from something else."""
    stamp = build("stamps", name)
    os.makedirs(os.path.dirname(stamp), exist_ok=True)
    if os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == key:
                return
        os.unlink(stamp)
    print(f"    getting {name} ready", file=sys.stderr, flush=True)
    make()
    with open(stamp, "w") as file:
        file.write(key)


def copy(*parts):
    """Peers are built from a copy, so that lock files and such stay out of the source tree."""
    to = os.path.join(SOURCES, *parts)
    shutil.copytree(os.path.join(PEERS, *parts), to, dirs_exist_ok=True)
    return to


def libcanary():
    """A release build, installed below the build directory, and the store that all rows open."""
    script = ('. scripts/lib/setup.sh; canary_setup build; canary_build_dir=$BUILD/libcanary; '
              'canary_build --buildtype=release --prefix="$PREFIX" -Dtests=disabled '
              '-Dtools=disabled -Dexamples=disabled -Dbench=disabled && '
              'meson install -C "$canary_build_dir" --no-rebuild --quiet')
    call(["bash", "-c", script], TOP, {"BUILD": BUILD, "PREFIX": PREFIX})
    c()
    for file in (STORE, STORE + "-doorbell", STORE + "-journal"):
        if os.path.exists(file):
            os.unlink(file)
    call([build("bin", "c")], env={"PEER_WHAT": "create", "PEER_STORE": STORE})


def ids():
    if os.path.exists(IDS):
        return
    drawn = random.Random(SEED)
    with open(IDS + ".new", "w") as file:
        file.writelines(f"{uuid.UUID(int=drawn.getrandbits(128), version=4)}\n"
                        for _ in range(COUNT))
    os.rename(IDS + ".new", IDS)


def pkg_config(*what):
    env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(PREFIX, "lib", "pkgconfig")}
    return subprocess.run(["pkg-config", *what, "libcanary"], env=env, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def c():
    os.makedirs(build("bin"), exist_ok=True)
    call(["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-o", build("bin", "c"),
          os.path.join(PEERS, "c", "main.c"), *pkg_config("--cflags", "--libs"),
          f"-Wl,-rpath,{PREFIX}/lib"])
    return [build("bin", "c")]


def rust(name):
    program = build("cargo", "release", f"peer-{name}")

    def make():
        copy("rust", "harness")
        here = copy("rust", name)
        for file in flags:
            shutil.copy(file, SOURCES)
        # Releases that want a newer compiler than there is are passed over.
        call(["cargo", "build", "--release", "-j1", "--quiet"], here, {
            "CARGO_TARGET_DIR": build("cargo"),
            "CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS": "fallback"})

    flags = [os.path.join(PEERS, file) for file in os.listdir(PEERS) if file.startswith("flags-")]
    once(f"rust-{name}", digest([os.path.join(PEERS, "rust", name),
                                 os.path.join(PEERS, "rust", "harness"), *sorted(flags)]), make)
    return [program]


def go(name, env=None):
    program = build("bin", f"go-{name}")

    def make():
        copy("go", "harness")
        call(["go", "build", "-p", "1", "-mod=mod", "-o", program, "."], copy("go", name), env)

    once(f"go-{name}", digest([os.path.join(PEERS, "go", name),
                               os.path.join(PEERS, "go", "harness")]), make)
    return [program]


def cgo():
    """The library is linked by name and found at run time: a new build of it is taken as it is."""
    return {"CGO_CFLAGS": " ".join(["-O2", *pkg_config("--cflags")]),
            "CGO_LDFLAGS": " ".join([*pkg_config("--libs"), f"-Wl,-rpath,{PREFIX}/lib"]),
            "PKG_CONFIG_PATH": os.path.join(PREFIX, "lib", "pkgconfig"), "CGO_ENABLED": "1"}


def gocanary():
    return go("libcanary", cgo())


def gobinding():
    binding = os.path.join(TOP, "bindings", "go")
    if not os.path.exists(os.path.join(binding, "go.mod")):
        raise Failed("comes with the binding")
    copied = os.path.join(SOURCES, "canary")
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(binding, copied)
    program = build("bin", "go-binding")
    copy("go", "harness")
    call(["go", "build", "-p", "1", "-mod=mod", "-o", program, "."], copy("go", "binding"), cgo())
    return [program]


def venv(name, packages):
    where = build("python", name)
    key = digest([], "\n".join(packages) + sys.version)

    def make():
        shutil.rmtree(where, ignore_errors=True)
        call([sys.executable, "-m", "venv", where])
        if packages:
            call([os.path.join(where, "bin", "pip"), "install", "--quiet",
                  "--disable-pip-version-check", *packages])

    once(f"python-{name}", key, make)
    return os.path.join(where, "bin", "python")


def python(program, packages):
    interpreter = venv(program, packages) if packages else sys.executable
    return [interpreter, os.path.join(PEERS, "python", f"{program}.py")]


def pybinding():
    binding = os.path.join(TOP, "bindings", "python")
    if not os.path.exists(os.path.join(binding, "pyproject.toml")):
        raise Failed("comes with the binding")
    interpreter = venv("binding", ("meson-python==0.18.0", "meson", "ninja"))
    call([interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "--force-reinstall", "--no-deps", "--no-build-isolation", binding],
         env={"PATH": os.path.dirname(interpreter) + os.pathsep + os.environ["PATH"]})
    return [interpreter, os.path.join(PEERS, "python", "libcanary_binding.py")]


def node(name, packages):
    where = build("node", name)

    def make():
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        with open(os.path.join(where, "package.json"), "w") as file:
            file.write('{"private": true}\n')
        call(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts",
              *packages], where)

    once(f"node-{name}", digest([], "\n".join(packages)), make)
    return ["node", os.path.join(PEERS, "node", f"{name}.js")]


def ready(row):
    """The command of a row, got ready if need be."""
    how, *arguments = row.build
    return globals()[how](*arguments)


def environment(row):
    scratch = build("scratch", row.name)
    os.makedirs(scratch, exist_ok=True)
    return {**os.environ, **row.env, "PEER_FLAGS": PEERS, "PEER_STORE": STORE,
            "PEER_SCRATCH": scratch, "PEER_LIBRARY": os.path.join(PREFIX, "lib", "libcanary.so.0"),
            "PEER_MODULES": build("node", row.build[1] if row.build[0] == "node" else "")}
