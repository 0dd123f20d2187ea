"""A schema registry that speaks Confluent's API.

Owns: the client, what its errors mean, and what is remembered. Must not: read payloads, or register schemas.

Ids never change their meaning, so a schema is asked for once. That an id is unknown may change, so it is remembered
only for a while: a flood of bad records must not become a flood of requests.
"""

import json
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from postcart.codecs.avro_schemas import AvroSchema, avro_schema
from postcart.errors import RegistryUnavailable

_TIMEOUT_S: Final = 3.0
_UNKNOWN_FOR_S: Final = 30.0
_NO_SUCH_SCHEMA: Final = 40403
"""The API's code for an id that it doesn't know; any other 404 says that this is no registry."""


class SchemaRegistry:
    """Resolves schema ids. Blocks while it asks, at most some seconds; only for the first record of an id.

    Args:
        url: Base address, ``https://user:password@host/path`` where it wants a login.
        elapsed_s: Seconds that pass, for forgetting; not the time of day.
    """

    def __init__(self, url: str, *, elapsed_s: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        self._shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._elapsed_s = elapsed_s
        self._known: dict[int, AvroSchema] = {}
        self._unknown: dict[int, float] = {}
        self._client = SchemaRegistryClient({"url": url.rstrip("/"), "timeout": _TIMEOUT_S, "max.retries": 0})

    def schema(self, schema_id: int) -> AvroSchema | None:
        """The schema of this id; None if the registry doesn't know it, or it isn't Avro.

        Raises:
            RegistryUnavailable: It does not answer, or not as a registry does. Nothing is remembered of that.
        """
        known = self._known.get(schema_id)
        if known is not None:
            return known
        asked_at = self._unknown.get(schema_id)
        if asked_at is not None and self._elapsed_s() - asked_at < _UNKNOWN_FOR_S:
            return None
        found = self._ask(schema_id)
        if found is None:
            self._unknown[schema_id] = self._elapsed_s()
        else:
            self._known[schema_id] = found
        return found

    def _ask(self, schema_id: int) -> AvroSchema | None:
        try:
            told = self._client.get_schema(schema_id)
            if told.schema_type != "AVRO":
                return None
            return avro_schema(_definition(told), references=self._references(told))
        except SchemaRegistryError as error:
            if error.error_code == _NO_SUCH_SCHEMA:
                return None
            raise RegistryUnavailable(
                f"the schema registry at {self._shown} answers {error.http_status_code}: {error.error_message}; "
                "check POSTCART_SCHEMA_REGISTRY_URL"
            ) from error
        except ValueError:
            return None  # told, but no Avro schema
        except Exception as error:
            # The client passes on what its HTTP library raises, and which library that is changes with its release.
            raise RegistryUnavailable(f"the schema registry at {self._shown} does not answer: {error}") from error

    def _references(self, told: Schema) -> list[Any]:
        """The definitions that a schema refers to, each behind those that it refers to itself."""
        found: list[Any] = []
        for reference in told.references or ():
            other = self._client.get_version(reference.subject or "", reference.version or "latest").schema
            found += self._references(other)
            found.append(_definition(other))
        return found


def _definition(told: Schema) -> Any:
    text = told.schema_str or ""
    # A primitive may be told bare, as string instead of "string".
    return json.loads(text) if text[:1] in {"{", "[", '"'} else text
