# SPDX-License-Identifier: MIT
"""flagd in the process. PEER_WHAT is `core`, the evaluator alone, or `openfeature`, the in-process
provider reading a file, asked through the OpenFeature SDK."""
import os

import harness
from openfeature.evaluation_context import EvaluationContext

if os.environ.get("PEER_WHAT") == "core":
    from openfeature.contrib.tools.flagd.core import FlagdCore

    core = FlagdCore()
    core.set_flags(harness.flags("flags-flagd.json"))

    def evaluate(context, resolve=core.resolve_boolean_value):
        return resolve("checkout", False, context).value

    version = harness.version("openfeature-flagd-core")
else:
    from openfeature import api
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType

    api.set_provider(FlagdProvider(
        resolver_type=ResolverType.FILE,
        offline_flag_source_path=os.path.join(os.environ["PEER_FLAGS"], "flags-flagd.json")))
    client = api.get_client()

    def evaluate(context, ask=client.get_boolean_value):
        return ask("checkout", False, context)

    version = harness.version("openfeature-provider-flagd")

harness.run(version, lambda user: evaluate(EvaluationContext(user)), EvaluationContext, evaluate)
