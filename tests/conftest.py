"""Hypothesis profiles, and what watches every test.

The profile `ci` runs the same examples each time, `fuzz` new ones: `NSS_FUZZ_SECS=60 pytest
tests/formats` chooses it, and lets each fuzz test run that long.
"""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.leaks"]

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fuzz", settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile("fuzz" if "NSS_FUZZ_SECS" in os.environ else "ci")
