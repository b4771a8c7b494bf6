# SPDX-License-Identifier: MIT
"""Statsig's server core behind its Python package: the gate from memory, no network, no logging,
no exposures."""
import harness
from statsig_python_core import (DataStore, DataStoreResponse, FeatureGateEvaluationOptions,
                                 Statsig, StatsigOptions, StatsigUser)


class Specs(DataStore):
    def get(self, key):
        return DataStoreResponse(result=harness.flags("flags-statsig.json"), time=1767225600000)


options = StatsigOptions(
    data_store=Specs(), disable_network=True, disable_all_logging=True,
    disable_country_lookup=True, disable_disk_access=True)
statsig = Statsig("secret-bench", options)
statsig.initialize().wait()
silent = FeatureGateEvaluationOptions(disable_exposure_logging=True)


def decide(user, make=StatsigUser, check=statsig.check_gate):
    return check(make(user), "checkout", silent)


def evaluate(user, check=statsig.check_gate):
    return check(user, "checkout", silent)


harness.run(harness.version("statsig-python-core"), decide, StatsigUser, evaluate)
