"""A schema registry of a run, and records in all framings and versions.

Owns: the registry's answers, a newer version of each subject's schema, and one that nobody knows at first. Must not:
decide what is compatible.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

from faults.crew import wall_ms
from faults.feed import write
from faults.load import Json, Load, expected_of, load_of
from faults.poison import await_letters, command
from faults.world import ROOT, World
from oracle.basics import milliseconds
from postcart.codecs.avro_schemas import AvroSchema, avro_schema
from postcart.codecs.framing import wire_format
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.codecs.shop_subjects import SUBJECT_OF, SUBJECTS, key_of, to_avro
from side_by_side import typed
from waiting import wait_for

_OLD, _NEW, _UNKNOWN = 100, 200, 300
"""Ids begin here, one for each subject."""
_LATER_MS = 60 * 86_400_000
_LATE_EVENTS = 12
_FORGOTTEN_S = 35.0
"""A worker asks again for an unknown id after 30 s."""


class Registry:
    """Confluent's API, as far as a reader needs it."""

    def __init__(self) -> None:
        self.schemas: dict[int, AvroSchema] = {}
        self._told: dict[int, str] = {}
        for number, subject in enumerate(SUBJECTS):
            self.publish(_OLD + number, definition(subject))
            self.publish(_NEW + number, newer(subject, "note"))

    def publish(self, schema_id: int, schema: Json) -> None:
        """From now on the id is known."""
        self.schemas[schema_id] = avro_schema(schema)
        self._told[schema_id] = json.dumps(schema)

    def learn(self) -> None:
        """The versions that were unknown are known now."""
        for number, subject in enumerate(SUBJECTS):
            self.publish(_UNKNOWN + number, newer(subject, "remark"))

    def answer(self, path: str) -> tuple[int, Json]:
        """Status and body of a GET."""
        name = path.partition("?")[0].rpartition("/")[2]
        told = self._told.get(int(name)) if name.isdigit() else None
        if told is None:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, {"schema": told}


def definition(subject: str) -> Json:
    """The released schema as its file has it."""
    found: Json = json.loads((ROOT / "schemas" / subject / "v1.avsc").read_text())
    return found


def newer(subject: str, field: str) -> Json:
    """A version with one more optional field."""
    schema = definition(subject)
    return schema | {"fields": [*schema["fields"], {"name": field, "type": ["null", "string"], "default": None}]}


_SERVED: dict[Path, Registry] = {}


@contextmanager
def served_registry(folder: Path) -> Iterator[Mapping[str, str]]:
    """A registry for one run."""
    registry = _SERVED[folder] = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = registry.answer(self.path)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing: what is asked is not what is tested."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {"POSTCART_SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{server.server_address[1]}"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        del _SERVED[folder]


class MixedEncoder:
    """Encodes each event in a framing and version that its id decides."""

    def __init__(self) -> None:
        self._plain = {name: ShopEventEncoder(name) for name in ("json", "single_object")}
        self._registry = Registry()

    def encode(self, event: Any) -> tuple[Any, bytes, bytes]:
        """As ``ShopEventEncoder.encode``."""
        choice = Random(event.id).randrange(4)
        if choice < 2:
            return self._plain["json" if choice else "single_object"].encode(event)
        return framed(self._registry.schemas, event, _OLD if choice == 2 else _NEW)


def framed(schemas: Mapping[int, AvroSchema], event: Any, first_id: int) -> tuple[Any, bytes, bytes]:
    """The event in Confluent's wire format, in the version whose ids begin there."""
    subject = SUBJECT_OF[type(event)]
    schema_id = first_id + list(SUBJECTS).index(subject)
    return subject, key_of(event).encode(), wire_format(schemas[schema_id], schema_id, to_avro(event))


def with_late_comers(random: Random, count: int, _: int) -> Load:
    """A history, and some events after all of it that first come in a version that nobody knows."""
    early = load_of(random.randrange(1_000_000), count - _LATE_EVENTS)
    after_ms = max(milliseconds(event["time"]) for event in early.events) + _LATER_MS
    late: list[Json] = []
    for number in range(_LATE_EVENTS // 4):
        name, at_ms = f"late-{number}", after_ms + number * 60_000
        visit = {"visitor_id": f"v-{name}", "session_id": f"s-{name}"}
        line = {"variant_id": "shirt", "quantity": 1, "unit_price": "24.90"}
        consents = [{"channel": "email", "purpose": "marketing", "given": True}]
        who = {"person_id": name, "email": f"{name}@example.com", "time_zone": "UTC", "consents": consents}
        late += [
            {"type": "profile", "id": f"{name}-0", "time": at_ms, **who},
            {"type": "identified", "id": f"{name}-1", "time": at_ms, "person_id": name, **visit},
            {"type": "added", "id": f"{name}-2", "time": at_ms + 1_000, "line": line, **visit},
            {"type": "ended", "id": f"{name}-3", "time": at_ms + 2_000, **visit},
        ]
    load = expected_of([*early.events, *late])
    return load._replace(held_back=frozenset(event["id"] for event in late))


def unknown_version(world: World, _: Random) -> None:
    """Events in a version that the registry does not know."""
    registry = Registry()
    registry.learn()
    late = typed(event for event in world.load.events if event["id"] in world.load.held_back)
    records = []
    for event in late:
        subject, key, value = framed(registry.schemas, event, _UNKNOWN)
        records.append((world.settings.shop_topic(subject.removeprefix("shop.")), key, value))
    write(world.client, records)
    world.letters_due["schema_unknown"] += len(records)
    world.notes["asked_ms"] = wall_ms()


def learn_and_redrive(world: World, _: Random) -> None:
    """All else is over; the registry learns the version, the letters are redriven, and time goes on."""
    wait_for(lambda: world.feed.finished, lambda: "the feed does not end", seconds=600)
    await_letters(world)
    _SERVED[world.folder].learn()
    before = len(world.tails["dead"].found)
    _redrive(world)
    wait_for(lambda: _all_read(world), lambda: "what was redriven is not read")
    assert len(world.tails["dead"].found) == before, "a redriven event is a dead letter once more"
    last_ms = max(milliseconds(event["time"]) for event in world.load.events)
    world.feed.advance(last_ms + 10 * 86_400_000)


def _redrive(world: World) -> None:
    """Redrive, once workers have forgotten that the id was unknown to the registry."""
    world.pause(max(0.0, _FORGOTTEN_S - (wall_ms() - world.notes.pop("asked_ms")) / 1_000))
    command(world, "dead", "redrive", "--reason", "schema_unknown", "--execute")


def _all_read(world: World) -> bool:
    """Whether the groups have read everything; what can't be used is a dead letter then."""
    world.look()
    return all(lag == 0 for lag in world.lag().values())
