"""Contender: Nexmark's query 11 as a stage on Postcart's machinery; ends when it has committed all bids.

How many bids did a bidder make in each session, where a session ends 10 s after its last bid? Arguments: bootstrap
servers, topic of the bids, prefix of its own topics, records. Prints as common.measure says.
"""

import sys
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, field

from bench.contenders.stopwatch import Stopwatch
from postcart.adapters.clock import WallClock
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.processors.engine.app import build_app
from postcart.processors.engine.settings import EngineSettings
from postcart.processors.engine.task import Effects, Idle, Output, RecordBatch, Row, StageSpec
from postcart.processors.engine.worker import run_worker
from postcart.processors.rows import RowStore

GAP_MS = 10_000
DISORDER_MS = 4_000
"""As in Nexmark's definition of the bids' watermark."""
FIRE_LIMIT = 20_000
NEVER = 1 << 62


class Bid(Struct, gc=False, rename="camel"):
    """What the query looks at besides the key, which is the bidder."""

    date_time: int


class Session(Struct, gc=False, array_like=True):
    """Bids of a bidder with no more than GAP_MS between them."""

    start: int
    end: int
    bids: int


class Bidder(Struct, gc=False, omit_defaults=True):
    """A row: sessions that are open, in the order of time; more than one only within the disorder."""

    sessions: list[Session] = field(default_factory=list)
    indexed_ms: int = 0


class Told(Struct, gc=False):
    """A session that ended."""

    bidder: int
    bids: int
    start: int
    end: int


def add_all(bidder: Bidder, times: Sequence[int]) -> None:
    """Bids as they came: most of them go on with the latest session."""
    last = bidder.sessions[-1] if bidder.sessions else None
    end, more = last.end if last is not None else NEVER, 0
    for at_ms in times:
        if end <= at_ms <= end + GAP_MS:
            end = at_ms
            more += 1
            continue
        if last is not None:
            go_on(last, end, more)
        add(bidder, at_ms)
        last = bidder.sessions[-1]
        end, more = last.end, 0
    if last is not None:
        go_on(last, end, more)


def go_on(session: Session, end: int, bids: int) -> None:
    """So many bids more, the last of them then."""
    session.end = end
    session.bids += bids


def add(bidder: Bidder, at_ms: int) -> None:
    """A bid extends a session, joins two, or opens one."""
    sessions = bidder.sessions
    merged = Session(at_ms, at_ms, 1)
    apart = []
    for session in sessions:
        if session.end + GAP_MS < at_ms or at_ms < session.start - GAP_MS:
            apart.append(session)
        else:
            merged.start, merged.end = min(merged.start, session.start), max(merged.end, session.end)
            merged.bids += session.bids
    bidder.sessions = sorted([*apart, merged], key=lambda session: session.start)


class BidsTask:
    """State and logic of one partition number (see processors.engine.task.Task)."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._rows = RowStore(
            Bidder,
            version=1,
            deadline=lambda bidder: bidder.sessions[0].end + GAP_MS + 1,
            stays_decoded=lambda _: True,
        )
        self._clock_ms = -1
        self._outputs: list[Output] = []
        self._decode = msgspec.json.Decoder(Bid).decode
        self._encode = msgspec.json.Encoder().encode

    def restore(self, rows: Sequence[Row]) -> None:
        """See Task."""
        self._rows.restore(rows)

    def restored(self) -> None:
        """See Task."""
        self._rows.restored()

    def process(self, batch: RecordBatch) -> None:
        """See Task."""
        groups: dict[bytes, list[int]] = {}
        decode = self._decode
        for message in batch.records:
            at_ms, key = decode(message.value()).date_time, message.key()
            try:
                groups[key].append(at_ms)
            except KeyError:
                groups[key] = [at_ms]
        rows = self._rows
        for key, times in groups.items():
            name = key.decode()
            bidder = rows.load(name) or Bidder()
            add_all(bidder, times)
            rows.save(name, bidder)
            self._clock_ms = max(self._clock_ms, max(times) - DISORDER_MS - 1)

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        """See Task. Nexmark's clock is that of the bids alone."""
        del idle, now_ms
        limit = FIRE_LIMIT
        for name, bidder in self._rows.due(self._clock_ms, limit):
            limit -= 1
            while bidder.sessions and bidder.sessions[0].end + GAP_MS < self._clock_ms:
                ended = bidder.sessions.pop(0)
                told = self._encode(Told(int(name), ended.bids, ended.start, ended.end))
                self._outputs.append(Output(self._output, name.encode(), told))
            if bidder.sessions:
                self._rows.save(name, bidder)
            else:
                self._rows.drop(name)
        return limit <= 0

    def pending(self) -> bool:
        """See Task."""
        return bool(self._outputs)

    def drain(self) -> Effects:
        """See Task."""
        outputs, self._outputs = self._outputs, []
        return Effects(outputs, self._rows.take_changed())

    def close(self) -> None:
        """See Task."""


def main(bootstrap: str, topic: str, prefix: str, records: int) -> int:
    """Run the stage."""
    spec = StageSpec(
        name="bids",
        inputs=(topic,),
        changelog=f"{prefix}changelog",
        task=lambda _: BidsTask(f"{prefix}sessions"),
        group=f"{prefix}bids",
    )
    settings = EngineSettings(clients=ClientSettings(bootstrap=bootstrap), worker="bench")
    return run_worker(build_app(spec, settings, clock=WallClock(), metrics=Stopwatch(records)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4], int(sys.argv[4])))
