"""The one part of NSS that is compiled, if it can be: without it everything runs in Python.

`NSS_SANITIZE=1` builds it with AddressSanitizer and UndefinedBehaviorSanitizer, for tests.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]

sanitizers = SANITIZERS if os.environ.get("NSS_SANITIZE") else []

setup(
    ext_modules=[
        Extension(
            "formats.compiled._core",
            ["formats/compiled/_core.pyx"],
            depends=["formats/compiled/simd.h", *map(str, Path("formats/compiled").glob("*.pxi"))],
            extra_compile_args=["-O3", *sanitizers],
            extra_link_args=sanitizers,
            optional=not sanitizers,
        )
    ]
)
