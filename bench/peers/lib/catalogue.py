# SPDX-License-Identifier: MIT
"""Every row that can be measured: where it comes from, how it is started, what one call does."""
from dataclasses import dataclass, field

LANGUAGES = ("native", "go", "python", "node")


@dataclass
class Row:
    name: str  # what the command line calls it
    title: str
    language: str
    kind: str  # "peer"; "ours": libcanary by another way; "floor": what bounds both; "base"
    build: tuple  # (how, argument...): a function of install.py and what it gets
    does: str = ""  # one call, and what was done to be fair
    env: dict = field(default_factory=dict)


def native(name, title, does):
    return Row(f"native-{name}", title, "native", "peer", ("rust", name), does)


def go(name, title, does):
    return Row(f"go-{name}", title, "go", "peer", ("go", name), does)


def python(name, title, program, packages, does, what=None):
    return Row(f"python-{name}", title, "python", "peer", ("python", program, packages), does,
               {"PEER_WHAT": what} if what else {})


def node(name, title, packages, does):
    return Row(f"node-{name}", title, "node", "peer", ("node", name, packages), does)


def ours(name, title, language, build, what, does, kind="ours"):
    return Row(name, title, language, kind, build, does, {"PEER_WHAT": what})


# The figure that a language's rows are compared with is the first of these that can be built.
BASES = {
    "native": ["c"],
    "go": ["go-binding", "go-cgo"],
    "python": ["python-binding", "python-ctypes"],
    "node": ["c"],
}

FLAGD = ("openfeature-provider-flagd==0.6.1", "openfeature-flagd-core==2.0.0",
         "openfeature-sdk==0.10.0")
UNLEASH = ("UnleashClient==6.9.1", "yggdrasil-engine==2.0.0")

