# SPDX-License-Identifier: MIT
"""LaunchDarkly's server SDK: the flag from a file, no events, no diagnostics."""
import os

import harness
from ldclient import Config, Context, LDClient
from ldclient.integrations import Files

source = Files.new_data_source(
    paths=[os.path.join(os.environ["PEER_FLAGS"], "flags-launchdarkly.json")], auto_update=False)
client = LDClient(
    Config("bench", update_processor_class=source, send_events=False, diagnostic_opt_out=True))
assert client.is_initialized()


def decide(user, create=Context.create, variation=client.variation):
    return variation("checkout", create(user), False)


def evaluate(context, variation=client.variation):
    return variation("checkout", context, False)


harness.run(harness.version("launchdarkly-server-sdk"), decide, Context.create, evaluate)
