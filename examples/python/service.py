# SPDX-License-Identifier: MIT
"""A Flask service that follows a live rollout.

    pip install flask gunicorn ./bindings/python
    canaryctl --db canary.db create checkout
    CANARY_DB=canary.db gunicorn --workers 4 --preload --chdir examples/python service:app

Opened when the module is imported, which is right with and without --preload: a forked worker decides
at once and follows changes by itself.
"""

import os

from flask import Flask, Response

import libcanary

# defer: a service has to start though its store cannot be read; everybody gets the old path until then.
checkout = libcanary.open(os.environ.get("CANARY_DB", "canary.db"), rollout="checkout", defer=True)
app = Flask(__name__)


@app.get("/checkout/<user>")
def show(user: str) -> str:
    # Decides, takes the time, and records how it ends, for the cohort that was served.
    with checkout.request(user) as request:
        return "new checkout\n" if request.new else "old checkout\n"


@app.get("/metrics")
def metrics() -> Response:
    """For Prometheus: this worker's own. `canaryctl metrics` has those of all of them."""
    return Response(
        checkout.openmetrics(),
        content_type="application/openmetrics-text; version=1.0.0; charset=utf-8",
    )


@app.get("/health")
def health() -> dict[str, object]:
    """How fresh the state is. A store that cannot be read is no reason to stop serving."""
    info = checkout.info()
    return {
        "percentage": info.percentage,
        "revision": info.revision,
        "age": info.age,
        "killed": sorted(info.killed_by),
        "error": info.last_message,
        "worker": os.getpid(),
    }
