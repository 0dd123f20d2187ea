"""`simulate` over carts and parcels."""

import json
from pathlib import Path
from uuid import UUID

import msgspec
from typer.testing import CliRunner

from histories import random_history
from lane_histories import FIXTURE
from postcart.cli.app import app
from postcart.codecs.olist import read_olist
from postcart.codecs.olist_events import olist_events
from postcart.events.shipments import ParcelStatus
from postcart.events.times import parse_iso

TENANT = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")


def simulated(path: Path) -> tuple[list[bytes], str]:
    """Lines, and what is said beside them."""
    ran = CliRunner().invoke(app, ["simulate", str(path)])
    assert ran.exit_code == 0, ran.output
    return ran.stdout_bytes.splitlines(), ran.stderr


def test_parcels_among_carts(tmp_path: Path) -> None:
    """Lines of carts stay exactly as they are; those of parcels come between them, by time; unknown words are named."""
    encode = msgspec.json.Encoder().encode
    carts = [encode(event) for seed in range(5) for event in random_history(seed)]
    orders = read_olist(FIXTURE / "orders.csv")[:60]
    parcels = [encode(event) for event in olist_events(orders, tenant=TENANT, identity_key=b"k")]
    odd = ParcelStatus(id="odd", time=0, carrier="olist", tracking_number="ABC", code="teleported")
    (tmp_path / "carts.jsonl").write_bytes(b"\n".join(carts))
    (tmp_path / "both.jsonl").write_bytes(b"\n".join([*parcels, encode(odd), *carts]))
    alone, silence = simulated(tmp_path / "carts.jsonl")
    both, said = simulated(tmp_path / "both.jsonl")
    lines = [json.loads(line) for line in both]
    kinds = {"milestone", "delay", "cleared", "estimate"}
    assert [line for line, known in zip(both, lines, strict=True) if known["type"] not in kinds] == alone
    assert {known["type"] for known in lines} >= {"milestone", "delay", "cleared", "abandonment", "planned"}
    told = [parse_iso(known["at"]) for known in lines if known["type"] in kinds]
    assert told == sorted(told)
    assert "there is no carriers/olist.yaml that says what 'teleported' means; left out: 1 event\n" in said
    assert "carriers" not in silence
