"""Mending dead letters on a real broker, by the command line: one record written once, jobs never a second time."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postcart.adapters.dead_letters import dead_groups, read_runs
from postcart.adapters.dead_letters.editing import write_revision
from postcart.codecs.dead_letter_edit import Revision, revise, with_value
from postcart.codecs.dead_letters import Edited
from postcart.codecs.payload_forms import taken_apart
from postcart.codecs.shop_events import ShopEventDecoder, ShopEventEncoder
from postcart.events.jobs import Job
from postcart.events.shop import LineRemoved
from postcart.wiring.dead_letters import job_topics, topic_contracts
from stream.dead_letter_shop import Shop

POSTCART = [sys.executable, "-c", "import sys; sys.argv[0] = 'postcart'; from postcart.cli import main; main()"]
INVALID = b'{"type":"removed","id":"a%d","time":1,"visitor_id":"v1","variant_id":5}'
PROFILE = (
    b'{"type":"profile","id":"e1","time":1,"person_id":"p1","email":"anna@example.org","name":"Anna","country":"X"}'
)


@pytest.fixture
def shop(kafka: Any, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(kafka, monkeypatch)


def test_one_record_is_mended_once(shop: Shop) -> None:
    """Problems and diff first; then the record, its headers and its marker at once; then never again."""
    shop.produce(shop.carts, b"guest", INVALID % 1)
    (letter,) = shop.bury(shop.carts)
    refused = shop.run("edit", letter.id, "--set", "visitor_id=guest", "--execute")
    assert refused.exit_code == 1
    assert "variant_id: Expected `str`, got `int`" in refused.stderr
    mend = ("edit", letter.id, "--set", "variant_id=5", "--by", "ann")
    dry = shop.run(*mend)
    assert (dry.exit_code, '-  "variant_id": 5' in dry.stdout, '+  "variant_id": "5"' in dry.stdout) == (0, True, True)
    assert "-key: guest\n+key: v1\n" in dry.stdout
    assert len(shop.records(shop.carts)) == 1
    done = shop.json(*mend, "--execute")
    assert (done["executed"], done["revision"], done["fields"]) == (True, 1, ["variant_id", "key"])
    (written,) = [one for one in shop.records(shop.carts) if one.key() == b"v1"]
    assert ShopEventDecoder("shop.carts", stage="x").decode(b"v1", written.value()) == LineRemoved(
        id="a1", time=1, visitor_id="v1", variant_id="5"
    )
    assert written.headers() == [
        ("source", b"web"), ("postcart-redriven", letter.id.encode()), ("postcart-revision", b"1")
    ]  # fmt: skip
    again = shop.run(*mend, "--execute")
    assert (again.exit_code, again.stderr) == (1, "error: it was edited before: it is not written twice\n")
    shown = shop.json("show", letter.id)
    assert (shown["state"], shown["history"][0]["what"], shown["history"][0]["by"]) == ("edited", "edited", "ann")
    assert [group.edited for group in dead_groups(shop.client, shop.dead)] == [1]
    assert shop.run("redrive", "--execute").stderr.splitlines()[-1] == "0 written"
    # The marker is behind its letter on the same partition, so retention never takes it first.
    assert len({one.partition() for one in shop.records(shop.dead)}) == 1


def test_what_dies_again_names_where_it_came_from(shop: Shop) -> None:
    """Both ways, so a story of several edits can be followed."""
    shop.produce(shop.carts, b"v1", INVALID % 1)
    (first,) = shop.bury(shop.carts)
    assert shop.json("redrive", "--execute")["written"] == 1
    second = next(one for one in shop.bury(shop.carts) if one.id != first.id)
    assert shop.json("show", second.id)["born_of"] == first.id
    assert shop.json("show", first.id)["became"] == [second.id]
    assert f"died as {second.id}" in shop.run("edit", first.id, "--set", "variant_id=5").stderr
    assert shop.json("edit", second.id, "--set", "variant_id=5", "--execute")["revision"] == 1


def test_contact_data_is_seen_by_nobody_who_is_not_on_record(shop: Shop) -> None:
    """Masked where it is shown, whole where it is written; a look at it is recorded first."""
    shop.produce(shop.profiles, b"p1", PROFILE)
    (letter,) = shop.bury(shop.profiles)
    shown = shop.json("show", letter.id)
    assert (shown["value"]["email"], shown["masked"]) == ("xxxx@xxxxxxx.xxx", True)
    printed = shop.run("edit", letter.id, "--print").stdout
    assert "anna" not in printed.lower()
    done = shop.run("edit", letter.id, "--file", "-", "--execute", input=printed.replace('"X"', '"DE"'))
    assert done.exit_code == 0, done.stderr
    assert "anna" not in (done.stdout + done.stderr).lower()
    (written,) = [one for one in shop.records(shop.profiles) if b'"DE"' in (one.value() or b"")]
    profile = json.loads(written.value() or b"")
    assert (profile["email"], profile["name"], profile["country"]) == ("anna@example.org", "Anna", "DE")
    open_ = shop.json("show", letter.id, "--unmask", "--by", "ann")
    assert (open_["value"]["email"], open_["masked"]) == ("anna@example.org", False)
    history = shop.json("show", letter.id)["history"]
    assert [(one["what"], one["by"]) for one in history if one["what"] == "unmasked"] == [("unmasked", "ann")]


def test_an_editor_changes_what_it_is_given(shop: Shop, tmp_path: Path) -> None:
    """On a terminal, by $EDITOR; Avro is edited as JSON and stays Avro."""
    value = ShopEventEncoder("wire", schema_id=7).encode(
        LineRemoved(id="a1", time=5, visitor_id="guest", variant_id="p")
    )[2]
    shop.produce(shop.carts, b"guest", value)
    (letter,) = shop.bury(shop.carts)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/guest/v9/ "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    master, terminal = pty.openpty()
    environ = {**os.environ, "EDITOR": str(editor), "VISUAL": ""}  # noqa: TID251 -- for the child
    command = [*POSTCART, "dead", "edit", letter.id, "--execute"]
    done = subprocess.run(  # noqa: S603 -- our own command
        command, stdin=terminal, capture_output=True, text=True, env=environ, check=False, timeout=120
    )
    os.close(master)
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    (written,) = [one for one in shop.records(shop.carts) if one.key() == b"v9"]
    assert (written.value() or b"")[:5] == value[:5]
    event = ShopEventDecoder("shop.carts", stage="x").decode(b"v9", written.value())
    assert isinstance(event, LineRemoved)
    assert event.id == "a1"


def test_a_job_is_sent_again_only_where_nobody_can_have_it(shop: Shop) -> None:
    """One by one and in bulk: rejected and unheard of as the next revision, all others where they are."""
    words = {
        1: (),
        2: ("claimed", "rejected"),
        3: ("claimed", "accepted"),
        4: ("claimed", "uncertain"),
        5: ("claimed",),
    }
    jobs = {number: shop.bury_job(number) for number in words}
    for number, said in words.items():
        shop.say(jobs[number][0], *said)
    told = {
        number: shop.run("edit", jobs[number][1], "--set", "template=cart-2", "--execute").stderr
        for number in (3, 4, 5)
    }
    assert "accepted by the provider" in told[3]
    assert "uncertain whether" in told[4]
    assert "claimed it and no answer is known" in told[5]
    assert shop.records(shop.jobs) == []
    dry = shop.run("redrive", "--reason", "render", "-o", "json")
    assert dry.exit_code == 1
    report = json.loads(dry.stdout)
    assert (report["ready"], report["refused"]) == (2, {"accepted": 1, "claimed": 1, "uncertain": 1})
    edited = shop.json("edit", jobs[1][1], "--set", "template=cart-2", "--execute")
    assert (edited["revision"], edited["fields"]) == (1, ["template"])
    done = shop.run("redrive", "--reason", "render", "--execute", "-o", "json", "--by", "ann")
    assert (json.loads(done.stdout)["written"], done.exit_code) == (1, 1)
    written = [msgspec.json.decode(one.value() or b"", type=Job) for one in shop.records(shop.jobs)]
    assert sorted((job.job_id, job.revision, job.template) for job in written) == sorted(
        [(jobs[1][0].job_id, 1, "cart-2"), (jobs[2][0].job_id, 1, "cart")]
    )
    ((run, count),) = read_runs(shop.client, shop.dead)
    assert (run.by, run.state, run.only, run.written, count) == ("ann", "finished", {"reason": ["render"]}, 1, 1)
    assert run.refused == {"accepted": 1, "claimed": 1, "uncertain": 1}


def test_an_answer_between_diff_and_write_counts(shop: Shop) -> None:
    """What the operator was shown may be old: claims and receipts are read once more behind the fence."""
    job, letter_id = shop.bury_job(1)
    case, contract = shop.case(letter_id), topic_contracts(shop.settings)[shop.jobs]
    form = taken_apart(case.letter.value, None)
    document = with_value(form.document, "template", "cart-2", contract)
    revision = revise(case.letter.value, case.letter.key, document, form=form, contract=contract)
    assert isinstance(revision, Revision)
    shop.say(job, "claimed", "accepted")

    def write() -> object:
        return write_revision(
            shop.client, shop.dead, revision, case=case, original=case.letter.value, contract=contract,
            jobs=job_topics(shop.settings), by="ann", now_ms=5,
        )  # fmt: skip

    assert write() == "accepted"
    other, other_id = shop.bury_job(2)
    case = shop.case(other_id)
    revision = revision._replace(value=msgspec.json.encode(msgspec.structs.replace(other, revision=1)))
    assert write() is None
    assert write() == "it was edited before: it is not written twice"
    (edited,) = shop.case(other_id).history
    assert isinstance(edited, Edited)
    assert (edited.by, edited.fields, edited.at_ms) == ("ann", ("template",), 5)
    assert len(shop.records(shop.jobs)) == 1


def test_check_and_rekey_in_bulk(shop: Shop) -> None:
    """What can be read now goes, under the key that it names; what can't stays a letter, and nothing dies anew."""
    value = b'{"type":"removed","id":"a%d","time":1,"visitor_id":"v%d","variant_id":"p"}'
    for number in range(6):
        shop.produce(shop.carts, None if number % 2 else b"guest", value % (number, number))
    shop.produce(shop.carts, b"v1", INVALID % 9)
    shop.bury(shop.carts)
    looked = shop.run("redrive", "--check", "-o", "json")
    assert json.loads(looked.stdout)["refused"] == {
        "unreadable:invalid": 1, "unreadable:key_missing": 3, "unreadable:key_sentinel": 3
    }  # fmt: skip
    first = shop.run("redrive", "--check", "--rekey", "--limit", "2", "--execute", "-o", "json")
    assert json.loads(first.stdout)["written"] == 2
    rest = shop.run("redrive", "--check", "--rekey", "--execute", "-o", "json")
    assert (json.loads(rest.stdout)["written"], rest.exit_code) == (4, 1)
    assert sorted(one.key() for one in shop.records(shop.carts) if one.key() not in {None, b"guest"}) == sorted(
        [*[b"v%d" % number for number in range(6)], b"v1"]
    )
    assert {group.reason: group.waiting for group in dead_groups(shop.client, shop.dead)} == {
        "invalid": 1, "key_missing": 0, "key_sentinel": 0
    }  # fmt: skip


