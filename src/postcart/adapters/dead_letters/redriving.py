"""Writes many dead letters to the topics that they came from, each once.

Owns: the order of reading, preparing and writing, the pace, and the record of the run. Must not: change an event.

A letter's original bytes and the marker that says so are committed in one transaction, so an interrupted redrive is
simply run again.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from confluent_kafka import Message

from postcart.adapters.dead_letters.index import LetterIndex
from postcart.adapters.dead_letters.orders import RedriveOrder, RedriveReport
from postcart.adapters.dead_letters.preparing import GONE, Preparation, Ready
from postcart.adapters.dead_letters.reading import head_records, indexed, place_of
from postcart.adapters.dead_letters.standings import JobTopics, Standings
from postcart.adapters.dead_letters.writing import Output, Writer
from postcart.codecs.dead_letters import DeadLetter, LetterHead, Redriven, RedriveRun, decode, encode
from postcart.codecs.topic_contracts import TopicContract, job_of
from postcart.events import ids

_BATCH: Final = 200
_BATCH_BYTES: Final = 8_000_000
_SAMPLES: Final = 3
_NAMED: Final = 100
_TICKS: Final = 4
"""Transactions a second where a rate is asked for: it holds within the second, too."""
_STANDINGS_S: Final = 5.0
"""How old what is known of jobs may be when they are written; senders look again themselves."""


def redrive(
    client: Mapping[str, Any],
    topic: str,
    order: RedriveOrder,
    *,
    now_ms: Callable[[], int],
    contracts: Mapping[str, TopicContract] | None = None,
    jobs: JobTopics | None = None,
    late_ms: int = 0,
    on_progress: Callable[[RedriveReport], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> RedriveReport:
    """Write the original records of matching letters to their original topics, under their original keys.

    Idempotent: a letter is redriven once, also over several runs, crashes and runs at the same time. A record that is
    as unusable as before becomes a new letter, of its new position. A job is written as its next revision, and not at
    all if it was accepted, is uncertain or is still on its way.

    Args:
        client: librdkafka's properties of a client.
        topic: Of the dead letters.
        order: What is asked for.
        now_ms: Real wall time, for the markers.
        contracts: By topic, for jobs, ``check`` and ``rekey``.
        jobs: Where the words about jobs are.
        late_ms: With ``check``: jobs that may not be sent after this time any more are left out; 0: none.
        on_progress: Told after each transaction.
        stopped: Asked between transactions: whether to end early.

    Raises:
        Fenced: Another redrive or an edit of this topic began.
        BrokerUnavailable: Kafka did not take a batch; run it again.
        ConfigurationError: A topic refuses a record, because of its size or because it does not exist.
    """
    # Opened before reading: whatever an interrupted predecessor left open is aborted, so its markers are all readable.
    writer = Writer(client, topic) if order.execute else None
    contracts = contracts or {}
    job_topics = {name for name, contract in contracts.items() if contract.is_jobs}
    wanted: list[Standings] = []

    def want(letter: LetterHead, message: Message) -> None:
        if letter.topic in job_topics and wanted:
            whole = decode(message.value() or b"")
            job = job_of(whole.value) if isinstance(whole, DeadLetter) else None
            if job is not None:
                wanted[0].want(job)

    index = LetterIndex()
    if jobs is not None:
        wanted.append(Standings(client, jobs, index))
    with indexed(client, topic, index=index, only=order.only, on_letter=want):
        report = _counted(index, order)
        standings = wanted[0] if wanted else None
        preparation = Preparation(
            client=client,
            contracts=contracts,
            standings=standings,
            check=order.check,
            rekey=order.rekey,
            late_ms=late_ms,
        )
        run = _Run(client, topic, order, index=index, report=report, preparation=preparation, now_ms=now_ms)
        if writer is None:
            run.look(whole=order.check or any(where in job_topics for _, where in report.matching))
        else:
            run.write(writer, on_progress=on_progress, stopped=stopped)
    return report


def _counted(index: LetterIndex, order: RedriveOrder) -> RedriveReport:
    report = RedriveReport(executed=order.execute)
    for group in index.groups():
        if group.waiting:
            report.matching[group.reason, group.topic] += group.waiting
        report.redriven_before += group.redriven + group.edited
    return report


class _Run:
    """One redrive, after the letters were counted."""

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        order: RedriveOrder,
        *,
        index: LetterIndex,
        report: RedriveReport,
        preparation: Preparation,
        now_ms: Callable[[], int],
    ) -> None:
        self._client, self._topic, self._order = client, topic, order
        self._index, self._report, self._preparation, self._now_ms = index, report, preparation, now_ms
        self._refreshed_s: float | None = None

    def look(self, *, whole: bool) -> None:
        """A dry run: samples, and if ``whole`` what would become of each letter."""
        for letter, message in self._waiting():
            if len(self._report.samples) < _SAMPLES:
                self._report.samples.append(letter)
            elif not whole:
                return
            if whole:
                self._prepared(message)

    def write(
        self,
        writer: Writer,
        *,
        on_progress: Callable[[RedriveReport], None] | None,
        stopped: Callable[[], bool],
    ) -> None:
        """The real run."""
        began_ms = self._now_ms()
        run = ids.uuid5(ids.POSTCART, f"redrive/{self._topic}/{began_ms}/{self._order.by}")
        record = RedriveRun(
            id=run,
            at_ms=began_ms,
            by=self._order.by,
            state="began",
            only=dict(self._order.told),
            matching=self._report.matching.total(),
        )
        pace = _Pace(self._order.per_second)
        for batch in self._batches():
            self._report.stopped = stopped()
            if self._report.stopped:
                break
            outputs = [output for ready in batch for output in self._outputs(ready, run)]
            if self._report.run is None:
                outputs.append(Output(self._topic, *encode(record)))
            writer.write(outputs)
            self._report.run = run
            self._report.written += len(batch)
            if on_progress is not None:
                on_progress(self._report)
            pace.wait(len(batch))
        if self._report.run is not None:
            state: Literal["finished", "stopped"] = "stopped" if self._report.stopped else "finished"
            ended = RedriveRun(
                id=run,
                at_ms=began_ms,
                by=self._order.by,
                state=state,
                only=record.only,
                matching=record.matching,
                written=self._report.written,
                refused=dict(self._report.refused),
            )
            writer.write([Output(self._topic, *encode(ended))])

    def _outputs(self, ready: Ready, run: str) -> tuple[Output, Output]:
        letter_id = ready.letter.id
        marker = Redriven(id=letter_id, at_ms=self._now_ms(), by=self._order.by, run=run, revision=ready.revision)
        # On the letter's own partition, behind it: retention never takes the marker first.
        return ready.output, Output(self._topic, *encode(marker), ready.place.partition)

    def _batches(self) -> Iterator[list[Ready]]:
        """What is ready, as much as one transaction takes."""
        rate = self._order.per_second
        most = _BATCH if rate is None else max(1, min(_BATCH, rate // _TICKS))
        batch: list[Ready] = []
        size = 0
        for letter, message in self._waiting():
            ready = self._prepared(message)
            if ready is None:
                continue
            if batch and (len(batch) >= most or size + letter.size > _BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(ready)
            size += letter.size
        if batch:
            yield batch

    def _waiting(self) -> Iterator[tuple[LetterHead, Message]]:
        """Letters to be redriven, each once. Read once more, now with the values: only an index was kept."""
        left = self._order.limit
        for record, message in head_records(self._client, self._topic):
            if left == 0:
                return
            if isinstance(record, LetterHead) and self._index.look(record.id, place_of(message)) == "waiting":
                left = None if left is None else left - 1
                yield record, message

    def _prepared(self, message: Message) -> Ready | None:
        letter = decode(message.value() or b"")
        if not isinstance(letter, DeadLetter):
            raise TypeError("a letter's head without the letter")
        self._refresh()
        ready = self._preparation.prepare(letter, place_of(message))
        if isinstance(ready, Ready):
            self._report.ready += 1
            return ready
        self._report.refused[ready] += 1
        if ready == GONE and len(self._report.gone) < _NAMED:
            self._report.gone.append(letter.id)
        return None

    def _refresh(self) -> None:
        now_s = time.monotonic()
        if self._preparation.standings is not None and (
            self._refreshed_s is None or now_s - self._refreshed_s > _STANDINGS_S
        ):
            self._preparation.standings.refresh()
            self._refreshed_s = now_s


class _Pace:
    """Holds a rate from its beginning on; None: none."""

    def __init__(self, per_second: int | None) -> None:
        self._per_second = per_second
        self._due_s = time.monotonic()

    def wait(self, count: int) -> None:
        """After ``count`` letters, until the next may go. A pause is not made up for."""
        if self._per_second is None:
            return
        now_s = time.monotonic()
        self._due_s = max(now_s, self._due_s + count / self._per_second)
        time.sleep(self._due_s - now_s)