ROWS = [
    ours("c", "libcanary, C", "native", ("c",), "single",
         "`canary_should_use_new_n()`: one SHA-256 block of the id; shared library, 25 % from an "
         "SQLite store, its watcher running", "base"),
    ours("c-many", "libcanary, C, canary_decide_many", "native", ("c",), "many",
         "1000 users a call, several blocks at once"),
    ours("c-hash", "the hash of the id alone", "native", ("c",), "hash",
         "`canary_hash_user()`: one SHA-256 block, the floor under every exact answer", "floor"),
    native("unleash", "Unleash, unleash-yggdrasil",
           "`check_enabled()` with a borrowed context and no counting, which is less than its SDKs "
           "do; murmur3 of group and id. `ready`: `is_enabled()` with an owned context"),
    native("datadog", "Datadog, libdd-ffe",
           "`get_assignment()`; copies the id into its context, MD5 from a salted state; the flag "
           "logs nothing"),
    native("eppo", "Eppo, eppo_core",
           "`get_assignment()`; copies the id, MD5; attributes shared by all users; the flag logs "
           "nothing"),
    native("launchdarkly", "LaunchDarkly, launchdarkly-server-sdk (Rust)",
           "`bool_variation()` on a context built from the id; SHA-1; test data source, events "
           "discarded"),
    native("statsig", "Statsig, statsig-rust",
           "`check_gate_with_options()` on a user built from the id; SHA-256; no exposures, no "
           "logging, no network"),
    native("growthbook", "GrowthBook, growthbook-rust",
           "`is_on()` with attributes built from the id, and a copy of all features made by the "
           "call; FNV-1a; no callbacks"),
    native("flagd", "flagd, flagd-evaluation-engine",
           "`Operator::apply()`; compiles the JSON rule on each call; murmur3; below the provider, "
           "without its locks"),
    ours("go-binding", "libcanary, Go binding", "go", ("gobinding",), "rollout",
         "`Rollout.ShouldUseNew()`: cgo, no allocation"),
    ours("go-cgo", "libcanary, plain cgo call", "go", ("gocanary",), "cgo",
         "pointer and length to `canary_should_use_new_n()`, noescape and nocallback"),
    ours("go-replica", "libcanary, Go binding's replica", "go", ("gobinding",), "replica",
         "`Replica.ShouldUseNew()`: pure Go, from a state that the program loads"),
    ours("go-empty", "a cgo call that does nothing", "go", ("gocanary",), "empty",
         "the floor under every cgo row", "floor"),
    ours("go-sha256", "the rule in three lines of Go", "go", ("gocanary",), "sha256",
         "crypto/sha256; follows no rollout", "floor"),
    go("launchdarkly", "LaunchDarkly, go-server-sdk",
       "`BoolVariation()` on `ldcontext.New(id)`; SHA-1; flag from a file, no events, no logging"),
    go("growthbook", "GrowthBook, growthbook-golang",
       "`WithAttributes()` and `EvalFeature()`, the interface for one user of many; FNV-1a; no "
       "callbacks"),
    go("unleash", "Unleash, unleash-client-go",
       "`IsEnabled()` with a context of the id; murmur3; from a bootstrap file, no metrics"),
    go("goff", "go-feature-flag",
       "`BoolVariation()` on `NewEvaluationContext(id)`; murmur3; flag from a file, no exporter"),
    go("flagd", "flagd, core evaluator in process",
       "`ResolveBooleanValue()`; rule and context go through JSON on each call; murmur3; no "
       "logging, no tracing"),
    ours("python-binding", "libcanary, Python binding", "python", ("pybinding",), "",
         "`rollout.should_use_new(str)`"),
    ours("python-ctypes", "libcanary, plain ctypes call", "python",
         ("python", "libcanary_floor", ()), "ctypes",
         "`str.encode()` and `canary_should_use_new_n()` through ctypes"),
    ours("python-hashlib", "the rule in three lines of Python", "python",
         ("python", "libcanary_floor", ()), "hashlib",
         "hashlib.sha256; follows no rollout", "floor"),
    ours("python-empty", "the loop, calling str.isspace", "python",
         ("python", "libcanary_floor", ()), "empty",
         "what a loop with the cheapest call costs; part of every Python row", "floor"),
    python("statsig", "Statsig, statsig-python-core", "statsig",
           ("statsig-python-core==0.24.0",),
           "`check_gate()` on `StatsigUser(id)`; native core; no exposures, no logging, no network"),
    python("growthbook", "GrowthBook, growthbook", "growthbook_sdk", ("growthbook==4.0.0",),
           "`set_attributes()` and `is_on()` on one reused instance; FNV-1a"),
    python("launchdarkly", "LaunchDarkly, launchdarkly-server-sdk", "launchdarkly",
           ("launchdarkly-server-sdk==9.18.2",),
           "`variation()` on `Context.create(id)`; SHA-1; flag from a file, no events"),
    python("unleash", "Unleash, UnleashClient", "unleash", UNLEASH,
           "`is_enabled()`; native engine through ctypes; from a bootstrap, metrics not sent",
           "client"),
    python("unleash-engine", "Unleash, yggdrasil-engine alone", "unleash", UNLEASH,
           "`check_enabled()` without the client around it, recording nothing", "engine"),
    python("flagd", "flagd, openfeature-flagd-core alone", "flagd", FLAGD,
           "`resolve_boolean_value()`; JSON logic in Python; murmur3", "core"),
    python("openfeature", "OpenFeature SDK in front of flagd's provider", "flagd", FLAGD,
           "`client.get_boolean_value()`; the provider reads a file, no network", "openfeature"),
    node("flagd", "flagd, @openfeature/flagd-core", ("@openfeature/flagd-core@4.0.1",
                                                     "@openfeature/core@1"),
         "`resolveBooleanEvaluation()`; rule compiled when loaded; murmur3"),
    node("unleash", "Unleash, unleash-client", ("unleash-client@6.12.1",),
         "`isEnabled()`; murmur3; from a bootstrap, no metrics"),
    node("growthbook", "GrowthBook, @growthbook/growthbook", ("@growthbook/growthbook@1.8.0",),
         "`GrowthBookClient.isOn()`; FNV-1a; no callbacks"),
    node("statsig", "Statsig, @statsig/statsig-node-core", ("@statsig/statsig-node-core@0.23.2",),
         "`checkGate()` on `StatsigUser.withUserID(id)`; native core; no exposures"),
    node("launchdarkly", "LaunchDarkly, @launchdarkly/node-server-sdk",
         ("@launchdarkly/node-server-sdk@9.13.7",),
         "`variation()`, a promise, awaited: there is no other interface; SHA-1; no events"),
]
