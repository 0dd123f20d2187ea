"""Records that nobody can use, and putting them right.

Owns: what each kind of poison looks like and which reason its dead letter must have; redriving by the command line.
Must not: judge.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from faults.feed import write
from faults.world import ROOT, World, whole
from postcart.codecs.avro_schemas import released_schemas
from waiting import wait_for

_MANY = 5 * 1024 * 1024
_MENDED, _HOPELESS = "mended-later", "never-mended"
_COMMAND_S = 60.0


@contextmanager
def own_templates(folder: Path) -> Iterator[Mapping[str, str]]:
    """Templates that a run may mend."""
    shutil.copytree(ROOT / "templates", folder / "templates")
    yield {"POSTCART_TEMPLATES_DIR": str(folder / "templates")}


def poison(world: World, _: Random) -> None:
    """One record of each kind in each topic that may get it."""
    shop, own = world.settings.shop_topic, world.settings.topic
    told = [
        (shop("carts"), b"p1", b"\xc3\x01" + released_schemas("shop.carts")[0].rabin + b"\xff" * 40, "decode"),
        (shop("carts"), b"p2", _event("added", "p2", line={"variant_id": "x", "quantity": "many"}), "invalid"),
        (shop("carts"), b"p3", _event("added", "p3", padding="." * _MANY), "oversized"),
        (shop("carts"), b"p4", b'{"type":"added","id":', "decode"),
        (shop("sessions"), b"p5", b"\x07what is this", "framing"),
        (shop("sessions"), b"p6", _event("heartbeat", "another"), "key_mismatch"),
        (shop("sessions"), b"guest", _event("heartbeat", "guest"), "key_sentinel"),
        (shop("sessions"), None, _event("heartbeat", "p8"), "key_missing"),
        (shop("orders"), b"p9", json.dumps({"type": "placed", "id": 7}).encode(), "invalid"),
        (shop("profiles"), b"p10", b"[]", "framing"),
        (own("jobs.email.marketing"), b"p11", b"\x00\x01", "decode"),
        (own("jobs.email.marketing"), b"p12", b'{"job_id": 12}', "decode"),
    ]
    write(world.client, [(topic, key, value) for topic, key, value, _ in told])
    world.letters_due.update(reason for *_, reason in told)
    for template in (_MENDED, _MENDED, _HOPELESS):
        world.shipping.add(template)
        world.letters_due["render"] += 1


def _event(kind: str, visitor: str, **fields: object) -> bytes:
    return json.dumps({"type": kind, "id": f"{kind}-{visitor}", "time": 0, "visitor_id": visitor} | fields).encode()


def mend(world: World, _: Random) -> None:
    """Put one template right and redrive what failed for it; the other stays as it is."""
    await_letters(world)
    templates = world.folder / "templates"
    shutil.copytree(templates / "cart-reminder", templates / _MENDED)
    for name in world.crew.names("email"):  # templates are read at the start
        world.crew.dismiss(name)
        wait_for(lambda name=name: name not in world.crew.kinds, lambda: "not buried")
        world.crew.start("email", name)
    whole(world, "email")
    letters = [one for one in world.tails["dead"].found if one.reason == "render" and _MENDED.encode() in one.value]
    ids = [option for letter in letters for option in ("--id", letter.id)]
    dry = command(world, "dead", "redrive", *ids)
    assert "nothing was written" in dry, dry
    command(world, "dead", "redrive", *ids, "--execute")
    wanted = {job.job_id for job in world.shipping.jobs.values() if job.template == _MENDED}
    assert len(wanted) == len(letters) == 2

    def sent() -> bool:
        world.look()
        return wanted <= {receipt.job_id for receipt in world.receipts() if receipt.outcome == "accepted"}

    wait_for(sent, lambda: f"a redriven job was not sent: {[r for r in world.receipts() if r.job_id in wanted]}")


def await_letters(world: World) -> None:
    """Wait until as many dead letters are there as must come."""

    def there() -> bool:
        world.look()
        return len(world.tails["dead"].found) >= world.letters_due.total()

    wait_for(there, lambda: f"only these letters: {[one.reason for one in world.tails['dead'].found]}")


def command(world: World, *arguments: str) -> str:
    """Run ``postcart`` with the run's settings; what it printed.

    Raises:
        AssertionError: It failed.
    """
    done = subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-m", "postcart", *arguments],
        env=world.crew.environment,
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, f"postcart {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
