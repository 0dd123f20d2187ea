"""Builds the hot modules as C extensions where COMPILE_HOT_MODULES=1 asks for it; everything else is in pyproject.toml.

mypyc compiles them as they are. Without it they run as Python, and do the same. The readers of the released Avro
schemas are written into a module of their own for it, which lives as long as the build.
"""

import os
import sys
from pathlib import Path

from setuptools import setup

COMPILED = [
    "codecs/avro_values",
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

AHEAD = Path("src/postcart/codecs/avro_ahead.py")

if os.environ.get("COMPILE_HOT_MODULES") == "1":  # noqa: TID251 -- of the build, no setting
    from mypyc.build import mypycify

    sys.path.insert(0, "src")
    from postcart.codecs.avro_schemas import released_schemas
    from postcart.codecs.avro_source import ahead
    from postcart.codecs.shop_subjects import SUBJECTS

    try:
        AHEAD.write_text(ahead(schema.parsed for subject in SUBJECTS for schema in released_schemas(subject)))
        names = [f"src/postcart/{name}.py" for name in (*COMPILED, "codecs/avro_ahead")]
        setup(ext_modules=mypycify(names, opt_level="3"))
    finally:
        AHEAD.unlink(missing_ok=True)
else:
    setup()
