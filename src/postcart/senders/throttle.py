"""Keeps a sender's memory bounded: partitions pause while enough of them is held.

Owns: pausing and resuming. Must not: take jobs in.
"""

from postcart.adapters.rdkafka.poller import Poller
from postcart.senders.config import SenderConfig
from postcart.senders.desk import Desk
from postcart.senders.state import SenderState

_LEAST_HELD = 20


class Throttle:
    """Decides which partitions are read.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
        poller: Told what to read.
    """

    def __init__(self, config: SenderConfig, state: SenderState, poller: Poller) -> None:
        self._config = config
        self._state = state
        self._poller = poller

    def regulate_all(self) -> None:
        """Look at every partition."""
        for desk in self._state.desks.values():
            if not desk.leaving:
                self.regulate(desk)

    def regulate(self, desk: Desk) -> None:
        """Pause or resume a partition by what is held of it.

        A paused channel takes no more marketing in; transactional jobs, within the usual bound, so that those that
        wait go first when it works again.
        """
        usual = max(_LEAST_HELD, self._config.limits.held // (2 * max(1, len(self._state.desks))))
        topics, works = self._config.topics, self._state.providers.work
        for rank, topic in enumerate(topics.jobs):
            bound = usual if works or rank == 0 else 1
            held = self._state.scheduler.held(rank, desk.number)
            self._config.metrics.pending(topics.purpose_of(topic), desk.number, held)
            if held >= bound and topic not in desk.paused:
                desk.paused.add(topic)
                self._poller.stop_reading([(topic, desk.number)])
            elif held <= bound // 2 and topic in desk.paused:
                desk.paused.discard(topic)
                self._poller.start_at({(topic, desk.number): desk.positions[topic].next})
