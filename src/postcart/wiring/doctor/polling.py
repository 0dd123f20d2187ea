"""The doctor looks at those who are asked where parcels are: are they there, do they let us in, is the schedule sane.

Owns: those checks. Must not: ask more than one question of each, or about anybody's parcel.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from postcart.domain.track.answers import AnswerForm, read_answer
from postcart.errors import (
    ConfigurationError,
    CredentialsRejected,
    DeliveryError,
    ProviderBusy,
    RecipientRejected,
    UnreadableRecord,
)
from postcart.events.polls import PollRequest
from postcart.senders.polls import read_body
from postcart.settings import Settings
from postcart.settings.model import LOOPBACK
from postcart.settings.polling import EVERY, Polling, PollSource
from postcart.wiring.doctor.finding import Finding, fail, ok, warn
from postcart.wiring.polling import answer_forms, tracker_client

NUMBER: Final = "POSTCARTDOCTOR0"
"""Of no parcel."""
_ANY_CARRIER: Final = "usps"
"""Who is asked about where a source knows all."""
_INTERVAL_GOOD_S: Final = 300
"""More often than carriers scan; many count questions, or want to be paid for each."""
_LONGEST_GOOD_S: Final = 86_400


def polling_findings(settings: Settings) -> Iterator[Finding]:
    """All of them, in order; none, if nobody is to be asked."""
    sources = settings.polling.sources
    if not sources:
        return
    try:
        forms = answer_forms(settings)
    except ConfigurationError as error:
        yield fail("polling", "; ".join(error.problems), "mend that; `postcart config check` looks at it again")
        return
    for source in sources:
        yield asyncio.run(_source(source, forms[source.name]))
    yield _schedule(settings.polling)


async def _source(source: PollSource, form: AnswerForm) -> Finding:
    where = f"{source.name} ({urlsplit(source.url or '').netloc})"
    carrier = source.carriers[0].partition("=")[0]
    request = PollRequest(
        parcel_id="", carrier=_ANY_CARRIER if carrier == EVERY else carrier, tracking_number=NUMBER, at_ms=0
    )
    try:
        client = tracker_client(source)
    except ConfigurationError as error:
        return fail("polling", f"{where}: {'; '.join(error.problems)}", "mend ca_file of that source")
    login = "lets us in" if source.secret else "answers without a login"
    try:
        body = await client.ask(request.carrier, request.tracking_number)
    except (DeliveryError, UnreadableRecord) as error:
        return _refused(where, error, login)
    finally:
        await client.close()
    if body is None:
        return ok("polling", f"{where} {login}; a number of no parcel is not known there, as it should be")
    by = f"carriers/answers/{form.name}.yaml"
    faults = read_body(body, lambda document: read_answer(document, form, request)).faults
    if faults:
        todo = "compare a real parcel's answer with that file, or name another by POSTCART_POLLING__ANSWER"
        return fail("polling", f"{where} answers otherwise than {by} says: {faults[0]}", todo)
    return ok("polling", f"{where} {login}; what it says can be read by {by}")


def _refused(where: str, error: DeliveryError | UnreadableRecord, login: str) -> Finding:
    if isinstance(error, RecipientRejected):
        return ok("polling", f"{where} {login}; it refuses a number of no parcel ({error})")
    if isinstance(error, ProviderBusy):
        todo = "lower POSTCART_POLLING__RATE_PER_S (it counts per worker), or ask the carrier for more"
        return warn("polling", f"{where} is asked too often: {error}", todo)
    if isinstance(error, CredentialsRejected):
        todo = "check POSTCART_POLLING__SECRET (the header's whole value), __HEADER and __URL"
        return fail("polling", f"{where} refuses us: {error}", todo)
    if isinstance(error, UnreadableRecord):
        return fail("polling", f"{where}: {error}", "check POSTCART_POLLING__URL: it must lead to one parcel's answer")
    todo = "check POSTCART_POLLING__URL and that this machine reaches it; parcels are asked about once it is back"
    return fail("polling", f"{where} does not answer: {error}", todo, unreachable=True)


def _schedule(polling: Polling) -> Finding:
    interval, longest = timedelta(seconds=polling.interval_s), timedelta(seconds=polling.longest_s)
    if polling.interval_s < _INTERVAL_GOOD_S and not all(_is_local(one) for one in polling.sources):
        detail = (
            f"a parcel is asked about every {interval}: carriers scan less often, and limit or charge for questions"
        )
        return warn("poll schedule", detail, "set POSTCART_POLLING__INTERVAL_S to what they allow, 1800 for example")
    if polling.longest_s > _LONGEST_GOOD_S:
        detail = (
            f"up to {longest} between two questions: so late is a scan heard of, and what moves may be told as delayed"
        )
        return warn("poll schedule", detail, f"set POSTCART_POLLING__LONGEST_S to {_LONGEST_GOOD_S} at most")
    most = ", ".join(f"{one.name} {one.rate_per_s:g}" for one in polling.sources)
    parcels = int(min(one.rate_per_s for one in polling.sources) * polling.interval_s)
    detail = f"every {interval} to {longest}; most questions a second of a worker: {most}"
    return ok("poll schedule", f"{detail}; enough for {parcels:,} parcels that move")


def _is_local(source: PollSource) -> bool:
    return urlsplit(source.url or "").hostname in LOOPBACK
