"""Whatever resolves schema ids behaves alike: the client over HTTP against a server, and a plain table."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from postcart.adapters.registry import SchemaRegistry
from postcart.codecs.avro_schemas import AvroSchema, SchemaSource, avro_schema
from postcart.codecs.framing import wire_format
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.errors import RegistryUnavailable, UnreadableRecord
from postcart.events.shop import LineRemoved

REMOVED: dict[str, Any] = {
    "type": "record",
    "name": "Removed",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "visitor_id", "type": "string"},
        {"name": "variant_id", "type": "string"},
    ],
}
VARIANT = {"type": "record", "name": "Variant", "fields": [{"name": "variant_id", "type": "string"}]}
REFERRING = {"type": "record", "name": "Referring", "fields": [{"name": "variant", "type": "Variant"}]}
SCHEMAS: Mapping[int, dict[str, Any]] = {
    1: {"schema": json.dumps(REMOVED)},
    2: {"schema": json.dumps({"type": "object"}), "schemaType": "JSON"},
    3: {
        "schema": json.dumps(REFERRING),
        "references": [{"name": "Variant", "subject": "variant", "version": 1}],
    },
    4: {"schema": json.dumps({"type": "nonsense"})},
    5: {"schema": "string"},
}


class Server:
    """A registry over HTTP: its answers, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.schemas = dict(SCHEMAS)
        self.url = ""

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and body."""
        self.asked.append(path)
        if self.status != 200:
            return self.status, {"error_code": self.status, "message": "not now"}
        if path == "/subjects/variant/versions/1":
            return 200, {"subject": "variant", "version": 1, "id": 9, "schema": json.dumps(VARIANT)}
        found = self.schemas.get(int(path.rsplit("/", 1)[-1])) if path.startswith("/schemas/ids/") else None
        return (404, {"error_code": 40403, "message": "Schema not found"}) if found is None else (200, found)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = server.answer(self.path.split("?")[0])
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    """A registry that answers."""
    with serving(Server()) as running:
        yield running


class Table:
    """The port as a plain table."""

    def schema(self, schema_id: int) -> AvroSchema | None:
        """As the port says."""
        made: dict[int, Callable[[], AvroSchema]] = {
            1: lambda: avro_schema(REMOVED),
            3: lambda: avro_schema(REFERRING, references=[VARIANT]),
            5: lambda: avro_schema("string"),
        }
        return made[schema_id]() if schema_id in made else None


@pytest.fixture(params=["http", "table"])
def source(request: pytest.FixtureRequest) -> SchemaSource:
    """Each implementation of the port."""
    return SchemaRegistry(request.getfixturevalue("server").url) if request.param == "http" else Table()


def test_known_ids(source: SchemaSource) -> None:
    """An Avro schema is told ready to be read with, whether it refers to others or not."""
    schema = source.schema(1)
    assert schema is not None
    assert schema.rabin == avro_schema(REMOVED).rabin
    value = {"id": "1", "time": 5, "visitor_id": "visitor", "variant_id": "p"}
    decoder = ShopEventDecoder("shop.carts", stage="detect", registry=source)
    assert decoder.decode(b"visitor", wire_format(schema, 1, value)) == LineRemoved(**value)
    referring = source.schema(3)
    assert referring is not None
    assert wire_format(referring, 3, {"variant": {"variant_id": "p"}})[5:] == b"\x02p"
    assert source.schema(5) is not None


@pytest.mark.parametrize("schema_id", [2, 4, 77])
def test_unknown_ids(source: SchemaSource, schema_id: int) -> None:
    """Unknown, of another kind, or no schema at all: None, and the record is a dead letter."""
    assert source.schema(schema_id) is None
    decoder = ShopEventDecoder("shop.carts", stage="detect", registry=source)
    with pytest.raises(UnreadableRecord, match="schema_unknown"):
        decoder.decode(b"visitor", b"\x00\x00\x00\x00" + bytes([schema_id]) + b"\x02p")


def test_asked_once(server: Server) -> None:
    """Known ids for ever, unknown ones for half a minute: a flood of records is no flood of requests."""
    now = 0.0
    registry = SchemaRegistry(server.url, elapsed_s=lambda: now)
    for _ in range(3):
        assert registry.schema(1) is not None
        assert registry.schema(77) is None
    assert server.asked == ["/schemas/ids/1", "/schemas/ids/77"]
    server.schemas[77] = server.schemas[1]
    now = 31.0
    assert registry.schema(77) is not None
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_trouble_is_no_verdict_about_a_record(server: Server, status: int) -> None:
    """A registry that refuses, fails, or is none, never makes dead letters; once it answers, all is well."""
    registry = SchemaRegistry(server.url)
    server.status = status
    with pytest.raises(RegistryUnavailable, match=f"answers {status}.*POSTCART_SCHEMA_REGISTRY_URL"):
        registry.schema(1)
    server.status = 200
    assert registry.schema(1) is not None


def test_nobody_there() -> None:
    """The address is named, a password in it is not."""
    with serving(Server()) as gone:
        address = gone.url.removeprefix("http://")
    with pytest.raises(RegistryUnavailable) as raised:
        SchemaRegistry(f"http://user:secret@{address}").schema(1)
    assert address.rstrip("/") in str(raised.value)
    assert "secret" not in str(raised.value)
