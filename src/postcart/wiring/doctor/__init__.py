"""``postcart doctor``: everything that a new operator gets wrong, one line each.

Owns: which checks there are, and their order. Must not: mend anything, or send a message.
"""

from collections.abc import Callable, Iterator, Mapping

from postcart.adapters.dns_txt import txt_records
from postcart.errors import ConfigurationError, ReadModelUnavailable, RegistryUnavailable
from postcart.settings import Settings, load_settings
from postcart.wiring.doctor.finding import Finding, State, fail, ok
from postcart.wiring.doctor.kafka import kafka_findings
from postcart.wiring.doctor.mail import Lookup, mail_findings
from postcart.wiring.doctor.own import own_findings
from postcart.wiring.doctor.polling import polling_findings
from postcart.wiring.read_model import read_model
from postcart.wiring.registry import registry_of

__all__ = ["Finding", "State", "examine"]


def examine(
    environ: Mapping[str, str], *, real_ms: Callable[[], int], dns: bool = False, lookup: Lookup = txt_records
) -> Iterator[Finding]:
    """Look at everything; findings come as they are made.

    Args:
        environ: Environment variables.
        real_ms: Wall time, for comparing clocks.
        dns: Whether the DNS is asked, too.
        lookup: Asks it.
    """
    try:
        settings = load_settings(environ)
    except ConfigurationError as error:
        yield from (fail("settings", problem, "see docs/settings.md") for problem in error.problems)
        return
    yield ok("settings", "valid; `postcart config show --origin` says where each comes from")
    yield from own_findings(settings)
    yield from kafka_findings(settings, real_ms=real_ms)
    yield from mail_findings(settings, lookup=lookup if dns else None)
    yield from polling_findings(settings)
    yield from _registry(settings)
    yield from _read_model(settings)


def _registry(settings: Settings) -> Iterator[Finding]:
    registry = registry_of(settings)
    if registry is None:
        return
    try:
        registry.schema(1)  # that it knows no schema 1 is an answer, too
    except RegistryUnavailable as error:
        todo = "check POSTCART_SCHEMA_REGISTRY_URL, its login and that this machine reaches it"
        yield fail("schema registry", str(error), todo, unreachable=True)
    else:
        yield ok("schema registry", f"answers at {settings.schema_registry_url and settings.schema_registry_url.host}")


def _read_model(settings: Settings) -> Iterator[Finding]:
    if settings.read_model_url is None:
        return
    try:
        read_model(settings).close()
    except ReadModelUnavailable as error:
        todo = "check POSTCART_READ_MODEL_URL, that the database runs and that `postcart worker project` has begun"
        yield fail("read model", str(error), todo, unreachable=True)
    except ConfigurationError as error:
        yield fail("read model", "; ".join(error.problems), "mend that; it can be rebuilt from Kafka at any time")
    else:
        yield ok("read model", "answers")
