"""How far a worker has restored, as it says itself: from outside nobody can know.

Owns: asking a worker's metrics for that. Must not: judge lag.
"""

import http.client
from typing import Final

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from postcart.errors import ConfigurationError
from postcart.metrics.table import BY_NAME

_TIMEOUT_S: Final = 3.0


class Restoring(Struct, frozen=True, kw_only=True):
    """A partition of a worker; ``remaining``: positions of the changelog, None where the worker does not answer."""

    worker: str
    stage: str | None = None
    partition: int | None = None
    remaining: float | None = None


def restoring(worker: str) -> list[Restoring]:
    """What the worker at ``host:port`` restores or has restored.

    Raises:
        ConfigurationError: That is no address.
    """
    host, _, port = worker.rpartition(":")
    if not (host and port.isdigit()):
        raise ConfigurationError(f"--worker {worker}: write host:port, the port being its POSTCART_METRICS_PORT")
    connection = http.client.HTTPConnection(host, int(port), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return [Restoring(worker=worker)]
    finally:
        connection.close()
    wanted = BY_NAME["restore_remaining_records"].full_name
    return [
        Restoring(
            worker=worker,
            stage=sample.labels["stage"],
            partition=int(sample.labels["partition"]),
            remaining=sample.value,
        )
        for family in text_string_to_metric_families(text)
        if family.name == wanted
        for sample in family.samples
    ]
