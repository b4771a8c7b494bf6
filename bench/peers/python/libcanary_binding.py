# SPDX-License-Identifier: MIT
"""libcanary's binding for Python."""
import os

import harness
import libcanary

rollout = libcanary.open(os.environ["PEER_STORE"], rollout="checkout")
harness.run(harness.version("libcanary"), rollout.should_use_new)
