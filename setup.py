"""The parts of NSS that are compiled, if they can be: without them everything runs in Python.

Each `.pyx` becomes a module beside it. `NSS_SANITIZE=1` builds them with AddressSanitizer and
UndefinedBehaviorSanitizer, for tests. `NSS_BUILD_PURE=1` builds none, for a wheel that fits any
Python.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from setuptools import Extension, setup

SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]


def extensions() -> Iterator[Extension]:
    """Yield one extension for each `.pyx` of the packages."""
    sanitizers = SANITIZERS if os.environ.get("NSS_SANITIZE") else []
    for package in ("formats", "nss"):
        for source in sorted(Path(package).rglob("*.pyx")):
            included = [*source.parent.glob("*.pxi"), *source.parent.glob("*.h")]
            yield Extension(
                ".".join(source.with_suffix("").parts),
                [str(source)],
                depends=sorted(map(str, included)),
                extra_compile_args=["-O3", *sanitizers],
                extra_link_args=sanitizers,
                optional=not sanitizers,
            )


setup(ext_modules=[] if os.environ.get("NSS_BUILD_PURE") else list(extensions()))
