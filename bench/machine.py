# SPDX-License-Identifier: MIT
"""What a measurement was made on: processor, system, compiler, commit."""
import datetime
import json
import os
import platform
import re
import shlex
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=TOP,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def lines_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def processor():
    fields = {}
    for line in lines_of("/proc/cpuinfo"):
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    name = fields.get("model name") or platform.processor() or platform.machine()
    family, model = fields.get("cpu family"), fields.get("model")
    if family and model:
        name += f" (family {family}, model {model})"
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    wanted = ("sha_ni", "avx2", "avx512f", "avx512bw", "avx512vl", "bmi2", "sha2", "asimd")
    return name, [flag for flag in wanted if flag in flags], "hypervisor" in flags


def caches():
    found = []
    base = "/sys/devices/system/cpu/cpu0/cache"
    for index in range(8):
        directory = f"{base}/index{index}"
        level, kind, size = ("".join(lines_of(f"{directory}/{name}"))
                             for name in ("level", "type", "size"))
        if size and kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found)


def compiler(build):
    """Name and flags as decide.c was compiled."""
    try:
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            commands = json.load(file)
    except (OSError, ValueError):
        return "", ""
    for command in commands:
        if command["file"].endswith("lib/core/decide.c"):
            words = shlex.split(command["command"])
            while words and os.path.basename(words[0]) in ("ccache", "env"):
                words = words[1:]
            version = output(words[0], "--version").splitlines()
            flags = [word for word in words[1:] if re.match(r"-(O|m|g$|std|flto|f(?!diagnostics))",
                                                           word)]
            return version[0] if version else words[0], " ".join(flags)
    return "", ""


def commit():
    name = output("git", "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--",
                     "lib", "include", "bench", "meson.build")
    return name + (", with changes not committed" if changed else "")


def describe(build):
    name, features, virtual = processor()
    compiler_name, flags = compiler(build)
    return {
        "cpu": name,
        "features": features,
        "virtual": virtual,
        "cores": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[0]} "
                  f"{platform.libc_ver()[1]}",
        "libsodium": output("pkg-config", "--modversion", "libsodium"),
        "compiler": compiler_name,
        "flags": flags,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load": os.getloadavg()[0],
    }


def as_lines(machine):
    """(what, value) pairs for people."""
    kind = "virtual machine" if machine["virtual"] else "machine"
    yield "CPU", f"{machine['cpu']}, {machine['cores']} cores of a {kind}, {machine['caches']}"
    yield "instructions", ", ".join(machine["features"]) or "none of those the library looks for"
    yield "system", f"{machine['system']}, libsodium {machine['libsodium']}"
    yield "compiler", f"{machine['compiler']}, {machine['flags']}"
    yield "commit", machine["commit"]
    yield "date", f"{machine['date']}; load average before: {machine['load']:.2f}"
