"""Workers that copy while brokers go away and come back, and what they have made of it.

Owns: the copying, from its topics to its verdict. Must not: touch a broker (the test does).
"""

import collections
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from stream import copier, trial

_RATE = 500  # records a second, also while nobody takes them
_PATIENCE_S = 240.0  # only ends a test that would hang


class Copying:
    """Three supervised workers, and a producer that feeds them all the time.

    Args:
        bootstrap: The brokers.
        prefix: Of its topics.
        logs: Folder for the workers' logs.
    """

    def __init__(self, bootstrap: str, prefix: str, logs: Path) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._spec = copier.spec_of(prefix)
        self._verdict = trial.Verdict(seed=0)
        self.workers = trial.Workers(bootstrap, prefix, logs, self._verdict.exits)
        self._feed = trial.Feed(bootstrap, prefix, _RATE)
        trial.await_flow(bootstrap, f"{prefix}out")

    def await_more(self, what: str) -> float:
        """Wait until every partition of the output has grown; returns how many seconds that took."""
        names = [(f"{self._prefix}out", number) for number in range(trial.PARTITIONS)]
        began, before = time.monotonic(), trial.ends(self._bootstrap, names)
        while True:
            now = trial.ends(self._bootstrap, names)
            if all(now[name] > before[name] for name in names):
                return time.monotonic() - began
            assert time.monotonic() - began < _PATIENCE_S, f"nothing more came out {what}: {before} {now}"
            time.sleep(0.2)

    def finish(self) -> trial.Verdict:
        """Stop feeding, wait until everything is copied, end the workers, judge."""
        self._verdict.sent = self._feed.end()
        give_up_at = time.monotonic() + _PATIENCE_S
        while (behind := trial.lag(self._bootstrap, self._spec)) != 0:
            assert time.monotonic() < give_up_at, f"they do not go on: {behind} behind, {self._verdict.exits}"
            time.sleep(0.5)
        self._verdict.exits = collections.Counter(self._verdict.exits)
        self.workers.end()
        return trial.judge(self._bootstrap, self._prefix, self._verdict)

    def close(self) -> None:
        """End everything, whatever its state."""
        self.workers.end()
        self._feed.abandon()


@contextlib.contextmanager
def copying(
    bootstrap: str, prefix: str, *, create: Callable[[Mapping[str, int]], None], logs: Path
) -> Iterator[Copying]:
    """Make the topics, start workers and feed, and wait until every partition has output."""
    logs.mkdir()
    create(copier.topics(prefix, trial.PARTITIONS))
    copier.commit_beginnings(bootstrap, copier.spec_of(prefix), trial.PARTITIONS)
    made = Copying(bootstrap, prefix, logs)
    try:
        yield made
    finally:
        made.close()
