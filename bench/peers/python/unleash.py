# SPDX-License-Identifier: MIT
"""Unleash. PEER_WHAT is `client`, the SDK, started from memory and polling nothing, or `engine`,
the native engine that it wraps, asked without recording the question."""
import json
import os

import harness

if os.environ.get("PEER_WHAT") == "engine":
    from yggdrasil_engine.engine import UnleashEngine

    engine = UnleashEngine()
    engine.take_state(harness.flags("flags-unleash.json"))

    def evaluate(context, check=engine.check_enabled):
        return check("checkout", context).is_enabled

    version = harness.version("yggdrasil-engine")
else:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    cache = FileCache("bench", directory=os.environ["PEER_SCRATCH"])
    cache.bootstrap_from_dict(json.loads(harness.flags("flags-unleash.json")))
    client = UnleashClient(
        "http://127.0.0.1:9/", "bench", disable_metrics=True, disable_registration=True,
        refresh_interval=3600, cache=cache)
    client.initialize_client(fetch_toggles=False)

    def evaluate(context, check=client.is_enabled):
        return check("checkout", context)

    version = harness.version("UnleashClient")

harness.run(version, lambda user: evaluate({"userId": user}), lambda user: {"userId": user},
            evaluate)
