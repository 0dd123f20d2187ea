"""What is checked before a worker does anything.

Owns: waiting for a broker, within reason. Must not: create or change topics.
"""

import asyncio
import time
from collections.abc import Iterable

import structlog

from postcart.adapters.rdkafka.offsets import Offsets
from postcart.errors import BrokerUnavailable, TopologyError

log = structlog.get_logger(__name__)

_AGAIN_S = 0.2
_NEW_TOPIC_S = 3.0  # topics made a moment ago are not known to every broker yet


async def check_topics(offsets: Offsets, topics: Iterable[str], *, bootstrap: str, within_s: float) -> bool:
    """Check that the topics exist with one partition count, waiting for a broker for some time.

    Returns:
        Whether it is librdkafka's mock broker, which forgets the offsets of transactions.

    Raises:
        BrokerUnavailable: Nobody answered; says where.
        TopologyError: Topics are missing or their counts differ; names them all.
    """
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    names = tuple(topics)
    while True:
        try:
            return await loop.run_in_executor(None, offsets.check, names)
        except BrokerUnavailable as error:
            if time.monotonic() - began > within_s:
                raise BrokerUnavailable(
                    f"no Kafka broker answers at {bootstrap}: is it running, and is the address right? ({error})"
                ) from error
            log.warning("broker_unreachable", bootstrap=bootstrap)
        except TopologyError:
            if time.monotonic() - began > _NEW_TOPIC_S:
                raise
        await asyncio.sleep(_AGAIN_S)
