"""Builds the hot modules as C extensions where COMPILE_HOT_MODULES=1 asks for it; everything else is in pyproject.toml.

mypyc compiles them as they are. Without it they run as Python, and do the same.
"""

import os

from setuptools import setup

COMPILED = [
    "codecs/avro_reader",
    "codecs/framing",
    "codecs/sanity",
    "codecs/shop_events",
    "codecs/shop_subjects",
    "domain/detect/abandonment",
    "domain/detect/cart",
    "domain/detect/ends",
    "domain/detect/fold",
    "domain/detect/foresight",
    "domain/detect/identity",
    "events/ids",
    "events/times",
    "processors/detect",
    "processors/intake",
    "processors/rows",
    "processors/watermark",
]

if os.environ.get("COMPILE_HOT_MODULES") == "1":  # noqa: TID251 -- of the build, no setting
    from mypyc.build import mypycify

    modules = mypycify([f"src/postcart/{name}.py" for name in COMPILED], opt_level="3")
else:
    modules = []

setup(ext_modules=modules)
