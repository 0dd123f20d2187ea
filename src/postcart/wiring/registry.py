"""The schema registry, where one is configured.

Owns: that choice. Must not: talk to it by itself.
"""

from postcart.codecs.avro_schemas import SchemaSource
from postcart.settings import Settings


def registry_of(settings: Settings) -> SchemaSource | None:
    """The client of the configured registry; None: schemas come from the released files."""
    if settings.schema_registry_url is None:
        return None
    from postcart.adapters.registry import SchemaRegistry  # noqa: PLC0415 -- heavy, and rarely configured

    return SchemaRegistry(str(settings.schema_registry_url))