def test_killed_in_the_middle_of_a_paced_run(shop: Shop) -> None:
    """Kill -9 of the command while it writes, twice; then each letter was redriven once, and the rate had held."""
    count, rate, batch = 120, 20, 5
    shop.produce_many(shop.carts, ((b"k%d" % number, INVALID % number) for number in range(count)))
    shop.bury(shop.carts)
    for _ in range(2):
        before = shop.size(shop.carts)
        command = [*POSTCART, "dead", "redrive", "--execute", "--per-second", str(rate)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:  # noqa: S603 -- our own command
            until = time.monotonic() + 90
            while shop.size(shop.carts) < before + 2 * batch:
                assert process.poll() is None
                assert time.monotonic() < until
            process.send_signal(signal.SIGKILL)
    done = shop.json("redrive", "--execute")
    assert done["redriven_before"] + done["written"] == count
    assert 0 < done["written"] < count
    written = [one for one in shop.records(shop.carts) if one.headers()]
    assert sorted(one.key() for one in written) == sorted(b"k%d" % number for number in range(count))
    paced = sorted(one.timestamp()[1] for one in written)[: done["redriven_before"]]
    assert all(late - early >= 1_000 - 1_000 * batch / rate for early, late in zip(paced, paced[rate:], strict=False))
    assert sorted(run.state for run, _ in read_runs(shop.client, shop.dead)) == ["began", "began", "finished"]
    assert {one["state"] for one in shop.json("runs")} == {"finished", "interrupted"}
